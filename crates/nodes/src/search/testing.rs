//! A search service that says one thing, for the tests of this namespace.

use std::sync::Arc;

use nodetool_sdk::services::{Http, HttpRequest, HttpResponse, Secrets, Services};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeCx, NodeError};
use std::sync::Mutex;

/// Answers everything alike and keeps the addresses it was asked at.
pub(super) struct Engine {
    status: u16,
    body: String,
    asked: Mutex<Vec<String>>,
}

impl Engine {
    pub(super) fn saying(status: u16, body: &str) -> Arc<Engine> {
        Arc::new(Engine {
            status,
            body: body.to_owned(),
            asked: Mutex::default(),
        })
    }

    pub(super) fn cx(self: &Arc<Engine>) -> NodeCx {
        let services = Services {
            http: self.clone(),
            secrets: Arc::new(Key),
            ..Services::none()
        };
        context_with(services, None)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The value a field had in the last question.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let asked = self.asked();
        let url = url::Url::parse(asked.last()?).unwrap();
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

impl Http for Engine {
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        self.asked.lock().unwrap().push(request.url);
        let response = HttpResponse {
            status: self.status,
            headers: Vec::new(),
            body: self.body.clone().into(),
            url: String::new(),
        };
        Box::pin(async move { Ok(response) })
    }
}

struct Key;

impl Secrets for Key {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        Box::pin(async move { Ok((key == "SERPAPI_API_KEY").then(|| "k3y".to_owned())) })
    }
}

/// A context of a user without a key.
pub(super) fn without_key() -> NodeCx {
    context_with(Services::none(), None)
}
