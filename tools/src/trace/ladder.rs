//! Messages as a ladder: a column for each party, an arrow for each message, time downwards.
//!
//! A ladder is drawn when all calls in it have ended, so that both legs of a call are in one. What
//! belongs to no call is drawn when it is answered.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
};

use bstr::ByteSlice;
use diesis_engine::net::control::protocol::{Direction, SipMessage};
use jiff::tz::TimeZone;

use super::{clock, printable};

/// Messages until they are drawn.
#[derive(Debug)]
pub(super) struct Ladder {
    zone: TimeZone,
    steps: Vec<Step>,
    left_out: usize,
    /// What was seen, to know it again.
    seen: HashSet<u64>,
    /// The calls that have not ended.
    calls: HashMap<String, Stage>,
}

/// One arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    at: i64,
    direction: Direction,
    transport: String,
    local: SocketAddr,
    peer: SocketAddr,
    label: String,
    /// The number that the peer is known by here, if the message tells.
    number: Option<String>,
    /// It is the same as one before.
    is_again: bool,
}

/// How far along a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is being set up.
    Begun,
    /// It was answered.
    Up,
    /// It was challenged: a next attempt follows.
    Challenged,
    /// It was refused; its ACK is missing.
    Refused,
}

impl Ladder {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, steps: vec![], left_out: 0, seen: HashSet::new(), calls: HashMap::new() }
    }

    /// Takes a message; gives back a ladder when it is complete.
    pub(super) fn take(&mut self, message: SipMessage) -> Option<String> {
        let facts = Facts::of(message.content.as_bytes());
        let is_over = self.follow(&message, &facts);
        if self.steps.len() < MOST_STEPS {
            let is_again = !self.seen.insert(digest(&message));
            self.steps.push(step(&message, &facts, is_again));
        } else {
            self.left_out += 1;
        }
        (is_over && self.calls.values().all(|stage| *stage == Stage::Challenged))
            .then(|| self.finish())
            .flatten()
    }

    /// What there is so far, if anything.
    pub(super) fn finish(&mut self) -> Option<String> {
        let drawn = (!self.steps.is_empty()).then(|| self.draw());
        self.steps.clear();
        self.seen.clear();
        self.left_out = 0;
        self.calls.clear();
        drawn
    }

    /// Whether something ends with this message.
    fn follow(&mut self, message: &SipMessage, facts: &Facts) -> bool {
        let call = &message.call_id;
        let stage = self.calls.get(call).copied();
        let mut set = |stage| {
            if self.calls.len() < MOST_STEPS {
                self.calls.insert(call.clone(), stage);
            }
            false
        };
        match (facts.status, &*facts.method) {
            // Within a call that is up it changes nothing, whatever comes of it.
            (_, "INVITE") if stage == Some(Stage::Up) => false,
            (None, "INVITE") => set(Stage::Begun),
            (None, "ACK") if stage == Some(Stage::Refused) => self.calls.remove(call).is_some(),
            (None, _) | (Some(..200), _) => false,
            (Some(200..300), "INVITE") => set(Stage::Up),
            (Some(401 | 407), "INVITE") => set(Stage::Challenged),
            (Some(300..), "INVITE") => set(Stage::Refused),
            (Some(401 | 407), _) => false,
            (Some(_), "BYE") => self.calls.remove(call).is_some() || self.calls.is_empty(),
            (Some(_), "ACK" | "CANCEL") => false,
            // What stands alone is answered; within a call it is one step of many.
            (Some(_), _) => !self.calls.contains_key(call),
        }
    }

    fn draw(&self) -> String {
        let columns = Columns::of(&self.steps);
        let mut text = columns.heads();
        let mut begun = None;
        for step in &self.steps {
            let first = *begun.get_or_insert(step.at);
            let time = match first == step.at {
                true => clock(step.at, &self.zone),
                false => format!("+{:.3} s", (step.at - first) as f64 / 1e6),
            };
            let _ = writeln!(text, "{time:>TIME$} {}", columns.arrow(step));
        }
        if self.left_out > 0 {
            let _ = writeln!(text, "and {} more messages", self.left_out);
        }
        text
    }
}

