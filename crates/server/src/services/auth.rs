//! Who is who: what a token that somebody shows says about them. The server's own token, API keys, the users file and
//! Supabase, in this order; and tickets, which only sockets take. It must not know HTTP, nor which routes need a token.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nodetool_store::{ApiKeyRow, PersonRow, Store};

use super::Caller;
use super::accounts::OWNER;
use crate::config::{AuthProvider, Config};

mod keys;
mod people;
mod private_file;
mod recent;
mod server_token;
mod supabase;
mod tickets;
mod tokens;
mod users;

use keys::ApiKeys;
use people::People;
use server_token::ServerToken;
use supabase::{Remember, Supabase};
use tickets::Tickets;
use tokens::Digest;

pub(crate) use keys::{KeyError, LONGEST_KEY_NAME, MOST_DAYS, NewKey};
pub(crate) use people::{PeopleError, Registration, SignedIn, is_email};
pub(crate) use tickets::{HOLDS, TicketError};
pub(crate) use users::{NewToken, Record, Role, UsersError, UsersFile};

/// Longest token that is looked at.
const LONGEST_TOKEN: usize = 16 << 10;
/// When the one who knows does not answer.
const UNAVAILABLE: &str = "Authentication is not available right now; try again";
const BAD_KEY: &str = "Invalid API key";

/// Why a token lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What whoever showed it is told.
    pub(crate) detail: String,
    /// Whether the token may be good, and could only not be checked now.
    pub(crate) unavailable: bool,
    /// Whether it was not looked at, after too many wrong ones from the same address.
    pub(crate) throttled: bool,
}

impl Refused {
    pub(crate) fn too_often() -> Self {
        Refused {
            throttled: true,
            ..Refused::because("Too many failed attempts; try again in a minute")
        }
    }

    fn because(detail: &str) -> Self {
        Refused {
            detail: detail.into(),
            unavailable: false,
            throttled: false,
        }
    }

    fn unavailable(detail: &str) -> Self {
        Refused {
            detail: detail.into(),
            unavailable: true,
            throttled: false,
        }
    }
}

/// Who besides the holder of the server's token is known.
enum Users {
    Nobody,
    File(UsersFile),
    Supabase {
        project: Supabase,
        admins: HashSet<String>,
    },
}

struct Shared {
    /// There is one wherever tokens are asked for.
    server: Option<ServerToken>,
    provider: AuthProvider,
    users: Users,
    /// None where there is no database to keep them in.
    keys: Option<ApiKeys>,
    /// None where there is no database, either.
    people: Option<People>,
    tickets: Tickets,
}

/// Everybody this server knows. Clones are the same.
#[derive(Clone)]
pub(crate) struct Accounts(Arc<Shared>);

impl Accounts {
    /// The accounts of a server with these settings. The server's token is made when tokens are asked for and there is
    /// none.
    pub(crate) fn open(config: &Config, store: impl Into<Option<Store>>) -> anyhow::Result<Self> {
        let provider = config.auth_provider;
        let store = store.into();
        let users = match provider {
            AuthProvider::None | AuthProvider::Local | AuthProvider::Static => Users::Nobody,
            AuthProvider::MultiUser => {
                let path = config.users_file().context(
                    "no home folder to look for the users file in: name it with --users-file or USERS_FILE",
                )?;
                let file = UsersFile::new(path);
                match file.list() {
                    Ok(users) if users.is_empty() => tracing::warn!(
                        "there are no users yet: nodetool users add NAME --role admin makes the first"
                    ),
                    Ok(_) => {}
                    Err(e) => {
                        tracing::error!(error = %e, "the users file lets nobody in until it is corrected")
                    }
                }
                Users::File(file)
            }
            AuthProvider::Supabase => {
                let key = config.supabase_key.clone();
                let key = key.context("users of Supabase need its key: set SUPABASE_KEY")?;
                if config.supabase_url.trim().is_empty() {
                    anyhow::bail!("users of Supabase need its address: set SUPABASE_URL");
                }
                let remember = Remember {
                    ttl: Duration::from_secs(config.auth_cache_ttl),
                    most: config.auth_cache_max,
                };
                let admins = config.admin_users.iter().map(|id| id.trim().to_owned());
                Users::Supabase {
                    project: Supabase::new(&config.supabase_url, key, remember)?,
                    admins: admins.collect(),
                }
            }
        };
        // Last, because it may write a file.
        let server = match &config.server_token {
            Some(token) => Some(ServerToken::given(token)),
            None if provider.enforced() => Some(ServerToken::stored(config.config_dir.as_deref())?),
            None => None,
        };
        Ok(Accounts(Arc::new(Shared {
            server,
            provider,
            users,
            people: store.clone().map(|store| {
                let open = config.registration.unwrap_or(!provider.enforced());
                let folder = config.config_dir.as_deref().unwrap_or(&config.data_dir);
                People::new(store, folder, open)
            }),
            keys: store.map(ApiKeys::new),
            tickets: Tickets::default(),
        })))
    }

