//! `videoshare.conf`: conferences with a master.
//!
//! A section is a room; templates and `(+)` work as in every file. `master` and each `participant`
//! begin with a number, and go on with `name=`, `role=`, `pin=` and `dial=`, separated by commas.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice, ByteVec};
use diesis_dialplan::ast::StatementKind;
use diesis_dialplan::conf::Conf;
use diesis_dialplan::diagnostic::{Diagnostic, Span};
use diesis_dialplan::operation::Digit;
use diesis_dialplan::parser;
use diesis_dialplan::plan::Plan;
use diesis_dialplan::videoshare::{
    Ending, Fallback, Guests, MediaServer, Person, Pin, PinRule, Role, Room, Rooms, Unreached, Way,
    When, number,
};

use super::codes;
use super::keys;
use super::notes::Notes;
use super::robots::RobotRange;
use super::setting::{Block, Setting};
use super::settings::{ConferenceSettings, SipSettings};
use super::value::{self, nearest};
use crate::sip::Uri;

/// What rooms refer to.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) sip: &'a SipSettings,
    pub(super) conferences: &'a ConferenceSettings,
    pub(super) plan: Option<&'a Plan>,
    /// Where reports are, unless their path begins at the root.
    pub(super) logs: Option<&'a Path>,
}

/// Reads all sections of the file.
pub(super) fn read(sections: &[Block<'_>], around: Surroundings<'_>, notes: &mut Notes) -> Rooms {
    let mut rooms = Rooms::default();
    let mut numbers: HashMap<BString, BString> = HashMap::new();
    for section in sections {
        if section.is("general") {
            if !section.is_empty() {
                let message =
                    "[general] of videoshare.conf is no room and has no effect".to_owned();
                let help = "write what rooms share into a template: [all](!), then [board](all)";
                notes.warn(codes::SECTION_UNKNOWN, section.header, message, help);
            }
            continue;
        }
        let name = section.name();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        if !name.iter().all(is_plain) || name.is_empty() {
            let message = format!("[{name}] is no name for a room");
            let help = "use letters, digits, `_` and `-`";
            notes.error(codes::VALUE_INVALID, section.header, message, help);
            continue;
        }
        let Some(room) = Reader::new(section, around).read(notes) else { continue };
        if rooms.named(name).is_some() {
            let message = format!("there are two rooms [{name}]");
            let help = "give one another name, or add to the first with [name](+)";
            notes.error(codes::DEFINED_TWICE, section.header, message, help);
        }
        if let Some(number) = &room.number
            && let Some(other) = numbers.insert(number.clone(), name.into())
        {
            let message = format!("number {number} is that of room [{other}] already");
            let help = "a number leads into one room";
            notes.error(codes::DEFINED_TWICE, section.place_of("number"), message, help);
        }
        rooms.insert(room);
    }
    rooms
}

/// A warning at each place of the dialplan that asks for a room which does not exist.
pub(super) fn unresolved(conf: &Conf, rooms: &Rooms) -> Vec<Diagnostic> {
    let mut diagnostics = vec![];
    for entry in conf.sections().flat_map(|section| section.entries()) {
        let statement = parser::parse(entry);
        let StatementKind::Step(step) = &statement.kind else { continue };
        let value = entry.value();
        if !value[step.application.clone()].eq_ignore_ascii_case(b"VideoShare") {
            continue;
        }
        let arguments = &value[step.arguments.clone()];
        let name = arguments.split_str(",").next().unwrap_or_default().trim_ascii().as_bstr();
        let is_literal = !name.is_empty() && !name.contains(&b'$');
        if is_literal && rooms.named(name).or_else(|| rooms.numbered(name)).is_none() {
            let span = entry.part_span(step.arguments.clone());
            let message = format!("there is no room [{name}] in videoshare.conf");
            let warning = Diagnostic::warning(codes::NAME_UNRESOLVED, span, message);
            diagnostics.push(warning.with_help("the call goes on behind VideoShare()"));
        }
    }
    diagnostics
}

/// One room on its way.
struct Reader<'a> {
    section: &'a Block<'a>,
    around: Surroundings<'a>,
    room: Room,
    master: Option<Person>,
    has_guests: bool,
    pin: Option<Pin>,
    server: Option<BString>,
    endpoint: Option<BString>,
    fallback: Fallback,
    ends_with_master: bool,
    grace: Duration,
}

