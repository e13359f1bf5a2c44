//! `type=identify`: peers that are recognised by where their packets come from.

use bstr::{BString, ByteSlice};

use super::{Objects, keys};
use crate::config::codes;
use crate::config::named::Named;
use crate::config::network::{IdentifyTable, IpNetwork};
use crate::config::notes::Notes;
use crate::config::settings::Peer;
use crate::config::value::{list, parsed};

pub(super) fn read(objects: &Objects<'_>, peers: &Named<Peer>, notes: &mut Notes) -> IdentifyTable {
    let mut table = IdentifyTable::default();
    for section in objects.of("identify") {
        let mut peer = None;
        let mut networks = vec![];
        let mut matches = false;
        section.each(&keys::IDENTIFY, notes, |name, mut setting| match name {
            b"type" => {}
            b"endpoint" => {
                let value = setting.value();
                let known = |name: &bstr::BStr| peers.get(name).is_some();
                let names = super::resolved(value, "endpoint", &mut setting, known);
                peer = names.first().and_then(|name: &BString| peers.position(name.as_ref()));
            }
            b"match" => {
                matches = true;
                let span = setting.span();
                let value = setting.value();
                for word in list(value) {
                    if let Some(network) = parsed::<IpNetwork>(word) {
                        networks.push((network, span));
                    } else if is_host_name(word) {
                        setting.later(word, "host names are not looked up; give its addresses");
                    } else {
                        return setting.invalid("addresses and networks, such as 192.0.2.0/24");
                    }
                }
            }
            _ => setting.judge(),
        });
        if !section.has("endpoint") {
            let message = format!("identify [{}] has no `endpoint`", section.name());
            let help = "add the name of the endpoint it recognises";
            notes.error(codes::SETTING_MISSING, section.header, message, help);
        }
        if !matches && !section.has("match_header") && !section.has("match_request_uri") {
            let message = format!("identify [{}] has no `match`", section.name());
            let help = "add the addresses of the peer, such as match=192.0.2.7";
            notes.error(codes::SETTING_MISSING, section.header, message, help);
        }
        let Some(peer) = peer else { continue };
        for (network, span) in networks {
            if let Some(owner) = table.insert(network, peer) {
                notes.error(
                    codes::DEFINED_TWICE,
                    span,
                    format!("{network} belongs to endpoint [{}] already", peers[owner].name),
                    "an address can stand for one endpoint only",
                );
            }
        }
    }
    table
}

fn is_host_name(word: &bstr::BStr) -> bool {
    word.bytes().any(|b| b.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}
