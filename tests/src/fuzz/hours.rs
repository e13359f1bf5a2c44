//! Opening hours and numbers: calendar files, `schedules.conf`, tables of numbering rules.

use diesis_dialplan::conf::MemoryFiles;
use diesis_dialplan::numbering::{Direction, NumberingPlan, Settings, check, table};
use diesis_dialplan::timetable::{Calendar, Closure, Period, Standing, Timetable};
use diesis_engine::config::Configuration;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::{SLOW_OFF_THREAD, Shape, Target, files, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "calendar",
        about: "Calendar::parse, and a year of a timetable that it closes",
        run: calendar,
        seeds: calendar_seeds,
        tokens: CALENDAR_TOKENS,
        longest: 2048,
        memory: 64 << 20,
        slow: SLOW_OFF_THREAD,
    },
    Target {
        name: "schedules",
        about: "schedules.conf: reader, findings, and what its schedules say at some time",
        run: schedules,
        seeds: schedule_seeds,
        tokens: SCHEDULE_TOKENS,
        longest: 2048,
        memory: 64 << 20,
        slow: SLOW_OFF_THREAD,
    },
    Target {
        name: "numbering",
        about: "rows of numbering tables, the plan of them, its check, and a number",
        run: numbering,
        seeds: numbering_seeds,
        tokens: NUMBERING_TOKENS,
        longest: 1024,
        memory: 64 << 20,
        slow: SLOW_OFF_THREAD,
    },
];

fn now() -> Timestamp {
    date(2026, 11, 22).to_zoned(TimeZone::UTC).expect("it exists").timestamp()
}

fn calendar(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (calendar, errors) = Calendar::parse(&String::from_utf8_lossy(input));
    shape.count(calendar.len());
    errors.iter().for_each(|error| shape.kind(&error.problem));
    let open = Period::parse("*".into(), &mut vec![]).into_iter().collect();
    let closure = Closure { calendars: vec![calendar], ..Closure::default() };
    look(&Timetable { open, closures: vec![closure], ..Timetable::default() }, &mut shape);
    shape
}

/// What holds must not depend on how it is asked for.
fn look(timetable: &Timetable, shape: &mut Shape) {
    let (now, zone) = (now(), TimeZone::UTC);
    let is_open = |at| timetable.state(at, &zone, None).is_open();
    shape.add(is_open(now));
    if let Some(next) = timetable.next_change(now, &zone, 400) {
        assert!(next > now && is_open(next) != is_open(now), "{next}");
        shape.count(next.duration_since(now).as_hours().unsigned_abs() as usize);
    }
    for part in timetable.day(date(2026, 11, 22), &zone) {
        assert!(part.begin < part.end && is_open(part.begin) == part.is_open, "{part:?}");
        shape.add(part.is_open);
    }
    let survey = timetable.survey(now, &zone, 366);
    assert!(survey.opens || !is_open(now));
    assert!(survey.opens || !survey.periods.contains(&true));
    shape.add((survey.opens, survey.closes));
}

fn schedules(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let files = MemoryFiles::new()
        .with("pjsip.conf", "")
        .with("extensions.conf", "[in]\nexten => _X.,1,Answer()\n")
        .with("closed.ics", CALENDAR)
        .with("schedules.conf", input);
    let loaded = Configuration::load(&files);
    shape.add(loaded.is_refused());
    for finding in loaded.findings() {
        shape.add(finding.diagnostic.code);
        let _ = finding.to_string();
    }
    let timetables = loaded.configuration.plan.timetables();
    for (name, timetable) in timetables.iter() {
        look(timetable, &mut shape);
        shape.count(timetables.guards().numbers_of(name).len());
        // Its own name is as good a word as any.
        let word = Standing::parse(name, timetable, now(), &TimeZone::UTC);
        shape.add(word.is_ok());
    }
    shape
}

fn numbering(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let number = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let rows = parts.take(16).filter_map(|row| {
        table::parse_row(&String::from_utf8_lossy(row)).ok().map(|rule| (Direction::Out, rule))
    });
    let rows: Vec<_> = rows.collect();
    shape.count(rows.len());
    let (plan, errors) = NumberingPlan::new(Settings::default(), rows);
    shape.count(errors.len());
    shape.count(check::suspicions(&plan).len());
    for direction in [Direction::Out, Direction::In] {
        let answer = plan.apply(direction, &number);
        shape.add(answer.rule.is_some());
        let _ = answer.to_string();
        let _ = plan.reverse_key(&answer.number);
    }
    shape
}

