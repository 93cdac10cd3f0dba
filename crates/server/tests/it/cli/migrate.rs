//! `nodetool migrate`.

use super::process::{nodetool, text};

#[test]
fn migrations_are_pending_until_they_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = |command, json: bool| {
        let mut arguments = vec!["migrate", command, "--data-dir", text(&data)];
        arguments.extend(json.then_some("--json"));
        nodetool(&arguments)
    };

    let none = run("status", false);
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""));
    assert!(
        none.stderr.starts_with("error: there is no database ") && none.stderr.lines().count() == 1,
        "{none:?}"
    );
    assert!(!data.exists(), "looking creates nothing");

    // An empty file is a database without tables.
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("nodetool.sqlite3"), "").unwrap();
    let before = run("status", true).json();
    let before = before.as_array().unwrap();
    assert!(before.iter().all(|m| m["state"] == "pending"), "{before:?}");
    assert!(before.iter().all(|m| m["applied_at"].is_null()));

    let up = run("up", false);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert_eq!(up.stderr, format!("{} applied\n", before.len()));
    assert_eq!(run("up", false).stderr, "0 applied\n");

    let after = run("status", true).json();
    let after = after.as_array().unwrap();
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|m| m["state"] == "applied"), "{after:?}");
    let table = run("status", false);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("VERSION") && lines[0].ends_with("APPLIED AT"));
    for (line, migration) in lines[1..].iter().zip(after) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let cell = |name: &str| migration[name].as_str().unwrap();
        assert_eq!(
            cells[..3],
            [cell("version"), cell("name"), cell("state")],
            "{line}"
        );
        assert!(line.ends_with(cell("applied_at")), "{line}");
    }
}

#[test]
fn up_creates_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = nodetool(&["migrate", "up", "--json", "--data-dir", text(&data)]);
    let listed = up.json();
    assert!(
        listed
            .as_array()
            .is_some_and(|all| !all.is_empty() && all.iter().all(|m| m["state"] == "applied")),
        "{listed}"
    );
    assert!(data.join("nodetool.sqlite3").is_file());
}

#[test]
fn a_file_that_is_no_database_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("nodetool.sqlite3"),
        "these are notes, not a database ".repeat(99),
    )
    .unwrap();
    for command in ["status", "up"] {
        let told = nodetool(&["migrate", command, "--data-dir", text(folder.path())]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
        assert!(
            told.stderr.starts_with("error: cannot use the database ")
                && told.stderr.lines().count() == 1,
            "{told:?}"
        );
    }
}
