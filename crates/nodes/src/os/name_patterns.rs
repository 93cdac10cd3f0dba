//! `lib.os.FileNameMatch`, `FilterFileNames`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use crate::bounds::blocking;
use crate::wildcard::Wildcard;

/// Most steps that comparing names may take.
const MAX_STEPS: usize = 2_000_000_000;

/// Says whether a file name matches a pattern.
/// file, name, pattern, wildcard, match, glob
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct FileNameMatch {
    /// The name.
    filename: String,
    /// What it is compared with: *, ? and [a-z] are wildcards.
    #[prop(default = "*")]
    pattern: String,
    /// Whether small and capital letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
}

impl Process for FileNameMatch {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let wildcard = wildcard(&self.pattern, self.case_sensitive)?;
        if wildcard.cost(self.filename.len()) > MAX_STEPS {
            let message = "is too long to be compared with this pattern";
            return Err(NodeError::bad("filename", message));
        }
        blocking(move || Ok(wildcard.matches(&self.filename))).await
    }
}

/// Keeps the file names that match a pattern.
/// files, names, pattern, wildcard, filter, glob
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct FilterFileNames {
    /// The names.
    filenames: Vec<String>,
    /// What they are compared with: *, ? and [a-z] are wildcards.
    #[prop(default = "*")]
    pattern: String,
    /// Whether small and capital letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
}

impl Process for FilterFileNames {
    type Output = Vec<String>;

    async fn process(self, _: &NodeCx) -> Result<Vec<String>, NodeError> {
        let wildcard = wildcard(&self.pattern, self.case_sensitive)?;
        blocking(move || {
            let size = self.filenames.iter().map(String::len).sum();
            if wildcard.cost(size) > MAX_STEPS {
                let message = "are too many to be compared with this pattern";
                return Err(NodeError::bad("filenames", message));
            }
            let mut names = self.filenames;
            names.retain(|name| wildcard.matches(name));
            Ok(names)
        })
        .await
    }
}

fn wildcard(pattern: &str, case_sensitive: bool) -> Result<Wildcard, NodeError> {
    Wildcard::new(pattern, case_sensitive).map_err(|e| NodeError::bad("pattern", e))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn case_is_folded_only_when_asked() {
        for (case_sensitive, yes) in [(true, false), (false, true)] {
            let run = case::<FileNameMatch>()
                .set("filename", "A.TXT")
                .set("pattern", "*.txt")
                .set("case_sensitive", case_sensitive);
            assert_eq!(run.value().await.unwrap(), yes.into());
        }
    }
}
