//! Queues between loops: tokens in order, with a bound, until every writer has ended.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Token;
use crate::{BoxFuture, NodeError};

/// Tokens a queue holds before its writers wait (orchestrator spec 7.1).
pub const QUEUE_ROOM: usize = 1000;

/// What a reader gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Popped {
    /// The next token, with its number.
    Token(u64, Token),
    /// Every writer has ended; the sentinel of the last one.
    Ended(Token),
}

/// Keeps the tokens of a queue for a run that takes over after this process is lost.
pub trait QueueJournal: Send + Sync {
    /// Keeps a token; returns when it is safe.
    fn pushed<'a>(
        &'a self,
        queue: &'a str,
        number: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<(), NodeError>>;
    /// A token has been worked on and is not needed again.
    fn done(&self, queue: &str, number: u64);
}

struct State {
    tokens: VecDeque<(u64, Token)>,
    /// Taken out and not yet done with.
    taken: Vec<u64>,
    next: u64,
    /// Writers that have not ended.
    writers: usize,
    last: Token,
}

/// The queue of one reader.
pub struct TokenQueue {
    name: Arc<str>,
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
    journal: Option<Arc<dyn QueueJournal>>,
}

impl fmt::Debug for TokenQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenQueue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TokenQueue {
    /// A queue with so many writers. `left` is what an earlier process left in it, by number.
    pub fn new(
        name: Arc<str>,
        writers: usize,
        journal: Option<Arc<dyn QueueJournal>>,
        left: Vec<(u64, Token)>,
    ) -> Self {
        TokenQueue {
            name,
            state: Mutex::new(State {
                next: left.last().map_or(0, |(number, _)| number + 1),
                tokens: left.into(),
                taken: Vec::new(),
                writers,
                last: Token::default(),
            }),
            filled: Notify::new(),
            emptied: Notify::new(),
            journal,
        }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Adds a token; waits for room.
    ///
    /// # Errors
    /// When the token could not be kept.
    pub async fn push(&self, token: Token) -> Result<(), NodeError> {
        let number = loop {
            let room = self.emptied.notified();
            {
                let mut state = self.lock();
                if state.tokens.len() < QUEUE_ROOM {
                    let number = state.next;
                    state.next += 1;
                    break number;
                }
            }
            room.await;
        };
        if let Some(journal) = &self.journal {
            journal.pushed(&self.name, number, &token).await?;
        }
        let mut state = self.lock();
        let at = state.tokens.partition_point(|(n, _)| *n < number);
        state.tokens.insert(at, (number, token));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// A writer has ended, with this sentinel.
    pub fn end(&self, sentinel: Token) {
        let mut state = self.lock();
        state.writers = state.writers.saturating_sub(1);
        state.last = sentinel;
        drop(state);
        self.filled.notify_one();
    }

    /// The next token; waits without limit. For the one reader.
    pub async fn pop(&self) -> Popped {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.lock();
                if let Some((number, token)) = state.tokens.pop_front() {
                    state.taken.push(number);
                    drop(state);
                    self.emptied.notify_waiters();
                    return Popped::Token(number, token);
                }
                if state.writers == 0 {
                    return Popped::Ended(state.last.clone().completed());
                }
            }
            filled.await;
        }
    }

    /// The loop has worked on a token; it is not needed again. Said twice, it counts once.
    pub fn done(&self, number: u64) {
        let mut state = self.lock();
        let Some(at) = state.taken.iter().position(|n| *n == number) else {
            return;
        };
        state.taken.swap_remove(at);
        drop(state);
        if let Some(journal) = &self.journal {
            journal.done(&self.name, number);
        }
    }

    /// The loop has worked on every token it took.
    pub fn done_with_taken(&self) {
        let taken = std::mem::take(&mut self.lock().taken);
        if let Some(journal) = &self.journal {
            for number in taken {
                journal.done(&self.name, number);
            }
        }
    }

    /// Tokens in it.
    pub fn len(&self) -> usize {
        self.lock().tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Done(Mutex<Vec<u64>>);

    impl QueueJournal for Done {
        fn pushed<'a>(
            &'a self,
            _: &'a str,
            _: u64,
            _: &'a Token,
        ) -> BoxFuture<'a, Result<(), NodeError>> {
            Box::pin(std::future::ready(Ok(())))
        }
        fn done(&self, _: &str, number: u64) {
            self.0.lock().expect("a lock").push(number);
        }
    }

    #[tokio::test]
    async fn a_token_is_done_with_once_whoever_says_so_and_not_before_it_was_taken() {
        let done = Arc::new(Done::default());
        let queue = TokenQueue::new("q".into(), 1, Some(done.clone()), Vec::new());
        for _ in 0..3 {
            queue.push(Token::default()).await.expect("room");
        }
        queue.done(0);
        queue.done_with_taken();
        assert!(done.0.lock().expect("a lock").is_empty());
        queue.pop().await;
        queue.pop().await;
        queue.done(1);
        queue.done_with_taken();
        queue.done(0);
        queue.done_with_taken();
        assert_eq!(*done.0.lock().expect("a lock"), [1, 0]);
        assert_eq!(queue.len(), 1);
    }
}
