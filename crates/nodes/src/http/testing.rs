//! A network made of a function, for the tests of this namespace.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nodetool_sdk::services::{Http, HttpRequest, HttpResponse, Services};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeCx, NodeError};

type Answer = dyn Fn(&HttpRequest) -> Result<HttpResponse, NodeError> + Send + Sync;

/// Answers with a function's results and keeps the requests.
pub(crate) struct Net {
    answer: Box<Answer>,
    pub(crate) seen: Mutex<Vec<HttpRequest>>,
}

impl Net {
    pub(crate) fn new(
        answer: impl Fn(&HttpRequest) -> Result<HttpResponse, NodeError> + Send + Sync + 'static,
    ) -> Arc<Net> {
        Arc::new(Net {
            answer: Box::new(answer),
            seen: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn cx(self: &Arc<Net>, workspace: Option<PathBuf>) -> NodeCx {
        let services = Services {
            http: self.clone(),
            ..Services::none()
        };
        context_with(services, workspace)
    }
}

impl Http for Net {
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        let answer = (self.answer)(&request);
        self.seen.lock().unwrap().push(request);
        Box::pin(async move { answer })
    }
}

/// An answer with one header.
pub(crate) fn answer(status: u16, header: (&str, &str), body: &[u8]) -> HttpResponse {
    HttpResponse {
        status,
        headers: vec![(header.0.into(), header.1.into())],
        body: body.to_vec().into(),
        url: String::new(),
    }
}