impl<'a> Reader<'a> {
    fn new(section: &'a Block<'a>, around: Surroundings<'a>) -> Self {
        Self {
            section,
            around,
            room: Room::new(section.name(), Person::new("")),
            master: None,
            has_guests: false,
            pin: None,
            server: None,
            endpoint: None,
            fallback: Fallback::None,
            ends_with_master: true,
            grace: Duration::ZERO,
        }
    }

    fn read(mut self, notes: &mut Notes) -> Option<Room> {
        let section = self.section;
        let mut places = vec![];
        section.each(&keys::VIDEOSHARE, notes, |name, setting| match name {
            b"master" => self.master = person(setting),
            b"participant" => {
                let span = setting.span();
                if let Some(person) = person(setting) {
                    places.push(span);
                    self.room.people.push(person);
                }
            }
            _ => self.set(name, setting),
        });
        // The first is the master's place.
        if self.room.people.len() > 1 + MOST_LISTED {
            let message = format!("[{}] has more than {MOST_LISTED} participants", section.name());
            let help = "spread them over several rooms";
            notes.error(codes::VALUE_INVALID, section.header, message, help);
            return None;
        }
        let Some(master) = self.master.take() else {
            let message = format!("room [{}] has no master", section.name());
            let help = "add master = NUMBER, name=WHO, pin=DIGITS";
            notes.error(codes::SETTING_MISSING, section.place_of("master"), message, help);
            return None;
        };
        self.room.people[0] = master;
        places.insert(0, section.place_of("master"));
        self.finish(&places, notes);
        Some(self.room)
    }

    fn set(&mut self, name: &[u8], setting: Setting<'_>) {
        let room = &mut self.room;
        match name {
            b"number" => called(setting, &mut room.number),
            b"guests" => setting.yes_no(&mut self.has_guests),
            b"guest_role" => word(setting, &mut room.guest_role, &ROLES),
            b"pin" => match Pin::parse(setting.value()) {
                Some(pin) => self.pin = Some(pin),
                None => bad_pin(setting),
            },
            b"pin_required" => word(setting, &mut room.pin, &PIN_RULES),
            b"dial" => setting.optional_text(&mut room.calling.dial),
            b"pool" => setting.optional_text(&mut room.calling.pool),
            b"caller_number" => called(setting, &mut room.calling.caller),
            b"call" => word(setting, &mut room.calling.when, &WHENS),
            b"ring_time" => setting.seconds(&mut room.calling.ring, 1..=600),
            b"retries" => setting.number(&mut room.calling.retries, 0..=100),
            b"retry_delay" => setting.seconds(&mut room.calling.retry_delay, 1..=86_400),
            b"retry_on" => reasons(setting, &mut room.calling.retry_on),
            b"accept_key" => key(setting, &mut room.invitation.accept),
            b"refuse_key" => key(setting, &mut room.invitation.refuse),
            b"invitation_times" => setting.number(&mut room.invitation.times, 1..=20),
            b"invitation_wait" => setting.seconds(&mut room.invitation.wait, 1..=60),
            b"max_people" => {
                let mut most = 0;
                setting.number(&mut most, 0..=2000);
                room.limits.people = Some(most).filter(|most| *most > 0);
            }
            b"max_duration" => setting.optional_seconds(&mut room.limits.duration, A_WEEK),
            b"wait_for_master" => setting.optional_seconds(&mut room.limits.wait, A_WEEK),
            b"end_with_master" => setting.yes_no(&mut self.ends_with_master),
            b"grace" => setting.seconds(&mut self.grace, 0..=86_400),
            b"music_class" => setting.optional_text(&mut room.music),
            b"announce_count" => setting.yes_no(&mut room.announces_count),
            b"record" => setting.yes_no(&mut room.records),
            b"bridge_profile" => setting.optional_text(&mut room.bridge_profile),
            b"media_server" => setting.optional_text(&mut self.server),
            b"media_endpoint" => setting.optional_text(&mut self.endpoint),
            b"fallback" => word(setting, &mut self.fallback, &FALLBACKS),
            b"report" => {
                let path = setting.value().to_path_lossy();
                let path = self.around.logs.map_or_else(|| path.to_path_buf(), |to| to.join(&path));
                let is_named = !setting.value().is_empty();
                room.report = is_named.then(|| Vec::from_path_lossy(&path).into_owned().into());
            }
            _ => self.set_sound(name, setting),
        }
    }

