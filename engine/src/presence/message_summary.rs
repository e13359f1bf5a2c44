//! The body of a message-waiting NOTIFY: `application/simple-message-summary` (RFC 3842).

use std::fmt::Write;

/// Messages in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageCounts {
    /// Not heard yet.
    pub new: u32,
    /// Heard.
    pub old: u32,
    /// Not heard yet, and urgent; among `new`.
    pub urgent_new: u32,
    /// Heard, and urgent; among `old`.
    pub urgent_old: u32,
}

/// What a phone with a lamp for messages is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSummary<'a> {
    /// Where the messages are heard: `sip:*97@192.0.2.1`. Control characters are not written.
    pub account: Option<&'a str>,
    /// How many there are.
    pub counts: MessageCounts,
}

impl MessageSummary<'_> {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/simple-message-summary";

    /// The body (RFC 3842 §5.2).
    pub fn write(&self) -> String {
        let MessageCounts { new, old, urgent_new, urgent_old } = self.counts;
        let mut body = format!("Messages-Waiting: {}\r\n", if new > 0 { "yes" } else { "no" });
        if let Some(account) = self.account {
            let account: String = account.chars().filter(|c| !c.is_control()).collect();
            // Formatting into a string cannot fail.
            let _ = write!(body, "Message-Account: {account}\r\n");
        }
        let _ = write!(body, "Voice-Message: {new}/{old} ({urgent_new}/{urgent_old})\r\n");
        body
    }
}

#[cfg(test)]
mod tests {
    use super::{MessageCounts, MessageSummary};

    #[test]
    fn the_lamp_is_lit_by_new_messages_only() {
        let body = |new, old| {
            let counts = MessageCounts { new, old, ..MessageCounts::default() };
            MessageSummary { account: Some("sip:*97@192.0.2.1\r\nX: y"), counts }.write()
        };
        assert_eq!(
            body(2, 8),
            "Messages-Waiting: yes\r\nMessage-Account: sip:*97@192.0.2.1X: y\r\nVoice-Message: 2/8 (0/0)\r\n"
        );
        assert!(body(0, 8).starts_with("Messages-Waiting: no\r\n"));
    }
}
