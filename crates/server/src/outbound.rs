//! The one way from nodes to the network: an HTTP client, and bare connections, that reach public addresses only.
//!
//! Every address is checked after the name was resolved and before a connection is made, and the connection goes to
//! the address that was checked: a name cannot change its mind in between. Each redirect is a new request that passes
//! all checks again. Size and time are bounded. It must not know nodes, jobs or users; messages name the host and the
//! reason, never credentials, paths or queries.

use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::dial::{Connection, Dial};
use nodetool_sdk::services::{Http, HttpFailure, HttpRequest, HttpResponse};
use nodetool_sdk::{BoxFuture, NodeError};
use reqwest::{Client, Response, redirect::Policy};

mod allow;
mod dial;
mod exchange;
mod refusal;
mod resolver;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use allow::AllowList;
use dial::Dialer;
use exchange::Exchange;
use resolver::{CheckedResolver, Lookup};

pub(crate) use refusal::OutboundError;

/// Redirects followed before giving up.
const MAX_REDIRECTS: usize = 10;
/// The longest time a request may ask for.
const LONGEST: Duration = Duration::from_secs(3600);
const USER_AGENT: &str = concat!("NodeTool/", env!("CARGO_PKG_VERSION"));

/// What the client may reach and how much it may take.
#[derive(Clone, Debug)]
pub(crate) struct OutboundOptions {
    /// Host names, addresses and networks (`10.0.0.0/8`) that are reachable although they are not public. An address
    /// that serves the machine's own credentials is reachable only when it is listed itself.
    pub(crate) allow: Vec<String>,
    /// Most bytes of a body, after decompression.
    pub(crate) max_body: usize,
    /// Time for a whole exchange, redirects and body included, when the request names none.
    pub(crate) timeout: Duration,
}

impl Default for OutboundOptions {
    fn default() -> Self {
        OutboundOptions {
            allow: Vec::new(),
            max_body: 64 << 20,
            timeout: Duration::from_secs(60),
        }
    }
}

/// The guarded client. Clones share one pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    client: Client,
    allow: Arc<AllowList>,
    dialer: Dialer,
    max_body: usize,
    timeout: Duration,
}

impl Outbound {
    /// A client with these options; fails on an allow-list entry that is no host, address or network.
    pub(crate) fn new(options: OutboundOptions) -> Result<Self, OutboundError> {
        Self::with_lookup(options, Lookup::system())
    }

    fn with_lookup(options: OutboundOptions, lookup: Lookup) -> Result<Self, OutboundError> {
        let allow = Arc::new(AllowList::parse(&options.allow)?);
        // Redirects and proxies are off: either would reach an address that was not checked here.
        let dialer = Dialer::new(allow.clone(), lookup.clone(), tls::config()?);
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config()?)
            .dns_resolver(CheckedResolver::new(allow.clone(), lookup))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_max_idle_per_host(4)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|e| OutboundError::Setup(e.to_string()))?;
        Ok(Outbound {
            client,
            allow,
            dialer,
            max_body: options.max_body,
            timeout: options.timeout,
        })
    }

    /// Sends a request, follows where it is redirected to, and reads the whole answer.
    pub(crate) async fn exchange(
        &self,
        request: HttpRequest,
    ) -> Result<HttpResponse, OutboundError> {
        self.exchange_following(request, true).await
    }

    async fn exchange_following(
        &self,
        request: HttpRequest,
        redirects: bool,
    ) -> Result<HttpResponse, OutboundError> {
        let limit = self.limit(request.timeout_s)?;
        let mut exchange = Exchange::new(request, &self.allow)?;
        let first = exchange.host();
        let work = async {
            for _ in 0..=MAX_REDIRECTS {
                let response = self.send(&exchange).await?;
                if !redirects || !exchange.follow(&response, &self.allow)? {
                    return self.read(&exchange, response).await;
                }
            }
            Err(OutboundError::Redirects {
                host: first.clone(),
                max: MAX_REDIRECTS,
            })
        };
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::TimedOut {
                host: exchange.host(),
                seconds: limit.as_secs_f64(),
            }),
        }
    }

    fn limit(&self, asked: Option<f64>) -> Result<Duration, OutboundError> {
        let Some(seconds) = asked else {
            return Ok(self.timeout);
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(limit) if !limit.is_zero() && limit <= LONGEST => Ok(limit),
            _ => Err(OutboundError::Timeout {
                seconds,
                max: LONGEST.as_secs(),
            }),
        }
    }

    async fn send(&self, exchange: &Exchange) -> Result<Response, OutboundError> {
        let mut request = self
            .client
            .request(exchange.method.clone(), exchange.url.clone())
            .headers(exchange.headers.clone());
        if let Some(body) = &exchange.body {
            request = request.body(body.clone());
        }
        request
            .send()
            .await
            .map_err(|e| OutboundError::of(&exchange.host(), &e))
    }

    async fn read(
        &self,
        exchange: &Exchange,
        mut response: Response,
    ) -> Result<HttpResponse, OutboundError> {
        let host = exchange.host();
        let too_large = || OutboundError::TooLarge {
            host: host.clone(),
            max: self.max_body,
        };
        let announced = response.content_length().unwrap_or(0);
        if announced > self.max_body as u64 {
            return Err(too_large());
        }
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let mut body = Vec::new();
        // Chunks come out decompressed, so the bound holds for what a small answer unfolds into.
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|e| OutboundError::of(&host, &e))?
        {
            if chunk.len() > self.max_body - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse {
            status,
            headers,
            body: body.into(),
            url: exchange.url.to_string(),
        })
    }
}

impl Http for Outbound {
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        Box::pin(async move {
            self.exchange(request)
                .await
                .map_err(|e| NodeError::new(e.to_string()))
        })
    }
    fn send_once<'a>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, HttpFailure>> {
        Box::pin(async move {
            let answer = self.exchange_following(request, false).await;
            answer.map_err(|e| HttpFailure {
                kind: e.kind(),
                message: e.to_string(),
            })
        })
    }
}

impl Dial for Outbound {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        self.dialer.connect(host, port)
    }

    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        self.dialer.secure(connection, host)
    }
}
