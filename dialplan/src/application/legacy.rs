//! Applications that Asterisk had and no longer has, mapped onto what took their place.

use std::borrow::Cow;

use bstr::{BStr, ByteSlice};

use crate::arguments::scan_integer;
use crate::executor::{Continuation, Flow, Run};
use crate::function;
use crate::operation::Operation;

/// `SetVar(name=value)`.
pub(super) fn set_variable(run: &mut Run<'_>, text: &[u8]) -> Flow {
    super::variables::set(run, text)
}

/// `SetGlobalVar(name=value)`.
pub(super) fn set_global(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((name, value)) = text.split_once_str("=") else {
        return usage(run, "SetGlobalVar(name=value)");
    };
    set(run, &[b"GLOBAL(", name, b")"].concat(), value)
}

/// `SetCIDNum(number[,a])`: with `a` the ANI as well.
pub(super) fn set_number(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (number, options) = two(text);
    if options.contains(&b'a') {
        run.scope.assign(b"CALLERID(ani)", &number);
    }
    set(run, b"CALLERID(num)", &number)
}

/// `SetCIDName(name)`.
pub(super) fn set_name(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (name, _) = two(text);
    set(run, b"CALLERID(name)", &name)
}

/// `SetCallerID("name" <number>[,a])`.
pub(super) fn set_caller(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (caller, options) = two(text);
    if options.contains(&b'a') {
        run.scope.assign(b"CALLERID(ani-all)", &caller);
    }
    set(run, b"CALLERID(all)", &caller)
}

pub(super) fn set_presentation(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"CALLERID(pres)", text)
}

pub(super) fn set_language(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"CHANNEL(language)", text)
}

pub(super) fn set_music(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"CHANNEL(musicclass)", text)
}

pub(super) fn set_account(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"CHANNEL(accountcode)", text)
}

pub(super) fn set_ama_flags(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"CHANNEL(amaflags)", text)
}

pub(super) fn absolute_timeout(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"TIMEOUT(absolute)", text)
}

pub(super) fn digit_timeout(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"TIMEOUT(digit)", text)
}

pub(super) fn response_timeout(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"TIMEOUT(response)", text)
}

/// `DBget(name=family/key)`.
pub(super) fn database_read(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((name, place)) = text.split_once_str("=").filter(|(_, place)| place.contains(&b'/'))
    else {
        return usage(run, "DBget(name=family/key)");
    };
    let value = run.scope.named(&[b"DB(", place, b")"].concat());
    if value.is_empty() {
        // It went to priority n+101, which nothing does any more.
        let place = BStr::new(place);
        run.scope.warn(format_args!("DBget: nothing in '{place}'; there is no jump to n+101"));
        return Flow::Continue;
    }
    set(run, name, &value)
}

/// `DBput(family/key=value)`.
pub(super) fn database_write(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((place, value)) = text.split_once_str("=").filter(|(place, _)| place.contains(&b'/'))
    else {
        return usage(run, "DBput(family/key=value)");
    };
    set(run, &[b"DB(", place, b")"].concat(), value)
}

/// `DBdel(family/key)`.
pub(super) fn database_delete(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if !text.contains(&b'/') {
        return usage(run, "DBdel(family/key)");
    }
    set(run, &[b"DB_DELETE(", text, b")"].concat(), b"")
}

/// `ImportVar(name=channel,variable)`.
pub(super) fn import_variable(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((name, source)) = text.split_once_str("=") else {
        return usage(run, "ImportVar(name=channel,variable)");
    };
    let (channel, variable) = two(source);
    let value = run.scope.named(&[b"IMPORT(", &*channel, b",", &*variable, b")"].concat());
    set(run, name, &value)
}

/// LookupBlacklist: LOOKUPBLSTATUS.
pub(super) fn look_up_blacklist(run: &mut Run<'_>, _: &[u8]) -> Flow {
    let is_listed = run.scope.named(b"BLACKLIST()") == b"1";
    set(run, b"LOOKUPBLSTATUS", if is_listed { b"FOUND" } else { b"NOTFOUND" })
}

/// LookupCIDName: the caller's name from the family `cidname`.
pub(super) fn look_up_name(run: &mut Run<'_>, _: &[u8]) -> Flow {
    let number = run.scope.state.channel.caller.number.clone().unwrap_or_default();
    let database = &run.scope.host.world().database;
    if let Some(name) = database.value(b"cidname", &number).map(BStr::to_owned) {
        run.scope.assign(b"CALLERID(name)", &name);
    }
    Flow::Continue
}

