//! Conferences with a master: who the master is, who takes part, and what the house does for them.
//!
//! Here is what is fixed of a room. `VideoShare()` finds out who a caller is; who is called when,
//! and how a conference ends, is the engine's business.

use std::{fmt, sync::Arc, time::Duration};

use bstr::{BStr, BString};

use crate::operation::Digit;

/// All rooms, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Rooms {
    rooms: Vec<Arc<Room>>,
}

impl Rooms {
    /// Adds a room; one of the same name is replaced.
    pub fn insert(&mut self, room: Room) {
        self.rooms.retain(|other| !other.name.eq_ignore_ascii_case(&room.name));
        self.rooms.push(Arc::new(room));
    }

    /// The room of a name, in any letter case.
    #[must_use]
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Room>> {
        self.rooms.iter().find(|room| room.name.eq_ignore_ascii_case(name))
    }

    /// The room that is dialled so.
    #[must_use]
    pub fn numbered(&self, number: &[u8]) -> Option<&Arc<Room>> {
        let is_its = |room: &&Arc<Room>| room.number.as_ref().is_some_and(|its| its == number);
        self.rooms.iter().find(is_its)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Room>> {
        self.rooms.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}

/// A room as `videoshare.conf` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The section's name.
    pub name: BString,
    /// What is dialled to come in.
    pub number: Option<BString>,
    /// Who is called: the master first, then the participants in order.
    pub people: Vec<Person>,
    /// Who is let in beside them.
    pub guests: Guests,
    /// What guests are.
    pub guest_role: Role,
    /// Whether a known number has to enter the PIN, too.
    pub pin: PinRule,
    /// How people are called.
    pub calling: Calling,
    /// What an invited one is asked.
    pub invitation: Invitation,
    /// Bounds.
    pub limits: Limits,
    /// What the master's leaving means.
    pub ending: Ending,
    /// Music for those who wait; `None` is the channel's class.
    pub music: Option<BString>,
    /// What is said.
    pub sounds: Sounds,
    /// Whether newcomers hear how many there are.
    pub announces_count: bool,
    /// Whether the conference is recorded from its beginning.
    pub records: bool,
    /// The bridge profile of `confbridge.conf` it is made from; `None` is the default one.
    pub bridge_profile: Option<BString>,
    /// Where it is mixed when that is not here.
    pub media_server: Option<MediaServer>,
    /// Where its report is written; `.json`, or a table of commas with any other ending.
    pub report: Option<BString>,
}

impl Room {
    /// A room of this name and master, with nobody else.
    pub fn new(name: impl Into<BString>, master: Person) -> Self {
        Self {
            name: name.into(),
            number: None,
            people: vec![master],
            guests: Guests::default(),
            guest_role: Role::Speaker,
            pin: PinRule::default(),
            calling: Calling::default(),
            invitation: Invitation::default(),
            limits: Limits::default(),
            ending: Ending::default(),
            music: None,
            sounds: Sounds::default(),
            announces_count: true,
            records: false,
            bridge_profile: None,
            media_server: None,
            report: None,
        }
    }

    /// Who has this number; `same` says how many digits from the end have to agree.
    #[must_use]
    pub fn by_number(&self, number: &[u8], same: Option<usize>) -> Option<usize> {
        let exact = self.people.iter().position(|it| it.number == number);
        exact.or_else(|| {
            let tail = tail(number, same?)?;
            let mut found =
                self.people.iter().enumerate().filter(|(_, it)| {
                    same.and_then(|same| self::tail(&it.number, same)) == Some(tail)
                });
            // Two with the same end are none of them.
            let (index, _) = found.next()?;
            found.next().is_none().then_some(index)
        })
    }

    /// Whose PIN this is.
    #[must_use]
    pub fn by_pin(&self, typed: &[u8]) -> Option<Who> {
        let is_his = |it: &Person| it.pin.as_ref().is_some_and(|pin| pin.is(typed));
        let known = self.people.iter().position(is_his).map(Who::Known);
        known.or_else(|| match &self.guests {
            Guests::WithPin(pin) if pin.is(typed) => Some(Who::Guest),
            _ => None,
        })
    }

    /// Whether any PIN leads in.
    #[must_use]
    pub fn has_pins(&self) -> bool {
        matches!(self.guests, Guests::WithPin(_)) || self.people.iter().any(|it| it.pin.is_some())
    }

