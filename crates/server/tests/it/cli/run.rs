//! `nodetool run`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::files::Files;
use super::process::{Ended, nodetool, nodetool_reading, text};
use crate::wire::graphs::{
    UNTIL_TOLD, counting, failing, graph, greeting, node, output, script, waiting,
};
use crate::wire::server::program;

#[test]
fn outputs_are_one_json_object_of_lists_on_stdout_and_nothing_else() {
    let files = Files::new();
    let greeting = files.json("greeting.json", &greeting());
    for more in [&[][..], &["--json"]] {
        let ran = nodetool(&[&["run", &greeting, "--input", "name=hi"], more].concat());
        assert_eq!(ran.json(), json!({ "out": ["hi"] }));
        assert_eq!(
            (ran.stdout.lines().count(), ran.stderr.as_str()),
            (1, ""),
            "{ran:?}"
        );
    }
    let counting = files.json("counting.json", &counting(4));
    assert_eq!(
        nodetool(&["run", &counting]).json(),
        json!({ "out": [0, 1, 2, 3] })
    );
}

#[test]
fn files_of_every_generation_run() {
    let files = Files::new();
    let document =
        json!({ "name": "W", "graph": greeting(), "params": { "name": "from the file" } });
    let wanted = json!({ "out": ["from the file"] });
    let path = files.json("document.json", &document);
    assert_eq!(nodetool(&["run", &path]).json(), wanted);
    let mut bare = greeting();
    bare["params"] = json!({ "name": "from the file" });
    assert_eq!(
        nodetool(&["run", &files.json("bare.json", &bare)]).json(),
        wanted
    );
    assert_eq!(
        nodetool_reading(&["run", "-"], document.to_string().as_bytes()).json(),
        wanted
    );
}

