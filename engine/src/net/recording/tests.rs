use std::fs;

use super::*;
use crate::recording::format_of;

struct Scene {
    directory: PathBuf,
    recorder: Recorder,
    news: mpsc::UnboundedReceiver<RecordingNews>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let name = format!("diesis-recorder-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        let (recorder, news) = Recorder::start().unwrap();
        Self { directory, recorder, news }
    }

    fn open(&mut self, number: u64, input: Input, files: &[(&str, Track)]) -> RecordingNews {
        let file = |(name, track): &(&str, Track)| {
            let extension = name.rsplit('.').next().unwrap().as_bytes();
            NewFile {
                path: self.directory.join(name),
                format: format_of(extension).unwrap(),
                track: *track,
                existing: Existing::Replaced,
            }
        };
        let files: Vec<_> = files.iter().map(file).collect();
        let new = NewRecording {
            id: RecordingId::new(number),
            rate: files.iter().map(NewFile::ring_rate).max().unwrap().hertz(),
            input,
            volumes: Volumes { heard: 1, sent: -1 },
            files,
        };
        assert!(self.recorder.request(RecordingRequest::Open(Box::new(new))).is_none());
        self.news.blocking_recv().unwrap()
    }

    fn close(&mut self, number: u64) -> RecordingNews {
        let id = RecordingId::new(number);
        let (trim, fate) = (Duration::ZERO, Fate::Kept);
        assert!(self.recorder.request(RecordingRequest::Close { id, trim, fate }).is_none());
        self.news.blocking_recv().unwrap()
    }

