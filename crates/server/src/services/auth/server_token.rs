//! The server's own token: given in the environment, or kept in the file that says how the server is deployed, where one
//! is put when there is none. Nothing here prints it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::private_file::{self, Contents, FileFault};
use super::tokens::{self, Digest, NoChance};
use crate::config::private_folder;
use crate::sensitive::Sensitive;

/// The file within the folder of settings.
const FILE: &str = "deployment.yaml";
const KEY: &str = "server_auth_token";
/// A token shorter than this can be guessed by somebody who has time.
const SHORT: usize = 16;

/// Why there is no server token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerTokenError {
    #[error(
        "no home folder to keep the server's token in: set SERVER_AUTH_TOKEN or XDG_CONFIG_HOME"
    )]
    NoFolder,
    #[error("{}{}: {reason}", path.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
    Broken {
        path: PathBuf,
        line: Option<u64>,
        reason: String,
    },
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error("{0}")]
    Folder(String),
}

/// What the server's own token is compared with.
#[derive(Clone, Debug)]
pub(super) struct ServerToken(Digest);

#[derive(Deserialize, Default)]
struct Deployment {
    server_auth_token: Option<String>,
    worker_auth_token: Option<String>,
}

impl Deployment {
    fn token(self) -> Option<String> {
        let given = |token: &String| !token.is_empty();
        let server = self.server_auth_token.filter(given);
        server.or(self.worker_auth_token.filter(given))
    }
}

impl ServerToken {
    /// The token from the environment.
    pub(super) fn given(token: &Sensitive) -> Self {
        Self::of(token.expose(), "SERVER_AUTH_TOKEN")
    }

    /// The token of the folder of settings, made there when there is none.
    pub(super) fn stored(config_dir: Option<&Path>) -> Result<Self, ServerTokenError> {
        let folder = config_dir.ok_or(ServerTokenError::NoFolder)?;
        private_folder(folder).map_err(|e| ServerTokenError::Folder(format!("{e:#}")))?;
        let path = folder.join(FILE);
        if let Some(token) = look(&path)?.1 {
            return Ok(Self::of(&token, &path.display().to_string()));
        }
        private_file::alone(&path, || {
            // Another server may have been first.
            let (text, token) = look(&path)?;
            if let Some(token) = token {
                return Ok(Self::of(&token, &path.display().to_string()));
            }
            let token = tokens::fresh("")?;
            private_file::save(&path, &with_token(&path, &text, &token)?)?;
            tracing::info!(path = %path.display(), "the server's token was made; it stands in this file");
            tracing::info!(target: "audit", event = "server_token.created");
            Ok(ServerToken(Digest::of(&token)))
        })
    }

    fn of(token: &str, place: &str) -> Self {
        if token.len() < SHORT {
            tracing::warn!(
                place,
                "the server's token has less than {SHORT} characters; a longer one is harder to guess"
            );
        }
        ServerToken(Digest::of(token))
    }

    pub(super) fn is(&self, digest: &Digest) -> bool {
        self.0 == *digest
    }
}

/// What the file says, and the token in it.
fn look(path: &Path) -> Result<(String, Option<String>), ServerTokenError> {
    let Some(Contents {
        text,
        open_to_others,
        ..
    }) = private_file::read(path)?
    else {
        return Ok((String::new(), None));
    };
    let deployment: Option<Deployment> = parse(path, &text)?;
    let token = deployment.unwrap_or_default().token();
    if token.is_some() && open_to_others {
        tracing::warn!(path = %path.display(), "others on this machine may read the server's token: the mode of this file should be 0600");
    }
    Ok((text, token))
}

fn parse<T: serde::de::DeserializeOwned>(
    path: &Path,
    text: &str,
) -> Result<Option<T>, ServerTokenError> {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(None);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let read = serde_saphyr::from_str_with_options::<Option<T>>(text, options);
    read.map_err(|e| ServerTokenError::Broken {
        path: path.to_owned(),
        line: e.location().map(|l| l.line()).filter(|n| *n > 0),
        // The library's own words may quote the file, and tokens stand in it.
        reason: "this is not what such a file looks like: a mapping with texts for its tokens"
            .into(),
    })
}