const CALENDAR: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Feast\\, all day\n\
    DTSTART;VALUE=DATE:20260501\nRRULE:FREQ=YEARLY\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:2\nDTSTART;TZID=Europe/Paris:20260105T160000\nDURATION:PT1H\n\
    RRULE:FREQ=MONTHLY;BYDAY=1MO;UNTIL=20271231T000000Z\nEXDATE:20260202T160000\nEND:VEVENT\n\
    BEGIN:VEVENT\nUID:3\nDTSTART:20261122T230000Z\nDTEND:20261123T010000Z\nEND:VEVENT\nEND:VCALENDAR\n";

fn calendar_seeds() -> Vec<Vec<u8>> {
    vec![CALENDAR.into()]
}

fn schedule_seeds() -> Vec<Vec<u8>> {
    let mut seeds = files("examples/wazo");
    seeds.retain(|seed| seed.starts_with(b"; Opening hours"));
    seeds.push(
        b"[a]\ntype=schedule\ntimezone=Europe/Paris\nopen=8:30-12:00&22:00-2:00,mon-fri,*,*\n\
          closures=b\ncalendar=closed.ics\nclosed_sound=x\nincoming=in/_01X.\ncode_open=*31\n\
          code_context=in\n[b]\ntype=closure\ndate=2026-11-19 14:00 .. 2026-11-20\n"
            .to_vec(),
    );
    seeds
}

fn numbering_seeds() -> Vec<Vec<u8>> {
    let rows = table::default_rules().into_iter().map(|rule| {
        let (priority, name, model, value) = (rule.priority, rule.name, rule.model, rule.value);
        format!("{priority},{name},{model},{value}")
    });
    let rows: Vec<String> = rows.collect();
    let of = |number: &str| [number, &rows.join("\n")].join("\n").into_bytes();
    vec![of("+33 (0) 123456789"), of("42(0)141906666"), of("#21")]
}

const CALENDAR_TOKENS: &[&[u8]] = &[
    b"BEGIN:VEVENT\n",
    b"END:VEVENT\n",
    b"RRULE:",
    b"FREQ=DAILY",
    b"FREQ=WEEKLY",
    b"FREQ=MONTHLY",
    b"FREQ=YEARLY",
    b";INTERVAL=",
    b";COUNT=",
    b";UNTIL=",
    b";BYDAY=",
    b"-1FR",
    b";BYMONTH=",
    b";BYMONTHDAY=",
    b";BYYEARDAY=",
    b";BYSETPOS=",
    b";WKST=SU",
    b"DTSTART:",
    b"DTEND:",
    b"DURATION:P",
    b"EXDATE:",
    b"RDATE:",
    b"RECURRENCE-ID:",
    b"STATUS:CANCELLED",
    b"20260228T235959Z",
    b"99991231",
    b"00000101",
    b"-",
    b"366",
    b"T",
];
const SCHEDULE_TOKENS: &[&[u8]] = &[
    b"[a]\n",
    b"type=schedule\n",
    b"type=closure\n",
    b"open=",
    b"closures=",
    b"calendar=closed.ics\n",
    b"date=",
    b"period=",
    b"incoming=in/",
    b"code_open=",
    b"code_closed=",
    b"code_context=in\n",
    b"code_until=next\n",
    b"timezone=",
    b"America/New_York",
    b"2026-02-29",
    b"..",
    b"24:00",
    b"mon-fri",
    b"*",
    b",",
    b"&",
    b"_X.",
    b"jan-dec",
    b"(!)",
    b"(+)",
];
const NUMBERING_TOKENS: &[&[u8]] = &[
    b"[",
    b"]",
    b"$1",
    b"$9",
    b"[-ExternalPrefix-]",
    b"[-InternationalPrefix-]",
    b"[-CountryPrefix-]",
    b"(",
    b")",
    b"+",
    b"*",
    b"|",
    b"\\d",
    b"{9}",
    b",",
    b"\n",
    b"5,a,",
    b"\"",
    b"?",
];
