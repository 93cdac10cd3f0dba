//! `nodetool.triggers.FileWatchTrigger`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, Value};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::event::{Delivered, most_events, now, seconds};
use super::snapshot::{Change, Snapshot};
use crate::wildcard::Wildcard;

/// How often the folder is looked at.
const PAUSE: Duration = Duration::from_millis(250);
/// A look that takes long is followed by a rest this many times as long.
const REST: u32 = 10;
const EVENTS: [&str; 4] = ["created", "modified", "deleted", "moved"];
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 1000;

/// Tells what happens to the files of a folder of the workspace.
/// file, watch, folder, directory, change, created, modified, trigger
///
/// Paths leave as the folder was given: absolute for an absolute folder, else relative to the workspace.
#[derive(Node)]
#[node(namespace = "nodetool.triggers", kind = Generate, dynamic)]
pub(super) struct FileWatchTrigger {
    /// Events until the end; 0 for no end.
    #[prop(min = 0)]
    max_events: i64,
    /// The folder.
    #[prop(default = ".")]
    path: String,
    /// Whether folders inside it are watched too.
    recursive: bool,
    /// Names to tell of, such as `*.json`.
    #[prop(default = vec![Value::from("*")])]
    patterns: Vec<String>,
    /// Names to keep quiet about.
    ignore_patterns: Vec<String>,
    /// What to tell of: created, modified, deleted, moved.
    #[prop(default = EVENTS.map(Value::from).to_vec())]
    events: Vec<String>,
    /// Seconds for which a path that was told of is kept quiet about.
    #[prop(default = 0.5, min = 0)]
    debounce_seconds: f64,
    #[prop(dynamic)]
    undeclared: Map,
}

/// One change.
#[derive(Outputs)]
pub(super) struct FileEvent {
    event: String,
    path: String,
    dest_path: String,
    is_directory: bool,
    timestamp: String,
}

impl Generate for FileWatchTrigger {
    type Output = FileEvent;

    async fn generate(
        mut self,
        out: &Emitter<'_, FileEvent>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        if let Some(mut event) = Delivered::among(std::mem::take(&mut self.undeclared))? {
            return out
                .emit(FileEvent {
                    event: event.take("event", String::new())?,
                    path: event.take("path", String::new())?,
                    dest_path: event.take("dest_path", String::new())?,
                    is_directory: event.take("is_directory", false)?,
                    timestamp: event.take("timestamp", now())?,
                })
                .await;
        }
        let most = most_events(self.max_events)?;
        let debounce = seconds("debounce_seconds", self.debounce_seconds)?;
        let (folder, shown) = self.folder(cx)?;
        let watch = Arc::new(Watch {
            folder,
            recursive: self.recursive,
            wanted: Wanted::checked(self.events, self.patterns, self.ignore_patterns)?,
        });
        let mut quiet = Quiet::new(debounce);
        let (mut before, _) = watch.look(Snapshot::default()).await?;
        let (mut sent, mut pause) = (0u64, PAUSE);
        loop {
            sleep(pause).await;
            let begin = Instant::now();
            let (after, changes) = watch.look(before).await?;
            pause = PAUSE.max(begin.elapsed() * REST);
            before = after;
            quiet.forget();
            for change in changes {
                if !quiet.may_tell(&change.path) {
                    continue;
                }
                let dest = change.dest_path.map(|path| shown.clone() + &path);
                out.emit(FileEvent {
                    event: change.event.into(),
                    path: shown.clone() + &change.path,
                    dest_path: dest.unwrap_or_default(),
                    is_directory: change.is_directory,
                    timestamp: now(),
                })
                .await?;
                sent += 1;
                if most.is_some_and(|most| sent >= most) {
                    return Ok(());
                }
            }
        }
    }
}

impl FileWatchTrigger {
    /// The folder to look at, and what its paths begin with when they are told.
    fn folder(&self, cx: &NodeCx) -> Result<(PathBuf, String), NodeError> {
        let workspace = cx.workspace()?;
        let folder = workspace.resolve(&self.path)?;
        if !folder.is_dir() {
            let why = format!("'{}' (expected a folder that exists)", self.path);
            return Err(NodeError::bad("path", why));
        }
        if Path::new(&self.path).is_absolute() {
            let shown = self.path.trim_end_matches('/').to_owned() + "/";
            return Ok((folder, shown));
        }
        let mut shown = workspace.relative(&folder);
        if !shown.is_empty() {
            shown.push('/');
        }
        Ok((folder, shown))
    }
}

/// What is looked at, and what is told of it.
struct Watch {
    folder: PathBuf,
    recursive: bool,
    wanted: Wanted,
}

