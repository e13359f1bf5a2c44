//! How good a call's media was, told to dialplans and records when the call or its bridge ends.

use super::{Switch, call::Call};
use crate::{channel::ChannelId, media::StreamStatistics, pbx::quality};

impl Switch {
    /// The call ends: its channel gets its figures, for its `h` extension and whoever reads on.
    pub(super) fn tell_quality(&mut self, call: &mut Call) {
        let partner = call.bridged.and_then(|bridged| self.bridges.get(&bridged.bridge));
        let partner = partner.and_then(|bridge| self.calls.get(&bridge.other_than(call.id)?));
        if let (Some(ledger), Some(partner)) = (&mut self.ledger, partner)
            && let Some(statistics) = partner.media_statistics()
        {
            ledger.measured(partner.id, &statistics);
        }
        let Some(statistics) = call.media_statistics() else { return };
        if let Some(ledger) = &mut self.ledger {
            ledger.measured(call.id, &statistics);
        }
        if let Some(pbx) = call.pbx_mut() {
            for (name, value) in quality::variables(&statistics) {
                pbx.set_variable(name, value.as_bytes());
            }
        }
    }

    /// The call leaves a bridge in which it was with this one alone: each gets the other's figures.
    pub(super) fn exchange_quality(&mut self, call: &mut Call, partner: ChannelId) {
        if let Some(statistics) = call.media_statistics() {
            if let Some(ledger) = &mut self.ledger {
                ledger.measured(call.id, &statistics);
            }
            if let Some(partner) = self.calls.get_mut(&partner) {
                tell_partners(partner, &statistics);
            }
        }
        let statistics = self.calls.get(&partner).and_then(|partner| partner.media_statistics());
        if let Some(statistics) = statistics {
            if let Some(ledger) = &mut self.ledger {
                ledger.measured(partner, &statistics);
            }
            tell_partners(call, &statistics);
        }
    }
}

/// Sets RTPAUDIOQOSBRIDGED and its kin.
fn tell_partners(call: &mut Call, statistics: &StreamStatistics) {
    let Some(pbx) = call.pbx_mut() else { return };
    for (name, value) in quality::variables(statistics) {
        pbx.set_variable(&format!("{name}BRIDGED"), value.as_bytes());
    }
}
