//! What the schedules of a workflow become when it is saved, started or stopped: plain decisions over rows. No store,
//! no clock; the time is given.

use nodetool_store::{TriggerRow, new_id};

use super::spec::{Spec, TriggerFault, Wanted};

/// Why the schedules are worked out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The workflow was saved, or the server has started.
    Saved {
        /// Whether the workflow is one that waits for its triggers.
        waits: bool,
    },
    /// Somebody starts it.
    Started {
        /// As above.
        waits: bool,
    },
}

/// What is to be stored.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Nodes whose schedules stay as they are.
    pub(super) kept: Vec<String>,
    /// Schedules that begin anew.
    pub(super) rows: Vec<TriggerRow>,
}

impl Change {
    /// Whether anything is to be stored over these rows.
    pub(super) fn differs(&self, stored: &[TriggerRow]) -> bool {
        !self.rows.is_empty() || self.kept.len() != stored.len()
    }
}

/// Works out the schedules of a workflow of this owner.
pub(super) fn change(
    stored: &[TriggerRow],
    wanted: &[Wanted],
    owner: (&str, &str),
    occasion: Occasion,
    now: i64,
) -> Change {
    let by_hand = stored.iter().any(|row| row.by_hand);
    let was_active = stored.iter().any(|row| row.active);
    let (active, by_hand) = match occasion {
        Occasion::Saved { waits: true } => (stored.is_empty() || was_active, false),
        // One that was started by hand goes on; any other does not wait for triggers any more.
        Occasion::Saved { waits: false } if by_hand && was_active => (true, true),
        Occasion::Saved { waits: false } => return Change::default(),
        Occasion::Started { waits } => (true, !waits),
    };
    let mut change = Change::default();
    for Wanted { node_id, spec } in wanted {
        // No row can have such an id; starting the workflow says so.
        if matches!(spec, Err(fault) if fault.property == "id") {
            continue;
        }
        let before = stored.iter().find(|row| row.node_id == *node_id);
        let row = fresh(before, node_id, owner, spec, active, now);
        let row = TriggerRow { by_hand, ..row };
        let same = before.is_some_and(|b| {
            (&b.spec, b.active, b.by_hand, &b.user_id)
                == (&row.spec, row.active, row.by_hand, &row.user_id)
        });
        if same {
            change.kept.push(node_id.clone());
        } else {
            change.rows.push(row);
        }
    }
    change
}

/// What the schedules of a workflow become when somebody stops it.
pub(super) fn stopped(stored: &[TriggerRow], now: i64) -> Change {
    let (active, idle): (Vec<&TriggerRow>, Vec<&TriggerRow>) =
        stored.iter().partition(|row| row.active);
    let stop = |row: &TriggerRow| TriggerRow {
        active: false,
        next_due: None,
        revision: row.revision + 1,
        updated_at: now,
        ..row.clone()
    };
    Change {
        kept: idle.into_iter().map(|row| row.node_id.clone()).collect(),
        rows: active.into_iter().map(stop).collect(),
    }
}

