//! Which server commands talk to, and how they tell what is wrong with it.

use std::net::TcpListener;

use serde_json::json;

use super::fake::Fake;
use super::process::{Ended, nodetool, text};
use crate::wire::server::{TestServer, appears, program};

impl Ended {
    /// The one line a command that failed has said, without its first word.
    #[track_caller]
    pub(super) fn failed(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        let told = self.stderr.trim_end();
        told.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{self:?}"))
    }
}

#[tokio::test]
async fn commands_find_the_server_of_their_data_folder_until_it_stops() {
    let server = TestServer::start();
    let folder = server.folder().to_owned();
    appears(&folder.join("server.json")).await;
    let info = nodetool(&["info", "--json", "--data-dir", text(&folder)]).json();
    assert_eq!(
        info["server"]["url"],
        format!("http://{}", server.address())
    );
    assert_eq!(info["server"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(info["server"]["uptime"].is_u64(), "{info}");
    server.terminate();
    let (status, log, kept) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(!kept.path().join("server.json").exists());
    let info = nodetool(&["info", "--json", "--data-dir", text(kept.path())]).json();
    assert_eq!(info["server"]["url"], json!(null), "nobody has the folder");
    assert!(!kept.path().join("server.json").exists());
}

#[tokio::test]
async fn the_address_of_a_server_that_was_killed_is_not_believed() {
    let server = TestServer::start();
    appears(&server.folder().join("server.json")).await;
    let folder = server.kill().await;
    assert!(folder.path().join("server.json").exists());
    let listed = nodetool(&["jobs", "list", "--json", "--data-dir", text(folder.path())]);
    assert_eq!(listed.json()["jobs"], json!([]));
}

#[test]
fn a_folder_in_use_without_an_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(folder.path().join("server.lock")).unwrap();
    lock.lock().unwrap();
    let told = nodetool(&["jobs", "list", "--data-dir", text(folder.path())]);
    assert_eq!(
        told.failed(),
        format!(
            "a server is using this data folder ({}); pass --api-url http://…",
            text(folder.path())
        )
    );
}

#[test]
fn a_server_that_does_not_answer_is_named_and_the_way_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let told = nodetool(&["workflows", "list", "--api-url", &url]);
    let told = told.failed();
    assert!(
        told.starts_with(&format!("no server answers at {url} ")),
        "{told}"
    );
    assert!(told.contains("`nodetool serve`"), "{told}");
}

#[test]
fn addresses_that_are_none_are_refused_without_their_password() {
    for url in [
        "localhost:7777",
        "ftp://a",
        "http://me:s3cret@a",
        "http://a?q",
    ] {
        let told = nodetool(&["jobs", "list", "--api-url", url]);
        let told = told.failed();
        assert!(
            told.starts_with("--api-url ") && !told.contains("s3cret"),
            "{told}"
        );
    }
}

#[test]
fn a_token_is_sent_but_never_shown() {
    let refused = || {
        let body = json!({ "detail": "Invalid token" }).to_string();
        Fake::answering(vec![("401 Unauthorized", "", body.into_bytes())])
    };
    let fake = refused();
    let told = nodetool(&[
        "jobs",
        "list",
        "--token",
        "s3cret",
        "--api-url",
        &fake.url(),
    ]);
    assert_eq!(
        told.failed(),
        format!(
            "{} refuses this token (Invalid token): pass --token TOKEN or set NODETOOL_TOKEN",
            fake.url()
        )
    );
    let asked = fake.asked().remove(0);
    assert!(asked.contains("authorization: Bearer s3cret"), "{asked}");

    let fake = refused();
    let mut command = program();
    command
        .args(["jobs", "list"])
        .env("NODETOOL_API_URL", fake.url());
    let told = Ended::of(command.output().unwrap());
    let told = told.failed();
    assert!(
        told.contains(" asks for a token (Invalid token): pass --token"),
        "{told}"
    );
    assert!(!fake.asked().remove(0).contains("authorization"));

    let mut command = program();
    command
        .args(["jobs", "--help"])
        .env("NODETOOL_TOKEN", "s3cret");
    let help = Ended::of(command.output().unwrap());
    assert!(help.stdout.contains("NODETOOL_TOKEN") && !help.stdout.contains("s3cret"));
}

