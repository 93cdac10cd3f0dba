//! A command of the built program, run to its end.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::wire::server::program;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    pub(super) fn of(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    /// The one JSON value on stdout of a command that succeeded.
    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// What a command that was used wrongly said, without its first word.
    #[track_caller]
    pub(super) fn refused(&self) -> &str {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let told = self.stderr.trim_end();
        told.strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Runs `nodetool` with arguments.
pub(super) fn nodetool(arguments: &[&str]) -> Ended {
    Ended::of(
        program()
            .args(arguments)
            .output()
            .expect("the program runs"),
    )
}

/// Runs `nodetool` with arguments and something to read.
pub(super) fn nodetool_reading(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("its standard input");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may refuse before it has read everything.
            let _ = stdin.write_all(input);
        });
        Ended::of(child.wait_with_output().expect("the program ends"))
    })
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}