    /// Who a caller is by his number alone.
    #[must_use]
    pub fn recognise(&self, number: &[u8], same: Option<usize>) -> Recognised {
        let known = self.by_number(number, same).map(|index| (index, &self.people[index]));
        match known {
            Some((index, person)) if person.way.comes_in() => match (self.pin, &person.pin) {
                (PinRule::Always, Some(_)) => Recognised::NeedsPin,
                _ => Recognised::As(Who::Known(index)),
            },
            _ if self.guests == Guests::Anyone => match self.pin {
                PinRule::Always if self.has_pins() => Recognised::NeedsPin,
                _ => Recognised::As(Who::Guest),
            },
            _ if self.has_pins() => Recognised::NeedsPin,
            _ => Recognised::Nobody,
        }
    }
}

/// The last digits of a number that has as many.
fn tail(number: &[u8], digits: usize) -> Option<&[u8]> {
    let start = number.len().checked_sub(digits).filter(|_| digits > 0)?;
    number[start..].iter().all(u8::is_ascii_digit).then(|| &number[start..])
}

/// What a number says about who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognised {
    /// This one.
    As(Who),
    /// Nobody yet: a PIN may tell.
    NeedsPin,
    /// Nobody who is let in.
    Nobody,
}

/// Who somebody is to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One of [`Room::people`], or of those invited since; 0 is the master.
    Known(usize),
    /// Somebody else who is let in.
    Guest,
}

/// Somebody whom a room knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number he calls from and is called at.
    pub number: BString,
    /// For lists and reports.
    pub name: BString,
    /// Whether he is heard.
    pub role: Role,
    /// By which he is known from any telephone.
    pub pin: Option<Pin>,
    /// Who calls whom.
    pub way: Way,
}

impl Person {
    /// One who speaks, and is called or calls.
    pub fn new(number: impl Into<BString>) -> Self {
        Self {
            number: number.into(),
            name: BString::default(),
            role: Role::Speaker,
            pin: None,
            way: Way::Either,
        }
    }
}

/// Whether somebody is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Speaks and hears.
    #[default]
    Speaker,
    /// Hears; an operator may let him speak.
    Listener,
}

impl Role {
    /// As files have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::Listener => "listener",
        }
    }
}

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// He calls, and is never called by the house.
    In,
    /// He is called; his own calls are not known by their number.
    Out,
    /// He is called and may call.
    #[default]
    Either,
}

impl Way {
    /// Whether he may come by himself.
    #[must_use]
    pub const fn comes_in(self) -> bool {
        matches!(self, Self::In | Self::Either)
    }

    /// Whether he is called.
    #[must_use]
    pub const fn is_called(self) -> bool {
        matches!(self, Self::Out | Self::Either)
    }
}

/// Digits that nobody is to read in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(BString);

impl Pin {
    /// One of at most [`Pin::LONGEST`] digits; `None`: it is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        (fits && text.iter().all(u8::is_ascii_digit)).then(|| Self(text.into()))
    }

    /// Whether this is it; takes as long whether it is or not.
    #[must_use]
    pub fn is(&self, typed: &[u8]) -> bool {
        let differ = self.0.iter().zip(typed).fold(0, |differ, (a, b)| differ | (a ^ b));
        self.0.len() == typed.len() && differ == 0
    }

    /// Digits of a PIN, at most.
    pub const LONGEST: usize = 12;
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Who is let in beside those who are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Guests {
    /// Nobody.
    #[default]
    Nobody,
    /// Whoever knows these digits.
    WithPin(Pin),
    /// Whoever calls.
    Anyone,
}

/// When a PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PinRule {
    /// Of those whose number says nothing.
    #[default]
    Unknown,
    /// Of everybody who has one.
    Always,
}

/// How people are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calling {
    /// `${NUMBER}` stands for whom: `PJSIP/${NUMBER}@trunk`, `Local/${NUMBER}@office`.
    pub dial: Option<BString>,
    /// The pool of robots they are called from.
    pub pool: Option<BString>,
    /// The number that is shown to them; `None`: the room's.
    pub caller: Option<BString>,
    /// When those of the list are called.
    pub when: When,
    /// How long it may ring.
    pub ring: Duration,
    /// How often one who was not reached is called again.
    pub retries: u32,
    /// How long is waited before that.
    pub retry_delay: Duration,
    /// After what that happens.
    pub retry_on: Vec<Unreached>,
}

impl Default for Calling {
    /// Half a minute of ringing, two more tries a minute apart.
    fn default() -> Self {
        Self {
            dial: None,
            pool: None,
            caller: None,
            when: When::default(),
            ring: Duration::from_secs(30),
            retries: 2,
            retry_delay: Duration::from_secs(60),
            // All robots may be busy, too.
            retry_on: vec![Unreached::Busy, Unreached::NoAnswer, Unreached::Failed],
        }
    }
}

/// When those of the list are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// As soon as the master is there.
    #[default]
    Master,
    /// As soon as anybody is there, or the conference is started by a command.
    Start,
    /// When the master or an operator says so.
    Asked,
}

