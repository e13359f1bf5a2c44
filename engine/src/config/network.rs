//! Which configured peer an address belongs to.
//!
//! A peer may be recognised by where its packets come from (`type=identify` in `pjsip.conf`). When
//! networks overlap the narrowest one that holds the address decides, whatever their order in the
//! file.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::IpAddr;

pub use crate::ip_network::{IpNetwork, NetworkError};

use crate::ip_network::masked;

/// The peers that are recognised by address.
#[derive(Clone, Debug, Default)]
pub struct IdentifyTable {
    /// Longest prefix first, so that the first hit is the narrowest network.
    v4: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, usize>>,
    v6: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, usize>>,
}

impl IdentifyTable {
    /// Lets `network` belong to the peer with index `peer`. When the network already belongs to
    /// another peer nothing changes and that peer's index is returned.
    pub fn insert(&mut self, network: IpNetwork, peer: usize) -> Option<usize> {
        let table = if network.address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let owner = *table
            .entry(std::cmp::Reverse(network.prefix))
            .or_default()
            .entry(network.address)
            .or_insert(peer);
        (owner != peer).then_some(owner)
    }

    /// The index of the peer whose narrowest network holds `address`. The cost is one look-up for
    /// each prefix length in use.
    pub fn find(&self, address: IpAddr) -> Option<usize> {
        let address = address.to_canonical();
        let table = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        table
            .iter()
            .find_map(|(prefix, networks)| networks.get(&masked(address, prefix.0)?).copied())
    }

    /// All networks with the index of the peer that each belongs to, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNetwork, usize)> {
        self.v4.iter().chain(&self.v6).flat_map(|(prefix, networks)| {
            let network = |address| IpNetwork { address, prefix: prefix.0 };
            networks.iter().map(move |(address, peer)| (network(*address), *peer))
        })
    }

    /// Whether no peer is recognised by address.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_narrowest_network_decides_whatever_the_order() {
        let mut table = IdentifyTable::default();
        assert_eq!(table.insert(network("0.0.0.0/0"), 0), None);
        assert_eq!(table.insert(network("192.0.2.7"), 2), None);
        assert_eq!(table.insert(network("192.0.2.0/24"), 1), None);
        assert_eq!(table.find(address("192.0.2.7")), Some(2));
        assert_eq!(table.find(address("192.0.2.8")), Some(1));
        assert_eq!(table.find(address("198.51.100.1")), Some(0));
        assert_eq!(table.find(address("2001:db8::1")), None);
    }

    #[test]
    fn an_ipv4_address_from_an_ipv6_socket_is_found() {
        let mut table = IdentifyTable::default();
        table.insert(network("192.0.2.0/24"), 4);
        assert_eq!(table.find(address("::ffff:192.0.2.9")), Some(4));
        assert!(network("192.0.2.0/24").contains(address("::ffff:192.0.2.9")));
    }

    #[test]
    fn a_network_of_two_peers_stays_with_the_first() {
        let mut table = IdentifyTable::default();
        table.insert(network("192.0.2.0/24"), 0);
        assert_eq!(table.insert(network("192.0.2.77/24"), 1), Some(0));
        assert_eq!(table.insert(network("192.0.2.0/24"), 0), None);
        assert_eq!(table.find(address("192.0.2.1")), Some(0));
    }
}
