//! What a room says.

use bstr::BString;

/// What is said, as `a&b`; empty is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sounds {
    /// To whom is invited.
    pub invitation: BString,
    /// To whom has to enter a PIN.
    pub get_pin: BString,
    /// Whose PIN is wrong.
    pub wrong_pin: BString,
    /// To whom is not let in.
    pub not_invited: BString,
    /// To whom finds no place.
    pub full: BString,
    /// To those who wait and hear that the master did not come.
    pub no_master: BString,
    /// To all, at an end that is not the master's leaving.
    pub ended: BString,
    /// To whom the media server is out of reach.
    pub no_server: BString,
    /// To the master, who is to enter a number and `#`.
    pub get_number: BString,
    /// To the master: the call is being made.
    pub calling: BString,
    /// To the master: that is not possible.
    pub refused: BString,
    /// What the room itself says: `joined`, `left`, ... by the names of `confbridge.conf`.
    pub room: Vec<(&'static str, BString)>,
}

impl Default for Sounds {
    fn default() -> Self {
        Self {
            invitation: "conf-invited".into(),
            get_pin: "conf-getpin".into(),
            wrong_pin: "conf-invalidpin".into(),
            not_invited: "conf-invalid".into(),
            full: "conf-full".into(),
            no_master: "conf-noleader".into(),
            ended: "conf-ended".into(),
            no_server: "conf-unreachable".into(),
            get_number: "conf-getnumber".into(),
            calling: "conf-calling".into(),
            refused: "conf-errormenu".into(),
            room: Vec::new(),
        }
    }
}
