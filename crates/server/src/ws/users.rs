//! The sockets of each user: how many there are, and their end when the user is dismissed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::services::Caller;

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Users(Arc<Mutex<HashMap<(String, bool), Open>>>);

#[derive(Default)]
struct Open {
    sockets: usize,
    dismissed: CancellationToken,
}

/// A socket's place among its user's; given back when dropped.
pub(super) struct Seat {
    users: Users,
    whose: (String, bool),
    dismissed: CancellationToken,
}

impl Users {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<(String, bool), Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more socket, if the user may have one.
    pub(super) fn enter(&self, caller: &Caller, most: Option<usize>) -> Option<Seat> {
        let mut all = self.all();
        let whose = (caller.user_id.clone(), caller.by_key);
        let open = all.entry(whose.clone()).or_default();
        if most.is_some_and(|most| open.sockets >= most) {
            return None;
        }
        open.sockets += 1;
        Some(Seat {
            users: self.clone(),
            whose,
            dismissed: open.dismissed.clone(),
        })
    }

    /// Ends the sockets a user has now, opened with API keys or otherwise; new ones have to be let in again.
    pub(super) fn dismiss(&self, user_id: &str, by_key: bool) {
        if let Some(open) = self.all().get_mut(&(user_id.to_owned(), by_key)) {
            std::mem::take(&mut open.dismissed).cancel();
        }
    }
}

impl Seat {
    /// Resolves when the user is dismissed.
    pub(super) async fn dismissed(&self) {
        self.dismissed.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.users.all();
        if let Some(open) = all.get_mut(&self.whose) {
            open.sockets -= 1;
            if open.sockets == 0 {
                all.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_has_so_many_places_and_loses_them_together() {
        let (users, u) = (Users::default(), Caller::user("u"));
        let first = users.enter(&u, Some(2)).unwrap();
        let second = users.enter(&u, Some(2)).unwrap();
        assert!(users.enter(&u, Some(2)).is_none());
        let other = users.enter(&Caller::user("v"), Some(2)).unwrap();
        users.dismiss("u", false);
        first.dismissed().await;
        second.dismissed().await;
        assert!(!other.dismissed.is_cancelled());
        drop(first);
        let later = users.enter(&u, Some(2)).unwrap();
        assert!(!later.dismissed.is_cancelled(), "it was let in after that");
        drop((second, later, other));
        assert!(users.all().is_empty());
    }
}
