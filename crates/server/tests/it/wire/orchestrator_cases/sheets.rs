//! Fields that depend on others, with the steps of Google Sheets and a server that speaks its API.

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::secrets::Fake;
use super::super::server::TestServer;
use super::{Flow, error};

/// A server that has one spreadsheet of two sheets, one row each below the headers.
async fn google() -> Fake {
    Fake::start(|(method, path, headers, _)| {
        let known = headers
            .get("authorization")
            .is_some_and(|v| v == "Bearer the-token");
        let found = match (method.as_str(), path.split('?').next().unwrap_or_default()) {
            _ if !known => return (401, json!({ "error": { "message": "who?" } }).to_string()),
            ("GET", "/drive/v3/files") => json!({ "files": [{ "id": "s1", "name": "People" }] }),
            ("GET", "/v4/spreadsheets/s1") => {
                let sheet = |title: &str| json!({ "properties": { "title": title } });
                json!({ "sheets": [sheet("A b"), sheet("C")] })
            }
            ("GET", "/v4/spreadsheets/s1/values:batchGet") => json!({ "valueRanges":
                [{ "values": [["name", "city"]] }, { "values": [["Ann", "Bern"]] }] }),
            _ => {
                return (
                    404,
                    json!({ "error": { "message": "nothing" } }).to_string(),
                );
            }
        };
        (200, found.to_string())
    })
    .await
}

/// A server whose caller has an account there.
async fn with_account(google: &Fake) -> TestServer {
    let arguments = ["--secrets-master-key", "m", "--allow-host", "127.0.0.1"];
    let server = TestServer::start_with(&arguments);
    let client = server.client();
    let address = format!("http://{}", google.address);
    for (key, value) in [
        ("GOOGLE_OAUTH_TOKEN", "the-token"),
        ("GOOGLE_API_BASE_URL", &address),
    ] {
        let path = format!("/api/settings/secrets/{key}");
        client.put(&path, &json!({ "value": value })).await.ok();
    }
    server
}

/// The form of the step once these values are in it; its fields by name.
async fn updated(client: &Client, values: Value) -> impl Fn(&str) -> Value {
    let path = "/api/nodes/google-sheets-get-row/form/update/";
    let body = json!({ "field_values": values });
    let told = client.post(path, &body).await.ok();
    assert_eq!(told["node"]["identifier"], "google-sheets-get-row");
    let fields = told["form"]["fields"].as_array().unwrap().clone();
    move |name| {
        let field = fields.iter().find(|f| f["name"] == name);
        field.unwrap_or_else(|| panic!("no {name}")).clone()
    }
}

/// What can be chosen, beside nothing.
fn offered(field: &Value) -> Vec<&str> {
    let choices = field["widget"]["choices"].as_array().unwrap();
    let values = choices.iter().map(|choice| choice[0].as_str().unwrap());
    values.filter(|value| !value.is_empty()).collect()
}

#[tokio::test]
async fn case_31_a_field_is_ready_once_those_before_it_have_values() {
    let google = google().await;
    let server = with_account(&google).await;
    let client = server.client();
    let field = updated(&client, json!({})).await;
    let account = field("google_account");
    assert_eq!(
        (&account["ready"], &account["disabled"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(offered(&account), ["oauth"], "{account}");
    for name in ["spreadsheet", "sheet"] {
        let field = field(name);
        assert_eq!(
            (&field["ready"], &field["disabled"]),
            (&json!(false), &json!(true)),
            "{field}"
        );
        let status = &field["dependency_status"];
        assert_eq!(status["google_account"], false, "{field}");
    }
    let field = updated(&client, json!({ "google_account": "oauth" })).await;
    let spreadsheet = field("spreadsheet");
    assert_eq!(
        (&spreadsheet["ready"], &spreadsheet["disabled"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        spreadsheet["dependency_status"],
        json!({ "google_account": true })
    );
    assert_eq!(offered(&spreadsheet), ["s1"]);
    // The only choice is taken, so the next field can be chosen.
    assert_eq!(spreadsheet["value"], "s1");
    let sheet = field("sheet");
    assert_eq!(
        (&sheet["ready"], &sheet["value"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(offered(&sheet), ["A b", "C"]);
    // A form that is opened again has its choices, and keeps what is not among them.
    let values = json!({ "google_account": "oauth", "spreadsheet": "s1", "sheet": "Gone" });
    let sheet = updated(&client, values).await("sheet");
    assert_eq!(sheet["value"], "Gone");
    assert_eq!(offered(&sheet), ["A b", "C", "Gone"], "{sheet}");

    let flow = Flow::new(&client).await;
    let form = json!({ "google_account": "oauth", "spreadsheet": "s1", "sheet": "A b",
        "row_number": "{{ 1 + 1 }}", "header_row": 1 });
    let row = flow.node("google-sheets-get-row", form).await;
    let ran = flow.run_node(&row, json!({})).await.ok();
    let found = &ran["output"]["data"]["google_sheets"];
    assert_eq!(
        found["data"],
        json!({ "name": "Ann", "city": "Bern" }),
        "{ran}"
    );
    assert_eq!(found["row_number"], 2);
    assert!(!ran.to_string().contains("the-token"), "{ran}");
}

#[tokio::test]
async fn case_32_options_are_asked_for_by_both_fields() {
    let google = google().await;
    let server = with_account(&google).await;
    let client = server.client();
    let path = "/api/nodes/google-sheets-get-row/field-options/";
    let text = "parent_field and dependent_field are required";
    for body in [
        json!({ "parent_field": "google_account", "parent_value": "oauth" }),
        json!({ "parent_field": "google_account", "dependent_field": "" }),
        json!({ "dependent_field": "spreadsheet" }),
    ] {
        let refused = client.post(path, &body).await;
        assert_eq!(error(&refused, 400), text);
        assert_eq!(refused.json()["code"], "INVALID_REQUEST");
    }
    let question = json!({ "parent_field": "google_account", "parent_value": "oauth",
        "dependent_field": "spreadsheet" });
    let told = client.post(path, &question).await.ok();
    let options = json!([{ "value": "s1", "text": "People" }]);
    assert_eq!(told, json!({ "field": "spreadsheet", "options": options }));
    let question = json!({ "parent_field": "spreadsheet", "parent_value": "s1",
        "dependent_field": "sheet", "form_values": { "google_account": "oauth" } });
    let told = client.post(path, &question).await.ok();
    let option = |text: &str| json!({ "value": text, "text": text });
    assert_eq!(told["options"], json!([option("A b"), option("C")]));
    // What the other side refuses is told at its field.
    let question = json!({ "parent_field": "google_account", "parent_value": "nobody",
        "dependent_field": "spreadsheet" });
    let refused = client.post(path, &question).await;
    let said = error(&refused, 400);
    assert!(said.contains("google_account"), "{said}");
    assert!(refused.json()["errors"]["spreadsheet"].is_array());
}
