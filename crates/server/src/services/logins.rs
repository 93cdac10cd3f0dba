//! How often an address may fail to show who it is, before it is not heard for the rest of a minute.

use std::net::{IpAddr, Ipv6Addr};

use super::windows::Windows;

/// Failed attempts per address, in memory that does not grow.
pub(crate) struct FailedLogins(Option<Windows>);

impl FailedLogins {
    /// So many per minute; none are counted when that is 0.
    pub(crate) fn new(per_minute: u32) -> Self {
        FailedLogins((per_minute > 0).then(|| Windows::new(per_minute)))
    }

    /// Whether an address may try. Asked before what it shows is looked at: a right guess among too many tells nothing.
    pub(crate) fn allowed(&self, ip: IpAddr) -> bool {
        let windows = self.0.as_ref();
        windows.is_none_or(|windows| windows.look(network_of(ip), now_seconds()).allowed)
    }

    /// An address has failed.
    pub(crate) fn failed(&self, ip: IpAddr) {
        let Some(windows) = &self.0 else { return };
        let standing = windows.count(network_of(ip), now_seconds());
        if standing.left == 0 && standing.allowed {
            tracing::warn!(target: "audit", event = "login.limited", client.address = %ip, "no more attempts are taken from this address for now");
        }
    }
}

/// Whom an address belongs to: an IPv6 network of 64 bits is one customer with as many addresses as they like.
pub(crate) fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip => ip,
    }
}

/// Seconds since 1970.
pub(crate) fn now_seconds() -> u64 {
    u64::try_from(nodetool_store::now_micros() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_fails_too_often_is_not_heard_and_others_are() {
        let logins = FailedLogins::new(2);
        // Three failures may fall into two minutes; of five, one minute has at least three.
        for _ in 0..5 {
            logins.failed(ip("10.0.0.1"));
        }
        assert!(!logins.allowed(ip("::ffff:10.0.0.1")));
        assert!(logins.allowed(ip("10.0.0.2")));
        let none = FailedLogins::new(0);
        none.failed(ip("10.0.0.1"));
        assert!(none.allowed(ip("10.0.0.1")));
    }

    #[test]
    fn the_addresses_of_one_network_count_together() {
        assert_eq!(
            network_of(ip("2001:db8:1:2:a::1")),
            network_of(ip("2001:db8:1:2::ffff"))
        );
        assert_ne!(
            network_of(ip("2001:db8:1:2::1")),
            network_of(ip("2001:db8:1:3::1"))
        );
        assert_eq!(network_of(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}
