//! The child processes for scripts: how many there are, which one takes the next turn, and when they go.
//!
//! It must not know what a turn says; sessions and expressions build on it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodetool_protocol::Value;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::error::SandboxError;
use super::expression::Expression;
use super::seat::{Seat, Tally};
use super::session::{CallLimits, Session};
use super::wire::{Confinement, Limits};

/// Room for messages and for the work of the packages, beside the scripts' own memory.
const HEADROOM: u64 = 192 << 20;
/// How often work that had not begun is taken to another child when its own ended.
pub(super) const ATTEMPTS: usize = 3;

/// How the pool starts and bounds its children.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that becomes a child; by default this one.
    pub program: PathBuf,
    /// Its arguments; by default the hidden subcommand.
    pub args: Vec<OsString>,
    /// The whole of its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How many children there may be.
    pub max_children: usize,
    /// Interpreter memory of one script or expression.
    pub memory_bytes: u64,
    /// How long a child without work and without sessions stays.
    pub idle_timeout: Duration,
    /// How long one batch of an expression may run.
    pub expression_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            program: own_program(),
            args: vec!["__sandbox".into()],
            environment: Vec::new(),
            max_children: 2,
            memory_bytes: 128 << 20,
            idle_timeout: Duration::from_secs(60),
            expression_timeout: Duration::from_secs(10),
        }
    }
}

/// On Linux by way of the kernel, which still finds the program after its file was replaced.
fn own_program() -> PathBuf {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        return own.to_path_buf();
    }
    std::env::current_exe().unwrap_or_else(|_| "nodetool".into())
}

/// The children that run scripts; a clone is another handle on the same ones, and the last handle ends them.
#[derive(Debug, Clone)]
pub struct SandboxPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: PoolOptions,
    roster: Arc<Roster>,
    next_id: AtomicU64,
}

/// The children alive, and the tasks that own them; dropping a task kills its child.
#[derive(Debug, Default)]
pub(super) struct Roster {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seats: Vec<Arc<Seat>>,
    tasks: JoinSet<()>,
    started: u64,
    closed: bool,
    confinement: Option<Confinement>,
}

impl SandboxPool {
    /// A pool; children start when there is work.
    pub fn new(options: PoolOptions) -> Self {
        let inner = Inner {
            options,
            roster: Arc::default(),
            next_id: AtomicU64::new(1),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Evaluates one JavaScript expression for each item, with `item` and `index` in scope. An expression that throws
    /// gives an error text for that item only. Nothing an expression does outlives the batch.
    pub async fn eval_items(
        &self,
        expression: &str,
        items: Vec<Value>,
    ) -> Result<Vec<Result<Value, String>>, SandboxError> {
        Expression::fleeting(self.clone(), expression)
            .eval(items)
            .await
    }

    /// An expression that is met again and again, such as the predicate of one node in one run: it is compiled once.
    pub fn expression(&self, expression: &str) -> Expression {
        Expression::lasting(self.clone(), self.next_id(), expression)
    }

    /// Opens a script, which holds one `state` object across its calls. Wrong code and unknown packages fail here.
    pub async fn session(
        &self,
        code: &str,
        packages: Vec<String>,
        limits: CallLimits,
    ) -> Result<Session, SandboxError> {
        Session::open(self.clone(), code.to_owned(), packages, limits).await
    }

    /// How many children have been started so far.
    pub fn started(&self) -> u64 {
        self.inner.roster.lock().started
    }

    /// How many children there are now.
    pub fn children(&self) -> usize {
        self.inner.roster.lock().seats.len()
    }

    /// Which protections the newest child reported; nothing before the first.
    pub fn confinement(&self) -> Option<Confinement> {
        self.inner.roster.lock().confinement
    }

    /// Ends all children; calls under way and later ones fail.
    pub fn close(&self) {
        let mut state = self.inner.roster.lock();
        state.closed = true;
        state.tasks.abort_all();
        state.seats.clear();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.roster.lock().closed
    }

    pub(super) fn next_id(&self) -> u64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn options(&self) -> &PoolOptions {
        &self.inner.options
    }

    pub(super) fn limits(&self, time: Option<Duration>, memory: u64, output: u64) -> Limits {
        let millis = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1));
        Limits {
            millis,
            memory: memory.min(self.inner.options.memory_bytes),
            output,
        }
    }

