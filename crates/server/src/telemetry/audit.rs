//! The audit log: one JSON line for each event that matters to whoever has to know who did what.
//!
//! Whoever causes an event hands its line to a thread of the log and goes on. When the disk does not keep up and the
//! room for lines is full, causing another event waits: a flood of refused tokens is slowed down instead of hiding what
//! else happened. A disk that hangs must not hang the server, though: after [`PATIENCE`] lines are counted instead of
//! kept, and the count is written as `audit.lost` as soon as that is possible.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::AUDIT;
use crate::config::private_folder;
use crate::services::{TimeText, metrics};

/// Lines that may wait to be written.
const ROOM: usize = 8192;
/// How long an event may wait for room.
const PATIENCE: Duration = Duration::from_secs(1);
/// Size from which on a file is put aside.
const FILE_BYTES: u64 = 16 << 20;
/// Files put aside that are kept.
const KEPT: u32 = 8;
/// Longest text of one field.
const TEXT: usize = 1024;

/// The log, and the thread that writes it.
pub(crate) struct AuditLog {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl AuditLog {
    /// Opens the log, creating its file and folder if absent.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let files = Files::open(path, FILE_BYTES)?;
        let queue = Arc::new(Queue::default());
        let lines = queue.clone();
        let thread = std::thread::Builder::new()
            .name("audit-log".into())
            .spawn(move || write(&lines, files))?;
        Ok(AuditLog { queue, thread })
    }

    /// What hears of the events.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let wanted = FilterFn::new(|m: &tracing::Metadata<'_>| {
            m.target() == AUDIT || (m.is_span() && m.name() == "request")
        });
        Listener(self.queue.clone()).with_filter(wanted.with_max_level_hint(LevelFilter::INFO))
    }

    /// Writes what waits and ends the thread.
    pub(super) fn close(self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        // What went wrong in the thread has been logged.
        let _ = self.thread.join();
    }
}

