//! Names that come from outside: repositories, their files, commits and contents. Whatever passes here is safe as a
//! part of a path and of a URL; nothing here touches a disk.

/// Most characters of a repository's id.
const ID: usize = 193;
/// Most bytes of a file's path, and of one part of it.
const PATH_BYTES: usize = 1024;
const PART_BYTES: usize = 255;
/// Most folders a file may be in.
const DEPTH: usize = 32;

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// No repository can be called that.
    #[error("`{0}` is not the id of a repository; expected `owner/name`")]
    Repo(String),
    /// No file can be called that.
    #[error("`{0}` is not the path of a file within a repository")]
    Path(String),
    /// A pattern is too long, or there are too many.
    #[error("there may be at most {most} patterns of at most {longest} characters each")]
    Patterns {
        /// Most patterns.
        most: usize,
        /// Most characters of each.
        longest: usize,
    },
    /// The type of a model is too long.
    #[error("a model type has at most {0} characters")]
    ModelType(usize),
    /// llama.cpp keeps single files.
    #[error("a llama.cpp model needs `path` (its .gguf file) or `allow_patterns`")]
    LlamaPath,
}

/// What a refusal shows of a name.
fn shown(text: &str) -> String {
    let calm = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(120).map(calm).collect()
}

/// The id of a repository, `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RepoId(String);

impl RepoId {
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((owner, name)) if text.len() <= ID && is_id_part(owner) && is_id_part(name) => {
                Ok(RepoId(text.to_owned()))
            }
            _ => Err(NameError::Repo(shown(text))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its folder within the cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }

    /// Its name where there are no folders.
    pub(super) fn flat(&self) -> String {
        self.0.replace('/', "_")
    }
}

/// Two hyphens would make the folders of two repositories the same.
fn is_id_part(part: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| !matches!(c, '-' | '.'));
    part.chars().all(fits)
        && edge(part.chars().next())
        && edge(part.chars().next_back())
        && !part.contains("--")
        && !part.contains("..")
}

/// The path of a file within its repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FilePath(String);

impl FilePath {
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let fits = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.len() <= PART_BYTES
                && !part.chars().any(|c| c.is_control() || c == '\\')
        };
        if text.len() <= PATH_BYTES && text.split('/').count() <= DEPTH && text.split('/').all(fits)
        {
            Ok(FilePath(text.to_owned()))
        } else {
            Err(NameError::Path(shown(text)))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// How many folders it is in.
    pub(super) fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// Its name where there are no folders.
    pub(super) fn flat(&self) -> String {
        self.0.replace('/', "_")
    }
}

/// The state of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit(String);

impl Commit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        (text.len() == 40 && is_hex(text)).then(|| Commit(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a file holds, by its digest: SHA-256 of a large file, git's id of a small one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContentId {
    Sha256(String),
    Git(String),
}

impl ContentId {
    pub(super) fn sha256(text: &str) -> Option<Self> {
        (text.len() == 64 && is_hex(text)).then(|| ContentId::Sha256(text.to_owned()))
    }

    pub(super) fn git(text: &str) -> Option<Self> {
        (text.len() == 40 && is_hex(text)).then(|| ContentId::Git(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        let (ContentId::Sha256(text) | ContentId::Git(text)) = self;
        text
    }
}

fn is_hex(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        for good in ["org/m", "a-b/c.d_e", "o/1.5", "_o/_n", "o/a-.b"] {
            assert_eq!(RepoId::parse(good).unwrap().as_str(), good);
        }
        let long = format!("o/{}", "x".repeat(192));
        for bad in [
            "", "m", "/m", "o/", "o/m/x", "../m", "o/..", ".o/m", "o/m.", "o--p/m", "o/a..b",
            "o\\m/x", "o/m ", "o/é", "-o/m", &long,
        ] {
            assert!(RepoId::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(RepoId::parse("o/m").unwrap().folder(), "models--o--m");
    }

    #[test]
    fn a_file_stays_within_its_repository() {
        for good in ["a", "a/b.bin", "..a", "a b/ü", "a..b"] {
            assert_eq!(FilePath::parse(good).unwrap().as_str(), good);
        }
        let deep = vec!["a"; 40].join("/");
        for bad in [
            "", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a\\b", "a\nb", "a\0", &deep,
        ] {
            assert!(FilePath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_lower_case_and_of_one_length() {
        assert!(Commit::parse(&"0a".repeat(20)).is_some());
        assert!(Commit::parse(&"0A".repeat(20)).is_none());
        assert!(ContentId::git("../../etc/passwd").is_none());
        assert!(ContentId::sha256(&"f".repeat(40)).is_none());
    }
}
