//! What can go wrong with a script, in words for the person who wrote it. It must not know nodes or runs.

use std::time::Duration;

/// Why a script gave no result.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The script itself is wrong or threw.
    #[error("{0}")]
    Script(String),
    /// The script used up its time.
    #[error("The script ran longer than {} s (timeout).", .0.as_secs_f64())]
    Timeout(Duration),
    /// The script used up its memory.
    #[error("The script used more than its {} MiB of memory.", .limit.div_ceil(1 << 20))]
    Memory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The script gave more than may leave it.
    #[error("The script gave more than the allowed {limit} bytes.")]
    Output {
        /// The limit in bytes.
        limit: u64,
    },
    /// What goes into the script is too large or nested too deeply.
    #[error("{0}")]
    Input(String),
    /// The script waits for a promise that nothing can settle.
    #[error("The script never ends: it waits for a promise that nothing settles.")]
    Stuck,
    /// The process died while it ran this script.
    #[error("The script's process ended: {0}.")]
    Died(String),
    /// The process that held this script's `state` is gone, through no fault of this script.
    #[error("The script's `state` is lost, because the process that held it ended: {0}.")]
    Lost(String),
    /// An earlier call of this session ended in a way that leaves nothing to continue with.
    #[error("The script was ended by an earlier call: {0}")]
    Ended(String),
    /// No process could be started.
    #[error("No process for scripts could be started from `{program}`: {reason}.")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The pool has been closed.
    #[error("Scripts are no longer run: the server is closing.")]
    Closed,
}
