//! A room: its settings, and who a caller is to it.

use std::time::Duration;

use bstr::BString;

use super::{Calling, Invitation, MediaServer, Person, Pin, PinRule, Role, Sounds};

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

/// The last digits of a number that has as many.
fn tail(number: &[u8], digits: usize) -> Option<&[u8]> {
    let start = number.len().checked_sub(digits).filter(|_| digits > 0)?;
    number[start..].iter().all(u8::is_ascii_digit).then(|| &number[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::videoshare::Way;

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
}
