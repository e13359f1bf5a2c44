//! `rules.conf`: who has which forwarding rules, and what everybody may do.
//!
//! `[general]` holds what holds for all; any other section is a user, a group, a domain or a rule
//! (`type=user|group|domain|rule`).

use std::collections::{BTreeMap, HashMap};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::conf::FileSource;
use diesis_dialplan::diagnostic::{Diagnostic, Severity, Span};
use diesis_dialplan::numbering::NumberingPlan;
use diesis_dialplan::rules::circles::{self, Certainty, Circle};
use diesis_dialplan::rules::rights::Switch;
use diesis_dialplan::rules::{
    BlindForward, Draft, Grant, Owner, PLACEHOLDER, Rights, Rule, RuleError, Rulebook, Settings,
    Supervision, Target, User, Verification, plain_number,
};
use diesis_dialplan::timetable::Timetables;
use diesis_dialplan::world::Database;

use super::codes;
use super::keys;
use super::named::Named;
use super::notes::Notes;
use super::schedules::calendar;
use super::setting::{Block, Setting};
use super::settings::Peer;
use super::value;

/// What rules refer to.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) files: &'a dyn FileSource,
    pub(super) numbering: Option<&'a NumberingPlan>,
    pub(super) timetables: &'a Timetables,
    pub(super) peers: &'a Named<Peer>,
}