    fn set_sound(&mut self, name: &[u8], setting: Setting<'_>) {
        let sounds = &mut self.room.sounds;
        let field = match name {
            b"sound_invitation" => &mut sounds.invitation,
            b"sound_get_pin" => &mut sounds.get_pin,
            b"sound_wrong_pin" => &mut sounds.wrong_pin,
            b"sound_not_invited" => &mut sounds.not_invited,
            b"sound_full" => &mut sounds.full,
            b"sound_no_master" => &mut sounds.no_master,
            b"sound_ended" => &mut sounds.ended,
            b"sound_no_server" => &mut sounds.no_server,
            b"sound_get_number" => &mut sounds.get_number,
            b"sound_calling" => &mut sounds.calling,
            b"sound_refused" => &mut sounds.refused,
            _ => match ROOM_SOUNDS.iter().find(|(ours, _)| ours.as_bytes() == name) {
                Some((_, sound)) => {
                    sounds.room.retain(|(other, _)| other != sound);
                    return sounds.room.push((*sound, setting.value().into()));
                }
                None => return setting.judge(),
            },
        };
        setting.text(field);
    }

    /// What settings mean together.
    fn finish(&mut self, places: &[Span], notes: &mut Notes) {
        self.room.ending = match self.ends_with_master {
            true => Ending::WithMaster { grace: self.grace },
            false => Ending::WithLast,
        };
        self.room.guests = match (self.pin.take(), self.has_guests) {
            (Some(pin), _) => Guests::WithPin(pin),
            (None, true) => Guests::Anyone,
            (None, false) => Guests::Nobody,
        };
        self.check_people(places, notes);
        self.take_pool(notes);
        self.check_calling(notes);
        self.check_server(notes);
        let (section, room) = (self.section, &self.room);
        if let Some(profile) = &room.bridge_profile
            && self.around.conferences.bridges.get(profile.as_bstr()).is_none()
        {
            let message = format!("there is no bridge profile [{profile}] in confbridge.conf");
            let help = "add it with type=bridge, or leave bridge_profile out";
            let span = section.place_of("bridge_profile");
            notes.error(codes::NAME_UNRESOLVED, span, message, help);
        }
        if let Some(most) = room.limits.people.filter(|most| *most < room.people.len()) {
            let listed = room.people.len();
            let message = format!("{listed} people are listed, and {most} may come");
            let help = "whoever comes later hears that the conference is full";
            notes.warn(codes::CONTRADICTION, section.place_of("max_people"), message, help);
        }
    }

    fn check_people(&self, places: &[Span], notes: &mut Notes) {
        let people = &self.room.people;
        let mut numbers: HashMap<&BString, ()> = HashMap::new();
        for (index, (person, place)) in people.iter().zip(places).enumerate() {
            if numbers.insert(&person.number, ()).is_some() {
                let message = format!("number {} is listed twice", person.number);
                let help = "each number is one person";
                notes.error(codes::DEFINED_TWICE, *place, message, help);
            }
            let Some(pin) = &person.pin else { continue };
            let is_taken = people[..index].iter().any(|other| other.pin.as_ref() == Some(pin))
                || self.room.guests == Guests::WithPin(pin.clone());
            if is_taken {
                let message = format!("{} has somebody else's PIN", person.number);
                let help = "a PIN tells who somebody is: give each another one";
                notes.error(codes::DEFINED_TWICE, *place, message, help);
            }
        }
    }

