//! What takes bytes from strangers takes any bytes: those of nobody's making, and good ones with a few of them changed.

use nodetool_server::fuzzing::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Good inputs of each target.
fn good(name: &str) -> Vec<Vec<u8>> {
    let texts: &[&str] = match name {
        "graph_json" => &[
            r#"{"nodes":[{"id":"a","type":"nodetool.input.StringInput","data":{"name":"n","value":"v"}},{"id":"b","type":"nodetool.output.Output","data":{"name":"o"}}],"edges":[{"source":"a","sourceHandle":"output","target":"b","targetHandle":"value"}]}"#,
            r#"{"nodes":[],"edges":[],"more":{"deep":[[[[{}]]]]}}"#,
        ],
        "multipart" => &[
            "\x01B--B\r\ncontent-disposition: form-data; name=\"json\"\r\n\r\n{}\r\n--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nabc\r\n--B--\r\n",
            "\x00",
        ],
        "template" => &[
            "Dear {{ name|upper }}, {% for x in aa %}{{ x }}{% if x > 3 %}!{% else %}?{% endif %}{% endfor %}",
            "{% for a in aa %}{% for b in aa %}{% for c in aa %}{{ a ~ b ~ c }}{% endfor %}{% endfor %}{% endfor %}",
        ],
        "events" => &[
            ": ping\n\ndata: {\"status\":\"progress\",\"completed\":5}\r\n\ndata:[DONE]\n\n",
            "event: x\nid: 1\nretry: 5\ndata: \n",
        ],
        "storage_key" => &[
            "a/b/../c.txt",
            "..\\..\\x",
            "/etc/passwd",
            "%2e%2e/x",
            "temp/./x",
        ],
        "authorization" => &["Bearer token", "bearer  a b", "Basic eDp5"],
        _ => &[],
    };
    let mut all: Vec<Vec<u8>> = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
    if name == "frame" {
        let message = serde_json::json!({ "command": "run_job", "data": { "params": { "x": [1, -1, 1.5, null, true, "é"] } } });
        all.push(nodetool_protocol::pack::to_vec(&message).unwrap());
        // Headers that promise four billion of what does not come.
        for head in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
            all.push(vec![head, 0xff, 0xff, 0xff, 0xff]);
        }
        all.push(vec![0x91; 100_000]);
    }
    all
}

fn run((name, target): Target, cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let random = prop::collection::vec(any::<u8>(), 0..512);
    runner
        .run(&random, |bytes| {
            target(&bytes);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    let changes = prop::collection::vec(change, 0..6);
    for good in good(name) {
        target(&good);
        runner
            .run(&changes, |changes| {
                let mut bytes = good.clone();
                for (at, byte, how) in changes {
                    if bytes.is_empty() {
                        break;
                    }
                    let at = at.index(bytes.len());
                    match how {
                        0 => bytes[at] = byte,
                        1 => bytes.insert(at, byte),
                        2 => drop(bytes.remove(at)),
                        _ => bytes.truncate(at),
                    }
                }
                target(&bytes);
                Ok(())
            })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn any_bytes_are_taken_or_refused() {
    for target in TARGETS {
        // The registry is made for each graph, which costs more than all the others together.
        let cases = if target.0 == "graph_json" { 128 } else { 512 };
        run(target, cases);
    }
}
