//! The file of users, for a server that many use: who there is, by which token each is known, and who administers. The
//! server reads it again whenever it has changed; commands and servers that change it do so one after the other. It must
//! not know HTTP.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_store::now_micros;
use serde::{Deserialize, Serialize};

use super::private_file::{self, FileFault, Stamp};
use super::tokens::{self, Digest, NoChance};

mod text;

/// Longest name of a user.
const LONGEST_USERNAME: usize = 64;
/// Names that are something else in an address.
const RESERVED: [&str; 3] = ["reset-token", ".", ".."];
/// Characters of a token's digest that are shown.
const SHOWN_DIGITS: usize = 16;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// What concerns themselves.
    User,
}

impl Role {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::User => "user",
        }
    }

    /// Reads the word for a role.
    pub(crate) fn of(word: &str) -> Result<Self, UsersError> {
        match word {
            "admin" => Ok(Role::Admin),
            "user" => Ok(Role::User),
            other => Err(UsersError::BadRole(other.chars().take(80).collect())),
        }
    }
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) role: Role,
    pub(crate) token: Digest,
    /// As the file has it.
    pub(crate) created_at: String,
}

impl Record {
    /// The beginning of the token's digest, which tells tokens apart and nothing else.
    pub(crate) fn token_hint(&self) -> String {
        let mut hex = self.token.hex();
        hex.truncate(SHOWN_DIGITS);
        hex + "..."
    }
}

/// A user with a new token, which is known here only.
pub(crate) struct NewToken {
    pub(crate) record: Record,
    pub(crate) token: String,
}

/// Why something with users failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum UsersError {
    #[error("User management not available for current auth provider")]
    NotHere,
    #[error("{}{}: {reason}", path.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
    Broken {
        path: PathBuf,
        line: Option<u64>,
        reason: String,
    },
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error("User '{0}' not found")]
    NotFound(String),
    #[error("User '{0}' already exists")]
    Exists(String),
    #[error("Invalid role: {0}. Must be 'admin' or 'user'")]
    BadRole(String),
    #[error(
        "Invalid username: 1 to {LONGEST_USERNAME} of the characters A-Z a-z 0-9 _ . - are expected, and no reserved name"
    )]
    BadName,
    #[error("User '{0}' is the last admin and cannot be removed")]
    LastAdmin(String),
    #[error(
        "There are {} users already, which is the most there can be",
        text::MOST_USERS
    )]
    TooMany,
    #[error("reading or changing the users was broken off")]
    BrokenOff,
}

/// What was in the file when it was last read.
struct Seen {
    stamp: Option<Stamp>,
    users: Result<Arc<Vec<Record>>, UsersError>,
}

struct Shared {
    path: PathBuf,
    seen: Mutex<Option<Seen>>,
    /// The last fault that was logged.
    told: Mutex<String>,
}

/// The users of one file. Without a file there are none.
#[derive(Clone)]
pub(crate) struct UsersFile(Arc<Shared>);

