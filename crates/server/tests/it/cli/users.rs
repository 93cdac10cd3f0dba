//! `nodetool users`.

use serde_json::json;

use super::process::{nodetool, text};

#[test]
fn users_are_added_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/users.yaml");
    let users = |arguments: &[&str]| {
        let mut all = vec!["users", "--users-file", text(&file)];
        all.extend(arguments);
        nodetool(&all)
    };
    assert_eq!(users(&["list", "--json"]).json(), json!({ "users": [] }));
    assert!(!file.exists(), "looking creates nothing");
    let ann = users(&["add", "ann", "--role", "admin"]);
    let token = ann.stdout.strip_suffix('\n').unwrap();
    assert_eq!((ann.code, token.len()), (Some(0), 43), "{ann:?}");
    assert!(!ann.stderr.contains(token) && ann.stderr.contains("once"));
    assert!(!std::fs::read_to_string(&file).unwrap().contains(token));
    assert_eq!(users(&["add", "bob"]).code, Some(0));
    let listed = users(&["list", "--json"]).json();
    assert_eq!(listed["users"][0]["username"], "ann");
    assert_eq!(listed["users"][1]["role"], "user");
    let table = users(&["list"]);
    assert_eq!(table.stdout.lines().count(), 3, "{table:?}");
    let other = users(&["reset-token", "ann"]);
    assert_eq!(other.code, Some(0));
    assert_ne!(other.stdout, ann.stdout);

    let asked = users(&["remove", "bob"]);
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("--force"), "{asked:?}");
    assert_eq!(users(&["remove", "bob", "-f"]).code, Some(0));
    for (arguments, told) in [
        (&["add", "ann"][..], "User 'ann' already exists"),
        (&["add", "a b"], "Invalid username"),
        (&["remove", "eve", "--force"], "User 'eve' not found"),
        (&["remove", "ann", "--force"], "last admin"),
        (&["reset-token", "eve"], "User 'eve' not found"),
    ] {
        let refused = users(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        let one_line = refused.stderr.trim_end();
        assert!(
            one_line.starts_with("error: ") && one_line.contains(told) && !one_line.contains('\n'),
            "{refused:?}"
        );
    }
    std::fs::write(&file, "version: '1.0'\nusers: 1\n").unwrap();
    let broken = users(&["list"]);
    let place = format!("{}:2: ", file.display());
    assert!(broken.stderr.contains(&place), "{broken:?}");
    let homeless = nodetool(&["users", "list"]);
    assert!(homeless.stderr.contains("USERS_FILE"), "{homeless:?}");
}

#[test]
fn users_are_kept_in_the_folder_of_settings() {
    let folder = tempfile::tempdir().unwrap();
    let add = |name, variable| {
        let run = crate::wire::server::program()
            .args(["users", "add", name])
            .env(variable, folder.path())
            .output();
        assert!(run.expect("the program runs").status.success());
    };
    add("ann", "HOME");
    add("bob", "XDG_CONFIG_HOME");
    let has = |path: &str, name| {
        let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
        text.contains(name)
    };
    assert!(has(".config/nodetool/users.yaml", "ann"));
    assert!(has("nodetool/users.yaml", "bob"));
}
