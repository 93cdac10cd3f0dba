//! Writes texts into files of the workflow's own folder.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value, Workspace};

use super::page::blocking;
use crate::{Fields, FormStep};

/// Most bytes of one file.
const MAX_FILE: u64 = 64 << 20;
/// Most bytes and files of a workflow's folder.
const MAX_FOLDER: u64 = 1 << 30;
const MAX_FILES: u64 = 10_000;
/// Longest path, and most folders in it.
const MAX_PATH: usize = 1024;
const MAX_DEPTH: usize = 16;
/// Bytes that are written before the folder is counted again: others may write there too.
const RECOUNT: u64 = 16 << 20;
/// Writes before it is counted again.
const RECOUNT_WRITES: u64 = 1000;

/// What the folder held when it was counted, with what was written since.
#[derive(Clone, Copy, Default)]
pub(super) struct FileWriter {
    counted: Option<Usage>,
}

#[derive(Clone, Copy, Default)]
struct Usage {
    bytes: u64,
    files: u64,
    since_bytes: u64,
    since_writes: u64,
}

impl FormStep for FileWriter {
    const IDENTIFIER: &'static str = "file-writer";
    const CLASS: &'static str = "FileWriter";
    const CATEGORY: &'static str = "Store";
    const EFFECTS: bool = true;

    fn form() -> Option<FormSpec> {
        let modes = vec![("w", "Write"), ("a", "Append")];
        Some(FormSpec {
            name: "FileWriterForm",
            fields: vec![
                FieldSpec::text("file_path")
                    .required()
                    .help("Path of the file inside the workflow's folder."),
                FieldSpec::new("mode", FieldKind::Choice(modes))
                    .required()
                    .initial("w")
                    .help("Whether the file is written anew or continued."),
                FieldSpec::json("content")
                    .help("What is written; empty for the data that came, as JSON."),
            ],
            check: None,
        })
    }

    async fn run(&mut self, fields: &Fields, token: Token, cx: &StepCx) -> Result<Flow, NodeError> {
        let mut text = match fields.text("content") {
            "" => serde_json::to_string_pretty(&Value::from(token.data.clone()))
                .map_err(|e| format!("The data cannot be written as JSON: {e}"))?,
            content => content.to_owned(),
        };
        let append = fields.text("mode") == "a";
        if append {
            text.push('\n');
        }
        let name = fields.text("file_path").to_owned();
        let workspace = cx.node.workspace()?;
        let folder = folder_name(&cx.node.run.workflow_id);
        let counted = self.counted;
        let usage = blocking(move || {
            let folder = own_folder(&workspace, &folder)?;
            write(&folder, &name, text.as_bytes(), append, counted)
        });
        self.counted = Some(usage.await?);
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        self.counted = None;
    }
}

/// The name of a workflow's folder.
fn folder_name(workflow_id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = workflow_id
        .chars()
        .take(128)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    match name.is_empty() {
        true => "workflows/unsaved".to_owned(),
        false => format!("workflows/{name}"),
    }
}

/// The folder, made if need be; not one that a link leads to.
fn own_folder(workspace: &Workspace, name: &str) -> Result<PathBuf, NodeError> {
    let mut at = workspace.root().to_owned();
    for part in name.split('/') {
        at.push(part);
        make_folder(&at, name)?;
    }
    workspace.resolve(name)
}

/// Makes a folder unless it is there; several steps may do so at once.
fn make_folder(at: &Path, shown: &str) -> Result<(), NodeError> {
    let made = std::fs::create_dir(at);
    match (std::fs::symlink_metadata(at), made) {
        (Ok(found), _) if found.is_dir() => Ok(()),
        (Ok(_), _) => Err(refused(
            shown,
            "a part of it is a file or a link, not a folder",
        )),
        (Err(e), Ok(())) | (Err(_), Err(e)) => Err(refused(
            shown,
            &format!("a folder of it cannot be made: {e}"),
        )),
    }
}

fn refused(name: &str, why: &str) -> NodeError {
    let shown: String = name.chars().take(200).collect();
    NodeError::bad(
        "file_path",
        format!("`{shown}`: {why}; expected a path inside the workflow's folder"),
    )
}

