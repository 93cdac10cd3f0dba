//! Which addresses are the public internet. Pure tables; it must not know names, URLs or the allow list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses where clouds hand a machine its own credentials. Not all of them look private.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// IPv4 networks that are not the public internet, with what they are.
const V4: [(Ipv4Addr, u8, &str); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "a shared carrier (CGNAT) address",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a protocol address"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation address"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "a protocol address"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "a protocol address"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay address"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking address"),
    (
        Ipv4Addr::new(198, 51, 100, 0),
        24,
        "a documentation address",
    ),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation address"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// IPv6 networks that are not the public internet, the telling ones before the catch-all in `why_not_public`.
const V6: [(Ipv6Addr, u8, &str); 15] = [
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4-compatible IPv6 address"),
    (
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0),
        96,
        "an IPv4-translated IPv6 address",
    ),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "a local NAT64 address",
    ),
    (
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),
        64,
        "a discarding address",
    ),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        32,
        "a Teredo address",
    ),
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "a protocol address",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "a documentation address",
    ),
    (
        Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),
        16,
        "a 6to4 address",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "a documentation address",
    ),
    (
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
        "a unique-local address",
    ),
    (
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a link-local address",
    ),
    (
        Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a site-local address",
    ),
    (
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
        "a multicast address",
    ),
];

/// The address a packet to `ip` ends at, as far as the address itself tells: IPv4-mapped and NAT64 addresses name an
/// IPv4 one, and are judged as that.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() else {
        return ip;
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Why a canonical address is not one of the public internet, or nothing when it is.
#[must_use]
pub fn why_not_public(ip: IpAddr) -> Option<&'static str> {
    if is_metadata(ip) {
        return Some("a cloud metadata address");
    }
    match ip {
        IpAddr::V4(v4) => V4
            .iter()
            .find(|(net, bits, _)| within_v4(v4, *net, *bits))
            .map(|(.., what)| *what),
        IpAddr::V6(v6) => match V6.iter().find(|(net, bits, _)| within_v6(v6, *net, *bits)) {
            Some((.., what)) => Some(*what),
            // Only 2000::/3 is handed out to the public.
            None if v6.segments()[0] >> 13 != 1 => Some("a reserved address"),
            None => None,
        },
    }
}

/// Whether a packet to an address ends in the public internet, in whatever spelling the address is.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    why_not_public(canonical(ip)).is_none()
}

/// Whether clouds serve credentials at this canonical address.
#[must_use]
pub fn is_metadata(ip: IpAddr) -> bool {
    METADATA.contains(&ip)
}

/// Whether an address lies in a network.
#[must_use]
pub fn within(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => within_v4(ip, net, bits),
        (IpAddr::V6(ip), IpAddr::V6(net)) => within_v6(ip, net, bits),
        _ => false,
    }
}

fn within_v4(ip: Ipv4Addr, net: Ipv4Addr, bits: u8) -> bool {
    let mask = u32::MAX
        .checked_shl(32 - u32::from(bits.min(32)))
        .unwrap_or(0);
    (ip.to_bits() ^ net.to_bits()) & mask == 0
}

