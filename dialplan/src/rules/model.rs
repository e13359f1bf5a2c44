//! One rule: when it holds, and where it sends a call.

use bstr::{BStr, BString, ByteSlice};

use super::dialling::written_number;
use super::{Presence, plain_number};
use crate::pattern;

/// One forwarding rule of a user. Rules are asked by their numbers, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number, which is its priority.
    pub number: u32,
    /// What it is called, where it has a name.
    pub name: BString,
    /// Who wrote it.
    pub owner: Owner,
    /// Whether it is asked at all.
    pub active: bool,
    /// Whether the user may switch and redirect it, though an administrator wrote it.
    pub editable: bool,
    /// Who calls.
    pub origin: Origin,
    /// How present the user is; `None` is in any way.
    pub presence: Option<Presence>,
    /// What the telephone did.
    pub moment: Moment,
    /// A schedule that has to be open.
    pub schedule: Option<BString>,
    /// Callers, as numbers or patterns; without one all.
    pub callers: Vec<BString>,
    /// What the caller hears first, as `Playback` takes it.
    pub announcement: Option<BString>,
    /// Where the call goes.
    pub target: Target,
}

/// Who wrote a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// An administrator, in the configuration.
    Admin,
    /// The user.
    User,
}

impl Owner {
    /// `admin` or `user`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }
}

/// On which side of the telephone system a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Somewhere in the world.
    External,
    /// Here.
    Internal,
}

impl Side {
    /// `external` or `internal`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Internal => "internal",
        }
    }
}

/// Whose calls a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// Everybody's.
    #[default]
    All,
    /// Those from outside.
    External,
    /// Those from inside.
    Internal,
}