/// The parts of a path, if it leads nowhere else.
fn parts(name: &str) -> Result<Vec<&str>, NodeError> {
    if name.len() > MAX_PATH {
        return Err(refused(name, &format!("it has more than {MAX_PATH} bytes")));
    }
    if name.contains(['\0', '\\']) {
        return Err(refused(name, "it holds a NUL character or a backslash"));
    }
    if name.ends_with('/') {
        return Err(refused(name, "it names a folder"));
    }
    let mut parts = Vec::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => parts.extend(part.to_str()),
            Component::CurDir => {}
            Component::ParentDir => return Err(refused(name, "it contains `..`")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(refused(name, "it is absolute"));
            }
        }
    }
    match parts.len() {
        0 => Err(refused(name, "it names no file")),
        n if n > MAX_DEPTH => Err(refused(
            name,
            &format!("it has more than {MAX_DEPTH} parts"),
        )),
        _ => Ok(parts),
    }
}

/// Writes into a file of a folder; what the folder holds then.
fn write(
    folder: &Path,
    name: &str,
    text: &[u8],
    append: bool,
    counted: Option<Usage>,
) -> Result<Usage, NodeError> {
    let parts = parts(name)?;
    let mut path = folder.to_owned();
    let before = checked_target(&mut path, &parts, name)?;
    let mut usage = match counted {
        Some(u) if u.since_bytes < RECOUNT && u.since_writes < RECOUNT_WRITES => u,
        _ => count(folder)?,
    };
    let size = text.len() as u64 + if append { before.unwrap_or(0) } else { 0 };
    if size > MAX_FILE {
        let why = format!("the file would have {size} bytes; {MAX_FILE} are allowed");
        return Err(refused(name, &why));
    }
    let bytes = (usage.bytes + size).saturating_sub(before.unwrap_or(0));
    if bytes > MAX_FOLDER {
        let why =
            format!("the workflow's files would have {bytes} bytes; {MAX_FOLDER} are allowed");
        return Err(refused(name, &why));
    }
    if before.is_none() && usage.files >= MAX_FILES {
        let why = format!("the workflow has {MAX_FILES} files; more are not allowed");
        return Err(refused(name, &why));
    }
    // Only now: what is refused leaves nothing behind.
    let mut at = folder.to_owned();
    for part in &parts[..parts.len() - 1] {
        at.push(part);
        make_folder(&at, name)?;
    }
    let failed = |e: std::io::Error| refused(name, &format!("it cannot be written: {e}"));
    let mut open = OpenOptions::new();
    match append {
        true => open.append(true).create(true),
        false => open.write(true).create(true).truncate(true),
    };
    let mut file = open.open(&path).map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    usage.bytes = bytes;
    usage.files += u64::from(before.is_none());
    usage.since_bytes += text.len() as u64;
    usage.since_writes += 1;
    Ok(usage)
}

