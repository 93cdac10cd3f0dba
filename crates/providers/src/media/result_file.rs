//! Fetches a file that a service made, from the address it gave.
//!
//! Such an address may be words of a stranger's model. It is `http` or `https`, and public, unless the service itself
//! is in the own network. The key of the account is never sent there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nodetool_sdk::models::{Media, ModelError, ModelErrorKind};
use reqwest::{Response, Url, header};

use super::{data_uri, mime};
use crate::Account;
use nodetool_sdk::public_address::is_public;

/// Most bytes of a picture.
pub(crate) const MAX_PICTURE: usize = 64 << 20;
/// Most bytes of a sound.
pub(crate) const MAX_SOUND: usize = 64 << 20;
/// Most bytes of a film.
pub(crate) const MAX_FILM: usize = 512 << 20;

const MAX_REDIRECTS: usize = 5;

/// A fetcher of the results of one job.
pub(crate) struct Results<'a> {
    pub(crate) account: &'a Account,
    /// Who answered when the job was submitted: the service, or the proxy on the way to it.
    pub(crate) peer: Option<IpAddr>,
}

/// Whether an address is one at which machines are told their own credentials.
fn is_of_machine(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => ip.is_link_local(),
            None => ip.is_unicast_link_local() || ip.segments()[..2] == [0xfd00, 0x0ec2],
        },
    }
}

impl Results<'_> {
    /// The file at an address, up to a size.
    pub(crate) async fn fetch(&self, address: &str, most: usize) -> Result<Media, ModelError> {
        if address.starts_with("data:") {
            let decoded = data_uri::decode(address);
            let (said, bytes) = decoded.ok_or_else(|| self.bad("is no address"))?;
            if bytes.len() > most {
                return Err(self.too_large(most));
            }
            return Ok(Media::bytes(mime::of(&bytes, &said), bytes));
        }
        let mut url = Url::parse(address).map_err(|_| self.bad("is no address"))?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get(&url).await?;
            if !response.status().is_redirection() {
                return self.read(response, most).await;
            }
            let to = response.headers().get(header::LOCATION);
            let to = to.and_then(|to| url.join(to.to_str().ok()?).ok());
            let to = to.ok_or_else(|| self.bad("leads nowhere"))?;
            if url.scheme() == "https" && to.scheme() != "https" {
                return Err(self.bad("leads from https to something else"));
            }
            url = to;
        }
        Err(self.bad("leads from one address to the next without an end"))
    }

    async fn get(&self, url: &Url) -> Result<Response, ModelError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(self.bad("is neither http nor https"));
        }
        let private = addresses(url).await.into_iter().find(|ip| !is_public(*ip));
        if let Some(ip) = private
            && (is_of_machine(ip) || !self.is_at_home().await)
        {
            return Err(self.in_own_network(ip));
        }
        let account = self.account;
        let request = account.client.get(url.clone());
        let response = tokio::time::timeout(account.patience.first_byte, request.send()).await;
        let response = response
            .map_err(|_| account.too_slow())?
            .map_err(|e| account.broken(&e))?;
        // A name may have changed its mind since it was asked.
        let peer = response.remote_addr().map(|peer| peer.ip());
        if let Some(ip) = peer.filter(|ip| !is_public(*ip))
            && self.peer != Some(ip)
            && (is_of_machine(ip) || !self.is_at_home().await)
        {
            return Err(self.in_own_network(ip));
        }
        Ok(response)
    }

    async fn read(&self, mut response: Response, most: usize) -> Result<Media, ModelError> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.bad(format_args!("answered {}", status.as_u16())));
        }
        let said = response.headers().get(header::CONTENT_TYPE);
        let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
        let said = said.to_owned();
        let mut bytes = Vec::new();
        while let Some(piece) = self.account.piece(&mut response).await? {
            if bytes.len() + piece.len() > most {
                return Err(self.too_large(most));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Media::bytes(mime::of(&bytes, &said), bytes))
    }

    /// Whether the service itself is in the own network, so that its results are too.
    async fn is_at_home(&self) -> bool {
        match Url::parse(&self.account.address) {
            Ok(url) => addresses(&url).await.into_iter().any(|ip| !is_public(ip)),
            Err(_) => false,
        }
    }

    fn bad(&self, what: impl std::fmt::Display) -> ModelError {
        let provider = &self.account.provider;
        let message = format!("the address {provider} gave for its result {what}");
        self.account.error(ModelErrorKind::Protocol, message)
    }

    fn too_large(&self, most: usize) -> ModelError {
        let provider = &self.account.provider;
        let message = format!("the result of {provider} has more than {most} bytes");
        self.account.error(ModelErrorKind::Protocol, message)
    }

    fn in_own_network(&self, ip: IpAddr) -> ModelError {
        self.bad(format_args!("is {ip}, which is not on the public internet"))
    }
}