/// What a message is, in short.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    method: String,
    /// `None` for a request.
    status: Option<u16>,
    reason: String,
    has_sdp: bool,
    from: Option<String>,
    to: Option<String>,
    event: Option<String>,
}

impl Facts {
    fn of(message: &[u8]) -> Self {
        let mut facts = Self::default();
        let (head, body) = message.split_once_str("\r\n\r\n").unwrap_or((message, b""));
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default();
        if let Some(response) = start.strip_prefix(b"SIP/2.0 ") {
            let (status, reason) = response.split_once_str(" ").unwrap_or((response, b""));
            facts.status = Some(status.to_str().ok().and_then(|it| it.parse().ok()).unwrap_or(0));
            facts.reason = printable(reason);
        } else {
            facts.method = printable(start.split_str(" ").next().unwrap_or_default());
        }
        for line in lines {
            let Some((name, value)) = line.split_once_str(":") else { continue };
            let value = value.trim_ascii();
            match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"cseq" if facts.method.is_empty() => {
                    facts.method = printable(value.split_str(" ").last().unwrap_or_default());
                }
                b"from" | b"f" => facts.from = user(value),
                b"to" | b"t" => facts.to = user(value),
                b"event" | b"o" => facts.event = Some(printable(value)),
                _ => {}
            }
        }
        facts.has_sdp = body.starts_with(b"v=0") || body.contains_str("\nm=");
        facts
    }

    fn label(&self) -> String {
        let mut label = match self.status {
            // Which request is answered is plain for INVITE, the method of nearly all.
            Some(status) if self.method == "INVITE" => format!("{status} {}", self.reason),
            Some(status) => format!("{status} {} ({})", self.reason, self.method),
            None => self.method.clone(),
        };
        if let (Some(event), None) = (&self.event, self.status) {
            let _ = write!(label, " {}", event.split(';').next().unwrap_or_default());
        }
        if self.has_sdp {
            label.push_str(" (SDP)");
        }
        label
    }
}

/// The same for what is sent again.
fn digest(message: &SipMessage) -> u64 {
    let mut digest = DefaultHasher::new();
    (message.direction as u8, message.peer, message.content.as_bytes()).hash(&mut digest);
    digest.finish()
}

fn step(message: &SipMessage, facts: &Facts, is_again: bool) -> Step {
    // The peer is who sends a request that comes, and who is meant by one that goes.
    let is_sender = (message.direction == Direction::In) == facts.status.is_none();
    Step {
        at: message.at,
        direction: message.direction,
        transport: message.transport.clone(),
        local: message.local,
        peer: message.peer,
        label: facts.label(),
        number: if is_sender { facts.from.clone() } else { facts.to.clone() },
        is_again,
    }
}

/// The user of a `sip:` or `tel:` URI in a header.
fn user(value: &[u8]) -> Option<String> {
    let start = ["sip:", "sips:", "tel:"].iter().filter_map(|it| Some(value.find(it)? + it.len()));
    let uri = &value[start.min()?..];
    let end = uri.find_byteset(b"@>;").unwrap_or(uri.len());
    let is_user = uri.get(end) == Some(&b'@') || value.contains_str("tel:");
    is_user.then(|| printable(&uri[..end]))
}

/// The parties, from left to right: who spoke first, Diesis, then the others.
struct Columns {
    peers: Vec<(SocketAddr, String)>,
    /// The transport and the address of ours that the first message names.
    own: (String, SocketAddr),
    width: usize,
}

impl Columns {
    fn of(steps: &[Step]) -> Self {
        let mut peers: Vec<(SocketAddr, String)> = vec![];
        for step in steps {
            let number = step.number.as_deref().unwrap_or_default();
            match peers.iter_mut().find(|(peer, _)| *peer == step.peer) {
                // Who rings is known better by a later message than by one without a user.
                Some((_, known)) if known.is_empty() => known.push_str(number),
                Some(_) => {}
                None => peers.push((step.peer, number.to_owned())),
            }
        }
        let first = steps.first().expect("a ladder has a step");
        let heads = peers.iter().map(|(peer, number)| peer.to_string().len().max(number.len()));
        let heads = heads.chain([first.local.to_string().len()]).max().unwrap_or_default() + 2;
        let mut columns = Self { peers, own: (first.transport.clone(), first.local), width: 0 };
        let arrows = steps.iter().map(|step| {
            let (left, right) = columns.ends(step);
            (text_of(step).chars().count() + 6).div_ceil((right - left).max(1))
        });
        columns.width = arrows.max().unwrap_or_default().max(heads).clamp(NARROWEST, WIDEST);
        columns
    }

