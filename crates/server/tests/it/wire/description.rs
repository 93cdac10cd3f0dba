//! The description of the API: the one in the tree is the one that is served, and what the server answers fits it.
//!
//! `check` sees every answer that the client of these tests gets. It reads the description in the tree, so that it costs
//! no request and knows servers that serve none; the first test below keeps the two equal.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::Reply;
use super::server::TestServer;

/// Where the description stands, from the root of the project.
const FILE: &str = "docs/openapi.json";

pub(super) static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::read);

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "options"];

/// What an answer says that the client has read.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: &'a str,
    /// `None` while it is still coming.
    pub(crate) body: Option<&'a [u8]>,
}

pub(super) struct Description {
    pub(super) root: Value,
    /// Path templates, each as its parts.
    paths: Vec<(String, Vec<String>)>,
    /// Made when first used, by the place of the schema.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(FILE);
        let text = std::fs::read_to_string(path).expect("the description in the tree");
        let root: Value = serde_json::from_str(&text).expect("JSON");
        let paths = root["paths"].as_object().expect("paths").keys();
        let paths = paths.map(|p| (p.clone(), parts(p))).collect();
        Description {
            root,
            paths,
            validators: Mutex::default(),
        }
    }

    /// The template a path fits: the longest, then the one with the fewest variable parts.
    fn template(&self, path: &str) -> Option<&str> {
        let asked = parts(path);
        let fits = self.paths.iter().filter(|(_, parts)| fits(parts, &asked));
        let best = fits.min_by_key(|(_, parts)| {
            let variable = parts.iter().filter(|p| p.starts_with('{')).count();
            (asked.len() - parts.len(), variable)
        });
        best.map(|(template, _)| template.as_str())
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(place) => self
                .root
                .pointer(place.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{place} leads nowhere")),
            None => value,
        }
    }

    fn validator(&self, schema: &Value, place: &str) -> Arc<Validator> {
        let mut made = self.validators.lock().unwrap();
        let validator = made.entry(place.to_owned()).or_insert_with(|| {
            let mut root = json!({ "components": self.root["components"] });
            for (key, value) in schema.as_object().into_iter().flatten() {
                root[key] = value.clone();
            }
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            let validator = options.build(&root);
            Arc::new(validator.unwrap_or_else(|e| panic!("{place} is no schema: {e}")))
        });
        validator.clone()
    }

    /// What is wrong with an answer, if anything.
    fn fault(&self, method: &str, path: &str, answer: &Answer<'_>) -> Result<(), String> {
        let Some(template) = self.template(path) else {
            return Ok(());
        };
        let head = method.eq_ignore_ascii_case("head");
        let method = if head {
            "get"
        } else {
            &method.to_ascii_lowercase()
        };
        let operation = &self.root["paths"][template][method];
        if operation.is_null() {
            return match answer.status {
                404 | 405 => Ok(()),
                status => Err(format!(
                    "there is no {method} {template}, yet it answers {status}"
                )),
            };
        }
        let id = operation["operationId"].as_str().unwrap_or(template);
        let status = answer.status;
        let declared = &operation["responses"][status.to_string()];
        if declared.is_null() {
            return Err(format!("{id}: status {status} is not declared"));
        }
        let content = &self.resolve(declared)["content"];
        let kind = answer
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let Some(kinds) = content.as_object() else {
            return match answer.body {
                Some(body) if !body.is_empty() => Err(format!(
                    "{id} {status}: a body is not declared, there is one of type {kind:?}"
                )),
                _ => Ok(()),
            };
        };
        let Some(form) = kinds
            .iter()
            .find(|(k, _)| covers(k, kind))
            .map(|(_, form)| form)
        else {
            let kinds: Vec<_> = kinds.keys().collect();
            return Err(format!("{id} {status}: type {kind:?} is none of {kinds:?}"));
        };
        let Some(body) = answer.body.filter(|_| kind == "application/json" && !head) else {
            return Ok(());
        };
        let body: Value =
            serde_json::from_slice(body).map_err(|e| format!("{id} {status}: {e}"))?;
        let validator = self.validator(&form["schema"], &format!("{id} {status} {kind}"));
        let faults: Vec<String> = validator
            .iter_errors(&body)
            .take(5)
            .map(|e| {
                let reason: String = e.to_string().chars().take(300).collect();
                format!(
                    "{id} {status}: at {:?}: {reason} (schema {})",
                    e.instance_path().as_str(),
                    e.schema_path()
                )
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("\n"))
        }
    }
}

