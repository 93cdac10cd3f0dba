//! Steps that call the network, over the real guarded client and a server of the test.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::services::{Secrets, Services};
use nodetool_sdk::steps::{Flow, FlowCx, Mode, Runtime, Step, StepConfig, StepCx, Steps, Token};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_server::NodeServices;
use serde_json::json;

use super::secrets::Fake;
use super::server::TestServer;

struct Kept(Vec<(&'static str, String)>);

impl Secrets for Kept {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        let found = self.0.iter().find(|(name, _)| *name == key);
        let value = found.map(|(_, value)| value.clone());
        Box::pin(std::future::ready(Ok(value)))
    }
}

fn map(value: serde_json::Value) -> Map {
    let value: Value = serde_json::from_value(value).unwrap();
    value.as_map().unwrap().clone()
}

/// A step with these values, and a context whose network reaches this machine.
fn step(
    identifier: &str,
    form: serde_json::Value,
    secrets: Vec<(&'static str, String)>,
) -> (Box<dyn Step>, StepCx) {
    let mut steps = Steps::default();
    nodetool_orchestrator::register(&mut steps);
    let def = steps.get(identifier).unwrap();
    let step = (def.make)(StepConfig {
        id: "node".into(),
        form: map(form),
        ..StepConfig::default()
    });
    let services = NodeServices {
        search_path: std::ffi::OsString::new(),
        program: env!("CARGO_BIN_EXE_nodetool").into(),
        assets: std::env::temp_dir(),
        allow_hosts: vec!["127.0.0.1".into()],
    };
    let services = Services {
        secrets: Arc::new(Kept(secrets)),
        ..services.build().unwrap()
    };
    let flow = FlowCx {
        mode: Mode::Production,
        env: Arc::default(),
        runtime: Arc::new(Runtime::default()),
        request: None,
        webhooks: None,
    };
    let cx = StepCx {
        node: context_with(services, None),
        flow: Arc::new(flow),
        reads: None,
        writes: Vec::new(),
    };
    (step, cx)
}

async fn run(step: &mut dyn Step, cx: &StepCx) -> serde_json::Value {
    step.setup(cx).await.unwrap();
    match step.run(Token::new("unit", Map::new()), cx).await.unwrap() {
        Flow::Go(token) => serde_json::to_value(Value::from(token.data)).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_row_of_a_sheet_is_updated_with_a_token_that_is_asked_for_once() {
    let google = Fake::start(|(method, path, headers, body)| {
        let body = String::from_utf8_lossy(body);
        let authorized = headers
            .get("authorization")
            .is_some_and(|v| v == "Bearer fresh");
        match (method.as_str(), path.as_str()) {
            ("POST", "/token") if body.contains("refresh_token=lasting") => (
                200,
                json!({"access_token": "fresh", "expires_in": 3599}).to_string(),
            ),
            _ if !authorized => (401, json!({"error": {"message": "no token"}}).to_string()),
            ("GET", path) if path.starts_with("/v4/spreadsheets/s1/values:batchGet?ranges=") => {
                let ranges = json!([{"values": [["name", "city"]]}, {"values": [["Ann", "Bern"]]}]);
                (200, json!({ "valueRanges": ranges }).to_string())
            }
            ("PUT", path) if path.starts_with("/v4/spreadsheets/s1/values/") => {
                let told = json!({"updatedRange": "'A b'!A2:B2", "updatedCells": 1});
                (200, told.to_string())
            }
            _ => (404, json!({"error": {"message": "not found"}}).to_string()),
        }
    })
    .await;
    let token = json!({"refresh_token": "lasting", "client_id": "i", "client_secret": "s"});
    let (mut step, cx) = step(
        "google-sheets-update-row",
        json!({"google_account": "oauth", "spreadsheet": "s1", "sheet": "A b", "row_number": 2,
            "header_row": 1, "row_data": r#"{"city": "Oslo"}"#}),
        vec![
            ("GOOGLE_OAUTH_TOKEN", token.to_string()),
            ("GOOGLE_API_BASE_URL", format!("http://{}", google.address)),
        ],
    );
    for _ in 0..2 {
        let out = run(&mut *step, &cx).await;
        let told = &out["google_sheets"];
        assert_eq!(told["updated_cells"], 1, "{out}");
        assert_eq!(told["matched_headers"], json!(["city"]));
    }
    let asked = google.asked();
    let tokens = asked
        .iter()
        .filter(|(_, path, ..)| path == "/token")
        .count();
    assert_eq!((asked.len(), tokens), (5, 1));
    let (_, path, _, body) = &asked[2];
    assert!(path.ends_with("?valueInputOption=USER_ENTERED"), "{path}");
    let sent: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!(sent["values"], json!([[null, "Oslo"]]));
}

#[tokio::test]
async fn a_request_gets_its_answer_a_redirect_too_and_a_closed_port_is_status_0() {
    let site = Fake::start(|(_, path, ..)| match path.as_str() {
        "/moved" => (302, String::new()),
        _ => (200, json!({"a": 1}).to_string()),
    })
    .await;
    let request = |url: String| async move {
        let form = json!({"method": "GET", "url": url});
        let (mut step, cx) = step("http-request", form, Vec::new());
        run(&mut *step, &cx).await["http_request"].clone()
    };
    let found = request(format!("http://{}/x", site.address)).await;
    assert_eq!(
        (&found["status"], &found["body"]),
        (&json!(200), &json!({"a": 1}))
    );
    let moved = request(format!("http://{}/moved", site.address)).await;
    assert_eq!(moved["status"], 302);

    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let gone = request(format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(gone["status"], 0);
    assert_eq!(gone["error"]["type"], "ConnectionError");
    let private = request("http://10.0.0.1/".to_owned()).await;
    assert_eq!(private["error"]["type"], "RefusedError");
}

#[tokio::test]
async fn secrets_that_steps_read_can_be_stored() {
    let server = TestServer::start_with(&["--secrets-master-key", "m"]);
    let client = server.client();
    for key in nodetool_orchestrator::SECRETS {
        let path = format!("/api/settings/secrets/{key}");
        client.put(&path, &json!({ "value": "v" })).await.ok();
    }
}
