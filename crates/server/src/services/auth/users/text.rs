//! The users file as text (HTTP spec 3.7). Whatever is odd about a file makes it a fault with its line, because what
//! stands there decides who may do what. It must not know where the file is.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::super::tokens::Digest;
use super::{Record, Role};

/// Users of one file.
pub(super) const MOST_USERS: usize = 10_000;
/// The one layout there is.
const VERSION: &str = "1.0";
/// Longest name of a file that somebody else wrote.
const LONGEST_NAME: usize = 256;
/// Longest id a row may belong to.
const LONGEST_ID: usize = 128;
/// Longest other text.
const LONGEST: usize = 64;

/// What is wrong with a file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: Option<u64>,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    version: Spanned<String>,
    users: Option<IndexMap<String, Spanned<Entry>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user_id: String,
    username: String,
    role: Role,
    token_hash: String,
    created_at: String,
}

/// Reads the users of a file, in its order.
pub(super) fn parse(text: &str) -> Result<Vec<Record>, Fault> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: 8,
            max_aliases: 0,
            max_anchors: 0,
        },
    };
    let whole: Whole = serde_saphyr::from_str_with_options(text, options).map_err(|e| Fault {
        line: e.location().map(|l| l.line()).filter(|n| *n > 0),
        reason: one_line(&e.without_snippet().to_string()),
    })?;
    if whole.version.value != VERSION {
        return Err(Fault {
            line: Some(whole.version.referenced.line()),
            reason: format!("the version is not {VERSION:?}"),
        });
    }
    let users = whole.users.unwrap_or_default();
    if users.len() > MOST_USERS {
        return Err(Fault {
            line: None,
            reason: format!("there are more than {MOST_USERS} users"),
        });
    }
    let (mut ids, mut tokens) = (HashSet::new(), HashSet::new());
    let mut records = Vec::with_capacity(users.len());
    for (name, entry) in users {
        let line = Some(entry.referenced.line());
        let fault = |reason: &str| Fault {
            line,
            reason: reason.into(),
        };
        let Entry {
            user_id,
            username,
            role,
            token_hash,
            created_at,
        } = entry.value;
        if username != name {
            return Err(fault("`username` is not the name the user is listed under"));
        }
        for (field, text, longest) in [
            ("username", &username, LONGEST_NAME),
            ("user_id", &user_id, LONGEST_ID),
            ("created_at", &created_at, LONGEST),
        ] {
            if !is_plain(text, longest) {
                let reason = format!("`{field}` is not a text of 1 to {longest} bytes on one line");
                return Err(fault(&reason));
            }
        }
        let Some(token) = Digest::from_hex(&token_hash) else {
            return Err(fault(
                "`token_hash` is not a SHA-256 in 64 hexadecimal digits",
            ));
        };
        if !tokens.insert(token) {
            return Err(fault("another user has the same `token_hash`"));
        }
        if !ids.insert(user_id.clone()) {
            return Err(fault("another user has the same `user_id`"));
        }
        records.push(Record {
            user_id,
            username,
            role,
            token,
            created_at,
        });
    }
    Ok(records)
}

fn is_plain(text: &str, longest: usize) -> bool {
    // What YAML cannot show as it is would not read back.
    let odd = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}'
            )
    };
    (1..=longest).contains(&text.len()) && !text.contains(odd)
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

