//! Sessions, pools and pauses as clients keep them. What belongs to somebody else is not there.

use nodetool_sdk::{Map, Value};
use nodetool_store::{
    BrowserKind, BrowserRow, NewThrottleRule, StoreError, ThrottleRuleRow, new_id, now_micros,
};
use url::Host;
use uuid::Uuid;

use super::{BrowserService, SessionConfig};
use crate::services::Caller;

/// Sessions, and pools, of a user.
const MOST: i64 = 100;
/// Pauses of a pool.
const MOST_RULES: i64 = 100;
const MAX_NAME: usize = 100;
const MAX_DESCRIPTION: usize = 1000;
/// Longest pause, in seconds.
const MAX_PAUSE: f64 = 3600.0;

/// Why something could not be done with sessions and pools.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrowserError {
    /// There is none of this kind for the caller.
    #[error("No {0} matches the given query.")]
    NotFound(&'static str),
    /// Fields and what is wrong with them.
    #[error("{}", told(.0))]
    Fields(Vec<(&'static str, String)>),
    #[error("There are {most} {what} already; delete one first")]
    TooMany { what: &'static str, most: i64 },
    /// There is no browser, or it does not start.
    #[error("{0}")]
    Unavailable(String),
    #[error("what a session kept could not be removed: {0}")]
    Folder(#[from] std::io::Error),
    #[error(transparent)]
    Store(StoreError),
}

fn told(faults: &[(&str, String)]) -> String {
    let each: Vec<String> = faults
        .iter()
        .map(|(field, why)| format!("{field}: {why}"))
        .collect();
    each.join("; ")
}

impl From<StoreError> for BrowserError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => BrowserError::NotFound(Pool::KIND),
            e => BrowserError::Store(e),
        }
    }
}

/// A browser with cookies of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) config: SessionConfig,
    /// How many pages are open; nothing when its browser does not run.
    pub(crate) pages: Option<usize>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// Some sessions of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Ids of sessions.
    pub(crate) sessions: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// The pause a pool keeps between visits to a domain and what is below it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) delay_seconds: f64,
    pub(crate) enabled: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Session {
    const KIND: &'static str = "BrowserSession";

    pub(super) fn of(row: BrowserRow) -> Self {
        Session {
            id: row.id,
            name: row.name,
            description: row.description,
            config: serde_json::from_str(&row.config).unwrap_or_default(),
            pages: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Pool {
    const KIND: &'static str = "BrowserPool";

    fn of(row: BrowserRow) -> Self {
        Pool {
            id: row.id,
            name: row.name,
            description: row.description,
            sessions: serde_json::from_str(&row.config).unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Rule {
    const KIND: &'static str = "DomainThrottleRule";

    fn of(row: ThrottleRuleRow) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an hour of milliseconds")]
        let delay_seconds = row.delay_ms as f64 / 1000.0;
        Rule {
            id: row.id,
            domain: row.domain,
            delay_seconds,
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What a client sends, read field by field.
struct Sent<'a> {
    map: &'a Map,
    /// Whether what is absent is a fault.
    whole: bool,
    faults: Vec<(&'static str, String)>,
}

impl<'a> Sent<'a> {
    fn new(map: &'a Map, whole: bool) -> Self {
        Sent {
            map,
            whole,
            faults: Vec::new(),
        }
    }

    fn fault(&mut self, field: &'static str, why: impl Into<String>) {
        self.faults.push((field, why.into()));
    }

    fn given(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|v| !matches!(v, Value::Null))
    }

    /// A text; required ones may be neither absent from a whole nor blank.
    fn text(&mut self, field: &'static str, most: usize, required: bool) -> Option<String> {
        let text = match self.given(field) {
            Some(Value::Str(text)) => text.trim().to_owned(),
            Some(_) => {
                self.fault(field, "Not a valid string.");
                return None;
            }
            None => {
                if required && (self.whole || self.map.contains_key(field)) {
                    self.fault(field, "This field is required.");
                }
                return None;
            }
        };
        if text.is_empty() && required {
            self.fault(field, "This field may not be blank.");
        } else if text.chars().count() > most {
            self.fault(
                field,
                format!("Ensure this field has no more than {most} characters."),
            );
        }
        Some(text)
    }

    fn finish(self) -> Result<(), BrowserError> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(BrowserError::Fields(self.faults)),
        }
    }
}

/// An id in the one spelling that rows have.
fn id_of(text: &str) -> Option<String> {
    Uuid::parse_str(text.trim())
        .ok()
        .map(|id| id.hyphenated().to_string())
}

fn fresh_id() -> String {
    let id = new_id();
    id_of(&id).unwrap_or(id)
}

impl BrowserService {
    /// The caller's sessions, oldest first.
    pub(crate) async fn sessions(&self, caller: &Caller) -> Result<Vec<Session>, BrowserError> {
        let rows = self
            .store
            .list_browsers(BrowserKind::Session, &caller.user_id)
            .await?;
        let sessions = rows.into_iter().map(Session::of);
        Ok(sessions.map(|session| self.with_pages(session)).collect())
    }

    /// One session of the caller.
    pub(crate) async fn session(&self, caller: &Caller, id: &str) -> Result<Session, BrowserError> {
        self.session_of(&caller.user_id, id).await
    }

    pub(super) async fn session_of(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Session, BrowserError> {
        let row = self.row(BrowserKind::Session, user_id, id).await?;
        let session = row.map(Session::of).map(|session| self.with_pages(session));
        session.ok_or(BrowserError::NotFound(Session::KIND))
    }

    /// Makes a session.
    pub(crate) async fn create_session(
        &self,
        caller: &Caller,
        sent: &Map,
    ) -> Result<Session, BrowserError> {
        let mut row = fresh(caller, "{}");
        fill_session(&mut row, sent, true)?;
        self.insert(BrowserKind::Session, &row, "browser sessions")
            .await?;
        Ok(Session::of(row))
    }

    /// Changes a session; what is `whole` has every field that is required.
    pub(crate) async fn change_session(
        &self,
        caller: &Caller,
        id: &str,
        sent: &Map,
        whole: bool,
    ) -> Result<Session, BrowserError> {
        let row = self.row(BrowserKind::Session, &caller.user_id, id).await?;
        let mut row = row.ok_or(BrowserError::NotFound(Session::KIND))?;
        fill_session(&mut row, sent, whole)?;
        row.updated_at = now_micros();
        if !self
            .store
            .update_browser(BrowserKind::Session, row.clone())
            .await?
        {
            return Err(BrowserError::NotFound(Session::KIND));
        }
        Ok(self.with_pages(Session::of(row)))
    }

    /// Deletes a session with its cookies; its browser ends.
    pub(crate) async fn delete_session(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), BrowserError> {
        let id = self
            .delete(BrowserKind::Session, caller, id, Session::KIND)
            .await?;
        Ok(self.fleet.forget(&id).await?)
    }

    /// The caller's pools, oldest first.
    pub(crate) async fn pools(&self, caller: &Caller) -> Result<Vec<Pool>, BrowserError> {
        let rows = self
            .store
            .list_browsers(BrowserKind::Pool, &caller.user_id)
            .await?;
        let known = self.known(&caller.user_id).await?;
        let pools = rows.into_iter().map(Pool::of);
        Ok(pools.map(|pool| with_known(pool, &known)).collect())
    }

    /// One pool of the caller.
    pub(crate) async fn pool(&self, caller: &Caller, id: &str) -> Result<Pool, BrowserError> {
        self.pool_of(&caller.user_id, id).await
    }

    pub(super) async fn pool_of(&self, user_id: &str, id: &str) -> Result<Pool, BrowserError> {
        let row = self.row(BrowserKind::Pool, user_id, id).await?;
        let pool = Pool::of(row.ok_or(BrowserError::NotFound(Pool::KIND))?);
        Ok(with_known(pool, &self.known(user_id).await?))
    }

    /// Makes a pool.
    pub(crate) async fn create_pool(
        &self,
        caller: &Caller,
        sent: &Map,
    ) -> Result<Pool, BrowserError> {
        let mut row = fresh(caller, "[]");
        let known = self.known(&caller.user_id).await?;
        fill_pool(&mut row, sent, true, &known)?;
        self.insert(BrowserKind::Pool, &row, "browser pools")
            .await?;
        Ok(Pool::of(row))
    }

    /// Changes a pool; what is `whole` has every field that is required.
    pub(crate) async fn change_pool(
        &self,
        caller: &Caller,
        id: &str,
        sent: &Map,
        whole: bool,
    ) -> Result<Pool, BrowserError> {
        let row = self.row(BrowserKind::Pool, &caller.user_id, id).await?;
        let mut row = row.ok_or(BrowserError::NotFound(Pool::KIND))?;
        let known = self.known(&caller.user_id).await?;
        fill_pool(&mut row, sent, whole, &known)?;
        row.updated_at = now_micros();
        if !self
            .store
            .update_browser(BrowserKind::Pool, row.clone())
            .await?
        {
            return Err(BrowserError::NotFound(Pool::KIND));
        }
        Ok(with_known(Pool::of(row), &known))
    }

    /// Deletes a pool with its pauses; its sessions stay.
    pub(crate) async fn delete_pool(&self, caller: &Caller, id: &str) -> Result<(), BrowserError> {
        self.delete(BrowserKind::Pool, caller, id, Pool::KIND)
            .await?;
        Ok(())
    }

    /// The pauses of a pool, by domain.
    pub(crate) async fn rules(
        &self,
        caller: &Caller,
        pool: &str,
    ) -> Result<Vec<Rule>, BrowserError> {
        let pool = self.pool(caller, pool).await?;
        let rows = self
            .store
            .list_throttle_rules(&caller.user_id, &pool.id)
            .await?;
        Ok(rows.into_iter().map(Rule::of).collect())
    }

    /// One pause of a pool.
    pub(crate) async fn rule(
        &self,
        caller: &Caller,
        pool: &str,
        id: &str,
    ) -> Result<Rule, BrowserError> {
        self.rule_row(caller, pool, id).await.map(Rule::of)
    }

    /// Adds a pause to a pool.
    pub(crate) async fn create_rule(
        &self,
        caller: &Caller,
        pool: &str,
        sent: &Map,
    ) -> Result<Rule, BrowserError> {
        let pool = self.pool(caller, pool).await?;
        let now = now_micros();
        let mut row = ThrottleRuleRow {
            id: fresh_id(),
            user_id: caller.user_id.clone(),
            pool_id: pool.id,
            enabled: true,
            created_at: now,
            updated_at: now,
            ..ThrottleRuleRow::default()
        };
        fill_rule(&mut row, sent, true)?;
        match self
            .store
            .insert_throttle_rule(row.clone(), MOST_RULES)
            .await?
        {
            NewThrottleRule::Stored => Ok(Rule::of(row)),
            NewThrottleRule::Taken => {
                let why = "This pool has a rule for the domain already.".to_owned();
                Err(BrowserError::Fields(vec![("domain", why)]))
            }
            NewThrottleRule::TooMany => Err(BrowserError::TooMany {
                what: "rules of this pool",
                most: MOST_RULES,
            }),
        }
    }

    /// Changes how long a pause is and whether it is kept; its domain stays.
    pub(crate) async fn change_rule(
        &self,
        caller: &Caller,
        pool: &str,
        id: &str,
        sent: &Map,
    ) -> Result<Rule, BrowserError> {
        let mut row = self.rule_row(caller, pool, id).await?;
        fill_rule(&mut row, sent, false)?;
        row.updated_at = now_micros();
        match self.store.update_throttle_rule(row.clone()).await? {
            true => Ok(Rule::of(row)),
            false => Err(BrowserError::NotFound(Rule::KIND)),
        }
    }

    /// Removes a pause.
    pub(crate) async fn delete_rule(
        &self,
        caller: &Caller,
        pool: &str,
        id: &str,
    ) -> Result<(), BrowserError> {
        let row = self.rule_row(caller, pool, id).await?;
        let deleted = self
            .store
            .delete_throttle_rule(&row.user_id, &row.pool_id, &row.id)
            .await?;
        match deleted {
            true => Ok(()),
            false => Err(BrowserError::NotFound(Rule::KIND)),
        }
    }

    async fn rule_row(
        &self,
        caller: &Caller,
        pool: &str,
        id: &str,
    ) -> Result<ThrottleRuleRow, BrowserError> {
        let missing = BrowserError::NotFound;
        let pool = id_of(pool).ok_or(missing(Pool::KIND))?;
        let id = id_of(id).ok_or(missing(Rule::KIND))?;
        let rows = self
            .store
            .list_throttle_rules(&caller.user_id, &pool)
            .await?;
        let found = rows.into_iter().find(|row| row.id == id);
        found.ok_or(missing(Rule::KIND))
    }

    fn with_pages(&self, session: Session) -> Session {
        Session {
            pages: self.fleet.pages(&session.id),
            ..session
        }
    }

    /// Ids of the sessions a user has.
    async fn known(&self, user_id: &str) -> Result<Vec<String>, BrowserError> {
        let rows = self
            .store
            .list_browsers(BrowserKind::Session, user_id)
            .await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    async fn row(
        &self,
        kind: BrowserKind,
        user_id: &str,
        id: &str,
    ) -> Result<Option<BrowserRow>, BrowserError> {
        match id_of(id) {
            Some(id) => Ok(self.store.get_browser(kind, user_id, &id).await?),
            None => Ok(None),
        }
    }

    async fn insert(
        &self,
        kind: BrowserKind,
        row: &BrowserRow,
        what: &'static str,
    ) -> Result<(), BrowserError> {
        match self.store.insert_browser(kind, row.clone(), MOST).await? {
            true => Ok(()),
            false => Err(BrowserError::TooMany { what, most: MOST }),
        }
    }

    async fn delete(
        &self,
        kind: BrowserKind,
        caller: &Caller,
        id: &str,
        what: &'static str,
    ) -> Result<String, BrowserError> {
        let id = id_of(id).ok_or(BrowserError::NotFound(what))?;
        match self
            .store
            .delete_browser(kind, &caller.user_id, &id)
            .await?
        {
            true => Ok(id),
            false => Err(BrowserError::NotFound(what)),
        }
    }
}

fn fresh(caller: &Caller, config: &str) -> BrowserRow {
    let now = now_micros();
    BrowserRow {
        id: fresh_id(),
        user_id: caller.user_id.clone(),
        config: config.to_owned(),
        created_at: now,
        updated_at: now,
        ..BrowserRow::default()
    }
}

fn with_known(mut pool: Pool, known: &[String]) -> Pool {
    pool.sessions.retain(|id| known.contains(id));
    pool
}

fn fill_names(row: &mut BrowserRow, sent: &mut Sent<'_>) {
    if let Some(name) = sent.text("name", MAX_NAME, true) {
        row.name = name;
    }
    if let Some(description) = sent.text("description", MAX_DESCRIPTION, false) {
        row.description = description;
    }
}

fn fill_session(row: &mut BrowserRow, sent: &Map, whole: bool) -> Result<(), BrowserError> {
    let mut sent = Sent::new(sent, whole);
    fill_names(row, &mut sent);
    if let Some(kind) = sent.given("browser_type")
        && kind.as_str() != Some("chromium")
    {
        sent.fault("browser_type", "Only chromium is offered.");
    }
    if let Some(config) = sent.given("config") {
        match SessionConfig::read(config).map(|config| serde_json::to_string(&config)) {
            Ok(Ok(config)) => row.config = config,
            Ok(Err(e)) => sent.fault("config", e.to_string()),
            Err(why) => sent.fault("config", why),
        }
    }
    sent.finish()
}

fn fill_pool(
    row: &mut BrowserRow,
    sent: &Map,
    whole: bool,
    known: &[String],
) -> Result<(), BrowserError> {
    const FIELD: &str = "browser_sessions";
    let mut sent = Sent::new(sent, whole);
    fill_names(row, &mut sent);
    match sent.given(FIELD) {
        None => {}
        Some(Value::List(items)) => {
            let mut ids: Vec<String> = Vec::new();
            for item in items.iter() {
                let id = item
                    .as_str()
                    .and_then(id_of)
                    .filter(|id| known.contains(id));
                match id {
                    Some(id) if ids.contains(&id) => {}
                    Some(id) => ids.push(id),
                    None => {
                        let shown: String =
                            item.as_str().unwrap_or_default().chars().take(80).collect();
                        sent.fault(
                            FIELD,
                            format!("Invalid pk \"{shown}\" - object does not exist."),
                        );
                        break;
                    }
                }
            }
            match serde_json::to_string(&ids) {
                Ok(ids) => row.config = ids,
                Err(e) => sent.fault(FIELD, e.to_string()),
            }
        }
        Some(_) => sent.fault(FIELD, "Expected a list of ids of browser sessions."),
    }
    sent.finish()
}

fn fill_rule(row: &mut ThrottleRuleRow, sent: &Map, new: bool) -> Result<(), BrowserError> {
    let mut sent = Sent::new(sent, new);
    if let Some(given) = sent.text("domain", 253, true) {
        match domain(&given) {
            Some(domain) if new => row.domain = domain,
            Some(domain) if domain == row.domain => {}
            Some(_) => sent.fault(
                "domain",
                "A rule keeps its domain; make another for another.",
            ),
            None if sent.faults.is_empty() => {
                sent.fault("domain", "Expected a domain such as example.com.");
            }
            None => {}
        }
    }
    let seconds = match sent.given("delay_seconds") {
        #[expect(clippy::cast_precision_loss, reason = "seconds of an hour at most")]
        Some(Value::Int(n)) => Some(*n as f64),
        Some(Value::Float(n)) => Some(*n),
        Some(_) => Some(f64::NAN),
        None => None,
    };
    match seconds {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an hour of milliseconds at most"
        )]
        Some(seconds) if (0.0..=MAX_PAUSE).contains(&seconds) => {
            row.delay_ms = (seconds * 1000.0).round() as i64;
        }
        Some(_) => sent.fault(
            "delay_seconds",
            format!("Expected a number from 0 to {MAX_PAUSE}."),
        ),
        None if new => sent.fault("delay_seconds", "This field is required."),
        None => {}
    }
    match sent.given("enabled") {
        Some(Value::Bool(enabled)) => row.enabled = *enabled,
        Some(_) => sent.fault("enabled", "Must be a valid boolean."),
        None => {}
    }
    sent.finish()
}

/// A domain or an address, as hosts of URLs are written.
fn domain(text: &str) -> Option<String> {
    let text = text.trim_start_matches("*.").trim_end_matches('.');
    Host::parse(text).ok().map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(given: serde_json::Value) -> Map {
        let value: Value = serde_json::from_value(given).unwrap();
        value.as_map().unwrap().clone()
    }

    fn faults(result: Result<(), BrowserError>) -> Vec<&'static str> {
        match result {
            Err(BrowserError::Fields(faults)) => {
                faults.into_iter().map(|(field, _)| field).collect()
            }
            other => panic!("expected faults, found {other:?}"),
        }
    }

    #[test]
    fn each_faulty_field_is_named() {
        let mut row = BrowserRow::default();
        let given = map(json!({"description": 5, "browser_type": "firefox", "config": {"x": 1}}));
        let found = faults(fill_session(&mut row, &given, true));
        assert_eq!(found, ["name", "description", "browser_type", "config"]);
        let found = faults(fill_session(&mut row, &map(json!({"name": " "})), false));
        assert_eq!(found, ["name"]);
        let known = ["0190a0b0-0000-7000-8000-000000000001".to_owned()];
        for sessions in [json!("x"), json!(["x"]), json!([1])] {
            let given = map(json!({"name": "n", "browser_sessions": sessions}));
            assert_eq!(
                faults(fill_pool(&mut row, &given, true, &known)),
                ["browser_sessions"]
            );
        }
        let given = map(
            json!({"name": "n", "browser_sessions": ["0190a0b0000070008000000000000001", known[0]]}),
        );
        fill_pool(&mut row, &given, true, &known).unwrap();
        assert_eq!(row.config, format!("[\"{}\"]", known[0]));
    }

    #[test]
    fn a_rule_has_a_domain_and_a_pause_of_an_hour_at_most() {
        let mut row = ThrottleRuleRow::default();
        for (given, named) in [
            (json!({}), vec!["domain", "delay_seconds"]),
            (json!({"domain": "a b", "delay_seconds": 1}), vec!["domain"]),
            (
                json!({"domain": "a.example", "delay_seconds": 3601}),
                vec!["delay_seconds"],
            ),
            (
                json!({"domain": "a.example", "delay_seconds": -1}),
                vec!["delay_seconds"],
            ),
            (
                json!({"domain": "a.example", "delay_seconds": "1"}),
                vec!["delay_seconds"],
            ),
            (
                json!({"domain": "a.example", "delay_seconds": 1, "enabled": 1}),
                vec!["enabled"],
            ),
        ] {
            assert_eq!(faults(fill_rule(&mut row, &map(given), true)), named);
        }
        let given = map(json!({"domain": "*.Example.COM.", "delay_seconds": 1.5}));
        fill_rule(&mut row, &given, true).unwrap();
        assert_eq!((&*row.domain, row.delay_ms), ("example.com", 1500));
        let found = faults(fill_rule(
            &mut row,
            &map(json!({"domain": "other.example"})),
            false,
        ));
        assert_eq!(found, ["domain"]);
    }
}
