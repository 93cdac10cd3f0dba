//! Calls from outside on their way to the runs that wait for them, by owner and webhook id.
//!
//! A run collects the calls of an id in one bounded inbox, from the moment its step asks for it to the end of the run,
//! so nothing is lost while the loop is busy. Of a run that is begun again after a restart, a call that was accepted is
//! kept until the iteration that worked on it is over. It must not know HTTP. Source: orchestrator spec 1.14, 3.9.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::{WebhookCall, WebhookInbox, Webhooks};
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{StoreError, WebhookSecretRow, now_micros};
use sha2::Sha256;
use tokio::sync::Notify;

use super::journal::TokenJournal;
use super::{LoopFailure, LoopService};
use crate::sensitive::Sensitive;
use crate::services::{Caller, SecretsError};

/// Calls that wait in one inbox.
pub(crate) const INBOX_ROOM: usize = 1000;
/// Inboxes of one user.
const MOST_INBOXES: usize = 10_000;
/// Longest id of a webhook, in bytes.
const LONGEST_ID: usize = 255;
/// Shortest and longest secret of a webhook, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;
/// Prefix of the queues in which calls are kept.
pub(super) const KEPT_IN: &str = "webhook:";

/// Why a call was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error("A webhook id has 1 to {LONGEST_ID} letters, digits, hyphens and underscores")]
    BadId,
    #[error(
        "{INBOX_ROOM} calls of webhook '{0}' wait already; nothing was taken, try again when the workflow has caught up"
    )]
    Full(String),
    #[error("The signature is missing or wrong")]
    BadSignature,
    #[error("secret: Expected a text of 16 to 1024 bytes.")]
    BadSecret,
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose webhook it is, and its id.
type Name = (Arc<str>, Arc<str>);

/// Where calls find the runs that wait for them; clones share it.
#[derive(Clone, Default)]
pub(super) struct Hub(Arc<Mutex<HashMap<Name, Vec<Arc<Inbox>>>>>);

struct Inbox {
    calls: Mutex<Calls>,
    filled: Notify,
    /// Keeps what was accepted, where the run is begun again after a restart.
    kept: Option<Arc<TokenJournal>>,
    queue: Arc<str>,
}

struct Calls {
    waiting: VecDeque<(u64, WebhookCall)>,
    next: u64,
    /// Accepted and on their way to the store.
    coming: usize,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, number: u64, call: WebhookCall) {
        let mut calls = self.lock();
        let at = calls.waiting.partition_point(|(n, _)| *n < number);
        calls.waiting.insert(at, (number, call));
        calls.coming = calls.coming.saturating_sub(1);
        drop(calls);
        self.filled.notify_one();
    }
}

/// A place that is taken in an inbox; given back when nothing comes.
struct Reserved {
    inbox: Arc<Inbox>,
    number: u64,
    open: bool,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.open {
            let mut calls = self.inbox.lock();
            calls.coming = calls.coming.saturating_sub(1);
        }
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Vec<Arc<Inbox>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place in every inbox of a webhook, or in none.
    fn reserve(&self, user_id: &str, webhook_id: &str) -> Result<Vec<Reserved>, WebhookError> {
        let name = (Arc::from(user_id), Arc::from(webhook_id));
        // Held, so that all places are taken by one call at a time.
        let hub = self.lock();
        let inboxes = hub.get(&name).map_or(&[][..], Vec::as_slice);
        let mut reserved = Vec::with_capacity(inboxes.len());
        for inbox in inboxes {
            let mut calls = inbox.lock();
            if calls.waiting.len() + calls.coming >= INBOX_ROOM {
                return Err(WebhookError::Full(webhook_id.to_owned()));
            }
            let number = calls.next;
            calls.next += 1;
            calls.coming += 1;
            drop(calls);
            reserved.push(Reserved {
                inbox: inbox.clone(),
                number,
                open: true,
            });
        }
        Ok(reserved)
    }