/// NoCDR().
pub(super) fn no_record(run: &mut Run<'_>, _: &[u8]) -> Flow {
    set(run, b"CDR_PROP(disable)", b"1")
}

/// `MeetMe(conference[,options[,pin]])` as ConfBridge. What would let anybody in is not left out.
pub(super) fn meet_me(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let mut parts = text.split(|byte| matches!(byte, b',' | b'|'));
    let room = parts.next().unwrap_or_default();
    let options = parts.next().unwrap_or_default();
    let pin = parts.next().unwrap_or_default();
    if room.is_empty() {
        run.scope.warn(format_args!("MeetMe: asking for the number of the room is not available"));
        return Flow::HangUp;
    }
    let mut settings: Vec<(&[u8], &[u8])> = Vec::new();
    let mut rest = options;
    while let [letter, after @ ..] = rest {
        let (argument, after) = in_parentheses(after);
        rest = after;
        match letter {
            // d and D make the room: every room is made when it is entered.
            b'd' | b'D' => {}
            b'1' => settings.push((b"CONFBRIDGE(user,announce_only_user)", b"no")),
            b'a' => settings.push((b"CONFBRIDGE(user,admin)", b"yes")),
            b'A' => settings.push((b"CONFBRIDGE(user,marked)", b"yes")),
            b'c' => settings.push((b"CONFBRIDGE(user,announce_user_count)", b"yes")),
            b'F' => settings.push((b"CONFBRIDGE(user,dtmf_passthrough)", b"yes")),
            b'i' => settings.push((b"CONFBRIDGE(user,announce_join_leave_review)", b"yes")),
            b'I' => settings.push((b"CONFBRIDGE(user,announce_join_leave)", b"yes")),
            b'm' | b'l' => settings.push((b"CONFBRIDGE(user,startmuted)", b"yes")),
            b'M' => {
                settings.push((b"CONFBRIDGE(user,music_on_hold_when_empty)", b"yes"));
                if !argument.is_empty() {
                    settings.push((b"CONFBRIDGE(user,music_on_hold_class)", argument));
                }
            }
            b'o' => settings.push((b"CONFBRIDGE(user,dsp_drop_silence)", b"yes")),
            b'p' => settings.push((b"CONFBRIDGE(menu,#)", b"leave_conference")),
            b'q' => settings.push((b"CONFBRIDGE(user,quiet)", b"yes")),
            b'r' => settings.push((b"CONFBRIDGE(bridge,record_conference)", b"yes")),
            b's' => {
                settings.extend(MENU);
                if options.contains(&b'a') {
                    settings.extend(ADMIN_MENU);
                }
            }
            b'T' => settings.push((b"CONFBRIDGE(user,talk_detection_events)", b"yes")),
            b'w' => settings.push((b"CONFBRIDGE(user,wait_marked)", b"yes")),
            b'x' => settings.push((b"CONFBRIDGE(user,end_marked)", b"yes")),
            letter => {
                let letter = *letter as char;
                run.scope.warn(format_args!("MeetMe: option '{letter}' has no counterpart"));
            }
        }
    }
    for (name, value) in settings {
        run.scope.assign(name, value);
    }
    if !pin.is_empty() {
        let key = b"CONFBRIDGE(user,pin)";
        run.scope.assign(key, pin);
        let is_kept = run.scope.state.channel.settings.get(BStr::new(key));
        if is_kept.is_none_or(|kept| *kept != pin) {
            run.scope.warn(format_args!("MeetMe: a room with a PIN is not entered without it"));
            return Flow::HangUp;
        }
    }
    let room = room.to_vec();
    super::media::conf_bridge(run, &room)
}

/// What is in the parentheses of an option, and what comes after.
fn in_parentheses(text: &[u8]) -> (&[u8], &[u8]) {
    let inside = text.strip_prefix(b"(");
    match inside.and_then(|inside| Some((inside, inside.iter().position(|byte| *byte == b')')?))) {
        Some((inside, end)) => (&inside[..end], &inside[end + 1..]),
        None => (b"", text),
    }
}

