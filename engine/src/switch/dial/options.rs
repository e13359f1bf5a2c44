//! The option letters of Dial: which are done, what their arguments mean.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{
    channel::{Channel, Party},
    function::presentation_named,
    operation::{Destination, DialPlace, Options},
};

use super::super::{call::Call, features::Feature};
use crate::channel::Cause;

/// Says which options of a Dial are not available. `false` when the call must not be made without
/// them.
pub(super) fn admit(options: &Options, call: &Call) -> bool {
    let mut is_admitted = true;
    for letter in options.letters() {
        let option = char::from(letter);
        let call_id = &call.parties.call_id;
        match letter {
            b'p' | b'P' => {
                tracing::error!(%call_id, %option, "Dial: screening of callers is not available: nobody is called");
                is_admitted = false;
            }
            b'O' => {
                tracing::info!(%call_id, %option, "Dial: this option is for DAHDI channels alone");
            }
            b'u' if options.argument(b'u').is_none_or(|it| presentation_named(it).is_none()) => {
                tracing::warn!(%call_id, %option, "Dial: this option needs the name of a presentation");
            }
            b'n' | b'N' | b'j' | b'E' | b'Z' | b'v' => {
                tracing::warn!(%call_id, %option, "Dial: this option is not available and ignored");
            }
            _ => {}
        }
    }
    is_admitted
}

/// Which of those that a Dial calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// One that the dialplan names.
    Named,
    /// One that another wants to be called instead.
    Forwarded,
}

/// The channel with the caller that option f tells those who are called: the number it names, or, of
/// those alone whom others want to be called instead, the extension that was dialled. Option u says
/// whether it may be shown.
pub(super) fn forced_caller(options: &Options, call: &Call, called: Called) -> Option<Channel> {
    if !options.has(b'f') {
        return None;
    }
    let pbx = call.pbx()?;
    let number = match options.argument(b'f').filter(|number| !number.is_empty()) {
        Some(number) => BString::from(number),
        None if called == Called::Forwarded => pbx.place().extension.to_owned(),
        None => return None,
    };
    let mut channel = pbx.channel().clone();
    channel.caller = Party::new("", number);
    if let Some(presentation) = options.argument(b'u').and_then(presentation_named) {
        channel.caller.number_presentation = presentation;
        channel.caller.name_presentation = presentation;
    }
    Some(channel)
}

/// `[[context^]extension^]priority[(arguments)]` with carets for commas, as a Gosub takes it.
pub(super) fn subroutine(text: &[u8]) -> BString {
    let (place, arguments) = match text.find_byte(b'(') {
        Some(open) => text.split_at(open),
        None => (text, &b""[..]),
    };
    let mut target: BString = place.replace("^", ",").into();
    target.extend_from_slice(&arguments.replace("^", ","));
    target
}

/// The subroutine that option U runs: `context[^argument..]` begins at extension `s`, priority 1; a
/// place with parentheses is taken as it is.
pub(super) fn callee_subroutine(text: &[u8]) -> BString {
    if text.contains(&b'(') {
        return subroutine(text);
    }
    contextual(text, b"")
}

/// The same for the macro of option M.
pub(super) fn callee_macro(text: &[u8]) -> BString {
    contextual(text, b"macro-")
}

fn contextual(text: &[u8], prefix: &[u8]) -> BString {
    let (name, arguments) = text.split_once_str("^").unwrap_or((text, b""));
    let mut target = BString::from(prefix);
    target.extend_from_slice(name);
    target.extend_from_slice(b",s,1(");
    target.extend_from_slice(&arguments.replace("^", ","));
    target.push(b')');
    target
}

/// A place `[[context^]extension^]priority`.
pub(super) fn place(text: &[u8]) -> DialPlace {
    let mut parts: Vec<BString> = text.split_str("^").map(BString::from).collect();
    let priority = parts.pop().unwrap_or_default();
    let some = |part: Option<BString>| part.filter(|part| !part.is_empty());
    let extension = some(parts.pop());
    DialPlace { context: some(parts.pop()), extension, priority }
}

/// Where option G sends the caller.
pub(super) fn place_on_answer(options: &Options) -> Option<DialPlace> {
    options.argument(b'G').filter(|text| !text.is_empty()).map(place)
}

/// Where option F sends the callee: the place it names, or the caller's next priority.
pub(super) fn place_after(options: &Options, call: &Call) -> DialPlace {
    match options.argument(b'F').filter(|text| !text.is_empty()) {
        Some(text) => place(text),
        None => {
            let priority = call.pbx().map_or(0, |pbx| pbx.place().priority);
            let place =
                DialPlace { context: None, extension: None, priority: priority.to_string().into() };
            next_priority(&place, call)
        }
    }
}

