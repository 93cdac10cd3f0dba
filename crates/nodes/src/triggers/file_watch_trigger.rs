//! `nodetool.triggers.FileWatchTrigger`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, Value};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::event::{Delivered, most_events, now, seconds};
use super::folder_watch::{EVENTS, FolderWatch, Seen, WatchSettings};
use super::snapshot::Change;

/// How often the folder is looked at.
const PAUSE: Duration = Duration::from_millis(250);
/// A look that takes long is followed by a rest this many times as long.
const REST: u32 = 10;

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
        let settings = WatchSettings {
            path: self.path,
            recursive: self.recursive,
            patterns: self.patterns,
            ignore_patterns: self.ignore_patterns,
            events: self.events,
        };
        let watch = FolderWatch::open(&cx.workspace()?, &settings)
            .map_err(|(property, why)| NodeError::bad(property, why))?;
        let watch = Arc::new(watch);
        let mut quiet = Quiet::new(debounce);
        let (mut before, _) = look(&watch, Seen::default()).await?;
        let (mut sent, mut pause) = (0u64, PAUSE);
        loop {
            sleep(pause).await;
            let begin = Instant::now();
            let (after, changes) = look(&watch, before).await?;
            pause = PAUSE.max(begin.elapsed() * REST);
            before = after;
            quiet.forget();
            for change in changes {
                if !quiet.may_tell(&change.path) {
                    continue;
                }
                out.emit(FileEvent {
                    event: change.event.into(),
                    path: change.path,
                    dest_path: change.dest_path.unwrap_or_default(),
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

/// The folder now, and what happened since `before` that is to be told.
async fn look(watch: &Arc<FolderWatch>, before: Seen) -> Result<(Seen, Vec<Change>), NodeError> {
    let watch = watch.clone();
    let looking = spawn_blocking(move || {
        let now = watch.look()?;
        let changes = watch.changes(&before, &now);
        Ok((now, changes))
    });
    match looking.await {
        Ok(result) => result.map_err(|why: String| NodeError::bad("path", why)),
        Err(_) => Err(NodeError::new("Looking at the folder was interrupted")),
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
    use std::path::Path;

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
