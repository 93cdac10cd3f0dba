//! Programs of the machine as nodes see them: a few that are known by name, each run in a folder of its own, with an
//! empty environment and bounds on memory, processor time and files. It must not know what they are run for.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use nodetool_sdk::programs::{ProgramRun, Programs, RunningProgram};
use nodetool_sdk::{BoxFuture, NodeError};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What may be run.
const KNOWN: [&str; 1] = ["ffmpeg"];
/// How many are at work at a time.
const AT_A_TIME: usize = 8;
/// How long a program may let wait, and how long it waits for its turn.
const PATIENCE: Duration = Duration::from_secs(600);
/// Largest file a program may write or leave.
const MAX_FILE: u64 = 512 << 20;
/// Most memory a program may reserve.
#[cfg(target_os = "linux")]
const MAX_MEMORY: u64 = 8 << 30;
/// Most processor seconds.
#[cfg(target_os = "linux")]
const MAX_SECONDS: u64 = 1800;
/// Bytes read at once.
const PIECE: usize = 64 << 10;
/// Most bytes of a program's last words.
const MAX_WORDS: usize = 2000;

/// The programs that are found in the folders of a search path.
pub(crate) struct MachinePrograms {
    search_path: OsString,
    turns: Arc<Semaphore>,
}

impl MachinePrograms {
    /// Programs of the folders that a variable such as PATH names.
    pub(crate) fn new(search_path: OsString) -> Self {
        MachinePrograms {
            search_path,
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.search_path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program))
            .find(|path| is_program(path))
    }

    async fn launch(&self, run: ProgramRun) -> Result<Running, NodeError> {
        let program = run.program;
        if !KNOWN.contains(&program) {
            let message = format!("The program {program} is none that nodes may have run");
            return Err(NodeError::new(message));
        }
        let Some(path) = self.find(program) else {
            let message = format!(
                "This node needs the program {program}, and it is not installed on this machine (expected it in a \
                 folder of PATH)"
            );
            return Err(NodeError::new(message));
        };
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let message =
                format!("{AT_A_TIME} programs are at work; there was no turn for {program}");
            return Err(NodeError::new(message));
        };
        let failed =
            move |e: io::Error| NodeError::new(format!("{program} cannot be started: {e}"));
        let prepared = tokio::task::spawn_blocking(move || prepare(&run).map(|p| (run, p))).await;
        let (run, (folder, words)) = prepared.map_err(|_| NodeError::Stopped)?.map_err(failed)?;
        let mut command = Command::new(path);
        command
            .args(&run.args)
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(words)
            .kill_on_drop(true);
        // A keyboard interrupt is for the server, which then ends its children itself.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        bound(&child).map_err(failed)?;
        Ok(Running {
            stdout: child.stdout.take(),
            child,
            program,
            folder,
            results: run.results,
            _turn: turn,
        })
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// A folder with the files of a run, and where the program's words go.
fn prepare(run: &ProgramRun) -> io::Result<(TempDir, File)> {
    let folder = tempfile::Builder::new()
        .prefix("nodetool-program-")
        .tempdir()?;
    for (name, data) in &run.files {
        fs::write(place(&folder, name)?, data)?;
    }
    let words = File::create_new(folder.path().join(WORDS))?;
    Ok((folder, words))
}

/// Where what a program says of itself is kept; no file of a run is called so.
const WORDS: &str = ".words";

/// The path of a plain name in the folder.
fn place(folder: &TempDir, name: &str) -> io::Result<PathBuf> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name != WORDS => Ok(folder.path().join(name)),
        _ => Err(io::Error::other(format!("{name:?} is no plain file name"))),
    }
}

/// Bounds what a program that has just been started may use.
#[cfg(target_os = "linux")]
fn bound(child: &Child) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let id = child.id().and_then(|id| i32::try_from(id).ok());
    // One that has ended already needs no bounds.
    let Some(pid) = id.and_then(Pid::from_raw) else {
        return Ok(());
    };
    for (resource, most) in [
        (Resource::As, MAX_MEMORY),
        (Resource::Cpu, MAX_SECONDS),
        (Resource::Fsize, MAX_FILE),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        match prlimit(Some(pid), resource, limit) {
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            // The machine's own bound may be lower still.
            Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn bound(_: &Child) -> io::Result<()> {
    Ok(())
}

impl Programs for MachinePrograms {
    fn start<'a>(
        &'a self,
        run: ProgramRun,
    ) -> BoxFuture<'a, Result<Box<dyn RunningProgram>, NodeError>> {
        Box::pin(async move {
            let running: Box<dyn RunningProgram> = Box::new(self.launch(run).await?);
            Ok(running)
        })
    }
}

/// Ends the program, then takes its folder away.
struct Running {
    child: Child,
    stdout: Option<ChildStdout>,
    program: &'static str,
    results: Vec<String>,
    folder: TempDir,
    _turn: OwnedSemaphorePermit,
}

