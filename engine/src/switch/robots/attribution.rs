//! For whom a call is that came to a robot: whoever's rule forwarded it there.
//!
//! Only calls are asked that the robot's own registrar sent: what others write into their headers is
//! never read here.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    channel::RobotCall,
    numbering::{self, Direction, NumberingPlan},
};

use crate::{
    config::{AttributedBy, Numbering, RobotRange, WhichDiverter},
    sip::Headers,
    switch::{
        diversions::{self, Diverter, reason_word},
        identity::Privacy,
    },
};

/// What a call is attributed by.
pub(super) struct Evidence<'a> {
    /// The headers of its INVITE.
    pub(super) headers: &'a Headers,
    /// The robot that it asks for.
    pub(super) dialled: &'a BStr,
    /// That robot's range.
    pub(super) range: &'a RobotRange,
    /// How numbers are read, when there is a numbering plan.
    pub(super) numbering: Option<&'a NumberingPlan>,
    /// Robots that pass calls to each other are no users.
    pub(super) is_robot: &'a dyn Fn(&BStr) -> bool,
}

impl Evidence<'_> {
    /// What is known of the call; without a user when nothing says for whom it is.
    pub(super) fn attribute(&self) -> RobotCall {
        let found = self.range.attribution.iter().find_map(|by| {
            let mut call = match by {
                AttributedBy::Diversion => self.diverted(diversions::of_diversion(self.headers)),
                AttributedBy::HistoryInfo => self.diverted(diversions::of_history(self.headers)),
                AttributedBy::To => self.asked_for(),
                AttributedBy::Mapping => self.mapped(),
            }?;
            call.by = by.name().into();
            Some(call)
        });
        RobotCall {
            dialled: self.dialled.into(),
            range: self.range.section.clone(),
            pool: self.range.pool.clone(),
            ..found.unwrap_or_default()
        }
    }

    /// `diverters` in their order.
    fn diverted(&self, diverters: Vec<Diverter>) -> Option<RobotCall> {
        let told = |diverter: &Diverter| {
            let number = diverter.party.number.clone().unwrap_or_default();
            self.is_user(number.as_ref()).then_some(number)
        };
        let mut users = diverters.into_iter().filter_map(|it| Some((told(&it)?, it)));
        let (first, counts) = match self.range.diverter {
            WhichDiverter::First => (None, users.next()?),
            WhichDiverter::Last => {
                let first = users.next()?;
                match users.next_back() {
                    Some(last) => (Some(first.0).filter(|first| *first != last.0), last),
                    None => (None, first),
                }
            }
        };
        let (told, Diverter { party, reason }) = counts;
        Some(RobotCall {
            user: self.read(&told),
            told,
            name: party.name.clone().unwrap_or_default(),
            reason: reason_word(&reason),
            first: first.unwrap_or_default(),
            is_private: Privacy::of(&party) == Privacy::Withheld,
            ..RobotCall::default()
        })
    }

    /// Whom the caller dialled, which To keeps (RFC 3261 §8.1.1.2).
    fn asked_for(&self) -> Option<RobotCall> {
        let to = self.headers.to_header()?;
        let told = diversions::number(to.uri());
        if told == self.dialled || !self.is_user(told.as_ref()) {
            return None;
        }
        let name = to.display_name().unwrap_or_default().into_owned().into();
        Some(RobotCall { user: self.read(&told), told, name, ..RobotCall::default() })
    }

    /// Whose robot it is, by the operator's word.
    fn mapped(&self) -> Option<RobotCall> {
        let user = self.range.users.get(self.dialled)?;
        Some(RobotCall { user: user.clone(), told: user.clone(), ..RobotCall::default() })
    }

    /// Whether it can be the number of somebody.
    fn is_user(&self, number: &BStr) -> bool {
        let is_nobody = ["anonymous", "unavailable", "restricted", "unknown"]
            .iter()
            .any(|it| number.eq_ignore_ascii_case(it.as_bytes()));
        (1..=MOST_BYTES).contains(&number.len())
            && number.to_str().is_ok_and(|text| !text.chars().any(char::is_control))
            && !is_nobody
            && !(self.is_robot)(number)
    }

    fn read(&self, told: &BString) -> BString {
        match (self.range.numbering, self.numbering) {
            (Numbering::Applied, Some(plan)) => {
                let read = numbering::read(plan, Direction::In, told.as_bstr());
                if read.is_empty() { told.clone() } else { read }
            }
            _ => told.clone(),
        }
    }
}

