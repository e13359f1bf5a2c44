//! What somebody needs who looks at rules or changes them beside all calls.

use bstr::{BStr, BString};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Conditions, Presence, Rulebook};
use crate::plan::Plan;
use crate::world::Database;

/// Rules, with what users changed and what decisions depend on.
pub struct Desk<'a> {
    /// The dialplan with rules and schedules.
    pub plan: &'a Plan,
    /// What users have changed.
    pub database: &'a mut Database,
    /// When.
    pub now: Timestamp,
    /// The system's time zone.
    pub zone: TimeZone,
    /// The state of a telephone, as DEVICE_STATE tells it.
    pub device_state: &'a dyn Fn(&BStr) -> BString,
}

impl<'a> Desk<'a> {
    /// The rules.
    #[must_use]
    pub fn book(&self) -> &'a Rulebook {
        self.plan.rules()
    }

    /// What a decision at an instant depends on; of one user another presence may be assumed.
    #[must_use]
    pub fn conditions(
        &self,
        at: Option<Timestamp>,
        assumed: Option<(BString, Presence)>,
    ) -> Conditions<'_> {
        Conditions {
            database: self.database,
            timetables: self.plan.timetables(),
            now: at.unwrap_or(self.now),
            zone: self.zone.clone(),
            device_state: self.device_state,
            assumed,
        }
    }
}
