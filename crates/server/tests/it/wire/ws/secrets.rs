//! What a workflow that reads a secret tells and leaves behind: everything but the secret.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper::Method;
use serde_json::{Value, json};

use super::super::client::{Client, Reply};
use super::super::graphs::{CODE, WORKFLOW, graph, node, output};
use super::super::secrets::Fake;
use super::super::server::{TestServer, folder};
use super::client::{Mode, open};

const GET_SECRET: &str = "lib.secret.GetSecret";
const PREVIEW: &str = "nodetool.workflows.base_node.Preview";
const APPROVAL: &str = "nodetool.control.HumanApproval";
const GET: &str = "lib.http.GetRequest";
/// With characters that are written in another way in URLs and in JSON.
const SECRET: &str = "hush&7f3a\"9c+e51d";
const AS_IN_URLS: &str = "hush%267f3a%229c%2Be51d";
const AS_IN_JSON: &str = r#"hush&7f3a\"9c+e51d"#;

/// Everything a server has told.
#[derive(Default)]
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    fn add(&mut self, what: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((what.into(), bytes.into()));
    }

    fn reply(&mut self, what: &str, reply: &Reply) {
        self.add(what, reply.body.to_vec());
    }

    fn files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    /// Nothing that was told holds the secret, in whatever form.
    fn check(&self) {
        let encoded = STANDARD_NO_PAD.encode(SECRET);
        for form in [SECRET, AS_IN_URLS, AS_IN_JSON, &encoded] {
            for (what, bytes) in &self.0 {
                let at = bytes.windows(form.len()).position(|w| w == form.as_bytes());
                if let Some(at) = at {
                    let around = &bytes[at.saturating_sub(200)..(at + 40).min(bytes.len())];
                    panic!("{what} holds {form}: {}", String::from_utf8_lossy(around));
                }
            }
        }
    }

    fn holds(&self, text: &str) -> bool {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        self.0.iter().any(|(_, bytes)| has(bytes))
    }
}

fn get_secret() -> Value {
    node("s", GET_SECRET, json!({ "name": "OPENAI_API_KEY" }))
}

fn code(id: &str, code: &str) -> Value {
    node(id, CODE, json!({ "code": code, "timeout": 30 }))
}

/// Workflows that would show the secret, by name.
fn indiscreet(address: &str) -> Vec<(&'static str, Value)> {
    let to_output = "s.output -> o.value";
    let failing = "
        console.log('log ' + inputs.key);
        console.error(JSON.stringify({ key: inputs.key }));
        throw new Error('error ' + inputs.key + ' ' + encodeURIComponent(inputs.key));
    ";
    let calling = format!(
        "const key = await getSecret('OPENAI_API_KEY');
        const answer = await fetch('http://{address}/header', {{ headers: {{ authorization: 'Bearer ' + key, 'x-other': 'none' }} }});
        return {{ output: {{ deep: [await answer.text(), {{ [key]: key }}] }} }};"
    );
    let address = format!(
        "return {{ output: 'http://{address}/fail?key=' + encodeURIComponent(inputs.key) }};"
    );
    vec![
        ("given out", graph(&[get_secret(), output()], &[to_output])),
        (
            "previewed",
            graph(
                &[get_secret(), node("p", PREVIEW, json!({}))],
                &["s.output -> p.value"],
            ),
        ),
        (
            "logged and thrown",
            graph(
                &[get_secret(), code("c", failing), output()],
                &["s.output -> c.key", "c.output -> o.value"],
            ),
        ),
        (
            "in a URL that fails",
            graph(
                &[
                    get_secret(),
                    code("c", &address),
                    node("g", GET, json!({})),
                    output(),
                ],
                &[
                    "s.output -> c.key",
                    "c.output -> g.url",
                    "g.output -> o.value",
                ],
            ),
        ),
        (
            "in a header that is echoed",
            graph(&[code("c", &calling), output()], &["c.output -> o.value"]),
        ),
    ]
}

/// Every way to run a workflow and to look at its jobs afterwards.
async fn run_every_way(server: &TestServer, client: &Client, id: &str, told: &mut Told) {
    told.reply("run", &client.run(id, json!({})).await);
    let lines = client.run_lines(id, &json!({ "params": {} })).await;
    for line in lines.lines().await {
        told.add("stream", line.to_string());
    }
    for mode in [Mode::Text, Mode::Binary] {
        let mut socket = open(server, "/ws", mode).await;
        let ack = socket
            .start(json!({ "workflow_id": id, "params": {} }))
            .await;
        let job = ack["job_id"].as_str().unwrap().to_owned();
        for message in socket.until_end(&job).await {
            told.add("message", message.to_string());
        }
    }
}

async fn look_at_everything(client: &Client, told: &mut Told) {
    let jobs = client.get("/api/jobs?limit=1000").await;
    told.reply("jobs", &jobs);
    for job in jobs.ok()["jobs"].as_array().unwrap() {
        let id = job["id"].as_str().unwrap();
        for part in ["", "/logs", "/result"] {
            let reply = client.get(&format!("/api/jobs/{id}{part}")).await;
            told.reply(part, &reply);
        }
    }
    let workflows = client.get("/api/workflows").await;
    told.reply("workflows", &workflows);
    for path in [
        "/api/settings",
        "/api/settings/secrets",
        "/api/settings/secrets/OPENAI_API_KEY",
        "/api/costs",
        "/api/threads",
        "/api/assets",
    ] {
        told.reply(path, &client.get(path).await);
    }
}