fn parts(path: &str) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.trim_end_matches('/').split('/').skip(1);
    parts.map(str::to_owned).collect()
}

/// The last variable part may hold slashes.
fn fits(template: &[String], asked: &[String]) -> bool {
    let open = template.last().is_some_and(|p| p.starts_with('{'));
    let long_enough = asked.len() == template.len() || (open && asked.len() > template.len());
    let mut pairs = template.iter().zip(asked);
    long_enough && pairs.all(|(t, a)| t == a || (t.starts_with('{') && !a.is_empty()))
}

fn covers(declared: &str, kind: &str) -> bool {
    declared.eq_ignore_ascii_case(kind)
        || declared == "*/*"
        || declared
            .strip_suffix("/*")
            .is_some_and(|d| kind.split('/').next() == Some(d))
}

/// Fails the test when an answer does not fit the description. Paths that no operation has are passed over.
pub(crate) fn check(method: &str, path: &str, answer: &Answer<'_>) {
    if let Err(fault) = DESCRIPTION.fault(method, path, answer) {
        panic!("{method} {path}: the answer does not fit {FILE}:\n{fault}");
    }
}

/// What was read to its end.
pub(crate) fn whole(reply: &Reply) -> Answer<'_> {
    Answer {
        status: reply.status,
        content_type: reply.header("content-type"),
        // What is compressed is left to the tests that ask for it.
        body: reply
            .header("content-encoding")
            .is_empty()
            .then_some(&reply.body),
    }
}

#[tokio::test]
async fn the_description_in_the_tree_is_the_one_that_is_served() {
    let server = TestServer::start();
    let served = server.client().get("/openapi.json").await.ok();
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(FILE);
    let read = std::fs::read_to_string(&in_tree).unwrap_or_default();
    let kept: Value = serde_json::from_str(&read).unwrap_or_default();
    if served == kept {
        return;
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    let written = serde_json::to_string_pretty(&served).unwrap() + "\n";
    let at = written.lines().zip(read.lines()).position(|(a, b)| a != b);
    let at = at.unwrap_or(written.lines().count().min(read.lines().count()));
    std::fs::write(&fresh, &written).unwrap();
    panic!(
        "{FILE} is out of date, from line {} on:\n  served: {}\n  kept:   {}\nIf the change is meant: cp {} {FILE}",
        at + 1,
        written.lines().nth(at).unwrap_or("(its end)"),
        read.lines().nth(at).unwrap_or("(its end)"),
        fresh.display(),
    );
}

/// Every operation with its method and path.
fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    let paths = DESCRIPTION.root["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let all = item.as_object().unwrap().iter();
        all.filter(|(k, _)| *k != "parameters")
            .map(move |(method, op)| (format!("{method} {path}"), op))
    })
}