#[test]
fn parameters_given_later_win() {
    let files = Files::new();
    let document = json!({ "graph": greeting(), "params": { "name": "document" } });
    let path = files.json("w.json", &document);
    let params = files.json("p.json", &json!({ "name": "file" }));
    let ran = |more: &[&str]| {
        nodetool(&[&["run", path.as_str()], more].concat()).json()["out"][0].clone()
    };
    assert_eq!(ran(&[]), "document");
    assert_eq!(ran(&["--params-file", &params]), "file");
    assert_eq!(
        ran(&["--params", r#"{"name":"flag"}"#, "--params-file", &params]),
        "flag"
    );
    assert_eq!(
        ran(&["-i", "name=input", "--params", r#"{"name":"flag"}"#]),
        "input"
    );
    assert_eq!(ran(&["--input", "name=a", "--input", "name=b=c"]), "b=c");
    assert_eq!(ran(&["--input", "name="]), "");
    assert_eq!(
        ran(&["--input", r#"name="5""#]),
        "5",
        "quotes make text of a number"
    );
}

#[test]
fn input_values_are_json_or_text() {
    let files = Files::new();
    let any = node("i", "nodetool.input.IntegerInput", json!({ "name": "n" }));
    let path = files.json("w.json", &graph(&[any, output()], &["i.output -> o.value"]));
    assert_eq!(
        nodetool(&["run", &path, "-i", "n=5"]).json(),
        json!({ "out": [5] })
    );
    let refused = nodetool(&["run", &path, "-i", "n=five"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("five") && refused.stderr.contains("expected int"),
        "{refused:?}"
    );
}

#[test]
fn jsonl_prints_every_message_as_a_line() {
    let files = Files::new();
    let path = files.json("w.json", &greeting());
    let ran = nodetool(&["run", &path, "--jsonl", "-i", "name=hi"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let [first, .., last] = &lines[..] else {
        panic!("{ran:?}")
    };
    assert_eq!(
        (&first["type"], &first["status"]),
        (&json!("job_update"), &json!("running"))
    );
    assert_eq!(
        (&last["type"], &last["status"]),
        (&json!("job_update"), &json!("completed"))
    );
    assert_eq!(last["result"], json!({ "out": ["hi"] }));
    assert!(
        lines
            .iter()
            .any(|l| l["type"] == "output_update" && l["value"] == "hi")
    );
}

#[test]
fn a_failed_run_exits_with_1_and_says_why_on_stderr() {
    let files = Files::new();
    let path = files.json("w.json", &failing());
    let ran = nodetool(&["run", &path]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), "{}\n"),
        "{ran:?}"
    );
    let [node, error] = ran.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("{ran:?}")
    };
    assert!(
        node.starts_with("Code (c): ") && node.contains("it broke"),
        "{node}"
    );
    assert!(
        error.starts_with("error: ") && error.contains("it broke"),
        "{error}"
    );
    let ran = nodetool(&["run", &path, "--jsonl"]);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((ran.code, &last["status"]), (Some(1), &json!("failed")));
}

#[test]
fn a_graph_that_cannot_run_exits_with_2_and_names_every_fault() {
    let files = Files::new();
    let nodes = [
        node("a", "lib.math.Ad", json!({})),
        node("b", "zzz", json!({})),
        output(),
    ];
    let path = files.json("w.json", &graph(&nodes, &[]));
    let ran = nodetool(&["run", &path]);
    assert_eq!(
        ran.refused(),
        "workflow cannot run:\n  \
         Failed to load node a (type: lib.math.Ad): Invalid node type: lib.math.Ad; did you mean lib.math.Add?\n  \
         Failed to load node b (type: zzz): Invalid node type: zzz"
    );
}

#[test]
fn edges_and_parameters_that_lead_nowhere_are_warned_of() {
    let files = Files::new();
    let constant = node("c", "nodetool.constant.Integer", json!({ "value": 7 }));
    let edges = [
        "c.output -> o.value",
        "c.outptu -> o.value",
        "c.output -> o.valeu",
        "c.output -> gone.x",
    ];
    let path = files.json("w.json", &graph(&[constant, output()], &edges));
    let ran = nodetool(&["run", &path, "-i", "n=1"]);
    assert_eq!(ran.json(), json!({ "out": [7] }));
    assert_eq!(
        ran.stderr,
        "warning: The edge from c.outptu to o.value is ignored: c (nodetool.constant.Integer) has no output 'outptu'\n\
         warning: The edge from c.output to o.valeu is ignored: o (nodetool.output.Output) has no property 'valeu'\n\
         warning: The edge from c.output to gone.x is ignored: there is no node 'gone' that runs\n\
         warning: the workflow has no input 'n'; it has none\n"
    );
}

#[test]
fn bad_usage_exits_with_2_and_says_what_was_expected() {
    let files = Files::new();
    let path = files.json("w.json", &greeting());
    let bad = files.bytes("bad.json", "{\"name\": ");
    let cases: [(&[&str], &str); 14] = [
        (
            &["--params", "{"],
            "--params: not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            &["--params", "[1]"],
            "--params: expected an object of input names to values, got list",
        ),
        (
            &["--params-file", "/nope.json"],
            "--params-file: /nope.json: No such file or directory",
        ),
        (
            &["--params-file", &bad],
            "--params-file: not valid JSON: EOF while parsing a value at line 1 column 9",
        ),
        (&["--input", "name"], "--input name: expected NAME=VALUE"),
        (
            &["--timeout", "0"],
            "--timeout: expected a number of seconds greater than 0",
        ),
        (
            &["--timeout", "-1"],
            "--timeout: expected a number of seconds greater than 0",
        ),
        (
            &["--timeout", "inf"],
            "--timeout: expected a number of seconds greater than 0",
        ),
        (
            &["--timeout", "NaN"],
            "--timeout: expected a number of seconds greater than 0",
        ),
        (
            &["--timeout", "soon"],
            "invalid value 'soon' for '--timeout <SECONDS>'",
        ),
        (&["--workspace", "/nope"], "--workspace: /nope is no folder"),
        (
            &["--json", "--jsonl"],
            "the argument '--json' cannot be used with '--jsonl'",
        ),
        (&["--jsno"], "unexpected argument '--jsno' found"),
        (&["second.json"], "unexpected argument 'second.json' found"),
    ];
    for (arguments, wanted) in cases {
        let ran = nodetool(&[&["run", path.as_str()], arguments].concat());
        assert!(ran.refused().starts_with(wanted), "{arguments:?}: {ran:?}");
    }
    assert!(nodetool(&["run"]).refused().contains("<FILE>"));
    assert!(
        nodetool(&["serv"]).refused().contains("'serve'"),
        "a command that is close is named"
    );
}

#[test]
fn without_a_command_help_is_shown() {
    let bare = nodetool(&[]);
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""));
    let help = nodetool(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert_eq!(help.stdout, bare.stderr);
    assert!(
        help.stdout
            .starts_with("Stores, runs and serves visual AI workflows"),
        "{}",
        help.stdout
    );
    for command in [
        "serve",
        "run",
        "validate",
        "nodes",
        "completions",
        "First steps:",
    ] {
        assert!(help.stdout.contains(command), "{command}");
    }
    let version = nodetool(&["--version"]);
    assert_eq!(
        version.stdout,
        format!("nodetool {}\n", env!("CARGO_PKG_VERSION"))
    );
    let run = nodetool(&["run", "--help"]);
    assert!(
        run.stdout
            .contains("Exit codes: 0 completed, 1 failed, 2 bad usage"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_run_that_takes_too_long_is_cancelled() {
    let files = Files::new();
    let path = files.json("w.json", &waiting(600.0));
    let ran = nodetool(&["run", &path, "--timeout", "0.2"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), "{}\n"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "error: cancelled after 0.2 s (--timeout)\n");
    let quick = files.json("q.json", &greeting());
    for long in ["5", "1e300", "1e19"] {
        assert_eq!(
            nodetool(&["run", &quick, "--timeout", long, "-i", "name=x"]).json(),
            json!({ "out": ["x"] })
        );
    }
}

#[test]
fn ctrl_c_cancels_the_run_and_exits_with_130() {
    let files = Files::new();
    let path = files.json("w.json", &waiting(600.0));
    let mut child = program()
        .args(["run", &path, "--jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The node is at work.
    let at_work = |line: &String| line.contains("\"node_update\"") && line.contains("\"running\"");
    assert!(
        lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| at_work(&line))
    );
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let last = lines.map_while(Result::ok).last().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["type"], &last["status"]),
        (&json!("job_update"), &json!("cancelled"))
    );
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (Some(130), "cancelled\n")
    );
}

#[test]
fn a_reader_that_stops_ends_the_run_without_a_panic() {
    let files = Files::new();
    let path = files.json("w.json", &counting(10_000_000));
    let mut child = program()
        .args(["run", &path, "--jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("running"));
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}

#[test]
fn files_are_those_of_the_workspace_and_there_is_none_unless_given() {
    let files = Files::new();
    let path = files.json("w.json", &script(UNTIL_TOLD, 30));
    let without = nodetool(&["run", &path]);
    assert_eq!(without.code, Some(1));
    assert!(without.stderr.contains("workspace"), "{without:?}");
    let workspace = files.path("workspace");
    std::fs::create_dir(&workspace).unwrap();
    std::fs::write(workspace.join("go.txt"), "1").unwrap();
    let with = nodetool(&["run", &path, "--workspace", text(&workspace)]);
    assert_eq!(with.json(), json!({ "out": ["told"] }));
    assert!(workspace.join("done.txt").exists());
}

#[test]
fn a_run_that_waits_for_somebody_says_that_only_the_server_can_resume_it() {
    let files = Files::new();
    let path = files.json("w.json", &waiting(0.0));
    let ran = nodetool(&["run", &path]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr
            .contains("suspended at node w: waiting to be resumed; only the server"),
        "{ran:?}"
    );
}

#[test]
fn nothing_is_left_in_the_temporary_folder() {
    let files = Files::new();
    let temporary = files.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    for graph in [greeting(), failing()] {
        let path = files.json("w.json", &graph);
        program()
            .args(["run", &path])
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
