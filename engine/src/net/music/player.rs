//! The music of one class: its process, and a frame for its listeners every 20 ms.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use diesis_sounds::error::SoundError;
use tokio::{
    net::unix::pipe,
    sync::Notify,
    time::{Instant as TokioInstant, sleep_until},
};

use super::{process::Process, sound::Sound};
use crate::{media::LiveFrame, net::clock, printable::Printable, switch::MadeMusic};

/// Plays whenever somebody listens, until the class is over.
pub(super) async fn serve(music: MadeMusic, changed: Arc<Notify>) {
    let mut player = match Player::new(&music) {
        Ok(player) => player,
        Err(error) => {
            tracing::error!(class = %Printable(&music.class), %error, "music of a program");
            return music.live.end();
        }
    };
    while !music.live.is_over() {
        if music.live.listeners() == 0 {
            changed.notified().await;
        } else {
            player.play().await;
        }
    }
}

struct Player<'a> {
    music: &'a MadeMusic,
    source: Source,
    sound: Sound,
    /// Frames that the process gave.
    given: u32,
    /// Before it is started anew.
    pause: Duration,
    trouble: Trouble,
    /// Of the tone that is heard while there is nothing else.
    tone_frame: usize,
}

enum Source {
    /// There is no process until then.
    Waiting {
        until: Instant,
    },
    Running {
        output: pipe::Receiver,
        process: Process,
    },
    /// It is over, which it told in these words; what it wrote is still to be heard.
    Over {
        output: pipe::Receiver,
        end: String,
    },
}

/// Whether the program works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    No,
    /// It does not, and the log says so: once.
    Told,
}

impl<'a> Player<'a> {
    fn new(music: &'a MadeMusic) -> Result<Self, SoundError> {
        Ok(Self {
            music,
            source: Source::Waiting { until: clock::now().instant },
            sound: Sound::new(music.program.format)?,
            given: 0,
            pause: FIRST_PAUSE,
            trouble: Trouble::No,
            tone_frame: 0,
        })
    }

    /// Plays until nobody has listened for a while, or the class is over.
    async fn play(&mut self) {
        let mut due = clock::now().instant;
        let mut heard_at = due;
        loop {
            let now = clock::now().instant;
            if self.music.live.listeners() > 0 {
                heard_at = now;
            }
            if self.music.live.is_over() || now.duration_since(heard_at) > LINGER {
                break;
            }
            self.run(now).await;
            self.music.live.write(&self.next_frame());
            due += FRAME_TIME;
            if due + MOST_LATE < now {
                // What was due while this stood still is past.
                due = now;
            }
            sleep_until(TokioInstant::from_std(due)).await;
        }
        if !matches!(self.source, Source::Waiting { .. }) {
            if let Source::Running { process, .. } = self.wait(FIRST_PAUSE) {
                process.end(&self.music.program).await;
            }
            self.sound.clear();
        }
    }

    /// Starts the process when it is time, and takes what it wrote.
    async fn run(&mut self, now: Instant) {
        match &mut self.source {
            Source::Waiting { until } if *until <= now => match Process::start(&self.music.program)
            {
                Ok((process, output)) => {
                    self.given = 0;
                    self.source = Source::Running { output, process };
                }
                Err(error) => self.handle_end(&error.to_string()),
            },
            Source::Waiting { .. } => {}
            Source::Running { output, process } => {
                let is_silent = read(output, &mut self.sound);
                if (is_silent || process.is_over())
                    && let Source::Running { output, process } = self.wait(self.pause)
                {
                    let status = process.end(&self.music.program).await;
                    let end = status.map_or_else(|| "it does not end".into(), |it| it.to_string());
                    self.source = Source::Over { output, end };
                }
            }
            Source::Over { output, end } => {
                if read(output, &mut self.sound) {
                    let end = std::mem::take(end);
                    self.sound.finish();
                    self.handle_end(&end);
                }
            }
        }
    }

    /// There is no process any more, and nothing comes of it: chooses when to start the next.
    fn handle_end(&mut self, end: &str) {
        let class = Printable(&self.music.class);
        let given = self.given + self.sound.frames();
        if given >= STEADY {
            self.pause = FIRST_PAUSE;
            self.trouble = Trouble::No;
            tracing::debug!(%class, end, "a program that makes music is started anew");
        } else if self.trouble == Trouble::No {
            self.trouble = Trouble::Told;
            tracing::error!(%class, end, "{TROUBLE}");
        }
        self.wait(self.pause);
        if self.trouble == Trouble::Told {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn wait(&mut self, pause: Duration) -> Source {
        let until = clock::now().instant + pause;
        std::mem::replace(&mut self.source, Source::Waiting { until })
    }

    fn next_frame(&mut self) -> LiveFrame {
        if let Some(frame) = self.sound.next_frame() {
            self.given = self.given.saturating_add(1);
            return frame;
        }
        match (&self.source, self.trouble) {
            (Source::Waiting { .. }, Trouble::Told) => self.next_of_tone(),
            _ => LiveFrame::silence(),
        }
    }

    fn next_of_tone(&mut self) -> LiveFrame {
        let tone = self.music.meanwhile.cycle();
        let frames = tone.map_or(1, |tone| tone.frames().max(1));
        let nth = self.tone_frame % frames;
        self.tone_frame = nth + 1;
        tone.map_or_else(LiveFrame::silence, |tone| LiveFrame::new(tone.filled_frame(nth), None))
    }
}

/// Takes what is there and has room; whether nothing more will come.
fn read(output: &pipe::Receiver, sound: &mut Sound) -> bool {
    let mut octets = [0; 4096];
    loop {
        let room = sound.room().min(octets.len());
        if room == 0 {
            return false;
        }
        match output.try_read(&mut octets[..room]) {
            Ok(0) => return true,
            Ok(count) => sound.push(&octets[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

const FRAME_TIME: Duration = Duration::from_millis(20);

/// How long a process goes on for nobody: the next caller may be on hold soon.
const LINGER: Duration = Duration::from_secs(10);

/// Of a process that gave this many frames nothing is wrong.
const STEADY: u32 = 50;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Frames that are due for longer are not made up for.
const MOST_LATE: Duration = Duration::from_millis(200);

const TROUBLE: &str = "a program makes no music: a tone is heard in place of it, and it is tried again \
                       while somebody listens, once a minute at the end";
