//! What the records of calls are told of what happens.

use diesis_dialplan::channel::Channel as PlanChannel;

use super::{Switch, SwitchEvent};
use crate::{
    cdr::{self, Started},
    channel::ChannelId,
    clock::Now,
};

impl Switch {
    /// Tells the ledger what happened; the records that are complete now.
    pub(super) fn account(&mut self, event: &SwitchEvent) -> Vec<cdr::Record> {
        let Some(ledger) = &mut self.ledger else { return Vec::new() };
        let now = self.worked_at;
        match event {
            SwitchEvent::CallStarted { call, channel, parties, .. } => {
                let parties = Started {
                    number: parties.caller_number.as_ref(),
                    name: parties.caller_name.as_ref(),
                    dialled: parties.dialled.as_ref(),
                };
                ledger.started(*call, channel, parties, now);
            }
            SwitchEvent::CallAnswered { call } => ledger.answered(*call, now),
            SwitchEvent::DialBegan { call, leg, channel } => {
                ledger.dial_began(*call, *leg, channel, now);
            }
            SwitchEvent::DialEnded { call, .. } => ledger.dial_ended(*call, now),
            SwitchEvent::BridgeEntered { bridge, call } => {
                ledger.bridge_entered(bridge.number(), *call, now);
            }
            SwitchEvent::BridgeLeft { bridge, call } => {
                ledger.bridge_left(bridge.number(), *call, now);
            }
            SwitchEvent::CallHungUp { call, cause } => ledger.hung_up(*call, *cause, now),
            SwitchEvent::CallEnded { call, .. } => ledger.ended(*call, now),
            _ => return Vec::new(),
        }
        std::iter::from_fn(|| ledger.poll_record()).collect()
    }

    /// The dialplan's view of a channel has changed, perhaps.
    pub(super) fn observe(&mut self, call: ChannelId, channel: &PlanChannel) {
        if let Some(ledger) = &mut self.ledger {
            ledger.observe(call, channel);
        }
    }

    /// Writes down all calls as if they ended now, because the engine does; their records come out as
    /// events. What happens to the calls afterwards is not recorded.
    pub fn close_records(&mut self, now: Now) {
        let Some(mut ledger) = self.ledger.take() else { return };
        ledger.close_all(now);
        while let Some(record) = ledger.poll_record() {
            self.tell(SwitchEvent::CallRecorded { record: Box::new(record) });
        }
    }
}
