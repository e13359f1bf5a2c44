use jiff::SignedDuration;
use jiff::civil::{Date, date as day};

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::*;
use crate::world::Database;

/// A time of the clock in Paris.
fn at(time: &str) -> Timestamp {
    let time: DateTime = time.parse().unwrap();
    time.to_zoned(paris()).unwrap().timestamp()
}

fn paris() -> TimeZone {
    crate::schedule::time_zone(b"Europe/Paris").unwrap()
}

fn period(text: &str) -> Period {
    let mut flaws = vec![];
    let period = Period::parse(text.into(), &mut flaws).unwrap();
    assert_eq!(flaws, []);
    period
}

fn office() -> Timetable {
    Timetable {
        zone: Some(paris()),
        open: vec![period("8:30-12:00&14:00-18:00,mon-fri"), period("22:00-02:00,sat,*,jul")],
        closures: vec![
            Closure {
                name: "new year".into(),
                periods: vec![period("*,*,1,jan")],
                reaction: Reaction { sound: Some("holiday".into()), action: None },
                ..Closure::default()
            },
            Closure {
                name: "stocktaking".into(),
                dates: vec![Dates::parse("2026-11-19 14:00 .. 2026-11-20").unwrap()],
                reaction: Reaction { sound: None, action: Some("Goto(stock,s,1)".into()) },
                ..Closure::default()
            },
        ],
        closed: Reaction { sound: Some("closed".into()), action: Some("Hangup()".into()) },
    }
}

fn state<'a>(timetable: &'a Timetable, time: &str) -> (bool, &'a BStr) {
    let state = timetable.state(at(time), &TimeZone::UTC, None);
    (state.is_open(), state.reason())
}

#[test]
fn hours_count_to_the_minute_and_days_to_their_end() {
    let office = office();
    let is_open = |time| state(&office, time).0;
    // A Thursday.
    for (time, open) in [
        ("2026-11-12T08:29:59", false),
        ("2026-11-12T08:30:00", true),
        ("2026-11-12T12:00:59", true),
        ("2026-11-12T12:01:00", false),
        ("2026-11-12T14:00:00", true),
        ("2026-11-12T18:00:59", true),
        ("2026-11-12T18:01:00", false),
        ("2026-11-14T10:00:00", false),
    ] {
        assert_eq!(is_open(time), open, "{time}");
    }
}

#[test]
fn hours_that_cross_midnight_belong_to_the_day_on_which_they_begin() {
    let office = office();
    let is_open = |time| state(&office, time).0;
    for (time, open) in [
        ("2026-07-04T21:59:00", false),
        ("2026-07-04T22:00:00", true),
        ("2026-07-05T02:00:30", true),
        ("2026-07-05T02:01:00", false),
        // The night from Friday to Saturday is Friday's.
        ("2026-07-04T01:00:00", false),
        // The last Saturday of June, and the first of August.
        ("2026-06-27T23:00:00", false),
        ("2026-08-01T01:00:00", false),
    ] {
        assert_eq!(is_open(time), open, "{time}");
    }
    // 31 July is a Friday; in 2027 it is a Saturday, whose night ends in August.
    assert!(is_open("2027-08-01T01:00:00"));
}

#[test]
fn exceptions_come_first_each_with_its_own_words() {
    let office = office();
    assert_eq!(state(&office, "2027-01-01T10:00"), (false, "new year".into()));
    assert_eq!(state(&office, "2026-11-19T13:59"), (false, "hours".into()));
    assert_eq!(state(&office, "2026-11-19T14:00"), (false, "stocktaking".into()));
    assert_eq!(state(&office, "2026-11-20T17:59"), (false, "stocktaking".into()));
    let reaction = |time| {
        let state = office.state(at(time), &TimeZone::UTC, None);
        let Reaction { sound, action } = office.reaction(&state);
        (sound.unwrap().to_string(), action.unwrap().to_string())
    };
    assert_eq!(reaction("2027-01-01T10:00"), ("holiday".into(), "Hangup()".into()));
    assert_eq!(reaction("2026-11-20T10:00"), ("closed".into(), "Goto(stock,s,1)".into()));
    assert_eq!(reaction("2026-11-21T10:00"), ("closed".into(), "Hangup()".into()));
}

