//! The body of a presence NOTIFY: `application/pidf+xml` (RFC 3863) with activities (RFC 4480).

use super::{ExtensionState, xml::Escaped};

/// What a watcher of a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pidf<'a> {
    /// The watched address: `sip:100@192.0.2.1`.
    pub entity: &'a str,
    /// The watched extension, which names its one tuple.
    pub extension: &'a str,
    /// What it does.
    pub state: ExtensionState,
}

impl Pidf<'_> {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/pidf+xml";

    /// The body.
    pub fn write(&self) -> String {
        let (basic, activity, note) = match self.state {
            ExtensionState::Idle => ("open", None, "Ready"),
            ExtensionState::InUse => ("open", Some("on-the-phone"), "On the phone"),
            ExtensionState::Busy => ("closed", Some("busy"), "Busy"),
            ExtensionState::Unavailable => ("closed", Some("away"), "Unavailable"),
            ExtensionState::Ringing => ("open", Some("on-the-phone"), "Ringing"),
            ExtensionState::InUseAndRinging => ("open", Some("on-the-phone"), "Ringing"),
            ExtensionState::OnHold => ("open", Some("on-the-phone"), "On hold"),
        };
        let activities = activity.map_or_else(String::new, |activity| {
            format!("<rpid:activities><rpid:{activity}/></rpid:activities>")
        });
        let (entity, id) = (Escaped(self.entity), Escaped(self.extension));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
             xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{entity}\">\r\n\
             <tuple id=\"x{id}\">\r\n<status><basic>{basic}</basic></status>\r\n\
             <contact priority=\"1\">{entity}</contact>\r\n<note>{note}</note>\r\n</tuple>\r\n\
             <dm:person id=\"p{id}\">{activities}</dm:person>\r\n</presence>\r\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{ExtensionState, Pidf};

    #[test]
    fn who_cannot_be_reached_is_closed() {
        let body = |state| Pidf { entity: "sip:100@a", extension: "100", state }.write();
        assert!(body(ExtensionState::Unavailable).contains("<basic>closed</basic>"));
        assert!(body(ExtensionState::Idle).contains("<basic>open</basic>"));
        assert!(!body(ExtensionState::Idle).contains("rpid:activities>"));
        assert!(body(ExtensionState::InUse).contains("<rpid:on-the-phone/>"));
    }
}