    /// People are called as robots of the pool.
    fn take_pool(&mut self, notes: &mut Notes) {
        let (section, calling) = (self.section, &mut self.room.calling);
        let Some(pool) = &calling.pool else { return };
        let span = section.place_of("pool");
        let is_its = |range: &&RobotRange| range.pool.eq_ignore_ascii_case(pool);
        let ranges = self.around.sip.robots.iter().filter(is_its);
        if ranges.clone().next().is_none() {
            let message = format!("no range of robots.conf is of the application {pool}");
            let help = "add application = NAME to a range, and name it here";
            notes.error(codes::NAME_UNRESOLVED, span, message, help);
        }
        if calling.dial.is_some() {
            let message = "both `pool` and `dial` say how people are called".to_owned();
            let help = "leave one of them out";
            return notes.error(codes::CONTRADICTION, span, message, help);
        }
        let dial: [&[u8]; 3] = [b"Robot/", pool, b"/${NUMBER}"];
        calling.dial = Some(dial.concat().into());
        if calling.caller.is_some() {
            let message = "`caller_number` is not shown: robots call with their own numbers";
            let help = "leave it out";
            let span = section.place_of("caller_number");
            notes.warn(codes::CONTRADICTION, span, message.to_owned(), help);
        }
        let lines: usize = ranges.map(|range| range.numbers.len() * range.lines as usize).sum();
        let called = self.room.people.iter().filter(|it| it.way.is_called()).count();
        if (1..called).contains(&lines) {
            let message = format!(
                "{called} people are called, and the robots of {pool} take {lines} at a time"
            );
            let help = "a robot is busy while the one it called is there: give them more lines";
            notes.warn(codes::CONTRADICTION, span, message, help);
        }
    }

    fn check_calling(&self, notes: &mut Notes) {
        let (section, calling) = (self.section, &self.room.calling);
        let invitation = &self.room.invitation;
        if invitation.accept.is_some() && invitation.accept == invitation.refuse {
            let message = "the same key accepts and declines".to_owned();
            let help = "give refuse_key another one, or `none`";
            notes.error(codes::CONTRADICTION, section.place_of("refuse_key"), message, help);
        }
        let listed = self.room.people.iter().skip(1).any(|it| it.way.is_called());
        match &calling.dial {
            None if listed && calling.when != When::Asked => {
                let message = "participants are to be called, and nothing says how".to_owned();
                let help = "add dial = PJSIP/${NUMBER}@TRUNK, dial = Local/${NUMBER}@CONTEXT or pool = ROBOTS, \
                            or give participants dial=in";
                notes.error(codes::SETTING_MISSING, section.header, message, help);
            }
            None => {}
            Some(dial) => self.check_dial(dial.as_ref(), notes),
        }
    }

