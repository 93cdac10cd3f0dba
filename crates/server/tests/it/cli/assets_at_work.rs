//! `nodetool assets` and `settings` with a server's own routes.

use serde_json::Value;

use super::files::Files;
use super::process::{Ended, nodetool, text};

/// Runs a command without a server.
fn at(data: &str, arguments: &[&str]) -> Ended {
    nodetool(&[arguments, &["--data-dir", data]].concat())
}

#[test]
fn a_file_that_goes_up_comes_down_as_it_was() {
    let files = Files::new();
    let data = files.path("data");
    let data = text(&data);
    let content: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let path = files.bytes("noise.bin", &content);
    let put = at(data, &["assets", "put", &path, "--name", "n.bin", "--json"]).json();
    assert_eq!(
        (&put["name"], &put["size"]),
        (&Value::from("n.bin"), &Value::from(content.len()))
    );
    let id = put["id"].as_str().unwrap();
    assert_eq!(at(data, &["assets", "get", id, "--json"]).json()["id"], id);
    let copy = files.path("copy.bin");
    let got = at(data, &["assets", "get", id, "-o", text(&copy)]);
    assert_eq!(got.code, Some(0), "{got:?}");
    assert_eq!(std::fs::read(&copy).unwrap(), content);
    for arguments in [
        &["assets", "list", "--json"][..],
        &["assets", "list", "--query", "n.b", "--json"],
    ] {
        let listed = at(data, arguments).json();
        let ids: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|a| &a["id"])
            .collect();
        assert_eq!(ids, [id], "{arguments:?}");
    }
    for more in [&[][..], &["-o", text(&copy)]] {
        let told = at(data, &[&["assets", "get", "nosuch"], more].concat());
        assert_eq!(told.failed(), "Asset not found: nosuch");
    }
    let short = at(data, &["assets", "list", "--query", "x"]);
    assert!(
        short.failed().contains("at least 2 characters"),
        "{short:?}"
    );
}

#[test]
fn settings_are_listed_without_their_secrets() {
    let files = Files::new();
    let data = files.path("data");
    let listed = at(text(&data), &["settings", "show", "--json"]).json();
    let settings = listed["settings"].as_array().unwrap();
    assert!(!settings.is_empty());
    for setting in settings.iter().filter(|s| s["is_secret"] == true) {
        assert!(
            setting["value"].is_null() || setting["value"] == "****",
            "{setting}"
        );
    }
}
