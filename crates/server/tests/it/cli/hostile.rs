//! Files that mean harm: refused or run within bounds, never a crash.

use serde_json::json;

use super::files::Files;
use super::process::{Ended, nodetool, nodetool_reading};
use crate::wire::graphs::{WORKFLOW, edge, graph, node, output, script};
use crate::wire::server::program;

#[test]
fn nesting_without_end_and_broken_text_are_refused_by_the_reader() {
    let files = Files::new();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested =
        format!(r#"{{"nodes":[{{"id":"a","type":"x","data":{{"v":{deep}}}}}],"edges":[]}}"#);
    for (bytes, wanted) in [
        (deep.clone().into_bytes(), "recursion limit exceeded"),
        (nested.into_bytes(), "recursion limit exceeded"),
        (
            b"{\"nodes\":[\"\xff\xfe\"]}".to_vec(),
            "invalid unicode code point",
        ),
        (
            b"{\"nodes\":[],\"edges\":[]} trailing".to_vec(),
            "trailing characters",
        ),
        (vec![0; 1 << 20], "expected value"),
    ] {
        let path = files.bytes("bad.json", &bytes);
        for ended in [
            nodetool(&["run", &path]),
            nodetool(&["validate", &path]),
            nodetool_reading(&["run", "-"], &bytes),
        ] {
            assert!(ended.refused().contains(wanted), "{wanted}: {ended:?}");
        }
    }
    let params = nodetool_reading(
        &["run", "-", "--params", &deep],
        br#"{"nodes":[],"edges":[]}"#,
    );
    assert!(
        params
            .refused()
            .starts_with("--params: not valid JSON: recursion limit"),
        "{params:?}"
    );
}

#[test]
fn a_hundred_megabytes_of_graph_are_refused_in_little_memory() {
    let files = Files::new();
    let node = r#"{"id":"1","type":"lib.math.Add","data":{"a":1,"b":2},"ui_properties":{"position":{"x":1,"y":2}}},"#;
    let nodes = node.repeat(100 * 1024 * 1024 / node.len());
    let content = format!(
        r#"{{"nodes":[{}],"edges":[]}}"#,
        nodes.trim_end_matches(',')
    );
    let path = files.bytes("large.json", &content);
    // With this much address space, reading it into a graph would end the program.
    let limited = format!(
        "ulimit -v 2500000; exec {} run {path}",
        env!("CARGO_BIN_EXE_nodetool")
    );
    let ended = std::process::Command::new("sh")
        .args(["-c", &limited])
        .output()
        .unwrap();
    let ended = Ended::of(ended);
    assert!(
        ended.refused().ends_with("it has more than 64 MiB"),
        "{ended:?}"
    );
    let ended = nodetool_reading(&["validate", "-"], content.as_bytes());
    assert!(
        ended.refused().ends_with("it has more than 64 MiB"),
        "{ended:?}"
    );
}

#[test]
fn more_nodes_than_a_graph_may_have_are_refused() {
    let nodes = vec![r#"{"id":"a"}"#; 100_001].join(",");
    let content = format!(r#"{{"nodes":[{nodes}],"edges":[]}}"#);
    let ended = nodetool_reading(&["run", "-"], content.as_bytes());
    assert!(
        ended
            .refused()
            .ends_with("nodes: expected at most 100000 nodes, got 100001"),
        "{ended:?}"
    );
}

#[test]
fn thousands_of_faults_do_not_flood_the_terminal() {
    let nodes: Vec<_> = (0..5000)
        .map(|i| node(&i.to_string(), "nope.Nope", json!({})))
        .collect();
    let ended = nodetool_reading(&["run", "-"], graph(&nodes, &[]).to_string().as_bytes());
    let told = ended.refused();
    assert_eq!(told.lines().count(), 52, "{told}");
    assert!(told.ends_with("  … and 4950 more"), "{told}");
    let ring: Vec<_> = (0..5000)
        .map(|i| node(&format!("n{i}"), "lib.math.Add", json!({})))
        .collect();
    let edges: Vec<_> = (0..5000)
        .map(|i| edge(&format!("n{i}.output -> n{}.a", (i + 1) % 5000)))
        .collect();
    let content = json!({ "nodes": ring, "edges": edges }).to_string();
    let ended = nodetool_reading(&["run", "-"], content.as_bytes());
    assert!(
        ended
            .refused()
            .contains("Circular dependency detected: n0 -> n1 ->")
            && ended.stderr.len() < 400,
        "{ended:?}"
    );
}

#[test]
fn values_that_nodes_nest_without_end_are_refused() {
    let depth = 20_000;
    let mut nodes = vec![node(
        "n0",
        "nodetool.constant.Integer",
        json!({ "value": 1 }),
    )];
    let mut edges = Vec::new();
    for i in 1..depth {
        let mut wrap = node(
            &format!("n{i}"),
            "nodetool.dictionary.MakeDictionary",
            json!({}),
        );
        wrap["dynamic_properties"] = json!({ "x": null });
        nodes.push(wrap);
        edges.push(edge(&format!("n{}.output -> n{i}.x", i - 1)));
    }
    nodes.push(output());
    edges.push(edge(&format!("n{}.output -> o.value", depth - 1)));
    let content = json!({ "nodes": nodes, "edges": edges }).to_string();
    let ended = nodetool_reading(&["run", "-"], content.as_bytes());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("nested more than 1000 levels deep"),
        "{ended:?}"
    );
}

#[test]
fn scripts_without_end_are_stopped() {
    for (code, timeout, wanted) in [
        ("while (true) {}", 1, "The script ran longer than 1 s"),
        (
            "const a = []; for (;;) a.push('x'.repeat(1 << 20))",
            60,
            "The script used more than its 128 MiB of memory",
        ),
    ] {
        let ended = nodetool_reading(&["run", "-"], script(code, timeout).to_string().as_bytes());
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(wanted), "{ended:?}");
    }
    let endless = script("while (true) {}", 600).to_string();
    let ended = nodetool_reading(&["run", "-", "--timeout", "0.5"], endless.as_bytes());
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(1), "error: cancelled after 0.5 s (--timeout)\n")
    );
}

#[test]
fn a_script_finds_neither_files_nor_environment_nor_network() {
    let code = "
        const found = [];
        for (const name of ['process', 'require', 'std', 'os', 'Deno', 'Bun', 'XMLHttpRequest', 'WebAssembly']) {
            if (typeof globalThis[name] !== 'undefined') found.push(name);
        }
        try { await fetch('http://127.0.0.1:1/'); found.push('loopback') } catch {}
        try { await fetch('file:///etc/passwd'); found.push('file') } catch {}
        try { await workspace.read('/etc/passwd'); found.push('passwd') } catch {}
        return { output: found };
    ";
    let mut command = program();
    command.env("SECRET_WORD", "x");
    let files = Files::new();
    let path = files.json("w.json", &script(code, 30));
    let ended = Ended::of(command.args(["run", &path]).output().unwrap());
    assert_eq!(ended.json(), json!({ "out": [[]] }));
}

#[test]
fn other_workflows_are_not_to_be_had_without_a_server() {
    let nested = graph(&[node("w", WORKFLOW, json!({ "workflow_id": "x" }))], &[]);
    let ended = nodetool_reading(&["run", "-"], nested.to_string().as_bytes());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("orkflow"), "{ended:?}");
}
