//! Real processes. Nothing sleeps: every wait has an end of its own.

use std::{
    fs,
    net::UdpSocket,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use super::*;
use crate::{
    config::{KillMethod, MusicProgram},
    media::{AudioFormat, FRAME, LiveListener, Tone, ToneSpec},
    net::clock,
};

/// A directory with a script, and the music that this makes.
struct Scene {
    directory: PathBuf,
    music: MadeMusic,
    programs: MusicPrograms,
}

impl Scene {
    /// `script` finds its directory in `$0`'s; each run leaves its number in `runs`.
    fn new(name: &str, script: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("diesis-music-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("make");
        fs::write(&path, format!("cd \"${{0%/*}}\"; echo $$ >> runs\n{script}\n")).unwrap();
        let loud: Vec<u8> = [1000_i16; 50 * FRAME].iter().flat_map(|it| it.to_le_bytes()).collect();
        fs::write(directory.join("second"), loud).unwrap();
        Self::of(directory, &["/bin/sh", path.to_str().unwrap()])
    }

    fn of(directory: PathBuf, words: &[&str]) -> Self {
        let program = MusicProgram {
            words: words.iter().map(|&word| word.into()).collect(),
            directory: None,
            format: AudioFormat::Linear(8000),
            kill_delay: Duration::from_millis(200),
            kill_method: KillMethod::ProcessGroup,
        };
        let tone = Tone::render(&ToneSpec::parse("440/1000").unwrap());
        let music = MadeMusic {
            class: "jazz".into(),
            program: Arc::new(program),
            live: Arc::new(Live::new()),
            meanwhile: Arc::new(tone),
        };
        Self { directory, music, programs: MusicPrograms::default() }
    }

    fn listen(&mut self) -> LiveListener {
        let listener = LiveListener::new(&self.music.live);
        self.programs.look_at(self.music.clone());
        listener
    }

    /// The processes that were started so far.
    fn runs(&self) -> Vec<u32> {
        numbers(&self.directory.join("runs"))
    }

    fn stop(&mut self) {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.programs.stop());
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn numbers(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = clock::now().instant;
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        thread::yield_now();
    }
}

/// Listens until so many frames of this level came.
fn hear(listener: &mut LiveListener, level: i16, frames: usize) {
    let mut heard = 0;
    until("it is heard", || {
        listener.advance();
        heard += usize::from(*listener.frame().samples() == [level; FRAME]);
        heard >= frames
    });
}

#[test]
fn all_who_listen_hear_one_process_and_nothing_is_left_of_it() {
    let mut scene =
        Scene::new("one", "cat /dev/zero & echo $! > child\nexec tr '\\0' 'a' < /dev/zero");
    let mut first = scene.listen();
    let level = i16::from_le_bytes(*b"aa");
    hear(&mut first, level, 10);
    let mut others: Vec<LiveListener> = (0..20).map(|_| scene.listen()).collect();
    for listener in &mut others {
        hear(listener, level, 3);
    }
    let (runs, child) = (scene.runs(), numbers(&scene.directory.join("child")));
    assert_eq!((runs.len(), child.len()), (1, 1));
    assert!(exists(runs[0]));
    scene.stop();
    assert!(!exists(runs[0]), "ended and reaped");
    // Whoever adopts it reaps it.
    let state = || fs::read_to_string(format!("/proc/{}/stat", child[0])).unwrap_or_default();
    until("what it started is ended too", || state().is_empty() || state().contains(") Z "));
    assert!(first.is_over());
}

#[test]
fn one_that_ends_is_started_anew_and_has_said_all() {
    let mut scene = Scene::new("again", "exec cat second");
    let mut listener = scene.listen();
    hear(&mut listener, 1000, 120);
    let runs = scene.runs();
    assert!(runs.len() >= 3, "{runs:?}");
    assert!(!exists(runs[0]), "reaped");
}

#[test]
fn one_that_makes_no_sound_is_a_tone_and_is_started_ever_less_often() {
    let mut scene = Scene::new("silent", "exit 3");
    let mut listener = scene.listen();
    until("a tone", || {
        listener.advance();
        listener.frame().samples().iter().any(|&sample| sample > 100)
    });
    until("it is tried again", || scene.runs().len() >= 3);
    scene.stop();
    assert_eq!(scene.runs().iter().filter(|&&pid| exists(pid)).count(), 0);
}

#[test]
fn one_that_is_not_there_is_a_tone() {
    let mut scene = Scene::of(std::env::temp_dir().join("diesis-music-none"), &["/nonexistent/it"]);
    let mut listener = scene.listen();
    until("a tone", || {
        listener.advance();
        listener.frame().samples().iter().any(|&sample| sample > 100)
    });
}

#[test]
fn one_that_does_not_want_to_end_is_ended() {
    let mut scene = Scene::new("deaf", "trap '' HUP TERM; while :; do cat second; done");
    let mut listener = scene.listen();
    hear(&mut listener, 1000, 10);
    let runs = scene.runs();
    scene.music.live.end();
    scene.programs.look_at(scene.music.clone());
    until("it is killed and reaped", || !exists(runs[0]));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the claim is about a real socket")]
fn a_process_has_nothing_of_ours_open_and_a_group_of_its_own() {
    let script = "ls -l /proc/self/fd > fds.new; mv fds.new fds\n\
                  cut -d ' ' -f 5 /proc/$$/stat > group; exec cat second";
    let mut scene = Scene::new("files", script);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = fs::File::create(scene.directory.join("ours")).unwrap();
    let name = |fd| fs::read_link(format!("/proc/self/fd/{fd}")).unwrap().display().to_string();
    let names = [name(socket.as_raw_fd()), name(file.as_raw_fd())];
    let mut listener = scene.listen();
    hear(&mut listener, 1000, 10);
    let open = fs::read_to_string(scene.directory.join("fds")).unwrap();
    assert!(open.contains("/dev/null"), "{open}");
    assert!(!names.iter().any(|name| open.contains(name)), "{names:?}: {open}");
    assert_eq!(numbers(&scene.directory.join("group"))[0], scene.runs()[0]);
}

#[test]
fn a_faster_program_waits_at_its_pipe() {
    let script = "while :; do cat second; echo 1 >> written; done";
    let began = clock::now().instant;
    let mut scene = Scene::new("fast", script);
    let mut listener = scene.listen();
    hear(&mut listener, 1000, 40);
    let written = numbers(&scene.directory.join("written")).len() as u64;
    // A pipe holds four seconds.
    assert!(written <= began.elapsed().as_secs() + 6, "{written}");
}