/// Reads all sections of the file.
pub(super) fn read(
    sections: &[Block<'_>],
    around: Surroundings<'_>,
    notes: &mut Notes,
) -> Rulebook {
    let mut settings = Settings::default();
    if let Some(numbering) = around.numbering {
        settings.internal_length = numbering.settings().internal_length;
    }
    let mut numbering = None;
    for section in sections.iter().filter(|section| section.is("general")) {
        read_general(section, (&mut settings, &mut numbering), around, notes);
    }
    // Without users yet: it knows how numbers are dialled.
    let mut book = Rulebook::new(settings);
    if let Some(plan) = numbering {
        book = book.with_numbering(plan.clone());
    }
    check_emergency(sections, &book, notes);
    let mut grants: HashMap<(Kind, BString), Grant> = HashMap::new();
    for section in sections {
        let kind = kind(section);
        if matches!(kind, Kind::Group | Kind::Domain) {
            let mut grant = Grant::default();
            section.each(&keys::RULES_GROUP, notes, |name, setting| match name {
                b"type" => {}
                _ => right(name, setting, &mut grant),
            });
            grants.insert((kind, section.name().to_ascii_lowercase().into()), grant);
        }
    }
    let mut written: BTreeMap<BString, Written> = BTreeMap::new();
    let mut numbers: HashMap<BString, BString> = HashMap::new();
    for section in sections {
        match kind(section) {
            Kind::User => {
                let user = user(section, &grants, around, notes);
                for number in &user.numbers {
                    let dialled = book.dialled(number).unwrap_or_else(|_| plain_number(number));
                    let before = numbers.insert(dialled, user.name.clone());
                    if let Some(before) = before.filter(|before| *before != user.name) {
                        let message = format!("number {number} is that of [{before}] already");
                        let help = "the first one has it; give each user a number of its own";
                        notes.error(
                            codes::DEFINED_TWICE,
                            section.place_of("number"),
                            message,
                            help,
                        );
                    }
                }
                if written.contains_key(&user.name) {
                    let message = format!("user [{}] is defined twice", section.name());
                    notes.error(codes::DEFINED_TWICE, section.header, message, "remove one");
                }
                written.insert(user.name.clone(), Written { user, places: HashMap::new() });
            }
            Kind::Other => {
                let message = format!("[{}] is no user, group, domain or rule", section.name());
                let help = "write type=user, type=group, type=domain or type=rule";
                notes.error(codes::SECTION_UNKNOWN, section.place_of("type"), message, help);
            }
            Kind::General | Kind::Group | Kind::Domain | Kind::Rule => {}
        }
    }
    for section in sections.iter().filter(|section| kind(section) == Kind::Rule) {
        rule(section, &mut written, &book, around, notes);
    }
    written.values().for_each(|written| check_order(written, notes));
    let mut places = HashMap::new();
    for Written { user, places: of } in written.into_values() {
        places.extend(of.into_iter().map(|(number, span)| ((user.name.clone(), number), span)));
        book.insert(user);
    }
    for circle in circles::all(&book, &Database::default()) {
        check_circle(&circle, &places, book.settings().circular_level, notes);
    }
    book
}

/// A user with the places of the rules.
struct Written {
    user: User,
    places: HashMap<u32, Span>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    General,
    User,
    Group,
    Domain,
    Rule,
    Other,
}

fn kind(section: &Block<'_>) -> Kind {
    if section.is("general") {
        return Kind::General;
    }
    match section.kind().map(|entry| entry.value().to_ascii_lowercase()).as_deref() {
        Some(b"user") => Kind::User,
        Some(b"group") => Kind::Group,
        Some(b"domain") => Kind::Domain,
        Some(b"rule") => Kind::Rule,
        _ => Kind::Other,
    }
}

fn read_general<'a>(
    section: &Block<'_>,
    (settings, numbering): (&mut Settings, &mut Option<&'a NumberingPlan>),
    around: Surroundings<'a>,
    notes: &mut Notes,
) {
    let mut lacks_plan = false;
    section.each(&keys::RULES, notes, |name, setting| match name {
        b"circularlevel" => setting.number(&mut settings.circular_level, 0..=MOST_LEVEL),
        b"transferverification" => {
            let mut verified = settings.verification == Verification::Verified;
            setting.yes_no(&mut verified);
            settings.verification =
                if verified { Verification::Verified } else { Verification::Blind };
        }
        b"emergencynumber" => match Target::parse(setting.value()) {
            _ if setting.value().is_empty() => settings.emergency = None,
            Some(Target::Number(number)) => settings.emergency = Some(number),
            _ => setting.invalid("a number"),
        },
        b"emergencynumbercalltimes" => {
            setting.number(&mut settings.emergency_times, 0..=MOST_TRIES);
        }
        b"waittimenoreply" => setting.seconds(&mut settings.wait, 1..=LONGEST_WAIT),
        b"waittimenoreplypbx" => setting.seconds(&mut settings.wait_pbx, 1..=LONGEST_WAIT),
        b"internal_length" => setting.number(&mut settings.internal_length, 0..=15),
        b"numbering" => {
            let mut is_read = false;
            setting.yes_no(&mut is_read);
            *numbering = around.numbering.filter(|_| is_read);
            lacks_plan = is_read && around.numbering.is_none();
        }
        b"blind_forward" => match setting.value().to_ascii_lowercase().as_slice() {
            b"dial" => settings.blind = BlindForward::Dial,
            b"refer" => settings.blind = BlindForward::Refer,
            b"redirect" => settings.blind = BlindForward::Redirect,
            _ => setting.invalid("`dial`, `refer` or `redirect`"),
        },
        b"dial" => {
            let is_right =
                setting.value().contains(&b'/') && setting.value().find(PLACEHOLDER).is_some();
            match is_right {
                true => setting.text(&mut settings.dial),
                false => setting.invalid("PJSIP/{number}@pbx, or Local/{number}@internal"),
            }
        }
        _ => setting.judge(),
    });
    if lacks_plan {
        let message = "targets are to be read by numbering.conf, and there is none".to_owned();
        let help = "add one (`diesis numbering export` begins it), or write numbering = no";
        notes.error(codes::FILE_MISSING, section.place_of("numbering"), message, help);
    }
    if settings.verification == Verification::Verified && settings.emergency.is_none() {
        let message = "TRANSFERVERIFICATION has nobody to turn to".to_owned();
        let help = "add EMERGENCYNUMBER; what nobody answers ends in the dialplan as it is";
        notes.warn(codes::CONTRADICTION, section.place_of("TRANSFERVERIFICATION"), message, help);
    }
    if settings.verification == Verification::Verified && settings.blind != BlindForward::Dial {
        let message = "blind_forward has no effect: no forward is blind".to_owned();
        let help = "write TRANSFERVERIFICATION = no; who connects a call itself can not be watched";
        notes.warn(codes::CONTRADICTION, section.place_of("blind_forward"), message, help);
    }
    for peer in around.peers.iter() {
        for (name, value) in &peer.variables {
            let theirs = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
            let is_it = name.trim_start_with(|c| c == '_').eq_ignore_ascii_case(WAIT_OF_PEER);
            if let Some(theirs) = theirs.filter(|it| is_it && *it != settings.wait_pbx.as_secs()) {
                let ours = settings.wait_pbx.as_secs();
                let message = format!(
                    "WAITTIMENOREPLYPBX is {ours}, and [{}] of pjsip.conf waits {theirs} s",
                    peer.name
                );
                let help =
                    "rules of users ring as long as the telephone system does: make them equal";
                let place = section.place_of("WAITTIMENOREPLYPBX");
                notes.warn(codes::CONTRADICTION, place, message, help);
            }
        }
    }
}

/// Takes a right; complains about what is none.
fn right(name: &[u8], setting: Setting<'_>, grant: &mut Grant) {
    let switch = |setting: Setting<'_>, field: &mut Option<bool>| {
        let mut yes = field.unwrap_or_default();
        setting.yes_no(&mut yes);
        *field = Some(yes);
    };
    match name {
        b"authorizesimplerules" => switch(setting, &mut grant.simple_rules),
        b"displaysimplerules" => switch(setting, &mut grant.display),
        b"isuserauthorizedtocreatewithadminrules" => switch(setting, &mut grant.beside_admin),
        b"authorizesupervisioninformation" => match Supervision::parse(setting.value()) {
            Some(supervision) => grant.supervision = Some(supervision),
            None => setting.invalid("`no`, `yes` or `ringing`, or `answered`"),
        },
        b"authorizeinterception" => switch(setting, &mut grant.interception),
        b"authorizesharerulesgroup" => {
            let groups = value::list(setting.value()).map(BStr::to_owned);
            grant.shared_with = Some(groups.collect());
        }
        name if name.starts_with(b"authorizedforward") => {
            let Some(yes) = value::yes_no(setting.value()) else {
                return setting.invalid("`yes` or `no`");
            };
            match grant.set_forward(name, yes) {
                Some(Switch::Set) => {}
                Some(Switch::Ambiguous) => {
                    let message = "`Busy` alone is the user's presence or what the telephone did";
                    let help = "write both, such as AuthorizedForwardAllBusyImmediate or \
                                AuthorizedForwardAllOnlineBusy";
                    let span = setting.span();
                    setting.notes.error(codes::VALUE_INVALID, span, message.to_owned(), help);
                }
                None => {
                    let message = format!("there is no right `{}`", BStr::new(name));
                    let help = "a right is AuthorizedForward, then All, External or Internal, \
                                then Absent, Busy, Calendar, Offline or Online, then Immediate, \
                                Busy or NoAnswer; what is left out stands for all";
                    let span = setting.span();
                    setting.notes.error(codes::SETTING_UNKNOWN, span, message, help);
                }
            }
        }
        _ => setting.judge(),
    }
}