#[test]
fn what_somebody_said_counts_before_all_hours() {
    let office = office();
    let said = |said| office.state(at("2027-01-01T10:00"), &TimeZone::UTC, Some(said)).is_open();
    assert!(said(Override::Open));
    assert!(!said(Override::Closed));
    let mut database = Database::default();
    let now = at("2026-11-12T10:00");
    let read = |word: &str| Standing::parse(word.as_bytes(), &office, now, &TimeZone::UTC);
    for (word, found, until) in [
        ("OPEN", Some(Override::Open), None),
        ("closed", Some(Override::Closed), None),
        ("back", None, None),
        ("closed until 18:30", Some(Override::Closed), Some("2026-11-12T18:30")),
        ("Closed Until 9:00", Some(Override::Closed), Some("2026-11-13T09:00")),
        ("open until 2027-01-04 08:00", Some(Override::Open), Some("2027-01-04T08:00")),
        // It closes for lunch.
        ("closed until next", Some(Override::Closed), Some("2026-11-12T12:01")),
        ("", None, None),
    ] {
        Standing::set(read(word).unwrap(), b"office", &mut database);
        assert_eq!(Override::of(b"office", &database, now), found, "{word}");
        let standing = Standing::of(b"office", &database, now);
        assert_eq!(standing.and_then(|it| it.until), until.map(at), "{word}");
        if let Some(until) = until {
            let before = at(until) - SignedDuration::from_secs(1);
            assert_eq!(Override::of(b"office", &database, before), found);
            assert_eq!(Override::of(b"office", &database, at(until)), None);
        }
    }
    for (word, wrong) in [
        ("ajar", "none of open, closed and back"),
        ("closed for lunch", "none of open, closed and back"),
        ("back until 18:00", "none of open, closed and back"),
        ("closed until noon", "`noon` is no time"),
        ("closed until 25:00", "`25:00` is no time"),
        ("closed until 2026-11-12T09:59", "is past"),
        ("closed until 18:30:99", "is no time"),
    ] {
        assert!(read(word).unwrap_err().to_string().contains(wrong), "{word}");
    }
    // What somebody else wrote there, and nobody understands, overrides nothing.
    for value in ["ajar", "closed until", "closed until soon", "closed since 1", ""] {
        database.set(FAMILY, b"office", value.as_bytes());
        assert_eq!(Override::of(b"office", &database, now), None, "{value}");
    }
}

#[test]
fn the_next_change_knows_of_what_somebody_said() {
    let office = office();
    let next = |said, until: Option<&str>| {
        let standing = Some(Standing { said, until: until.map(at) });
        office.next_change_under(standing, at("2026-11-12T10:00"), &TimeZone::UTC, 30)
    };
    assert_eq!(next(Override::Closed, None), None);
    assert_eq!(next(Override::Closed, Some("2026-11-12T11:00")), Some(at("2026-11-12T11:00")));
    // Closed over lunch: nothing happens when the order ends.
    assert_eq!(next(Override::Closed, Some("2026-11-12T13:00")), Some(at("2026-11-12T14:00")));
    assert_eq!(next(Override::Open, Some("2026-11-12T13:00")), Some(at("2026-11-12T13:00")));
}

#[test]
fn the_next_change_is_found_in_nights_when_clocks_are_set() {
    let times = |open: &str, from: &str, count: usize| {
        let timetable =
            Timetable { zone: Some(paris()), open: vec![period(open)], ..Timetable::default() };
        let mut now: Timestamp = from.parse().unwrap();
        let mut found = vec![];
        for _ in 0..count {
            now = timetable.next_change(now, &TimeZone::UTC, 10).unwrap();
            found.push(now.to_string());
        }
        found
    };
    // Half past two comes twice on 25 October 2026, and not at all on 29 March.
    assert_eq!(
        times("2:30-2:44", "2026-10-24T22:00:00Z", 4),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T00:45:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T01:45:00Z"
        ]
    );
    assert_eq!(times("2:30-2:44", "2026-03-28T22:00:00Z", 1), ["2026-03-30T00:30:00Z"]);
    // Three o'clock comes an hour early, as it were.
    assert_eq!(times("2:30-3:29", "2026-03-28T23:00:00Z", 2)[0], "2026-03-29T01:00:00Z");
    assert_eq!(times("2:30-3:29", "2026-03-28T23:00:00Z", 2)[1], "2026-03-29T01:30:00Z");
}