#[tokio::test]
async fn a_secret_shows_in_nothing_that_a_workflow_with_it_tells_or_leaves_behind() {
    let fake = Fake::start(|(_, path, headers, _)| {
        let key = headers.get("authorization").map(|v| v.to_str().unwrap());
        let status = if path.starts_with("/fail") { 500 } else { 200 };
        (
            status,
            format!("you said {path} {}", key.unwrap_or_default()),
        )
    })
    .await;
    let data = folder();
    let path = data.path().to_owned();
    let server = TestServer::start_at(
        &path,
        data,
        &[
            "--log",
            "trace",
            "--allow-host",
            "127.0.0.1",
            "--secrets-master-key",
            "m",
        ],
    );
    let client = server.client();
    let mut told = Told::default();
    let put = json!({ "value": SECRET });
    let stored = client
        .put("/api/settings/secrets/OPENAI_API_KEY", &put)
        .await;
    stored.ok();
    told.reply("stored", &stored);
    let mut inner = String::new();
    for (name, graph) in indiscreet(&fake.address.to_string()) {
        let id = client.save(&graph).await;
        run_every_way(&server, &client, &id, &mut told).await;
        if name == "given out" {
            inner = id;
        }
    }
    let nested = node("w", WORKFLOW, json!({ "workflow_id": inner }));
    let nested = graph(&[nested, output()], &["w.out -> o.value"]);
    let id = client.save(&nested).await;
    run_every_way(&server, &client, &id, &mut told).await;
    look_at_everything(&client, &mut told).await;
    // The nodes did get it.
    let asked = fake.asked();
    assert!(asked.iter().any(|(_, path, ..)| path.ends_with(AS_IN_URLS)));
    let bearer = format!("Bearer {SECRET}");
    let sent = asked.iter().filter(|(.., headers, _)| {
        headers
            .get("authorization")
            .is_some_and(|v| v.to_str().unwrap() == bearer)
    });
    assert_eq!(sent.count(), 4);
    told.add("log", server.log());
    told.files(server.folder());
    let folder = server.kill().await;
    told.files(folder.path());
    told.check();
    for shown in ["you said /header Bearer ***", "log ***", "error *** ***"] {
        assert!(told.holds(shown), "{shown}");
    }
}

#[tokio::test]
async fn a_job_that_waits_leaves_no_secret_on_disk_and_reads_it_again_when_it_goes_on() {
    let fake = Fake::start(|_| (200, "fine".to_owned())).await;
    let data = folder();
    let path = data.path().to_owned();
    let arguments = ["--allow-host", "127.0.0.1", "--secrets-master-key", "m"];
    let server = TestServer::start_at(&path, data, &arguments);
    let client = server.client();
    let put = json!({ "value": SECRET });
    client
        .put("/api/settings/secrets/OPENAI_API_KEY", &put)
        .await
        .ok();
    let call = format!(
        "if (!inputs.go) throw new Error('not asked');
        await fetch('http://{}/', {{ headers: {{ 'x-key': inputs.key }} }});
        return {{ output: 'sent' }};",
        fake.address
    );
    let ask = node("h", APPROVAL, json!({ "message": "Now?", "value": "yes" }));
    let waiting = graph(
        &[get_secret(), ask, code("c", &call), output()],
        &[
            "s.output -> c.key",
            "h.approved -> c.go",
            "c.output -> o.value",
        ],
    );
    let id = client.save(&waiting).await;
    let begun = json!({ "workflow_id": id, "params": {} });
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let ack = socket.start(begun).await;
    let job = ack["job_id"].as_str().unwrap().to_owned();
    loop {
        let update = socket.until("job_update").await;
        if update["status"] == "suspended" {
            break;
        }
    }
    let folder = server.kill().await;
    let mut told = Told::default();
    told.files(folder.path());
    told.check();
    let server = TestServer::start_over(folder, &arguments);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let approve = format!("/api/jobs/{job}/approve");
    let decided = json!({ "approved": true });
    server.client().post(&approve, &decided).await.ok();
    socket.ask("reconnect_job", json!({ "job_id": job })).await;
    let end = socket.until_end(&job).await;
    assert_eq!(end.last().unwrap()["status"], "completed", "{end:?}");
    let asked = fake.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].2["x-key"], SECRET, "the secret itself");
    assert_eq!(asked[0].0, Method::GET);
}

#[tokio::test]
async fn secrets_of_the_environment_reach_nodes_and_are_masked_alike() {
    let data = folder();
    let path = data.path().to_owned();
    let environment = [
        ("OPENAI_API_KEY", SECRET),
        ("SERVER_AUTH_TOKEN", "t0ken-of-the-server"),
    ];
    let server = TestServer::start_there(&environment, &path, data, &[]);
    let client = server.client();
    let length = code("c", "return { output: [inputs.key, inputs.key.length] };");
    let edges = ["s.output -> c.key", "c.output -> o.value"];
    let id = client
        .save(&graph(&[get_secret(), length, output()], &edges))
        .await;
    let given = client.run(&id, json!({})).await.ok().to_string();
    assert!(
        given.contains(&format!(r#"["***",{}]"#, SECRET.len())),
        "{given}"
    );
    let of_server = node("s", GET_SECRET, json!({ "name": "SERVER_AUTH_TOKEN" }));
    let id = client
        .save(&graph(&[of_server, output()], &["s.output -> o.value"]))
        .await;
    let refused = client.run(&id, json!({})).await;
    let told = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(
        told.contains("belongs to the server") && !told.contains("t0ken"),
        "{told}"
    );
}
