//! Opening hours as an operator sees and overrides them.

use bstr::BString;
use diesis_dialplan::timetable::{AHEAD, Standing, Timetable, WordError};
use jiff::Timestamp;

use super::{Switch, SwitchEvent};
use crate::{channel::ChannelId, clock::Now};

/// A schedule at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleView {
    /// Its name in `schedules.conf`.
    pub name: BString,
    /// Whether it is open.
    pub is_open: bool,
    /// What decided: `hours`, `override`, or the closure's name.
    pub reason: BString,
    /// The event of a calendar that decided.
    pub event: Option<BString>,
    /// What somebody said by command or key, and until when.
    pub standing: Option<Standing>,
    /// When it opens or closes next, of the year to come.
    pub next: Option<Timestamp>,
    /// The zone of its clock; the system's when it names none.
    pub zone: Option<String>,
    /// The incoming numbers that it guards, as `context/number`.
    pub incoming: Vec<BString>,
}

/// Why a schedule is not overridden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// There is none of this name.
    #[error("there is no schedule {0:?} in schedules.conf")]
    Unknown(BString),
    /// The words say nothing that can be done.
    #[error(transparent)]
    Word(#[from] WordError),
    /// The database takes no more.
    #[error("the database is full")]
    Full,
}

impl Switch {
    /// All schedules, by name.
    pub fn view_schedules(&self, now: Now) -> Vec<ScheduleView> {
        let names = self.config.plan.timetables().iter();
        names.map(|(name, timetable)| self.view_schedule(name, timetable, now)).collect()
    }

    fn view_schedule(&self, name: &[u8], timetable: &Timetable, now: Now) -> ScheduleView {
        let zone = &self.config.time_zone;
        let standing = Standing::of(name, &self.world.database, now.wall);
        let state = timetable.state(now.wall, zone, standing.map(|standing| standing.said));
        let guarded = self.config.plan.timetables().guards().numbers_of(name).into_iter();
        ScheduleView {
            name: name.into(),
            is_open: state.is_open(),
            reason: state.reason().into(),
            event: state.event().map(Into::into),
            standing,
            next: timetable.next_change_under(standing, now.wall, zone, AHEAD),
            zone: timetable.zone.as_ref().and_then(|zone| zone.iana_name()).map(Into::into),
            incoming: guarded
                .map(|(context, number)| format!("{context}/{number}").into())
                .collect(),
        }
    }

    /// Opens or closes a schedule whatever its hours say, or takes that back, in words as
    /// `Set(SCHEDULE(name)=...)` takes them: `open`, `closed until 18:00`, `back`. It is kept in the
    /// database, and so across restarts.
    ///
    /// # Errors
    /// When there is no such schedule, or the words are wrong.
    pub fn override_schedule(
        &mut self,
        name: &[u8],
        words: &[u8],
        now: Now,
    ) -> Result<ScheduleView, ScheduleError> {
        let plan = std::sync::Arc::clone(&self.config.plan);
        let Some((name, timetable)) = plan.timetables().get(name) else {
            return Err(ScheduleError::Unknown(name.into()));
        };
        let zone = &self.config.time_zone;
        let standing = Standing::parse(words, timetable, now.wall, zone)?;
        if standing.is_some() && self.world.database.is_full() {
            return Err(ScheduleError::Full);
        }
        Standing::set(standing, name, &mut self.world.database);
        self.tell_override(name.into(), standing, None);
        Ok(self.view_schedule(name, timetable, now))
    }

    /// Tells that a schedule is overridden, or no more, by a call or by command.
    pub(super) fn tell_override(
        &mut self,
        name: BString,
        standing: Option<Standing>,
        call: Option<ChannelId>,
    ) {
        let said = standing.map_or("back to its hours", |standing| standing.said.name());
        let until = standing.and_then(|it| it.until).map(|it| it.to_string()).unwrap_or_default();
        let call_id = call.map(|call| call.to_string()).unwrap_or_default();
        tracing::info!(schedule = %name, said, until, call = call_id, "schedule overridden");
        self.tell(SwitchEvent::ScheduleOverridden { name, standing, call });
    }
}