impl Origin {
    const WORDS: [(Self, &'static str); 3] =
        [(Self::All, "all"), (Self::External, "external"), (Self::Internal, "internal")];

    /// The origin of a word, in any letter case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        of_word(&Self::WORDS, word)
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Whether callers of a side are meant.
    #[must_use]
    pub const fn holds(self, side: Side) -> bool {
        match self {
            Self::All => true,
            Self::External => matches!(side, Side::External),
            Self::Internal => matches!(side, Side::Internal),
        }
    }
}

/// What the telephone did when a call is to be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Moment {
    /// It was not asked.
    #[default]
    Immediate,
    /// It was busy.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Immediate, Self::Busy, Self::NoAnswer];

    const WORDS: [(Self, &'static str); 3] =
        [(Self::Immediate, "immediate"), (Self::Busy, "busy"), (Self::NoAnswer, "noanswer")];

    /// The moment of a word, in any letter case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        of_word(&Self::WORDS, word)
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

/// Where a rule sends a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a number, without what people write between its digits but for parentheses; see
    /// [`Rulebook::dialled`](super::Rulebook::dialled).
    Number(BString),
    /// Into the dialplan: `Goto(context,extension,priority)`, of a voice mail for example.
    Goto(BString),
    /// Nowhere: it ends.
    Hangup,
}

impl Target {
    /// Reads a number, `Goto(place)` or `Hangup()`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let is =
            |name: &[u8]| text.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
        if is(b"goto(") {
            let place = text[5..].strip_suffix(b")")?;
            return (!place.is_empty()).then(|| Self::Goto(place.into()));
        }
        if text.eq_ignore_ascii_case(b"hangup()") || text.eq_ignore_ascii_case(b"hangup") {
            return Some(Self::Hangup);
        }
        written_number(BStr::new(text)).map(Self::Number)
    }

    /// As it is written.
    #[must_use]
    pub fn write(&self) -> BString {
        match self {
            Self::Number(number) => number.clone(),
            Self::Goto(place) => format!("Goto({place})").into(),
            Self::Hangup => "Hangup()".into(),
        }
    }
}

impl Rule {
    /// The names of what can be set.
    pub const FIELDS: [&'static str; 9] = [
        "active",
        "editable",
        "origin",
        "presence",
        "forward",
        "schedule",
        "caller",
        "announcement",
        "target",
    ];

    /// Whether it is about callers like this one.
    #[must_use]
    pub fn is_about(&self, caller: &[u8]) -> bool {
        let caller = plain_number(caller);
        let is_meant = |it: &BString| pattern::matches(it.as_bstr(), caller.as_bstr());
        self.callers.is_empty() || self.callers.iter().any(is_meant)
    }

    /// A field as it is written; `None` when there is no such field.
    #[must_use]
    pub fn field(&self, name: &[u8]) -> Option<BString> {
        let yes_no = |value| BString::from(if value { "yes" } else { "no" });
        Some(match name.to_ascii_lowercase().as_slice() {
            b"active" => yes_no(self.active),
            b"editable" => yes_no(self.editable),
            b"origin" => self.origin.as_str().into(),
            b"presence" => self.presence.map_or("any", Presence::as_str).into(),
            b"forward" => self.moment.as_str().into(),
            b"schedule" => self.schedule.clone().unwrap_or_default(),
            b"caller" => bstr::join(",", &self.callers).into(),
            b"announcement" => self.announcement.clone().unwrap_or_default(),
            b"target" => self.target.write(),
            b"owner" => self.owner.as_str().into(),
            b"name" => self.name.clone(),
            b"number" | b"priority" => self.number.to_string().into(),
            _ => return None,
        })
    }

    /// As the store keeps it: `field=value;field=value`.
    #[must_use]
    pub fn write(&self) -> BString {
        let field = |name: &&str| {
            let value = self.field(name.as_bytes()).filter(|value| !value.is_empty())?;
            Some([name.as_bytes(), b"=", &value].concat())
        };
        let fields: Vec<_> = Self::FIELDS.iter().filter_map(field).collect();
        fields.join(&b';').into()
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// What can not be read, and a missing target.
    pub fn parse(number: u32, owner: Owner, text: &[u8]) -> Result<Self, RuleError> {
        let mut draft = Draft::new(number, owner);
        for pair in text.split_str(";").filter(|pair| !pair.trim_ascii().is_empty()) {
            let (name, value) = pair.split_once_str("=").ok_or(RuleError::Form)?;
            draft.set(name.trim_ascii(), value.trim_ascii())?;
        }
        draft.finish()
    }

    /// The same with another value of a field.
    ///
    /// # Errors
    /// A field that does not exist, or a value that it can not take.
    pub fn with(&self, name: &[u8], value: &[u8]) -> Result<Self, RuleError> {
        let mut draft = Draft { rule: self.clone(), has_target: true };
        draft.set(name, value)?;
        draft.finish()
    }
}

/// A rule that is being written down.
#[derive(Debug, Clone)]
pub struct Draft {
    rule: Rule,
    has_target: bool,
}

impl Draft {
    /// One that is active, at once, for everybody.
    #[must_use]
    pub fn new(number: u32, owner: Owner) -> Self {
        let rule = Rule {
            number,
            name: BString::default(),
            owner,
            active: true,
            editable: owner == Owner::User,
            origin: Origin::All,
            presence: None,
            moment: Moment::Immediate,
            schedule: None,
            callers: vec![],
            announcement: None,
            target: Target::Hangup,
        };
        Self { rule, has_target: false }
    }

    /// Sets a field.
    ///
    /// # Errors
    /// A field that does not exist, or a value that it can not take.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), RuleError> {
        let rule = &mut self.rule;
        let expected = |what| Err(RuleError::Value(what));
        if value.len() > LONGEST_VALUE || value.iter().any(|b| *b < b' ' || *b == b';') {
            return expected("one line without semicolons");
        }
        let text = || Some(BString::from(value)).filter(|text| !text.is_empty());
        match name.to_ascii_lowercase().as_slice() {
            b"active" | b"editable" => {
                let Some(yes) = yes_no(value) else { return expected("yes or no") };
                if name.eq_ignore_ascii_case(b"active") {
                    rule.active = yes;
                } else if rule.owner == Owner::Admin {
                    rule.editable = yes;
                }
            }
            b"origin" => match Origin::parse(value) {
                Some(origin) => rule.origin = origin,
                None => return expected("all, external or internal"),
            },
            b"presence" if value.eq_ignore_ascii_case(b"any") => rule.presence = None,
            b"presence" => match Presence::parse(value) {
                Some(presence) => rule.presence = Some(presence),
                None => return expected("any, absent, busy, calendar, offline or online"),
            },
            b"forward" => match Moment::parse(value) {
                Some(moment) => rule.moment = moment,
                None => return expected("immediate, busy or noanswer"),
            },
            b"schedule" => rule.schedule = text(),
            b"announcement" => rule.announcement = text(),
            b"caller" => {
                let callers = value.split_str(",").map(<[u8]>::trim_ascii);
                let written = callers.filter(|it| !it.is_empty()).map(|it| match it[0] {
                    b'_' => BString::from(it),
                    _ => plain_number(it),
                });
                rule.callers = written.collect();
            }
            b"target" => match Target::parse(value) {
                Some(target) => (rule.target, self.has_target) = (target, true),
                None => {
                    return expected("a number, Goto(context,extension,priority) or Hangup()");
                }
            },
            b"name" => rule.name = value.into(),
            _ => return Err(RuleError::Unknown(String::from_utf8_lossy(name).into_owned())),
        }
        Ok(())
    }

    /// The rule.
    ///
    /// # Errors
    /// It has no target.
    pub fn finish(self) -> Result<Rule, RuleError> {
        self.has_target.then_some(self.rule).ok_or(RuleError::NoTarget)
    }
}

/// Why something is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A value is not of the form that its field needs.
    #[error("expected {0}")]
    Value(&'static str),
    /// There is no such field.
    #[error(
        "a rule has no field `{0}`; there are active, editable, origin, presence, forward, schedule, caller, announcement and target"
    )]
    Unknown(String),
    /// It does not say where a call goes.
    #[error("a rule needs a target: a number, Goto(context,extension,priority) or Hangup()")]
    NoTarget,
    /// Something other than `field=value`.
    #[error("expected field=value")]
    Form,
}

fn yes_no(value: &[u8]) -> Option<bool> {
    let value = BStr::new(value);
    crate::conf::is_true(value)
        .then_some(true)
        .or_else(|| crate::conf::is_false(value).then_some(false))
}

/// The value of a word, in any letter case.
pub(super) fn of_word<T: Copy>(words: &[(T, &str)], word: &[u8]) -> Option<T> {
    let is = |(_, known): &&(T, &str)| known.as_bytes().eq_ignore_ascii_case(word);
    words.iter().find(is).map(|(value, _)| *value)
}

/// The word of a value.
pub(super) fn word_of<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

/// Bytes of a field.
const LONGEST_VALUE: usize = 500;
