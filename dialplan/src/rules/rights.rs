//! What users may do: the `AuthorizedForward*` switches and their kin, per user, group and domain.

use bstr::BString;

use super::{Moment, Origin, Owner, Presence, Rule, Side};

/// What a user may do, all levels taken together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    forward: Cells,
    /// AuthorizeSimpleRules: may write, switch and redirect own rules.
    pub simple_rules: bool,
    /// DisplaySimpleRules: sees own rules.
    pub display: bool,
    /// IsUserAuthorizedToCreateWithAdminRules: own rules beside an administrator's.
    pub beside_admin: bool,
    /// AuthorizeShareRulesGroup: groups that see the first active rule.
    pub shared_with: Vec<BString>,
    /// AuthorizeSupervisionInformation: from when on those groups see the calls, too.
    pub supervision: Option<Supervision>,
    /// AuthorizeInterception: those groups may take the calls.
    pub interception: bool,
}

/// What one section says; what it leaves open, the wider one says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    allowed: Cells,
    denied: Cells,
    /// AuthorizeSimpleRules.
    pub simple_rules: Option<bool>,
    /// DisplaySimpleRules.
    pub display: Option<bool>,
    /// IsUserAuthorizedToCreateWithAdminRules.
    pub beside_admin: Option<bool>,
    /// AuthorizeShareRulesGroup.
    pub shared_with: Option<Vec<BString>>,
    /// AuthorizeSupervisionInformation.
    pub supervision: Option<Option<Supervision>>,
    /// AuthorizeInterception.
    pub interception: Option<bool>,
}

/// From when on a group sees the calls of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// As soon as they ring.
    FromRinging,
    /// Once somebody has answered.
    FromAnswer,
}

impl Supervision {
    /// Whether, and from when on: `no`, `yes` or `ringing`, `answered`, in any letter case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Option<Self>> {
        match word.to_ascii_lowercase().as_slice() {
            b"ringing" => Some(Some(Self::FromRinging)),
            b"answered" => Some(Some(Self::FromAnswer)),
            word if crate::conf::is_true(word) => Some(Some(Self::FromRinging)),
            word if crate::conf::is_false(word) => Some(None),
            _ => None,
        }
    }
}

/// Why somebody may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// AuthorizeSimpleRules is off.
    #[error("{0} may not change rules (AuthorizeSimpleRules)")]
    SimpleRules(BString),
    /// There are rules of an administrator.
    #[error(
        "{0} may have no own rules beside an administrator's (IsUserAuthorizedToCreateWithAdminRules)"
    )]
    BesideAdmin(BString),
    /// A switch of the matrix is off.
    #[error("{user} may not forward so ({switch})")]
    Forward {
        /// Who.
        user: BString,
        /// The switch that is off.
        switch: String,
    },
    /// An administrator wrote it.
    #[error("rule {0} is an administrator's, and not editable")]
    AdminRule(u32),
    /// It is somebody else's.
    #[error("{0} has no right to the rules of {1}")]
    Foreign(BString, BString),
    /// The user lets nobody see calls, or not this one.
    #[error("{0} may not see the calls of {1} ({2})")]
    Supervision(BString, BString, &'static str),
}

impl Rights {
    /// All levels together, the widest first.
    #[must_use]
    pub fn of<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Self {
        let mut rights = Self::default();
        for grant in grants {
            rights.forward = Cells(rights.forward.0 & !grant.denied.0 | grant.allowed.0);
            let take = |field: &mut bool, said: Option<bool>| *field = said.unwrap_or(*field);
            take(&mut rights.simple_rules, grant.simple_rules);
            take(&mut rights.display, grant.display);
            take(&mut rights.beside_admin, grant.beside_admin);
            rights.supervision = grant.supervision.unwrap_or(rights.supervision);
            take(&mut rights.interception, grant.interception);
            if let Some(groups) = &grant.shared_with {
                rights.shared_with.clone_from(groups);
            }
        }
        rights
    }