    fn check_dial(&self, dial: &BStr, notes: &mut Notes) {
        let span = self.section.place_of("dial");
        let Some((technology, resource)) = dial.split_once_str("/") else {
            let message = format!("`{dial}` is no destination");
            let help = "expected PJSIP/${NUMBER}@TRUNK or Local/${NUMBER}@CONTEXT";
            return notes.error(codes::VALUE_INVALID, span, message, help);
        };
        if !resource.contains_str("${NUMBER}") {
            let message =
                "`dial` has no ${NUMBER}: it would call the same for everybody".to_owned();
            let help = "put ${NUMBER} where the number of whom is called belongs";
            return notes.error(codes::VALUE_INVALID, span, message, help);
        }
        let resource = resource.as_bstr();
        if technology.eq_ignore_ascii_case(b"PJSIP") || technology.eq_ignore_ascii_case(b"SIP") {
            let peer = match (resource.split_once_str("@"), resource.split_once_str("/")) {
                (_, Some((peer, _))) | (Some((_, peer)), None) => peer.as_bstr(),
                (None, None) => return,
            };
            if !peer.contains(&b'$') && self.around.sip.peers.get(peer).is_none() {
                let message = format!("there is no endpoint [{peer}] in pjsip.conf");
                let help = "nobody could be called";
                notes.error(codes::NAME_UNRESOLVED, span, message, help);
            }
        } else if technology.eq_ignore_ascii_case(b"Local") {
            let context = resource.split_once_str("@").map_or(&b"default"[..], |(_, it)| it);
            let context = context.split_str("/").next().unwrap_or_default().as_bstr();
            let is_there = |plan: &Plan| context.contains(&b'$') || plan.context(context).is_some();
            if !self.around.plan.is_none_or(is_there) {
                let message = format!("there is no context [{context}] in extensions.conf");
                let help = "nobody could be called";
                notes.error(codes::NAME_UNRESOLVED, span, message, help);
            }
        } else if !technology.eq_ignore_ascii_case(b"Robot") {
            let technology = technology.as_bstr();
            let message = format!("calls can not be made by `{technology}`");
            let help = "expected PJSIP/${NUMBER}@TRUNK or Local/${NUMBER}@CONTEXT";
            notes.error(codes::VALUE_INVALID, span, message, help);
        }
    }

    fn check_server(&mut self, notes: &mut Notes) {
        let section = self.section;
        let Some(address) = self.server.take() else {
            for name in ["media_endpoint", "fallback"] {
                if section.has(name) {
                    let message = format!("`{name}` has no effect without `media_server`");
                    let help = "add media_server = sip:HOST:PORT; the room is mixed here as it is";
                    notes.warn(codes::CONTRADICTION, section.place_of(name), message, help);
                }
            }
            return;
        };
        let uri = address.to_str().ok().and_then(|text| Uri::parse(text).ok());
        if uri.is_none_or(|uri| uri.user().is_some() || uri.host_str().is_empty()) {
            let message = format!("`{address}` is no address of a media server");
            let help = "expected sip:HOST or sip:HOST:PORT, without a user: that is the room";
            let span = section.place_of("media_server");
            return notes.error(codes::VALUE_INVALID, span, message, help);
        }
        let Some(endpoint) = self.endpoint.take() else {
            let message = "`media_server` needs an endpoint as which it is called".to_owned();
            let help = "add media_endpoint = NAME, a section of pjsip.conf with type=endpoint";
            let span = section.place_of("media_server");
            return notes.error(codes::SETTING_MISSING, span, message, help);
        };
        if self.around.sip.peers.get(endpoint.as_bstr()).is_none() {
            let message = format!("there is no endpoint [{endpoint}] in pjsip.conf");
            let help = "the media server could not be called";
            let span = section.place_of("media_endpoint");
            notes.error(codes::NAME_UNRESOLVED, span, message, help);
        }
        let fallback = self.fallback;
        self.room.media_server = Some(MediaServer { address, endpoint, fallback });
    }
}

/// `1002, name=Bruno, role=listener, pin=2580, dial=out`.
fn person(mut setting: Setting<'_>) -> Option<Person> {
    let mut parts = value::list(setting.value());
    let Some(number) = parts.next().and_then(|text| number(text)) else {
        setting.invalid("a number, such as 1002, name=Bruno, role=listener, dial=out");
        return None;
    };
    let mut person = Person::new(number);
    for part in parts {
        let Some((name, value)) = part.split_once_str("=") else {
            // A value alone might be a PIN: it is not shown.
            flaw(&mut setting, "a part has no `=`", PARTS);
            return None;
        };
        let value = value.trim_ascii().as_bstr();
        let is_right = match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"name" => {
                person.name = value.into();
                true
            }
            b"role" => chosen(&ROLES, value).map(|role| person.role = role).is_some(),
            b"dial" => chosen(&WAYS, value).map(|way| person.way = way).is_some(),
            b"pin" => {
                person.pin = Pin::parse(value);
                person.pin.is_some()
            }
            other => {
                let other = other.as_bstr();
                let help = match nearest(other, ["name", "role", "dial", "pin"]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => PARTS.to_owned(),
                };
                flaw(&mut setting, &format!("`{other}` is none of a person's settings"), &help);
                return None;
            }
        };
        if !is_right {
            let name = name.trim_ascii().as_bstr();
            flaw(&mut setting, &format!("`{name}` has no value that it may have"), PARTS);
            return None;
        }
    }
    Some(person)
}

