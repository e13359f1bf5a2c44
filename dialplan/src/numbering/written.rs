//! Numbers where people write them: what of a text is one, and what is dialled then.

use std::ops::Range;

use bstr::{BStr, BString, ByteSlice};

use super::{Direction, NumberingPlan};
use crate::operation::{Destination, OriginateTarget};

/// What can be dialled: digits, `+`, `*` and `#`, or a name.
pub type Dialled = String;

/// A number as it is dialled, without what only helps the eye: blanks, dots, hyphens, slashes and
/// parentheses. A name of letters, digits, `.`, `_` and `-` stays as it is. `None`: it is neither.
#[must_use]
pub fn dialled(number: &str) -> Option<Dialled> {
    let number = number.trim();
    if number.len() > LONGEST {
        return None;
    }
    let bare: String = number.chars().filter(|c| !is_ornament(*c)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let is_number = digits.bytes().any(|byte| byte.is_ascii_digit() || b"*#".contains(&byte))
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
    let is_name = number.starts_with(|first: char| first.is_ascii_alphanumeric())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match (is_number, is_name) {
        (true, _) => Some(bare),
        (false, true) => Some(number.to_owned()),
        (false, false) => None,
    }
}

/// What a plan makes of a number; whatever is none, such as a name, stays.
#[must_use]
pub fn read(plan: &NumberingPlan, direction: Direction, text: &BStr) -> BString {
    let Some(number) = text.to_str().ok().filter(|text| is_number(text)) else {
        return text.to_owned();
    };
    plan.apply(direction, number).number.into()
}

/// A call that is to be made, with its numbers as they are dialled. In a destination that is what
/// stands before `@`, of `ENDPOINT/sip:NUMBER@HOST` that address's user, of `Robot/POOL/NUMBER` the
/// end; the name of an endpoint alone is no number.
///
/// # Errors
/// When nobody could dial what stands there, or there is no plan.
pub fn read_origination(
    plan: Option<&NumberingPlan>,
    destination: Destination,
    target: OriginateTarget,
) -> Result<(Destination, OriginateTarget), NotDialled> {
    let plan = plan.ok_or(NotDialled::NoPlan)?;
    let destination = read_destination(plan, destination)?;
    let target = match target {
        OriginateTarget::Place { context, extension, priority } => {
            let extension = read_written(plan, extension.as_ref())?;
            OriginateTarget::Place { context, extension, priority }
        }
        target @ OriginateTarget::Application { .. } => target,
    };
    Ok((destination, target))
}

/// What is dialled for a number that somebody wrote; a name stays.
fn read_written(plan: &NumberingPlan, text: &BStr) -> Result<BString, NotDialled> {
    let read = read(plan, Direction::Out, text);
    match read.to_str().ok().and_then(dialled) {
        Some(_) => Ok(read),
        None => Err(NotDialled::Number(text.to_string())),
    }
}

fn read_destination(
    plan: &NumberingPlan,
    destination: Destination,
) -> Result<Destination, NotDialled> {
    let Some(place) = number_in(&destination)? else { return Ok(destination) };
    let Destination { technology, resource } = destination;
    let mut read = BString::from(&resource[..place.start]);
    read.extend_from_slice(&read_written(plan, resource[place.clone()].as_bstr())?);
    read.extend_from_slice(&resource[place.end..]);
    Ok(Destination { technology, resource: read })
}

/// Where the number stands in a destination.
fn number_in(destination: &Destination) -> Result<Option<Range<usize>>, NotDialled> {
    let Destination { technology, resource } = destination;
    let is = |name: &str| technology.eq_ignore_ascii_case(name.as_bytes());
    let end = resource.find_byte(b'@');
    if is("local") {
        return Ok(Some(0..end.or_else(|| resource.find_byte(b'/')).unwrap_or(resource.len())));
    }
    let Some(slash) = resource.find_byte(b'/') else {
        return Ok(end.map(|end| 0..end));
    };
    let start = slash + 1;
    if is("robot") {
        return Ok(Some(start..resource.len()));
    }
    let address = &resource[start..];
    let schemes = [&b"sip:"[..], b"sips:"];
    let scheme = schemes
        .into_iter()
        .find(|it| address.get(..it.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(it)));
    let Some(scheme) = scheme else {
        // Nobody could call that, number or not.
        return Err(NotDialled::Place {
            endpoint: resource[..slash].as_bstr().to_string(),
            number: address.as_bstr().to_string(),
        });
    };
    let start = start + scheme.len();
    let user = resource[start..].find_byte(b'@').map(|at| start..start + at);
    // Users of addresses may be anything.
    Ok(user.filter(|user| resource[user.clone()].to_str().is_ok_and(is_number)))
}

/// What nobody could dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDialled {
    /// Nothing says what is dialled.
    #[error("there is no numbering.conf to read the number by")]
    NoPlan,
    /// It is neither a number nor a name.
    #[error("{0:?} can not be dialled: it is neither a number nor a name")]
    Number(String),
    /// A number stands where an address should.
    #[error("{number:?} is no address of {endpoint}: a number is called as {number}@{endpoint}")]
    Place {
        /// The endpoint.
        endpoint: String,
        /// What stands behind it.
        number: String,
    },
}