fn user(
    section: &Block<'_>,
    grants: &HashMap<(Kind, BString), Grant>,
    around: Surroundings<'_>,
    notes: &mut Notes,
) -> User {
    let mut user = User { name: section.name().into(), ..User::default() };
    let mut own = Grant::default();
    section.each(&keys::RULES_USER, notes, |name, setting| match name {
        b"type" => {}
        b"number" => user.numbers.extend(value::list(setting.value()).map(BStr::to_owned)),
        b"device" => match setting.value().contains(&b'/') {
            true => setting.optional_text(&mut user.device),
            false => setting.invalid("a telephone as Dial takes it, such as PJSIP/1001"),
        },
        b"watch" => match setting.value().iter().any(|byte| b"/:".contains(byte)) {
            true => setting.optional_text(&mut user.watch),
            false => setting.invalid("a device, such as PJSIP/1001 or Custom:boss"),
        },
        b"group" => of_kind(setting, Kind::Group, grants, &mut user.group),
        b"domain" => of_kind(setting, Kind::Domain, grants, &mut user.domain),
        b"schedule" => schedule(setting, around.timetables, &mut user.schedule),
        b"calendar" => user.calendars.extend(calendar(setting, around.files)),
        _ => right(name, setting, &mut own),
    });
    if section.name().iter().any(|byte| b"/,;=\" ".contains(byte)) {
        let message = format!("[{}] can not be a user's name", section.name());
        let help = "take letters, digits, dots, dashes and underscores";
        notes.error(codes::VALUE_INVALID, section.header, message, help);
    }
    let of = |kind: Kind, name: &Option<BString>| {
        grants.get(&(kind, name.as_ref()?.to_ascii_lowercase().into()))
    };
    let wider = [of(Kind::Domain, &user.domain), of(Kind::Group, &user.group)];
    user.rights = Rights::of(wider.into_iter().flatten().chain([&own]));
    user
}