fn flaw(setting: &mut Setting<'_>, message: &str, help: &str) {
    let span = setting.span();
    setting.notes.error(codes::VALUE_INVALID, span, message.to_owned(), help);
}

fn bad_pin(mut setting: Setting<'_>) {
    flaw(
        &mut setting,
        "the `pin` is none",
        "expected up to 12 digits, which are all one can enter",
    );
}

/// Takes a number that may be empty.
fn called(setting: Setting<'_>, field: &mut Option<BString>) {
    match (setting.value().is_empty(), number(setting.value())) {
        (true, _) => *field = None,
        (false, Some(number)) => *field = Some(number.into()),
        (false, None) => setting.invalid("a number"),
    }
}

fn key(setting: Setting<'_>, field: &mut Option<Digit>) {
    let value = setting.value();
    match value.as_bytes() {
        b"" | b"none" => *field = None,
        [key] if Digit::new(*key).is_some() => *field = Digit::new(*key),
        _ => setting.invalid("one key, or `none`"),
    }
}

fn reasons(setting: Setting<'_>, field: &mut Vec<Unreached>) {
    let all = Unreached::ALL.map(|why| (why.as_str(), why));
    let words: Vec<&BStr> = value::list(setting.value()).collect();
    let found: Option<Vec<Unreached>> = words.into_iter().map(|it| chosen(&all, it)).collect();
    match found {
        Some(found) => *field = found,
        None => setting.invalid("a list of busy, noanswer, failed, notaccepted"),
    }
}

/// Takes one of these words.
fn word<T: Copy>(setting: Setting<'_>, field: &mut T, words: &[(&'static str, T)]) {
    match chosen(words, setting.value()) {
        Some(value) => *field = value,
        None => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            setting.invalid(&words.join(" or "));
        }
    }
}

fn chosen<T: Copy>(words: &[(&'static str, T)], value: &BStr) -> Option<T> {
    let found = words.iter().find(|(word, _)| value.eq_ignore_ascii_case(word.as_bytes()));
    found.map(|(_, value)| *value)
}

const ROLES: [(&str, Role); 2] = [("speaker", Role::Speaker), ("listener", Role::Listener)];
const WAYS: [(&str, Way); 3] = [("out", Way::Out), ("in", Way::In), ("either", Way::Either)];
const WHENS: [(&str, When); 3] =
    [("master", When::Master), ("start", When::Start), ("asked", When::Asked)];
const PIN_RULES: [(&str, PinRule); 2] = [("no", PinRule::Unknown), ("yes", PinRule::Always)];
const FALLBACKS: [(&str, Fallback); 2] = [("none", Fallback::None), ("local", Fallback::Local)];

const PARTS: &str = "expected NUMBER, name=WHO, role=speaker|listener, pin=DIGITS, \
                     dial=out|in|either";

/// Sounds of the conference room, by our name and that of `confbridge.conf`.
const ROOM_SOUNDS: [(&str, &str); 7] = [
    ("sound_joined", "sound_join"),
    ("sound_left", "sound_leave"),
    ("sound_begin", "sound_begin"),
    ("sound_locked", "sound_locked"),
    ("sound_kicked", "sound_kicked"),
    ("sound_master_left", "sound_leader_has_left"),
    ("sound_wait_for_master", "sound_wait_for_leader"),
];

/// People of a list.
const MOST_LISTED: usize = 1000;

const A_WEEK: u32 = 7 * 24 * 3600;

#[cfg(test)]
mod tests;