/// The file with the token as one more line: whatever else stands there, comments too, stays as it is.
fn with_token(path: &Path, text: &str, token: &str) -> Result<String, ServerTokenError> {
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let more = format!("{text}{gap}{KEY}: \"{token}\"\n");
    let before = parse::<Value>(path, text)?.unwrap_or(Value::Null);
    let after = parse::<Value>(path, &more).ok().flatten();
    let mut expected = match before {
        Value::Null => serde_json::Map::new(),
        Value::Object(map) => map,
        _ => return Err(cannot_add(path)),
    };
    expected.insert(KEY.into(), token.into());
    if after != Some(Value::Object(expected)) {
        return Err(cannot_add(path));
    }
    Ok(more)
}

fn cannot_add(path: &Path) -> ServerTokenError {
    ServerTokenError::Broken {
        path: path.to_owned(),
        line: None,
        reason: format!(
            "no token can be added at its end; add a line `{KEY}: …` yourself, or set SERVER_AUTH_TOKEN"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn token_in(text: &str) -> Option<String> {
        let deployment = parse::<Deployment>(Path::new("f"), text).unwrap();
        deployment.unwrap_or_default().token()
    }

    #[test]
    fn a_token_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("nodetool");
        let made = ServerToken::stored(Some(&config)).unwrap();
        let path = config.join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        let token = token_in(&text).unwrap();
        assert_eq!(token.len(), 43);
        assert!(made.is(&Digest::of(&token)));
        assert!(!made.is(&Digest::of(&token[1..])));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = ServerToken::stored(Some(&config)).unwrap();
        assert!(again.is(&Digest::of(&token)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert!(ServerToken::stored(None).is_err());
    }

    #[test]
    fn the_rest_of_the_file_stays() {
        for before in [
            "",
            "# mine\n",
            "deployments:\n  a: {b: 1}\n# end",
            "server_auth_token_old: x\n",
            "a: |\n  text\n",
            "a: &x [1]\nb: *x\n",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(FILE);
            std::fs::write(&path, before).unwrap();
            ServerToken::stored(Some(folder.path())).unwrap();
            let after = std::fs::read_to_string(&path).unwrap();
            assert!(after.starts_with(before), "{after}");
            assert_eq!(token_in(&after).unwrap().len(), 43, "{after}");
        }
    }

    #[test]
    fn the_name_of_the_server_comes_before_that_of_the_worker() {
        assert_eq!(
            token_in("server_auth_token: s\nworker_auth_token: w\n").as_deref(),
            Some("s")
        );
        assert_eq!(token_in("worker_auth_token: w\n").as_deref(), Some("w"));
        assert_eq!(
            token_in("server_auth_token: \"\"\nworker_auth_token: 12\n").as_deref(),
            Some("12")
        );
    }

    #[test]
    fn a_file_that_takes_no_token_is_named_and_left_alone() {
        for before in [
            "{a: 1}\n",
            "- a\n",
            "text",
            "a: 1\n...\n",
            "a: [\n",
            "server_auth_token: \"\"\n",
            "  a: 1\n  b: 2\n",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(FILE);
            std::fs::write(&path, before).unwrap();
            let told = ServerToken::stored(Some(folder.path())).unwrap_err();
            assert!(
                told.to_string().starts_with(path.to_str().unwrap()),
                "{told}"
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        }
    }

    #[test]
    fn a_fault_quotes_nothing_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(FILE),
            "server_auth_token: [sesame, {sesame: sesame\n",
        )
        .unwrap();
        let told = ServerToken::stored(Some(folder.path())).unwrap_err();
        assert!(!format!("{told} {told:?}").contains("sesame"), "{told:?}");
    }
}
