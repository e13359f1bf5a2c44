//! When a campaign may call: a schedule of the engine's `schedules.conf`, and what somebody said
//! instead of it.

use std::path::Path;
use std::time::{Duration, Instant};

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
        let timetables = Configuration::schedules_of(directory).configuration.unwrap_or_default();
        let Some((name, timetable)) = timetables.get(name.as_bytes()) else {
            let known = timetables.iter().map(|(name, _)| name.to_string());
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

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::MemoryFiles;

    use super::*;

    fn hours(open: &str) -> Hours {
        let text = format!("[night]\ntype=schedule\ntimezone=Europe/Paris\nopen={open}\n");
        let files = MemoryFiles::new().with("schedules.conf", text).with("extensions.conf", "");
        let loaded = Configuration::load(&files);
        let timetables = loaded.configuration.plan.timetables();
        let (_, timetable) = timetables.get(b"night").expect("it is read");
        Hours {
            name: "night".into(),
            timetable: timetable.clone(),
            zone: TimeZone::UTC,
            said: None,
            asked: None,
            known: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn hours_go_over_midnight_and_follow_the_clocks_of_their_zone() {
        let night = hours("22:00-02:00,sat");
        for (now, opening) in [
            ("2026-11-21T20:59:59Z", Opening::Closed(Some(at("2026-11-21T21:00:00Z")))),
            ("2026-11-21T21:00:00Z", Opening::Open),
            ("2026-11-21T23:30:00Z", Opening::Open),
            // The Sunday's night is not the Saturday's.
            ("2026-11-22T21:30:00Z", Opening::Closed(Some(at("2026-11-28T21:00:00Z")))),
        ] {
            assert_eq!(night.computed(at(now)), opening, "{now}");
        }
        // Clocks go back at 01:00 UTC of the 25th of October, forward at that of the 29th of March.
        let morning = hours("09:00-17:00");
        for (now, until) in [
            ("2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"),
            ("2026-10-23T20:00:00Z", "2026-10-24T07:00:00Z"),
            ("2026-03-28T20:00:00Z", "2026-03-29T07:00:00Z"),
            ("2026-03-27T20:00:00Z", "2026-03-28T08:00:00Z"),
        ] {
            assert_eq!(morning.computed(at(now)), Opening::Closed(Some(at(until))), "{now}");
        }
        // An hour that there is twice is open twice; one that there is not opens nothing.
        let twice = hours("02:00-02:59,sun");
        for (now, is_open) in [
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:30:00Z", false),
            ("2026-03-29T00:30:00Z", false),
            ("2026-03-29T01:30:00Z", false),
        ] {
            assert_eq!(twice.computed(at(now)) == Opening::Open, is_open, "{now}");
        }
    }
}
