//! Tickets for sockets: a browser cannot send a header with one, and a token in an address ends up in logs. A ticket
//! takes its place: it holds once, for a minute, and nowhere else. It must not know sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::tokens::{self, Digest, NoChance};
use crate::services::Caller;

/// How a ticket begins.
const PREFIX: &str = "ntt_";
/// How long a ticket holds.
pub(crate) const HOLDS: Duration = Duration::from_secs(60);
/// Tickets of one user; a new one takes the place of the oldest.
const MOST_OF_USER: usize = 32;
/// Tickets of everybody.
const MOST: usize = 4096;

/// Why no ticket was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("Too many tickets are waiting to be used; try again in a minute")]
    TooMany,
    #[error(transparent)]
    NoChance(#[from] NoChance),
}

struct Ticket {
    digest: Digest,
    caller: Caller,
    until: Instant,
}

/// The tickets that were not used yet, in the order of their making.
#[derive(Clone, Default)]
pub(super) struct Tickets(Arc<Mutex<VecDeque<Ticket>>>);

impl Tickets {
    pub(super) fn issue(&self, caller: &Caller) -> Result<String, TicketError> {
        self.issue_at(caller, Instant::now())
    }

    fn issue_at(&self, caller: &Caller, now: Instant) -> Result<String, TicketError> {
        let ticket = tokens::fresh(PREFIX)?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.front().is_some_and(|t| t.until <= now) {
            waiting.pop_front();
        }
        let own = |t: &Ticket| t.caller.user_id == caller.user_id;
        if waiting.iter().filter(|t| own(t)).count() >= MOST_OF_USER
            && let Some(oldest) = waiting.iter().position(own)
        {
            waiting.remove(oldest);
        }
        if waiting.len() >= MOST {
            return Err(TicketError::TooMany);
        }
        waiting.push_back(Ticket {
            digest: Digest::of(&ticket),
            caller: caller.clone(),
            until: now + HOLDS,
        });
        Ok(ticket)
    }

    pub(super) fn drop_of(&self, user_id: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|ticket| ticket.caller.user_id != user_id);
    }

    pub(super) fn redeem(&self, ticket: &str) -> Option<Caller> {
        self.redeem_at(ticket, Instant::now())
    }

    fn redeem_at(&self, ticket: &str, now: Instant) -> Option<Caller> {
        if !tokens::has_form(ticket, PREFIX) {
            return None;
        }
        let digest = Digest::of(ticket);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting.iter().position(|t| t.digest == digest)?;
        let found = waiting.remove(place)?;
        (found.until > now).then_some(found.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_holds_once_and_for_a_minute() {
        let tickets = Tickets::default();
        let now = Instant::now();
        let caller = Caller::user("u");
        let ticket = tickets.issue_at(&caller, now).unwrap();
        assert_eq!(tickets.redeem_at("ntt_", now), None);
        assert_eq!(
            tickets.redeem_at(&format!("ntt_{}", "A".repeat(43)), now),
            None
        );
        let late = now + HOLDS - Duration::from_millis(1);
        assert_eq!(tickets.redeem_at(&ticket, late), Some(caller.clone()));
        assert_eq!(tickets.redeem_at(&ticket, late), None);
        let ticket = tickets.issue_at(&caller, now).unwrap();
        assert_eq!(tickets.redeem_at(&ticket, now + HOLDS), None);
        assert_eq!(tickets.redeem_at(&ticket, now), None, "a late use is a use");
    }

    #[test]
    fn a_user_has_a_bounded_number_of_tickets() {
        let tickets = Tickets::default();
        let now = Instant::now();
        let theirs = tickets.issue_at(&Caller::user("v"), now).unwrap();
        let issue = |_| tickets.issue_at(&Caller::user("u"), now).unwrap();
        let all: Vec<String> = (0..=MOST_OF_USER).map(issue).collect();
        assert_eq!(tickets.redeem_at(&all[0], now), None);
        for kept in &all[1..] {
            assert_eq!(tickets.redeem_at(kept, now), Some(Caller::user("u")));
        }
        assert_eq!(tickets.redeem_at(&theirs, now), Some(Caller::user("v")));
    }

    #[test]
    fn everybody_together_has_a_bounded_number_of_tickets() {
        let tickets = Tickets::default();
        let now = Instant::now();
        for user in 0..MOST {
            tickets
                .issue_at(&Caller::user(user.to_string()), now)
                .unwrap();
        }
        let more = Caller::user("more");
        let refused = tickets.issue_at(&more, now);
        assert!(matches!(refused, Err(TicketError::TooMany)));
        assert!(tickets.issue_at(&more, now + HOLDS).is_ok());
    }
}
