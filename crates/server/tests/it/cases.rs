//! Every public case of nodes, graphs and workflow files over the real engine, nodes and script sandbox.
//!
//! The tables lie in `tests/data`; the workflow files of others are read from the shared folder, and where it is
//! absent their runs are counted as skipped. What a case needs and is not there yet stands in `tests/data/waiting.txt`.

mod command;
mod compare;
mod films;
mod fixtures;
mod house;
mod ledger;
mod live;
mod media;
mod models;
mod node_cases;
mod shipped;
mod tables;
mod utc;
mod workflow_cases;

use house::House;
use ledger::Ledger;
use node_cases::NodeCase;
use workflow_cases::WorkflowCase;

pub(crate) use models::filled;
pub(crate) use tables::{read, shared};

const WAITING: &str = include_str!("../data/waiting.txt");

#[test]
fn every_case_gives_what_its_table_says_or_waits_as_listed() {
    if utc::started_again("cases::every_case_gives_what_its_table_says_or_waits_as_listed") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut ledger = Ledger::new(WAITING);
    let house = House::open();
    for case in NodeCase::all(&tables::read(&tables::own("node-cases.json"))) {
        let verdict = runtime.block_on(case.run(&house));
        ledger.enter(case.family(), &case.id, verdict);
    }
    let mut skipped = 0;
    for case in WorkflowCase::all() {
        let verdict = match case.live {
            Some(_) => live::run(&case),
            None => runtime.block_on(case.run(&house)),
        };
        match verdict {
            Some(verdict) => ledger.enter(case.family, &case.id, verdict),
            None => {
                skipped += 1;
                ledger.skip(case.family, &case.id);
            }
        }
    }
    if skipped > 0 {
        let folder = tables::shared("");
        println!(
            "SKIPPED {skipped} runs of workflow files that are not in {}",
            folder.display()
        );
    }
    ledger.close();
}

#[test]
fn the_command_line_prints_the_expected_outputs_of_every_workflow_file() {
    let listed = Ledger::new(WAITING);
    let mut ledger = Ledger::new("");
    let workspace = tempfile::tempdir().unwrap();
    for case in WorkflowCase::all() {
        match case.file() {
            Some(file) if case.is_for_the_command_line() && !listed.waits(&case.id) => {
                let ran = command::run(file, &case.params, workspace.path());
                ledger.enter(case.family, &case.id, case.judge(&ran));
            }
            _ => ledger.skip(case.family, &case.id),
        }
    }
    ledger.close();
}