#[test]
fn a_day_in_parts_and_what_never_counts() {
    let office = office();
    let parts = |day: Date| {
        let parts = office.day(day, &TimeZone::UTC).into_iter().map(|part| {
            let clock =
                |at: Timestamp| paris().to_datetime(at).time().strftime("%H:%M").to_string();
            format!("{}-{} {} {}", clock(part.begin), clock(part.end), part.is_open, part.reason)
        });
        parts.collect::<Vec<_>>()
    };
    assert_eq!(
        parts(day(2026, 11, 19)),
        [
            "00:00-08:30 false hours",
            "08:30-12:01 true hours",
            "12:01-14:00 false hours",
            "14:00-00:00 false stocktaking"
        ]
    );
    assert_eq!(parts(day(2027, 1, 1)), ["00:00-00:00 false new year"]);
    let survey = office.survey(at("2026-11-01T00:00"), &TimeZone::UTC, 366);
    assert!(survey.is_complete() && survey.closes, "{survey:?}");
    // Stocktaking is over.
    let survey = office.survey(at("2026-12-01T00:00"), &TimeZone::UTC, 366);
    assert_eq!((survey.periods, survey.closures), (vec![true; 2], vec![true, false]));
    let mut odd = office;
    odd.open.push(period("9:00-10:00,tue"));
    odd.open.push(period("*,sun"));
    odd.closures[0].periods.push(period("*,sun"));
    let survey = odd.survey(at("2026-11-01T00:00"), &TimeZone::UTC, 366);
    assert_eq!(survey.periods, [true, true, false, false]);
    let always = Timetable { open: vec![period("*")], ..Timetable::default() };
    assert!(!always.survey(at("2026-11-01T00:00"), &TimeZone::UTC, 3000).closes);
}

#[test]
fn clocks_that_are_put_forward_and_back() {
    let nights =
        Timetable { zone: Some(paris()), open: vec![period("2:00-2:59")], ..Timetable::default() };
    let is_open = |time: &str| nights.state(time.parse().unwrap(), &TimeZone::UTC, None).is_open();
    // 29 March 2026: two o'clock does not come; the minute after 1:59 is 3:00.
    assert!(!is_open("2026-03-29T00:59:00Z") && !is_open("2026-03-29T01:00:00Z"));
    // 25 October 2026: it comes twice.
    assert!(is_open("2026-10-25T00:30:00Z") && is_open("2026-10-25T01:30:00Z"));
    assert!(!is_open("2026-10-25T02:00:00Z"));
    // A night that is an hour shorter is open all the same.
    let late = Timetable {
        zone: Some(paris()),
        open: vec![period("22:00-6:00,sat")],
        ..Timetable::default()
    };
    assert!(late.state("2026-03-29T03:59:00Z".parse().unwrap(), &TimeZone::UTC, None).is_open());
    assert!(!late.state("2026-03-29T04:01:00Z".parse().unwrap(), &TimeZone::UTC, None).is_open());
}

#[test]
fn the_next_change_and_whether_it_opens_within_a_year() {
    let office = office();
    let next = |time| office.next_change(at(time), &TimeZone::UTC, 30);
    assert_eq!(next("2026-11-12T09:00"), Some(at("2026-11-12T12:01")));
    // Over a weekend.
    assert_eq!(next("2026-11-13T18:30"), Some(at("2026-11-16T08:30")));
    let opens =
        |timetable: &Timetable, from| timetable.survey(at(from), &TimeZone::UTC, AHEAD).opens;
    assert!(opens(&office, "2026-11-14T00:00"));
    let leap = Timetable { open: vec![period("9:00-10:00,*,29,feb")], ..Timetable::default() };
    assert!(opens(&leap, "2027-06-01T00:00"));
    assert!(!opens(&leap, "2025-06-01T00:00"));
    let never = Timetable { open: vec![period("9:00-10:00,*,31,feb")], ..Timetable::default() };
    assert!(!opens(&never, "2027-06-01T00:00"));
}