    /// The first switch that a rule needs and that is off.
    #[must_use]
    pub fn missing(&self, rule: &Rule) -> Option<String> {
        let needed = Cells::of(Some(rule.origin), rule.presence, Some(rule.moment));
        let lacking = needed.0 & !self.forward.0;
        (lacking != 0).then(|| Cells::name(lacking.trailing_zeros()))
    }

    /// Whether a rule of a user counts, beside so many of an administrator.
    ///
    /// # Errors
    /// Why it does not.
    pub fn permit(
        &self,
        user: &BString,
        rule: &Rule,
        has_admin_rules: bool,
    ) -> Result<(), Refusal> {
        if rule.owner == Owner::Admin {
            return Ok(());
        }
        if has_admin_rules && !self.beside_admin {
            return Err(Refusal::BesideAdmin(user.clone()));
        }
        match self.missing(rule) {
            Some(switch) => Err(Refusal::Forward { user: user.clone(), switch }),
            None => Ok(()),
        }
    }
}

impl Grant {
    /// Sets a switch `AuthorizedForward[Origin][Presence][Type]`; a part that is left out stands for
    /// all. `None` when the name is no switch.
    #[must_use]
    pub fn set_forward(&mut self, name: &[u8], yes: bool) -> Option<Switch> {
        let name = name.to_ascii_lowercase();
        let mut rest = name.strip_prefix(b"authorizedforward")?;
        let mut take = |words: &[&'static str]| {
            let found = words.iter().find(|word| rest.starts_with(word.as_bytes()))?;
            rest = &rest[found.len()..];
            Some(found.as_bytes())
        };
        let origin = take(&["all", "external", "internal"]).and_then(Origin::parse);
        let presence = take(&["absent", "busy", "calendar", "offline", "online"]);
        let moment = take(&["immediate", "busy", "noanswer"]).and_then(Moment::parse);
        if !rest.is_empty() {
            return None;
        }
        if presence == Some(b"busy") && moment.is_none() {
            return Some(Switch::Ambiguous);
        }
        let cells = Cells::of(origin, presence.and_then(Presence::parse), moment);
        let (on, off) = match yes {
            true => (&mut self.allowed, &mut self.denied),
            false => (&mut self.denied, &mut self.allowed),
        };
        on.0 |= cells.0;
        off.0 &= !cells.0;
        Some(Switch::Set)
    }
}

/// What came of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is set.
    Set,
    /// `Busy` may be the user's presence or what the telephone did.
    Ambiguous,
}

/// A set of (side, presence, moment).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cells(u32);

impl Cells {
    /// `None` stands for all.
    fn of(origin: Option<Origin>, presence: Option<Presence>, moment: Option<Moment>) -> Self {
        let mut cells = 0;
        for index in 0..COUNT {
            let (side, its_presence, its_moment) = Self::parts(index);
            let holds = origin.is_none_or(|it| it.holds(side))
                && presence.is_none_or(|it| it == its_presence)
                && moment.is_none_or(|it| it == its_moment);
            cells |= u32::from(holds) << index;
        }
        Self(cells)
    }

    fn parts(index: u32) -> (Side, Presence, Moment) {
        let index = index as usize;
        let side = if index < 15 { Side::External } else { Side::Internal };
        (side, Presence::ALL[index % 15 / 3], Moment::ALL[index % 3])
    }

    /// The switch of a cell.
    fn name(index: u32) -> String {
        let (side, presence, moment) = Self::parts(index.min(COUNT - 1));
        let capital = |word: &str| match word {
            "noanswer" => "NoAnswer".to_owned(),
            word => word[..1].to_ascii_uppercase() + &word[1..],
        };
        let [side, presence, moment] =
            [side.as_str(), presence.as_str(), moment.as_str()].map(capital);
        format!("AuthorizedForward{side}{presence}{moment}")
    }
}

/// Sides, presences and moments.
const COUNT: u32 = 2 * 5 * 3;
