//! Who diverted a call, as headers say it: Diversion (RFC 5806) and History-Info (RFC 7044, and
//! RFC 4244 that it replaces).
//!
//! Both are read into the same list, first diverter first; reasons go over as RFC 7544 has it.
//! Whom to believe is for others to decide.

use std::net::SocketAddr;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::channel::{Party, Reason, Redirecting};

use super::identity::{self, Privacy, parameter};
use crate::sip::{HeaderName, Headers, NameAddr, NameAddrRef, Scheme, Uri, UriRef};

/// Somebody who diverted a call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diverter {
    pub(super) party: Party,
    pub(super) reason: Reason,
}

/// Who diverted, first to last, by Diversion or else by History-Info.
pub(super) fn redirecting(headers: &Headers) -> Option<Redirecting> {
    let mut diverters = of_diversion(headers);
    if diverters.is_empty() {
        diverters = of_history(headers);
    }
    let (first, last) = (diverters.first()?, diverters.last()?);
    Some(Redirecting {
        from: last.party.clone(),
        original: first.party.clone(),
        reason: last.reason.clone(),
        original_reason: first.reason.clone(),
        count: i32::try_from(diverters.len()).unwrap_or(i32::MAX),
        ..Redirecting::default()
    })
}

/// Who diverted by Diversion, whose topmost entry is the latest (RFC 5806 §4).
pub(super) fn of_diversion(headers: &Headers) -> Vec<Diverter> {
    let entries = headers.addresses(HeaderName::Diversion).take(MOST_READ);
    let mut diverters: Vec<_> = entries
        .map(|entry| {
            let withheld = parameter(&entry, "privacy").is_some_and(|value| {
                let value = value.trim_with(|it| it == '"');
                ["full", "name", "uri"].iter().any(|it| value.eq_ignore_ascii_case(it.as_bytes()))
            });
            let reason = parameter(&entry, "reason").unwrap_or_default().as_bstr();
            Diverter { party: diverting(&entry, withheld), reason: reason_named(reason) }
        })
        .collect();
    diverters.reverse();
    diverters
}

/// Who diverted by History-Info.
///
/// Entries say of themselves whom they were mapped from (`mp`): what only resolved a contact (`rc`)
/// or passed a proxy (`np`) is no diversion. Older ones carry a `cause` in the URI that a diversion
/// led to (RFC 4458 §2), and the oldest neither: there each entry before the last counts, unless it
/// is the same user's.
pub(super) fn of_history(headers: &Headers) -> Vec<Diverter> {
    let entries = headers.addresses(HeaderName::HistoryInfo).take(MOST_READ);
    let mut entries: Vec<_> = entries.map(Entry::read).collect();
    if entries.iter().all(|entry| !entry.index.is_empty()) {
        entries.sort_by(|left, right| left.index.cmp(&right.index));
    }
    let is_tagged = |entry: &Entry<'_>| {
        ["mp", "rc", "np"].iter().any(|name| parameter(&entry.address, name).is_some())
    };
    let diverted_to: Vec<usize> = if entries.iter().any(is_tagged) {
        let is_mapped = |at: &usize| parameter(&entries[*at].address, "mp").is_some();
        (1..entries.len()).filter(is_mapped).collect()
    } else if entries.iter().skip(1).any(|entry| entry.cause().is_some()) {
        (1..entries.len()).filter(|at| entries[*at].cause().is_some()).collect()
    } else {
        let user = |at: usize| number(entries[at].address.uri());
        (1..entries.len()).filter(|at| user(*at) != user(*at - 1)).collect()
    };
    let diverters = diverted_to.into_iter().filter_map(|at| {
        let to = &entries[at];
        let from = to.came_from(&entries[..at])?;
        Some(Diverter {
            party: diverting(&from.address, from.is_private()),
            reason: to.reason().or_else(|| from.refusal()).unwrap_or_default(),
        })
    });
    diverters.collect()
}

/// One History-Info entry.
struct Entry<'a> {
    address: NameAddrRef<'a>,
    /// Empty when it has none that can be read.
    index: Vec<u32>,
}

