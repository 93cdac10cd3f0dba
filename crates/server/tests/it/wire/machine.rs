//! Memory, fonts, skills, the editor's address, and what this server refuses (HTTP spec 2.7, 6.13, 6.16, 6.18, 6.23;
//! conformance rows 74, 84, 93).

use hyper::Method;
use serde_json::{Value, json};

use super::local::{local, with_headers};
use super::server::{TestServer, folder};

#[tokio::test]
async fn memory_is_that_of_the_process() {
    let server = TestServer::start();
    let client = server.client();
    let memory = client.get("/api/memory").await.ok();
    let told = memory["ram_mb"].as_f64().unwrap();
    let real = server.memory() as f64 / f64::from(1 << 20);
    assert!(
        told > real / 2.0 && told < real * 2.0,
        "told {told}, really {real}"
    );
    assert!(memory["ram_total_mb"].as_f64().unwrap() > told);
    assert_eq!(
        (&memory["gpu_total_mb"], &memory["loaded_models_count"]),
        (&Value::Null, &json!(0))
    );
    let models = client.get("/api/memory/models").await.ok();
    assert_eq!(models, json!({ "models": [], "total_memory_mb": 0.0 }));
}

#[tokio::test]
async fn case_84_a_model_that_is_not_loaded_cannot_be_unloaded() {
    let server = TestServer::start();
    let client = server.client();
    for (id, shown) in [("none", "none"), ("org%2Fmodel", "org/model")] {
        let refused = client
            .delete(&format!("/api/memory/models/{id}?force=true"))
            .await;
        assert_eq!(refused.detail(404), format!("Model '{shown}' not found"));
    }
    for path in ["/api/memory/models/clear", "/api/memory/all"] {
        let cleared = client.call(Method::POST, path).await.ok();
        assert_eq!(
            (&cleared["success"], &cleared["models_unloaded"]),
            (&json!(true), &json!(0))
        );
        let refused = client.call(Method::POST, &format!("{path}?force=x")).await;
        assert_eq!(
            refused.places(),
            [("bool_parsing".into(), json!(["query", "force"]))]
        );
    }
    let gpu = client.call(Method::POST, "/api/memory/gpu").await.ok();
    assert_eq!(gpu["success"], false);
}

#[tokio::test]
async fn case_93_old_links_to_the_editor_lead_to_the_first_page() {
    let server = TestServer::start();
    let reply = server.client().get("/editor/x").await;
    assert_eq!((reply.status, reply.header("location")), (307, "/"));
}

#[tokio::test]
async fn case_74_a_server_without_accounts_manages_none() {
    let server = TestServer::start();
    let client = server.client();
    let told = "User management not available for current auth provider";
    assert_eq!(client.get("/api/users/").await.detail(501), told);
    assert_eq!(client.get("/api/users/x").await.detail(501), told);
    assert_eq!(client.delete("/api/users/x").await.detail(501), told);
    assert_eq!(
        client
            .post("/api/users", &json!({ "username": "x" }))
            .await
            .detail(501),
        told
    );
    let reset = client
        .post("/api/users/reset-token", &json!({ "username": "x" }))
        .await;
    assert_eq!(reset.detail(501), told);
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let server = TestServer::start();
    let client = server.client();
    for (path, status, word) in [
        ("/api/debug/export", 501, "log files"),
        ("/api/vibecoding/generate", 501, "model provider"),
        ("/api/auth/oauth/login", 410, "/api/oauth"),
        ("/api/auth/oauth/callback", 410, "/api/oauth"),
    ] {
        let told = client.post(path, &json!({})).await.detail(status);
        assert!(told.contains(word), "{path}: {told}");
    }
    let templates = client.get("/api/vibecoding/templates").await.ok();
    let ids: Vec<_> = templates
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["id"])
        .collect();
    assert_eq!(
        ids,
        ["minimal", "dark", "gradient", "professional", "playful"]
    );
}

#[tokio::test]
async fn fonts_are_those_of_the_machine_and_of_the_folder_that_is_set() {
    let fonts = folder();
    for name in ["Zebra Sans.ttf", "Zebra Sans.otf", "notes.txt"] {
        std::fs::write(fonts.path().join(name), "").unwrap();
    }
    let server = TestServer::start();
    let client = server.client();
    let before = client.get("/api/fonts/").await.ok();
    assert!(
        !before["fonts"]
            .as_array()
            .unwrap()
            .contains(&json!("Zebra Sans"))
    );
    let sent = json!({ "settings": { "FONT_PATH": fonts.path() }, "secrets": {} });
    client.put("/api/settings", &sent).await.ok();
    let after = client.get("/api/fonts/").await.ok();
    let names = after["fonts"].as_array().unwrap();
    assert_eq!(names.iter().filter(|n| **n == "Zebra Sans").count(), 1);
    assert!(names.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    assert!(!names.contains(&json!("notes")));
}

#[tokio::test]
async fn skills_are_found_in_the_folders_that_are_set_and_in_those_a_local_program_names() {
    let (set, named) = (folder(), folder());
    for (root, name, text) in [
        (&set, "one", "set"),
        (&set, "two", "set"),
        (&named, "one", "named"),
    ] {
        let place = root.path().join(name);
        std::fs::create_dir(&place).unwrap();
        let text = format!("---\nname: {name}\ndescription: {text}\n---\nDo it.\n");
        std::fs::write(place.join("SKILL.md"), text).unwrap();
    }
    let server = TestServer::start_with(&["--skill-dir", set.path().to_str().unwrap()]);
    let client = server.client();
    let list = client.get("/api/skills").await.ok();
    assert_eq!(list["count"], 2);
    assert_eq!(
        (
            &list["skills"][0]["name"],
            &list["skills"][0]["description"]
        ),
        (&json!("one"), &json!("set"))
    );
    assert_eq!(list["skills"][0].get("instructions"), None);
    let full = client
        .get("/api/skills?include_instructions=true")
        .await
        .ok();
    assert_eq!(full["skills"][1]["instructions"], "Do it.");
    assert_eq!(
        client.get("/api/skills/two").await.ok()["instructions"],
        "Do it."
    );
    assert_eq!(
        client.get("/api/skills/three").await.detail(404),
        "Skill 'three' not found"
    );
    let path = format!("/api/skills/one?skill_dir={}", named.path().display());
    let first = client.send(local(Method::GET, &path, "")).await.ok();
    assert_eq!(first["description"], "named");
    let from_afar = with_headers(Method::GET, &path, &[("x-forwarded-for", "10.0.0.1")], "");
    assert_eq!(
        client.send(from_afar).await.status,
        403,
        "only programs on this machine name folders"
    );
    let refused = client
        .send(local(Method::GET, "/api/skills?skill_dir=x", ""))
        .await;
    assert_eq!(
        refused.places(),
        [("value_error".into(), json!(["query", "skill_dir"]))]
    );
}