    /// Hands a call to every run that waits for it; answers how many. All or none take it.
    pub(super) async fn publish(
        &self,
        user_id: &str,
        webhook_id: &str,
        call: WebhookCall,
    ) -> Result<usize, WebhookError> {
        let reserved = self.reserve(user_id, webhook_id)?;
        for place in &reserved {
            if let Some(kept) = &place.inbox.kept {
                kept.keep(&place.inbox.queue, place.number, to_text(&call))
                    .await?;
            }
        }
        let count = reserved.len();
        for mut place in reserved {
            place.open = false;
            place.inbox.put(place.number, call.clone());
        }
        Ok(count)
    }
}

/// Calls an earlier process has kept, with their numbers, by the name of their queue.
pub(super) type KeptCalls = HashMap<Arc<str>, Vec<(u64, WebhookCall)>>;

/// The calls for one user's run.
pub(super) struct RunWebhooks {
    pub(super) hub: Hub,
    pub(super) user_id: Arc<str>,
    /// Keeps what was accepted, where the run is begun again after a restart.
    pub(super) kept: Option<Arc<TokenJournal>>,
    /// What an earlier process accepted, by the name of the queue it is kept in.
    pub(super) left: Mutex<KeptCalls>,
    /// How many inboxes the run has had for each id; steps ask in the same order each time.
    pub(super) asked: Mutex<HashMap<Arc<str>, usize>>,
}

impl Webhooks for RunWebhooks {
    fn subscribe<'a>(
        &'a self,
        webhook_id: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn WebhookInbox>, NodeError>> {
        Box::pin(async move {
            if !is_id(webhook_id) {
                return Err(NodeError::bad(
                    "webhook_id",
                    WebhookError::BadId.to_string(),
                ));
            }
            let nth = {
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                let asked = asked.entry(webhook_id.into()).or_default();
                *asked += 1;
                *asked
            };
            let queue: Arc<str> = format!("{KEPT_IN}{webhook_id}:{nth}").into();
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let left = left.remove(&queue).unwrap_or_default();
            let inbox = Arc::new(Inbox {
                calls: Mutex::new(Calls {
                    next: left.last().map_or(0, |(number, _)| number + 1),
                    waiting: left.into(),
                    coming: 0,
                }),
                filled: Notify::new(),
                kept: self.kept.clone(),
                queue,
            });
            let name: Name = (self.user_id.clone(), webhook_id.into());
            let mut hub = self.hub.lock();
            let own = hub.iter().filter(|((user, _), _)| *user == self.user_id);
            if own.map(|(_, inboxes)| inboxes.len()).sum::<usize>() >= MOST_INBOXES {
                let text = format!("At most {MOST_INBOXES} webhooks of one user can be waited for");
                return Err(NodeError::new(text));
            }
            hub.entry(name.clone()).or_default().push(inbox.clone());
            drop(hub);
            Ok(Box::new(Subscription {
                hub: self.hub.clone(),
                name,
                inbox,
                working_on: None,
            }) as Box<dyn WebhookInbox>)
        })
    }
}

struct Subscription {
    hub: Hub,
    name: Name,
    inbox: Arc<Inbox>,
    /// The call the loop works on; it is over when the loop asks for the next.
    working_on: Option<u64>,
}

