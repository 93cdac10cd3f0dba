//! Which pages may call this server, and under which names it may be called (HTTP spec 2.5, W-01).
//!
//! A browser tells the origin of the page that asks. A page whose name was pointed at this machine after it was loaded
//! tells a host that is not ours.

use std::net::IpAddr;

use anyhow::bail;
use axum::http::{HeaderMap, header};
use url::{Host, Url};

use crate::config::Config;

/// The pages and names that are ours.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    /// Every origin may read answers; none may bring credentials.
    pub(super) any: bool,
    /// Origins as browsers write them, `null` among them if files may ask.
    listed: Vec<String>,
    /// Names the server is reached by.
    names: Vec<String>,
    /// Whether only this machine can connect.
    loopback: bool,
}

impl Origins {
    /// Those of the settings.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        let (listed, names) = (&config.cors_origins, &config.server_names);
        Origins::new(listed, names, &config.api_url, &config.host)
    }

    /// From the settings: allowed origins, further names of this server, the address clients use, the bound address.
    fn new(
        cors_origins: &[String],
        server_names: &[String],
        api_url: &str,
        host: &str,
    ) -> anyhow::Result<Self> {
        let (mut any, mut listed, mut names) = (false, Vec::new(), Vec::new());
        for origin in cors_origins {
            let origin = origin.trim().trim_end_matches('/');
            match origin {
                "" => {}
                "*" => any = true,
                "null" | "file:" | "file://" => listed.push("null".to_owned()),
                _ => match Url::parse(origin) {
                    Ok(url)
                        if url.origin().is_tuple()
                            && url.path() == "/"
                            && url.query().is_none() =>
                    {
                        listed.push(url.origin().ascii_serialization());
                    }
                    _ => bail!(
                        "CORS_ORIGINS: '{origin}' is no origin; expected something like https://app.example.com, separated by commas, or *"
                    ),
                },
            }
        }
        for name in server_names {
            let name = name.trim().to_ascii_lowercase();
            if !name.is_empty() {
                names.push(name);
            }
        }
        let own = Url::parse(api_url).ok();
        names.extend(own.as_ref().and_then(Url::host_str).map(str::to_owned));
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let loopback = host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback());
        Ok(Origins {
            any,
            listed,
            names,
            loopback,
        })
    }

    /// Whether no page asks, or one that may: of this server, of this machine, or listed.
    pub(crate) fn allows(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.all(|origin| {
            origin
                .to_str()
                .is_ok_and(|o| self.any || self.is_ours(o, headers))
        })
    }

    /// Whether an origin is named, or that of this machine or of this server itself.
    pub(super) fn is_ours(&self, origin: &str, headers: &HeaderMap) -> bool {
        if self.listed.iter().any(|listed| listed == origin) {
            return true;
        }
        let Ok(url) = Url::parse(origin) else {
            return false;
        };
        if !matches!(url.scheme(), "http" | "https") || url.origin().ascii_serialization() != origin
        {
            return false;
        }
        let Some(host) = url.host() else {
            return false;
        };
        is_this_machine(&host)
            || asked(headers).is_some_and(|asked| {
                let port = url.port_or_known_default();
                asked.host().is_some_and(|name| name == host)
                // Behind a proxy that speaks TLS, the scheme of the page is not that of the request.
                && (asked.port() == url.port() || asked.port_or_known_default() == port)
            })
    }

    /// Whether the host a request names is one of this server's own: what a name that was rebound is not.
    pub(super) fn knows_host(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(header::HOST) else {
            return true;
        };
        let url = host
            .to_str()
            .ok()
            .and_then(|host| Url::parse(&format!("http://{host}")).ok());
        match url.as_ref().and_then(Url::host) {
            Some(Host::Domain(name)) => {
                let listed = self.names.iter().any(|known| known == name)
                    || self
                        .listed
                        .iter()
                        .any(|o| Url::parse(o).is_ok_and(|o| o.host_str() == Some(name)));
                // Nobody on the internet has such names, so no page there can rebind one.
                let local = !self.loopback && (!name.contains('.') || name.ends_with(".local"));
                listed || local || is_this_machine(&Host::Domain(name))
            }
            Some(ip) => {
                !self.loopback || is_this_machine(&ip) || {
                    let name = ip.to_string();
                    self.names.contains(&name)
                }
            }
            None => false,
        }
    }
}

/// What the request says it is for.
fn asked(headers: &HeaderMap) -> Option<Url> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    Url::parse(&format!("http://{host}")).ok()
}

/// Whether an address names this machine.
pub(crate) fn is_local_origin(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host);
    host.is_some_and(|host| is_this_machine(&host))
}

fn is_this_machine<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str, host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !origin.is_empty() {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers.insert(header::HOST, host.parse().unwrap());
        headers
    }

    fn origins(listed: &[&str], host: &str) -> Origins {
        let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
        Origins::new(&listed, &["flows.example.com".into()], "", host).unwrap()
    }

    #[test]
    fn pages_of_this_machine_of_this_server_and_of_the_list_may_ask() {
        let ours = origins(&["https://app.example.com/"], "127.0.0.1");
        for origin in [
            "",
            "http://localhost:3000",
            "https://127.0.0.1:8443",
            "http://[::1]:9",
            "https://app.example.com",
            "https://flows.example.com",
        ] {
            assert!(
                ours.allows(&headers(origin, "flows.example.com")),
                "{origin}"
            );
        }
        for origin in [
            "null",
            "file://",
            "https://evil.example",
            "https://app.example.com.evil.example",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://localhost.evil.example",
            "https://evil.example#localhost",
            "http://user@localhost",
            "http://localhost/",
            "chrome-extension://abcdef",
            "garbage",
        ] {
            assert!(!ours.allows(&headers(origin, "localhost:7777")), "{origin}");
        }
        assert!(origins(&["null"], "127.0.0.1").allows(&headers("null", "localhost")));
        assert!(origins(&["*"], "127.0.0.1").allows(&headers("https://evil.example", "localhost")));
        let two = {
            let mut two = headers("http://localhost", "localhost");
            two.append(header::ORIGIN, "https://evil.example".parse().unwrap());
            two
        };
        assert!(!ours.allows(&two));
    }

    #[test]
    fn a_rebound_name_is_not_ours() {
        let loopback = origins(&[], "127.0.0.1");
        for host in [
            "localhost:7777",
            "127.0.0.1",
            "[::1]:7777",
            "flows.example.com",
            "a.localhost",
        ] {
            assert!(loopback.knows_host(&headers("", host)), "{host}");
        }
        for host in [
            "evil.example:7777",
            "192.168.0.7",
            "localhost.evil.example",
            "box",
            "bad host",
        ] {
            assert!(!loopback.knows_host(&headers("", host)), "{host}");
        }
        let everywhere = origins(&[], "0.0.0.0");
        for host in ["192.168.0.7:7777", "box", "box.local", "localhost"] {
            assert!(everywhere.knows_host(&headers("", host)), "{host}");
        }
        assert!(!everywhere.knows_host(&headers("", "evil.example")));
    }

    #[test]
    fn what_is_no_origin_is_refused_at_the_start() {
        for bad in ["app.example.com", "https://app.example.com/path", "ftp//x"] {
            assert!(
                Origins::new(&[bad.into()], &[], "", "127.0.0.1").is_err(),
                "{bad}"
            );
        }
    }
}