    fn samples(&self, name: &str) -> Vec<i16> {
        let mut reader = hound::WavReader::open(self.directory.join(name)).unwrap();
        reader.samples().map(Result::unwrap).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn each_track_goes_to_its_file_with_its_volume() {
    let mut scene = Scene::new("tracks");
    let files = [
        ("mixed.wav", Track::Mixed),
        ("heard.wav", Track::Heard),
        ("sent.wav", Track::Sent),
        ("stereo.wav", Track::Stereo),
    ];
    let RecordingNews::Opened { mut sink, paths, .. } = scene.open(1, Input::Apart, &files) else {
        panic!("it opens");
    };
    assert_eq!(paths.len(), 4);
    for _ in 0..8000 {
        sink.push(1000).unwrap();
        sink.push(-400).unwrap();
    }
    drop(sink);
    let RecordingNews::Closed { length, .. } = scene.close(1) else { panic!("it closes") };
    assert_eq!(length, Duration::from_secs(1));
    assert_eq!(scene.samples("mixed.wav"), [1800; 8000]);
    assert_eq!(scene.samples("heard.wav"), [2000; 8000]);
    assert_eq!(scene.samples("sent.wav"), [-200; 8000]);
    assert_eq!(scene.samples("stereo.wav")[..4], [2000, -200, 2000, -200]);
}

#[test]
fn each_file_has_the_rate_of_its_format_and_is_whole_when_nobody_ends_it() {
    let mut scene = Scene::new("rates");
    let files = [
        ("a.wav", Track::Mixed),
        ("b.wav16", Track::Stereo),
        ("c.sln24", Track::Heard),
        ("d.sln48", Track::Sent),
        ("e.sln96", Track::Heard),
    ];
    let RecordingNews::Opened { mut sink, .. } = scene.open(1, Input::Apart, &files) else {
        panic!("it opens");
    };
    let tone = |n: usize| 8000.0 * (std::f64::consts::TAU * 1000.0 * n as f64 / 48_000.0).sin();
    for n in 0..48_000 {
        sink.push((tone(n) / 2.0) as i16).unwrap();
        sink.push((-tone(n) * 2.0) as i16).unwrap();
    }
    // The next look at the ring is a quarter of a second away at most; nobody asks for an end.
    let sizes = || {
        ["a.wav", "b.wav16", "c.sln24", "d.sln48", "e.sln96"]
            .map(|name| fs::metadata(scene.directory.join(name)).map_or(0, |it| it.len()))
    };
    let late = Duration::from_millis(80);
    let least = |rate: f64, octets: f64| (rate * octets * (1.0 - late.as_secs_f64())) as u64;
    let expected = [
        least(8000.0, 2.0),
        least(16_000.0, 4.0),
        least(24_000.0, 2.0),
        least(48_000.0, 2.0),
        least(96_000.0, 2.0),
    ];
    while sizes().iter().zip(&expected).any(|(size, least)| size < least) {
        thread::yield_now();
    }
    let read = |name: &str| {
        let path = scene.directory.join(name);
        diesis_sounds::sound::Sound::read(&path).unwrap()
    };
    for (name, rate, level) in
        [("c.sln24", 24_000, 8000.0), ("d.sln48", 48_000, 8000.0), ("e.sln96", 96_000, 8000.0)]
    {
        let sound = read(name);
        assert_eq!(sound.rate, rate);
        let second = sound.samples.len() / 4..sound.samples.len() * 3 / 4;
        let loudest = sound.samples[second].iter().max().unwrap();
        assert!((f64::from(*loudest) - level).abs() < 100.0, "{name}: {loudest}");
    }
    for (name, rate, channels) in [("a.wav", 8000, 1), ("b.wav16", 16_000, 2)] {
        let reader = hound::WavReader::open(scene.directory.join(name)).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (rate, channels));
    }
    drop(sink);
    let RecordingNews::Closed { length, .. } = scene.close(1) else { panic!("it closes") };
    assert_eq!(length, Duration::from_secs(1), "the longest");
}

#[test]
fn a_recording_whose_file_can_not_be_is_told_and_forgotten() {
    let mut scene = Scene::new("refused");
    fs::create_dir_all(scene.directory.join("taken.wav")).unwrap();
    let news = scene.open(1, Input::Mono, &[("taken.wav", Track::Mixed)]);
    let RecordingNews::Failed { reason, .. } = news else { panic!("{news:?}") };
    assert!(reason.contains("taken.wav"), "{reason}");
    let news = scene.open(2, Input::Mono, &[("free.wav", Track::Mixed)]);
    assert!(matches!(news, RecordingNews::Opened { .. }));
}

#[test]
fn samples_that_come_after_the_wish_to_end_are_waited_for() {
    let mut scene = Scene::new("last");
    let RecordingNews::Opened { mut sink, .. } =
        scene.open(1, Input::Mono, &[("x.wav", Track::Mixed)])
    else {
        panic!("it opens");
    };
    let (trim, fate) = (Duration::ZERO, Fate::Kept);
    let id = RecordingId::new(1);
    assert!(scene.recorder.request(RecordingRequest::Close { id, trim, fate }).is_none());
    for sample in 0..4000 {
        sink.push(sample).unwrap();
    }
    drop(sink);
    assert!(matches!(scene.news.blocking_recv(), Some(RecordingNews::Closed { .. })));
    assert_eq!(scene.samples("x.wav").len(), 4000);
}

#[test]
fn a_stop_completes_what_is_being_written() {
    let mut scene = Scene::new("stop");
    let RecordingNews::Opened { mut sink, .. } =
        scene.open(1, Input::Mono, &[("x.wav", Track::Mixed)])
    else {
        panic!("it opens");
    };
    sink.push(5).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.recorder.stop());
    assert_eq!(scene.samples("x.wav"), [5]);
    // Whoever asks afterwards is told, and waits for nothing.
    let (id, trim, fate) = (RecordingId::new(1), Duration::ZERO, Fate::Kept);
    while scene.recorder.request(RecordingRequest::Close { id, trim, fate }).is_none() {}
}

#[test]
fn loudness_changes_by_steps_of_two_and_never_wraps() {
    assert_eq!(amplified(1000, 2), 4000);
    assert_eq!(amplified(-1000, -3), -125);
    assert_eq!((amplified(30_000, 4), amplified(-30_000, 1)), (i16::MAX, i16::MIN));
    assert_eq!(amplified(123, 0), 123);
}
