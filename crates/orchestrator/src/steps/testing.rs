//! What the tests of steps share: a step's context, bound values and tokens out of JSON.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nodetool_sdk::services::{Http, HttpFailure, HttpRequest, HttpResponse, Services};
use nodetool_sdk::steps::{Flow, FlowCx, Mode, Runtime, StepCx, Token};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};
use serde_json::Value as Json;

use crate::{Fields, FormStep};

/// A context of production without services.
pub(super) fn context() -> StepCx {
    context_of(Services::none(), None)
}

/// A context of production with these services and this workspace.
pub(super) fn context_of(services: Services, workspace: Option<PathBuf>) -> StepCx {
    let flow = FlowCx {
        mode: Mode::Production,
        env: Arc::default(),
        runtime: Arc::new(Runtime::default()),
        request: None,
        webhooks: None,
    };
    StepCx {
        node: context_with(services, workspace),
        flow: Arc::new(flow),
        reads: None,
        writes: Vec::new(),
    }
}

/// A value out of JSON.
pub(super) fn value(json: Json) -> Value {
    serde_json::from_value(json).unwrap()
}

/// An object out of JSON.
pub(super) fn map(json: Json) -> Map {
    value(json).as_map().unwrap().clone()
}

/// Bound values out of JSON.
pub(super) fn fields(json: Json) -> Fields {
    Fields(map(json))
}

/// A token with this data.
pub(super) fn token(json: Json) -> Token {
    Token::new("unit", map(json))
}

/// A value as JSON, for comparing.
pub(super) fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap()
}

/// What a new step makes of values and data.
pub(super) async fn run<S: FormStep>(
    form: Json,
    data: Json,
    cx: &StepCx,
) -> Result<Flow, NodeError> {
    S::default().run(&fields(form), token(data), cx).await
}

/// The token that goes on.
pub(super) fn gone(flow: Flow) -> Token {
    match flow {
        Flow::Go(token) => token,
        other => panic!("expected a token that goes on, found {other:?}"),
    }
}

/// The data a new step makes of values and data.
pub(super) async fn data<S: FormStep>(form: Json, data: Json, cx: &StepCx) -> Json {
    let token = gone(run::<S>(form, data, cx).await.unwrap());
    json(&Value::from(token.data))
}

/// What a new step says against values and data.
pub(super) async fn refusal<S: FormStep>(form: Json, data: Json, cx: &StepCx) -> String {
    run::<S>(form, data, cx).await.unwrap_err().to_string()
}

type Answer = dyn Fn(&HttpRequest) -> Result<HttpResponse, HttpFailure> + Send + Sync;

/// A network that answers with a function's results and keeps the requests.
pub(super) struct Net {
    answer: Box<Answer>,
    seen: Mutex<Vec<HttpRequest>>,
}

impl Net {
    pub(super) fn new(
        answer: impl Fn(&HttpRequest) -> Result<HttpResponse, HttpFailure> + Send + Sync + 'static,
    ) -> Arc<Net> {
        Arc::new(Net {
            answer: Box::new(answer),
            seen: Mutex::default(),
        })
    }

    pub(super) fn seen(&self) -> Vec<HttpRequest> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn cx(self: &Arc<Net>) -> StepCx {
        let services = Services {
            http: self.clone(),
            ..Services::none()
        };
        context_of(services, None)
    }
}

impl Http for Net {
    fn send<'a>(&'a self, request: HttpRequest) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
        Box::pin(async move {
            let answer = self.send_once(request).await;
            answer.map_err(|e| NodeError::new(e.message))
        })
    }
    fn send_once<'a>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, HttpFailure>> {
        let answer = (self.answer)(&request);
        self.seen.lock().unwrap().push(request);
        Box::pin(std::future::ready(answer))
    }
}

/// An answer without headers.
pub(super) fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse {
        status,
        headers: Vec::new(),
        body: body.to_owned().into(),
        url: String::new(),
    }
}
