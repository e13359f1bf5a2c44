//! The body of a busy lamp's NOTIFY: `application/dialog-info+xml` (RFC 4235).

use std::fmt::Write;

use super::{ExtensionState, xml::Escaped};

/// What a watcher of an extension is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogInfo<'a> {
    /// The watched address: `sip:100@192.0.2.1`.
    pub entity: &'a str,
    /// The watched extension, which names its one dialog.
    pub extension: &'a str,
    /// Counts the bodies of one subscription, from 0 (RFC 4235 §4.1: without gaps).
    pub version: u32,
    /// What it does.
    pub state: ExtensionState,
    /// What a watcher sees of somebody who rings while in a call.
    pub ringing_while_in_use: RingingWhileInUse,
}

/// What a watcher sees of an extension one device of which rings while another is in a call
/// (`notify_early_inuse_ringing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RingingWhileInUse {
    /// The call.
    #[default]
    Confirmed,
    /// The ringing, so that it can be picked up.
    Early,
}

impl DialogInfo<'_> {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/dialog-info+xml";

    /// The body. It always tells the full state: a watcher that lost one is right with the next.
    pub fn write(&self) -> String {
        let entity = Escaped(self.entity);
        let mut body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{}\" state=\"full\" \
             entity=\"{entity}\">\r\n",
            self.version
        );
        let state = self.dialog_state();
        // A ringing one is who is called: a phone's pick-up needs the direction.
        let direction = match state {
            "early" => " direction=\"recipient\"",
            _ => "",
        };
        // Formatting into a string cannot fail.
        let _ = write!(
            body,
            "<dialog id=\"{}\"{direction}>\r\n<state>{state}</state>\r\n",
            Escaped(self.extension)
        );
        if self.state == ExtensionState::OnHold {
            // RFC 4235 §4.1.6.2: not rendering is what a held party does.
            let _ = write!(
                body,
                "<local>\r\n<target uri=\"{entity}\">\r\n\
                 <param pname=\"+sip.rendering\" pvalue=\"no\"/>\r\n</target>\r\n</local>\r\n"
            );
        }
        body.push_str("</dialog>\r\n</dialog-info>\r\n");
        body
    }

    /// RFC 4235 §3.7.1.
    fn dialog_state(&self) -> &'static str {
        match (self.state, self.ringing_while_in_use) {
            (ExtensionState::Ringing, _)
            | (ExtensionState::InUseAndRinging, RingingWhileInUse::Early) => "early",
            (
                ExtensionState::InUse
                | ExtensionState::Busy
                | ExtensionState::OnHold
                | ExtensionState::InUseAndRinging,
                _,
            ) => "confirmed",
            (ExtensionState::Idle | ExtensionState::Unavailable, _) => "terminated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DialogInfo, ExtensionState, RingingWhileInUse};

    fn body(state: ExtensionState) -> String {
        DialogInfo {
            entity: "sip:1&0@192.0.2.1",
            extension: "1&0",
            version: 3,
            state,
            ringing_while_in_use: RingingWhileInUse::default(),
        }
        .write()
    }

    #[test]
    fn states_are_those_of_a_dialog() {
        for (state, expected) in [
            (ExtensionState::Idle, "terminated"),
            (ExtensionState::Unavailable, "terminated"),
            (ExtensionState::Ringing, "early"),
            (ExtensionState::InUse, "confirmed"),
            (ExtensionState::InUseAndRinging, "confirmed"),
            (ExtensionState::OnHold, "confirmed"),
        ] {
            let body = body(state);
            assert!(body.contains(&format!("<state>{expected}</state>")), "{body}");
            assert!(body.contains("version=\"3\" state=\"full\" entity=\"sip:1&amp;0@192.0.2.1\""));
        }
    }

    #[test]
    fn only_a_ringing_one_can_be_picked_up() {
        assert!(body(ExtensionState::Ringing).contains("direction=\"recipient\""));
        assert!(!body(ExtensionState::InUse).contains("direction"));
    }
}
