//! Copies audio into a ring that another thread reads; never waits for it.

use super::{Codec, FRAME, RecordSource};

/// One recording in progress.
#[derive(Debug)]
pub(crate) struct Recorder {
    source: RecordSource,
    sink: rtrb::Producer<i16>,
    dropped: u64,
    /// What the peer said in this frame, until what it hears is known.
    heard: [i16; FRAME],
}

impl Recorder {
    pub(crate) fn new(source: RecordSource, sink: rtrb::Producer<i16>) -> Self {
        Self { source, sink, dropped: 0, heard: [0; FRAME] }
    }

    /// What it records.
    pub(crate) fn source(&self) -> RecordSource {
        self.source
    }

    /// Samples for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The reader is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.sink.is_abandoned()
    }

    /// Takes what the peer said.
    pub(crate) fn handle_heard(&mut self, frame: &[i16; FRAME]) {
        match self.source {
            RecordSource::Received => self.write(frame),
            RecordSource::Both => self.heard = *frame,
        }
    }

    /// Takes what the peer is sent in the same frame, after what it said.
    pub(crate) fn handle_sent(&mut self, codec: Codec, payload: Option<&[u8; FRAME]>) {
        if self.source == RecordSource::Received {
            return;
        }
        let mut both = [0; FRAME];
        if let Some(payload) = payload {
            codec.decode_into(payload, &mut both);
        }
        for (sample, &heard) in both.iter_mut().zip(&self.heard) {
            *sample = sample.saturating_add(heard);
        }
        self.write(&both);
    }

    /// Copies a frame, or drops it as a whole: half frames would shift what follows.
    pub(crate) fn write(&mut self, frame: &[i16; FRAME]) {
        let Ok(mut chunk) = self.sink.write_chunk(FRAME) else {
            self.dropped += FRAME as u64;
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let split = first.len();
        first.copy_from_slice(&frame[..split]);
        second.copy_from_slice(&frame[split..]);
        chunk.commit_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted() {
        let (sink, mut reader) = rtrb::RingBuffer::new(400);
        let mut recorder = Recorder::new(RecordSource::Received, sink);
        for _ in 0..3 {
            recorder.write(&[7; FRAME]);
        }
        assert_eq!((recorder.dropped(), reader.slots()), (160, 320));
        reader.read_chunk(320).unwrap().commit_all();
        recorder.write(&[9; FRAME]);
        assert!(reader.read_chunk(160).unwrap().into_iter().all(|sample| sample == 9));
        assert!(!recorder.is_abandoned());
        drop(reader);
        assert!(recorder.is_abandoned());
    }
}
