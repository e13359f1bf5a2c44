//! `schedules.conf`: opening hours, exceptional closures, calendars.
//!
//! A section is a schedule (`type=schedule`) or days that one or several schedules except
//! (`type=closure`).

mod check;
mod dialled;
mod incoming;

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::ast::StatementKind;
use diesis_dialplan::conf::{Conf, FileSource};
use diesis_dialplan::diagnostic::{Diagnostic, Severity};
use diesis_dialplan::parser;
use diesis_dialplan::schedule::time_zone;
use diesis_dialplan::timetable::{Calendar, Closure, Dates, Guards, Period, Timetable, Timetables};
use jiff::Timestamp;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::{Block, Setting};
use super::value;
use check::{Places, check, is_past};
pub(super) use dialled::{all as codes_of, extensions};
pub(super) use incoming::House;

/// Reads all sections of the file. `now` says from when on a schedule should open at some time.
pub(super) fn read(
    sections: &[Block<'_>],
    files: &dyn FileSource,
    house: House<'_>,
    now: Option<Timestamp>,
    notes: &mut Notes,
) -> Timetables {
    let mut closures: HashMap<BString, Closure> = HashMap::new();
    for section in sections.iter().filter(|section| kind(section) == Kind::Closure) {
        let closure = closure(section, files, now, notes);
        if closures.insert(section.name().to_ascii_lowercase().into(), closure).is_some() {
            let message = format!("closure [{}] is defined twice", section.name());
            let help = "the last one counts";
            notes.warn(codes::DEFINED_TWICE, section.header, message, help);
        }
    }
    let mut timetables = Timetables::default();
    let mut guards = Guards::default();
    for section in sections {
        match kind(section) {
            Kind::Closure => {}
            Kind::Schedule => {
                let (timetable, places) =
                    timetable(section, &closures, files, (house, &mut guards), notes);
                check(section, &timetable, &places, now, notes);
                if timetables.get(section.name()).is_some() {
                    let message = format!("schedule [{}] is defined twice", section.name());
                    let help = "the last one counts";
                    notes.warn(codes::DEFINED_TWICE, section.header, message, help);
                }
                timetables.insert(section.name(), timetable);
            }
            Kind::Other => {
                let message = format!("[{}] is no schedule and no closure", section.name());
                let help = "write type=schedule or type=closure; it has no effect as it is";
                notes.error(codes::SECTION_UNKNOWN, section.place_of("type"), message, help);
            }
        }
    }
    timetables.set_guards(guards);
    timetables
}

/// A warning at each place of the dialplan that asks for a schedule which does not exist.
pub(super) fn unresolved(conf: &Conf, timetables: &Timetables) -> Vec<Diagnostic> {
    let mut diagnostics = vec![];
    for entry in conf.sections().flat_map(|section| section.entries()) {
        let statement = parser::parse(entry);
        let StatementKind::Step(step) = &statement.kind else { continue };
        let value = entry.value();
        let (application, name) =
            (&value[step.application.clone()], &value[step.arguments.clone()]);
        let name = BStr::new(name.trim_ascii());
        let is_literal = !name.is_empty() && !name.contains(&b'$');
        if !application.eq_ignore_ascii_case(b"Schedule") || !is_literal {
            continue;
        }
        if timetables.get(name).is_none() {
            let span = entry.part_span(step.arguments.clone());
            let message = format!("there is no schedule [{name}] in schedules.conf");
            let warning = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
            diagnostics.push(warning.with_help("the call goes on as if it were open"));
        }
    }
    diagnostics
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Schedule,
    Closure,
    Other,
}

fn kind(section: &Block<'_>) -> Kind {
    match section.kind().map(|entry| entry.value().to_ascii_lowercase()).as_deref() {
        Some(b"schedule") => Kind::Schedule,
        Some(b"closure") => Kind::Closure,
        _ => Kind::Other,
    }
}

fn timetable(
    section: &Block<'_>,
    closures: &HashMap<BString, Closure>,
    files: &dyn FileSource,
    (house, guards): (House<'_>, &mut Guards),
    notes: &mut Notes,
) -> (Timetable, Places) {
    let mut places = Places::default();
    let mut calendars = None;
    let mut timetable = Timetable::default();
    let mut own = Closure { name: "calendar".into(), ..Closure::default() };
    section.each(&keys::SCHEDULE, notes, |name, setting| match name {
        b"type" => {}
        b"timezone" => match time_zone(setting.value()) {
            Some(zone) => timetable.zone = Some(zone),
            None => setting.invalid("a time zone, such as Europe/Paris"),
        },
        b"open" => {
            let span = setting.span();
            if let Some(period) = period(setting) {
                timetable.open.push(period);
                places.open.push(span);
            }
        }
        b"closures" => {
            let mut setting = setting;
            for name in value::list(setting.value()) {
                match closures.get(&BString::from(name.to_ascii_lowercase())) {
                    Some(closure) => {
                        timetable.closures.push(closure.clone());
                        places.closures.push(setting.span());
                    }
                    None => absent(&mut setting, name),
                }
            }
        }
        b"calendar" => {
            calendars.get_or_insert_with(|| setting.span());
            own.calendars.extend(calendar(setting, files));
        }
        b"code_open" | b"code_closed" | b"code_back" => {
            dialled::judge(setting, name, section.name(), house.codes);
        }
        b"code_until" if setting.value().eq_ignore_ascii_case(b"next") => {}
        b"code_until" => setting.invalid("`next`: until the hours change the next time"),
        b"code_context" | b"sound_open" | b"sound_closed" | b"sound_back" => {}
        b"incoming" => incoming::take(setting, section, house, guards),
        b"closed_sound" => setting.optional_text(&mut timetable.closed.sound),
        b"closed_action" => action(setting, &mut timetable.closed.action),
        _ => setting.judge(),
    });
    if !own.calendars.is_empty() {
        timetable.closures.push(own);
        places.closures.extend(calendars);
    }
    (timetable, places)
}

fn closure(
    section: &Block<'_>,
    files: &dyn FileSource,
    now: Option<Timestamp>,
    notes: &mut Notes,
) -> Closure {
    let mut closure = Closure { name: section.name().into(), ..Closure::default() };
    section.each(&keys::CLOSURE, notes, |name, setting| match name {
        b"type" => {}
        b"period" => closure.periods.extend(period(setting)),
        b"date" => match setting.value().to_str().ok().and_then(Dates::parse) {
            Some(dates) => {
                warn_of_past(&dates, setting, now);
                closure.dates.push(dates);
            }
            None => setting.invalid(
                "a day or two, such as 2026-12-24 or 2026-12-24 12:00 .. 2027-01-02, the first \
                 before the second",
            ),
        },
        b"calendar" => closure.calendars.extend(calendar(setting, files)),
        b"sound" => setting.optional_text(&mut closure.reaction.sound),
        b"action" => action(setting, &mut closure.reaction.action),
        _ => setting.judge(),
    });
    if closure.periods.is_empty() && closure.dates.is_empty() && closure.calendars.is_empty() {
        let message = format!("closure [{}] has no day", section.name());
        let help = "add period, date or calendar";
        notes.error(codes::SETTING_MISSING, section.header, message, help);
    }
    closure
}

/// Says of days that they are over.
fn warn_of_past(dates: &Dates, setting: Setting<'_>, now: Option<Timestamp>) {
    if now.is_some_and(|now| is_past(dates, now)) {
        let message = format!("{} is past", setting.value());
        let help = "it closes nothing any more: take it out, or write the next one";
        let span = setting.span();
        setting.notes.warn(codes::SCHEDULE_IDLE, span, message, help);
    }
}

fn absent(setting: &mut Setting<'_>, name: &BStr) {
    let message = format!("there is no closure [{name}]");
    let help = "closures are sections with type=closure";
    let span = setting.span();
    setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
}

fn period(setting: Setting<'_>) -> Option<Period> {
    let mut flaws = vec![];
    let period = Period::parse(setting.value(), &mut flaws);
    let is_right = flaws.is_empty() && period.as_ref().is_some_and(Period::can_hold);
    if !is_right {
        let wrong: Vec<String> = flaws.iter().map(ToString::to_string).collect();
        let told =
            if wrong.is_empty() { String::new() } else { format!(" ({})", wrong.join("; ")) };
        setting.invalid(&format!(
            "hours, weekdays, days of the month and months, such as 8:30-12:00&14:00-18:00,mon-fri,*,*\
             {told}"
        ));
    }
    period.filter(|_| is_right)
}

/// An application with its arguments.
fn action(setting: Setting<'_>, field: &mut Option<BString>) {
    let text = setting.value();
    let name = text.split_str("(").next().unwrap_or_default().trim_ascii();
    if !text.is_empty() && diesis_dialplan::application::find(name).is_none() {
        setting.invalid("an application of the dialplan, such as Goto(night,s,1) or Hangup()");
        return;
    }
    setting.optional_text(field);
}

pub(super) fn calendar(setting: Setting<'_>, files: &dyn FileSource) -> Option<Calendar> {
    let name = setting.value().to_str_lossy().into_owned();
    let span = setting.span();
    let text = match files.read(&name) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the calendar {name} can not be read: {error}");
            let help = "name a file of this directory, or one with its whole path";
            setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
            return None;
        }
    };
    let (calendar, errors) = Calendar::parse(&text.to_str_lossy());
    let is_none = calendar.is_empty() && !errors.is_empty();
    for error in errors.iter().take(MOST_ERRORS) {
        let severity = if is_none { Severity::Error } else { Severity::Warning };
        let message = format!("{name}, {error}");
        let diagnostic = Diagnostic::new(severity, codes::CALENDAR_WRONG, message).at(span);
        setting.notes.push(diagnostic.with_help("the event has no effect; the others count"));
    }
    Some(calendar)
}

