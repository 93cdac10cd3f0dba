//! Keeps the score of the cases against the list of those that wait for something that is not there yet.
//!
//! The list is true or the test fails: a listed case must not pass, every other one must, and every line names a case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Longest line about a case, in characters.
const LINE: usize = 600;

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As expected.
    Passed,
    /// As expected, but a part that may differ does: which one.
    Soft(String),
    /// As the Python generation does, where the case allows both: how it differs from what was expected.
    Compatible(String),
    /// Nothing to pass or fail: how it ended.
    Informational(String),
    /// Otherwise: how.
    Failed(String),
}

impl Verdict {
    fn in_short(self) -> Self {
        match self {
            Verdict::Passed => Verdict::Passed,
            Verdict::Soft(how) => Verdict::Soft(short(&how)),
            Verdict::Compatible(how) => Verdict::Compatible(short(&how)),
            Verdict::Informational(how) => Verdict::Informational(short(&how)),
            Verdict::Failed(how) => Verdict::Failed(short(&how)),
        }
    }
}

/// One line, which says how many more there are.
fn short(text: &str) -> String {
    let mut lines = text.trim_end().lines();
    let first: String = lines
        .next()
        .unwrap_or_default()
        .chars()
        .take(LINE)
        .collect();
    match lines.count() {
        0 => first,
        more => format!("{first} (and {more} more lines)"),
    }
}

#[derive(Default)]
struct Row {
    passed: usize,
    compatible: usize,
    waiting: usize,
    skipped: usize,
    informational: usize,
    failed: usize,
}

/// The score.
pub(super) struct Ledger {
    waiting: BTreeMap<String, String>,
    seen: BTreeSet<String>,
    rows: BTreeMap<String, Row>,
    remarks: Vec<String>,
    faults: Vec<String>,
}

impl Ledger {
    /// A score against a list of `case id | reason` lines; empty lines and those that start with `#` do not count.
    pub(super) fn new(list: &str) -> Self {
        let mut ledger = Ledger {
            waiting: BTreeMap::new(),
            seen: BTreeSet::new(),
            rows: BTreeMap::new(),
            remarks: Vec::new(),
            faults: Vec::new(),
        };
        for line in list
            .lines()
            .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
        {
            match line
                .split_once('|')
                .map(|(id, why)| (id.trim(), why.trim()))
            {
                Some((id, why)) if !id.is_empty() && !why.is_empty() => {
                    if ledger.waiting.insert(id.into(), why.into()).is_some() {
                        ledger
                            .faults
                            .push(format!("waiting list: {id} is listed twice"));
                    }
                }
                _ => ledger.faults.push(format!(
                    "waiting list: expected `case id | reason`, got: {line}"
                )),
            }
        }
        ledger
    }

    /// Whether a case is listed as one that waits.
    pub(super) fn waits(&self, id: &str) -> bool {
        self.waiting.contains_key(id)
    }

    /// Enters how a case ended.
    pub(super) fn enter(&mut self, family: &str, id: &str, verdict: Verdict) {
        let verdict = verdict.in_short();
        let listed = self.know(id);
        let row = self.rows.entry(family.into()).or_default();
        match (verdict, listed) {
            (Verdict::Informational(how), None) => {
                row.informational += 1;
                self.remarks.push(format!("informational  {id}: {how}"));
            }
            (Verdict::Failed(_), Some(why)) => {
                row.waiting += 1;
                self.remarks.push(format!("waiting        {id}: {why}"));
            }
            (Verdict::Failed(how), None) => {
                row.failed += 1;
                self.faults.push(format!("{id}: {how}"));
            }
            (_, Some(_)) => {
                row.failed += 1;
                self.faults.push(format!(
                    "{id}: is on the waiting list, but has what it needs; remove its line"
                ));
            }
            (Verdict::Passed, None) => row.passed += 1,
            (Verdict::Soft(how), None) => {
                row.passed += 1;
                self.remarks.push(format!("soft           {id}: {how}"));
            }
            (Verdict::Compatible(how), None) => {
                row.compatible += 1;
                self.remarks.push(format!("compatible     {id}: {how}"));
            }
        }
    }

    /// Notes a case that cannot be run here, listed or not.
    pub(super) fn skip(&mut self, family: &str, id: &str) {
        self.know(id);
        self.rows.entry(family.into()).or_default().skipped += 1;
    }

    fn know(&mut self, id: &str) -> Option<String> {
        if !self.seen.insert(id.into()) {
            self.faults
                .push(format!("{id}: there are two cases of this id"));
        }
        self.waiting.get(id).cloned()
    }

    /// What was counted, family by family, and what is worth a look.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            let _ = writeln!(text, "{remark}");
        }
        let _ = writeln!(
            text,
            "{:<24} {:>7} {:>10} {:>7} {:>7} {:>13} {:>6}",
            "", "passed", "compatible", "waiting", "skipped", "informational", "failed"
        );
        let mut total = Row::default();
        for (family, row) in &self.rows {
            let _ = writeln!(text, "{}", line(family, row));
            total.passed += row.passed;
            total.compatible += row.compatible;
            total.waiting += row.waiting;
            total.skipped += row.skipped;
            total.informational += row.informational;
            total.failed += row.failed;
        }
        let _ = writeln!(text, "{}", line("all", &total));
        text
    }

    /// Everything that is wrong.
    pub(super) fn faults(mut self) -> Vec<String> {
        for id in self.waiting.keys().filter(|id| !self.seen.contains(*id)) {
            self.faults
                .push(format!("waiting list: there is no case {id}"));
        }
        self.faults
    }

    /// Prints the score and fails when anything is wrong.
    pub(super) fn close(self) {
        println!("{}", self.summary());
        let faults = self.faults();
        assert!(
            faults.is_empty(),
            "{} faults\n{}",
            faults.len(),
            faults.join("\n")
        );
    }
}

fn line(family: &str, row: &Row) -> String {
    format!(
        "{family:<24} {:>7} {:>10} {:>7} {:>7} {:>13} {:>6}",
        row.passed, row.compatible, row.waiting, row.skipped, row.informational, row.failed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Verdict {
        Verdict::Failed("no".into())
    }

    #[test]
    fn a_failure_counts_unless_the_case_waits() {
        let mut ledger = Ledger::new("# a comment\n\na | needs a model\n");
        ledger.enter("f", "a", failed());
        ledger.enter("f", "b", failed());
        assert!(ledger.summary().contains("waiting        a: needs a model"));
        assert_eq!(ledger.faults(), ["b: no"]);
    }

    #[test]
    fn a_waiting_case_that_passes_makes_its_line_wrong() {
        for verdict in [Verdict::Passed, Verdict::Compatible("x".into())] {
            let mut ledger = Ledger::new("a | needs a model");
            ledger.enter("f", "a", verdict);
            let faults = ledger.faults();
            assert!(faults[0].contains("remove its line"), "{faults:?}");
        }
    }

    #[test]
    fn a_line_must_have_a_reason_and_name_a_case_once() {
        let mut ledger = Ledger::new("a\nb | x\nb | y\nc | skipped");
        ledger.skip("f", "c");
        let faults = ledger.faults().join("\n");
        for part in ["got: a", "b is listed twice", "no case b"] {
            assert!(faults.contains(part), "{faults}");
        }
        assert!(!faults.contains("no case c"), "{faults}");
    }

    #[test]
    fn two_cases_of_one_id_are_a_fault() {
        let mut ledger = Ledger::new("");
        ledger.enter("f", "a", Verdict::Passed);
        ledger.enter("f", "a", Verdict::Passed);
        assert_eq!(ledger.faults().len(), 1);
    }
}