impl Watch {
    /// The folder now, and what happened since `before` that is to be told.
    async fn look(
        self: &Arc<Self>,
        before: Snapshot,
    ) -> Result<(Snapshot, Vec<Change>), NodeError> {
        let watch = self.clone();
        let looking = spawn_blocking(move || {
            let now = Snapshot::take(&watch.folder, watch.recursive)?;
            let mut changes = before.changes(&now);
            changes.retain(|change| watch.wanted.takes(change));
            Ok((now, changes))
        });
        match looking.await {
            Ok(result) => result.map_err(|why: String| NodeError::bad("path", why)),
            Err(_) => Err(NodeError::new("Looking at the folder was interrupted")),
        }
    }
}

/// Which changes are told.
struct Wanted {
    events: Vec<String>,
    patterns: Vec<Wildcard>,
    ignored: Vec<Wildcard>,
}

impl Wanted {
    fn checked(
        events: Vec<String>,
        patterns: Vec<String>,
        ignored: Vec<String>,
    ) -> Result<Self, NodeError> {
        for (name, patterns) in [("patterns", &patterns), ("ignore_patterns", &ignored)] {
            if patterns.len() > MAX_PATTERNS || patterns.iter().any(|p| p.len() > MAX_PATTERN) {
                let why = format!("expected at most {MAX_PATTERNS} of {MAX_PATTERN} bytes each");
                return Err(NodeError::bad(name, why));
            }
        }
        if let Some(other) = events.iter().find(|e| !EVENTS.contains(&e.as_str())) {
            let why = format!("'{other}' (expected some of {})", EVENTS.join(", "));
            return Err(NodeError::bad("events", why));
        }
        let read = |name: &str, patterns: Vec<String>| {
            let each = patterns.iter().map(|p| Wildcard::new(p, true));
            let all: Result<Vec<_>, _> = each.collect();
            all.map_err(|why| NodeError::bad(name, why))
        };
        Ok(Wanted {
            events,
            patterns: read("patterns", patterns)?,
            ignored: read("ignore_patterns", ignored)?,
        })
    }

    fn takes(&self, change: &Change) -> bool {
        let dest = change.dest_path.as_deref();
        let any = |patterns: &[Wildcard]| {
            let paths = [Some(change.path.as_str()), dest];
            paths.into_iter().flatten().any(|path| {
                let name = path.rsplit('/').next().unwrap_or(path);
                patterns.iter().any(|p| p.matches(name) || p.matches(path))
            })
        };
        self.events.iter().any(|e| e == change.event) && any(&self.patterns) && !any(&self.ignored)
    }
}

/// Paths that were told of a short while ago.
struct Quiet {
    debounce: Duration,
    told: HashMap<String, Instant>,
}

impl Quiet {
    fn new(debounce: Duration) -> Self {
        Quiet {
            debounce,
            told: HashMap::new(),
        }
    }

    fn forget(&mut self) {
        let debounce = self.debounce;
        self.told.retain(|_, at| at.elapsed() < debounce);
    }

    fn may_tell(&mut self, path: &str) -> bool {
        if self.told.contains_key(path) {
            return false;
        }
        if !self.debounce.is_zero() {
            self.told.insert(path.to_owned(), Instant::now());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context, context_with};

    use super::*;

    fn watch(root: &Path) -> Case {
        case::<FileWatchTrigger>()
            .set("patterns", Value::list(["*.json".into()]))
            .set("max_events", 1i64)
            .within(context_with(Services::none(), Some(root.to_owned())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_file_is_told_with_the_folder_as_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("drop")).unwrap();
        for (given, want) in [
            ("./drop".to_owned(), "drop/new.json".to_owned()),
            (
                format!("{}/drop", root.display()),
                format!("{}/drop/new.json", root.display()),
            ),
        ] {
            let file = root.join("drop/new.json");
            let events = watch(&root).set("path", given).run();
            // The clock is a paused one: it goes on only while the watcher rests, so the file comes after the first look.
            let write = async {
                sleep(Duration::from_secs(1)).await;
                fs::write(root.join("drop/new.txt"), "ignored").unwrap();
                fs::write(&file, "{}").unwrap();
            };
            let (events, ()) = tokio::join!(events, write);
            let event = &events.unwrap()[0];
            assert_eq!(event["event"], "created".into());
            assert_eq!(event["path"], want.into());
            fs::remove_file(file).unwrap();
            fs::remove_file(root.join("drop/new.txt")).unwrap();
        }
    }

    #[tokio::test]
    async fn what_cannot_be_watched_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (name, value, says) in [
            ("path", "missing".into(), "`path`"),
            ("path", "../elsewhere".into(), "inside the workspace"),
            ("events", Value::list(["eaten".into()]), "`events`"),
            ("max_events", Value::Int(-1), "`max_events`"),
            (
                "debounce_seconds",
                Value::Float(f64::NAN),
                "`debounce_seconds`",
            ),
        ] {
            let error = watch(root).set(name, value).run().await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let without = case::<FileWatchTrigger>().within(context());
        let error = without.run().await.unwrap_err().to_string();
        assert!(error.contains("workspace"), "{error}");
    }
}
