//! What an account may be used for: the keys that clients name it by, and Google's own words.

/// Keys and scopes.
const SCOPES: [(&str, &str); 6] = [
    (
        "sheets_readonly",
        "https://www.googleapis.com/auth/spreadsheets.readonly",
    ),
    ("sheets", "https://www.googleapis.com/auth/spreadsheets"),
    (
        "drive_readonly",
        "https://www.googleapis.com/auth/drive.readonly",
    ),
    ("drive", "https://www.googleapis.com/auth/drive"),
    (
        "gmail_readonly",
        "https://www.googleapis.com/auth/gmail.readonly",
    ),
    ("gmail_send", "https://www.googleapis.com/auth/gmail.send"),
];

/// The keys.
pub(crate) const KEYS: [&str; 6] = [
    SCOPES[0].0,
    SCOPES[1].0,
    SCOPES[2].0,
    SCOPES[3].0,
    SCOPES[4].0,
    SCOPES[5].0,
];

/// What the steps need: rows of sheets, and a list of spreadsheets to choose from.
const DEFAULT: [&str; 2] = ["sheets", "drive_readonly"];
/// Whose account it is.
const IDENTITY: &str = "openid email";
/// Most keys of one request; more than there are, because some may come twice.
pub(crate) const MAX_ASKED: usize = 20;

/// What Google is asked for, in its words; or what is wrong with the keys.
pub(super) fn asked(keys: &[String]) -> Result<String, String> {
    if keys.len() > MAX_ASKED {
        return Err(format!("More than {MAX_ASKED} keys."));
    }
    let unknown = keys.iter().find(|key| !KEYS.contains(&key.as_str()));
    if let Some(unknown) = unknown {
        let shown: String = unknown.chars().take(80).collect();
        return Err(format!(
            "\"{shown}\" is not a valid choice; expected some of {}.",
            KEYS.join(", ")
        ));
    }
    let wanted = |key: &str| match keys {
        [] => DEFAULT.contains(&key),
        keys => keys.iter().any(|k| k == key),
    };
    let scopes = SCOPES.iter().filter(|(key, _)| wanted(key));
    Ok(scopes.fold(IDENTITY.to_owned(), |all, (_, scope)| {
        format!("{all} {scope}")
    }))
}

/// The keys of what Google says was given.
pub(super) fn keys_of(scope: &str) -> Vec<&'static str> {
    let given = |wanted: &str| scope.split_whitespace().any(|scope| scope == wanted);
    let keys = SCOPES.iter().filter(|(_, scope)| given(scope));
    keys.map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> Result<String, String> {
        asked(&keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn keys_become_scopes_and_scopes_become_keys() {
        for key in KEYS {
            let scope = of(&[key, key]).unwrap();
            assert_eq!(scope.split(' ').count(), 3, "{scope}");
            assert_eq!(keys_of(&scope), [key]);
        }
        assert_eq!(keys_of(&of(&[]).unwrap()), DEFAULT);
        assert_eq!(
            keys_of("openid email https://x.example/auth/drive"),
            [""; 0]
        );
    }

    #[test]
    fn keys_that_are_none_are_named() {
        let said = of(&["sheets", "calendar"]).unwrap_err();
        assert!(said.contains("\"calendar\"") && said.contains("gmail_send"));
        assert!(of(&["sheets"; MAX_ASKED + 1]).is_err());
    }
}
