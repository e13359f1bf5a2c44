//! What must not be shown of a message: proofs of passwords, which can be guessed at home, and keys.

use bstr::ByteSlice;

/// The message with every credential struck out, octet for octet.
pub(crate) fn mask(message: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(message.len());
    let mut kind = Kind::Plain;
    let mut is_body = false;
    for line in message.lines_with_terminator() {
        let text = line.trim_end_with(|end| matches!(end, '\r' | '\n'));
        is_body |= text.is_empty();
        if is_body {
            kind = Kind::of_body(text);
        } else if !text.starts_with(b" ") && !text.starts_with(b"\t") {
            // A line that begins with a space goes on with the header before it.
            kind = Kind::of_header(text);
        }
        let start = masked.len();
        masked.extend_from_slice(line);
        let line = &mut masked[start..start + text.len()];
        match kind {
            Kind::Plain => {}
            Kind::Credentials => PROOFS.iter().for_each(|name| strike_parameter(line, name)),
            Kind::Secret { from } => strike(line.get_mut(from..).unwrap_or_default()),
        }
    }
    masked
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    /// A header with digest parameters.
    Credentials,
    /// Everything from here on is secret.
    Secret {
        from: usize,
    },
}

impl Kind {
    fn of_header(line: &[u8]) -> Self {
        let name = line.split_str(":").next().unwrap_or_default().trim_ascii();
        let is = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
        if !HEADERS.iter().any(is) {
            return Self::Plain;
        }
        let value = line[name.len()..].trim_start_with(|it| matches!(it, ':' | ' ' | '\t'));
        match value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"digest"))
            || is(&"Authentication-Info")
        {
            true => Self::Credentials,
            // Basic, a bearer's token, or nothing that is known: all of it.
            false => Self::Secret { from: line.len() - value.len() },
        }
    }

    fn of_body(line: &[u8]) -> Self {
        for secret in ["a=ice-pwd:", "k="] {
            if line.starts_with(secret.as_bytes()) {
                return Self::Secret { from: secret.len() };
            }
        }
        let key = line.starts_with(b"a=crypto:").then(|| line.find("inline:")).flatten();
        key.map_or(Self::Plain, |at| Self::Secret { from: at + "inline:".len() })
    }
}

/// Strikes the value of `name=value` or `name="value"`, wherever it stands.
fn strike_parameter(line: &mut [u8], name: &str) {
    let mut from = 0;
    while let Some(at) = line[from..].to_ascii_lowercase().find(name) {
        let at = from + at;
        from = at + name.len();
        let is_whole = at == 0 || matches!(line[at - 1], b' ' | b'\t' | b',');
        let rest = line[from..].trim_ascii_start();
        if !is_whole || !rest.starts_with(b"=") {
            continue;
        }
        let value = rest[1..].trim_ascii_start();
        let start = line.len() - value.len();
        let (start, length) = match value.strip_prefix(b"\"") {
            Some(quoted) => (start + 1, quoted.find_byte(b'"').unwrap_or(quoted.len())),
            None => (start, value.find_byteset(b", \t").unwrap_or(value.len())),
        };
        strike(&mut line[start..start + length]);
        from = start + length;
    }
}

fn strike(text: &mut [u8]) {
    text.fill(b'*');
}

const HEADERS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Authentication-Info"];
/// Made from the password.
const PROOFS: [&str; 2] = ["response", "rspauth"];

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        String::from_utf8(mask(text.as_bytes())).unwrap()
    }

    #[test]
    fn proofs_are_struck_out_and_the_length_stays() {
        let message = "REGISTER sip:b SIP/2.0\r\nauthorization : Digest username=\"response\", \
                       uri=\"sip:b\",response=\"0123\",\r\n RESPONSE = abcd, opaque=\"x\"\r\n\
                       Proxy-Authorization: Basic abc=\r\nX: response=\"0123\"\r\n\r\n\
                       a=crypto:1 AES inline:key\r\na=ice-pwd:pass\r\nresponse=\"0123\"\r\n";
        let expected = "REGISTER sip:b SIP/2.0\r\nauthorization : Digest username=\"response\", \
                        uri=\"sip:b\",response=\"****\",\r\n RESPONSE = ****, opaque=\"x\"\r\n\
                        Proxy-Authorization: **********\r\nX: response=\"0123\"\r\n\r\n\
                        a=crypto:1 AES inline:***\r\na=ice-pwd:****\r\nresponse=\"0123\"\r\n";
        assert_eq!(masked(message), expected);
    }

    #[test]
    fn whatever_comes_keeps_its_length() {
        for noise in [
            "",
            "\r\n",
            "Authorization",
            "Authorization:",
            "Authorization: Digest response",
            "Authorization: Digest response=",
            "Authorization: Digest response=\"",
            "a\n\nk=",
            "Authorization:Digest response=\"\"response=\"x",
        ] {
            assert_eq!(masked(noise).len(), noise.len(), "{noise:?}");
        }
    }
}