/// Lines on their way to the file.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    lost: u64,
    /// Somebody has waited in vain since lines were last taken.
    stalled: bool,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: Vec<u8>, patience: Duration) {
        let mut state = self.lock();
        if state.lines.len() >= ROOM && !state.stalled {
            let full = |state: &mut State| state.lines.len() >= ROOM && !state.closed;
            let waited = self.changed.wait_timeout_while(state, patience, full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closed {
            return;
        }
        if state.lines.len() >= ROOM {
            state.stalled = true;
            state.lost += 1;
            return;
        }
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// The lines that wait and how many were lost; nothing once the log is closed and everything was taken.
    fn take(&self) -> Option<(VecDeque<Vec<u8>>, u64)> {
        let idle = |state: &mut State| state.lines.is_empty() && state.lost == 0 && !state.closed;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.lines.is_empty() && state.lost == 0 {
            return None;
        }
        state.stalled = false;
        let taken = (
            std::mem::take(&mut state.lines),
            std::mem::take(&mut state.lost),
        );
        drop(state);
        self.changed.notify_all();
        Some(taken)
    }
}

/// Writes lines until the log is closed.
fn write(queue: &Queue, mut files: Files) {
    let mut lost = 0;
    let mut failing = false;
    while let Some((lines, more)) = queue.take() {
        lost += more;
        let mut written = Ok(());
        if lost > 0 {
            let told = line("audit.lost", None, [("count".to_owned(), lost.into())]);
            written = files.append(&told);
            if written.is_ok() {
                lost = 0;
            }
        }
        for line in &lines {
            if written.is_ok() {
                written = files.append(line);
            }
            if written.is_err() {
                lost += 1;
            }
        }
        match written {
            Ok(()) => failing = false,
            Err(e) if !failing => {
                failing = true;
                tracing::error!(error = %e, "the audit log cannot be written; events are lost until it can");
            }
            Err(_) => {}
        }
    }
    if let Err(e) = files.file.sync_data() {
        tracing::error!(error = %e, "the end of the audit log may not be on disk");
    }
}

/// The file lines go to, and those put aside: `NAME.1` is the newest of them.
struct Files {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl Files {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        let about = file.metadata()?;
        if about.is_file() && about.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(Files {
            path: path.to_owned(),
            size: about.len(),
            file,
            limit,
        })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.limit {
            self.put_aside()?;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let named = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        for n in (1..KEPT).rev() {
            match std::fs::rename(named(n), named(n + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        self.file.sync_data()?;
        std::fs::rename(&self.path, named(1))?;
        *self = Files::open(&self.path, self.limit)?;
        Ok(())
    }
}

/// Who asked for what is going on.
#[derive(Clone, Default, Serialize)]
struct Asker {
    #[serde(rename = "request_id")]
    request: Option<String>,
    #[serde(rename = "user_id")]
    user: Option<String>,
    #[serde(rename = "client_address")]
    client: Option<String>,
}

impl Visit for Asker {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let place = match field.name() {
            "request.id" => &mut self.request,
            "user.id" => &mut self.user,
            "client.address" => &mut self.client,
            _ => return,
        };
        *place = Some(short(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// The fields of an event.
#[derive(Default)]
struct Told {
    event: String,
    user: Option<String>,
    fields: serde_json::Map<String, Value>,
}

impl Told {
    fn note(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("event", Value::String(text)) => self.event = text,
            ("user.id", Value::String(text)) => self.user = Some(text),
            (name, value) => {
                self.fields.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.note(field, short(format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, short(value.to_owned()).into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }
}

/// A text that is not too long for a line.
fn short(mut text: String) -> String {
    if text.len() > TEXT {
        let end = text.floor_char_boundary(TEXT);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// One line of the log.
fn line(
    event: &str,
    asker: Option<Asker>,
    fields: impl IntoIterator<Item = (String, Value)>,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        time: TimeText,
        event: &'a str,
        #[serde(flatten)]
        asker: Asker,
        fields: serde_json::Map<String, Value>,
    }
    let line = Line {
        time: TimeText(nodetool_store::now_micros()),
        event,
        asker: asker.unwrap_or_default(),
        fields: fields.into_iter().collect(),
    };
    // Texts and numbers can always be written.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Hears of events, and of the requests they belong to.
struct Listener(Arc<Queue>);

impl<S> Layer<S> for Listener
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut asker = Asker::default();
            attributes.record(&mut asker);
            span.extensions_mut().insert(asker);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(asker) = span.extensions_mut().get_mut::<Asker>()
        {
            values.record(asker);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != AUDIT {
            return;
        }
        let mut told = Told::default();
        event.record(&mut told);
        let mut asker = Asker::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Asker>() {
                asker = known.clone();
            }
        }
        if told.user.is_some() {
            asker.user = told.user;
        }
        metrics().audited(&told.event);
        self.0
            .push(line(&told.event, Some(asker), told.fields), PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|l| serde_json::from_str(l).unwrap());
        lines.collect()
    }

    #[test]
    fn an_event_is_a_line_that_says_who_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        let collected = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(collected, || {
            let request = tracing::error_span!(
                "request",
                request.id = "r1",
                client.address = "192.0.2.1",
                user.id = tracing::field::Empty
            );
            request.record("user.id", "7");
            request.in_scope(|| {
                let job = tracing::error_span!("job", job.id = "j");
                job.in_scope(|| tracing::info!(target: "audit", event = "secret.read", key = "A\n\"B", times = 2));
            });
            tracing::info!(target: "audit", event = "token.refused", user.id = %"9");
            tracing::info!(event = "other", "not for this log");
        });
        log.close();
        let [read, refused] = &lines(&path)[..] else {
            panic!("two lines")
        };
        let known = ["event", "request_id", "user_id", "client_address"].map(|k| read[k].clone());
        assert_eq!(known, ["secret.read", "r1", "7", "192.0.2.1"]);
        assert_eq!(
            read["fields"],
            serde_json::json!({ "key": "A\n\"B", "times": 2 })
        );
        assert!(read["time"].as_str().unwrap().ends_with("+00:00"), "{read}");
        assert_eq!(
            (&refused["user_id"], &refused["request_id"]),
            (&"9".into(), &Value::Null)
        );
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut files = Files::open(&path, 10).unwrap();
        for n in 0..12 {
            files.append(format!("line {n:02}\n").as_bytes()).unwrap();
        }
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text("a"), "line 11\n");
        assert_eq!(
            (text("a.1"), text("a.8")),
            ("line 10\n".into(), "line 03\n".into())
        );
        assert!(!folder.path().join("a.9").exists());
    }

    #[test]
    fn what_a_hanging_disk_loses_is_counted() {
        let queue = Queue::default();
        for n in 0..ROOM + 3 {
            queue.push(vec![n as u8], Duration::from_millis(1));
        }
        let (taken, lost) = queue.take().unwrap();
        assert_eq!((taken.len(), lost), (ROOM, 3));
        queue.push(vec![1], PATIENCE);
        queue.lock().closed = true;
        assert_eq!(queue.take().map(|(l, lost)| (l.len(), lost)), Some((1, 0)));
        assert!(queue.take().is_none());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = short("ä".repeat(2000));
        assert!(cut.len() <= TEXT + '…'.len_utf8() && cut.ends_with("ä…"));
    }
}