#[test]
fn dates_are_days_or_minutes_of_one_year() {
    let bounds = |text: &str| {
        let (first, last) = Dates::parse(text)?.bounds();
        Some((first.to_string(), last.to_string()))
    };
    let told = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
    assert_eq!(bounds("2026-12-24"), told("2026-12-24T00:00:00", "2026-12-24T23:59:00"));
    assert_eq!(
        bounds("2026-12-24 12:30..2027-01-02T8:00"),
        told("2026-12-24T12:30:00", "2027-01-02T08:00:00")
    );
    for wrong in ["", "24.12.2026", "2026-02-29", "2026-12-24..2026-12-23", "2026-12-24 25:00"] {
        assert_eq!(bounds(wrong), None, "{wrong}");
    }
}

const HOLIDAYS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n\
    BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Labour\r\n  Day\\, all day\r\nDTSTART;VALUE=DATE:20200501\r\n\
    RRULE:FREQ=YEARLY\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Meeting\r\nDTSTART;TZID=Europe/Paris:20260105T093000\r\n\
    DTEND;TZID=Europe/Paris:20260105T110000\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20261231T225959Z\r\n\
    EXDATE;TZID=Europe/Paris:20260107T093000\r\nBEGIN:VALARM\r\nTRIGGER:-PT15M\r\nDURATION:PT1M\r\nEND:VALARM\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2\r\nRECURRENCE-ID;TZID=Europe/Paris:20260112T093000\r\nSUMMARY:Moved\r\n\
    DTSTART;TZID=Europe/Paris:20260113T150000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:3\r\nSUMMARY:Last Friday\r\nDTSTART:20260130T160000Z\r\nDURATION:PT2H\r\n\
    RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:4\r\nSUMMARY:Off\r\nSTATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20260202\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:5\r\nSUMMARY:Summer\r\nDTSTART;VALUE=DATE:20260801\r\nDTEND;VALUE=DATE:20260816\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

#[test]
fn events_of_a_calendar_close() {
    let (calendar, errors) = Calendar::parse(HOLIDAYS);
    assert_eq!((calendar.len(), errors), (5, vec![]));
    let event = |time: &str| calendar.event_at(at(time), &paris()).map(ToString::to_string);
    let called = |name: &str| Some(name.to_owned());
    for (time, wanted) in [
        ("2026-05-01T00:00", called("Labour Day, all day")),
        ("2031-05-01T23:59:59", called("Labour Day, all day")),
        ("2031-05-02T00:00", None),
        ("2019-05-01T12:00", None),
        ("2026-01-05T09:29:59", None),
        ("2026-01-05T09:30", called("Meeting")),
        ("2026-01-05T10:59:59", called("Meeting")),
        ("2026-01-05T11:00", None),
        ("2026-01-06T10:00", None),
        // Left out, and moved.
        ("2026-01-07T10:00", None),
        ("2026-01-12T10:00", None),
        ("2026-01-13T15:30", called("Moved")),
        ("2026-07-01T10:00", called("Meeting")),
        ("2026-12-30T10:00", called("Meeting")),
        ("2027-01-04T10:00", None),
        // Three times in all; 16:00 UTC is five in winter, six in summer.
        ("2026-01-30T17:30", called("Last Friday")),
        ("2026-02-27T18:59", called("Last Friday")),
        ("2026-03-27T17:30", called("Last Friday")),
        ("2026-04-24T18:30", None),
        ("2026-02-02T12:00", None),
        ("2026-08-15T23:59", called("Summer")),
        ("2026-08-16T00:00", None),
    ] {
        assert_eq!(event(time), wanted, "{time}");
    }
    let office = Timetable {
        closures: vec![Closure {
            name: "calendar".into(),
            calendars: vec![calendar],
            ..Closure::default()
        }],
        ..office()
    };
    assert_eq!(state(&office, "2026-05-01T10:00"), (false, "calendar".into()));
    assert_eq!(state(&office, "2026-04-30T10:00"), (true, "hours".into()));
    // Over a feast and a weekend, and before a meeting.
    let next = |time| office.next_change(at(time), &TimeZone::UTC, 14);
    assert_eq!(next("2026-04-30T18:30"), Some(at("2026-05-04T08:30")));
    assert_eq!(next("2026-05-04T08:45"), Some(at("2026-05-04T09:30")));
}

