//! Whether a plan holds: pure, and all faults at once, so that a model can mend them all.

use std::collections::{HashMap, HashSet};

use nodetool_protocol::Map;

use super::{MOST_STEPS, Task};
use crate::agent::Schema;
use crate::models::ToolSpec;

/// What is wrong with a plan; nothing when it holds.
pub(super) fn faults(task: &Task, inputs: &Map, tools: &[ToolSpec]) -> Vec<String> {
    let mut faults = Vec::new();
    if task.steps.is_empty() {
        faults.push("steps: expected at least one".into());
    }
    if task.steps.len() > MOST_STEPS {
        let count = task.steps.len();
        faults.push(format!("steps: expected at most {MOST_STEPS}, got {count}"));
        return faults;
    }
    let mut ids = HashSet::new();
    for step in &task.steps {
        if !ids.insert(step.id.as_str()) {
            faults.push(format!("steps: the id `{}` comes twice", step.id));
        }
        if inputs.contains_key(step.id.as_str()) {
            faults.push(format!("steps: the id `{}` is that of an input", step.id));
        }
    }
    let last = task.steps.last().map(|s| s.id.as_str());
    for step in &task.steps {
        let at = |what: &str| format!("step `{}`, {what}", step.id);
        for need in &step.depends_on {
            if !ids.contains(need.as_str()) && !inputs.contains_key(need.as_str()) {
                let fault = format!("`{need}` is neither a step nor an input");
                faults.push(at(&format!("depends_on: {fault}")));
            } else if last == Some(need.as_str()) && last != Some(step.id.as_str()) {
                let fault = format!("`{need}` is the last step, which waits for all others");
                faults.push(at(&format!("depends_on: {fault}")));
            }
        }
        let named = step.tools.iter().flatten().chain(&step.tool_name);
        for tool in named {
            if !tools.iter().any(|t| t.name == *tool) {
                faults.push(at(&format!("tools: there is no tool `{tool}`")));
            }
        }
        if let Err(fault) = Schema::parse(&step.output_schema) {
            faults.push(at(&format!("output_schema: {fault}")));
        }
    }
    if let Some(circle) = circle(task) {
        faults.push(format!("steps wait for each other in a circle: {circle}"));
    }
    faults
}

/// Names of steps that can never begin because they wait for each other.
fn circle(task: &Task) -> Option<String> {
    let steps: HashMap<&str, &[String]> = task
        .steps
        .iter()
        .map(|s| (s.id.as_str(), s.depends_on.as_slice()))
        .collect();
    let mut done: HashSet<&str> = HashSet::new();
    loop {
        let ready: Vec<&str> = steps
            .iter()
            .filter(|(id, needs)| {
                let open =
                    |n: &String| steps.contains_key(n.as_str()) && !done.contains(n.as_str());
                !done.contains(*id) && !needs.iter().any(open)
            })
            .map(|(id, _)| *id)
            .collect();
        if ready.is_empty() {
            break;
        }
        done.extend(ready);
    }
    let stuck = task.steps.iter().map(|s| s.id.as_str());
    let stuck: Vec<&str> = stuck.filter(|id| !done.contains(id)).collect();
    (!stuck.is_empty()).then(|| stuck.join(", "))
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::agent::plan::Step;

    fn step(id: &str, needs: &[&str]) -> Step {
        Step {
            id: id.into(),
            instructions: "do".into(),
            depends_on: needs.iter().map(|n| (*n).to_owned()).collect(),
            ..Step::default()
        }
    }

    fn told(steps: Vec<Step>) -> String {
        let task = Task {
            steps,
            ..Task::default()
        };
        let inputs: Map = [("given".into(), Value::Null)].into_iter().collect();
        faults(&task, &inputs, &[]).join("\n")
    }

    #[test]
    fn a_plan_that_holds_has_no_faults() {
        assert_eq!(told(vec![step("a", &["given"]), step("b", &["a"])]), "");
    }

    #[test]
    fn every_kind_of_fault_is_named() {
        let tool = Step {
            tools: Some(vec!["fly".into()]),
            ..step("a", &[])
        };
        let schema = Step {
            output_schema: "{".into(),
            ..step("a", &[])
        };
        for (steps, want) in [
            (vec![], "at least one"),
            (vec![step("a", &[]); 11], "at most 10, got 11"),
            (vec![step("a", &[]), step("a", &[])], "`a` comes twice"),
            (vec![step("given", &[])], "`given` is that of an input"),
            (
                vec![step("a", &["x"])],
                "step `a`, depends_on: `x` is neither",
            ),
            (
                vec![step("a", &["b"]), step("b", &[])],
                "`b` is the last step",
            ),
            (
                vec![step("a", &["b"]), step("b", &["a"]), step("c", &[])],
                "circle: a, b",
            ),
            (vec![step("a", &["a"])], "circle: a"),
            (vec![tool], "tools: there is no tool `fly`"),
            (vec![schema], "output_schema: the schema is not JSON"),
        ] {
            let faults = told(steps);
            assert!(faults.contains(want), "{want}: {faults}");
        }
    }

    proptest! {
        #[test]
        fn steps_that_need_earlier_ones_only_never_make_a_circle(
            needs in proptest::collection::vec(proptest::collection::vec(0usize..10, 0..4), 1..10)
        ) {
            let steps = needs.iter().enumerate().map(|(i, needs)| {
                let needs: Vec<String> =
                    needs.iter().filter(|n| **n < i).map(|n| format!("s{n}")).collect();
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                step(&format!("s{i}"), &needs)
            });
            prop_assert_eq!(told(steps.collect()), "");
        }
    }
}
