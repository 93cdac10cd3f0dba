//! A prediction: made, looked at, cancelled.

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::name::Name;
use super::schema::Schema;
use crate::Account;
use crate::media::job::{Job, State, Submitted};
use crate::media::with_json;

/// Seconds the service holds back its first answer: what is quick needs no second look.
const WAIT: &str = "wait=5";

/// One prediction.
#[derive(Clone)]
pub(super) struct Prediction {
    account: Account,
    /// `owner/name`, when no version is asked for.
    model: Option<String>,
    /// The version that is asked for, else the newest.
    version: Option<String>,
    input: Value,
}

impl Prediction {
    pub(super) fn new(account: &Account, name: &Name, schema: &Schema, input: Value) -> Self {
        Prediction {
            account: account.clone(),
            model: name.model.clone().filter(|_| name.version.is_none()),
            version: name.version.clone().or_else(|| schema.latest.clone()),
            input,
        }
    }

    async fn make(self) -> Result<Submitted<String>, ModelError> {
        let by_version = |version: &str| {
            self.begin(
                "predictions",
                json!({ "version": version, "input": self.input }),
            )
        };
        match (&self.model, &self.version) {
            (None, Some(version)) => by_version(version).await,
            (Some(model), newest) => {
                let path = format!("models/{model}/predictions");
                let begun = self.begin(&path, json!({ "input": self.input })).await;
                match (begun, newest) {
                    // Only models that Replicate looks after itself run without a version.
                    (Err(e), Some(version)) if e.status == Some(404) => by_version(version).await,
                    (begun, _) => begun,
                }
            }
            (None, None) => Err(self.account.nonsense("a model without a version")),
        }
    }

    async fn begin(&self, path: &str, body: Value) -> Result<Submitted<String>, ModelError> {
        let request = self
            .account
            .signed(Method::POST, path)
            .header("prefer", WAIT);
        let (answer, peer) = self.account.answer(with_json(request, &body)).await?;
        let id = answer["id"].as_str().unwrap_or_default();
        if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(self.account.nonsense("a prediction without a plain `id`"));
        }
        Ok(Submitted {
            ticket: id.to_owned(),
            state: self.read(answer.clone())?,
            peer,
        })
    }

    fn read(&self, mut prediction: Value) -> Result<State, ModelError> {
        match prediction["status"].as_str() {
            Some("queued" | "starting" | "processing") => Ok(State::Running),
            Some("succeeded" | "successful") => Ok(State::Done(prediction["output"].take())),
            Some("failed") => Ok(State::Failed(self.failed(&prediction["error"]))),
            Some("canceled" | "aborted") => {
                let message = "the prediction was cancelled at Replicate";
                Ok(State::Failed(
                    self.account.error(ModelErrorKind::Refused, message),
                ))
            }
            _ => Err(self.account.unknown_state(&prediction["status"])),
        }
    }

    fn failed(&self, why: &Value) -> ModelError {
        let mut error = self.account.failed("prediction", why);
        let words = error.message.to_ascii_lowercase();
        let signs = ["nsfw", "flagged", "sensitive", "safety", "moderat"];
        if signs.iter().any(|sign| words.contains(sign)) {
            error.kind = ModelErrorKind::Refused;
        }
        error
    }
}

impl Job for Prediction {
    type Ticket = String;

    fn submit(&self) -> BoxFuture<'static, Result<Submitted<String>, ModelError>> {
        self.clone().make().boxed()
    }

    fn look<'a>(&'a self, ticket: &'a String) -> BoxFuture<'a, Result<State, ModelError>> {
        let request = self
            .account
            .signed(Method::GET, &format!("predictions/{ticket}"));
        async move {
            let (answer, _) = self.account.answer(request).await?;
            self.read(answer)
        }
        .boxed()
    }

    fn cancel(&self, ticket: String) -> BoxFuture<'static, ()> {
        let request = self
            .account
            .signed(Method::POST, &format!("predictions/{ticket}/cancel"));
        let account = self.account.clone();
        async move {
            let _ = account.send(request, account.patience.list).await;
        }
        .boxed()
    }
}
