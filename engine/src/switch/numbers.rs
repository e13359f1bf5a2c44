//! Numbers as people and trunks write them, read by the numbering plan before the dialplan sees them.

use diesis_dialplan::numbering::{Direction, NotDialled, read, read_origination};

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
    pub(super) fn read_originate(&self, originate: Originate) -> Result<Originate, NotDialled> {
        if originate.numbers == Numbers::Dialled {
            return Ok(originate);
        }
        let plan = self.config.plan.numbering();
        let Originate { destination, target, .. } = originate;
        let (destination, target) = read_origination(plan, destination, target)?;
        Ok(Originate { destination, target, numbers: Numbers::Dialled, ..originate })
    }
}
