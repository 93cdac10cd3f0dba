//! When a running script has to stop: its time is over, or the parent says so or is gone.
//! It must not know what runs.

use std::cell::Cell;
use std::fs::File;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::Runtime;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::super::wire::Fault;

/// How often the input is looked at during a turn.
const LOOK: Duration = Duration::from_millis(10);

/// The watch over one turn, asked by the interpreter again and again.
#[derive(Debug)]
pub(super) struct Guard {
    input: File,
    deadline: Cell<Option<Instant>>,
    next_look: Cell<Instant>,
    stopped: Cell<Option<Stopped>>,
}

#[derive(Debug, Clone, Copy)]
enum Stopped {
    Overtime,
    Cancelled,
}

impl Guard {
    pub(super) fn new(input: File) -> Self {
        Self {
            input,
            deadline: Cell::new(None),
            next_look: Cell::new(Instant::now()),
            stopped: Cell::new(None),
        }
    }

    /// A turn begins.
    pub(super) fn start(&self, millis: Option<u64>) {
        let now = Instant::now();
        self.deadline
            .set(millis.and_then(|millis| now.checked_add(Duration::from_millis(millis))));
        self.next_look.set(now + LOOK);
        self.stopped.set(None);
    }

    /// Whether the turn has to stop.
    pub(super) fn check(&self) -> bool {
        if self.stopped.get().is_some() {
            return true;
        }
        let now = Instant::now();
        if self.deadline.get().is_some_and(|deadline| now >= deadline) {
            self.stopped.set(Some(Stopped::Overtime));
        } else if now >= self.next_look.get() {
            self.next_look.set(now + LOOK);
            // Within a turn nothing is sent but a cancellation; a closed pipe counts as one.
            let mut input = [PollFd::new(&self.input, PollFlags::IN)];
            if poll(
                &mut input,
                Some(&Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                }),
            )
            .is_ok_and(|ready| ready > 0)
            {
                self.stopped.set(Some(Stopped::Cancelled));
            }
        }
        self.stopped.get().is_some()
    }

    /// Why the turn was stopped, if it was.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.stopped.get().map(|stopped| match stopped {
            Stopped::Overtime => Fault::Timeout,
            Stopped::Cancelled => Fault::Cancelled,
        })
    }

    /// Lets an interpreter ask.
    pub(super) fn watch(self: &Rc<Self>, runtime: &Runtime) {
        let guard = self.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || guard.check())));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    fn guard() -> (Guard, std::io::PipeWriter) {
        let (reader, writer) = std::io::pipe().unwrap();
        (Guard::new(File::from(OwnedFd::from(reader))), writer)
    }

    /// Asks until it says stop; the caller's test ends otherwise by its own time limit.
    fn fault(guard: &Guard) -> Option<Fault> {
        while !guard.check() {}
        guard.fault()
    }

    #[test]
    fn a_turn_stops_when_its_time_is_over() {
        let (guard, _writer) = guard();
        guard.start(Some(1));
        assert!(matches!(fault(&guard), Some(Fault::Timeout)));
        guard.start(Some(60_000));
        assert!(!guard.check() && guard.fault().is_none());
    }

    #[test]
    fn a_turn_stops_when_the_parent_writes() {
        let (guard, mut writer) = guard();
        guard.start(None);
        assert!(!guard.check());
        writer.write_all(b"x").unwrap();
        assert!(matches!(fault(&guard), Some(Fault::Cancelled)));
    }

    #[test]
    fn a_turn_stops_when_the_parent_is_gone() {
        let (guard, writer) = guard();
        guard.start(None);
        drop(writer);
        assert!(matches!(fault(&guard), Some(Fault::Cancelled)));
    }
}
