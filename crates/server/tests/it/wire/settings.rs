//! Settings (HTTP spec 6.12; conformance rows 70 to 72).

use hyper::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::local::local;
use super::server::TestServer;

const PATH: &str = "/api/settings/";

async fn setting(client: &Client, key: &str) -> Value {
    let list = client.get(PATH).await.ok();
    let settings = list["settings"].as_array().unwrap();
    let found = settings.iter().find(|s| s["env_var"] == key);
    found.unwrap_or_else(|| panic!("no setting {key}")).clone()
}

#[tokio::test]
async fn every_registered_setting_is_shown_and_no_secret_has_a_value() {
    let server = TestServer::start();
    let client = server.client();
    let list = client.get(PATH).await.ok();
    let settings = list["settings"].as_array().unwrap();
    let (secrets, plain): (Vec<_>, Vec<_>) = settings.iter().partition(|s| s["is_secret"] == true);
    assert_eq!((plain.len(), secrets.len()), (23, 33));
    assert!(secrets.iter().all(|s| s["value"].is_null()));
    assert!(
        settings
            .iter()
            .all(|s| s["description"].as_str().unwrap().len() > 10)
    );
    let provider = setting(&client, "SERP_PROVIDER").await;
    assert_eq!(provider["enum"], json!(["serpapi", "apify", "dataforseo"]));
    assert_eq!(setting(&client, "AUTOSAVE_KEEP_DAYS").await["value"], "7");
    assert_eq!(setting(&client, "FONT_PATH").await["value"], Value::Null);
}

#[tokio::test]
async fn settings_are_stored_over_a_restart_and_reset_by_null() {
    let server = TestServer::start();
    let client = server.client();
    let sent = json!({
        "settings": { "AUTOSAVE_KEEP_DAYS": 30, "AUTOSAVE_ENABLED": false, "COMFYUI_ADDR": "127.0.0.1:8188" }, "secrets": {},
    });
    let told = client.put(PATH, &sent).await.ok();
    assert_eq!(told, json!({ "message": "Settings updated successfully" }));
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    for (key, value) in [
        ("AUTOSAVE_KEEP_DAYS", "30"),
        ("AUTOSAVE_ENABLED", "false"),
        ("COMFYUI_ADDR", "127.0.0.1:8188"),
    ] {
        assert_eq!(setting(&client, key).await["value"], value);
    }
    client
        .put(
            PATH,
            &json!({ "settings": { "AUTOSAVE_KEEP_DAYS": null }, "secrets": {} }),
        )
        .await
        .ok();
    assert_eq!(setting(&client, "AUTOSAVE_KEEP_DAYS").await["value"], "7");
}

#[tokio::test]
async fn case_70_a_masked_secret_changes_nothing_and_a_real_one_is_stored_with_everything_beside_it()
 {
    let server = TestServer::start_with(&["--secrets-master-key", "m"]);
    let client = server.client();
    let secret = "/api/settings/secrets/OPENAI_API_KEY";
    let value = async || {
        let path = format!("{secret}?decrypt=true");
        client.send(local(Method::GET, &path, "")).await.ok()["value"].clone()
    };
    let sent =
        json!({ "settings": { "AUTOSAVE_KEEP_DAYS": 9 }, "secrets": { "OPENAI_API_KEY": "sk-1" } });
    client.put(PATH, &sent).await.ok();
    assert_eq!(setting(&client, "AUTOSAVE_KEEP_DAYS").await["value"], "9");
    let shown = setting(&client, "OPENAI_API_KEY").await;
    assert_eq!(shown["value"], "****");
    assert_eq!(value().await, "sk-1");
    for masked in [json!("****"), json!("*"), json!(""), Value::Null] {
        let sent = json!({ "settings": {}, "secrets": { "OPENAI_API_KEY": masked } });
        client.put(PATH, &sent).await.ok();
        assert_eq!(value().await, "sk-1");
    }
    let long = "s".repeat(20_000);
    for (key, wrong) in [
        ("OPENAI_API_KEY", json!(long)),
        ("OPENAI_API_KEY", json!(["sk-2"])),
        ("NOPE", json!("sk-2")),
        ("FONT_PATH", json!("sk-2")),
    ] {
        let sent = json!({
            "settings": { "AUTOSAVE_KEEP_DAYS": 8 }, "secrets": { "HF_TOKEN": "hf", key: wrong },
        });
        let refused = client.put(PATH, &sent).await;
        assert_eq!(refused.places()[0].1, json!(["body", "secrets", key]));
        assert!(!String::from_utf8_lossy(&refused.body).contains("sk-2"));
        assert_eq!(setting(&client, "AUTOSAVE_KEEP_DAYS").await["value"], "9");
        assert_eq!(setting(&client, "HF_TOKEN").await["value"], Value::Null);
        assert_eq!(value().await, "sk-1");
    }
}

#[tokio::test]
async fn case_71_only_registered_settings_take_only_what_they_can_be() {
    let server = TestServer::start();
    let client = server.client();
    for (key, value) in [
        ("AUTH_PROVIDER", json!("none")),
        ("USERS_FILE", json!("/tmp/users")),
        ("SERVER_AUTH_TOKEN", json!("t")),
        ("OPENAI_API_KEY", json!("k")),
        ("PATH", json!("/")),
        ("AUTOSAVE_ENABLED", json!("maybe")),
        ("AUTOSAVE_KEEP_DAYS", json!(-1)),
        ("AUTOSAVE_KEEP_DAYS", json!("soon")),
        ("SERP_PROVIDER", json!("other")),
        ("FONT_PATH", json!("x".repeat(5000))),
        ("FONT_PATH", json!([1])),
    ] {
        let sent = json!({ "settings": { "COMFYUI_ADDR": "changed", key: value }, "secrets": {} });
        let refused = client.put(PATH, &sent).await;
        assert_eq!(
            refused.places()[0].1,
            json!(["body", "settings", key]),
            "{key} {value}"
        );
        assert_eq!(setting(&client, "COMFYUI_ADDR").await["value"], Value::Null);
    }
    let refused = client
        .put(
            PATH,
            &json!({ "settings": {}, "secrets": { "FONT_PATH": "*", "NOPE": "*" } }),
        )
        .await;
    assert_eq!(refused.places().len(), 2);
    let missing = client.put(PATH, &json!({})).await.places();
    let expected = [
        ("missing".to_owned(), json!(["body", "settings"])),
        ("missing".to_owned(), json!(["body", "secrets"])),
    ];
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn case_72_settings_are_not_served_in_production() {
    let server = TestServer::start_with(&["--environment", "production"]);
    let client = server.client();
    assert!(client.get(PATH).await.detail(403).contains("production"));
    let sent = json!({ "settings": { "AUTOSAVE_KEEP_DAYS": 9 }, "secrets": {} });
    assert!(
        client
            .put(PATH, &sent)
            .await
            .detail(403)
            .contains("production")
    );
}
