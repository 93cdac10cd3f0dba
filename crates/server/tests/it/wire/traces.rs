//! Traces, as a collector of OpenTelemetry gets them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use hyper::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::client::{json as json_request, request};
use super::graphs::script;
use super::server::TestServer;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// What came: path, content type and body.
type Came = Arc<Mutex<Vec<(String, String, Bytes)>>>;

/// A collector at an address of its own.
async fn collector() -> (String, Came, JoinSet<()>) {
    let came = Came::default();
    let into = came.clone();
    let take = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        let mut came = into.lock().unwrap();
        came.push((uri.path().to_owned(), kind, body));
        std::future::ready(Bytes::new())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/base", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        axum::serve(listener, Router::new().fallback(take))
            .await
            .unwrap()
    });
    (address, came, serving)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let attribute = span.attributes.iter().find(|a| a.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[tokio::test]
async fn a_trace_goes_from_the_client_over_request_and_job_to_the_nodes() {
    let (address, came, _serving) = collector().await;
    let server = TestServer::start_with(&["--otlp-endpoint", &address]);
    let client = server.client();
    let id = client.save(&script("return 1 + 1", 10)).await;
    for path in ["run", "run?stream=true"] {
        let path = format!("/api/workflows/{id}/{path}");
        let mut asked = json_request(Method::POST, &path, &json!({ "params": {} }));
        let sent = format!("00-{TRACE}-{PARENT}-01").parse().unwrap();
        asked.headers_mut().insert("traceparent", sent);
        assert_eq!(client.send(asked).await.status, 200);
    }
    let bad = request(Method::GET, "/api/workflows").header("traceparent", "00-nonsense-01");
    client
        .send(bad.body(String::new().into()).unwrap())
        .await
        .ok();
    server.terminate();
    let (status, log, _) = server.ended().await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
    let came = came.lock().unwrap();
    let mut spans = Vec::new();
    for (path, kind, body) in &*came {
        assert_eq!(
            (path.as_str(), kind.as_str()),
            ("/base/v1/traces", "application/x-protobuf")
        );
        let request = ExportTraceServiceRequest::decode(body.clone()).expect("protobuf");
        for resource in request.resource_spans {
            let about = resource.resource.expect("a resource").attributes;
            let name = about.iter().find(|a| a.key == "service.name");
            let name = name.and_then(|a| a.value.clone()?.value);
            assert_eq!(name, Some(Value::StringValue("nodetool".into())));
            let scopes = resource.scope_spans.into_iter();
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|s| s.name == name).collect() };
    let requests = named("POST /api/workflows/{id}/run");
    assert_eq!(requests.len(), 2, "{spans:?}");
    let code: Vec<&Span> = spans
        .iter()
        .filter(|s| text(s, "nodetool.node.id") == Some("c"))
        .collect();
    let jobs = named("job");
    assert_eq!((jobs.len(), code.len()), (2, 2), "{spans:?}");
    for request in &requests {
        assert_eq!(hex(&request.trace_id), TRACE);
        assert_eq!(hex(&request.parent_span_id), PARENT);
        assert_eq!(text(request, "http.route"), Some("/api/workflows/{id}/run"));
        let job = jobs.iter().find(|j| j.parent_span_id == request.span_id);
        let job = job.expect("the job of the request");
        assert!(text(job, "job.id").is_some(), "{job:?}");
        let node = code.iter().find(|n| n.parent_span_id == job.span_id);
        let node = node.expect("the node of the job");
        assert_eq!(hex(&node.trace_id), TRACE);
    }
    let lists = named("GET /api/workflows");
    assert!(
        lists.len() == 1 && lists[0].parent_span_id.is_empty() && hex(&lists[0].trace_id) != TRACE,
        "a trace that cannot be read begins a new one: {lists:?}"
    );
}

#[tokio::test]
async fn a_collector_that_is_away_is_told_once_and_holds_nothing_up() {
    let server = TestServer::start_with(&["--otlp-endpoint", "http://127.0.0.1:1"]);
    server.client().check_health().await;
    server.terminate();
    let (status, log, _) = server.ended().await;
    assert!(status.success(), "{log}");
    let told = log.matches("the collector of traces does not take them");
    assert_eq!(told.count(), 1, "{log}");
}