/// Writes users as a file. A text in JSON's quotes is one in YAML's.
pub(super) fn write(records: &[Record]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!("version: {}\n", quoted(VERSION));
    if records.is_empty() {
        text.push_str("users: {}\n");
        return text;
    }
    text.push_str("users:\n");
    for record in records {
        let name = quoted(&record.username);
        text.push_str(&format!(
            "  {name}:\n    user_id: {}\n    username: {name}\n    role: {}\n    token_hash: \"{}\"\n    created_at: {}\n",
            quoted(&record.user_id),
            record.role.word(),
            record.token.hex(),
            quoted(&record.created_at),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn entry(name: &str, id: &str, hash: &str) -> String {
        format!(
            "  {name}:\n    user_id: {id}\n    username: {name}\n    role: admin\n    token_hash: {hash}\n    created_at: 2025-01-02T03:04:05.000006\n"
        )
    }

    fn file(entries: &str) -> String {
        format!("version: \"1.0\"\nusers:\n{entries}")
    }

    #[test]
    fn a_file_of_another_program_is_read() {
        let text = "# kept by hand\nversion: '1.0'\nusers:\n  ann:\n    created_at: '2025-01-02T03:04:05.000006'\n    \
            role: user\n    token_hash: \"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"\n    user_id: user_ann_0a1b2c3d\n    username: ann\n";
        let records = parse(text).unwrap();
        assert_eq!(
            records,
            [Record {
                user_id: "user_ann_0a1b2c3d".into(),
                username: "ann".into(),
                role: Role::User,
                token: Digest::of("abc"),
                created_at: "2025-01-02T03:04:05.000006".into(),
            }]
        );
        for none in [
            "version: '1.0'\nusers: {}\n",
            "version: 1.0\nusers:\n",
            "{version: \"1.0\"}",
        ] {
            assert_eq!(parse(none).unwrap(), [], "{none}");
        }
        let bare = file(&entry("1234", "12e5", HASH));
        assert_eq!(parse(&bare).unwrap()[0].username, "1234");
    }

    #[test]
    fn a_file_with_anything_odd_is_refused_with_its_line() {
        let other = HASH.replace('b', "c");
        let good = entry("ann", "a", HASH);
        let mut wrong = Vec::new();
        for (text, line, word) in [
            (String::new(), Some(1), ""),
            ("users: {}\n".into(), Some(1), "version"),
            ("version: '2.0'\nusers: {}\n".into(), Some(1), "1.0"),
            ("version: '1.0'\nuser: {}\n".into(), Some(2), "user"),
            ("version: '1.0'\nusers: []\n".into(), Some(2), ""),
            ("version: '1.0'\nusers: {\n".into(), Some(2), ""),
            (
                file(&good.replace("role: admin", "role: root")),
                Some(6),
                "root",
            ),
            (
                file(&good.replace("role: admin", "admin: true")),
                Some(6),
                "admin",
            ),
            (
                file(&good.replace("    role: admin\n", "")),
                Some(7),
                "role",
            ),
            (file(&good.replace(HASH, "abc")), Some(4), "SHA-256"),
            (
                file(&good.replace("username: ann", "username: bob")),
                Some(4),
                "username",
            ),
            (
                file(&good.replace("user_id: a", "user_id: ''")),
                Some(4),
                "user_id",
            ),
            (
                file(&good.replace("user_id: a", "user_id: \"a\\nb\"")),
                Some(4),
                "user_id",
            ),
            (
                file(&(good.clone() + &entry("bob", "b", HASH))),
                Some(10),
                "token_hash",
            ),
            (
                file(&(good.clone() + &entry("bob", "a", &other))),
                Some(10),
                "user_id",
            ),
            (
                file(&(good.clone() + &entry("ann", "b", &other))),
                Some(9),
                "ann",
            ),
            (
                file(&good.replace("user_id: a", "user_id: a\n    user_id: b")),
                Some(5),
                "user_id",
            ),
        ] {
            let fault = parse(&text).unwrap_err();
            if fault.line != line || !fault.reason.contains(word) || fault.reason.contains('\n') {
                wrong.push(format!(
                    "{text}\n{fault:?}, expected line {line:?} and {word:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    #[test]
    fn a_small_file_cannot_unfold_into_a_large_one() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let below = format!("*a{}", level - 1);
            let row = vec![below; 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
        }
        bomb.push_str("version: '1.0'\nusers: {}\n");
        assert!(parse(&bomb).is_err());
        let alias = file(&entry("ann", "&x a", HASH).replace("2025-01-02T03:04:05.000006", "*x"));
        assert!(parse(&alias).is_err());
        let merge = "version: '1.0'\nusers:\n  a: {<<: {role: admin}}\n";
        assert!(parse(merge).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{a: ".repeat(100_000)).is_err());
        assert!(parse(&format!("version: '1.0'\n{}", "---\n".repeat(1000))).is_err());
    }

    fn record() -> impl Strategy<Value = Record> {
        let text = |longest| {
            proptest::string::string_regex(&format!("[^\\pC\u{2028}\u{2029}]{{1,{longest}}}"))
                .unwrap()
        };
        (text(64), text(30), any::<bool>(), "[0-9]{1,9}", text(16)).prop_map(
            |(username, user_id, admin, token, created_at)| Record {
                user_id,
                username,
                role: if admin { Role::Admin } else { Role::User },
                token: Digest::of(&token),
                created_at,
            },
        )
    }

    proptest! {
        #[test]
        fn any_users_read_back_as_they_were_written(mut records in proptest::collection::vec(record(), 0..6)) {
            let mut seen = HashSet::new();
            records.retain(|r| seen.insert(format!("n{}", r.username)) && seen.insert(format!("i{}", r.user_id))
                && seen.insert(r.token.hex()));
            prop_assert_eq!(parse(&write(&records)).unwrap(), records);
        }

        #[test]
        fn any_text_is_a_file_or_a_fault(text in ".{0,300}") {
            if let Ok(records) = parse(&text) {
                prop_assert_eq!(parse(&write(&records)).unwrap(), records);
            }
        }

        #[test]
        fn a_file_with_a_fault_anywhere_is_a_file_or_a_fault(at in 0usize..300, cut in 0usize..4, put in "[\\PC\n]{0,4}") {
            let mut text = file(&(entry("ann", "a", HASH) + &entry("bob", "b", &HASH.replace('b', "c"))));
            let at = at.min(text.len() - cut);
            text.replace_range(at..at + cut, &put);
            match parse(&text) {
                Ok(records) => {
                    prop_assert!(records.len() <= 3);
                    prop_assert_eq!(parse(&write(&records)).unwrap(), records);
                }
                Err(fault) => prop_assert!(!fault.reason.is_empty()),
            }
        }
    }
}
