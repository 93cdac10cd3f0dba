//! `nodetool.text.LoadTextFolder`.

use std::fs;

use nodetool_sdk::{
    Emitter, Generate, Node, NodeCx, NodeError, Outputs, Severity, Value, Workspace,
};

use crate::bounds::{self, MAX_TEXT};
use crate::workspace::folder_files::Search;

/// Reads the text files of a folder one by one.
/// text, load, folder, files, read, directory
///
/// Files come in the order of their names. What is no UTF-8 text is left out, and the log says so.
#[derive(Node)]
#[node(namespace = "nodetool.text", kind = Generate)]
pub(super) struct LoadTextFolder {
    /// The folder, as a path in the workspace.
    folder: String,
    /// Whether folders inside it are read too.
    include_subdirectories: bool,
    /// Endings of the files to read.
    #[prop(default = endings())]
    extensions: Vec<String>,
    /// Wildcards such as *.md that the whole path has to match; none when empty.
    pattern: String,
}

/// A file.
#[derive(Outputs)]
pub(super) struct File {
    text: String,
    path: String,
}

impl Generate for LoadTextFolder {
    type Output = File;

    async fn generate(self, out: &Emitter<'_, File>, cx: &NodeCx) -> Result<(), NodeError> {
        let workspace = cx.workspace()?;
        let deep = self.include_subdirectories;
        let search = Search::new(&workspace, &self.extensions, deep, &self.pattern)?;
        for path in search.find(self.folder).await? {
            let place = workspace.clone();
            let file = path.clone();
            match bounds::blocking(move || read(&place, &file)).await? {
                Ok(text) => out.emit(File { text, path }).await?,
                Err(why) => cx.log(Severity::Warning, format!("{path} was left out: {why}")),
            }
        }
        Ok(())
    }
}

fn endings() -> Value {
    let endings = [".txt", ".csv", ".json", ".xml", ".md", ".html", ".pdf"];
    Value::list(endings.map(Value::from))
}

/// The text of a file, or why it is left out.
fn read(workspace: &Workspace, name: &str) -> Result<Result<String, String>, NodeError> {
    // A link may lead outside; only what really lies inside is read.
    let path = match workspace.resolve(name) {
        Ok(path) => path,
        Err(e) => return Ok(Err(e.to_string())),
    };
    let facts = fs::metadata(&path)?;
    if !facts.is_file() {
        return Ok(Err("it is no file".into()));
    }
    if facts.len() > MAX_TEXT as u64 {
        return Ok(Err(format!("it has more than {MAX_TEXT} bytes")));
    }
    Ok(String::from_utf8(fs::read(&path)?).map_err(|_| "it is no UTF-8 text".into()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    fn files() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("notes/deep")).unwrap();
        for (name, text) in [
            ("notes/b.TXT", &b"b"[..]),
            ("notes/a.md", "ä".as_bytes()),
            ("notes/c.pdf", &[0xff, 0xfe]),
            ("notes/d.exe", b"x"),
            ("notes/deep/e.txt", b"e"),
            ("outside.txt", b"o"),
        ] {
            fs::write(root.path().join(name), text).unwrap();
        }
        root
    }

    fn within(root: &Path) -> Case {
        let cx = context_with(Services::none(), Some(root.to_owned()));
        case::<LoadTextFolder>().set("folder", "notes").within(cx)
    }

    async fn found(case: Case) -> Vec<(String, String)> {
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let files = case.run().await.unwrap();
        files
            .iter()
            .map(|m| (text(&m["path"]), text(&m["text"])))
            .collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()
    }

    #[tokio::test]
    async fn texts_with_the_right_ending_come_in_order() {
        let root = files();
        let near = pairs(&[("notes/a.md", "ä"), ("notes/b.TXT", "b")]);
        assert_eq!(found(within(root.path())).await, near);
        let deep = within(root.path())
            .set("include_subdirectories", true)
            .set("pattern", "*/deep/*");
        assert_eq!(found(deep).await, pairs(&[("notes/deep/e.txt", "e")]));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_that_lead_outside_are_left_out() {
        let root = files();
        let elsewhere = tempfile::tempdir().unwrap();
        let secret = elsewhere.path().join("secret.txt");
        fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, root.path().join("notes/s.txt")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("notes/l")).unwrap();
        let case = within(root.path()).set("include_subdirectories", true);
        let names: Vec<String> = found(case).await.into_iter().map(|f| f.0).collect();
        assert_eq!(names, ["notes/a.md", "notes/b.TXT", "notes/deep/e.txt"]);
    }

    #[tokio::test]
    async fn a_folder_that_is_none_is_refused() {
        let root = files();
        for folder in ["", "..", "/", "notes/a.md", "missing"] {
            let e = within(root.path())
                .set("folder", folder)
                .run()
                .await
                .unwrap_err();
            assert!(e.to_string().contains("`folder`"), "{folder}: {e}");
        }
    }
}
