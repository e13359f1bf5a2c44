//! Who watches SIP messages as they come and go.
//!
//! While nobody watches, a message costs one look at an empty list. A watcher that does not read
//! loses messages, which are counted; the signalling thread never waits for one.

mod mask;
mod words;

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

use bstr::{BStr, BString, ByteSlice};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::clock;
use crate::{
    sip::{Flow, Transport},
    switch::Switch,
};
pub(crate) use mask::mask;
use words::Words;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// A message that somebody watched for.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    pub(crate) at: Timestamp,
    pub(crate) way: Way,
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) call_id: BString,
    pub(crate) bytes: Bytes,
    /// Messages before this one for which there was no room.
    pub(crate) lost: u64,
}

/// What somebody watches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Everything: `*`.
    All,
    /// What goes to or comes from an address, on one port or on all.
    Address(IpAddr, Option<u16>),
    /// A number, a name, `user@host`, or a Call-ID; with all messages of the calls that it is in.
    Word(BString),
}

impl Filter {
    /// Reads what an operator wrote: `*`, an address with or without a port, else a word.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        if matches!(text, "*" | "all") {
            return Self::All;
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Self::Address(address.ip().to_canonical(), Some(address.port()));
        }
        match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => Self::Address(address.to_canonical(), None),
            Err(_) => Self::Word(text.into()),
        }
    }
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    filter: Filter,
    /// The calls that the filter met, the latest last.
    calls: VecDeque<BString>,
    known: HashSet<BString>,
    queue: mpsc::Sender<Traced>,
    lost: u64,
}

impl Traces {
    /// Begins to watch, until the receiver is dropped; `None` when enough people do.
    pub(crate) fn watch(&mut self, filter: Filter) -> Option<mpsc::Receiver<Traced>> {
        self.watchers.retain(|watcher| !watcher.queue.is_closed());
        if self.watchers.len() >= MOST_WATCHERS {
            return None;
        }
        let (queue, messages) = mpsc::channel(QUEUE);
        let (calls, known) = (VecDeque::new(), HashSet::new());
        self.watchers.push(Watcher { filter, calls, known, queue, lost: 0 });
        Some(messages)
    }

    /// A message came or goes.
    pub(crate) fn note(&mut self, way: Way, flow: &Flow, bytes: &Bytes, switch: &Switch) {
        if !self.watchers.is_empty() {
            self.hand_out(way, flow, bytes, switch);
        }
    }

    #[cold]
    fn hand_out(&mut self, way: Way, flow: &Flow, bytes: &Bytes, switch: &Switch) {
        self.watchers.retain(|watcher| !watcher.queue.is_closed());
        // Keep-alives say nothing.
        if bytes.trim_ascii().is_empty() {
            return;
        }
        let words = Words::of(bytes);
        let related = || switch.related_call(words.call_id);
        for watcher in &mut self.watchers {
            if watcher.wants(flow, &words, related) {
                watcher.send(Traced {
                    at: clock::now().wall,
                    way,
                    transport: flow.transport,
                    local: flow.local,
                    peer: flow.peer,
                    call_id: words.call_id.into(),
                    bytes: bytes.clone(),
                    lost: 0,
                });
            }
        }
    }
}

impl Watcher {
    fn wants(
        &mut self,
        flow: &Flow,
        words: &Words<'_>,
        related: impl FnOnce() -> Option<BString>,
    ) -> bool {
        let word = match &self.filter {
            Filter::All => return true,
            Filter::Address(ip, port) => {
                let is_port = |address: SocketAddr| port.is_none_or(|port| address.port() == port);
                return flow.peer.ip().to_canonical() == *ip && is_port(flow.peer);
            }
            Filter::Word(word) => word,
        };
        if self.known.contains(words.call_id) {
            return true;
        }
        let is_wanted = words.call_id == word
            || words.names(word.as_bstr())
            // The other leg of a call that is watched, whoever it names.
            || (words.begins_call && related().is_some_and(|call| self.known.contains(&call)));
        if is_wanted {
            self.remember(words.call_id);
        }
        is_wanted
    }

    fn remember(&mut self, call: &BStr) {
        if call.is_empty() {
            return;
        }
        if self.calls.len() >= MOST_CALLS
            && let Some(oldest) = self.calls.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(call.into());
        self.calls.push_back(call.into());
    }

    fn send(&mut self, traced: Traced) {
        match self.queue.try_send(Traced { lost: self.lost, ..traced }) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += 1,
        }
    }
}