    /// Whether callers have to show a token.
    pub(crate) fn enforced(&self) -> bool {
        self.0.provider.enforced()
    }

    /// Whether the provider knows administrators from others.
    pub(crate) fn has_roles(&self) -> bool {
        !matches!(self.0.users, Users::Nobody)
    }

    /// Who somebody is that shows this token.
    pub(crate) async fn verify(&self, token: &str) -> Result<Caller, Refused> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(self.refused(Refused::because(self.text())));
        }
        let digest = Digest::of(token);
        let server = self.0.server.as_ref();
        if server.is_some_and(|server| server.is(&digest)) {
            return Ok(Caller::local());
        }
        // What follows may wait; the way above is short and so is its future.
        let outcome = Box::pin(async {
            if keys::is_key(token) {
                return self.by_key(&digest).await;
            }
            match self.by_person(token).await? {
                Some(caller) => Ok(caller),
                None => self.by_user(token, &digest).await,
            }
        });
        outcome.await.map_err(|refused| self.refused(refused))
    }

    /// The same by what is known here, without asking anybody else.
    pub(crate) async fn verify_here(&self, token: &str) -> Result<Caller, Refused> {
        let elsewhere = matches!(self.0.users, Users::Supabase { .. });
        let own = self.0.server.as_ref();
        if elsewhere && !keys::is_key(token) && !own.is_some_and(|s| s.is(&Digest::of(token))) {
            let person = self.by_person(token).await?;
            return person.ok_or_else(|| Refused::because(self.text()));
        }
        self.verify(token).await
    }

    /// Who somebody is that shows a token though none is asked for: nobody in particular, unless it is one that was made
    /// here for somebody else than the owner.
    pub(crate) async fn verify_unasked(&self, token: &str) -> Result<Option<Caller>, Refused> {
        if !keys::is_key(token) && !people::is_access(token) {
            return Ok(None);
        }
        let caller = Box::pin(self.verify(token)).await?;
        Ok(Some(caller).filter(|caller| caller.user_id != OWNER))
    }

    /// One of the people who sign in with a password.
    async fn by_person(&self, token: &str) -> Result<Option<Caller>, Refused> {
        let Some(people) = self.0.people.as_ref().filter(|_| people::is_access(token)) else {
            return Ok(None);
        };
        people.verify(token).await.map_err(|e| {
            tracing::error!(error = %e, "people cannot be read");
            Refused::unavailable(UNAVAILABLE)
        })
    }

    fn people(&self) -> Result<&People, PeopleError> {
        self.0.people.as_ref().ok_or(PeopleError::NotHere)
    }

    /// Makes somebody known who signs in with a password.
    pub(crate) async fn register(&self, new: Registration) -> Result<SignedIn, PeopleError> {
        self.people()?.register(new).await
    }

    /// Signs somebody in.
    pub(crate) async fn log_in(&self, name: &str, word: String) -> Result<SignedIn, PeopleError> {
        self.people()?.log_in(name, word).await
    }

    /// Another pair of tokens for one that is used up thereby.
    pub(crate) async fn refresh(&self, token: &str) -> Result<SignedIn, PeopleError> {
        self.people()?.refresh(token).await
    }

    /// Uses a token up.
    pub(crate) async fn log_out(&self, token: &str) -> Result<(), PeopleError> {
        self.people()?.log_out(token).await
    }

    /// The caller as one of the people, if they are.
    pub(crate) async fn person(&self, caller: &Caller) -> Result<Option<PersonRow>, PeopleError> {
        self.people()?.person(caller).await
    }

    /// Takes back what a user was given for sockets that are not open yet.
    pub(crate) fn drop_tickets(&self, user_id: &str) {
        self.0.tickets.drop_of(user_id);
    }

    fn refused(&self, refused: Refused) -> Refused {
        tracing::info!(target: "audit", event = "token.refused", reason = %refused.detail, unavailable = refused.unavailable);
        refused
    }

    /// What a token is told that is none.
    fn text(&self) -> &'static str {
        match self.0.provider {
            AuthProvider::Static => "Invalid static token",
            AuthProvider::Supabase => "Invalid Supabase token",
            AuthProvider::MultiUser | AuthProvider::None | AuthProvider::Local => {
                "Invalid bearer token"
            }
        }
    }

    async fn by_key(&self, digest: &Digest) -> Result<Caller, Refused> {
        let keys = self.0.keys.as_ref();
        let keys = keys.ok_or_else(|| Refused::because(BAD_KEY))?;
        let owner = keys.verify(digest).await.map_err(|e| {
            tracing::error!(error = %e, "API keys cannot be read");
            Refused::unavailable(UNAVAILABLE)
        })?;
        let user_id = owner.ok_or_else(|| Refused::because(BAD_KEY))?;
        // A user who was removed has no keys.
        if let Users::File(file) = &self.0.users
            && user_id != OWNER
            && !file.has(&user_id).await.map_err(|_| unreadable())?
        {
            return Err(Refused::because(BAD_KEY));
        }
        Ok(Caller {
            by_key: true,
            ..Caller::user(user_id)
        })
    }

    async fn by_user(&self, token: &str, digest: &Digest) -> Result<Caller, Refused> {
        let (user_id, admin) = match &self.0.users {
            Users::Nobody => return Err(Refused::because(self.text())),
            Users::File(file) => {
                // The log says what is wrong with the file.
                let record = file.verify(digest).await.map_err(|_| unreadable())?;
                let record = record.ok_or_else(|| Refused::because(self.text()))?;
                (record.user_id, record.role == Role::Admin)
            }
            Users::Supabase { project, admins } => {
                let id = project.verify(token, digest).await?;
                if id == OWNER {
                    return Err(Refused::because(self.text()));
                }
                let admin = admins.contains(&id);
                (id, admin)
            }
        };
        Ok(Caller {
            admin,
            ..Caller::user(user_id)
        })
    }

    /// A ticket with which the caller's next socket may be opened, once and soon.
    pub(crate) fn issue_ticket(&self, caller: &Caller) -> Result<String, TicketError> {
        let ticket = self.0.tickets.issue(caller)?;
        tracing::info!(target: "audit", event = "ticket.created", user.id = %caller.user_id);
        Ok(ticket)
    }

    /// Who was given this ticket, which is used up thereby. For sockets only.
    pub(crate) fn redeem(&self, ticket: &str) -> Option<Caller> {
        self.0.tickets.redeem(ticket)
    }

    fn keys(&self) -> Result<&ApiKeys, KeyError> {
        self.0.keys.as_ref().ok_or(KeyError::NotHere)
    }

    /// Makes an API key of the caller, for so many days or for ever.
    pub(crate) async fn create_key(
        &self,
        caller: &Caller,
        name: String,
        days: Option<i64>,
    ) -> Result<NewKey, KeyError> {
        self.keys()?.create(caller, name, days).await
    }

    /// The caller's API keys, newest first.
    pub(crate) async fn list_keys(&self, caller: &Caller) -> Result<Vec<ApiKeyRow>, KeyError> {
        self.keys()?.list(caller).await
    }

    /// Takes one of the caller's API keys back.
    pub(crate) async fn delete_key(&self, caller: &Caller, id: &str) -> Result<(), KeyError> {
        self.keys()?.delete(caller, id).await
    }

    /// All users of the file.
    pub(crate) async fn list_users(&self) -> Result<Vec<Record>, UsersError> {
        self.with_file(|file| file.list()).await
    }

    /// One user of the file.
    pub(crate) async fn get_user(&self, username: String) -> Result<Record, UsersError> {
        self.with_file(move |file| file.get(&username)).await
    }

    /// Adds a user to the file.
    pub(crate) async fn add_user(
        &self,
        caller: &Caller,
        username: String,
        role: String,
    ) -> Result<NewToken, UsersError> {
        let added = self.with_file(move |file| file.add(&username, Role::of(&role)?));
        let added = added.await?;
        changed(caller, "user.added", &added.record);
        Ok(added)
    }

    /// Gives a user of the file another token.
    pub(crate) async fn reset_user_token(
        &self,
        caller: &Caller,
        username: String,
    ) -> Result<NewToken, UsersError> {
        let reset = self.with_file(move |file| file.reset_token(&username));
        let reset = reset.await?;
        changed(caller, "user.token_reset", &reset.record);
        Ok(reset)
    }

    /// Removes a user from the file.
    pub(crate) async fn remove_user(
        &self,
        caller: &Caller,
        username: String,
    ) -> Result<Record, UsersError> {
        let removed = self.with_file(move |file| file.remove(&username)).await?;
        changed(caller, "user.removed", &removed);
        Ok(removed)
    }

    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&UsersFile) -> Result<T, UsersError> + Send + 'static,
    ) -> Result<T, UsersError> {
        let Users::File(file) = &self.0.users else {
            return Err(UsersError::NotHere);
        };
        let file = file.clone();
        users::blocking(move || work(&file)).await
    }
}

fn unreadable() -> Refused {
    Refused::unavailable(UNAVAILABLE)
}

fn changed(caller: &Caller, event: &'static str, record: &Record) {
    tracing::info!(target: "audit", event, user.id = %caller.user_id, subject.id = %record.user_id, role = record.role.word());
}

#[cfg(test)]
mod tests;