/// The longest number of a user.
const MOST_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use diesis_dialplan::numbering::{RuleText, Settings};

    use super::*;
    use crate::sip::HeaderName::{self, Diversion, HistoryInfo, To};

    fn range(edit: impl FnOnce(&mut RobotRange)) -> RobotRange {
        let mut range = RobotRange::new("robots");
        range.users.insert("6003".into(), "4799".into());
        edit(&mut range);
        range
    }

    fn attributed(range: &RobotRange, said: &[(HeaderName, &str)]) -> RobotCall {
        with_plan(range, said, None)
    }

    fn with_plan(
        range: &RobotRange,
        said: &[(HeaderName, &str)],
        numbering: Option<&NumberingPlan>,
    ) -> RobotCall {
        let mut headers = Headers::default();
        said.iter().for_each(|(name, value)| headers.push(*name, *value));
        let is_robot = &|number: &BStr| number.len() == 4 && number.starts_with(b"6");
        let dialled = "6003".into();
        Evidence { headers: &headers, dialled, range, numbering, is_robot }.attribute()
    }

    /// User and by what.
    fn who(range: &RobotRange, said: &[(HeaderName, &str)]) -> String {
        let RobotCall { user, by, .. } = attributed(range, said);
        format!("{user} by {by}")
    }

    const ALL: [(HeaderName, &str); 4] = [
        (To, "<sip:4713@pbx>"),
        (HistoryInfo, "<sip:4712@pbx>;index=1, <sip:6003@pbx;cause=486>;index=1.1;mp=1"),
        (Diversion, "<sip:4711@pbx>;reason=no-answer"),
        (Diversion, "<sip:4710@pbx>;reason=user-busy"),
    ];

    #[test]
    fn rob_1_what_is_named_first_in_attribution_counts() {
        let by_default = range(|_| {});
        assert_eq!(who(&by_default, &ALL), "4711 by diversion");
        assert_eq!(who(&by_default, &ALL[..2]), "4712 by history-info");
        assert_eq!(who(&by_default, &ALL[..1]), "4713 by to");
        assert_eq!(who(&by_default, &[]), "4799 by mapping");
        assert_eq!(who(&range(|it| it.users.clear()), &[]), " by ");
        let other = range(|it| it.attribution = vec![AttributedBy::Mapping, AttributedBy::To]);
        assert_eq!(who(&other, &ALL), "4799 by mapping");
        assert_eq!(who(&range(|it| it.attribution.clear()), &ALL), " by ");
    }

    #[test]
    fn rob_1_of_several_diverters_the_last_counts_or_the_first() {
        let call = attributed(&range(|_| {}), &ALL);
        assert_eq!([call.user, call.first, call.reason], ["4711", "4710", "no-answer"]);
        let first = range(|it| it.diverter = WhichDiverter::First);
        let call = attributed(&first, &ALL);
        assert_eq!([call.user, call.first, call.reason], ["4710", "", "user-busy"]);
    }

    #[test]
    fn rob_1_robots_and_the_anonymous_are_no_users() {
        let range = range(|it| it.users.clear());
        let passed_on = [(Diversion, "<sip:6002@pbx>"), (Diversion, "<sip:4711@pbx>")];
        assert_eq!(who(&range, &passed_on), "4711 by diversion");
        let long = format!("<sip:{}@pbx>", "1".repeat(65));
        for nobody in [
            "<sip:anonymous@anonymous.invalid>",
            "<sip:pbx>",
            "<sip:47%0a11@pbx>",
            "<sip:%ff@pbx>",
            &long,
        ] {
            assert_eq!(who(&range, &[(Diversion, nobody)]), " by ", "{nobody}");
        }
        for straight in ["<sip:6003@pbx>", "<sip:6002@pbx>", "<sip:pbx>"] {
            assert_eq!(who(&range, &[(To, straight)]), " by ", "{straight}");
        }
    }

    #[test]
    fn rob_1_the_numbering_plan_reads_numbers_from_outside() {
        let rule = RuleText {
            priority: 5,
            name: "own".into(),
            model: "+3315517".into(),
            value: String::new(),
        };
        let (plan, wrong) = NumberingPlan::new(Settings::default(), vec![(Direction::In, rule)]);
        assert!(wrong.is_empty());
        let outside = [(Diversion, "\"Anna\" <tel:+33-1-55-17-1889>;privacy=full")];
        let call = with_plan(&range(|_| {}), &outside, Some(&plan));
        assert_eq!([call.user, call.told, call.name], ["1889", "+33155171889", "Anna"]);
        assert!(call.is_private);
        let left = range(|it| it.numbering = Numbering::Left);
        assert_eq!(with_plan(&left, &outside, Some(&plan)).user, "+33155171889");
        let named = with_plan(&range(|_| {}), &[(Diversion, "<sip:anna@pbx>")], Some(&plan));
        assert_eq!(named.user, "anna");
    }
}
