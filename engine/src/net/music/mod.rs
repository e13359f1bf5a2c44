//! Runs the programs whose output is music on hold: one thread for all of them, a task for each
//! class, and never more than one process for a class.
//!
//! A process is started when somebody listens and ended a while after the last has gone, when its
//! class goes, and when the engine stops. All that is written to the listeners is paced by the
//! clock: a program that is faster waits at its pipe, one that is slower is heard as silence.

mod player;
mod process;
mod sound;

use std::{io, sync::Arc, thread};

use tokio::{
    runtime,
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
};

use crate::{media::Live, switch::MadeMusic};

/// Takes what is to be made. The thread is there from the first program on.
#[derive(Debug, Default)]
pub(crate) struct MusicPrograms {
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    wanted: mpsc::UnboundedSender<MadeMusic>,
    /// Has no sender any more once all processes are ended.
    over: oneshot::Receiver<()>,
}

impl MusicPrograms {
    /// Somebody begins to listen to this, or it is over.
    pub(crate) fn look_at(&mut self, music: MadeMusic) {
        if self.thread.is_none() {
            match Thread::start() {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    tracing::error!(%error, class = %music.class, "no thread for programs that make music");
                    return music.live.end();
                }
            }
        }
        if let Some(thread) = &self.thread {
            // A thread that is gone is the end of the engine.
            let _ = thread.wanted.send(music);
        }
    }

    /// Ends all processes, and waits until they are gone.
    pub(crate) async fn stop(&mut self) {
        if let Some(Thread { wanted, over }) = self.thread.take() {
            drop(wanted);
            let _ = over.await;
        }
    }
}

impl Thread {
    fn start() -> io::Result<Self> {
        let (wanted, received) = mpsc::unbounded_channel();
        let (running, over) = oneshot::channel::<()>();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            runtime.block_on(run(received));
            drop(running);
        };
        thread::Builder::new().name("diesis-music".into()).spawn(run)?;
        Ok(Self { wanted, over })
    }
}

/// A class whose task runs, and what wakes it.
struct Class {
    live: Arc<Live>,
    changed: Arc<Notify>,
}

async fn run(mut wanted: mpsc::UnboundedReceiver<MadeMusic>) {
    let mut classes: Vec<Class> = Vec::new();
    let mut tasks = JoinSet::new();
    while let Some(music) = wanted.recv().await {
        while tasks.try_join_next().is_some() {}
        classes.retain(|class| !class.live.is_over() || Arc::ptr_eq(&class.live, &music.live));
        match classes.iter().find(|class| Arc::ptr_eq(&class.live, &music.live)) {
            Some(class) => class.changed.notify_one(),
            None => {
                let changed = Arc::new(Notify::new());
                let live = Arc::clone(&music.live);
                classes.push(Class { live, changed: Arc::clone(&changed) });
                tasks.spawn(player::serve(music, changed));
            }
        }
    }
    for class in &classes {
        class.live.end();
        class.changed.notify_one();
    }
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;
