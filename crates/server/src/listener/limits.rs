//! What a connection may cost: how long it may keep others waiting, and how many there may be.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

use crate::config::Config;

/// Most headers of a request: what the HTTP library takes without asking for memory.
pub(super) const HEADERS: usize = 100;
/// Most bytes of a request before its body.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// Most bytes of the address a request is for.
pub(super) const URI_BYTES: usize = 32 << 10;

/// How long things may take, and how many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the first byte of a request to the end of its head.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) keep_alive: Duration,
    /// Between two pieces of a body that somebody waits for.
    pub(super) body_stall: Duration,
    /// Until a client takes something of what is written to it.
    pub(super) write_stall: Duration,
    connections: usize,
    /// From one address beyond this machine; 0 for any number.
    per_ip: usize,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        let seconds = |n: u32| Duration::from_secs(n.max(1).into());
        Limits {
            head: seconds(config.header_seconds),
            keep_alive: seconds(config.keep_alive_seconds),
            body_stall: seconds(config.body_stall_seconds),
            write_stall: seconds(config.stall_seconds),
            connections: config.max_connections.max(1),
            per_ip: config.max_connections_per_ip,
        }
    }
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// The open connections, counted.
#[derive(Debug)]
pub(super) struct Crowd {
    limits: Limits,
    open: Mutex<Open>,
}

/// The place of one connection; dropping it frees it.
#[derive(Debug)]
pub(super) struct Permit {
    crowd: Arc<Crowd>,
    counted: Option<IpAddr>,
}

impl Crowd {
    pub(super) fn new(limits: Limits) -> Self {
        Crowd {
            limits,
            open: Mutex::default(),
        }
    }

    /// A place for a connection from there, or what its sender is told.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, StatusCode> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.limits.connections {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let ip = household(ip);
        let counted = (self.limits.per_ip > 0 && !ip.is_loopback()).then_some(ip);
        if let Some(ip) = counted {
            let of_it = open.by_ip.entry(ip).or_default();
            if *of_it >= self.limits.per_ip {
                return Err(StatusCode::TOO_MANY_REQUESTS);
            }
            *of_it += 1;
        }
        open.all += 1;
        Ok(Permit {
            crowd: self.clone(),
            counted,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let open = self.crowd.open.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(ip) = self.counted
            && let Some(of_it) = open.by_ip.get_mut(&ip)
        {
            *of_it -= 1;
            if *of_it == 0 {
                open.by_ip.remove(&ip);
            }
        }
    }
}

/// What counts as one address: whoever has one of IPv6 has all of its /64.
fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into()
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(connections: usize, per_ip: usize) -> Arc<Crowd> {
        let second = Duration::from_secs(1);
        Arc::new(Crowd::new(Limits {
            head: second,
            keep_alive: second,
            body_stall: second,
            write_stall: second,
            connections,
            per_ip,
        }))
    }

    #[test]
    fn places_are_limited_and_come_back() {
        let crowd = crowd(2, 0);
        let ip: IpAddr = "10.0.0.1".parse().unwrap();
        let first = crowd.admit(ip).unwrap();
        let _second = crowd.admit(ip).unwrap();
        assert_eq!(crowd.admit(ip).unwrap_err(), 503);
        drop(first);
        assert!(crowd.admit(ip).is_ok());
    }

    #[test]
    fn one_address_beyond_this_machine_has_its_share() {
        let crowd = crowd(100, 1);
        let from = |ip: &str| crowd.admit(ip.parse().unwrap());
        let first = from("2001:db8::1").unwrap();
        assert_eq!(from("2001:db8::2").unwrap_err(), 429);
        let _other = from("2001:db8:0:1::2").unwrap();
        let _mapped = from("::ffff:10.0.0.1").unwrap();
        assert_eq!(from("10.0.0.1").unwrap_err(), 429);
        let here = ["127.0.0.1", "127.0.0.1", "::1", "::1"];
        let here: Vec<_> = here.map(from).into_iter().map(Result::unwrap).collect();
        assert_eq!(here.len(), 4);
        drop(first);
        assert!(from("2001:db8::2").is_ok());
        assert_eq!(
            crowd.open.lock().unwrap().by_ip.len(),
            2,
            "gone ones are forgotten"
        );
    }
}