impl UsersFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        UsersFile(Arc::new(Shared {
            path,
            seen: Mutex::new(None),
            told: Mutex::default(),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// The user a token belongs to. All users are compared, whichever it is.
    pub(super) async fn verify(&self, token: &Digest) -> Result<Option<Record>, UsersError> {
        let users = self.current().await?;
        let mut found = None;
        for record in users.iter() {
            if record.token == *token {
                found = Some(record);
            }
        }
        Ok(found.cloned())
    }

    /// Whether there is a user with this id.
    pub(super) async fn has(&self, user_id: &str) -> Result<bool, UsersError> {
        let users = self.current().await?;
        Ok(users.iter().any(|r| r.user_id == user_id))
    }

    /// The users as the file has them now; it is read only if it has changed. While it cannot be read, nobody is anybody.
    async fn current(&self) -> Result<Arc<Vec<Record>>, UsersError> {
        let seen = Stamp::now(&self.0.path).map(|stamp| self.seen_at(stamp));
        if let Ok(Some(users)) = seen {
            return users;
        }
        let file = self.clone();
        blocking(move || file.look()).await
    }

    fn seen_at(&self, stamp: Option<Stamp>) -> Option<Result<Arc<Vec<Record>>, UsersError>> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref().filter(|s| s.stamp == stamp)?;
        Some(seen.users.clone())
    }

    /// Reads the file and notes what it says.
    fn look(&self) -> Result<Arc<Vec<Record>>, UsersError> {
        let (stamp, users) = match private_file::read(&self.0.path) {
            Ok(None) => (None, Ok(Arc::default())),
            Ok(Some(contents)) => {
                let users = self.parse(&contents.text).map(Arc::new);
                (Some(contents.stamp), users)
            }
            // There is no state of the file by which to know this again.
            Err(fault) => {
                let error = UsersError::from(fault);
                self.tell(&error);
                return Err(error);
            }
        };
        match &users {
            Ok(_) => self.told().clear(),
            Err(e) => self.tell(e),
        }
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(Seen {
            stamp,
            users: users.clone(),
        });
        users
    }

    fn told(&self) -> std::sync::MutexGuard<'_, String> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says once that nobody is let in, and why.
    fn tell(&self, error: &UsersError) {
        let error = error.to_string();
        let mut told = self.told();
        if *told != error {
            tracing::error!(%error, "the users file cannot be used; no user is let in until it is mended");
            *told = error;
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<Record>, UsersError> {
        text::parse(text).map_err(|fault| UsersError::Broken {
            path: self.0.path.clone(),
            line: fault.line,
            reason: fault.reason,
        })
    }

    /// All users, in the order of the file.
    pub(crate) fn list(&self) -> Result<Vec<Record>, UsersError> {
        let contents = private_file::read(&self.0.path)?;
        contents.map_or(Ok(Vec::new()), |contents| self.parse(&contents.text))
    }

    /// One user.
    pub(crate) fn get(&self, username: &str) -> Result<Record, UsersError> {
        let mut users = self.list()?.into_iter();
        users
            .find(|r| r.username == username)
            .ok_or_else(|| not_found(username))
    }

    /// Adds a user, who is known by the token that is returned.
    pub(crate) fn add(&self, username: &str, role: Role) -> Result<NewToken, UsersError> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
        if !(1..=LONGEST_USERNAME).contains(&username.len())
            || !username.bytes().all(plain)
            || RESERVED.contains(&username)
        {
            return Err(UsersError::BadName);
        }
        self.change(|users| {
            if users.iter().any(|r| r.username == username) {
                return Err(UsersError::Exists(username.into()));
            }
            if users.len() >= text::MOST_USERS {
                return Err(UsersError::TooMany);
            }
            let tail: String = tokens::random::<4>()?.map(|b| format!("{b:02x}")).concat();
            let token = tokens::fresh("")?;
            let record = Record {
                user_id: format!("user_{username}_{tail}"),
                username: username.into(),
                role,
                token: Digest::of(&token),
                created_at: written(now_micros()),
            };
            users.push(record.clone());
            Ok(NewToken { record, token })
        })
    }

    /// Gives a user another token; the one before is nobody's from then on.
    pub(crate) fn reset_token(&self, username: &str) -> Result<NewToken, UsersError> {
        self.change(|users| {
            let token = tokens::fresh("")?;
            let record = users.iter_mut().find(|r| r.username == username);
            let record = record.ok_or_else(|| not_found(username))?;
            record.token = Digest::of(&token);
            Ok(NewToken {
                record: record.clone(),
                token,
            })
        })
    }

    /// Removes a user, but not the last one who administers.
    pub(crate) fn remove(&self, username: &str) -> Result<Record, UsersError> {
        self.change(|users| {
            let place = users.iter().position(|r| r.username == username);
            let place = place.ok_or_else(|| not_found(username))?;
            let admins = users.iter().filter(|r| r.role == Role::Admin).count();
            if users[place].role == Role::Admin && admins == 1 {
                return Err(UsersError::LastAdmin(username.into()));
            }
            Ok(users.remove(place))
        })
    }

    fn change<T>(
        &self,
        work: impl FnOnce(&mut Vec<Record>) -> Result<T, UsersError>,
    ) -> Result<T, UsersError> {
        private_file::alone(&self.0.path, || {
            let mut users = self.list()?;
            let done = work(&mut users)?;
            let text = text::write(&users);
            // Better no change than a file that nobody can read any more.
            if self.parse(&text)? != users {
                return Err(UsersError::BrokenOff);
            }
            private_file::save(&self.0.path, &text)?;
            Ok(done)
        })
    }
}

fn not_found(username: &str) -> UsersError {
    UsersError::NotFound(username.chars().take(LONGEST_USERNAME).collect())
}

/// A time as it stands in the file.
fn written(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, false)
}

/// Does something with files where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UsersError> + Send + 'static,
) -> Result<T, UsersError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(UsersError::BrokenOff),
    }
}

#[cfg(test)]
mod tests;