impl<'a> Entry<'a> {
    fn read(address: NameAddrRef<'a>) -> Self {
        Self { index: index(address.params().get("index").unwrap_or_default()), address }
    }

    /// The status in the URI that tells why calls go there (RFC 4458 §2).
    fn cause(&self) -> Option<u16> {
        self.address.uri().parameter("cause")?.parse().ok()
    }

    /// The entry that a diversion to this one was from.
    fn came_from<'e>(&self, before: &'e [Self]) -> Option<&'e Self> {
        let mapped = index(self.address.params().get("mp").unwrap_or_default());
        let parent = self.index.split_last().map(|(_, parent)| parent).unwrap_or_default();
        let at =
            |index: &[u32]| before.iter().find(|entry| !index.is_empty() && entry.index == index);
        at(&mapped).or_else(|| at(parent)).or_else(|| before.last())
    }

    /// A header inside the URI, its escapes resolved.
    fn header(&self, name: &str) -> Option<BString> {
        let mut headers = self.address.uri().headers();
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(crate::sip::unescape_uri(value.as_bytes()).into_owned().into())
    }

    fn is_private(&self) -> bool {
        let asked = self.header("Privacy").unwrap_or_default();
        asked.split_str(";").any(|word| {
            let word = word.trim_ascii();
            ["history", "header", "session"]
                .iter()
                .any(|it| word.eq_ignore_ascii_case(it.as_bytes()))
        })
    }

    /// Why calls go there.
    fn reason(&self) -> Option<Reason> {
        let word = match self.cause()? {
            302 => "unconditional",
            408 => "no-answer",
            480 | 487 => "deflection",
            486 => "user-busy",
            503 => "unavailable",
            _ => "unknown",
        };
        Some(reason_named(word.into()))
    }

    /// Why the entry's own target did not have the call: the status in its Reason (RFC 3326).
    fn refusal(&self) -> Option<Reason> {
        let reason = self.header("Reason")?;
        let (_, rest) = reason.split_once_str("cause=")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let word = match rest[..digits].as_bstr().as_bytes() {
            b"302" => "unconditional",
            b"408" | b"480" => "no-answer",
            b"486" | b"600" => "user-busy",
            b"503" => "unavailable",
            _ => "unknown",
        };
        Some(reason_named(word.into()))
    }
}

/// The numbers of an index such as `1.2.1`; none when it is no such thing.
fn index(text: &str) -> Vec<u32> {
    let numbers = text.split('.').take(MOST_READ + 1).map(|part| part.parse().ok());
    let numbers: Option<Vec<u32>> = numbers.collect();
    numbers.filter(|numbers| numbers.len() <= MOST_READ).unwrap_or_default()
}

fn diverting(address: &NameAddrRef<'_>, withheld: bool) -> Party {
    let privacy = if withheld { Privacy::Withheld } else { Privacy::Shown };
    let mut party = identity::party(address, privacy);
    party.number = Some(number(address.uri()));
    party
}

/// The user of an address; of a telephone number the bare one, without what is there for the eye
/// (RFC 3966 §5.1.1) and without its parameters (RFC 3261 §19.1.6).
pub(super) fn number(uri: UriRef<'_>) -> BString {
    let user = uri.user_decoded().unwrap_or_default();
    let is_telephone = uri.scheme() == Scheme::Tel
        || uri.parameter("user").is_some_and(|user| user.eq_ignore_ascii_case("phone"));
    let end = match user.first() {
        Some(byte) if byte.is_ascii_digit() || *byte == b'+' => user.find_byte(b';'),
        _ => None,
    };
    let number = &user[..end.unwrap_or(user.len())];
    let is_kept = |byte: &u8| !is_telephone || !b"-.() ".contains(byte);
    number.iter().copied().filter(is_kept).collect::<Vec<u8>>().into()
}

/// The word of RFC 5806 for a reason.
pub(super) fn reason_word(reason: &Reason) -> BString {
    match reason.text.is_empty() || !is_token(&reason.text) {
        true => REASONS.get(usize::from(reason.code)).copied().unwrap_or("unknown").into(),
        false => reason.text.clone(),
    }
}

