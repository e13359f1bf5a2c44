//! The body of a busy lamp's NOTIFY: `application/dialog-info+xml` (RFC 4235).

use std::fmt::Write;

use super::{ExtensionState, xml::Escaped};

/// What a watcher of an extension is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogInfo<'a> {
    /// The watched address: `sip:100@192.0.2.1`.
    pub entity: &'a str,
    /// The watched extension, which names its first dialog.
    pub extension: &'a str,
    /// Counts the bodies of one subscription, from 0 (RFC 4235 §4.1: without gaps).
    pub version: u32,
    /// What it does.
    pub state: ExtensionState,
    /// What a watcher sees of somebody who rings while in a call.
    pub ringing_while_in_use: RingingWhileInUse,
    /// Its calls, as far as they are known: those that are as its state says are told one by one.
    pub dialogs: Vec<DialogOfExtension>,
}

/// One call of a watched extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogOfExtension {
    /// It rings there; a watcher may pick it up.
    Ringing {
        /// Who calls, as the phone is told; empty when it is not.
        number: String,
        /// The caller's name; may be empty.
        name: String,
    },
    /// It makes a call, or made it.
    Calling,
    /// It took a call.
    Called,
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
        let mut body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{}\" state=\"full\" \
             entity=\"{}\">\r\n",
            self.version,
            Escaped(self.entity)
        );
        let state = self.dialog_state();
        // A phone that looks at one dialog alone, whichever, is right: all are in the same state.
        let told = |dialog: &&DialogOfExtension| {
            let is_early = matches!(dialog, DialogOfExtension::Ringing { .. });
            state != DialogState::Terminated && is_early == (state == DialogState::Early)
        };
        let mut dialogs = self.dialogs.iter().filter(told);
        self.write_dialog(&mut body, 0, dialogs.next(), state);
        for (nth, dialog) in dialogs.enumerate() {
            self.write_dialog(&mut body, nth + 1, Some(dialog), state);
        }
        body.push_str("</dialog-info>\r\n");
        body
    }

    fn write_dialog(
        &self,
        body: &mut String,
        nth: usize,
        dialog: Option<&DialogOfExtension>,
        state: DialogState,
    ) {
        let suffix = if nth == 0 { String::new() } else { format!("-{nth}") };
        let direction = match (dialog, state) {
            (Some(DialogOfExtension::Calling), _) => " direction=\"initiator\"",
            // A ringing one is who is called: a phone's pick-up needs the direction.
            (Some(_), _) | (None, DialogState::Early) => " direction=\"recipient\"",
            (None, _) => "",
        };
        // Formatting into a string cannot fail.
        let _ = write!(
            body,
            "<dialog id=\"{}{suffix}\"{direction}>\r\n<state>{}</state>\r\n",
            Escaped(self.extension),
            state.name()
        );
        let entity = Escaped(self.entity);
        if self.state == ExtensionState::OnHold {
            // RFC 4235 §4.1.6.2: not rendering is what a held party does.
            let _ = write!(
                body,
                "<local>\r\n<target uri=\"{entity}\">\r\n\
                 <param pname=\"+sip.rendering\" pvalue=\"no\"/>\r\n</target>\r\n</local>\r\n"
            );
        }
        if let Some(DialogOfExtension::Ringing { number, name }) = dialog
            && !number.is_empty()
        {
            let host = self.entity.rsplit('@').next().unwrap_or_default();
            let uri = format!("sip:{}@{host}", user(number));
            let uri = Escaped(&uri);
            let display = match name.is_empty() {
                true => String::new(),
                false => format!(" display=\"{}\"", Escaped(name)),
            };
            let _ = write!(
                body,
                "<local>\r\n<identity>{entity}</identity>\r\n<target uri=\"{entity}\"/>\r\n</local>\r\n\
                 <remote>\r\n<identity{display}>{uri}</identity>\r\n<target uri=\"{uri}\"/>\r\n</remote>\r\n"
            );
        }
        body.push_str("</dialog>\r\n");
    }

    fn dialog_state(&self) -> DialogState {
        match (self.state, self.ringing_while_in_use) {
            (ExtensionState::Ringing, _)
            | (ExtensionState::InUseAndRinging, RingingWhileInUse::Early) => DialogState::Early,
            (
                ExtensionState::InUse
                | ExtensionState::Busy
                | ExtensionState::OnHold
                | ExtensionState::InUseAndRinging,
                _,
            ) => DialogState::Confirmed,
            (ExtensionState::Idle | ExtensionState::Unavailable, _) => DialogState::Terminated,
        }
    }
}

/// RFC 4235 §3.7.1, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DialogState {
    Early,
    Confirmed,
    Terminated,
}

impl DialogState {
    const fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }
}

/// A number as the user part of a URI, everything but the plainest characters escaped
/// (RFC 3261 §25.1).
fn user(number: &str) -> String {
    let mut user = String::with_capacity(number.len());
    for byte in number.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()+".contains(&byte) {
            user.push(char::from(byte));
        } else {
            // Formatting into a string cannot fail.
            let _ = write!(user, "%{byte:02X}");
        }
    }
    user
}

#[cfg(test)]
mod tests {
    use super::{DialogInfo, DialogOfExtension, ExtensionState, RingingWhileInUse};

    fn body(state: ExtensionState, dialogs: &[DialogOfExtension]) -> String {
        DialogInfo {
            entity: "sip:1&0@192.0.2.1",
            extension: "1&0",
            version: 3,
            state,
            ringing_while_in_use: RingingWhileInUse::default(),
            dialogs: dialogs.to_vec(),
        }
        .write()
    }

    fn ringing(number: &str, name: &str) -> DialogOfExtension {
        DialogOfExtension::Ringing { number: number.into(), name: name.into() }
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
            let body = body(state, &[]);
            assert!(body.contains(&format!("<state>{expected}</state>")), "{body}");
            assert!(body.contains("version=\"3\" state=\"full\" entity=\"sip:1&amp;0@192.0.2.1\""));
        }
    }

    #[test]
    fn only_a_ringing_one_can_be_picked_up() {
        assert!(body(ExtensionState::Ringing, &[]).contains("direction=\"recipient\""));
        assert!(!body(ExtensionState::InUse, &[]).contains("direction"));
    }

    #[test]
    fn who_rings_is_told_and_cannot_write_xml() {
        let body =
            body(ExtensionState::Ringing, &[ringing("+1 <", "\"><x/>"), ringing("", "Anon")]);
        assert!(
            body.contains("<identity display=\"&quot;&gt;&lt;x/&gt;\">sip:+1%20%3C@192.0.2.1<")
        );
        assert!(body.contains("<target uri=\"sip:+1%20%3C@192.0.2.1\"/>"));
        assert!(body.contains("<dialog id=\"1&amp;0-1\" direction=\"recipient\">"));
        assert!(!body.contains("Anon"), "who is not to be shown");
    }

    #[test]
    fn dialogs_in_another_state_than_the_extension_are_left_out() {
        let dialogs = [ringing("7", ""), DialogOfExtension::Calling, DialogOfExtension::Called];
        let confirmed = body(ExtensionState::InUseAndRinging, &dialogs);
        assert_eq!(confirmed.matches("<state>confirmed</state>").count(), 2);
        assert!(!confirmed.contains("sip:7@") && confirmed.contains("direction=\"initiator\""));
        let idle = body(ExtensionState::Idle, &dialogs);
        assert_eq!(idle.matches("<dialog id=").count(), 1);
    }
}