#[test]
fn rules_mean_what_the_standard_says_of_them() {
    // From the examples of RFC 5545 §3.8.5.3, by their days.
    type Day = (i16, i8, i8);
    let cases: [(&str, &str, &[Day], &[Day]); 9] = [
        ("19970902", "FREQ=DAILY;COUNT=10", &[(1997, 9, 11)], &[(1997, 9, 12)]),
        (
            "19970902",
            "FREQ=DAILY;INTERVAL=10;COUNT=5",
            &[(1997, 9, 22), (1997, 10, 12)],
            &[(1997, 9, 13), (1997, 10, 22)],
        ),
        (
            "19970902",
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH;COUNT=8",
            &[(1997, 9, 4), (1997, 9, 16), (1997, 10, 16)],
            &[(1997, 9, 9), (1997, 10, 28)],
        ),
        (
            "19970905",
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            &[(1997, 10, 3), (1998, 6, 5)],
            &[(1997, 10, 10), (1998, 7, 3)],
        ),
        (
            "19970907",
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            &[(1997, 9, 28), (1998, 5, 31)],
            &[(1997, 10, 5), (1998, 7, 5)],
        ),
        (
            "19970928",
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            &[(1997, 9, 28), (1997, 10, 29), (1998, 2, 26)],
            &[(1997, 10, 28)],
        ),
        (
            "19970313",
            "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
            &[(1997, 3, 20), (1999, 3, 25)],
            &[(1997, 4, 3), (1998, 3, 6)],
        ),
        (
            "19961105",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            &[(2000, 11, 7), (2004, 11, 2)],
            &[(1998, 11, 3), (2000, 11, 14)],
        ),
        (
            "19970929",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            &[(1997, 10, 30), (1998, 3, 30)],
            &[(1997, 10, 31)],
        ),
    ];
    for (start, rule, takes_place, does_not) in cases {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:{start}\nRRULE:{rule}\nEND:VEVENT\n"
        );
        let (calendar, errors) = Calendar::parse(&text);
        assert_eq!(errors, [], "{rule}");
        let is_on = |&(year, month, number): &Day| {
            let noon = day(year, month, number).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
            calendar.event_at(noon.timestamp(), &TimeZone::UTC).is_some()
        };
        for day in takes_place {
            assert!(is_on(day), "{rule}: {day:?}");
        }
        for day in does_not {
            assert!(!is_on(day), "{rule}: {day:?}");
        }
    }
}

#[test]
fn what_is_wrong_in_a_calendar_is_named_and_the_rest_counts() {
    let told = |text: &str| {
        let (calendar, errors) = Calendar::parse(text);
        (calendar.len(), errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    assert!(told("<html>").1.contains("no calendar"));
    let event = |lines: &str| {
        told(&format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\nEND:VCALENDAR"
        ))
    };
    for (lines, words) in [
        ("SUMMARY:nothing", "line 2: an event without DTSTART"),
        ("DTSTART:2026-01-01", "line 3: \"2026-01-01\" is no date"),
        ("DTSTART:20260230", "no date"),
        ("DTSTART:20260101\nDURATION:1H", "no duration"),
        ("DTSTART:20260101\nRRULE:FREQ=HOURLY", "line 4: the event comes back"),
        ("DTSTART:20260101\nRRULE:INTERVAL=2", "no FREQ"),
        ("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYEASTER=0", "BYEASTER"),
        ("DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=13", "13 is no value"),
    ] {
        let (count, errors) = event(lines);
        assert!(errors.contains(words), "{lines}: {errors}");
        assert_eq!(count, 1, "{lines}");
    }
}
