//! Numbers as people and trunks write them, read by the numbering plan before the dialplan sees them.

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::numbering::{Direction, NumberingPlan};
use diesis_dialplan::operation::OriginateTarget;

use super::{Originate, Parties, Switch};
use crate::config::Peer;

/// How the numbers of an origination are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// As the dialplan takes them.
    #[default]
    Dialled,
    /// As people write them, `+33 (0)1 55 17 18 89`: the outgoing rules of `numbering.conf` make of
    /// them what is dialled.
    Written,
}

impl Switch {
    /// Reads what a peer dials and whom it shows as the caller, as far as its settings ask for it.
    pub(super) fn read_parties(&self, mut parties: Parties, peer: &Peer) -> Parties {
        let Some(plan) = self.config.plan.numbering() else { return parties };
        if peer.numbering.reads_dialled() {
            parties.dialled = read(plan, Direction::Out, parties.dialled.as_ref());
        }
        // What the settings say is meant as it stands.
        if peer.numbering.reads_callers() && peer.caller_id.is_none() {
            parties.caller_number = read(plan, Direction::In, parties.caller_number.as_ref());
        }
        parties
    }

    /// The origination with all its numbers as they are dialled.
    pub(super) fn read_originate(&self, mut originate: Originate) -> Result<Originate, String> {
        if originate.numbers == Numbers::Dialled {
            return Ok(originate);
        }
        let Some(plan) = self.config.plan.numbering() else {
            return Err("there is no numbering.conf to read the number by".to_owned());
        };
        let dialled = |number: &BStr| read(plan, Direction::Out, number);
        // NUMBER@ENDPOINT, NUMBER@CONTEXT/OPTIONS; the name of an endpoint alone is no number.
        let resource = &originate.destination.resource;
        if let Some((number, place)) = resource.split_once_str("@") {
            let mut read = dialled(number.as_bstr());
            read.push(b'@');
            read.extend_from_slice(place);
            originate.destination.resource = read;
        }
        if let OriginateTarget::Place { extension, .. } = &mut originate.target {
            *extension = dialled(extension.as_ref());
        }
        originate.numbers = Numbers::Dialled;
        Ok(originate)
    }
}

/// What the plan makes of a number; whatever is none, such as a name, stays.
fn read(plan: &NumberingPlan, direction: Direction, text: &BStr) -> BString {
    let Some(number) = text.to_str().ok().filter(|text| is_number(text)) else {
        return text.to_owned();
    };
    plan.apply(direction, number).number.into()
}

/// Whether a text is a number with what people put between its digits.
fn is_number(text: &str) -> bool {
    let may_stand = |symbol: char| symbol.is_ascii_digit() || "+*#().-/ \u{a0}".contains(symbol);
    text.len() <= LONGEST
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.chars().all(may_stand)
}

/// Octets of a number, with all that people put into it.
const LONGEST: usize = 64;