#[test]
fn what_a_server_refuses_is_told_in_one_line() {
    let fields = json!({
        "detail": "Request validation failed",
        "errors": [
            { "loc": ["query", "limit"], "msg": "expected 1 to 1000" },
            { "loc": ["body", "graph", 0], "msg": "no\u{1b}[31m node" },
        ],
    });
    for (status, headers, body, wanted) in [
        (
            "422 Unprocessable Entity",
            "",
            fields.to_string(),
            "Request validation failed: query.limit expected 1 to 1000; body.graph.0 no [31m node (422)".to_owned(),
        ),
        (
            "500 Internal Server Error",
            "x-request-id: r1\r\n",
            json!({ "detail": "Internal Server Error" }).to_string(),
            "Internal Server Error (500; request r1 in the server's log)".to_owned(),
        ),
        (
            "308 Permanent Redirect",
            "location: https://elsewhere.example/\r\n",
            String::new(),
            "{url} sends its clients to https://elsewhere.example/; pass that to --api-url".to_owned(),
        ),
        (
            "502 Bad Gateway",
            "",
            "<html>".to_owned(),
            "{url} answered 502 Bad Gateway (502)".to_owned(),
        ),
        (
            "200 OK",
            "",
            "<html>".to_owned(),
            "{url} answered something that is no JSON; is it a NodeTool server?: ".to_owned(),
        ),
    ] {
        let fake = Fake::answering(vec![(status, headers, body.into_bytes())]);
        let told = nodetool(&["jobs", "get", "j1", "--api-url", &fake.url()]);
        let wanted = wanted.replace("{url}", &fake.url());
        assert!(told.failed().starts_with(&wanted), "{told:?}");
        assert!(fake.asked()[0].starts_with("GET /api/jobs/j1 HTTP/1.1"));
    }
}

#[test]
fn ids_cannot_leave_their_place_in_a_path_and_a_root_below_a_path_is_kept() {
    let fake = Fake::telling(&[json!({ "id": "x" })]);
    let url = format!("{}/behind/", fake.url());
    let got = nodetool(&["jobs", "get", "../a/b?c#d", "--json", "--api-url", &url]);
    assert_eq!(got.json(), json!({ "id": "x" }));
    let asked = fake.asked().remove(0);
    assert!(
        asked.starts_with("GET /behind/api/jobs/..%2Fa%2Fb%3Fc%23d HTTP/1.1"),
        "{asked}"
    );
}

#[test]
fn users_are_known_by_their_token() {
    let told = nodetool(&["jobs", "list", "--user-id", "2"]);
    assert!(told.failed().starts_with("--user-id 2: "), "{told:?}");
}

#[test]
fn the_settings_of_a_server_are_a_table_or_its_own_json() {
    let settings = json!({ "settings": [
        { "env_var": "A_KEY", "value": "****", "group": "Keys", "description": "One", "is_secret": true },
        { "env_var": "A_WORD", "value": null, "group": "Words", "description": "Two", "is_secret": false },
    ] });
    let fake = Fake::telling(&[settings.clone(), settings.clone()]);
    let url = fake.url();
    let table = nodetool(&["settings", "show", "--api-url", &url]);
    let lines: Vec<Vec<&str>> = table
        .stdout
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            vec!["NAME", "VALUE", "GROUP", "DESCRIPTION"],
            vec!["A_KEY", "****", "Keys", "One"],
            vec!["A_WORD", "Words", "Two"],
        ]
    );
    assert_eq!(table.stderr, "2 settings\n");
    let json = nodetool(&["settings", "show", "--json", "--api-url", &url]);
    assert_eq!(json.json(), settings);
    assert!(fake.asked()[0].starts_with("GET /api/settings HTTP/1.1"));
}