#[test]
fn every_operation_is_described_in_full() {
    let tags = DESCRIPTION.root["tags"].as_array().expect("tags");
    let tags: BTreeSet<&str> = tags.iter().filter_map(|t| t["name"].as_str()).collect();
    let (mut faults, mut ids) = (Vec::new(), BTreeMap::new());
    for (what, operation) in operations() {
        let mut need = |holds: bool, fault: &str| {
            if !holds {
                faults.push(format!("{what}: {fault}"));
            }
        };
        let method = what.split(' ').next().unwrap_or_default();
        need(
            METHODS.contains(&method),
            "the method is none that is listed",
        );
        let id = operation["operationId"].as_str().unwrap_or_default();
        need(id.contains('_'), "operationId is no verb_noun");
        if let Some(other) = ids.insert(id, what.clone()) {
            need(false, &format!("{other} has the same operationId {id}"));
        }
        need(
            operation["summary"].as_str().is_some_and(|s| !s.is_empty()),
            "no summary",
        );
        let used: Vec<&str> = operation["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        need(used.len() == 1, "not one tag");
        need(
            used.iter().all(|t| tags.contains(t)),
            "a tag without a description: add it to TAGS",
        );
        for name in parts(&what)
            .iter()
            .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'))
        {
            let declared = operation["parameters"].as_array().into_iter().flatten();
            let declared = declared
                .filter(|p| p["in"] == "path" && p["name"] == name && p["required"] == true)
                .count();
            need(
                declared == 1,
                &format!("path parameter {name} is not declared"),
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            let response = DESCRIPTION.resolve(response);
            need(
                response["description"]
                    .as_str()
                    .is_some_and(|d| !d.is_empty()),
                &format!("{status} says nothing"),
            );
            let success = status.starts_with('2');
            let content = &response["content"];
            let error = &content["application/json"]["schema"]["$ref"];
            need(
                success || content.is_null() || error.is_string(),
                &format!("{status} has no schema with a name"),
            );
        }
        for status in ["500", "503"] {
            need(
                responses.contains_key(status),
                &format!("{status} is not declared"),
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(ids.len() > 10, "{ids:?}");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|v| references(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    references(&DESCRIPTION.root, &mut found);
    for place in &found {
        let target = DESCRIPTION.root.pointer(place.trim_start_matches('#'));
        assert!(target.is_some(), "{place} leads nowhere");
    }
    for (name, schema) in DESCRIPTION.root["components"]["schemas"]
        .as_object()
        .unwrap()
    {
        let place = format!("#/components/schemas/{name}");
        assert!(found.contains(place.as_str()), "nothing refers to {name}");
        DESCRIPTION.validator(schema, name);
    }
}

#[test]
fn the_check_of_answers_sees_what_does_not_fit() {
    let answer = |status, content_type, body: &'static str| Answer {
        status,
        content_type,
        body: Some(body.as_bytes()),
    };
    let json = "application/json";
    let fault =
        |method: &str, path: &str, answer: Answer<'_>| DESCRIPTION.fault(method, path, &answer);
    for (path, good) in [
        ("/health", answer(200, json, "\"OK\"")),
        ("/health/?x=1", answer(200, json, "\"OK\"")),
        ("/nope", answer(404, json, "{}")),
        (
            "/api/jobs/x",
            answer(404, json, r#"{"detail":"Job not found"}"#),
        ),
    ] {
        assert_eq!(fault("GET", path, good), Ok(()), "{path}");
    }
    for (method, path, bad, told) in [
        (
            "GET",
            "/health",
            answer(201, json, "\"OK\""),
            "status 201 is not declared",
        ),
        (
            "GET",
            "/health",
            answer(200, "text/plain", "OK"),
            "type \"text/plain\" is none of",
        ),
        (
            "GET",
            "/health",
            answer(200, json, "1"),
            "get_health 200: at \"\": 1 is not valid",
        ),
        (
            "GET",
            "/ping",
            answer(200, json, r#"{"status":"healthy","timestamp":"today"}"#),
            "/timestamp",
        ),
        (
            "GET",
            "/api/jobs/running/all",
            answer(200, json, "[{}]"),
            "list_running_jobs",
        ),
        ("GET", "/api/jobs/x", answer(404, json, "{}"), "get_job 404"),
        (
            "PATCH",
            "/health",
            answer(200, json, "1"),
            "there is no patch /health",
        ),
    ] {
        let fault = fault(method, path, bad).expect_err(path);
        assert!(fault.contains(told), "{fault}");
    }
}
