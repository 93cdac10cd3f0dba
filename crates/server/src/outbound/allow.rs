//! Hosts and networks that are reachable although they are not public, and the verdict on one address.

use std::net::IpAddr;

use super::OutboundError;
use nodetool_sdk::public_address::{canonical, is_metadata, why_not_public, within};

/// Exceptions from the rule that only public addresses are reachable.
#[derive(Debug, Default)]
pub(super) struct AllowList {
    /// Host names in small letters, without a final dot.
    names: Vec<String>,
    /// Networks; a single address is one of full length.
    networks: Vec<(IpAddr, u8)>,
}

impl AllowList {
    pub(super) fn parse(entries: &[String]) -> Result<Self, OutboundError> {
        let mut list = AllowList::default();
        for entry in entries {
            let text = entry.trim();
            let wrong = || OutboundError::AllowEntry(text.chars().take(100).collect());
            let (host, bits) = match text.split_once('/') {
                Some((host, bits)) => (host, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
                None => (text, None),
            };
            let bare = host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .unwrap_or(host);
            match (bare.parse::<IpAddr>(), bits) {
                (Ok(ip), None) => {
                    let ip = canonical(ip);
                    list.networks.push((ip, full(ip)));
                }
                (Ok(ip), Some(bits)) if bits <= full(ip) => list.networks.push((ip, bits)),
                (Err(_), None) => list.names.push(name(host).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(list)
    }

    /// Whether a connection to `ip`, found under `host`, may be made; why not otherwise.
    pub(super) fn check(&self, host: &str, ip: IpAddr) -> Result<(), &'static str> {
        let ip = canonical(ip);
        let Some(why) = why_not_public(ip) else {
            return Ok(());
        };
        let listed = |narrowest: u8| {
            self.networks
                .iter()
                .any(|(net, bits)| *bits >= narrowest && within(ip, *net, *bits))
        };
        // A wide network or a name is not meant to hand out the machine's own credentials.
        let permitted = if is_metadata(ip) {
            listed(full(ip))
        } else {
            listed(0) || self.names.iter().any(|n| Some(n) == name(host).as_ref())
        };
        if permitted { Ok(()) } else { Err(why) }
    }
}

fn full(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// A host name as it is compared; nothing when it cannot be one.
fn name(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let shaped = !host.is_empty() && host.len() <= 253 && host.chars().all(plain);
    // Something like `10.0.0` or `127.1` is a mistyped address, not a name.
    let numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    (shaped && !numeric).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
        AllowList::parse(&entries).unwrap()
    }

    fn passes(list: &AllowList, host: &str, ip: &str) -> bool {
        list.check(host, ip.parse().unwrap()).is_ok()
    }

    #[test]
    fn listed_networks_addresses_and_names_pass_and_their_neighbours_do_not() {
        let l = list(&["127.0.0.0/8", "10.1.2.3", "[::1]", "NAS.local", "fd12::/16"]);
        assert!(passes(&l, "x", "127.9.9.9"));
        assert!(passes(&l, "x", "::ffff:127.0.0.1"));
        assert!(passes(&l, "x", "10.1.2.3"));
        assert!(!passes(&l, "x", "10.1.2.4"));
        assert!(passes(&l, "x", "::1"));
        assert!(passes(&l, "nas.LOCAL.", "192.168.0.7"));
        assert!(!passes(&l, "other.local", "192.168.0.7"));
        assert!(!passes(&l, "evil.nas.local", "192.168.0.7"));
        assert!(passes(&l, "x", "fd12::1"));
        assert!(!passes(&l, "x", "fd13::1"));
        assert!(passes(&l, "x", "8.8.8.8"));
    }

    #[test]
    fn metadata_addresses_need_an_entry_of_their_own() {
        let wide = list(&["0.0.0.0/0", "::/0", "metadata.internal"]);
        assert!(passes(&wide, "x", "10.0.0.1"));
        assert!(!passes(&wide, "metadata.internal", "169.254.169.254"));
        assert!(!passes(&wide, "x", "::ffff:169.254.169.254"));
        assert!(!passes(&wide, "x", "fd00:ec2::254"));
        let own = list(&["169.254.169.254"]);
        assert!(passes(&own, "x", "169.254.169.254"));
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        for entry in [
            "",
            "127.1",
            "10.0.0",
            "10.0.0.0/33",
            "::/129",
            "host/8",
            "http://x",
            "a b",
            "10.0.0.0/",
            "*",
        ] {
            assert!(AllowList::parse(&[entry.into()]).is_err(), "{entry}");
        }
    }

    proptest! {
        #[test]
        fn without_entries_the_verdict_is_that_of_the_address_alone(bits: u128, host in "[a-z]{1,8}") {
            for ip in [IpAddr::V6(bits.into()), IpAddr::V4((bits as u32).into())] {
                let public = why_not_public(canonical(ip)).is_none();
                prop_assert_eq!(AllowList::default().check(&host, ip).is_ok(), public);
            }
        }

        #[test]
        fn parsing_never_panics(entry in ".{0,60}") {
            let _ = AllowList::parse(&[entry]);
        }
    }
}