    /// The child to take the next turn: an idle one, a new one, or the one with the shortest queue.
    pub(super) fn seat(&self) -> Result<Arc<Seat>, SandboxError> {
        self.choose(|tally| tally.turns.load(Ordering::Relaxed))
    }

    /// The child to hold the next session: the one with the fewest, for they share its fate and its processor.
    pub(super) fn seat_for_session(&self) -> Result<Arc<Seat>, SandboxError> {
        let load = |tally: &Tally| {
            tally.sessions.load(Ordering::Relaxed) + tally.turns.load(Ordering::Relaxed)
        };
        let seat = self.choose(load)?;
        seat.tally.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(seat)
    }

    fn choose(&self, load: impl Fn(&Tally) -> usize) -> Result<Arc<Seat>, SandboxError> {
        let mut state = self.inner.roster.lock();
        if state.closed {
            return Err(SandboxError::Closed);
        }
        // A runtime that ended took its tasks along before they could say so.
        state.seats.retain(|seat| !seat.has_ended());
        let best = state
            .seats
            .iter()
            .min_by_key(|seat| load(&seat.tally))
            .cloned();
        let seat = match best {
            Some(seat)
                if load(&seat.tally) == 0
                    || state.seats.len() >= self.inner.options.max_children.max(1) =>
            {
                seat
            }
            // A child too many for the system is no reason to fail while another one lives.
            best => match (self.start(&mut state), best) {
                (Ok(seat), _) | (Err(_), Some(seat)) => seat,
                (Err(error), None) => return Err(error),
            },
        };
        // Under the lock, so that the child cannot retire in between.
        seat.tally.turns.fetch_add(1, Ordering::Relaxed);
        Ok(seat)
    }

    /// Counts a turn on a child chosen before.
    pub(super) fn again(&self, seat: &Seat) -> Result<(), SandboxError> {
        let state = self.inner.roster.lock();
        if state.closed {
            return Err(SandboxError::Closed);
        }
        seat.tally.turns.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn start(&self, state: &mut State) -> Result<Arc<Seat>, SandboxError> {
        let options = &self.inner.options;
        let failed = |reason: String| SandboxError::Start {
            program: options.program.display().to_string(),
            reason,
        };
        let runtime = Handle::try_current().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(&options.program);
        command
            .args(&options.args)
            .env_clear()
            .envs(options.environment.iter().map(|(k, v)| (k, v)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // A keyboard interrupt is for the server, which then ends its children itself.
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let data = options
            .memory_bytes
            .saturating_mul(2)
            .saturating_add(HEADROOM);
        let (seat, task) = Seat::new(
            child,
            data,
            options.idle_timeout,
            Arc::downgrade(&self.inner.roster),
        );
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn_on(task, &runtime);
        state.seats.push(seat.clone());
        state.started += 1;
        Ok(seat)
    }
}

impl Roster {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a child that ended out of the choice.
    pub(super) fn remove(&self, tally: &Arc<Tally>) {
        self.lock()
            .seats
            .retain(|seat| !Arc::ptr_eq(&seat.tally, tally));
    }

    /// Takes an idle child out of the choice, unless work was given to it just now.
    pub(super) fn retire(&self, tally: &Arc<Tally>) -> bool {
        let mut state = self.lock();
        let is_idle =
            tally.turns.load(Ordering::Relaxed) == 0 && tally.sessions.load(Ordering::Relaxed) == 0;
        if is_idle {
            state.seats.retain(|seat| !Arc::ptr_eq(&seat.tally, tally));
        }
        is_idle
    }

    pub(super) fn note(&self, confinement: Confinement) {
        self.lock().confinement = Some(confinement);
    }
}