fn of_kind(
    setting: Setting<'_>,
    kind: Kind,
    grants: &HashMap<(Kind, BString), Grant>,
    field: &mut Option<BString>,
) {
    let name: BString = setting.value().to_ascii_lowercase().into();
    if grants.contains_key(&(kind, name)) {
        return setting.optional_text(field);
    }
    let what = if kind == Kind::Group { "group" } else { "domain" };
    let message = format!("there is no {what} [{}]", setting.value());
    let help = format!("add a section with type={what}");
    let span = setting.span();
    setting.notes.error(codes::NAME_UNRESOLVED, span, message, &help);
}

fn schedule(setting: Setting<'_>, timetables: &Timetables, field: &mut Option<BString>) {
    if timetables.get(setting.value()).is_some() {
        return setting.optional_text(field);
    }
    let message = format!("there is no schedule [{}] in schedules.conf", setting.value());
    let span = setting.span();
    let help = "add it there, or correct the name";
    setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
}

/// Reads a rule and gives it to its users.
fn rule(
    section: &Block<'_>,
    written: &mut BTreeMap<BString, Written>,
    book: &Rulebook,
    around: Surroundings<'_>,
    notes: &mut Notes,
) {
    let (mut whose, mut number): (Vec<BString>, u32) = (vec![], 0);
    let mut scheduled = None;
    let mut draft = Draft::new(0, Owner::Admin);
    section.each(&keys::RULES_RULE, notes, |name, setting| match name {
        b"type" => {}
        b"priority" => setting.number(&mut number, 1..=MOST_RULES),
        b"user" => {
            let mut setting = setting;
            for name in value::list(setting.value()) {
                match written.keys().find(|known| known.eq_ignore_ascii_case(name)) {
                    Some(known) => whose.push(known.clone()),
                    None => absent(&mut setting, "user", name),
                }
            }
        }
        b"group" => {
            let is_in = |user: &User| {
                user.group.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(setting.value()))
            };
            let before = whose.len();
            let members = written.values().map(|it| &it.user).filter(|user| is_in(user));
            whose.extend(members.map(|user| user.name.clone()));
            if whose.len() == before {
                let mut setting = setting;
                let name = setting.value().to_owned();
                absent(&mut setting, "member of a group", name.as_bstr());
            }
        }
        b"schedule" => schedule(setting, around.timetables, &mut scheduled),
        b"active" | b"editable" | b"origin" | b"presence" | b"forward" | b"caller"
        | b"announcement" | b"target" => match draft.set(name, setting.value()) {
            Ok(()) => {}
            Err(RuleError::Value(expected)) => setting.invalid(expected),
            Err(error) => setting.invalid(&error.to_string()),
        },
        _ => setting.judge(),
    });
    for (is_missing, name, help) in [
        (
            !section.has("user") && !section.has("group"),
            "user",
            "say whose it is, such as user=boss",
        ),
        (!section.has("priority"), "priority", "the lowest is asked first, such as priority=10"),
        (!section.has("target"), "target", "a number, Goto(context,extension,1) or Hangup()"),
    ] {
        if is_missing {
            let message = format!("rule [{}] has no `{name}`", section.name());
            notes.error(codes::SETTING_MISSING, section.header, message, help);
        }
    }
    if let Some(name) = scheduled {
        let _ = draft.set(b"schedule", &name);
    }
    let _ = draft.set(b"name", section.name());
    let Ok(rule) = draft.finish() else { return };
    if let Target::Number(number) = &rule.target {
        let place = section.place_of("target");
        if book.settings().dial.is_empty() {
            let message = "nothing says how numbers are dialled".to_owned();
            let help = "add dial to [general], such as dial = PJSIP/{number}@pbx";
            let diagnostic = Diagnostic::error(codes::SETTING_MISSING, place, message);
            notes.once(diagnostic.with_help(help));
        }
        check_number(book, number, place, notes);
    }
    for name in whose {
        let Some(Written { user, places }) = written.get_mut(&name) else { continue };
        if let Some(before) = user.rules.get(&number) {
            let message =
                format!("{name} has a rule of priority {number} already: [{}]", before.name);
            let help = "give each rule of a user a priority of its own: it is the rule's number";
            notes.error(codes::DEFINED_TWICE, section.place_of("priority"), message, help);
        }
        places.insert(number, section.header);
        user.rules.insert(number, Rule { number, ..rule.clone() });
    }
}

