//! The child's two pipes, unbuffered, so that a request which arrives during a turn stays visible in the pipe.
//! It must not know what is said.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::super::wire::{self, FrameError, Reply};

/// Where replies go.
#[derive(Debug)]
pub(super) struct Link {
    output: File,
}

/// The input and the way back.
pub(super) fn open() -> io::Result<(File, Link)> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok((input, Link { output }))
}

impl Link {
    pub(super) fn send(&self, reply: &Reply) -> Result<(), FrameError> {
        Ok((&self.output).write_all(&wire::encode(reply)?)?)
    }
}
