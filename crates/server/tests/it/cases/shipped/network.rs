//! The sites workflows name, on this machine: requests leave through the server's own HTTP client and arrive at a local
//! web server, which answers in the place of all of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use nodetool_sdk::services::{Http, HttpRequest, HttpResponse};
use nodetool_sdk::{BoxFuture, NodeError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::{Position, Url};

/// Tells the local server whom a request is for.
const SITE: &str = "x-site";

/// What a site answers to addresses that begin so, without the scheme.
#[derive(Clone)]
pub(super) struct Page {
    start: &'static str,
    kind: &'static str,
    body: Bytes,
}

impl Page {
    pub(super) fn new(start: &'static str, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Page { start, kind, body }
    }
}

#[derive(Clone)]
struct Site {
    pages: Arc<[Page]>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The local server.
pub(super) struct Network {
    site: Site,
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Network {
    pub(super) async fn open(pages: Vec<Page>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site {
            pages: pages.into(),
            asked: Arc::default(),
        };
        let routes = Router::new().fallback(answer).with_state(site.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Network {
            site,
            address,
            _serving: serving,
        }
    }

    /// Addresses that were asked for, without the scheme, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.site.asked.lock().unwrap().clone()
    }

    /// A field of each question to one engine of the search service.
    pub(super) fn searched(&self, engine: &str, field: &str) -> Vec<String> {
        let asked = self.asked();
        let urls = asked
            .iter()
            .filter_map(|a| Url::parse(&format!("https://{a}")).ok());
        let value = |url: &Url, name: &str| {
            let mut pairs = url.query_pairs();
            let found = pairs.find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        urls.filter(|url| value(url, "engine").as_deref() == Some(engine))
            .filter_map(|url| value(&url, field))
            .collect()
    }

    /// A client that leads here.
    pub(super) fn client(&self, through: Arc<dyn Http>) -> Arc<dyn Http> {
        let address = self.address;
        Arc::new(Led { address, through })
    }
}

async fn answer(State(site): State<Site>, request: Request) -> Response {
    let host = request.headers().get(SITE).and_then(|v| v.to_str().ok());
    let path = request.uri().path_and_query().map_or("", |p| p.as_str());
    let asked = format!("{}{path}", host.unwrap_or_default());
    let page = site.pages.iter().find(|page| asked.starts_with(page.start));
    site.asked.lock().unwrap().push(asked.clone());
    match page {
        Some(page) => ([(header::CONTENT_TYPE, page.kind)], page.body.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, format!("no page for {asked}")).into_response(),
    }
}

/// The real client with another destination.
struct Led {
    address: SocketAddr,
    through: Arc<dyn Http>,
}

impl Http for Led {
    fn send<'a>(
        &'a self,
        mut request: HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        Box::pin(async move {
            let url = Url::parse(&request.url).map_err(|e| NodeError::new(e.to_string()))?;
            let host = url.host_str().unwrap_or_default().to_owned();
            request.headers.push((SITE.into(), host));
            request.url = format!("http://{}{}", self.address, &url[Position::BeforePath..]);
            let mut response = self.through.send(request).await?;
            response.url = url.into();
            Ok(response)
        })
    }
}
