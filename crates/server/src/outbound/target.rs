//! Reads a URL and says whether a request may go there, as far as that can be told before its name is resolved.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use url::{Host, Url};

use super::OutboundError;
use super::allow::AllowList;

/// Longest URL that is sent.
const MAX_URL: usize = 64 * 1024;

/// A checked URL without credentials, and the credentials it carried.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) credentials: Option<HeaderValue>,
}

impl Target {
    pub(super) fn read(text: &str, allow: &AllowList) -> Result<Self, OutboundError> {
        if text.len() > MAX_URL {
            return Err(OutboundError::Url(format!(
                "it is longer than {MAX_URL} bytes"
            )));
        }
        Self::check(
            Url::parse(text.trim()).map_err(|e| OutboundError::Url(e.to_string()))?,
            allow,
        )
    }

    /// Checks a URL that is parsed already. Parsing turned every spelling of an IPv4 address (decimal, octal, hex,
    /// short, full-width) into the one that is compared here.
    pub(super) fn check(mut url: Url, allow: &AllowList) -> Result<Self, OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Scheme(
                url.scheme().chars().take(40).collect(),
            ));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(OutboundError::Url("it has no host".into())),
        };
        if let Some(ip) = literal {
            let host = host_of(&url);
            // The connector takes addresses as they stand, without asking the resolver.
            if let Err(why) = allow.check(&host, ip) {
                let why = format!("it is {why}");
                return Err(OutboundError::Refused { host, why });
            }
        }
        let credentials = credentials(&url)?;
        // Cannot fail for a URL with a host; a failure would leave credentials where messages may show them.
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(OutboundError::Url(
                "its credentials cannot be removed".into(),
            ));
        }
        Ok(Target { url, credentials })
    }
}

/// The host of a checked URL.
pub(super) fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// `user:password` of a URL as an `Authorization` header.
fn credentials(url: &Url) -> Result<Option<HeaderValue>, OutboundError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| OutboundError::Url("its credentials cannot be sent".into()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |i: usize| {
        bytes
            .get(i)
            .and_then(|b| char::from(*b).to_digit(16))
            .map(|d| d as u8)
    };
    let (mut out, mut i) = (Vec::with_capacity(bytes.len()), 0);
    while i < bytes.len() {
        match (bytes[i], digit(i + 1), digit(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                i += 3;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn refusal(url: &str) -> Option<String> {
        Target::read(url, &AllowList::default())
            .err()
            .map(|e| e.to_string())
    }

    #[test]
    fn odd_spellings_of_local_addresses_are_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "0177.0.0.01",
            "0",
            "0.0.0.0",
            "127.0.0.1.",
            "１２７.0.0.1",
            "127%2e0.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::1]",
            "169.254.169.254",
            "2852039166",
            "0xa9.0xfe.0xa9.0xfe",
            "[fd00:ec2::254]",
            "user:pw@10.0.0.1",
            "example.com@10.0.0.1",
            "10.0.0.1:8080",
        ] {
            for scheme in ["http", "https"] {
                let said = refusal(&format!("{scheme}://{host}/p?secret=1"));
                let said = said.unwrap_or_else(|| panic!("{host} passed"));
                assert!(said.contains("refused"), "{host}: {said}");
                assert!(!said.contains("secret") && !said.contains("pw"), "{said}");
            }
        }
    }

    #[test]
    fn only_http_urls_with_a_host_pass() {
        for url in [
            "file:///etc/passwd",
            "ftp://example.com/",
            "gopher://example.com/",
            "data:text/plain,x",
            "javascript:1",
            "ws://example.com/",
        ] {
            assert!(refusal(url).is_some_and(|e| e.contains("scheme")), "{url}");
        }
        for url in ["", "example.com", "/path", "http://", "http://a b/", "//x"] {
            assert!(
                refusal(url).is_some_and(|e| e.contains("cannot be used")),
                "{url}"
            );
        }
        assert_eq!(refusal("https://example.com/a?b=c"), None);
        assert_eq!(refusal("http://8.8.8.8:81/"), None);
    }

    #[test]
    fn credentials_leave_the_url_and_become_a_header() {
        let target =
            Target::read("https://us%40er:p%3Aw@example.com/x", &AllowList::default()).unwrap();
        assert_eq!(target.url.as_str(), "https://example.com/x");
        let header = target.credentials.unwrap();
        assert_eq!(
            header,
            format!("Basic {}", STANDARD.encode("us@er:p:w")).as_str()
        );
        assert!(!format!("{header:?}").contains("Basic"));
    }

    proptest! {
        #[test]
        fn an_address_is_judged_alike_however_it_is_spelled(bits: u32, spelling in 0..6usize) {
            let ip = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = ip.octets();
            let host = match spelling {
                0 => bits.to_string(),
                1 => format!("{bits:#x}"),
                2 => format!("0{bits:o}"),
                3 => format!("{a:#x}.{b}.0{c:o}.{d}"),
                4 => format!("{a}.{}", bits & 0x00ff_ffff),
                _ => format!("[::ffff:{ip}]"),
            };
            let plain = refusal(&format!("http://{ip}/")).is_some();
            prop_assert_eq!(refusal(&format!("http://{host}/")).is_some(), plain, "{}", host);
        }

        #[test]
        fn reading_never_panics_and_never_lets_a_local_literal_through(text in "\\PC{0,80}") {
            if let Ok(target) = Target::read(&format!("http://{text}"), &AllowList::default()) {
                let Some(host) = target.url.host() else { panic!("no host") };
                let ip = match host {
                    Host::Ipv4(ip) => IpAddr::V4(ip),
                    Host::Ipv6(ip) => IpAddr::V6(ip),
                    Host::Domain(_) => return Ok(()),
                };
                prop_assert!(AllowList::default().check("", ip).is_ok());
            }
        }
    }
}
