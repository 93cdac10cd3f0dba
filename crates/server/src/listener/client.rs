//! For whom a request is asked: the sender of its packets, or, when that is a proxy the operator trusts, whom it names.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::bail;
use axum::http::HeaderMap;

/// Most hops that are looked at.
const HOPS: usize = 32;

/// The address of the client, as far as it can be believed; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddr(pub(crate) IpAddr);

/// Whether the client itself asked over HTTPS; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverTls(pub(crate) bool);

/// Networks whose machines are believed when they say for whom they ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Arc<[(IpAddr, u8)]>);

impl Proxies {
    /// Addresses and networks such as `10.0.0.0/8`.
    pub(crate) fn parse(entries: &[String]) -> anyhow::Result<Self> {
        let mut networks = Vec::new();
        for entry in entries.iter().map(|e| e.trim()).filter(|e| !e.is_empty()) {
            match network(entry) {
                Some(network) => networks.push(network),
                None => bail!(
                    "trusted_proxies: {entry:?} is not an address or a network such as 10.0.0.0/8"
                ),
            }
        }
        Ok(Proxies(networks.into()))
    }

    fn trust(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(net, bits)| within(ip, *net, *bits))
    }

    /// The client behind a peer, and whether it asks over TLS.
    pub(super) fn client(
        &self,
        peer: IpAddr,
        tls: bool,
        headers: &HeaderMap,
    ) -> (ClientAddr, OverTls) {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return (ClientAddr(peer), OverTls(tls));
        }
        // The nearest proxy wrote the last word; what stands before a word that is not believed may be invented.
        let mut client = peer;
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let words = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for word in words.take(HOPS) {
            let Some(ip) = address(word.trim()) else {
                break;
            };
            client = ip;
            if !self.trust(ip) {
                break;
            }
        }
        let said = headers.get_all("x-forwarded-proto").iter().next_back();
        let said = said.and_then(|line| line.to_str().ok());
        let said = said.and_then(|line| line.rsplit(',').next());
        let tls = match said.map(|word| word.trim().to_ascii_lowercase()) {
            Some(word) if word == "https" || word == "wss" => true,
            Some(word) if word == "http" || word == "ws" => false,
            _ => tls,
        };
        (ClientAddr(client), OverTls(tls))
    }
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(word: &str) -> Option<IpAddr> {
    let ip = word.parse::<IpAddr>().ok();
    let ip = ip.or_else(|| Some(word.parse::<std::net::SocketAddr>().ok()?.ip()));
    let bare = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    let ip = ip.or_else(|| bare?.parse().ok())?;
    Some(ip.to_canonical())
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (host, bits) = match text.split_once('/') {
        Some((host, bits)) => (host, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(host).parse().ok()?;
    let full = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    match bits {
        None => Some((ip.to_canonical(), full(ip.to_canonical()))),
        Some(bits) => (bits <= full(ip)).then_some((ip, bits)),
    }
}

fn within(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    let of = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32_u32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    };
    let ((ip, width), (net, net_width)) = (of(ip), of(net));
    let beyond = width.saturating_sub(u32::from(bits));
    width == net_width && (ip ^ net).checked_shr(beyond).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(entries: &[&str]) -> Proxies {
        let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
        Proxies::parse(&entries).unwrap()
    }

    fn seen(proxies: &Proxies, peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let (ip, tls) = proxies.client(peer.parse().unwrap(), false, &map);
        (ip.0.to_string(), tls.0)
    }

    #[test]
    fn strangers_are_not_believed() {
        let none = proxies(&[]);
        let said = &[
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(seen(&none, "127.0.0.1", said), ("127.0.0.1".into(), false));
        let some = proxies(&["10.0.0.0/8"]);
        assert_eq!(seen(&some, "11.0.0.1", said), ("11.0.0.1".into(), false));
        assert_eq!(
            seen(&some, "::ffff:10.9.9.9", said),
            ("1.2.3.4".into(), true)
        );
    }

    #[test]
    fn the_last_word_that_is_not_of_a_trusted_proxy_counts() {
        let p = proxies(&["10.0.0.0/8", "::1", "fd00::/8"]);
        for (said, client) in [
            (&["6.6.6.6, 1.2.3.4, 10.0.0.2"][..], "1.2.3.4"),
            (&["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6, [2001:db8::1]:443"], "2001:db8::1"),
            (&["1.2.3.4:5555"], "1.2.3.4"),
            (&["6.6.6.6, nonsense"], "10.0.0.1"),
            (&["6.6.6.6, nonsense, 10.0.0.2"], "10.0.0.2"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&[""], "10.0.0.1"),
        ] {
            let said: Vec<_> = said.iter().map(|s| ("x-forwarded-for", *s)).collect();
            assert_eq!(seen(&p, "10.0.0.1", &said).0, client, "{said:?}");
        }
    }

    #[test]
    fn networks_are_read_and_matched() {
        let p = proxies(&["192.168.1.0/24", " 10.0.0.1 ", "", "[fd00::1]"]);
        let trusts = |ip: &str| p.trust(ip.parse().unwrap());
        assert!(trusts("192.168.1.255") && trusts("10.0.0.1") && trusts("fd00::1"));
        assert!(!trusts("192.168.2.0") && !trusts("10.0.0.2") && !trusts("fd00::2"));
        assert!(proxies(&["0.0.0.0/0"]).trust("8.8.8.8".parse().unwrap()));
        assert!(!proxies(&["0.0.0.0/0"]).trust("::8".parse().unwrap()));
        for wrong in ["x", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129"] {
            assert!(Proxies::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