/// Why somebody was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// Busy.
    Busy,
    /// It rang in vain.
    NoAnswer,
    /// The call could not be made.
    Failed,
    /// Somebody, or a machine, answered and did not accept.
    NotAccepted,
}

impl Unreached {
    /// Its name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "noanswer",
            Self::Failed => "failed",
            Self::NotAccepted => "notaccepted",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Busy, Self::NoAnswer, Self::Failed, Self::NotAccepted];
}

/// What an invited one is asked: a machine that answers does not press a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The key that accepts; `None`: whoever answers is in.
    pub accept: Option<Digit>,
    /// The key that declines.
    pub refuse: Option<Digit>,
    /// How often he is asked.
    pub times: u32,
    /// How long is waited behind each.
    pub wait: Duration,
}

impl Default for Invitation {
    /// 1 accepts, 2 declines; three times, five seconds behind each.
    fn default() -> Self {
        Self {
            accept: Digit::new(b'1'),
            refuse: Digit::new(b'2'),
            times: 3,
            wait: Duration::from_secs(5),
        }
    }
}

/// Bounds of a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// People at once, the master included; `None` is none of its own.
    pub people: Option<usize>,
    /// How long it may last.
    pub duration: Option<Duration>,
    /// How long participants wait for the master.
    pub wait: Option<Duration>,
}

impl Default for Limits {
    /// The master is waited for ten minutes.
    fn default() -> Self {
        Self { people: None, duration: None, wait: Some(Duration::from_secs(600)) }
    }
}

/// What the master's leaving means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The conference ends when the master has been gone for so long.
    WithMaster {
        /// How long.
        grace: Duration,
    },
    /// It goes on until the last one leaves.
    WithLast,
}

impl Default for Ending {
    fn default() -> Self {
        Self::WithMaster { grace: Duration::ZERO }
    }
}

/// What is said, as `a&b`; empty is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sounds {
    /// To whom is invited.
    pub invitation: BString,
    /// To whom has to enter a PIN.
    pub get_pin: BString,
    /// Whose PIN is wrong.
    pub wrong_pin: BString,
    /// To whom is not let in.
    pub not_invited: BString,
    /// To whom finds no place.
    pub full: BString,
    /// To those who wait and hear that the master did not come.
    pub no_master: BString,
    /// To all, at an end that is not the master's leaving.
    pub ended: BString,
    /// To whom the media server is out of reach.
    pub no_server: BString,
    /// To the master, who is to enter a number and `#`.
    pub get_number: BString,
    /// To the master: the call is being made.
    pub calling: BString,
    /// To the master: that is not possible.
    pub refused: BString,
    /// What the room itself says: `joined`, `left`, ... by the names of `confbridge.conf`.
    pub room: Vec<(&'static str, BString)>,
}

impl Default for Sounds {
    fn default() -> Self {
        Self {
            invitation: "conf-invited".into(),
            get_pin: "conf-getpin".into(),
            wrong_pin: "conf-invalidpin".into(),
            not_invited: "conf-invalid".into(),
            full: "conf-full".into(),
            no_master: "conf-noleader".into(),
            ended: "conf-ended".into(),
            no_server: "conf-unreachable".into(),
            get_number: "conf-getnumber".into(),
            calling: "conf-calling".into(),
            refused: "conf-errormenu".into(),
            room: Vec::new(),
        }
    }
}

/// Where a room is mixed when that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaServer {
    /// The address without the user part, which is the room's number or name: `sip:host:8201`.
    pub address: BString,
    /// The endpoint of `pjsip.conf` as which it is called.
    pub endpoint: BString,
    /// What is done when it does not answer.
    pub fallback: Fallback,
}

impl MediaServer {
    /// What is dialled there for a room, behind `PJSIP/`.
    #[must_use]
    pub fn resource(&self, room: &Room) -> BString {
        let user = room.number.as_ref().unwrap_or(&room.name);
        let (scheme, rest) = match self.address.iter().position(|byte| *byte == b':') {
            Some(at) => self.address.split_at(at + 1),
            None => (&b"sip:"[..], self.address.as_slice()),
        };
        let parts: [&[u8]; 6] = [&self.endpoint, b"/", scheme, user, b"@", rest];
        parts.concat().into()
    }
}

/// What is done when the media server does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// It is said so.
    #[default]
    None,
    /// The room is mixed here.
    Local,
}

/// What the dialplan asks of the engine for a caller in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The room's name.
    pub room: BString,
    /// Who he is.
    pub who: Who,
    /// What he wants.
    pub step: Step,
}

