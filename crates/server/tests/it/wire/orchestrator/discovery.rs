//! Step types and their forms.

use hyper::Method;
use serde_json::{Value, json};

use super::super::server::TestServer;
use super::refusal;

#[tokio::test]
async fn case_29_the_form_of_a_type_says_what_it_takes() {
    let server = TestServer::start();
    let client = server.client();
    let told = client.get("/api/nodes/counter/form/").await.ok();
    assert_eq!(told["node"]["identifier"], "counter");
    let form = &told["form"];
    assert_eq!(form["form_name"], "CounterForm");
    let order = ["min_value", "max_value", "direction", "step"];
    assert_eq!(form["field_order"], json!(order));
    let fields = form["fields"].as_array().unwrap();
    let names: Vec<_> = fields.iter().map(|f| &f["name"]).collect();
    assert_eq!(names, order);
    assert_eq!(fields[0]["label"], "Min_Value");
    assert_eq!(fields[0]["widget"]["is_required"], true);
    assert_eq!(fields[0]["value"], Value::Null);
    let choices = &fields[2]["widget"]["choices"];
    assert_eq!(choices[0][0], "increment");
    assert_eq!(choices[1][0], "decrement");
    assert_eq!(fields[3]["widget"]["attrs"]["min"], 1);
    assert_eq!(form["form_level_errors"], json!([]));
}

#[tokio::test]
async fn case_30_types_are_listed_counted_and_missed() {
    let server = TestServer::start();
    let client = server.client();
    let flat = client.get("/api/nodes/flat/").await.ok();
    let flat = flat.as_array().unwrap();
    let count = client.get("/api/nodes/count/").await.ok();
    assert_eq!(count, json!({ "count": flat.len() }));
    for meta in flat {
        for key in ["input_ports", "output_ports", "supported_workflow_types"] {
            assert!(meta[key].is_array(), "{key}: {meta}");
        }
        assert!(
            meta["name"].is_string() && meta["type"].is_string(),
            "{meta}"
        );
        assert!(meta.get("file_path").is_none());
    }
    let tree = client.get("/api/nodes/").await.ok();
    fn sum(folders: &Value) -> usize {
        let folders = folders.as_object().unwrap().values();
        let nodes = |f: &Value| f["nodes"].as_array().unwrap().len();
        folders.map(|f| nodes(f) + sum(&f["subfolders"])).sum()
    }
    assert_eq!(sum(&tree), flat.len());
    let one = client.get("/api/nodes/counter/").await.ok();
    assert_eq!(
        (&one["name"], &one["form_class"]),
        (&json!("CounterNode"), &json!("CounterForm"))
    );
    assert!(one.get("input_ports").is_none());
    for path in ["/api/nodes/zzz/", "/api/nodes/zzz/form/"] {
        let missing = refusal(&client.get(path).await, 404, "NOT_FOUND");
        assert_eq!(
            (&missing["error"], &missing["identifier"]),
            (&json!("Node not found"), &json!("zzz"))
        );
    }
    let fresh = client.call(Method::POST, "/api/nodes/refresh/").await.ok();
    assert_eq!(
        fresh,
        json!({ "message": "Node cache refreshed successfully" })
    );
    // Words of the other API stay its own.
    assert_eq!(
        client.get("/api/nodes/dummy").await.ok(),
        json!({ "hello": "world" })
    );
    assert!(client.get("/api/nodes/metadata").await.ok().is_array());
}

#[tokio::test]
async fn case_32_options_are_of_a_field_that_depends_on_another() {
    let server = TestServer::start();
    let client = server.client();
    let path = "/api/nodes/counter/field-options/";
    for body in [
        json!({}),
        json!({ "parent_field": "step" }),
        json!({ "dependent_field": "step" }),
    ] {
        let refused = refusal(&client.post(path, &body).await, 400, "INVALID_REQUEST");
        assert_eq!(
            refused["error"],
            "parent_field and dependent_field are required"
        );
    }
    for dependent in ["nope", "max_value"] {
        let body = json!({ "parent_field": "step", "dependent_field": dependent });
        let refused = client.post(path, &body).await;
        refusal(&refused, 400, "INVALID_REQUEST");
    }
    let values = json!({ "field_values": { "step": "{{ 1 }}" } });
    let form = client
        .post("/api/nodes/counter/form/update/", &values)
        .await
        .ok();
    assert_eq!(form["form"]["fields"][3]["value"], "{{ 1 }}");
    let bad = client
        .post(
            "/api/nodes/counter/form/update/",
            &json!({ "field_values": [] }),
        )
        .await;
    refusal(&bad, 400, "INVALID_REQUEST");
}