impl Running {
    async fn piece(&mut self) -> Result<Option<Bytes>, NodeError> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(None);
        };
        let mut piece = BytesMut::with_capacity(PIECE);
        match timeout(PATIENCE, stdout.read_buf(&mut piece)).await {
            Ok(Ok(0)) => {
                self.stdout = None;
                Ok(None)
            }
            Ok(Ok(_)) => Ok(Some(piece.freeze())),
            Ok(Err(e)) => Err(NodeError::new(format!("{}: {e}", self.program))),
            Err(_) => Err(self.too_slow()),
        }
    }

    async fn end(&mut self) -> Result<Vec<Bytes>, NodeError> {
        while self.piece().await?.is_some() {}
        let Ok(status) = timeout(PATIENCE, self.child.wait()).await else {
            return Err(self.too_slow());
        };
        let status = status?;
        if !status.success() {
            let words = last_words(&self.folder.path().join(WORDS));
            let message = format!("{} failed ({status}): {words}", self.program);
            return Err(NodeError::new(message));
        }
        let paths: io::Result<Vec<PathBuf>> = self
            .results
            .iter()
            .map(|n| place(&self.folder, n))
            .collect();
        let (program, paths) = (self.program, paths?);
        let read = move || paths.iter().map(|path| result(program, path)).collect();
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|_| NodeError::Stopped)?
    }

    fn too_slow(&self) -> NodeError {
        let (program, seconds) = (self.program, PATIENCE.as_secs());
        NodeError::new(format!("{program} gave nothing for {seconds} seconds"))
    }
}

impl RunningProgram for Running {
    fn read<'a>(&'a mut self) -> BoxFuture<'a, Result<Option<Bytes>, NodeError>> {
        Box::pin(self.piece())
    }

    fn finish<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Bytes>, NodeError>> {
        Box::pin(self.end())
    }
}

/// A file a program has left.
fn result(program: &str, path: &Path) -> Result<Bytes, NodeError> {
    let size = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file);
    match size.map(|m| m.len()) {
        None => Err(NodeError::new(format!("{program} left no result"))),
        Some(size) if size > MAX_FILE => {
            let message = format!("{program} left {size} bytes (expected at most {MAX_FILE})");
            Err(NodeError::new(message))
        }
        Some(_) => Ok(fs::read(path)?.into()),
    }
}

/// The end of what a program said.
fn last_words(path: &Path) -> String {
    let said = fs::read(path).unwrap_or_default();
    let end = &said[said.len().saturating_sub(MAX_WORDS)..];
    String::from_utf8_lossy(end).trim().to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A search path with a program called ffmpeg that is this shell script.
    fn with(script: &str) -> (TempDir, MachinePrograms) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = MachinePrograms::new(folder.path().into());
        (folder, programs)
    }

    fn run(args: &[&str], results: &[&str]) -> ProgramRun {
        ProgramRun {
            program: "ffmpeg",
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            files: vec![("in".into(), Bytes::from_static(b"given"))],
            results: results.iter().map(|r| (*r).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn a_program_reads_its_files_prints_and_leaves_results() {
        let (_folder, programs) = with("read text < in || :; echo \"$1 $text\"; echo made > out");
        let mut running = programs.start(run(&["-x"], &["out"])).await.unwrap();
        let mut printed = Vec::new();
        while let Some(piece) = running.read().await.unwrap() {
            printed.extend_from_slice(&piece);
        }
        assert_eq!(String::from_utf8_lossy(&printed), "-x given\n");
        assert_eq!(
            running.finish().await.unwrap(),
            [Bytes::from_static(b"made\n")]
        );
    }

    #[tokio::test]
    async fn a_program_that_fails_or_leaves_nothing_is_an_error_with_its_words() {
        let (_folder, programs) = with("echo 'no such codec' >&2; exit 3");
        let mut running = programs.start(run(&[], &[])).await.unwrap();
        let failed = running.finish().await.unwrap_err().to_string();
        assert!(
            failed.contains("no such codec") && failed.contains('3'),
            "{failed}"
        );
        let (_folder, programs) = with(":");
        let mut running = programs.start(run(&[], &["out"])).await.unwrap();
        let failed = running.finish().await.unwrap_err().to_string();
        assert_eq!(failed, "ffmpeg left no result");
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_known_is_named() {
        let nowhere = MachinePrograms::new("/nonexistent:relative".into());
        let refused = nowhere
            .start(run(&[], &[]))
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.starts_with("This node needs the program ffmpeg"),
            "{refused}"
        );
        let other = ProgramRun {
            program: "sh",
            ..run(&[], &[])
        };
        let refused = nowhere.start(other).await.err().unwrap().to_string();
        assert!(refused.contains("The program sh"), "{refused}");
    }

    #[tokio::test]
    async fn names_that_lead_out_of_the_folder_are_refused() {
        let (_folder, programs) = with(":");
        for name in ["../x", "/etc/x", "a/b", "", ".words"] {
            let mut bad = run(&[], &[]);
            bad.files[0].0 = name.into();
            let refused = programs.start(bad).await.err().unwrap().to_string();
            assert!(refused.contains("no plain file name"), "{name}: {refused}");
        }
    }
}
