//! Programs of the machine that nodes have run, each time in a folder of its own. A trait, because the server runs them
//! and nodes must not.

use bytes::Bytes;

use crate::services::{Absent, absent};
use crate::{BoxFuture, NodeError};

/// One run of a program.
#[derive(Clone, Debug)]
pub struct ProgramRun {
    /// Which program, by the name it is installed under.
    pub program: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// Files that lie in its folder when it starts: plain names and what is in them.
    pub files: Vec<(String, Bytes)>,
    /// Names of files that it leaves there.
    pub results: Vec<String>,
}

/// Runs programs with bounds on time, memory and what they write. Only programs the server knows are run.
pub trait Programs: Send + Sync {
    /// Starts a program; fails with the name of the program when it is not installed.
    fn start<'a>(
        &'a self,
        run: ProgramRun,
    ) -> BoxFuture<'a, Result<Box<dyn RunningProgram>, NodeError>>;
}

/// A program at work; it is ended when this is dropped.
pub trait RunningProgram: Send {
    /// The next piece of what it prints; `None` at the end. The program waits while nobody reads.
    fn read<'a>(&'a mut self) -> BoxFuture<'a, Result<Option<Bytes>, NodeError>>;
    /// Waits for its end and gives the files it leaves, in the order they were named. What it still prints is dropped.
    /// A program that fails is an error with its last words.
    fn finish<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Bytes>, NodeError>>;
}

impl Programs for Absent {
    fn start<'a>(
        &'a self,
        _: ProgramRun,
    ) -> BoxFuture<'a, Result<Box<dyn RunningProgram>, NodeError>> {
        absent("Running programs")
    }
}
