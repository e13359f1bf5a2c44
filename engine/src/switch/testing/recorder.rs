//! Recordings without files: what was asked for is noted, and answered as a disk would.

use std::time::Duration;

use crate::recording::{
    Existing, Fate, NewRecording, RecordingId, RecordingNews, RecordingRequest,
};

/// The disk.
#[derive(Default)]
pub(in super::super) struct FakeRecorder {
    /// Whether files can not be created.
    pub(in super::super) refuses: bool,
    /// Recordings that were begun.
    pub(in super::super) begun: Vec<NewRecording>,
    /// Those that ended, with what was cut off.
    pub(in super::super) ended: Vec<(RecordingId, Duration, Fate)>,
    readers: Vec<rtrb::Consumer<i16>>,
}

impl FakeRecorder {
    pub(super) fn take(&mut self, request: RecordingRequest) -> Vec<RecordingNews> {
        match request {
            RecordingRequest::Open(new) if self.refuses => {
                vec![RecordingNews::Failed { id: new.id, reason: "the disk is full".into() }]
            }
            RecordingRequest::Open(new) => {
                let (sink, reader) = rtrb::RingBuffer::new(1);
                self.readers.push(reader);
                let is_numbered = new.files.iter().any(|it| it.existing == Existing::Numbered);
                let paths = new.files.iter().map(|file| file.path.clone()).collect();
                let id = new.id;
                self.begun.push(*new);
                vec![RecordingNews::Opened { id, sink, number: is_numbered.then_some(7), paths }]
            }
            RecordingRequest::Close { id, trim, fate } => {
                if !self.begun.iter().any(|new| new.id == id) {
                    return Vec::new();
                }
                assert!(!self.ended.iter().any(|(ended, ..)| *ended == id), "closed twice");
                self.ended.push((id, trim, fate));
                vec![RecordingNews::Closed { id, length: Duration::ZERO }]
            }
        }
    }

    /// The disk fails the latest recording.
    pub(in super::super) fn failure(&self) -> RecordingNews {
        let id = self.begun.last().expect("a recording").id;
        RecordingNews::Broken { id, reason: "the disk is full".into() }
    }
}