/// A schedule that begins now.
fn fresh(
    before: Option<&TriggerRow>,
    node_id: &str,
    (user_id, workflow_id): (&str, &str),
    spec: &Result<Spec, TriggerFault>,
    active: bool,
    now: i64,
) -> TriggerRow {
    let spec = match spec {
        Ok(spec) => spec.clone(),
        Err(fault) => Spec::Faulty {
            why: format!("`{}`: {}", fault.property, fault.why),
        },
    };
    let last_error = match &spec {
        Spec::Faulty { why } => Some(why.clone()),
        _ => None,
    };
    let due = spec.timing().filter(|_| active);
    TriggerRow {
        workflow_id: workflow_id.to_owned(),
        node_id: node_id.to_owned(),
        user_id: user_id.to_owned(),
        kind: spec.kind().to_owned(),
        spec: spec.to_text(),
        salt: before.map_or_else(new_id, |b| b.salt.clone()),
        active,
        by_hand: false,
        started_at: now,
        next_due: due.and_then(|timing| timing.first_due(now)),
        last_fired: before.and_then(|b| b.last_fired),
        fired: 0,
        last_job_id: before.and_then(|b| b.last_job_id.clone()),
        last_error,
        revision: before.map_or(0, |b| b.revision + 1),
        created_at: before.map_or(now, |b| b.created_at),
        updated_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::SECOND;
    use super::*;

    const OWNER: (&str, &str) = ("u", "w");
    const SAVED: Occasion = Occasion::Saved { waits: true };

    fn every(node_id: &str, seconds: i64) -> Wanted {
        let spec = Ok(Spec::Interval {
            every: seconds * SECOND,
            delay: 0,
            at_once: true,
            steady: true,
            max_events: 0,
        });
        Wanted {
            node_id: node_id.into(),
            spec,
        }
    }

    fn begun(wanted: &[Wanted], now: i64) -> Vec<TriggerRow> {
        change(&[], wanted, OWNER, SAVED, now).rows
    }

    #[test]
    fn saving_starts_new_nodes_and_leaves_those_that_did_not_change() {
        let rows = begun(&[every("a", 5), every("b", 5)], 10);
        assert_eq!(rows[0].next_due, Some(10));
        assert!(rows.iter().all(|row| row.active && !row.by_hand));
        let wanted = [every("a", 5), every("b", 7), every("c", 5)];
        let later = change(&rows, &wanted, OWNER, SAVED, 20);
        assert_eq!(later.kept, ["a"]);
        let ids: Vec<&str> = later.rows.iter().map(|r| r.node_id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(later.rows[0].next_due, Some(20), "planned anew");
        assert_eq!(later.rows[0].salt, rows[1].salt);
        assert!(later.differs(&rows));
        let same = change(&rows, &[every("a", 5), every("b", 5)], OWNER, SAVED, 20);
        assert!(!same.differs(&rows));
        let fewer = change(&rows, &[every("a", 5)], OWNER, SAVED, 20);
        assert!(fewer.differs(&rows));
    }

    #[test]
    fn what_was_stopped_stays_stopped_until_it_is_started() {
        let wanted = [every("a", 5)];
        let rows = begun(&wanted, 10);
        let idle = stopped(&rows, 20).rows;
        assert_eq!((idle[0].active, idle[0].next_due), (false, None));
        let more = [every("a", 5), every("b", 5)];
        let saved = change(&idle, &more, OWNER, SAVED, 30);
        assert_eq!(saved.kept, ["a"]);
        assert!(!saved.rows[0].active);
        let waits = Occasion::Started { waits: true };
        let started = change(&idle, &wanted, OWNER, waits, 40).rows;
        assert_eq!((started[0].active, started[0].next_due), (true, Some(40)));
        let again = change(&started, &wanted, OWNER, waits, 50);
        assert_eq!(again.kept, ["a"], "starting twice is starting once");
    }

    #[test]
    fn another_run_mode_ends_schedules_unless_they_were_started_by_hand() {
        let wanted = [every("a", 5)];
        let other = Occasion::Saved { waits: false };
        let rows = begun(&wanted, 10);
        assert_eq!(change(&rows, &wanted, OWNER, other, 20), Change::default());
        let by_hand = Occasion::Started { waits: false };
        let rows = change(&[], &wanted, OWNER, by_hand, 20).rows;
        assert_eq!(change(&rows, &wanted, OWNER, other, 30).kept, ["a"]);
        let idle = stopped(&rows, 40).rows;
        assert_eq!(change(&idle, &wanted, OWNER, other, 50), Change::default());
    }

    #[test]
    fn settings_that_cannot_be_used_are_told_and_not_due() {
        let fault = TriggerFault {
            node_id: "a".into(),
            property: "interval_seconds",
            why: "0.5".into(),
        };
        let wanted = [Wanted {
            node_id: "a".into(),
            spec: Err(fault),
        }];
        let rows = begun(&wanted, 10);
        assert_eq!(rows[0].next_due, None);
        let error = rows[0].last_error.as_deref();
        assert_eq!(error, Some("`interval_seconds`: 0.5"));
    }
}
