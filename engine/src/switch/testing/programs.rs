//! Programs without sockets: what was asked for is noted, and answered as one that listens would.

use crate::program::{NewProgram, ProgramEnd, ProgramId, ProgramNews, ProgramRequest};

/// All programs.
#[derive(Default)]
pub(in super::super) struct FakePrograms {
    /// Whether none can be reached.
    pub(in super::super) refuse: bool,
    /// Those that were asked for.
    pub(in super::super) begun: Vec<NewProgram>,
    /// Keys they were told of.
    pub(in super::super) keys: String,
    /// Those we left.
    pub(in super::super) left: Vec<ProgramId>,
    /// The other ends of the rings.
    rings: Vec<(rtrb::Consumer<i16>, Option<rtrb::Producer<i16>>)>,
}

impl FakePrograms {
    pub(super) fn take(&mut self, request: ProgramRequest) -> Option<ProgramNews> {
        match request {
            ProgramRequest::Connect(new) if self.refuse => {
                let end = ProgramEnd::Failed("nobody listens".into());
                Some(ProgramNews::Ended { id: new.id, end })
            }
            ProgramRequest::Connect(new) => {
                let (hears, heard) = rtrb::RingBuffer::new(1);
                let (said, says) = rtrb::RingBuffer::new(1);
                self.rings.push((heard, Some(said)));
                let id = new.id;
                self.begun.push(*new);
                Some(ProgramNews::Connected { id, hears, says: Some(says) })
            }
            ProgramRequest::Digit { digit, .. } => {
                self.keys.push(digit.as_char());
                None
            }
            ProgramRequest::Close { id } => {
                assert!(!self.left.contains(&id), "left twice");
                self.left.push(id);
                Some(ProgramNews::Ended { id, end: ProgramEnd::Us })
            }
        }
    }

    /// The latest program hangs up.
    pub(in super::super) fn hangup(&self) -> ProgramNews {
        let id = self.begun.last().expect("a program").id;
        ProgramNews::Ended { id, end: ProgramEnd::Program }
    }
}
