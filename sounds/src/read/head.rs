//! An input whose first bytes are kept: what tells one kind of file from another is looked at
//! again and again.

use std::io::{self, Read, Seek, SeekFrom};

use super::riff::up_to;

/// Seeking costs nothing here: the input is only moved when it is read elsewhere than where it is.
#[derive(Debug)]
pub(super) struct Head<R> {
    input: R,
    head: Vec<u8>,
    end: u64,
    /// Where the next bytes come from.
    at: u64,
    /// Where the input itself is.
    input_at: u64,
}

/// Bytes that are kept: more than any header has.
const KEPT: usize = 8 << 10;

impl<R: Read + Seek> Head<R> {
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let end = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let head = up_to(&mut input, KEPT)?;
        let input_at = head.len() as u64;
        Ok(Self { input, head, end, at: 0, input_at })
    }
}

impl<R: Read + Seek> Read for Head<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let kept = usize::try_from(self.at).ok().and_then(|at| self.head.get(at..));
        let len = match kept {
            Some(mut kept) if !kept.is_empty() => kept.read(bytes)?,
            _ => {
                if self.input_at != self.at {
                    self.input_at = self.input.seek(SeekFrom::Start(self.at))?;
                }
                let len = self.input.read(bytes)?;
                self.input_at += len as u64;
                len
            }
        };
        self.at += len as u64;
        Ok(len)
    }
}

impl<R> Seek for Head<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_reads_and_seeks_as_the_input_would(
            len in 0..20_000_usize,
            steps in prop::collection::vec((0..4_u8, -9_000..20_000_i64), 1..20),
        ) {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let mut plain = io::Cursor::new(&bytes);
            let mut head = Head::new(io::Cursor::new(&bytes)).unwrap();
            for (what, by) in steps {
                let to = match what {
                    0 => SeekFrom::Start(by.unsigned_abs()),
                    1 => SeekFrom::Current(by),
                    2 => SeekFrom::End(by),
                    _ => {
                        let (wanted, given) = (up_to(&mut plain, by.unsigned_abs() as usize), up_to(&mut head, by.unsigned_abs() as usize));
                        prop_assert_eq!(wanted.unwrap(), given.unwrap());
                        continue;
                    }
                };
                prop_assert_eq!(plain.seek(to).ok(), head.seek(to).ok());
            }
        }
    }
}