/// Errors of one calendar that are told.
const MOST_ERRORS: usize = 10;

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::MemoryFiles;
    use diesis_dialplan::timetable::Why;

    use crate::config::Configuration;

    fn said(files: MemoryFiles) -> Vec<String> {
        let loaded = Configuration::load(&files.with("pjsip.conf", ""));
        let said = loaded.findings().map(|finding| finding.to_string());
        said.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
    }

    const OFFICE: &str = "[office]\ntype=schedule\ntimezone=Europe/Paris\n\
        open=8:30-12:00&14:00-18:00,mon-fri\nclosures=Feasts,stock\ncalendar=days.ics\n\
        closed_sound=shut\nclosed_action=Goto(night,s,1)\n\
        [feasts]\ntype=closure\nperiod=*,*,1,jan\nperiod=*,*,25,dec\nsound=feast\n\
        [stock]\ntype=closure\ndate=2026-11-19 14:00 .. 2026-11-20\naction=Hangup()\n";
    const DAYS: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Ascension\n\
        DTSTART;VALUE=DATE:20260514\nEND:VEVENT\nEND:VCALENDAR\n";

    #[test]
    fn a_schedule_with_closures_and_a_calendar_is_read() {
        let files = MemoryFiles::new()
            .with("schedules.conf", OFFICE)
            .with("days.ics", DAYS)
            .with("extensions.conf", "[in]\nexten => s,1,Schedule(office)\n")
            .with("pjsip.conf", "");
        let loaded = Configuration::load(&files);
        let said: Vec<String> = loaded.findings().map(|it| it.to_string()).collect();
        assert_eq!(said, Vec::<String>::new());
        let plan = &loaded.configuration.plan;
        let (_, office) = plan.timetables().get(b"OFFICE").unwrap();
        let state = |time: &str| {
            let state = office.state(time.parse().unwrap(), &jiff::tz::TimeZone::UTC, None);
            let reaction = office.reaction(&state);
            let text = |it: Option<bstr::BString>| it.unwrap_or_default().to_string();
            let event = matches!(state.why(), Why::Closure(_, Some(_)));
            (state.is_open(), state.reason().to_string(), text(reaction.sound), event)
        };
        let told =
            |open, reason: &str, sound: &str, event| (open, reason.into(), sound.into(), event);
        assert_eq!(state("2026-11-12T07:30:00Z"), told(true, "hours", "shut", false));
        assert_eq!(state("2026-12-25T09:00:00Z"), told(false, "feasts", "feast", false));
        assert_eq!(state("2026-11-19T13:00:00Z"), told(false, "stock", "shut", false));
        assert_eq!(state("2026-05-14T09:00:00Z"), told(false, "calendar", "shut", true));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let of = |text: &str| said(MemoryFiles::new().with("schedules.conf", text)).join("\n");
        let schedule = |lines: &str| of(&format!("[a]\ntype=schedule\n{lines}\n"));
        for (lines, words) in [
            ("open=9:00-17:00,mon-fry", "schedules.conf:3:6: error[C004]"),
            ("open=9:00,mon", "schedules.conf:3:6: error[C004]"),
            ("open=9:00-17:00,*,31,feb", "error[C004]"),
            ("open=*\ntimezone=Paris", "error[C004]"),
            ("open=*\nclosures=none", "there is no closure [none]"),
            ("open=*\ncalendar=none.ics", "the calendar none.ics can not be read"),
            ("open=*\nclosed_action=Gotto(x)", "error[C004]"),
            ("open=*\nopens=*", "did you mean"),
            ("closed_sound=x", "never opens"),
        ] {
            let said = schedule(lines);
            // What the help says, too.
            let whole = || {
                let files = MemoryFiles::new()
                    .with("schedules.conf", format!("[a]\ntype=schedule\n{lines}\n"));
                let loaded = Configuration::load(&files);
                loaded.findings().map(|finding| finding.to_string()).collect::<String>()
            };
            assert!(said.contains(words) || whole().contains(words), "{lines}: {said}");
        }
        assert!(of("[a]\nopen=*\n").contains("is no schedule and no closure"));
        assert!(of("[a]\ntype=closure\nsound=x\n").contains("has no day"));
        let files = MemoryFiles::new().with(
            "extensions.conf",
            "[in]\nexten => s,1,Schedule(ofice)\nsame => n,Schedule(${X})\n",
        );
        let all = said(files);
        let named: Vec<&String> = all.iter().filter(|it| it.contains("schedule [")).collect();
        assert_eq!(named.len(), 1, "{all:?}");
        assert!(named[0].starts_with("extensions.conf:2:"), "{named:?}");
    }

    #[test]
    fn sch_1_a_schedule_guards_numbers_that_lead_somewhere_and_no_other_does() {
        let dialplan = "[from-trunk]\ninclude => did\n[did]\nexten => _01551718XX,1,Answer()\n\
                        exten => 200,hint,PJSIP/1\n[spare]\nexten => 1,1,Answer()\n";
        let pjsip = "[trunk]\ntype=endpoint\ncontext=from-trunk\nallow=alaw\n";
        let of = |lines: &str| {
            let text = format!(
                "[a]\ntype=schedule\nopen=*\n{lines}\n\
                 [b]\ntype=schedule\nopen=*\nincoming=from-trunk/0155171801\n"
            );
            let files = MemoryFiles::new()
                .with("schedules.conf", text)
                .with("extensions.conf", dialplan)
                .with("pjsip.conf", pjsip);
            let loaded = Configuration::load(&files);
            let said = loaded.findings().map(|finding| finding.to_string());
            let said: Vec<String> = said.filter(|it| it.starts_with("schedules.conf")).collect();
            (said.join("\n"), loaded.is_refused(), loaded.configuration.plan)
        };
        let (said, is_refused, plan) =
            of("incoming = from-trunk/_01551718XX, did/0155171889\nincoming=did/_0.");
        assert_eq!((said.as_str(), is_refused), ("", false));
        let guards = plan.timetables().guards();
        let by = |number: &str| guards.of(b"from-trunk", number.as_bytes()).unwrap().to_string();
        assert_eq!((by("0155171801"), by("0155171802")), ("b".to_owned(), "a".to_owned()));
        for (line, words, refused) in [
            ("incoming=0155171889", "expected CONTEXT/NUMBER", true),
            ("incoming=", "expected CONTEXT/NUMBER", true),
            ("incoming=from-tronk/01", "did you mean `from-trunk`", true),
            ("incoming=did/0299", "[did] has no extension for 0299", true),
            ("incoming=did/_9X.", "[did] has no extension for _9X.", true),
            // Somebody's hint is no step.
            ("incoming=did/200", "[did] has no extension for 200", true),
            ("incoming=from-trunk/01551718-01", "guarded by schedule [a] already", true),
            ("incoming=did/0155171809, did/0155171809", "guarded by this schedule already", true),
            ("incoming=spare/1", "no call starts in [spare]", false),
        ] {
            let (said, is_refused, _) = of(line);
            assert!(said.contains(words) && said.contains("error[") == refused, "{line}: {said}");
            assert_eq!(is_refused, refused, "{line}");
        }
    }

    #[test]
    fn sch_1_codes_are_extensions_of_who_may_dial_them() {
        let of = |lines: &str| {
            let text = format!("[a]\ntype=schedule\nopen=*\nclosed_sound=x\n{lines}\n");
            let files = MemoryFiles::new()
                .with("schedules.conf", text)
                .with("extensions.conf", "[in]\nexten => *30,1,Answer()\n[desk]\n")
                .with("pjsip.conf", "");
            let loaded = Configuration::load(&files);
            let said = loaded.findings().map(|finding| finding.to_string());
            let said: Vec<String> = said.filter(|it| it.starts_with("schedules.conf")).collect();
            let plan = loaded.configuration.plan;
            let steps = |context: &str, number: &str| {
                let id = plan.context(context).unwrap();
                let mut all = plan.view(id).extensions().filter(|it| it.name() == number);
                all.next().map(|extension| {
                    let steps = extension
                        .steps()
                        .map(|it| format!("{}({})", it.application(), it.arguments()));
                    steps.collect::<Vec<_>>()
                })
            };
            (said.join("\n"), steps("in", "*31"), steps("desk", "*32"))
        };
        let (said, open, closed) = of(
            "code_open=*31\ncode_closed=*32\ncode_context=in,desk\ncode_until=next\nsound_open=o",
        );
        assert_eq!(said, "");
        let steps = |set: &str, play: &str| {
            let all = [set, "Answer()", "Wait(0.5)", play, "Hangup()"];
            Some(all.map(str::to_owned).to_vec())
        };
        assert_eq!(open, steps("Set(SCHEDULE(a)=open until next)", "Playback(o)"));
        let play = "Playback(auth-thankyou&x)";
        assert_eq!(closed, steps("Set(SCHEDULE(a)=closed until next)", play));
        for (lines, words) in [
            ("code_open=*31", "`code_context` is missing"),
            ("code_open=*31\ncode_context=inn", "did you mean `in`"),
            ("code_open=*30\ncode_context=in", "[in] has an extension *30 of its own"),
            ("code_open=star\ncode_context=in", "expected keys of a phone"),
            ("code_open=*3\ncode_back=*3\ncode_context=in", "is code_open of [a] already"),
            ("code_until=monday", "expected `next`"),
        ] {
            let (said, ..) = of(lines);
            assert!(said.contains(words) && said.contains("error["), "{lines}: {said}");
        }
    }

    #[test]
    fn sch_1_what_never_counts_is_told() {
        let of = |text: &str| {
            let files = MemoryFiles::new()
                .with("schedules.conf", text)
                .with("old.ics", DAYS.replace("2026", "2021"))
                .with("pjsip.conf", "");
            let now = Some("2026-11-22T00:00:00Z".parse().unwrap());
            let loaded = Configuration::read(&files, None, now);
            let said = loaded.findings().map(|finding| finding.to_string());
            let said: Vec<String> = said.filter(|it| it.starts_with("schedules.conf")).collect();
            said.iter()
                .map(|it| it.lines().next().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join("; ")
        };
        let schedule = |lines: &str| of(&format!("[a]\ntype=schedule\n{lines}\n"));
        // Once in four years is not never.
        assert_eq!(schedule("open=9:00-17:00,mon-fri\nopen=*,*,29,feb"), "");
        for (lines, words) in [
            (
                "open=9:00-17:00\nopen=10:00-11:00,tue",
                "4:6: warning[C026]: schedule [a] is never opened",
            ),
            ("open=9:00-17:00\ncalendar=old.ics", "never closed by calendar"),
            (
                "open=9:00-17:00,mon-fri\nclosures=x\n[x]\ntype=closure\nperiod=*,sun",
                "never closed by x",
            ),
            ("open=*\nclosures=x\n[x]\ntype=closure\nperiod=*", "does not open for a year"),
            (
                "open=*\nclosures=x\n[x]\ntype=closure\ndate=2026-12-24\ndate=2025-12-24",
                "8:6: warning[C026]: 2025-12-24 is past",
            ),
        ] {
            let said = schedule(lines);
            assert!(
                said.contains(words) && said.matches("warning").count() == 1,
                "{lines}: {said}"
            );
        }
        // Said once, where it stands.
        let said = schedule("open=*\nclosures=x\n[x]\ntype=closure\ndate=2025-12-24");
        assert_eq!(said.matches("warning").count(), 1, "{said}");
    }
}