/// Goes along a path and refuses links on it; the size of the file at its end, if there is one.
fn checked_target(
    path: &mut PathBuf,
    parts: &[&str],
    name: &str,
) -> Result<Option<u64>, NodeError> {
    for (at, part) in parts.iter().enumerate() {
        path.push(part);
        let last = at + 1 == parts.len();
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => return Err(refused(name, "a part of it is a link")),
            Ok(found) if last && found.is_file() => return Ok(Some(found.len())),
            Ok(_) if last => return Err(refused(name, "it is a folder")),
            Ok(found) if !found.is_dir() => return Err(refused(name, "a part of it is a file")),
            Ok(_) => {}
            Err(_) => {
                path.extend(&parts[at + 1..]);
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// Counts the bytes and files of a folder, as far as the bounds go.
fn count(folder: &Path) -> Result<Usage, NodeError> {
    let mut usage = Usage::default();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                left.push(entry.path());
            } else {
                usage.files += 1;
                usage.bytes += found.len();
            }
            if usage.files > MAX_FILES || left.len() as u64 > MAX_FILES {
                usage.files = usage.files.max(MAX_FILES);
                return Ok(usage);
            }
        }
    }
    Ok(usage)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use serde_json::json;

    use super::super::testing::{context_of, data, refusal};
    use super::*;

    fn place() -> (tempfile::TempDir, StepCx, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let cx = context_of(Services::none(), Some(root.path().to_owned()));
        let own = root
            .path()
            .canonicalize()
            .unwrap()
            .join("workflows/workflow");
        (root, cx, own)
    }

    #[tokio::test]
    async fn a_file_is_written_anew_or_continued_and_the_data_passes() {
        let (_root, cx, own) = place();
        let form = json!({"file_path": "a/b.txt", "mode": "w", "content": "one"});
        let out = data::<FileWriter>(form.clone(), json!({"x": 1}), &cx).await;
        assert_eq!(out, json!({"x": 1}));
        data::<FileWriter>(form, json!({}), &cx).await;
        let more = json!({"file_path": "a/b.txt", "mode": "a", "content": "two"});
        data::<FileWriter>(more, json!({}), &cx).await;
        let read = |name: &str| std::fs::read_to_string(own.join(name)).unwrap();
        assert_eq!(read("a/b.txt"), "onetwo\n");
        let form = json!({"file_path": "./c.json", "mode": "w"});
        data::<FileWriter>(form, json!({"x": [1]}), &cx).await;
        assert_eq!(read("c.json"), "{\n  \"x\": [\n    1\n  ]\n}");
    }

    #[tokio::test]
    async fn paths_that_lead_elsewhere_are_refused_and_write_nothing() {
        let (root, cx, own) = place();
        let outside = tempfile::tempdir().unwrap();
        let form = |path: &str| json!({"file_path": path, "mode": "w", "content": "x"});
        data::<FileWriter>(form("there.txt"), json!({}), &cx).await;
        std::os::unix::fs::symlink(outside.path(), own.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("f"), own.join("file")).unwrap();
        for (path, why) in [
            ("../../x", "`..`"),
            ("a/../../x", "`..`"),
            ("/abs/x", "absolute"),
            ("link/x", "link"),
            ("file", "link"),
            ("there.txt/x", "file"),
            ("new/", "folder"),
            (".", "no file"),
            ("a\\b", "backslash"),
            ("a\0b", "NUL"),
        ] {
            let said = refusal::<FileWriter>(form(path), json!({}), &cx).await;
            assert!(
                said.contains("`file_path`") && said.contains(why),
                "{path:?}: {said}"
            );
        }
        let long = "a/".repeat(20) + "b";
        let said = refusal::<FileWriter>(form(&long), json!({}), &cx).await;
        assert!(said.contains("parts"), "{said}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(&own).unwrap().count(), 3);
    }

    #[test]
    fn files_and_folders_have_bounds() {
        let root = tempfile::tempdir().unwrap();
        let said = |name: &str, text: &[u8], usage: Usage| match write(
            root.path(),
            name,
            text,
            true,
            Some(usage),
        ) {
            Ok(_) => panic!("{name} was written"),
            Err(e) => e.to_string(),
        };
        let large = vec![b'x'; (MAX_FILE + 1) as usize];
        assert!(said("a", &large, Usage::default()).contains("the file would have"));
        let full = Usage {
            bytes: MAX_FOLDER,
            ..Usage::default()
        };
        assert!(said("a/b", b"x", full).contains("the workflow's files would have"));
        let many = Usage {
            files: MAX_FILES,
            ..Usage::default()
        };
        assert!(said("a", b"x", many).contains("files"));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);

        let stale = Usage {
            bytes: MAX_FOLDER,
            since_bytes: RECOUNT,
            ..Usage::default()
        };
        let usage = write(root.path(), "a", b"xyz", false, Some(stale)).unwrap();
        assert_eq!((usage.bytes, usage.files), (3, 1), "it was counted again");
        let usage = write(root.path(), "a", b"x", false, Some(usage)).unwrap();
        assert_eq!((usage.bytes, usage.files), (1, 1));
    }

    #[test]
    fn each_workflow_has_a_folder_of_its_own() {
        assert_eq!(folder_name("a-1"), "workflows/a-1");
        assert_eq!(folder_name("../x"), "workflows/___x");
        assert_eq!(folder_name(""), "workflows/unsaved");
    }
}
