//! `allow` and `disallow`: the codecs of a peer, in order of preference.

use bstr::{BStr, ByteSlice};
use smallvec::SmallVec;

use crate::config::setting::Setting;
use crate::config::settings::CodecName;
use crate::config::value::list;

/// Codecs that Asterisk knows and that are not here yet.
const LATER: &[&str] = &[
    "adpcm", "codec2", "g719", "g723", "g726", "g726aal2", "h261", "h263", "h263p", "h264", "h265",
    "ilbc", "jpeg", "lpc10", "mpeg4", "opus", "png", "red", "silk", "silk12", "silk16", "silk24",
    "silk8", "siren14", "siren7", "slin12", "slin192", "slin24", "slin32", "slin44", "slin48",
    "slin96", "speex", "speex16", "speex32", "t140", "testlaw", "vp8", "vp9",
];

/// What a setting does to the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Allow,
    Disallow,
}

/// Applies one `allow` or `disallow` setting to `codecs`.
pub(super) fn apply(verb: Verb, codecs: &mut Vec<CodecName>, mut setting: Setting<'_>) {
    let value = setting.value();
    for word in list(value) {
        let (word, verb) = match (word.strip_prefix(b"!"), verb) {
            (Some(rest), Verb::Allow) => (rest.as_bstr(), Verb::Disallow),
            (Some(rest), Verb::Disallow) => (rest.as_bstr(), Verb::Allow),
            (None, verb) => (word, verb),
        };
        // `ulaw:20` asks for packets of 20 ms.
        let (name, packet_time) = match word.split_once_str(":") {
            Some((name, packet_time)) => (name.as_bstr(), Some(packet_time)),
            None => (word, None),
        };
        if packet_time.is_some_and(|packet_time| packet_time != b"20") {
            setting.later(word, "packets hold 20 ms, unless the peer asks for something else");
        }
        let named = named(name);
        match (named, verb) {
            (Some(named), Verb::Disallow) => codecs.retain(|codec| !named.contains(codec)),
            (Some(named), Verb::Allow) => {
                for codec in named {
                    if !codecs.contains(&codec) {
                        codecs.push(codec);
                    }
                }
            }
            (None, _) if name.eq_ignore_ascii_case(b"g729") => {
                if verb == Verb::Allow {
                    setting.later(
                        name,
                        "G.729 is left out: there is no codec of it here, and a phone that has nothing \
                         else is refused with 488",
                    );
                }
            }
            (None, _) if LATER.iter().any(|later| name.eq_ignore_ascii_case(later.as_bytes())) => {
                if verb == Verb::Allow {
                    setting.later(
                        name,
                        "the codec is left out; here are ulaw, alaw, gsm, g722, opus, slin, slin16 and slin48",
                    );
                }
            }
            (None, _) => {
                return setting
                    .invalid("codecs separated by commas: ulaw, alaw, gsm, g722, opus, all");
            }
        }
    }
}

/// The codecs that a word stands for.
fn named(word: &BStr) -> Option<SmallVec<[CodecName; 8]>> {
    if word.eq_ignore_ascii_case(b"all") {
        return Some(CodecName::ALL.iter().copied().collect());
    }
    CodecName::named(word).map(|codec| [codec].into_iter().collect())
}
