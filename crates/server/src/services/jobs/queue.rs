//! Who may run now and who waits: limits per user and per workflow, first come first served.
//!
//! [`Line`] decides and knows nothing of tasks; [`Queue`] is the handle the job service waits at.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How many jobs may be at work at the same time (socket spec 4.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of one user.
    pub(crate) per_user: usize,
    /// Of one workflow, among those that ask to run beside each other; others run alone.
    pub(crate) per_workflow: usize,
    /// Of one user that wait in line; 0 is no limit.
    pub(crate) waiting: usize,
    /// Of one user that somebody waits for and that take no turn; 0 is no limit.
    pub(crate) awaited: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            per_user: 4,
            per_workflow: 4,
            waiting: 1000,
            awaited: 0,
        }
    }
}

/// A job that wants to run.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) job_id: Arc<str>,
    pub(super) user_id: Arc<str>,
    /// Empty for a graph that is not stored: such graphs do not wait for each other.
    pub(super) workflow_id: Arc<str>,
    /// It may run beside other runs of its workflow.
    pub(super) concurrent: bool,
}

/// The jobs of one user.
#[derive(Default)]
struct Line {
    at_work: Vec<Ask>,
    waiting: VecDeque<Ask>,
}

impl Line {
    fn has_room(&self, ask: &Ask, limits: Limits) -> bool {
        if self.at_work.len() >= limits.per_user.max(1) {
            return false;
        }
        let same = self
            .at_work
            .iter()
            .filter(|a| !a.workflow_id.is_empty() && a.workflow_id == ask.workflow_id);
        let most = if ask.concurrent {
            limits.per_workflow.max(1)
        } else {
            1
        };
        same.count() < most
    }

    /// Lets everybody in there is room for, oldest first.
    fn advance(&mut self, limits: Limits) {
        let mut at = 0;
        while at < self.waiting.len() && self.at_work.len() < limits.per_user.max(1) {
            if self.has_room(&self.waiting[at], limits) {
                self.at_work.extend(self.waiting.remove(at));
            } else {
                at += 1;
            }
        }
    }

    /// How many jobs come first, this one included; 0 when it does not wait.
    fn place(&self, job_id: &str) -> usize {
        let at = self.waiting.iter().position(|a| &*a.job_id == job_id);
        at.map_or(0, |at| at + 1)
    }

    fn leave(&mut self, job_id: &str) {
        self.at_work.retain(|a| &*a.job_id != job_id);
        self.waiting.retain(|a| &*a.job_id != job_id);
    }
}

#[derive(Default)]
struct Lines {
    by_user: HashMap<Arc<str>, Line>,
    /// Who is told that a waiting job may run.
    turns: HashMap<Arc<str>, watch::Sender<bool>>,
    /// Runs at work that somebody waits for, by user.
    seats: HashMap<Arc<str>, usize>,
}

/// Why one more is too many, with how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Of jobs that wait in line.
    #[error(
        "{0} jobs of yours wait in line already (setting max_queued_jobs); try again when some have ended"
    )]
    Line(usize),
    /// Of runs somebody waits for.
    #[error(
        "{0} runs of yours are at work already (setting max_concurrent_runs); try again when one has ended"
    )]
    Seats(usize),
}

/// The right to one run that somebody waits for.
pub(super) struct Seat {
    queue: Queue,
    user_id: Arc<str>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut lines = self.queue.lines();
        let left = lines.seats.get_mut(&self.user_id).map(|taken| {
            *taken = taken.saturating_sub(1);
            *taken
        });
        if left == Some(0) {
            lines.seats.remove(&self.user_id);
        }
    }
}

/// Where jobs wait for their turn; clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    lines: Arc<Mutex<Lines>>,
    limits: Limits,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Queue {
            lines: Arc::default(),
            limits,
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets in line as [`Queue::enter`] does, unless too many of the user's wait there already.
    pub(super) fn enter_new(&self, ask: Ask) -> Result<(Ticket, watch::Receiver<bool>), Full> {
        let mut lines = self.lines();
        let most = self.limits.waiting;
        let line = lines.by_user.get(&ask.user_id);
        let full = |line: &Line| line.waiting.len() >= most && !line.has_room(&ask, self.limits);
        if most > 0 && line.is_some_and(full) {
            return Err(Full::Line(most));
        }
        Ok(self.join(&mut lines, ask))
    }

    /// Gets in line; the receiver turns true when the job may run. Dropping the ticket leaves the line.
    pub(super) fn enter(&self, ask: Ask) -> (Ticket, watch::Receiver<bool>) {
        self.join(&mut self.lines(), ask)
    }

    fn join(&self, lines: &mut Lines, ask: Ask) -> (Ticket, watch::Receiver<bool>) {
        let ticket = Ticket {
            queue: self.clone(),
            job_id: ask.job_id.clone(),
            user_id: ask.user_id.clone(),
        };
        let line = lines.by_user.entry(ask.user_id.clone()).or_default();
        line.waiting.push_back(ask);
        line.advance(self.limits);
        let waits = line.place(&ticket.job_id) > 0;
        let (tx, rx) = watch::channel(!waits);
        if waits {
            lines.turns.insert(ticket.job_id.clone(), tx);
        }
        (ticket, rx)
    }

    /// Takes a seat for a run that somebody waits for; dropping it leaves the seat. None is needed without a limit.
    pub(super) fn sit(&self, user_id: &Arc<str>) -> Result<Option<Seat>, Full> {
        let most = self.limits.awaited;
        if most == 0 {
            return Ok(None);
        }
        let mut lines = self.lines();
        let taken = lines.seats.entry(user_id.clone()).or_default();
        if *taken >= most {
            return Err(Full::Seats(most));
        }
        *taken += 1;
        Ok(Some(Seat {
            queue: self.clone(),
            user_id: user_id.clone(),
        }))
    }

    /// Jobs that wait in all lines.
    /// How many jobs wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        let lines = self.lines();
        lines.by_user.values().map(|line| line.waiting.len()).sum()
    }

    fn leave(&self, user_id: &str, job_id: &str) {
        let mut lines = self.lines();
        let Lines { by_user, turns, .. } = &mut *lines;
        turns.remove(job_id);
        let Some(line) = by_user.get_mut(user_id) else {
            return;
        };
        line.leave(job_id);
        line.advance(self.limits);
        for ask in &line.at_work {
            if let Some(turn) = turns.remove(&ask.job_id) {
                turn.send_replace(true);
            }
        }
        if line.at_work.is_empty() && line.waiting.is_empty() {
            by_user.remove(user_id);
        }
    }
}

