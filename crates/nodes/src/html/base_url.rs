//! `lib.html.BaseUrl`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};
use url::Url;

/// Cuts a URL down to its scheme and host.
/// url, domain, host, origin, website
#[derive(Node)]
#[node(namespace = "lib.html")]
pub(super) struct BaseUrl {
    /// The URL to cut down.
    #[prop(title = "URL")]
    url: String,
}

impl Process for BaseUrl {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let text = self.url.trim();
        if text.is_empty() {
            return Err(NodeError::bad("url", "URL must not be empty"));
        }
        let expected = "expected an absolute URL such as https://example.com/page";
        let url =
            Url::parse(text).map_err(|e| NodeError::bad("url", format!("{e}; {expected}")))?;
        let Some(host) = url.host_str() else {
            return Err(NodeError::bad("url", format!("it has no host; {expected}")));
        };
        let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
        Ok(format!("{}://{host}{port}", url.scheme()))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn scheme_host_and_port_are_kept() {
        for (url, base) in [
            (
                "https://docs.example.ai/guide?page=2#x",
                "https://docs.example.ai",
            ),
            (
                "http://user:pw@Example.com:8080/x",
                "http://example.com:8080",
            ),
            ("https://example.com:443/", "https://example.com"),
        ] {
            let out = case::<BaseUrl>().set("url", url).value().await.unwrap();
            assert_eq!(out, base.into());
        }
        for url in ["", "example.com/x", "mailto:a@b.c"] {
            let said = case::<BaseUrl>().set("url", url).value().await;
            assert!(said.unwrap_err().to_string().contains("`url`"), "{url}");
        }
    }
}