/// What a caller wants of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To come in: [`End`] at the end of the stay.
    Join,
    /// The media server did not answer him: as [`Step::Join`], here.
    JoinHere,
    /// The media server did not answer him, and that is all.
    Unserved,
    /// He left the media server.
    Left,
    /// He was called and declined.
    Refuse,
    /// He was called and nobody pressed a key.
    Ignore,
}

/// How a stay in a room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is no such room, or no media.
    Failed,
    /// As many are there as may be.
    Full,
    /// The room is locked.
    Locked,
    /// The caller is not one whom the room expects.
    NotInvited,
    /// The caller hung up.
    Hangup,
    /// The caller left by a key.
    Left,
    /// The master or an operator sent him away.
    Kicked,
    /// The master left.
    MasterLeft,
    /// The master did not come.
    NoMaster,
    /// The conference lasted as long as it may.
    TimeIsUp,
    /// The master or an operator ended it.
    Ended,
    /// The media server does not answer.
    NoServer,
    /// He is to be sent to the media server now.
    GoToServer,
    /// There is nothing more to do: of [`Step::Left`], [`Step::Refuse`], [`Step::Ignore`].
    Noted,
}

impl End {
    /// VIDEOSHARESTATUS.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Full => "FULL",
            Self::Locked => "LOCKED",
            Self::NotInvited => "NOTINVITED",
            Self::Hangup => "HANGUP",
            Self::Left | Self::Noted | Self::GoToServer => "LEFT",
            Self::Kicked => "KICKED",
            Self::MasterLeft => "MASTERLEFT",
            Self::NoMaster => "NOMASTER",
            Self::NoServer => "NOSERVER",
            Self::TimeIsUp => "TIMEOUT",
            Self::Ended => "ENDED",
        }
    }
}

/// Whom a number names in a call string: digits, letters and what numbers hold beside them; `None`:
/// it is no number.
#[must_use]
pub fn number(text: &[u8]) -> Option<&BStr> {
    let fits = (1..=LONGEST_NUMBER).contains(&text.len());
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+*#._-".contains(byte);
    (fits && text.iter().all(is_plain)).then(|| BStr::new(text))
}

/// Bytes of a number, at most.
pub const LONGEST_NUMBER: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        let mut room =
            Room::new("board", Person { pin: Pin::parse(b"4711"), ..Person::new("1001") });
        room.people.push(Person::new("1002"));
        room.people.push(Person { way: Way::Out, ..Person::new("0155171889") });
        room
    }

    #[test]
    fn cnf_1_a_caller_is_known_by_number_or_pin() {
        let mut room = room();
        assert_eq!(room.recognise(b"1001", None), Recognised::As(Who::Known(0)));
        assert_eq!(room.recognise(b"1002", None), Recognised::As(Who::Known(1)));
        assert_eq!(room.recognise(b"1003", None), Recognised::NeedsPin);
        assert_eq!(room.by_pin(b"4711"), Some(Who::Known(0)));
        assert_eq!([room.by_pin(b"4712"), room.by_pin(b""), room.by_pin(b"47110")], [None; 3]);
        // One who is only called is not known by a number that anybody may show.
        assert_eq!(room.recognise(b"0155171889", None), Recognised::NeedsPin);
        room.pin = PinRule::Always;
        assert_eq!(room.recognise(b"1001", None), Recognised::NeedsPin);
        room.people[0].pin = None;
        assert_eq!(room.recognise(b"1003", None), Recognised::Nobody);
        room.guests = Guests::Anyone;
        assert_eq!(room.recognise(b"1003", None), Recognised::As(Who::Guest));
    }

    #[test]
    fn the_ends_of_numbers_are_compared_when_the_plan_says_how_long_they_are() {
        let room = room();
        assert_eq!(room.by_number(b"+33155171889", Some(9)), Some(2));
        assert_eq!(room.by_number(b"+33155171889", None), None);
        assert_eq!(room.by_number(b"171889", Some(9)), None);
        let mut twice = room;
        twice.people.push(Person::new("0255171889"));
        assert_eq!(twice.by_number(b"+33955171889", Some(8)), None, "it could be either");
    }

    #[test]
    fn the_media_server_is_asked_for_the_room() {
        let mut room = room();
        let server = |address: &str| MediaServer {
            address: address.into(),
            endpoint: "media".into(),
            fallback: Fallback::None,
        };
        assert_eq!(server("sip:mix:8201").resource(&room), "media/sip:board@mix:8201");
        room.number = Some("8200".into());
        assert_eq!(server("sips:mix").resource(&room), "media/sips:8200@mix");
    }

    #[test]
    fn a_pin_is_never_shown() {
        assert_eq!(format!("{:?}", room().people[0].pin), "Some(Pin(..))");
        assert!(Pin::parse(b"12a").is_none() && Pin::parse(b"").is_none());
    }
}
