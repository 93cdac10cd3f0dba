//! `nodetool.workspace.ReadTextFile`, `WriteTextFile`.

use std::fs;
use std::io::Write;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::place::{MAX_FILE, failed, inside, make_parent, read};
use crate::bounds::blocking;
use crate::charset::Charset;

/// Reads a text file of the workspace.
/// workspace, file, read, text, load
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct ReadTextFile {
    /// Path in the workspace.
    path: String,
    /// The text encoding.
    #[prop(default = "utf-8")]
    encoding: String,
}

impl Process for ReadTextFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let charset = charset(&self.encoding)?;
        let workspace = cx.workspace()?;
        blocking(move || {
            let data = read(&inside(&workspace, "path", &self.path)?, "path", MAX_FILE)?;
            let text = charset.decode(&data);
            text.map_err(|e| NodeError::bad("encoding", format!("the file {e}")))
        })
        .await
    }
}

/// Writes a text file into the workspace.
/// workspace, file, write, text, save, append
///
/// Folders on the way are made. Gives the path.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "idempotent")]
pub(super) struct WriteTextFile {
    /// Path in the workspace.
    path: String,
    /// The text.
    content: String,
    /// The text encoding.
    #[prop(default = "utf-8")]
    encoding: String,
    /// Whether to keep what the file holds and write after it.
    append: bool,
}

impl Process for WriteTextFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let charset = charset(&self.encoding)?;
        let workspace = cx.workspace()?;
        blocking(move || {
            let data = charset
                .encode(&self.content)
                .map_err(|e| NodeError::bad("encoding", format!("`content` {e}")))?;
            let path = inside(&workspace, "path", &self.path)?;
            make_parent(&path, "path")?;
            let mut how = fs::OpenOptions::new();
            how.create(true);
            if self.append {
                how.append(true)
            } else {
                how.write(true).truncate(true)
            };
            how.open(path)
                .and_then(|mut f| f.write_all(&data))
                .map_err(|e| failed("path", "cannot be written", &e))?;
            Ok(self.path)
        })
        .await
    }
}

fn charset(name: &str) -> Result<Charset, NodeError> {
    Charset::named(name).ok_or_else(|| {
        let message =
            format!("{name:?} is not a known encoding (expected one such as utf-8 or latin-1)");
        NodeError::bad("encoding", message)
    })
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_appended_to() {
        let root = tempfile::tempdir().unwrap();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        let write = |content: &str, append: bool| {
            let c = case::<WriteTextFile>()
                .set("path", "a/b.txt")
                .set("content", content);
            c.set("append", append)
                .set("encoding", "latin-1")
                .within(cx())
                .value()
        };
        assert_eq!(write("café", false).await.unwrap(), "a/b.txt".into());
        write("!", true).await.unwrap();
        let raw = std::fs::read(root.path().join("a/b.txt")).unwrap();
        assert_eq!(raw, b"caf\xe9!");
        let read = |c: Case| c.set("path", "a/b.txt").within(cx()).value();
        let latin = case::<ReadTextFile>().set("encoding", "latin-1");
        assert_eq!(read(latin).await.unwrap(), "café!".into());
        let said = read(case::<ReadTextFile>()).await.unwrap_err().to_string();
        assert!(
            said.contains("`encoding`") && said.contains("byte 3"),
            "{said}"
        );
        let said = write("漢", false).await.unwrap_err().to_string();
        assert!(said.contains("`encoding`"), "{said}");
        assert_eq!(std::fs::read(root.path().join("a/b.txt")).unwrap().len(), 5);
    }

    #[tokio::test]
    async fn nothing_outside_is_read_or_written() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        let absolute = outside.path().join("secret").display().to_string();
        for path in [
            "../x",
            "/etc/hostname",
            "link/secret",
            "link/new",
            &absolute,
            "",
            "a/../../x",
        ] {
            let cx = || context_with(Services::none(), Some(root.path().into()));
            let read = case::<ReadTextFile>()
                .set("path", path)
                .within(cx())
                .value()
                .await;
            let write = case::<WriteTextFile>()
                .set("path", path)
                .within(cx())
                .value()
                .await;
            for said in [read, write] {
                assert!(said.unwrap_err().to_string().contains("`path`"), "{path}");
            }
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
