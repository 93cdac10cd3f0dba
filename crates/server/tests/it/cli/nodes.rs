//! `nodetool nodes` and `nodetool completions`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::process::{Ended, nodetool};
use crate::wire::server::program;

#[test]
fn the_list_has_a_line_per_type_and_counts_them_on_stderr() {
    let listed = nodetool(&["nodes", "list"]);
    assert_eq!(listed.code, Some(0));
    let lines = listed.stdout.lines().count();
    assert_eq!(listed.stderr, format!("{lines} node types\n"));
    assert!(lines > 200, "{lines}");
    let add = listed
        .stdout
        .lines()
        .find(|l| l.starts_with("lib.math.Add "))
        .unwrap();
    assert!(add.ends_with("Adds two numbers."), "{add}");
    let maths = nodetool(&["nodes", "list", "--namespace", "lib.math"]);
    assert!(
        maths.stdout.lines().count() > 5
            && maths.stdout.lines().all(|l| l.starts_with("lib.math."))
    );
    let none = nodetool(&["nodes", "list", "--namespace", "nope"]);
    assert_eq!(
        (none.code, none.stdout.as_str(), none.stderr.as_str()),
        (Some(0), "", "0 node types\n")
    );
}

#[test]
fn the_list_as_json_is_the_catalogue_of_the_server() {
    let listed = nodetool(&["nodes", "list", "--json"]).json();
    let all = listed.as_array().unwrap();
    assert!(
        all.iter()
            .all(|n| n["node_type"].is_string() && n["properties"].is_array())
    );
    let shown = nodetool(&["nodes", "show", "lib.math.Add", "--json"]).json();
    assert_eq!(
        all.iter().find(|n| n["node_type"] == "lib.math.Add"),
        Some(&shown)
    );
}

#[test]
fn show_tells_inputs_outputs_and_behaviour() {
    let shown = nodetool(&["nodes", "show", "nodetool.control.RepeatValue"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    for part in [
        "nodetool.control.RepeatValue (Repeat Value)\n",
        "Properties\n",
        "  value: any = null\n",
        "  count: int = 1",
        "Outputs\n",
        "  output: any\n",
        "Behaviour\n  may emit several times",
    ] {
        assert!(shown.stdout.contains(part), "{part}\n{}", shown.stdout);
    }
}

#[test]
fn a_type_that_is_not_there_comes_with_those_that_may_be_meant() {
    for (asked, wanted) in [
        ("Concat", "there is no node type 'Concat'"),
        (
            "nodetool.math.Add",
            "there is no node type 'nodetool.math.Add'; did you mean lib.math.Add",
        ),
        (
            "nodetool.control.Colect",
            "there is no node type 'nodetool.control.Colect'; did you mean nodetool.control.Collect",
        ),
        ("zzzz", "there is no node type 'zzzz'\n"),
    ] {
        let told = nodetool(&["nodes", "show", asked]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
        assert!(
            told.stderr.starts_with(&format!("error: {wanted}")),
            "{told:?}"
        );
    }
}

#[test]
fn completions_are_scripts_for_the_shell() {
    let bash = nodetool(&["completions", "bash"]);
    assert_eq!((bash.code, bash.stderr.as_str()), (Some(0), ""));
    assert!(
        bash.stdout.contains("_nodetool()") && bash.stdout.contains("complete -F _nodetool"),
        "{}",
        bash.stdout
    );
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            nodetool(&["completions", shell])
                .stdout
                .contains("nodetool"),
            "{shell}"
        );
    }
    assert!(
        nodetool(&["completions", "cmd"])
            .refused()
            .contains("possible values: bash")
    );
}

#[test]
fn a_reader_that_stops_is_no_fault() {
    for arguments in [
        &["nodes", "list"][..],
        &["nodes", "list", "--json"],
        &["completions", "zsh"],
    ] {
        let mut child = program()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Something has come, so the program is at work; then nobody reads on.
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().unwrap());
        assert!(!stdout.fill_buf().unwrap().is_empty());
        drop(stdout);
        let ended = Ended::of(child.wait_with_output().unwrap());
        // What is short may have been written before.
        assert!(matches!(ended.code, Some(0 | 141)), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}
