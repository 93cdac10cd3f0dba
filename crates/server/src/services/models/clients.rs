//! Clients of accounts, kept while they are used.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nodetool_providers::{Account, Key, Provider};

/// Most clients kept.
const MOST: usize = 1024;

/// Whatever is different makes it another account.
type Which = (String, String, Option<Key>, Option<u32>);

#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<Which, Provider>>);

impl Clients {
    pub(super) fn get(
        &self,
        account: Account,
        make: impl FnOnce(&Account) -> Provider,
    ) -> Provider {
        let which = (
            account.provider.clone(),
            account.address.clone(),
            account.key.clone(),
            account.context_length,
        );
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST && !kept.contains_key(&which) {
            // Whichever it is, it can be made again.
            let one = kept.keys().next().cloned();
            one.map(|one| kept.remove(&one));
        }
        kept.entry(which).or_insert_with(|| make(&account)).clone()
    }
}
