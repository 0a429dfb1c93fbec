//! Where what is sent may not lead: addresses that are this machine's, its network's or nobody's.
//!
//! Whoever can name an address for a webhook must not reach what only this machine reaches, above all the services by
//! which clouds hand out credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is permitted beyond public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// This machine.
    pub(super) loopback: bool,
    /// Private networks.
    pub(super) private: bool,
}

/// Why an address may not be called, if it may not.
pub(super) fn refused(address: IpAddr, reach: Reach) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refused_v4(address, reach),
        IpAddr::V6(address) => refused_v6(address, reach),
    }
}

fn refused_v4(address: Ipv4Addr, reach: Reach) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (127, ..) if reach.loopback => None,
        (127, ..) => Some("it is this machine"),
        (0, ..) => Some("it names no machine"),
        // Link-local, with the metadata services of most clouds; Alibaba's and Oracle's stand elsewhere.
        (169, 254, ..) => Some("it is link-local"),
        (100, 100, 100, 200) | (192, 0, 0, 192) => Some("it is a metadata service"),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) => {
            (!reach.private).then_some("it is in a private network")
        }
        // RFC 6890: protocol assignments, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2, _) | (198, 51, 100, _) | (203, 0, 113, _) | (192, 88, 99, _) | (198, 18..=19, ..) => {
            Some("it is reserved")
        }
        (224..=239, ..) => Some("it is a multicast address"),
        (240..=255, ..) => Some("it is reserved"),
        _ => None,
    }
}

fn refused_v6(address: Ipv6Addr, reach: Reach) -> Option<&'static str> {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        refused_v4(Ipv4Addr::new(a, b, c, d), reach)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("it names no machine"),
        [0, 0, 0, 0, 0, 0, 0, 1] => (!reach.loopback).then_some("it is this machine"),
        // IPv4 in other clothes: mapped, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0, 0, 0, 0, 0, 0, ..] => Some("it is an IPv4 address in an outdated form"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Some("it is a metadata service"),
        [0xfc00..=0xfdff, ..] => (!reach.private).then_some("it is in a private network"),
        [0xfe80..=0xfebf, ..] => Some("it is link-local"),
        [0xfec0..=0xfeff, ..] => Some("it is site-local"),
        [0xff00..=0xffff, ..] => Some("it is a multicast address"),
        [0x64, 0xff9b, 1, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x2001, 0..=0x1ff, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..] => Some("it is reserved"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PUBLIC: Reach = Reach { loopback: false, private: false };

    #[rstest]
    #[case::loopback("127.0.0.1")]
    #[case::all_of_loopback("127.8.9.10")]
    #[case::nothing("0.0.0.0")]
    #[case::metadata("169.254.169.254")]
    #[case::alibaba("100.100.100.200")]
    #[case::ten("10.0.0.1")]
    #[case::carrier("100.64.0.1")]
    #[case::lan("192.168.1.1")]
    #[case::multicast("224.0.0.1")]
    #[case::broadcast("255.255.255.255")]
    #[case::loopback_six("::1")]
    #[case::nothing_six("::")]
    #[case::mapped("::ffff:127.0.0.1")]
    #[case::mapped_metadata("::ffff:169.254.169.254")]
    #[case::compatible("::127.0.0.1")]
    #[case::translated("64:ff9b::a9fe:a9fe")]
    #[case::six_to_four("2002:7f00:1::")]
    #[case::unique_local("fd12::1")]
    #[case::link_local("fe80::1")]
    #[case::multicast_six("ff02::1")]
    #[case::documentation("2001:db8::1")]
    #[case::teredo("2001::1")]
    fn what_is_not_public_is_refused(#[case] address: &str) {
        assert!(refused(address.parse().unwrap(), PUBLIC).is_some());
    }

    #[rstest]
    #[case::four("1.1.1.1")]
    #[case::beside_private("172.32.0.1")]
    #[case::six("2606:4700::1111")]
    #[case::mapped("::ffff:1.1.1.1")]
    #[case::translated("64:ff9b::101:101")]
    fn what_is_public_is_called(#[case] address: &str) {
        assert_eq!(refused(address.parse().unwrap(), PUBLIC), None);
    }

    #[rstest]
    #[case::loopback("127.0.0.1", true, false, true)]
    #[case::loopback_six("::1", true, false, true)]
    #[case::mapped("::ffff:127.0.0.1", true, false, true)]
    #[case::private("10.0.0.1", false, true, true)]
    #[case::private_six("fd12::1", false, true, true)]
    #[case::private_is_not_loopback("127.0.0.1", false, true, false)]
    #[case::metadata_never("169.254.169.254", true, true, false)]
    #[case::metadata_six_never("fd00:ec2::254", true, true, false)]
    fn what_is_permitted_is_called(
        #[case] address: &str,
        #[case] loopback: bool,
        #[case] private: bool,
        #[case] called: bool,
    ) {
        let reach = Reach { loopback, private };
        assert_eq!(refused(address.parse().unwrap(), reach).is_none(), called);
    }
}
