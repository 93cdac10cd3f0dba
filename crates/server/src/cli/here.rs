//! The server inside a command: the routes of `nodetool serve` over the data folder, on an address of this machine
//! that only this command knows, for as long as the command runs.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nodetool_store::{Options, Store};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::folder;
use super::house::{self, House};
use crate::config::{AuthProvider, Config, Mode, private_folder};
use crate::extensions::Extension;
use crate::http::Extent;
use crate::listener::{self, Limits, Port, Proxies};
use crate::services::Ledger;
use crate::services::downloads::DownloadService;
use crate::services::{BrowserService, ChatService, JobService, TriggerService};
use crate::surfaces::Families;
use crate::ws::Sockets;

/// Time that jobs and connections get to end with the command.
const GRACE: Duration = Duration::from_secs(2);
/// How long a process that has the folder gets to say where it listens, or to let it go: it may be starting, or be a
/// command like this one.
const STARTING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// A server in this process.
pub(super) struct Here {
    jobs: JobService,
    chat: ChatService,
    triggers: TriggerService,
    sockets: Sockets,
    downloads: DownloadService,
    browsers: BrowserService,
    ledger: Ledger,
    store: Store,
    serving: JoinSet<()>,
    stop: oneshot::Sender<()>,
    // Let go last.
    _owned: std::fs::File,
}

/// Where a data folder is served.
pub(super) enum Place {
    /// By this process now.
    Here(String, Box<Here>),
    /// By another process, at this address.
    There(String),
}

/// Finds the server of a data folder, or becomes it.
pub(super) async fn place(config: Config, extensions: Vec<Extension>) -> anyhow::Result<Place> {
    private_folder(&config.data_dir)?;
    let since = Instant::now();
    let owned = loop {
        if let Some(owned) = folder::own(&config.data_dir)? {
            break owned;
        }
        if let Some(address) = folder::announced(&config.data_dir) {
            return Ok(Place::There(address));
        }
        if since.elapsed() > STARTING {
            bail!(
                "a server is using this data folder ({}); pass --api-url http://…",
                config.data_dir.display()
            );
        }
        tokio::time::sleep(AGAIN).await;
    };
    private_folder(&config.workspace())?;
    let config = Config {
        static_folder: std::path::PathBuf::new(),
        disable_docs: true,
        // Whoever has the folder has everything in it.
        mode: Mode::Desktop,
        auth_provider: AuthProvider::None,
        ..config
    };
    let extent = Extent {
        families: Families {
            mcp: true,
            ..Families::of(config.mode)
        },
        front: house::front(&config, &extensions)?,
        extensions,
    };
    let store =
        Store::open(&config.database(), Options::default()).context("cannot open the database")?;
    // Jobs an earlier process left behind wait for the next server: they would not outlive this command.
    let House {
        router,
        jobs,
        loops: _,
        chat,
        triggers,
        sockets,
        assets: _,
        changes: _,
        downloads,
        oauth: _,
        browsers,
        ledger,
    } = house::house(&config, &store, Instant::now(), extent, Vec::new())?;
    let (port, address) = Port::inside().await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = listener::serve(
        vec![port],
        router,
        Limits::of(&config),
        Proxies::default(),
        async move {
            // A sender that has gone means the same.
            let _ = stopped.await;
        },
    );
    let mut serving = JoinSet::new();
    serving.spawn(server);
    let here = Here {
        jobs,
        chat,
        triggers,
        sockets,
        downloads,
        browsers,
        ledger,
        store,
        serving,
        stop,
        _owned: owned,
    };
    Ok(Place::Here(format!("http://{address}"), Box::new(here)))
}

impl Here {
    /// Ends it. Jobs still at work note how far they are, for the next server.
    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        // The server may have ended by itself.
        let _ = self.stop.send(());
        self.sockets.close_all();
        self.triggers.shut_down().await;
        self.downloads.shut_down(GRACE).await;
        self.chat.shut_down(GRACE).await;
        self.jobs.shut_down(GRACE).await;
        self.sockets.closed(GRACE).await;
        if tokio::time::timeout(GRACE, self.serving.join_next())
            .await
            .is_err()
        {
            self.serving.shutdown().await;
        }
        self.browsers.shut_down(GRACE).await;
        self.ledger.closed().await;
        self.store.close().await?;
        Ok(())
    }
}