/// The place behind a place, completed by where the caller is.
pub(super) fn next_priority(place: &DialPlace, call: &Call) -> DialPlace {
    let here = call.pbx().map(|pbx| pbx.place());
    let or = |given: &Option<BString>, here: Option<&BStr>| {
        given.clone().or_else(|| here.map(ToOwned::to_owned))
    };
    let number: Option<u32> =
        place.priority.to_str().ok().and_then(|text| text.trim().parse().ok());
    DialPlace {
        context: or(&place.context, here.map(|here| here.context)),
        extension: or(&place.extension, here.map(|here| here.extension)),
        priority: number.map_or_else(BString::default, |number| (number + 1).to_string().into()),
    }
}

/// Why those who still ring are told to stop: option c says that somebody else answered.
pub(super) fn given_up(options: &Options) -> Cause {
    if options.has(b'c') { Cause::ANSWERED_ELSEWHERE } else { Cause::NORMAL_CLEARING }
}

/// A cause by its number.
pub(super) fn cause(text: &[u8]) -> Option<Cause> {
    Cause::new(text.to_str().ok()?.trim().parse().ok()?)
}

/// What option D sends to the callee: the first of its lists.
pub(super) fn digits_for_callee(text: &[u8]) -> Option<BString> {
    nth(text, 0)
}

/// What option D sends to the caller: the second of its lists.
pub(super) fn digits_for_caller(text: &[u8]) -> Option<BString> {
    nth(text, 1)
}

fn nth(text: &[u8], nth: usize) -> Option<BString> {
    let digits = text.split_str(":").nth(nth).filter(|digits| !digits.is_empty())?;
    Some(digits.into())
}

/// The features that caller and callee have by keys.
pub(super) fn features(options: &Options) -> [Vec<Feature>; 2] {
    let given = |letters: [(u8, Feature); 6]| {
        letters.into_iter().filter(|(letter, _)| options.has(*letter)).map(|it| it.1).collect()
    };
    use Feature::{AttendedTransfer, BlindTransfer, Disconnect, MixMonitor, Monitor, Park};
    [
        given([
            (b'H', Disconnect),
            (b'T', BlindTransfer),
            (b'T', AttendedTransfer),
            (b'K', Park),
            (b'W', Monitor),
            (b'X', MixMonitor),
        ]),
        given([
            (b'h', Disconnect),
            (b't', BlindTransfer),
            (b't', AttendedTransfer),
            (b'k', Park),
            (b'w', Monitor),
            (b'x', MixMonitor),
        ]),
    ]
}

/// Where a callee that forwards wants the call: a destination with a technology, or an extension of
/// the caller's FORWARD_CONTEXT or context.
pub(in super::super) fn forwarded(to: &BString, call: &Call) -> Destination {
    if let Some((technology, resource)) = to.split_once_str("/") {
        return Destination { technology: technology.into(), resource: resource.into() };
    }
    let context = call.pbx().map(|pbx| {
        let named = pbx.variable("FORWARD_CONTEXT").filter(|context| !context.is_empty());
        named.unwrap_or_else(|| pbx.place().context).to_owned()
    });
    let mut resource = to.clone();
    resource.push(b'@');
    resource.extend_from_slice(&context.unwrap_or_default());
    Destination { technology: "Local".into(), resource }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_separate_what_commas_can_not() {
        assert_eq!(subroutine(b"sub^s^1(a^b)"), "sub,s,1(a,b)");
        assert_eq!(callee_subroutine(b"screen^x^y"), "screen,s,1(x,y)");
        assert_eq!(callee_subroutine(b"screen^s^2(x)"), "screen,s,2(x)");
        assert_eq!(callee_macro(b"screen"), "macro-screen,s,1()");
        let place = place(b"ctx^100^2");
        assert_eq!(place.context.as_ref().expect("a context"), "ctx");
        assert_eq!(
            (place.extension.expect("an extension"), place.priority),
            ("100".into(), "2".into())
        );
    }

    #[test]
    fn digits_are_for_the_callee_first_and_the_caller_second() {
        assert_eq!(digits_for_callee(b"12:34"), Some("12".into()));
        assert_eq!(digits_for_caller(b"12:34"), Some("34".into()));
        assert_eq!(digits_for_callee(b":34"), None);
        assert_eq!(digits_for_caller(b"12"), None);
    }
}