/// The keys of option `s`.
const MENU: [(&[u8], &[u8]); 5] = [
    (b"CONFBRIDGE(menu,*1)", b"toggle_mute"),
    (b"CONFBRIDGE(menu,*4)", b"decrease_listening_volume"),
    (b"CONFBRIDGE(menu,*6)", b"increase_listening_volume"),
    (b"CONFBRIDGE(menu,*7)", b"decrease_talking_volume"),
    (b"CONFBRIDGE(menu,*9)", b"increase_talking_volume"),
];

/// And those of administrators.
const ADMIN_MENU: [(&[u8], &[u8]); 2] = [
    (b"CONFBRIDGE(menu,*2)", b"admin_toggle_conference_lock"),
    (b"CONFBRIDGE(menu,*3)", b"admin_kick_last"),
];

/// `MeetMeCount(conference[,name])`.
pub(super) fn meet_me_count(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (room, name) = two(text);
    let count = run.scope.named(&[b"CONFBRIDGE_INFO(parties,", &*room, b")"].concat());
    if name.is_empty() {
        return super::media::say_number(run, &count);
    }
    set(run, &name, &count)
}

/// `Monitor([format[,file[,options]]])` as MixMonitor.
pub(super) fn monitor(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let mut parts = text.split(|byte| matches!(byte, b',' | b'|'));
    let format = parts.next().filter(|format| !format.is_empty()).unwrap_or(b"wav");
    let format = format.split(|byte| *byte == b':').next().unwrap_or(b"wav");
    let file = match parts.next().filter(|file| !file.is_empty()) {
        Some(file) => file.to_vec(),
        None => {
            let name = &run.scope.state.channel.name;
            name.iter().map(|byte| if *byte == b'/' { b'-' } else { *byte }).collect()
        }
    };
    let options = parts.next().unwrap_or_default();
    let options: Vec<u8> = options.iter().copied().filter(|letter| *letter == b'b').collect();
    let arguments = [file.as_slice(), b".", format, b",", &options].concat();
    run.execute_named(b"MixMonitor", &arguments)
}

/// StopMonitor as StopMixMonitor.
pub(super) fn stop_monitor(run: &mut Run<'_>, _: &[u8]) -> Flow {
    run.execute_named(b"StopMixMonitor", b"")
}

/// WaitMusicOnHold(seconds).
pub(super) fn wait_music(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let duration = super::media::seconds(text);
    Flow::Ask(Operation::MusicOnHold { class: None, duration }, Continuation::Music)
}

/// `ReadFile(name=file[,length])`.
pub(super) fn read_file(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((name, source)) = text.split_once_str("=") else {
        return usage(run, "ReadFile(name=file[,length])");
    };
    let (file, length) = two(source);
    let length = scan_integer(&length).filter(|(length, _)| *length > 0);
    let length = length.map_or(String::new(), |(length, _)| format!(",0,{length}"));
    let value = run.scope.named(&[b"FILE(", &*file, length.as_bytes(), b")"].concat());
    set(run, name, &value)
}

/// MailboxExists(mailbox): there is no voicemail.
pub(super) fn mailbox_exists(run: &mut Run<'_>, _: &[u8]) -> Flow {
    run.scope.warn(format_args!("MailboxExists: this engine has no voicemail"));
    set(run, b"VMBOXEXISTSSTATUS", b"FAILED")
}

/// `HasNewVoicemail(mailbox[,name])`: there is no voicemail.
pub(super) fn has_new_voicemail(run: &mut Run<'_>, text: &[u8]) -> Flow {
    run.scope.warn(format_args!("HasNewVoicemail: this engine has no voicemail"));
    let (_, name) = two(text);
    if !name.is_empty() {
        run.scope.assign(&name, b"0");
    }
    set(run, b"HASVMSTATUS", b"0")
}

/// SIPAddHeader(Name: value).
pub(super) fn add_header(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if let Err(error) = function::add_header_line(&mut run.scope, text) {
        run.scope.warn(format_args!("SIPAddHeader: {error}"));
    }
    Flow::Continue
}

/// `SIPRemoveHeader([name])`: a name may be cut short; without one all go.
pub(super) fn remove_header(run: &mut Run<'_>, text: &[u8]) -> Flow {
    function::remove_headers(&mut run.scope, text);
    Flow::Continue
}

/// SIPDtmfMode(mode).
pub(super) fn digit_mode(run: &mut Run<'_>, text: &[u8]) -> Flow {
    set(run, b"PJSIP_DTMF_MODE()", text)
}

fn set(run: &mut Run<'_>, name: &[u8], value: &[u8]) -> Flow {
    run.scope.assign(name, value);
    Flow::Continue
}

