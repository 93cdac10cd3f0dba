//! People who sign in with a name and a password, as clients of the Orchestrator do (spec 3.10): access for an hour,
//! renewed by a token that is used once. It must not know HTTP.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nodetool_store::{NewPerson, PersonRow, Store, StoreError, now_micros};
use tokio::sync::Semaphore;

use super::private_file::{self, FileFault};
use super::tokens::{self, NoChance};
use crate::config::private_folder;
use crate::services::Caller;

mod jwt;
mod password;

use jwt::{Claims, Kind, SigningKey};

/// The file of the signing key within the folder of settings.
const FILE: &str = "people.key";
/// Seconds an access token holds.
const ACCESS: i64 = 60 * 60;
/// Seconds a token to renew it holds.
const REFRESH: i64 = 7 * 24 * 60 * 60;
/// Passwords that are worked on at once; each takes a core for a moment.
const AT_ONCE: usize = 2;
/// Passwords that wait for their turn.
const WAITING: usize = 64;

/// Longest name somebody signs in with.
const LONGEST_NAME: usize = 150;

/// Faults of a registration: field and message.
type FieldFaults = Vec<(&'static str, String)>;

/// Why somebody could not register or sign in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    #[error("This server keeps no people")]
    NotHere,
    #[error("Registration is closed on this server")]
    Closed,
    #[error("The registration has faults")]
    Fields(Vec<(&'static str, String)>),
    #[error("Invalid credentials")]
    Wrong,
    #[error("Token is invalid")]
    Invalid,
    #[error("Token is blacklisted")]
    Used,
    #[error("Too many people sign in at this moment; try again")]
    Busy,
    #[error("{0}")]
    Folder(String),
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody gives to register.
#[derive(Clone, Default)]
pub(crate) struct Registration {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) password: String,
    pub(crate) password_confirm: String,
}

/// What somebody who has signed in holds.
pub(crate) struct SignedIn {
    pub(crate) person: PersonRow,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The people of a server.
pub(super) struct People {
    store: Store,
    folder: PathBuf,
    open: bool,
    key: OnceLock<Arc<SigningKey>>,
    hashing: Semaphore,
    queue: Semaphore,
}

/// Whether a token looks like one of theirs.
pub(super) fn is_access(token: &str) -> bool {
    jwt::has_form(token)
}

impl People {
    pub(super) fn new(store: Store, folder: &Path, open: bool) -> Self {
        People {
            store,
            folder: folder.to_owned(),
            open,
            key: OnceLock::new(),
            hashing: Semaphore::new(AT_ONCE),
            queue: Semaphore::new(WAITING),
        }
    }

    /// The key that signs tokens: read once, made when there is none and one is needed.
    fn key(&self) -> Result<Arc<SigningKey>, PeopleError> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        private_folder(&self.folder).map_err(|e| PeopleError::Folder(format!("{e:#}")))?;
        let path = self.folder.join(FILE);
        let text = private_file::alone(&path, || -> Result<String, PeopleError> {
            if let Some(found) = private_file::read(&path)?
                && !found.text.trim().is_empty()
            {
                return Ok(found.text);
            }
            let text = tokens::fresh("")?;
            private_file::save(&path, &text)?;
            tracing::info!(target: "audit", event = "people_key.created");
            Ok(text)
        })?;
        Ok(self
            .key
            .get_or_init(|| Arc::new(SigningKey::new(text.trim().as_bytes())))
            .clone())
    }

    /// Works on a password away from the runtime, a few at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PeopleError> {
        let _waiting = self.queue.try_acquire().map_err(|_| PeopleError::Busy)?;
        let _turn = self
            .hashing
            .acquire()
            .await
            .map_err(|_| PeopleError::Busy)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| PeopleError::Busy)
    }

    /// Makes somebody known and signs them in.
    pub(super) async fn register(&self, new: Registration) -> Result<SignedIn, PeopleError> {
        if !self.open {
            return Err(PeopleError::Closed);
        }
        let faults = faults(&new);
        if !faults.is_empty() {
            return Err(PeopleError::Fields(faults));
        }
        let (password, key) = (new.password, self.key()?);
        let hash = self.hashing(move || password::hash(&password)).await??;
        let mut person = PersonRow {
            username: new.username,
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            password_hash: hash,
            created_at: now_micros(),
            ..PersonRow::default()
        };
        match self.store.insert_person(person.clone()).await? {
            NewPerson::Stored(id) => person.id = id,
            NewPerson::NameTaken => {
                let text = "A user with that username already exists.".to_owned();
                return Err(PeopleError::Fields(vec![("username", text)]));
            }
            NewPerson::TooMany => return Err(PeopleError::Closed),
        }
        tracing::info!(target: "audit", event = "person.registered", user.id = person.id);
        self.signed_in(&key, person).await
    }

    /// Signs somebody in. An unknown name takes as long as a wrong password.
    pub(super) async fn log_in(
        &self,
        name: &str,
        password: String,
    ) -> Result<SignedIn, PeopleError> {
        let person = self.store.find_person(name).await?;
        let hash = person.as_ref().map(|p| p.password_hash.clone());
        let key = self.key()?;
        let right = self
            .hashing(move || password::is(&password, hash.as_deref()))
            .await?;
        match person.filter(|_| right) {
            Some(person) => self.signed_in(&key, person).await,
            None => {
                tracing::info!(target: "audit", event = "person.refused");
                Err(PeopleError::Wrong)
            }
        }
    }

    /// Uses a token up and gives others in its place.
    pub(super) async fn refresh(&self, token: &str) -> Result<SignedIn, PeopleError> {
        let key = self.key()?;
        let claims = key
            .read(token, Kind::Refresh, seconds())
            .ok_or(PeopleError::Invalid)?;
        let used = self
            .store
            .use_refresh_token(claims.jti, now_micros())
            .await?;
        let id = used.ok_or(PeopleError::Used)?;
        let person = self
            .store
            .get_person(id)
            .await?
            .ok_or(PeopleError::Invalid)?;
        self.signed_in(&key, person).await
    }

    /// Uses a token up; one that is none is no fault.
    pub(super) async fn log_out(&self, token: &str) -> Result<(), PeopleError> {
        if let Some(claims) = self.key()?.read(token, Kind::Refresh, seconds()) {
            self.store
                .use_refresh_token(claims.jti, now_micros())
                .await?;
        }
        Ok(())
    }

    /// Who a caller is, if they are one of the people.
    pub(super) async fn person(&self, caller: &Caller) -> Result<Option<PersonRow>, PeopleError> {
        match caller.user_id.parse() {
            Ok(id) => Ok(self.store.get_person(id).await?),
            Err(_) => Ok(None),
        }
    }

    /// Whom an access token speaks for.
    pub(super) async fn verify(&self, token: &str) -> Result<Option<Caller>, PeopleError> {
        let Some(claims) = self.key()?.read(token, Kind::Access, seconds()) else {
            return Ok(None);
        };
        // Somebody who is gone is let in no more.
        let Ok(id) = claims.user_id.parse() else {
            return Ok(None);
        };
        let person = self.store.get_person(id).await?;
        Ok(person.map(|person| Caller::user(person.id.to_string())))
    }

    async fn signed_in(
        &self,
        key: &SigningKey,
        person: PersonRow,
    ) -> Result<SignedIn, PeopleError> {
        let now = seconds();
        let claims = |kind: Kind, holds: i64| -> Result<Claims, PeopleError> {
            Ok(Claims {
                token_type: kind.as_str().to_owned(),
                exp: now + holds,
                iat: now,
                jti: uuid::Uuid::from_bytes(tokens::random::<16>()?)
                    .simple()
                    .to_string(),
                user_id: person.id.to_string(),
            })
        };
        let (access, refresh) = (
            claims(Kind::Access, ACCESS)?,
            claims(Kind::Refresh, REFRESH)?,
        );
        let until = refresh.exp.saturating_mul(1_000_000);
        let id = refresh.jti.clone();
        self.store
            .insert_refresh_token(id, person.id, until, now_micros())
            .await?;
        Ok(SignedIn {
            access: key.sign(&access),
            refresh: key.sign(&refresh),
            person,
        })
    }
}