/// Messages that wait for a watcher; the next are lost.
const QUEUE: usize = 1024;
/// People who watch at a time.
const MOST_WATCHERS: usize = 8;
/// Calls of a number that are followed at a time.
const MOST_CALLS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::clocks,
        switch::{Seeds, SwitchConfig},
    };

    fn switch() -> Switch {
        let seeds = Seeds { entropy: 1, digest_key: [1; 32] };
        Switch::new(SwitchConfig::default(), &seeds, clocks())
    }

    fn flow(peer: &str) -> Flow {
        Flow::udp("127.0.0.1:5060".parse().unwrap(), peer.parse().unwrap())
    }

    fn message(start: &str, from: &str, to: &str, call_id: &str) -> Bytes {
        let text = format!(
            "{start}\r\nf: <sip:{from}@a>;tag=1\r\nTo: <sip:{to}@b>\r\nCall-ID: {call_id}\r\n\r\n"
        );
        text.into()
    }

    fn seen(of: &str, messages: &[(&str, Bytes)]) -> Vec<usize> {
        let (mut traces, switch) = (Traces::default(), switch());
        let mut watched = traces.watch(Filter::parse(of)).unwrap();
        for (peer, bytes) in messages {
            traces.note(Way::In, &flow(peer), bytes, &switch);
        }
        let received = std::iter::from_fn(|| watched.try_recv().ok());
        let position = |traced: Traced| messages.iter().position(|it| it.1 == traced.bytes);
        received.map(|traced| position(traced).unwrap()).collect()
    }

    #[test]
    fn a_number_is_met_in_all_messages_of_its_calls_and_nowhere_else() {
        let messages = [
            ("127.0.0.1:1", message("INVITE sip:2002@b SIP/2.0", "1001", "2002", "one")),
            ("127.0.0.1:1", message("SIP/2.0 200 OK", "x", "y", "one")),
            ("127.0.0.2:1", message("OPTIONS sip:10011@b SIP/2.0", "10012", "21001", "two")),
            ("127.0.0.2:2", message("REGISTER sip:b SIP/2.0", "2002", "2002", "three")),
            ("127.0.0.2:2", "\r\n\r\n".into()),
        ];
        assert_eq!(seen("1001", &messages), [0, 1]);
        assert_eq!(seen("2002", &messages), [0, 1, 3]);
        assert_eq!(seen("1001@a", &messages), [0, 1]);
        assert_eq!(seen("1001@b", &messages), [0; 0]);
        assert_eq!(seen("two", &messages), [2]);
        assert_eq!(seen("127.0.0.2", &messages), [2, 3]);
        assert_eq!(seen("127.0.0.2:2", &messages), [3]);
        assert_eq!(seen("*", &messages), [0, 1, 2, 3]);
    }

    #[test]
    fn who_does_not_read_loses_messages_and_is_told_how_many() {
        let (mut traces, switch) = (Traces::default(), switch());
        let mut watched = traces.watch(Filter::All).unwrap();
        let message = message("OPTIONS sip:b SIP/2.0", "1", "2", "one");
        for _ in 0..QUEUE + 10 {
            traces.note(Way::Out, &flow("127.0.0.1:1"), &message, &switch);
        }
        for _ in 0..QUEUE {
            assert_eq!(watched.try_recv().unwrap().lost, 0);
        }
        traces.note(Way::Out, &flow("127.0.0.1:1"), &message, &switch);
        assert_eq!(watched.try_recv().unwrap().lost, 10);
        drop(watched);
        traces.note(Way::Out, &flow("127.0.0.1:1"), &message, &switch);
        assert!(traces.watchers.is_empty(), "who is gone costs nothing any more");
    }

    #[test]
    fn there_is_room_for_a_few_and_calls_are_forgotten_before_memory_grows() {
        let (mut traces, switch) = (Traces::default(), switch());
        let watched: Vec<_> =
            std::iter::from_fn(|| traces.watch(Filter::parse("7"))).take(100).collect();
        assert_eq!(watched.len(), MOST_WATCHERS);
        for n in 0..2 * MOST_CALLS {
            let message = message("OPTIONS sip:7@b SIP/2.0", "1", "2", &format!("call-{n}"));
            traces.note(Way::In, &flow("127.0.0.1:1"), &message, &switch);
        }
        assert!(traces.watchers.iter().all(|it| it.known.len() == MOST_CALLS));
        assert!(traces.watchers.iter().all(|it| it.calls.len() == MOST_CALLS));
    }
}