fn absent(setting: &mut Setting<'_>, what: &str, name: &BStr) {
    let message = format!("there is no {what} [{name}]");
    let span = setting.span();
    let help = "add a section with type=user, or correct the name";
    setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
}

/// Says of a number that the numbering plan can not read it.
fn check_number(book: &Rulebook, number: &BString, place: Span, notes: &mut Notes) {
    if let Err(error) = book.dialled(number) {
        let help = "write it as people do, +33 1 55 17 18 89; `diesis numbering test out NUMBER` \
                    tells what becomes of one";
        notes.error(codes::VALUE_INVALID, place, error.to_string(), help);
    }
}

/// Says what keeps the emergency number from being called.
fn check_emergency(sections: &[Block<'_>], book: &Rulebook, notes: &mut Notes) {
    let settings = book.settings();
    let Some(number) = &settings.emergency else { return };
    let general = sections.iter().find(|section| section.is("general"));
    let Some(place) = general.map(|section| section.place_of("EMERGENCYNUMBER")) else { return };
    check_number(book, number, place, notes);
    if settings.dial.is_empty() {
        let message = "nothing says how the emergency number is dialled".to_owned();
        let help = "add dial to [general], such as dial = PJSIP/{number}@pbx";
        notes.error(codes::SETTING_MISSING, place, message, help);
    }
}

/// Says which rules are never asked, since one before them takes all their calls.
fn check_order(written: &Written, notes: &mut Notes) {
    let rules: Vec<&Rule> = written.user.rules.values().filter(|rule| rule.active).collect();
    for (index, rule) in rules.iter().enumerate() {
        let takes_all = |before: &&&Rule| {
            let same_side = before.origin == rule.origin
                || before.origin == diesis_dialplan::rules::Origin::All;
            before.moment == rule.moment
                && same_side
                && (before.presence.is_none() || before.presence == rule.presence)
                && before.callers.is_empty()
                && before.schedule.is_none()
                && !before.editable
        };
        let Some(before) = rules[..index].iter().find(takes_all) else { continue };
        let Some(place) = written.places.get(&rule.number) else { continue };
        let (name, first) = (&rule.name, &before.name);
        let message = format!(
            "rule [{name}] of {} is never asked: [{first}] takes its calls",
            written.user.name
        );
        let help = "give it a lower priority number, or narrow the other one";
        notes.warn(codes::RULE_UNREACHABLE, *place, message, help);
    }
}

fn check_circle(
    circle: &Circle,
    places: &HashMap<(BString, u32), Span>,
    level: usize,
    notes: &mut Notes,
) {
    let Some(place) = circle.hops.iter().find_map(|hop| places.get(hop)) else { return };
    let length = circle.len();
    let (severity, message, help) = match circle.certainty {
        Certainty::Always if length <= level => (
            Severity::Error,
            format!("calls go in a circle: {circle}"),
            "break it: no call would be forwarded".to_owned(),
        ),
        _ if length <= level => (
            Severity::Warning,
            format!("calls may go in a circle: {circle}"),
            "calls that would are not forwarded, and stay where they are".to_owned(),
        ),
        _ => (
            Severity::Warning,
            format!("calls may go in a circle: {circle}"),
            format!(
                "CIRCULARLEVEL is {level}: such calls are sent on up to ten times; make it {length}"
            ),
        ),
    };
    notes.push(Diagnostic::new(severity, codes::RULES_CIRCLE, message).at(*place).with_help(help));
}

/// CIRCULARLEVEL.
const MOST_LEVEL: u32 = diesis_dialplan::rules::MOST_FORWARDS as u32;
/// EMERGENCYNUMBERCALLTIMES.
const MOST_TRIES: u32 = 20;
/// WAITTIMENOREPLY, in seconds.
const LONGEST_WAIT: u32 = 600;
/// Rules' numbers.
const MOST_RULES: u32 = 9999;
/// A variable of a peer (`set_var`): how long that telephone system lets ring.
const WAIT_OF_PEER: &[u8] = b"WAITTIMENOREPLYPBX";

#[cfg(test)]
mod tests {
    use diesis_dialplan::conf::MemoryFiles;

    use crate::config::{Configuration, Loaded};

    /// All that is said of a rules.conf, beside a telephone system that waits for 15 s.
    fn said(text: &str) -> String {
        let pjsip = "[pbx]\ntype=endpoint\ncontext=in\nset_var=WAITTIMENOREPLYPBX=15\n";
        let schedules = "[office]\ntype=schedule\nopen=9:00-17:00,mon-fri\n";
        let files = MemoryFiles::new()
            .with("pjsip.conf", pjsip)
            .with("extensions.conf", "[in]\nexten => s,1,Rules()\n")
            .with("schedules.conf", schedules)
            .with("rules.conf", text);
        let loaded = Configuration::load(&files);
        let told = loaded.findings().map(|it| it.to_string());
        let told: Vec<String> = told.filter(|it| it.contains("rules.conf")).collect();
        assert_eq!(loaded.is_refused(), told.iter().any(|it| it.contains("error[")), "{told:?}");
        told.join("\n")
    }

    const GENERAL: &str = "[general]\nCIRCULARLEVEL=2\nTRANSFERVERIFICATION=yes\n\
        EMERGENCYNUMBER=9\nEMERGENCYNUMBERCALLTIMES=2\nWAITTIMENOREPLY=20\nWAITTIMENOREPLYPBX=15\n\
        dial=PJSIP/{number}@pbx\n";
    const USERS: &str = "[company]\ntype=domain\nAuthorizedForward=yes\n[chiefs]\ntype=group\n\
        AuthorizeSimpleRules=yes\nAuthorizeShareRulesGroup=desk\nAuthorizeInterception=yes\n\
        [boss]\ntype=user\nnumber=1001,0144551001\ndevice=PJSIP/1001\ngroup=chiefs\n\
        domain=company\nschedule=office\nAuthorizedForwardInternal=no\n\
        [bob]\ntype=user\nnumber=1002\n";

    #[test]
    fn rul_1_users_rights_and_rules_are_read() {
        let rules = "[away]\ntype=rule\nuser=boss\npriority=10\norigin=external\npresence=absent\n\
            forward=immediate\nannouncement=away\ntarget=1002\n\
            [late]\ntype=rule\ngroup=chiefs\npriority=20\nforward=noanswer\ntarget=Goto(vm,s,1)\n";
        let text = [GENERAL, USERS, rules].concat();
        assert_eq!(said(&text), "");
        let files = MemoryFiles::new()
            .with("schedules.conf", "[office]\ntype=schedule\nopen=*\n")
            .with("extensions.conf", "[in]\nexten => s,1,Rules()\n")
            .with("rules.conf", text.as_str());
        let configuration = Configuration::load(&files).configuration;
        let boss = configuration.plan.rules().user(b"0144551001").expect("there");
        let told: Vec<String> = boss.rules.values().map(|it| it.write().to_string()).collect();
        assert_eq!(
            told,
            [
                "active=yes;editable=no;origin=external;presence=absent;forward=immediate;\
                 announcement=away;target=1002",
                "active=yes;editable=no;origin=all;presence=any;forward=noanswer;\
                 target=Goto(vm,s,1)"
            ]
        );
        assert!(boss.rights.simple_rules && boss.rights.interception);
        assert_eq!(boss.rights.shared_with, ["desk"]);
    }

    #[test]
    fn rul_3_a_circle_is_refused_or_warned_of_at_load() {
        let rule = |user: &str, target: &str, more: &str| {
            format!(
                "[{user}-{target}]\ntype=rule\nuser={user}\npriority=1\ntarget={target}\n{more}\n"
            )
        };
        let circle = |level: u32, more: &str| {
            let general = GENERAL.replace("LEVEL=2", &format!("LEVEL={level}"));
            said(&[&general, USERS, &rule("boss", "1002", ""), &rule("bob", "1001", more)].concat())
        };
        let certain = circle(2, "");
        assert!(
            certain.contains(
                "error[C021]: calls go in a circle: bob -[rule 1]-> boss -[rule 1]-> bob"
            ),
            "{certain}"
        );
        let possible = circle(2, "forward=busy");
        assert!(possible.contains("warning[C021]: calls may go in a circle"), "{possible}");
        let unseen = circle(1, "");
        assert!(unseen.contains("warning[C021]") && unseen.contains("make it 2"), "{unseen}");
        assert!(circle(2, "active=no").is_empty());
    }

    /// A rules.conf whose targets numbering.conf reads, with all that is said of it.
    fn numbered(text: &str) -> (Loaded, String) {
        let files = MemoryFiles::new()
            .with("numbering.conf", "[general]\n")
            .with("extensions.conf", "[in]\nexten => s,1,Rules()\n")
            .with("rules.conf", [&GENERAL.replace("dial=", "numbering=yes\ndial="), text].concat());
        let loaded = Configuration::load(&files);
        let told = loaded.findings().map(|it| it.to_string());
        let told: Vec<String> = told.filter(|it| it.contains("rules.conf")).collect();
        (loaded, told.join("\n"))
    }

    const PEOPLE: &str = "[boss]\ntype=user\nnumber=+33155171889\n\
        [bob]\ntype=user\nnumber=00155171890\n";

    #[test]
    fn rul_1_targets_are_written_as_people_write_numbers_where_a_plan_reads_them() {
        let rules = "[r]\ntype=rule\nuser=boss\npriority=1\ntarget=+42 (0)14 190 66 66\n\
                     [s]\ntype=rule\nuser=boss\npriority=2\nforward=busy\ntarget=4092\n";
        let (loaded, told) = numbered(&[PEOPLE, rules].concat());
        assert_eq!(told, "");
        let book = loaded.configuration.plan.rules();
        let dialled = book.user(b"boss").expect("there").rules.values().map(|rule| {
            let number = rule.target.write();
            book.dial_string(&number).to_string()
        });
        assert_eq!(dialled.collect::<Vec<_>>(), ["PJSIP/00042141906666@pbx", "PJSIP/4092@pbx"]);
        let named = |number: &str| book.user_of(number.as_bytes()).map(|it| it.name.to_string());
        for number in ["+33155171889", "00155171889", "+33 (0)1 55 17 18 89", "01 55 17 18 89"] {
            assert_eq!(named(number).as_deref(), Some("boss"), "{number}");
        }
        assert_eq!(named("+33 1 55 17 18 90").as_deref(), Some("bob"));
        assert_eq!(named("+33 1 55 17 18 91"), None);
    }

    #[test]
    fn rul_3_a_circle_is_found_however_its_numbers_are_written() {
        let rules = "[r]\ntype=rule\nuser=boss\npriority=1\ntarget=01 55 17 18 90\n\
                     [s]\ntype=rule\nuser=bob\npriority=1\ntarget=00155171889\n";
        let (_, told) = numbered(&[PEOPLE, rules].concat());
        let circle = "calls go in a circle: bob -[rule 1]-> boss -[rule 1]-> bob";
        assert!(told.contains(&format!("error[C021]: {circle}")), "{told}");
    }

    #[test]
    fn what_no_numbering_plan_can_read_is_refused_by_name() {
        let rule = |target: &str| {
            let text = format!("[r]\ntype=rule\nuser=boss\npriority=1\ntarget={target}\n");
            let (loaded, told) = numbered(&[PEOPLE, &text].concat());
            assert!(loaded.is_refused(), "{target}: {told}");
            told
        };
        assert!(rule("desk1").contains("error[C004]: desk1 is no number"));
        assert!(rule("desk1").contains("rules.conf:20:8: "), "{}", rule("desk1"));
        assert!(rule("+331551718891234567").contains("more than 15 digits"));
        let (_, told) = numbered("[u]\ntype=user\nnumber=1\n[v]\ntype=user\nnumber=+331,1\n");
        assert!(told.contains("number 1 is that of [u] already"), "{told}");
        let told = said(&GENERAL.replace("dial=", "numbering=yes\ndial="));
        assert!(told.contains("rules.conf:8:11: error[C014]: targets are to be read"), "{told}");
        let text =
            GENERAL.replace("NUMBER=9", "NUMBER=help9").replace("dial=", "numbering=yes\ndial=");
        let files = MemoryFiles::new().with("numbering.conf", "").with("rules.conf", text);
        let told: String =
            Configuration::load(&files).findings().map(|it| it.to_string()).collect();
        assert!(told.contains("help9 is no number"), "{told}");
    }

    #[test]
    fn rul_5_waiting_other_than_the_telephone_system_is_told() {
        let told = said(&[&GENERAL.replace("PBX=15", "PBX=25"), USERS].concat());
        assert!(
            told.contains("WAITTIMENOREPLYPBX is 25, and [pbx] of pjsip.conf waits 15 s"),
            "{told}"
        );
        assert!(told.contains("rules.conf:7:"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_a_remedy() {
        let rule = "[r]\ntype=rule\nuser=boss\npriority=10\ntarget=1002\n";
        for (text, words) in [
            ("[x]\ntype=usr\n", "is no user, group, domain or rule"),
            ("[r]\ntype=rule\nuser=boss\npriority=1\n", "rule [r] has no `target`"),
            ("[r]\ntype=rule\nuser=boss\ntarget=1\n", "rule [r] has no `priority`"),
            ("[r]\ntype=rule\npriority=1\ntarget=1\n", "rule [r] has no `user`"),
            ("[r]\ntype=rule\nuser=bos\npriority=1\ntarget=1\n", "there is no user [bos]"),
            ("[r]\ntype=rule\nuser=boss\npriority=1\ntarget=Dial(x)\n", "error[C004]"),
            ("[r]\ntype=rule\nuser=boss\npriority=1\norigin=here\n", "all, external or internal"),
            ("[r]\ntype=rule\nuser=boss\npriority=1\nschedule=x\n", "there is no schedule [x]"),
            ("[r]\ntype=rule\nuser=boss\npriority=1\ntargt=1\n", "did you mean `target`"),
            ("[u]\ntype=user\nnumber=1001\n", "number 1001 is that of"),
            ("[u]\ntype=user\ngroup=x\n", "there is no group [x]"),
            ("[u]\ntype=user\nAuthorizedForwardBusy=yes\n", "AuthorizedForwardAllBusyImmediate"),
            ("[u]\ntype=user\nAuthorizedForwardNever=yes\n", "what is left out stands for all"),
            ("[u]\ntype=user\ncalendar=none.ics\n", "can not be read"),
            ("[general]\nCIRCULARLEVEL=11\n", "a whole number from 0 to 10"),
            ("[general]\nEMERGENCYNUMBER=none\n", "expected a number"),
            ("[general]\nblind_forward=bye\n", "`dial`, `refer` or `redirect`"),
            ("[general]\ndial=pbx\n", "PJSIP/{number}@pbx"),
            (rule.replace("10", "20").as_str(), "rule [r] of boss is never asked"),
            (rule, "boss has a rule of priority 10 already"),
        ] {
            let first = "[first]\ntype=rule\nuser=boss\npriority=10\ntarget=1002\n";
            let told = said(&[GENERAL, USERS, first, text].concat());
            assert!(told.contains(words), "{text}: {told}");
        }
        let told = said(&[USERS, rule].concat());
        assert!(told.contains("nothing says how numbers are dialled"), "{told}");
        let told = said("[general]\nTRANSFERVERIFICATION=yes\nblind_forward=refer\n");
        assert!(told.contains("blind_forward has no effect: no forward is blind"), "{told}");
        let told = said("[general]\nTRANSFERVERIFICATION=yes\n");
        assert!(told.contains("has nobody to turn to"), "{told}");
    }
}