fn is_token(text: &BString) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn reason_named(text: &BStr) -> Reason {
    let text = text.trim_with(|character| character == '"');
    let known = REASONS.iter().position(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    match known {
        Some(code) => Reason { code: code as u8, text: BString::default() },
        None => Reason { code: 0, text: text.into() },
    }
}

/// Adds who diverted last.
pub(super) fn write_diversion(headers: &mut Headers, redirecting: &Redirecting, local: SocketAddr) {
    let Some(number) = redirecting.from.number.as_ref().filter(|number| !number.is_empty()) else {
        return;
    };
    let uri = Uri::sip_at(number, local);
    let name = redirecting.from.name.as_ref().map(|name| name.to_str_lossy()).unwrap_or_default();
    let address = NameAddr::new(uri);
    let address = if name.is_empty() { address } else { address.with_display_name(&name) };
    let reason = reason_word(&redirecting.reason);
    headers.push(HeaderName::Diversion, format!("{address};reason={reason}"));
}

/// Adds where a call was before, and where it goes now (RFC 7044 §5).
pub(super) fn write_history(
    headers: &mut Headers,
    redirecting: &Redirecting,
    target: &Uri,
    local: SocketAddr,
) {
    let Redirecting { from, original, .. } = redirecting;
    let number = |party: &Party| party.number.clone().filter(|number| !number.is_empty());
    let Some(latest) = number(from) else { return };
    let first = number(original).filter(|first| *first != latest);
    let first = first.map(|number| (number, &redirecting.original_reason));
    let (mut index, mut mapped, mut led) = (String::from("1"), String::new(), None);
    let caused = |uri: &Uri, led: Option<u16>| {
        let cause = led.map(|cause| cause.to_string());
        let with = cause.and_then(|cause| uri.with_parameter("cause", Some(&cause)).ok());
        with.unwrap_or_else(|| uri.clone())
    };
    for (number, reason) in first.into_iter().chain([(latest, &redirecting.reason)]) {
        let uri = caused(&Uri::sip_at(&number, local), led);
        let cause = cause_of(reason);
        let entry = format!("<{uri}?Reason=SIP%3Bcause%3D{cause}>;index={index}{mapped}");
        headers.push(HeaderName::HistoryInfo, entry);
        mapped = format!(";mp={index}");
        led = Some(cause);
        index.push_str(".1");
    }
    headers
        .push(HeaderName::HistoryInfo, format!("<{}>;index={index}{mapped}", caused(target, led)));
}

/// The status that stands for a reason (RFC 4458 §2); 302 for what has none of its own.
fn cause_of(reason: &Reason) -> u16 {
    match REASONS.get(usize::from(reason.code)) {
        Some(&"user-busy") => 486,
        Some(&"no-answer") => 408,
        Some(&"deflection") => 480,
        Some(&"unavailable" | &"out-of-service") => 503,
        _ => 302,
    }
}

/// The reasons of RFC 5806 in the order of the dialplan's codes (unknown, cfb, cfnr, unavailable,
/// time_of_day, dnd, deflection, follow_me, out_of_order, away, cf_dte, cfu, send_to_vm).
const REASONS: [&str; 13] = [
    "unknown",
    "user-busy",
    "no-answer",
    "unavailable",
    "time-of-day",
    "do-not-disturb",
    "deflection",
    "follow-me",
    "out-of-service",
    "away",
    "forward-dte",
    "unconditional",
    "send-to-voicemail",
];

/// Entries that are read of one message, and numbers of an index.
const MOST_READ: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: HeaderName, values: &[&str]) -> Headers {
        let mut headers = Headers::default();
        values.iter().for_each(|value| headers.push(name, *value));
        headers
    }

    /// `number reason`, first to last; `?` behind who wants to be unknown.
    fn shown(diverters: &[Diverter]) -> Vec<String> {
        let show = |Diverter { party, reason }: &Diverter| {
            let private = if Privacy::of(party) == Privacy::Withheld { "?" } else { "" };
            format!("{}{private} {}", party.number.clone().unwrap_or_default(), reason_word(reason))
        };
        diverters.iter().map(show).collect()
    }

    fn history(values: &[&str]) -> Vec<String> {
        shown(&of_history(&said(HeaderName::HistoryInfo, values)))
    }

    #[test]
    fn rob_1_diversion_is_read_in_all_its_forms_first_diverter_first() {
        let headers = said(
            HeaderName::Diversion,
            &[
                "\"Last, the\" <sip:30@pbx>;reason=\"user-busy\";counter=1, <tel:+33-1-55.17>;privacy=\"full\"",
                "<sip:+331;ext=7@pbx>;reason=no-answer",
            ],
        );
        let diverters = of_diversion(&headers);
        assert_eq!(shown(&diverters), ["+331 no-answer", "+3315517? unknown", "30 user-busy"]);
        let name = diverters.last().and_then(|last| last.party.name.clone());
        assert_eq!(name.expect("a name"), "Last, the");
        let redirecting = redirecting(&headers).expect("diverted");
        assert_eq!(redirecting.from.number.expect("a number"), "30");
        assert_eq!(redirecting.original.number.expect("a number"), "+331");
        assert_eq!(redirecting.count, 3);
    }

    #[test]
    fn rob_1_history_tells_whom_a_call_was_mapped_from() {
        // Bob forwards to Carol when busy; a contact of Carol's, and a proxy, are no diversions.
        let found = history(&[
            "<sip:carol@pbx;cause=486>;index=1.2;mp=1, <sip:carol@192.0.2.4>;index=1.2.1;rc=1.2",
            "<sip:bob@pbx?Privacy=history&Reason=SIP%3Bcause%3D302>;index=1",
            "<sip:bob@192.0.2.5?Reason=SIP%3Bcause%3D486>;index=1.1;rc=1",
            "<sip:6003@192.0.2.9;cause=302>;index=1.2.1.1;mp=1.2",
        ]);
        assert_eq!(found, ["bob? user-busy", "carol unconditional"]);
        let none = history(&["<sip:bob@pbx>;index=1", "<sip:bob@192.0.2.5>;index=1.1;rc=1"]);
        assert!(none.is_empty(), "{none:?}");
        assert!(history(&["<sip:6003@pbx>;index=1"]).is_empty(), "the call went straight there");
    }

    #[test]
    fn rob_1_history_of_old_is_read_by_cause_or_by_place() {
        let by_cause =
            ["<sip:1@a>;index=1", "<sip:2@a;cause=408>;index=1.1", "<sip:2@b>;index=1.1.1"];
        assert_eq!(history(&by_cause), ["1 no-answer"]);
        let by_place = [
            "<sip:1@a?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1",
            "<sip:2@a>;index=1.1",
        ];
        assert_eq!(history(&by_place), ["1 user-busy"]);
        let same_user = ["<sip:1@a>;index=1", "<sip:2@a>;index=1.1", "<sip:2@b>;index=1.1.1"];
        assert_eq!(history(&same_user), ["1 unknown"]);
    }

    #[test]
    fn rob_1_headers_made_to_hurt_are_read_in_bounds() {
        let many = vec!["<sip:1@a>;reason=unconditional"; 500].join(",");
        assert_eq!(of_diversion(&said(HeaderName::Diversion, &[&many])).len(), MOST_READ);
        let deep = format!("<sip:1@a>;index={}", "1.".repeat(5000));
        assert!(history(&[&deep, "<sip:2@a>;index=99999999999999999999;mp=1"]).len() <= 1);
        assert!(history(&["<sip:2@a>;index=1;mp=1"]).is_empty(), "mapped from itself");
        assert!(history(&["<sip:2@a>;index=1;mp=1.1", "<sip:2@a>;index=1.1;mp=1.1"]).len() <= 1);
        assert!(of_diversion(&said(HeaderName::Diversion, &["<<<>", ";;;", "\""])).is_empty());
    }
}
