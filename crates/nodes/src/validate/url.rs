//! `lib.validate.URL`.

use std::net::Ipv6Addr;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Tells whether text is a complete URL.
/// validate, url, link, web, check
///
/// It needs a scheme and a host.
#[derive(Node)]
#[node(namespace = "lib.validate", name = "URL", title = "URL")]
pub(super) struct Url {
    /// The text.
    value: String,
}

impl Process for Url {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(is_url(self.value.trim()))
    }
}

/// Whether this is `scheme://host…`, without blanks around.
pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !scheme_fits || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return false;
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    if let Some((address, after)) = host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        let port = after.strip_prefix(':').unwrap_or(after);
        return address.parse::<Ipv6Addr>().is_ok() && (after.is_empty() || is_port(port));
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    !name.is_empty() && !name.contains(|c| "<>[]^`{|}\\\"%".contains(c)) && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_need_a_scheme_and_a_host() {
        for (text, want) in [
            ("https://example.com", true),
            ("http://user:p@w@host:8080/a b".trim_end_matches(" b"), true),
            ("ftp://[::1]:21/x", true),
            ("http://münchen.de?q#f", true),
            ("http://host:", true),
            ("example.com", false),
            ("mailto:a@b.co", false),
            ("http://", false),
            ("http:///path", false),
            ("http://a b", false),
            ("http://host:99999", false),
            ("http://host:+80", false),
            ("http://[::1", false),
            ("http://[zz]", false),
            ("1http://host", false),
            ("://host", false),
        ] {
            assert_eq!(is_url(text), want, "{text}");
        }
    }
}