    /// The column of Diesis: the second.
    const OWN: usize = 1;

    fn count(&self) -> usize {
        self.peers.len() + 1
    }

    fn column(&self, peer: SocketAddr) -> usize {
        let nth = self.peers.iter().position(|(known, _)| *known == peer).unwrap_or_default();
        if nth == 0 { 0 } else { nth + 1 }
    }

    /// The columns between which an arrow goes, the left one first.
    fn ends(&self, step: &Step) -> (usize, usize) {
        let column = self.column(step.peer);
        (column.min(Self::OWN), column.max(Self::OWN))
    }

    fn heads(&self) -> String {
        let mut names = vec![];
        let mut places = vec![];
        for (nth, (peer, number)) in self.peers.iter().enumerate() {
            names.push(number.clone());
            places.push(peer.to_string());
            if nth == 0 {
                names.push("Diesis".to_owned());
                places.push(format!("{} {}", self.own.0, self.own.1));
            }
        }
        let mut text = String::new();
        for row in [names, places] {
            let mut line = " ".repeat(TIME + 1);
            for cell in row {
                let cell: String = cell.chars().take(self.width - 1).collect();
                let _ = write!(line, "{cell:^width$}", width = self.width);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// A line of the ladder: the bars of all columns and one arrow.
    fn arrow(&self, step: &Step) -> String {
        let middle = self.width / 2;
        let mut line: Vec<char> = vec![' '; self.width * self.count()];
        let bar = |column: usize| column * self.width + middle;
        for column in 0..self.count() {
            line[bar(column)] = '\u{2502}';
        }
        let (left, right) = self.ends(step);
        let inner = bar(left) + 1..bar(right);
        line[inner.clone()].fill('\u{2500}');
        let is_rightwards = (step.direction == Direction::Out) == (self.column(step.peer) == right);
        match is_rightwards {
            true => line[inner.end - 1] = '\u{25b6}',
            false => line[inner.start] = '\u{25c0}',
        }
        let room = inner.len().saturating_sub(4);
        let mut label: Vec<char> = text_of(step).chars().collect();
        if label.len() > room {
            label.truncate(room.saturating_sub(1));
            label.push('\u{2026}');
        }
        let start = inner.start + (inner.len() - label.len()) / 2;
        line[start..start + label.len()].copy_from_slice(&label);
        let line: String = line.into_iter().collect();
        line.trim_end().to_owned()
    }
}

fn text_of(step: &Step) -> String {
    match step.is_again {
        true => format!(" {} again ", step.label),
        false => format!(" {} ", step.label),
    }
}

/// Columns of the time.
const TIME: usize = 15;
const NARROWEST: usize = 18;
/// Longer labels are cut.
const WIDEST: usize = 44;
/// Messages of one ladder.
const MOST_STEPS: usize = 10_000;

#[cfg(test)]
mod tests {
    use diesis_engine::net::control::protocol::Content;

    use super::*;

    const ALICE: &str = "127.0.0.1:5070";
    const BOB: &str = "192.0.2.9:5060";

    struct Story {
        ladder: Ladder,
        at: i64,
        drawn: Vec<String>,
    }

    impl Story {
        fn new() -> Self {
            Self { ladder: Ladder::new(TimeZone::UTC), at: 0, drawn: vec![] }
        }

        fn tell(&mut self, way: Direction, peer: &str, start: &str, cseq: &str, call: &str) {
            let sdp =
                if cseq.contains("INVITE") && !start.contains("100") { "v=0\r\n" } else { "" };
            let tag = if start.starts_with("BYE") { ";tag=2" } else { "" };
            let text = format!(
                "{start}\r\nFrom: <sip:1001@a>;tag=1\r\nTo: <sip:2002@b>{tag}\r\n\
                 Call-ID: {call}\r\nCSeq: {cseq}\r\n\r\n{sdp}"
            );
            self.at += 1_500;
            let message = SipMessage {
                at: self.at,
                direction: way,
                transport: "UDP".to_owned(),
                local: "127.0.0.1:5060".parse().unwrap(),
                peer: peer.parse().unwrap(),
                call_id: call.to_owned(),
                content: Content::Text(text),
                lost: 0,
            };
            self.drawn.extend(self.ladder.take(message));
        }
    }

    #[test]
    fn both_legs_of_a_call_are_drawn_when_both_have_ended() {
        use Direction::{In, Out};
        let mut story = Story::new();
        story.tell(In, ALICE, "INVITE sip:2002@b SIP/2.0", "1 INVITE", "a");
        story.tell(Out, ALICE, "SIP/2.0 100 Trying", "1 INVITE", "a");
        story.tell(Out, BOB, "INVITE sip:2002@b SIP/2.0", "7 INVITE", "b");
        story.tell(Out, BOB, "INVITE sip:2002@b SIP/2.0", "7 INVITE", "b");
        story.tell(In, BOB, "SIP/2.0 200 OK", "7 INVITE", "b");
        story.tell(Out, BOB, "ACK sip:2002@b SIP/2.0", "7 ACK", "b");
        story.tell(Out, ALICE, "SIP/2.0 200 OK", "1 INVITE", "a");
        story.tell(In, ALICE, "ACK sip:2002@b SIP/2.0", "1 ACK", "a");
        story.tell(In, ALICE, "BYE sip:2002@b SIP/2.0", "2 BYE", "a");
        story.tell(Out, ALICE, "SIP/2.0 200 OK", "2 BYE", "a");
        story.tell(Out, BOB, "BYE sip:2002@b SIP/2.0", "8 BYE", "b");
        assert_eq!(story.drawn, [""; 0]);
        story.tell(In, BOB, "SIP/2.0 200 OK", "8 BYE", "b");
        assert_eq!(story.drawn, [include_str!("ladder.txt")]);
        assert!(story.ladder.finish().is_none());
    }

    #[test]
    fn refusals_end_with_their_ack_and_challenges_do_not() {
        use Direction::{In, Out};
        let mut story = Story::new();
        story.tell(In, ALICE, "INVITE sip:2002@b SIP/2.0", "1 INVITE", "a");
        story.tell(Out, ALICE, "SIP/2.0 401 Unauthorized", "1 INVITE", "a");
        story.tell(In, ALICE, "ACK sip:2002@b SIP/2.0", "1 ACK", "a");
        assert!(story.drawn.is_empty());
        story.tell(In, ALICE, "INVITE sip:2002@b SIP/2.0", "2 INVITE", "a");
        story.tell(Out, ALICE, "SIP/2.0 486 Busy Here", "2 INVITE", "a");
        assert!(story.drawn.is_empty());
        story.tell(In, ALICE, "ACK sip:2002@b SIP/2.0", "2 ACK", "a");
        assert_eq!(story.drawn.len(), 1);
        story.tell(In, ALICE, "REGISTER sip:b SIP/2.0", "1 REGISTER", "c");
        story.tell(Out, ALICE, "SIP/2.0 200 OK", "1 REGISTER", "c");
        assert_eq!(story.drawn.len(), 2);
        assert!(story.drawn[1].contains(" 200 OK (REGISTER) "), "{}", story.drawn[1]);
    }

    #[test]
    fn noise_is_drawn_and_harmless() {
        let mut story = Story::new();
        story.tell(Direction::In, ALICE, "\u{202e}\x1b[2J", "", "");
        story.tell(Direction::In, "[::1]:9", "SIP/2.0", "x", "y");
        story.tell(Direction::In, ALICE, "SIP/2.0 999999 x", "INVITE", "y");
        let drawn = story.ladder.finish().unwrap();
        assert!(!drawn.contains('\x1b') && !drawn.contains('\u{202e}'), "{drawn}");
    }
}
