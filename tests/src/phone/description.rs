//! The session descriptions of a phone: what it offers, and what it reads in an answer.

use std::net::SocketAddr;

/// What a phone offers in one audio stream.
#[derive(Debug, Clone)]
pub struct Offer {
    formats: Vec<String>,
    attributes: Vec<String>,
    direction: &'static str,
}

impl Offer {
    /// Formats, best first, each as `0 PCMU/8000`; both ways.
    #[must_use]
    pub fn of(formats: &[&str]) -> Self {
        let formats = formats.iter().map(|&format| format.to_owned()).collect();
        Self { formats, attributes: Vec::new(), direction: "sendrecv" }
    }

    /// The same with keys as telephone events of 8 kHz.
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.formats.push("101 telephone-event/8000".to_owned());
        self
    }

    /// The same in one direction, or in none.
    #[must_use]
    pub fn directed(mut self, direction: &'static str) -> Self {
        self.direction = direction;
        self
    }

    /// The same with another line, such as `ptime:30`.
    #[must_use]
    pub fn with_attribute(mut self, attribute: &str) -> Self {
        self.attributes.push(attribute.to_owned());
        self
    }

    pub(super) fn write(&self, media: SocketAddr, version: u32) -> String {
        let number = |format: &String| format.split(' ').next().unwrap_or_default().to_owned();
        let numbers: Vec<_> = self.formats.iter().map(number).collect();
        let (ip, port, numbers) = (media.ip(), media.port(), numbers.join(" "));
        let mut text = format!(
            "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {numbers}\r\n"
        );
        for format in &self.formats {
            text += &format!("a=rtpmap:{format}\r\n");
        }
        for attribute in &self.attributes {
            text += &format!("a={attribute}\r\n");
        }
        text + &format!("a={}\r\n", self.direction)
    }
}

/// What the far end said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where it wants its media.
    pub media: SocketAddr,
    /// The payload types it named, in its order.
    pub payload_types: Vec<u8>,
    /// All of it.
    pub text: String,
}

impl Answer {
    /// Reads the body of a message; `None` if it holds no audio.
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        let text = message.split_once("\r\n\r\n")?.1;
        let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
        let ip = value("c=IN IP4 ")?.trim().parse().ok()?;
        let mut words = value("m=audio ")?.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        let payload_types = words.skip(1).filter_map(|word| word.parse().ok()).collect();
        Some(Self { media: SocketAddr::new(ip, port), payload_types, text: text.to_owned() })
    }

    /// Whether it holds this attribute.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.text.lines().any(|line| line.strip_prefix("a=") == Some(attribute))
    }
}
