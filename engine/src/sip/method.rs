//! Request methods, known and extension (RFC 3261 §7.1).

use std::fmt;
use std::sync::Arc;

use super::grammar;

macro_rules! methods {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// A request method. Method names are case-sensitive (RFC 3261 §7.1).
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is the method of that name")]
        pub enum Method { $($variant,)+
            /// A method this stack has no name for.
            Extension(Extension),
        }

        impl Method {
            /// The methods this stack knows by name.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// The method as written on the wire.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $text,)+ Self::Extension(name) => &name.0 }
            }

            /// Reads a method; `None` unless it is a token.
            pub fn parse(name: &[u8]) -> Option<Self> {
                match name {
                    $(_ if name == $text.as_bytes() => Some(Self::$variant),)+
                    _ if grammar::is_token(name) => {
                        Some(Self::Extension(Extension(grammar::text(name)?.into())))
                    }
                    _ => None,
                }
            }
        }
    };
}

methods! {
    Invite = "INVITE",
    Ack = "ACK",
    Bye = "BYE",
    Cancel = "CANCEL",
    Options = "OPTIONS",
    Register = "REGISTER",
    Prack = "PRACK",
    Update = "UPDATE",
    Subscribe = "SUBSCRIBE",
    Notify = "NOTIFY",
    Publish = "PUBLISH",
    Info = "INFO",
    Refer = "REFER",
    Message = "MESSAGE",
}

/// The name of an extension method: a token that is none of the known methods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension(Arc<str>);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_round_trip_and_case_matters() {
        for method in Method::KNOWN {
            assert_eq!(Method::parse(method.as_str().as_bytes()).as_ref(), Some(method));
        }
        assert_ne!(Method::parse(b"invite"), Some(Method::Invite));
        assert_eq!(Method::parse(b"!interesting-Method0123").unwrap().as_str().len(), 23);
        assert_eq!(Method::parse(b"IN VITE"), None);
        assert_eq!(Method::parse(b""), None);
    }
}
