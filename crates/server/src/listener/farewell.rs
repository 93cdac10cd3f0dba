//! The end of a connection whose client may still be sending: what it sends is read and thrown away for a moment, for
//! closing with bytes unread would take the answer away from it. It must not know what was said before.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::Permit;
use super::transport::Transport;

/// How long, and for how many bytes more, a connection waits for its client to read the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// Sees off connections that nobody serves any more. Clones share their tasks.
#[derive(Clone)]
pub(super) struct Farewells {
    tasks: TaskTracker,
    /// Connections are dropped where they end, which may be outside of the runtime.
    runtime: Handle,
    stopping: CancellationToken,
}

impl Farewells {
    /// To be made within the runtime; a stop cuts them short.
    pub(super) fn new(stopping: CancellationToken) -> Self {
        Farewells {
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            stopping,
        }
    }

    /// Sees a connection off in a task of its own. It counts as open until that is over.
    pub(super) fn see_off(&self, (transport, permit): (Transport, Permit)) {
        let stopping = self.stopping.clone();
        let farewell = async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = say(transport) => {}
            }
            drop(permit);
        };
        self.tasks.spawn_on(farewell, &self.runtime);
    }

    /// Waits until all are gone.
    pub(super) async fn over(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Ends a connection; its client has a moment for what it has not read yet.
pub(super) async fn say(transport: Transport) {
    // Whether the client takes the time or not, the connection is over.
    let _ = tokio::time::timeout(LINGER, read_on(transport)).await;
}

async fn read_on(mut transport: Transport) -> io::Result<()> {
    transport.shutdown().await?;
    let mut left = LINGER_BYTES;
    let mut bytes = vec![0; 16 << 10];
    loop {
        match transport.read(&mut bytes).await? {
            0 => return Ok(()),
            read if read >= left => return Ok(()),
            read => left -= read,
        }
    }
}
