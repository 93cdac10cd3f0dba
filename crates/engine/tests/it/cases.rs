//! The conformance cases of engine spec 8, one test each, named for their numbers.

mod batches;
mod control;
mod endings;
mod inputs;
mod loading;
mod outputs;
mod services;

/// Cases that have no test, and why.
const WITHOUT: [(u32, &str); 2] = [
    (76, "nodes do not save their assets by themselves yet"),
    (81, "trigger inputs are stored by the server"),
];

/// Where tests named for cases are.
const SOURCES: [&str; 12] = [
    include_str!("cases/batches.rs"),
    include_str!("cases/control.rs"),
    include_str!("cases/endings.rs"),
    include_str!("cases/inputs.rs"),
    include_str!("cases/loading.rs"),
    include_str!("cases/outputs.rs"),
    include_str!("cases/services.rs"),
    include_str!("guarantees/refusals.rs"),
    include_str!("resume.rs"),
    include_str!("../../src/aligner/tests.rs"),
    include_str!("../../src/assets.rs"),
    include_str!("../../src/inbox.rs"),
];

#[test]
fn every_case_has_a_test_or_a_reason() {
    let named = |line: &str| {
        let (_, name) = line.split_once("fn case_")?;
        name.split_once('_')?.0.parse::<u32>().ok()
    };
    let tested: Vec<u32> = SOURCES
        .iter()
        .flat_map(|source| source.lines().filter_map(named))
        .collect();
    for number in 1..=86 {
        let excused = WITHOUT.iter().any(|(n, _)| *n == number);
        assert!(
            tested.contains(&number) != excused,
            "case {number} needs a test or a reason, and not both"
        );
    }
}