/// A place in the line or a job's right to run.
pub(super) struct Ticket {
    queue: Queue,
    job_id: Arc<str>,
    user_id: Arc<str>,
}

impl Ticket {
    /// How many jobs come first, this one included; 0 when it does not wait.
    pub(super) fn position(&self) -> usize {
        let lines = self.queue.lines();
        let line = lines.by_user.get(&self.user_id);
        line.map_or(0, |line| line.place(&self.job_id))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.leave(&self.user_id, &self.job_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(job: &str, workflow: &str) -> Ask {
        Ask {
            job_id: job.into(),
            user_id: "1".into(),
            workflow_id: workflow.into(),
            concurrent: false,
        }
    }

    fn limits(per_user: usize) -> Queue {
        Queue::new(Limits {
            per_user,
            per_workflow: 2,
            ..Limits::default()
        })
    }

    #[test]
    fn a_line_that_is_full_takes_only_what_need_not_wait() {
        let queue = Queue::new(Limits {
            per_user: 2,
            waiting: 1,
            ..Limits::default()
        });
        let _first = queue.enter_new(ask("a", "w")).ok();
        let _second = queue.enter_new(ask("b", "w")).ok();
        assert_eq!(queue.enter_new(ask("c", "w")).err(), Some(Full::Line(1)));
        // Its turn has come at once, past those that wait for their own workflow.
        let beside = queue.enter_new(ask("d", "v")).ok();
        assert!(beside.is_some_and(|(_, turn)| *turn.borrow()));
        // One taken up again was in line before.
        let (again, _) = queue.enter(ask("e", "w"));
        assert_eq!(again.position(), 2);
        assert!(
            queue
                .enter_new(Ask {
                    user_id: "2".into(),
                    ..ask("f", "w")
                })
                .is_ok()
        );
    }

    #[test]
    fn seats_are_each_users_own_and_free_again_when_left() {
        let queue = Queue::new(Limits {
            awaited: 1,
            ..Limits::default()
        });
        let (mine, theirs) = (Arc::from("1"), Arc::from("2"));
        let seat = queue.sit(&mine).ok();
        assert_eq!(queue.sit(&mine).err(), Some(Full::Seats(1)));
        assert!(queue.sit(&theirs).is_ok());
        drop(seat);
        assert!(queue.lines().seats.is_empty());
        assert!(queue.sit(&mine).is_ok_and(|seat| seat.is_some()));
    }

    #[test]
    fn the_fifth_job_waits_and_runs_when_one_leaves() {
        let queue = limits(4);
        let mut at_work: Vec<_> = (0..4)
            .map(|n| queue.enter(ask(&n.to_string(), &n.to_string())))
            .collect();
        assert!(at_work.iter().all(|(_, turn)| *turn.borrow()));
        let (fifth, turn) = queue.enter(ask("4", "4"));
        let (sixth, _) = queue.enter(ask("5", "5"));
        assert_eq!((fifth.position(), sixth.position()), (1, 2));
        at_work.pop();
        assert_eq!((fifth.position(), sixth.position()), (0, 1));
        assert!(*turn.borrow());
    }

    #[test]
    fn runs_of_one_workflow_follow_each_other_unless_they_ask_to_run_together() {
        let queue = limits(8);
        let first = queue.enter(ask("a", "w"));
        let (second, _) = queue.enter(ask("b", "w"));
        assert_eq!(second.position(), 1);
        let (_other, turn) = queue.enter(ask("c", "v"));
        assert!(*turn.borrow(), "another workflow passes");
        let together = Ask {
            concurrent: true,
            ..ask("d", "w")
        };
        let (_beside, turn) = queue.enter(together);
        assert!(*turn.borrow());
        drop(first);
        assert_eq!(second.position(), 1, "another run of it is still at work");
    }

    #[test]
    fn whoever_stops_waiting_makes_room_in_the_line() {
        let queue = limits(1);
        let first = queue.enter(ask("a", ""));
        let (second, _) = queue.enter(ask("b", ""));
        let (third, turn) = queue.enter(ask("c", ""));
        assert_eq!(third.position(), 2);
        drop(second);
        assert_eq!(third.position(), 1);
        drop(first);
        assert!(*turn.borrow() && third.position() == 0);
        assert!(queue.lines().turns.is_empty());
    }

    #[test]
    fn users_do_not_wait_for_each_other() {
        let queue = limits(1);
        let _mine = queue.enter(ask("a", "w"));
        let (_theirs, turn) = queue.enter(Ask {
            user_id: "2".into(),
            ..ask("b", "w")
        });
        assert!(*turn.borrow());
    }
}
