//! Access lists: which addresses something is open to (`permit`, `deny`, `acl.conf`).
//!
//! As in Asterisk, the last line that holds the address decides, and what no line holds is let in.
//! Several lists must all let it in.

use std::collections::HashMap;
use std::net::IpAddr;

use bstr::{BStr, BString, ByteSlice};

use super::codes;
use super::keys;
use super::network::IpNetwork;
use super::notes::Notes;
use super::setting::{Block, Setting};
use super::value::{list, parsed};

/// Lines of `permit` and `deny`, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    rules: Vec<(Verdict, IpNetwork)>,
}

/// What a line of an access list says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `permit`.
    Permit,
    /// `deny`.
    Deny,
}

impl AccessList {
    /// Adds a line behind the others.
    pub fn push(&mut self, verdict: Verdict, network: IpNetwork) {
        self.rules.push((verdict, network));
    }

    /// Whether an address is let in.
    pub fn permits(&self, address: IpAddr) -> bool {
        let decides = self.rules.iter().rev().find(|(_, network)| network.contains(address));
        decides.is_none_or(|(verdict, _)| *verdict == Verdict::Permit)
    }
}

/// Whom something is open to: every list must let an address in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    lists: Vec<AccessList>,
}

impl Access {
    /// Adds a list that must let in, too.
    pub fn push(&mut self, list: AccessList) {
        self.lists.push(list);
    }

    /// The lists of another one must let in, too.
    pub(super) fn append(&mut self, mut other: Self) {
        self.lists.append(&mut other.lists);
    }

    /// Whether an address is let in.
    pub fn permits(&self, address: IpAddr) -> bool {
        self.lists.iter().all(|list| list.permits(address))
    }

    /// Whether there is a line that says anything.
    pub fn is_limited(&self) -> bool {
        self.lists.iter().any(|list| !list.rules.is_empty())
    }
}

/// The lists of `acl.conf`, by name.
#[derive(Debug, Default)]
pub(super) struct NamedLists {
    lists: HashMap<BString, AccessList>,
    /// A file that did not parse has been named: that its lists are missing is no second error.
    is_whole: bool,
}

/// Reads all sections of `acl.conf`.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> NamedLists {
    let mut lists: HashMap<BString, AccessList> = HashMap::new();
    for section in sections {
        let list = lists.entry(section.name().to_owned()).or_default();
        section.each(&keys::ACL, notes, |name, setting| match name {
            b"permit" => add(list, Verdict::Permit, setting),
            b"deny" => add(list, Verdict::Deny, setting),
            _ => setting.judge(),
        });
    }
    NamedLists { lists, is_whole: true }
}

/// The lines of one owner: its own `permit` and `deny`, and the lists it names.
#[derive(Default)]
pub(super) struct Lines {
    own: AccessList,
    named: Vec<AccessList>,
}

impl Lines {
    /// A line `permit` or `deny`.
    pub(super) fn add(&mut self, verdict: Verdict, setting: Setting<'_>) {
        add(&mut self.own, verdict, setting);
    }

    /// A line `acl`: names of lists. A name that leads nowhere is an error: it would keep nobody out.
    pub(super) fn add_named(&mut self, known: Option<&NamedLists>, setting: Setting<'_>) {
        let span = setting.span();
        for name in list(setting.value()) {
            match known.and_then(|known| known.lists.get(name)) {
                Some(list) => self.named.push(list.clone()),
                None if known.is_some_and(|known| !known.is_whole) => {}
                None => setting.notes.error(
                    codes::NAME_UNRESOLVED,
                    span,
                    format!("acl.conf has no section [{name}]"),
                    "add the section with its permit and deny lines, or correct the name",
                ),
            }
        }
    }

    pub(super) fn finish(self) -> Access {
        let mut access = Access { lists: self.named };
        if !self.own.rules.is_empty() {
            access.push(self.own);
        }
        access
    }
}

/// Networks of one line; `!` before one turns it round.
fn add(list: &mut AccessList, verdict: Verdict, setting: Setting<'_>) {
    let mut rules = vec![];
    for word in super::value::list(setting.value()) {
        let (verdict, network) = match (word.strip_prefix(b"!"), verdict) {
            (Some(rest), Verdict::Permit) => (Verdict::Deny, rest.as_bstr()),
            (Some(rest), Verdict::Deny) => (Verdict::Permit, rest.as_bstr()),
            (None, verdict) => (verdict, word),
        };
        match parsed::<IpNetwork>(BStr::new(network.trim_ascii())) {
            Some(network) => rules.push((verdict, network)),
            None => return setting.invalid("addresses and networks, such as 192.0.2.0/24"),
        }
    }
    list.rules.append(&mut rules);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_holds_an_address_decides() {
        let mut list = AccessList::default();
        let permits = |list: &AccessList, address: &str| list.permits(address.parse().unwrap());
        assert!(permits(&list, "192.0.2.1"), "nothing is said");
        list.push(Verdict::Deny, "0.0.0.0/0.0.0.0".parse().unwrap());
        list.push(Verdict::Permit, "192.0.2.0/24".parse().unwrap());
        list.push(Verdict::Deny, "192.0.2.66".parse().unwrap());
        assert!(permits(&list, "192.0.2.1"));
        assert!(permits(&list, "::ffff:192.0.2.1"), "on a socket of both families");
        assert!(!permits(&list, "192.0.2.66"));
        assert!(!permits(&list, "198.51.100.1"));
        assert!(permits(&list, "2001:db8::1"), "as in Asterisk: it takes a deny=::/0 as well");
        let mut access = Access::default();
        assert!(!access.is_limited());
        access.push(list);
        let mut other = AccessList::default();
        other.push(Verdict::Deny, "192.0.2.1".parse().unwrap());
        access.push(other);
        assert!(!access.permits("192.0.2.1".parse().unwrap()), "one list of two");
        assert!(access.permits("192.0.2.2".parse().unwrap()));
    }
}
