//! Steps that meet the outside.

use serde_json::json;

use super::super::server::TestServer;
use super::Flow;

#[tokio::test]
async fn case_69_a_file_is_never_written_outside_of_its_folder() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("file-writer", json!({})).await;
    let outside = server.folder().parent().unwrap().join("nodetool-case-69");
    for path in [
        "../../nodetool-case-69",
        outside.to_str().unwrap(),
        "/abs/nodetool-case-69",
    ] {
        let form = json!({ "file_path": path, "mode": "w", "content": "x" });
        let answer = flow
            .run_node(&node, json!({ "form_values": form }))
            .await
            .ok();
        assert_eq!(answer["success"], false, "{path}: {answer}");
        assert!(!outside.exists(), "{path}");
    }
}

#[tokio::test]
async fn case_71_a_request_that_reaches_nobody_is_a_result() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let server = TestServer::start_with(&["--allow-host", "127.0.0.1"]);
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "method": "GET", "url": format!("http://127.0.0.1:{port}/") });
    let node = flow.node("http-request", form).await;
    let answer = flow.run_node(&node, json!({})).await.ok();
    assert_eq!(answer["success"], true, "{answer}");
    let result = &answer["output"]["data"]["http_request"];
    assert_eq!(result["status"], 0);
    for key in ["message", "type"] {
        assert!(result["error"][key].is_string(), "{result}");
    }
}