/// The addresses of a host. None when its name is unknown here: a proxy may know it.
async fn addresses(url: &Url) -> Vec<IpAddr> {
    let Some(host) = url.host_str() else {
        return Vec::new();
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = literal.parse() {
        return vec![ip];
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    }
    let port = url.port_or_known_default().unwrap_or(443);
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.map(|address: SocketAddr| address.ip()).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::models::MediaSource;
    use reqwest::Proxy;

    use super::*;
    use crate::media::stand_in::{Answer, Asked, KEY, StandIn, account_with};

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-";

    fn script(asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/a.png" => Answer::bytes("application/octet-stream", PNG),
            "/moved" => Answer::bytes("", "")
                .status(302)
                .header("location", "/a.png"),
            "/loop" => Answer::bytes("", "")
                .status(302)
                .header("location", "/loop"),
            "/inside" => Answer::bytes("", "")
                .status(307)
                .header("location", "http://169.254.169.254/latest"),
            "/file" => Answer::bytes("", "")
                .status(302)
                .header("location", "file:///etc/passwd"),
            "/cut" => Answer::bytes("image/png", PNG).breaks_off(),
            _ => Answer::json(serde_json::json!({ "error": "gone" })).status(404),
        }
    }

    /// An account of a public service, all of whose exchanges end at the server.
    fn public(server: &StandIn) -> Account {
        let proxy = Proxy::http(&server.address).unwrap();
        account_with("fal_ai", "http://8.8.8.8", |client| client.proxy(proxy))
    }

    const PROXY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    async fn refusal(url: &str) -> String {
        let server = StandIn::start(script).await;
        let account = public(&server);
        let results = Results {
            account: &account,
            peer: PROXY,
        };
        results.fetch(url, 1 << 20).await.unwrap_err().message
    }

    #[tokio::test]
    async fn a_result_is_fetched_without_the_key_and_is_what_its_bytes_say() {
        let mut server = StandIn::start(script).await;
        let account = public(&server);
        let results = Results {
            account: &account,
            peer: PROXY,
        };
        for path in ["a.png", "moved"] {
            let file = results
                .fetch(&format!("http://1.1.1.1/{path}"), 1 << 20)
                .await
                .unwrap();
            assert_eq!(file.mime, "image/png");
            assert_eq!(file.source, MediaSource::Bytes(PNG.into()));
        }
        for asked in server.all_asked() {
            assert!(
                asked
                    .headers
                    .values()
                    .all(|value| !value.to_str().unwrap().contains(KEY))
            );
        }
    }

    #[tokio::test]
    async fn a_result_in_the_own_network_is_refused_before_anything_is_sent() {
        let mut server = StandIn::start(script).await;
        let account = public(&server);
        let results = Results {
            account: &account,
            peer: PROXY,
        };
        for host in [
            "127.0.0.1",
            "10.0.0.8",
            "[::1]",
            "[::ffff:10.0.0.8]",
            "2130706433",
            "localhost",
        ] {
            let e = results
                .fetch(&format!("http://{host}/a.png"), 1 << 20)
                .await
                .unwrap_err();
            assert_eq!(e.kind, ModelErrorKind::Protocol);
            assert!(
                e.message.ends_with("which is not on the public internet"),
                "{host}: {e}"
            );
        }
        assert_eq!(server.all_asked().len(), 0);
    }

    #[tokio::test]
    async fn a_result_that_is_answered_from_the_own_network_is_refused() {
        let server = StandIn::start(script).await;
        let account = public(&server);
        let results = Results {
            account: &account,
            peer: None,
        };
        let e = results
            .fetch("http://1.1.1.1/a.png", 1 << 20)
            .await
            .unwrap_err();
        assert!(e.message.contains("is 127.0.0.1"), "{e}");
    }

    #[tokio::test]
    async fn a_service_in_the_own_network_may_have_its_results_there() {
        let server = StandIn::start(script).await;
        let account = server.account("fal_ai");
        let results = Results {
            account: &account,
            peer: None,
        };
        let file = results
            .fetch(&format!("{}/a.png", server.address), 1 << 20)
            .await
            .unwrap();
        assert_eq!(file.mime, "image/png");
    }

    #[tokio::test]
    async fn redirects_pass_the_same_checks_and_have_an_end() {
        assert!(
            refusal("http://1.1.1.1/inside")
                .await
                .contains("is 169.254.169.254")
        );
        assert!(
            refusal("http://1.1.1.1/file")
                .await
                .ends_with("is neither http nor https")
        );
        assert!(
            refusal("http://1.1.1.1/loop")
                .await
                .ends_with("without an end")
        );
    }

    #[tokio::test]
    async fn what_is_no_result_says_so() {
        assert!(
            refusal("file:///etc/passwd")
                .await
                .ends_with("is neither http nor https")
        );
        assert!(refusal("not an address").await.ends_with("is no address"));
        assert!(
            refusal("data:image/png;base64,*")
                .await
                .ends_with("is no address")
        );
        assert!(
            refusal("http://1.1.1.1/gone")
                .await
                .ends_with("answered 404")
        );
        assert!(refusal("http://1.1.1.1/cut").await.contains("broke off"));
    }

    #[tokio::test]
    async fn results_have_a_largest_size() {
        let server = StandIn::start(script).await;
        let account = public(&server);
        let results = Results {
            account: &account,
            peer: PROXY,
        };
        let inline = data_uri::encode("image/png", PNG);
        for url in ["http://1.1.1.1/a.png", &inline] {
            assert_eq!(
                results.fetch(url, PNG.len()).await.unwrap().mime,
                "image/png"
            );
            let e = results.fetch(url, PNG.len() - 1).await.unwrap_err();
            assert_eq!(e.message, "the result of fal_ai has more than 8 bytes");
        }
    }
}