/// Whether a text is a number with what people put between its digits.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let may_stand = |symbol: char| symbol.is_ascii_digit() || "+*#().-/ \u{a0}".contains(symbol);
    text.len() <= LONGEST
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.chars().all(may_stand)
}

fn is_ornament(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')')
}

/// Octets of a number, with all that people put into it.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn num_a_destination_has_its_number_read_wherever_that_stands() {
        let plan = NumberingPlan::default();
        let read = |technology: &str, resource: &str| {
            let to = Destination { technology: technology.into(), resource: resource.into() };
            let read = read_destination(&plan, to);
            read.map(|it| it.resource.to_string()).map_err(|error| error.to_string())
        };
        for (technology, resource, expected) in [
            ("PJSIP", "+33 (0)1 55 17 18 89@trunk", "00155171889@trunk"),
            ("SIP", "4092@trunk", "4092@trunk"),
            ("PJSIP", "200", "200"),
            ("PJSIP", "desk@trunk", "desk@trunk"),
            ("PJSIP", "trunk/sip:+33155171889@192.0.2.7", "trunk/sip:00155171889@192.0.2.7"),
            ("PJSIP", "trunk/SIPS:a%20b@192.0.2.7", "trunk/SIPS:a%20b@192.0.2.7"),
            ("PJSIP", "trunk/sip:192.0.2.7", "trunk/sip:192.0.2.7"),
            ("Local", "+39 12 33 44 77@office/n", "0003912334477@office/n"),
            ("local", "+39 12 33 44 77", "0003912334477"),
            ("Robot", "rules/+33 1 55 17 18 89", "rules/00155171889"),
        ] {
            assert_eq!(read(technology, resource).as_deref(), Ok(expected), "{resource}");
        }
        for (technology, resource, expected) in [
            (
                "PJSIP",
                "+33 1 5x@trunk",
                "\"+33 1 5x\" can not be dialled: it is neither a number nor a name",
            ),
            ("PJSIP", "@trunk", "\"\" can not be dialled: it is neither a number nor a name"),
            ("Local", "()@office", "\"()\" can not be dialled: it is neither a number nor a name"),
            ("Robot", "rules/", "\"\" can not be dialled: it is neither a number nor a name"),
            (
                "PJSIP",
                "trunk/+33 1",
                "\"+33 1\" is no address of trunk: a number is called as +33 1@trunk",
            ),
        ] {
            assert_eq!(read(technology, resource).unwrap_err(), expected, "{resource}");
        }
    }

    #[test]
    fn a_number_is_dialled_without_its_ornaments_and_nothing_else_gets_in() {
        for (written, expected) in [
            ("+33 1.23-45/67", Some("+331234567")),
            ("(030) 1234", Some("0301234")),
            ("*98#", Some("*98#")),
            ("anna.b-2", Some("anna.b-2")),
            ("6001@trunk", None),
            ("1&PJSIP/2", None),
            ("${SHELL(id)}", None),
            ("1,2", None),
            ("+", None),
            ("", None),
            ("-", None),
            ("..", None),
        ] {
            assert_eq!(dialled(written).as_deref(), expected, "{written}");
        }
    }
}