impl WebhookInbox for Subscription {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Option<WebhookCall>> {
        Box::pin(async move {
            if let Some(number) = self.working_on.take()
                && let Some(kept) = &self.inbox.kept
            {
                kept.forget(&self.inbox.queue, number);
            }
            loop {
                let filled = self.inbox.filled.notified();
                if let Some((number, call)) = self.inbox.lock().waiting.pop_front() {
                    self.working_on = Some(number);
                    return Some(call);
                }
                filled.await;
            }
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut hub = self.hub.lock();
        if let Some(inboxes) = hub.get_mut(&self.name) {
            inboxes.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
            if inboxes.is_empty() {
                hub.remove(&self.name);
            }
        }
    }
}

/// Whether a text can be the id of a webhook.
fn is_id(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(allowed)
}

fn to_text(call: &WebhookCall) -> String {
    let value = Value::map([
        ("body", call.body.clone()),
        ("headers", Value::from(call.headers.clone())),
        ("method", call.method.as_str().into()),
        ("query_params", Value::from(call.query_params.clone())),
        ("received_at", call.received_at.as_str().into()),
    ]);
    crate::services::workflows::to_json(&value)
}

/// Reads what an earlier process kept.
pub(super) fn from_text(text: &str) -> Option<WebhookCall> {
    let value: Value = serde_json::from_str(text).ok()?;
    let map = |key| value.get(key).and_then(Value::as_map).cloned();
    let word = |key| Some(value.get(key)?.as_str()?.to_owned());
    Some(WebhookCall {
        body: value.get("body")?.clone(),
        headers: map("headers")?,
        method: word("method")?,
        query_params: map("query_params")?,
        received_at: word("received_at")?,
    })
}

/// Whether this is the HMAC-SHA256 of the body under the secret, in hexadecimal digits.
fn is_signed(secret: &Sensitive, body: &[u8], signature: &str) -> bool {
    let digits = signature.strip_prefix("sha256=").unwrap_or(signature);
    let Some(given) = from_hex(digits) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

impl LoopService {
    /// Hands a call to the caller's runs that wait for it; answers how many there are.
    pub(crate) async fn call_webhook(
        &self,
        caller: &Caller,
        webhook_id: &str,
        call: WebhookCall,
    ) -> Result<usize, WebhookError> {
        if !is_id(webhook_id) {
            return Err(WebhookError::BadId);
        }
        self.1.hub.publish(&caller.user_id, webhook_id, call).await
    }

    /// Whose webhook a sender without an account means: the one whose secret has signed the body.
    pub(crate) async fn signer(
        &self,
        webhook_id: &str,
        body: &[u8],
        signature: &str,
    ) -> Result<Caller, WebhookError> {
        if !is_id(webhook_id) {
            return Err(WebhookError::BadSignature);
        }
        for row in self.0.store.webhook_secrets(webhook_id).await? {
            let secret = match self.0.secrets.open_text(&row.user_id, &row.sealed).await {
                Ok(secret) => secret,
                Err(e) => {
                    tracing::error!(webhook.id = %webhook_id, error = %e, "the secret of a webhook cannot be read");
                    continue;
                }
            };
            if is_signed(&secret, body, signature) {
                return Ok(Caller::on_behalf_of(row.user_id));
            }
        }
        Err(WebhookError::BadSignature)
    }

    /// Sets the secret by which senders without an account sign what they send.
    pub(crate) async fn set_webhook_secret(
        &self,
        caller: &Caller,
        webhook_id: &str,
        secret: Sensitive,
    ) -> Result<(), WebhookError> {
        if !is_id(webhook_id) {
            return Err(WebhookError::BadId);
        }
        if !SECRET_BYTES.contains(&secret.expose().len()) {
            return Err(WebhookError::BadSecret);
        }
        let user_id = caller.user_id.clone();
        let sealed = self.0.secrets.seal_text(&user_id, secret).await?;
        let row = WebhookSecretRow { user_id, sealed };
        let stored = self
            .0
            .store
            .put_webhook_secret(webhook_id, row, now_micros());
        Ok(stored.await?)
    }

    /// Whether a webhook of the caller's takes senders without an account.
    pub(crate) async fn has_webhook_secret(
        &self,
        caller: &Caller,
        webhook_id: &str,
    ) -> Result<bool, WebhookError> {
        let has = self.0.store.has_webhook_secret(&caller.user_id, webhook_id);
        Ok(has.await?)
    }

    /// Takes the secret away; whether there was one.
    pub(crate) async fn delete_webhook_secret(
        &self,
        caller: &Caller,
        webhook_id: &str,
    ) -> Result<bool, WebhookError> {
        let deleted = self
            .0
            .store
            .delete_webhook_secret(&caller.user_id, webhook_id);
        Ok(deleted.await?)
    }
}

impl From<WebhookError> for LoopFailure {
    fn from(e: WebhookError) -> Self {
        LoopFailure::Refused(e.to_string())
    }
}

/// The headers a workflow gets to see.
pub(crate) fn without_credentials(headers: impl Iterator<Item = (String, String)>) -> Map {
    let mut shown = Map::new();
    for (name, value) in headers.filter(|(name, _)| !super::previews::is_credential(name)) {
        let name: Arc<str> = name.to_ascii_lowercase().into();
        let joined = match shown.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value,
        };
        shown.insert(name, joined.into());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(n: i64) -> WebhookCall {
        WebhookCall {
            body: Value::Int(n),
            ..WebhookCall::default()
        }
    }

    fn webhooks(hub: &Hub, user: &str) -> RunWebhooks {
        RunWebhooks {
            hub: hub.clone(),
            user_id: user.into(),
            kept: None,
            left: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn calls_reach_the_inboxes_of_their_owner_in_order_and_nobody_else() {
        let hub = Hub::default();
        assert_eq!(hub.publish("1", "w", call(0)).await.unwrap(), 0);
        let (mine, theirs) = (webhooks(&hub, "1"), webhooks(&hub, "2"));
        let mut inbox = mine.subscribe("w").await.unwrap();
        let other = theirs.subscribe("w").await.unwrap();
        for n in 1..=3 {
            assert_eq!(hub.publish("1", "w", call(n)).await.unwrap(), 1);
        }
        for n in 1..=3 {
            assert_eq!(inbox.next().await, Some(call(n)));
        }
        drop((inbox, other));
        assert!(hub.lock().is_empty());
    }

    #[tokio::test]
    async fn a_full_inbox_takes_nothing_more_and_neither_do_those_beside_it() {
        let hub = Hub::default();
        let run = webhooks(&hub, "1");
        let mut first = run.subscribe("w").await.unwrap();
        for n in 0..INBOX_ROOM as i64 {
            hub.publish("1", "w", call(n)).await.unwrap();
        }
        let second = run.subscribe("w").await.unwrap();
        for _ in 0..3 {
            let refused = hub.publish("1", "w", call(-1)).await;
            assert!(matches!(refused, Err(WebhookError::Full(id)) if id == "w"));
        }
        assert_eq!(first.next().await, Some(call(0)));
        assert_eq!(hub.publish("1", "w", call(-2)).await.unwrap(), 2);
        drop(second);
    }

    #[tokio::test]
    async fn ids_are_words_and_what_an_earlier_process_accepted_comes_first() {
        let hub = Hub::default();
        let run = webhooks(&hub, "1");
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(256)] {
            assert!(run.subscribe(bad).await.is_err(), "{bad}");
        }
        run.left.lock().unwrap().insert(
            "webhook:w:1".into(),
            vec![(7, from_text(&to_text(&call(7))).unwrap())],
        );
        let mut inbox = run.subscribe("w").await.unwrap();
        hub.publish("1", "w", call(8)).await.unwrap();
        assert_eq!(inbox.next().await, Some(call(7)));
        assert_eq!(inbox.next().await, Some(call(8)));
    }

    #[test]
    fn a_signature_is_that_of_this_body_under_this_secret() {
        // RFC 4231, test case 2.
        let (secret, body) = (Sensitive::new("Jefe"), b"what do ya want for nothing?");
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(&secret, body, right));
        assert!(is_signed(
            &secret,
            body,
            &format!("sha256={}", right.to_uppercase())
        ));
        for wrong in [
            "",
            "sha256=",
            &right[1..],
            &right.replace('5', "6"),
            &"ä".repeat(32),
        ] {
            assert!(!is_signed(&secret, body, wrong), "{wrong}");
        }
        assert!(!is_signed(&secret, b"other", right));
    }

    #[test]
    fn credentials_do_not_reach_the_workflow() {
        let sent = [
            ("Authorization", "x"),
            ("Cookie", "y"),
            ("X-Api-Key", "z"),
            ("A", "1"),
            ("a", "2"),
        ];
        let sent = sent.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let shown = without_credentials(sent.into_iter());
        assert_eq!(shown, Map::from_iter([("a".into(), "1, 2".into())]));
    }
}
