//! The queue's words for a job: put in, status, result, cancel.
//!
//! Only the paths of the addresses it gives are used, at the account's own address: the key goes nowhere else.

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use reqwest::header::{self, HeaderValue};
use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;

use crate::Account;
use crate::media::job::{Job, State, Submitted};
use crate::media::{model_path, with_json};

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// fal's own.
    Direct,
    /// Hugging Face's, through their router.
    HuggingFace,
}

/// One job.
#[derive(Clone)]
pub(super) struct Queue {
    account: Account,
    route: Route,
    model: String,
    input: Value,
}

impl Queue {
    pub(super) fn new(
        account: &Account,
        route: Route,
        model: &str,
        input: Value,
    ) -> Result<Self, ModelError> {
        let model = model_path::check(account, model, 2..=8, "`fal-ai/flux/schnell` or the like")?;
        Ok(Queue {
            account: account.clone(),
            route,
            model: model.to_owned(),
            input,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let query = match self.route {
            Route::Direct => "",
            Route::HuggingFace => "?_subdomain=queue",
        };
        let url = format!("{}/{path}{query}", self.account.address);
        let request = self.account.client.request(method, url);
        let Some(key) = &self.account.key else {
            return request;
        };
        let value = match self.route {
            Route::Direct => format!("Key {}", key.expose()),
            Route::HuggingFace => format!("Bearer {}", key.expose()),
        };
        match HeaderValue::try_from(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(header::AUTHORIZATION, value)
            }
            // A key with a line end in it is no key; the service says so.
            Err(_) => request,
        }
    }

    async fn put_in(self) -> Result<Submitted<String>, ModelError> {
        let request = with_json(self.request(Method::POST, &self.model), &self.input);
        let (answer, peer) = self.account.answer(request).await?;
        Ok(Submitted {
            ticket: self.place(&answer)?,
            state: State::Running,
            peer,
        })
    }

    /// The path of the job: of its result, and what status and cancel are below.
    fn place(&self, answer: &Value) -> Result<String, ModelError> {
        let id = answer["request_id"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if id.is_empty() || id.len() > 128 || !id.chars().all(plain) {
            return Err(self.account.nonsense("a job without a plain `request_id`"));
        }
        let given = answer["response_url"]
            .as_str()
            .and_then(|url| Url::parse(url).ok());
        let given = given.map(|url| url.path().trim_matches('/').to_owned());
        let given = given.filter(|path| path.ends_with(&format!("/requests/{id}")));
        if let Some(path) = given
            && model_path::check(&self.account, &path, 4..=10, "").is_ok()
        {
            return Ok(path);
        }
        // Jobs are kept by application, without the rest of the model's id.
        let app: Vec<_> = self.model.split('/').take(2).collect();
        Ok(format!("{}/requests/{id}", app.join("/")))
    }

    async fn state(&self, ticket: &str) -> Result<State, ModelError> {
        let status = self.request(Method::GET, &format!("{ticket}/status"));
        let (status, _) = self.account.answer(status).await?;
        match status["status"].as_str() {
            Some("IN_QUEUE" | "IN_PROGRESS") => Ok(State::Running),
            Some("COMPLETED") if status["error"].is_string() => {
                Ok(State::Failed(self.failed(&status["error"])))
            }
            Some("COMPLETED") => {
                let result = self.account.answer(self.request(Method::GET, ticket)).await;
                match result {
                    Ok((output, _)) => Ok(State::Done(output)),
                    // The job is over: what its result says will not change.
                    Err(e)
                        if e.status.is_some_and(|status| {
                            (400..500).contains(&status) && status != 429
                        }) =>
                    {
                        Ok(State::Failed(withheld(e)))
                    }
                    Err(e) => Err(e),
                }
            }
            Some("CANCELED" | "CANCELLED") => {
                let message = "the job was cancelled at fal";
                Ok(State::Failed(
                    self.account.error(ModelErrorKind::Refused, message),
                ))
            }
            Some("FAILED" | "ERROR") => Ok(State::Failed(self.failed(&status["error"]))),
            _ => Err(self.account.unknown_state(&status["status"])),
        }
    }

    fn failed(&self, why: &Value) -> ModelError {
        withheld(self.account.failed("job", why))
    }
}

/// The same failure, with its kind set where its words are those of a content filter.
fn withheld(mut e: ModelError) -> ModelError {
    let words = e.message.to_ascii_lowercase();
    let signs = [
        "content policy",
        "content_policy",
        "nsfw",
        "flagged by a content",
        "sensitive content",
    ];
    if signs.iter().any(|sign| words.contains(sign)) {
        e.kind = ModelErrorKind::Refused;
    }
    e
}

impl Job for Queue {
    type Ticket = String;

    fn submit(&self) -> BoxFuture<'static, Result<Submitted<String>, ModelError>> {
        self.clone().put_in().boxed()
    }

    fn look<'a>(&'a self, ticket: &'a String) -> BoxFuture<'a, Result<State, ModelError>> {
        self.state(ticket).boxed()
    }

    fn cancel(&self, ticket: String) -> BoxFuture<'static, ()> {
        let request = self.request(Method::PUT, &format!("{ticket}/cancel"));
        let account = self.account.clone();
        async move {
            let _ = account.send(request, account.patience.list).await;
        }
        .boxed()
    }
}
