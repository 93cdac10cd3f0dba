//! Jobs at a service: submitted, looked at until they are done, cancelled when nobody waits for them any more.
//!
//! It must not know any service's words for it.

use std::net::IpAddr;
use std::time::Duration;

use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::Account;

/// Looks in a row that may fail for passing reasons: what is being made is paid for already.
const MAX_MISSED: u32 = 3;
/// The longest a job that nobody waits for is followed to cancel it.
const LAST_WORDS: Duration = Duration::from_secs(120);
/// Most bytes of what a service says of a job.
const MAX_ANSWER: usize = 64 << 20;

/// How often to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Before the first look.
    pub(crate) first: Duration,
    /// At most between two looks.
    pub(crate) most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            first: Duration::from_millis(300),
            most: Duration::from_secs(5),
        }
    }
}

/// How a job is.
pub(crate) enum State {
    Running,
    Done(Value),
    /// It has ended without a result.
    Failed(ModelError),
}

/// A job a service has taken.
pub(crate) struct Submitted<T> {
    /// What it is looked at and cancelled with.
    pub(crate) ticket: T,
    pub(crate) state: State,
    /// Who answered.
    pub(crate) peer: Option<IpAddr>,
}

/// What a job has made.
pub(crate) struct Made {
    pub(crate) output: Value,
    /// Who answered when it was submitted.
    pub(crate) peer: Option<IpAddr>,
}

/// A service's words for one job.
pub(crate) trait Job: Clone + Send + Sync + 'static {
    type Ticket: Send + Sync + 'static;
    /// Submits it. Goes on without its caller, who may give up while the service already works.
    fn submit(&self) -> BoxFuture<'static, Result<Submitted<Self::Ticket>, ModelError>>;
    /// Looks at it.
    fn look<'a>(&'a self, ticket: &'a Self::Ticket) -> BoxFuture<'a, Result<State, ModelError>>;
    /// Cancels it. Nobody is left to hear of a failure.
    fn cancel(&self, ticket: Self::Ticket) -> BoxFuture<'static, ()>;
}

/// How long a job may take: as long as the caller says, or the account's patience lasts.
pub(crate) fn limit(account: &Account, timeout_s: Option<f64>) -> Result<Duration, ModelError> {
    let Some(seconds) = timeout_s.filter(|seconds| *seconds != 0.0) else {
        return Ok(account.patience.whole);
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        let message = format!("timeout_s is {seconds}, not a number of seconds");
        let mut error = account.error(ModelErrorKind::BadRequest, message);
        error.param = Some("timeout_s".to_owned());
        error
    })
}

/// Sees a job through. Dropping this cancels it, and so does the end of the time limit.
pub(crate) async fn run<J: Job>(
    account: &Account,
    job: J,
    pace: Pace,
    limit: Duration,
) -> Result<Made, ModelError> {
    let work = see_through(job, pace);
    let made = tokio::time::timeout(limit, work).await;
    made.map_err(|_| account.too_slow())?
}

async fn see_through<J: Job>(job: J, pace: Pace) -> Result<Made, ModelError> {
    let mut grip = Grip {
        stage: Stage::Submitting(job.submit()),
        job,
    };
    let peer = grip.submitted().await?;
    let (mut pause, mut missed) = (pace.first, 0);
    loop {
        match grip.look().await {
            Ok(State::Running) => missed = 0,
            Ok(State::Done(output)) => return Ok(Made { output, peer }),
            Ok(State::Failed(e)) => return Err(e),
            Err(e) if e.is_passing() && missed < MAX_MISSED => missed += 1,
            Err(e) => return Err(e),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(pace.most);
    }
}

enum Stage<T> {
    /// On its way: the job may have begun although its ticket has not come.
    Submitting(BoxFuture<'static, Result<Submitted<T>, ModelError>>),
    /// Taken, with what was said of it then.
    Taken(T, Option<State>),
    /// There is nothing left to cancel.
    Ended,
}

/// Holds a job and cancels it when let go.
struct Grip<J: Job> {
    job: J,
    stage: Stage<J::Ticket>,
}

impl<J: Job> Grip<J> {
    /// Waits until the service has taken it; gives who answered.
    async fn submitted(&mut self) -> Result<Option<IpAddr>, ModelError> {
        let Stage::Submitting(submitting) = &mut self.stage else {
            return Ok(None);
        };
        let submitted = submitting.as_mut().await;
        self.stage = Stage::Ended;
        let Submitted {
            ticket,
            state,
            peer,
        } = submitted?;
        self.stage = Stage::Taken(ticket, Some(state));
        Ok(peer)
    }

    /// How the job is: first as it was when it was taken.
    async fn look(&mut self) -> Result<State, ModelError> {
        let Stage::Taken(ticket, first) = &mut self.stage else {
            return Ok(State::Running);
        };
        let state = match first.take() {
            Some(first) => first,
            None => self.job.look(ticket).await?,
        };
        if !matches!(state, State::Running) {
            self.stage = Stage::Ended;
        }
        Ok(state)
    }
}

impl<J: Job> Drop for Grip<J> {
    fn drop(&mut self) {
        let last = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Ended => return,
            Stage::Taken(ticket, _) => self.job.cancel(ticket),
            Stage::Submitting(submitting) => {
                let job = self.job.clone();
                Box::pin(async move {
                    if let Ok(submitted) = submitting.await
                        && matches!(submitted.state, State::Running)
                    {
                        job.cancel(submitted.ticket).await;
                    }
                })
            }
        };
        // Whoever waited is gone, so nobody can own this; it is bounded, and nothing depends on its end.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(LAST_WORDS, last).await;
            });
        }
    }
}

impl Account {
    /// A job that has failed, with the service's word why.
    pub(crate) fn failed(&self, job: &str, why: &Value) -> ModelError {
        let why = match why.as_str() {
            // Read like a refusal, so that neither the key nor endless words are in it.
            Some(why) if !why.is_empty() => {
                self.refused(StatusCode::BAD_REQUEST, None, why.as_bytes())
                    .message
            }
            _ => "without a word why".to_owned(),
        };
        self.error(
            ModelErrorKind::BadRequest,
            format!("the {job} failed: {why}"),
        )
    }

    /// A state that no job can be in.
    pub(crate) fn unknown_state(&self, state: &Value) -> ModelError {
        let state: String = state.to_string().chars().take(40).collect();
        self.nonsense(format_args!("the status {state}"))
    }

    /// Sends a request and reads its JSON answer, and who gave it.
    pub(crate) async fn answer(
        &self,
        request: RequestBuilder,
    ) -> Result<(Value, Option<IpAddr>), ModelError> {
        let patience = self.patience.first_byte;
        let work = async {
            let response = self.send(request, patience).await?;
            let peer = response.remote_addr().map(|peer| peer.ip());
            let body = self.whole(response, MAX_ANSWER).await?;
            let json = serde_json::from_slice(&body).map_err(|e| self.nonsense(e))?;
            Ok((json, peer))
        };
        let answer = tokio::time::timeout(patience, work).await;
        answer.map_err(|_| self.too_slow())?
    }
}
