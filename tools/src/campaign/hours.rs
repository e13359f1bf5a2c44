//! When a campaign may call: a schedule of the engine's `schedules.conf`, and what somebody said
//! instead of it.

use std::path::Path;
use std::time::{Duration, Instant};

use diesis_dialplan::plan::Plan;
use diesis_dialplan::timetable::{FAMILY, Standing, Timetable};
use diesis_engine::campaign::Opening;
use diesis_engine::config::Configuration;
use diesis_engine::net::control::protocol::{Command, DatabaseAction};
use jiff::{Timestamp, tz::TimeZone};

use super::Trouble;
use super::caller;

/// A schedule.
#[derive(Debug)]
pub(super) struct Hours {
    name: String,
    timetable: Timetable,
    zone: TimeZone,
    said: Option<Standing>,
    /// When the engine was asked last what is said instead.
    asked: Option<Instant>,
    /// Until then nothing changes by itself.
    known: Option<(Timestamp, Opening)>,
}

impl Hours {
    pub(super) fn read(directory: &Path, name: &str) -> Result<Self, Trouble> {
        let loaded = Configuration::load_directory(directory);
        let plan: &Plan = &loaded.configuration.plan;
        let Some((name, timetable)) = plan.timetables().get(name.as_bytes()) else {
            let known = plan.timetables().iter().map(|(name, _)| name.to_string());
            return Err(Trouble::Schedule(name.to_owned(), known.collect()));
        };
        Ok(Self {
            name: name.to_string(),
            timetable: timetable.clone(),
            zone: TimeZone::system(),
            said: None,
            asked: None,
            known: None,
        })
    }

    /// Whether calls may be made; asks the engine now and then whether somebody said otherwise.
    pub(super) async fn opening(&mut self, now: Timestamp, socket: &Path) -> Opening {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            self.asked = Some(Instant::now());
            let family = String::from_utf8_lossy(FAMILY);
            let key = format!("{family}/{}", self.name);
            let value = Command::Database { action: DatabaseAction::Get, key, value: None };
            let said = caller::ask(socket, value).await.unwrap_or_default();
            let said = Standing::read(said.as_bytes());
            if said != self.said {
                (self.said, self.known) = (said, None);
            }
        }
        if let Some((until, opening)) = self.known
            && now < until
        {
            return opening;
        }
        let opening = self.computed(now);
        let minute = now.as_second().div_euclid(60) * 60 + 60;
        self.known = Timestamp::from_second(minute).ok().map(|until| (until, opening));
        opening
    }

    fn computed(&self, now: Timestamp) -> Opening {
        let standing = self.said.filter(|said| said.holds(now));
        if self.timetable.state(now, &self.zone, standing.map(|it| it.said)).is_open() {
            return Opening::Open;
        }
        // What somebody said may be taken back at any time.
        let next = match standing {
            Some(_) => None,
            None => self.timetable.next_change(now, &self.zone, AHEAD),
        };
        Opening::Closed(next)
    }
}

/// How often the engine is asked: a campaign follows a word within so much time.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Days in which the next change is looked for.
const AHEAD: u16 = 14;
