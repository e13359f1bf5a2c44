//! IP networks, as addresses with a prefix or a netmask.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IP network in canonical form: no bit is set behind the prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl IpNetwork {
    /// The network of `address` with `prefix` leading bits; `None` when the address has fewer bits.
    /// Bits behind the prefix are cleared. An IPv4 address written as IPv6 is taken as IPv4.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (address, prefix) = match address {
            IpAddr::V6(v6) if prefix >= 96 => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), prefix - 96),
                None => (address, prefix),
            },
            _ => (address, prefix),
        };
        Some(Self { address: masked(address, prefix)?, prefix })
    }

    /// Whether `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.address)
    }

    /// The number of leading bits that are fixed.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an address, `address/prefix` or `address/netmask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an IP address, such as 192.0.2.7, or a network, such as 192.0.2.0/24")]
pub struct NetworkError;

impl FromStr for IpNetwork {
    type Err = NetworkError;

    /// Takes `192.0.2.7`, `192.0.2.0/24`, `192.0.2.0/255.255.255.0` and their IPv6 forms, in
    /// brackets or not.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, rest) = match text.split_once('/') {
            Some((address, rest)) => (address.trim(), Some(rest.trim())),
            None => (text.trim(), None),
        };
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = bare.parse().map_err(|_| NetworkError)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match rest {
            None => bits,
            Some(rest) => match rest.parse::<u8>() {
                Ok(prefix) => prefix,
                Err(_) => netmask_prefix(rest.parse().map_err(|_| NetworkError)?)?,
            },
        };
        Self::new(address, prefix).ok_or(NetworkError)
    }
}

/// `address` with the bits behind `prefix` cleared; `None` when it has fewer bits than that.
pub(crate) fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let host_bits = 32_u32.checked_sub(prefix.into())?;
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)))
        }
        IpAddr::V6(v6) => {
            let host_bits = 128_u32.checked_sub(prefix.into())?;
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)))
        }
    }
}

/// The prefix length of a mask such as 255.255.255.0, which must be ones, then zeros.
fn netmask_prefix(mask: IpAddr) -> Result<u8, NetworkError> {
    let (ones, rest_is_zero) = match mask {
        IpAddr::V4(v4) => {
            let bits = v4.to_bits();
            (bits.leading_ones(), bits.count_ones() == bits.leading_ones())
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            (bits.leading_ones(), bits.count_ones() == bits.leading_ones())
        }
    };
    if !rest_is_zero {
        return Err(NetworkError);
    }
    u8::try_from(ones).map_err(|_| NetworkError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_in_all_their_forms() {
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
        assert_eq!(network("192.0.2.7/24").to_string(), "192.0.2.0/24");
        assert_eq!(network("10.0.0.0/255.255.0.0").to_string(), "10.0.0.0/16");
        assert_eq!(network("2001:db8::1/32").to_string(), "2001:db8::/32");
        assert_eq!(network("[2001:db8::1]").to_string(), "2001:db8::1/128");
        assert_eq!(network("0.0.0.0/0").to_string(), "0.0.0.0/0");
        assert_eq!(network("::ffff:192.0.2.7/120").to_string(), "192.0.2.0/24");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "phone.example", "192.0.2.7/33", "192.0.2.7/", "10.0.0.0/255.0.255.0", "192.0.2"]
        {
            assert_eq!(text.parse::<IpNetwork>(), Err(NetworkError), "{text}");
        }
    }
}