fn usage(run: &mut Run<'_>, usage: &str) -> Flow {
    run.scope.warn(format_args!("usage: {usage}"));
    Flow::Continue
}

/// Two arguments, at a comma or, as of old, at a pipe.
fn two(text: &[u8]) -> (Cow<'_, [u8]>, Cow<'_, [u8]>) {
    let at = memchr::memrchr2(b',', b'|', text);
    match at.filter(|at| !text[at + 1..].contains(&b'>')) {
        Some(at) => (text[..at].into(), text[at + 1..].into()),
        None => (text.into(), Cow::Owned(Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use bstr::BString;
    use jiff::Timestamp;

    use crate::channel::Channel;
    use crate::executor::{Executor, Legacy};
    use crate::host::MemoryHost;
    use crate::plan::Plan;

    fn after(steps: &[&str], asked: &str) -> BString {
        let plan = Plan::default();
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        for step in steps {
            executor.run_application(&plan, &mut host, step.as_bytes());
        }
        executor.evaluate(&plan, &mut host, asked.as_bytes())
    }

    #[test]
    fn old_setters_write_what_took_their_place() {
        for (step, asked, expected) in [
            ("SetVar(a=1)", "${a}", "1"),
            ("SetGlobalVar(a=2)", "${GLOBAL(a)}", "2"),
            ("SetCIDNum(555,a)", "${CALLERID(num)}/${CALLERID(ani)}", "555/555"),
            ("SetCIDName(Doe, John)", "${CALLERID(name)}", "Doe"),
            (
                "SetCallerID(\"Doe, John\" <55>)",
                "${CALLERID(name)}/${CALLERID(num)}",
                "Doe, John/55",
            ),
            ("SetCallerPres(prohib)", "${CALLERID(num-pres)}", "prohib"),
            ("SetLanguage(fr)", "${LANGUAGE()}", "fr"),
            ("SetMusicOnHold(jazz)", "${MUSICCLASS()}", "jazz"),
            ("SetAccount(7)", "${CHANNEL(accountcode)}", "7"),
            ("SetAMAFlags(billing)", "${CHANNEL(amaflags)}", "2"),
            ("DBput(f/k=v)", "${DB(f/k)}", "v"),
            ("NoCDR()", "", ""),
            ("SIPAddHeader(X-A: b c)", "", ""),
        ] {
            assert_eq!(after(&[step], asked), expected, "{step}");
        }
        assert_eq!(after(&["DBput(f/k=v)", "DBget(x=f/k)"], "${x}"), "v");
        assert_eq!(after(&["DBput(f/k=v)", "DBdel(f/k)"], "${DB_EXISTS(f/k)}"), "0");
        assert_eq!(
            after(
                &["DBput(blacklist/5=1)", "SetCIDNum(5)", "LookupBlacklist()"],
                "${LOOKUPBLSTATUS}"
            ),
            "FOUND"
        );
    }

    #[test]
    fn old_names_are_unknown_where_they_are_switched_off() {
        let plan = Plan::default();
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        executor = executor.with_legacy(Legacy::Unknown);
        executor.run_application(&plan, &mut host, b"SetVar(a=1)");
        assert_eq!(executor.evaluate(&plan, &mut host, b"[${a}${LANGUAGE()}]"), "[]");
        assert_eq!(host.log.len(), 2, "{:?}", host.log);
    }

    #[test]
    fn headers_are_added_once_and_never_split_a_request() {
        let plan = Plan::default();
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::idle(Channel::new("Test/1"), "a", "s", 1);
        executor.variables_mut().set(b"evil", b"x\r\nVia: y");
        for step in [
            "SIPAddHeader(X-A: 1)",
            "Set(PJSIP_HEADER(add,X-B)=2)",
            "Set(PJSIP_HEADER(update,X-B)=3)",
            "Set(PJSIP_HEADER(add,X-C)=${evil})",
            "Set(PJSIP_HEADER(add,X D)=1)",
            "SIPRemoveHeader(X-A:)",
        ] {
            executor.run_application(&plan, &mut host, step.as_bytes());
        }
        let headers = &executor.channel().outgoing_headers;
        assert_eq!(headers.len(), 1);
        assert_eq!(
            (headers[0].name.as_slice(), headers[0].value.as_slice()),
            (&b"X-B"[..], &b"3"[..])
        );
    }
}