fn within_v6(ip: Ipv6Addr, net: Ipv6Addr, bits: u8) -> bool {
    let mask = u128::MAX
        .checked_shl(128 - u32::from(bits.min(128)))
        .unwrap_or(0);
    (ip.to_bits() ^ net.to_bits()) & mask == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> Option<&'static str> {
        why_not_public(canonical(text.parse().unwrap()))
    }

    /// All IPv6 spellings of an IPv4 address.
    fn disguises(v4: Ipv4Addr) -> [Ipv6Addr; 5] {
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        [
            v4.to_ipv6_mapped(),
            v4.to_ipv6_compatible(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ]
    }

    #[test]
    fn addresses_are_named_for_what_they_are() {
        for (ip, what) in [
            ("127.0.0.1", "loopback"),
            ("127.255.0.9", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("10.1.2.3", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "CGNAT"),
            ("100.127.255.255", "CGNAT"),
            ("169.254.1.1", "link-local"),
            ("169.254.169.254", "metadata"),
            ("168.63.129.16", "metadata"),
            ("224.0.0.251", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::1", "loopback"),
            ("::", "unspecified"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "metadata"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::a9fe:a9fe", "metadata"),
            ("64:ff9b:1::8.8.8.8", "NAT64"),
            ("2002:7f00:1::", "6to4"),
            ("2001:0:4136:e378::1", "Teredo"),
            ("fd00:ec2::254", "metadata"),
            ("fd12::1", "unique-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("2001:db8::1", "documentation"),
            ("100::1", "discarding"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
        ] {
            let why = refused(ip).unwrap_or_else(|| panic!("{ip} passed"));
            assert!(why.contains(what), "{ip} is {why}, expected {what}");
        }
    }

    #[test]
    fn public_addresses_pass_in_their_own_and_in_translated_form() {
        for ip in [
            "8.8.8.8",
            "1.1.1.1",
            "172.15.255.255",
            "172.32.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::200e",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(refused(ip), None, "{ip}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_passes_exactly_when_the_standard_library_finds_nothing_special(bits: u32) {
            let ip = Ipv4Addr::from_bits(bits);
            let [a, b, c, _] = ip.octets();
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()
                || ip.is_documentation() || a == 0 || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || matches!((a, b, c), (192, 0, 0) | (192, 31, 196) | (192, 52, 193) | (192, 88, 99))
                || ip == Ipv4Addr::new(168, 63, 129, 16);
            prop_assert_eq!(why_not_public(IpAddr::V4(ip)).is_some(), special, "{}", ip);
        }

        #[test]
        fn no_disguise_makes_a_refused_address_pass(net in 0..V4.len(), host: u32) {
            let (base, bits, _) = V4[net];
            let mask = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            let ip = Ipv4Addr::from_bits(base.to_bits() | (host & mask));
            prop_assert!(why_not_public(IpAddr::V4(ip)).is_some(), "{}", ip);
            for disguise in disguises(ip) {
                prop_assert!(why_not_public(canonical(IpAddr::V6(disguise))).is_some(), "{}", disguise);
            }
        }

        #[test]
        fn ipv6_addresses_outside_the_public_block_are_refused(bits: u128) {
            let ip = Ipv6Addr::from_bits(bits);
            let canon = canonical(IpAddr::V6(ip));
            prop_assume!(canon.is_ipv6());
            let public = bits >> 125 == 1;
            let special = [0x2002].contains(&ip.segments()[0])
                || (bits >> 96) as u32 == 0x2001_0db8
                || bits >> 105 == 0x2001_0000 >> 9
                || bits >> 108 == 0x3fff0;
            prop_assert_eq!(why_not_public(canon).is_none(), public && !special, "{}", ip);
        }

        #[test]
        fn unique_local_link_local_and_multicast_never_pass(bits: u128, net in 0..4usize) {
            let (base, prefix) = [(0xfc00u128, 7), (0xfe80, 10), (0xfec0, 10), (0xff00, 8)][net];
            let ip = Ipv6Addr::from_bits(base << 112 | (bits & (u128::MAX >> prefix)));
            prop_assert!(why_not_public(canonical(IpAddr::V6(ip))).is_some(), "{}", ip);
        }

        #[test]
        fn a_network_holds_what_shares_its_prefix_and_nothing_else(ip: u32, net: u32, bits in 0u8..=32) {
            let same = bits == 0 || ip >> (32 - bits) == net >> (32 - bits);
            let (ip, net) = (Ipv4Addr::from_bits(ip), Ipv4Addr::from_bits(net));
            prop_assert_eq!(within(IpAddr::V4(ip), IpAddr::V4(net), bits), same);
            prop_assert!(!within(IpAddr::V4(ip), IpAddr::V6(net.to_ipv6_mapped()), bits));
        }
    }
}