fn seconds() -> i64 {
    now_micros() / 1_000_000
}

/// Whether a text may be an address mail goes to; only mail can tell.
pub(crate) fn is_email(text: &str) -> bool {
    let (name, domain) = text.split_once('@').unwrap_or_default();
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    !name.is_empty() && domain.contains('.') && text.len() <= 254 && text.chars().all(plain)
}

/// Everything that is wrong with a registration.
fn faults(new: &Registration) -> FieldFaults {
    let mut faults = FieldFaults::new();
    let plain = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    if new.username.is_empty() {
        faults.push(("username", "This field is required.".into()));
    } else if new.username.chars().count() > LONGEST_NAME {
        let text = format!("Ensure this field has no more than {LONGEST_NAME} characters.");
        faults.push(("username", text));
    } else if !new.username.chars().all(plain) {
        let text = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";
        faults.push(("username", text.into()));
    }
    if !new.email.is_empty() && !is_email(&new.email) {
        faults.push(("email", "Enter a valid email address.".into()));
    }
    for (field, text) in [
        ("first_name", &new.first_name),
        ("last_name", &new.last_name),
    ] {
        if text.chars().count() > LONGEST_NAME {
            let text = format!("Ensure this field has no more than {LONGEST_NAME} characters.");
            faults.push((field, text));
        }
    }
    let own = [&new.username, &new.email, &new.first_name, &new.last_name];
    for text in password::faults(&new.password, &own.map(String::as_str)) {
        faults.push(("password", text));
    }
    if new.password != new.password_confirm {
        faults.push(("password_confirm", "Passwords do not match.".into()));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(folder: &Path) -> People {
        People::new(Store::open_in_memory().unwrap(), folder, true)
    }

    fn ada() -> Registration {
        Registration {
            username: "ada".into(),
            email: "ada@example.org".into(),
            password: "analytical-engine".into(),
            password_confirm: "analytical-engine".into(),
            ..Registration::default()
        }
    }

    #[tokio::test]
    async fn a_token_is_renewed_once_and_speaks_for_its_person() {
        let folder = tempfile::tempdir().unwrap();
        let people = people(folder.path());
        let first = people.register(ada()).await.unwrap();
        let caller = people.verify(&first.access).await.unwrap().unwrap();
        assert_eq!((caller.user_id.as_str(), caller.admin), ("2", false));
        let second = people.refresh(&first.refresh).await.unwrap();
        assert!(people.verify(&second.access).await.unwrap().is_some());
        let again = people.refresh(&first.refresh).await;
        assert!(matches!(again, Err(PeopleError::Used)));
        // A token of one kind is none of the other.
        assert!(people.verify(&first.refresh).await.unwrap().is_none());
        let other = people.refresh(&first.access).await;
        assert!(matches!(other, Err(PeopleError::Invalid)));
        people.log_out(&second.refresh).await.unwrap();
        let out = people.refresh(&second.refresh).await;
        assert!(matches!(out, Err(PeopleError::Used)));
    }

    #[tokio::test]
    async fn wrong_words_let_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let people = people(folder.path());
        people.register(ada()).await.unwrap();
        let right = people.log_in("ada", "analytical-engine".into()).await;
        assert!(right.is_ok());
        for (name, password) in [("ada", "analytical-engines"), ("bob", "analytical-engine")] {
            let wrong = people.log_in(name, password.into()).await;
            assert!(matches!(wrong, Err(PeopleError::Wrong)), "{name}");
        }
        let twice = people.register(ada()).await;
        assert!(matches!(twice, Err(PeopleError::Fields(f)) if f[0].0 == "username"));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let new = Registration {
            username: "a b".into(),
            email: "nowhere".into(),
            password: "12345".into(),
            password_confirm: "123456".into(),
            ..Registration::default()
        };
        let fields: Vec<&str> = faults(&new).iter().map(|(field, _)| *field).collect();
        assert_eq!(
            fields,
            [
                "username",
                "email",
                "password",
                "password",
                "password",
                "password_confirm"
            ]
        );
    }
}
