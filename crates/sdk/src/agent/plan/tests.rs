use std::sync::Arc;

use tokio::sync::Barrier;

use super::*;
use crate::models::{ChatEvent, ChatMessage, ToolChoice};
use crate::testing::{Scripted, ScriptedModels, ScriptedTools};

fn assignment(tools: &ScriptedTools) -> Assignment {
    let schema =
        r#"{"type":"object","required":["markdown"],"properties":{"markdown":{"type":"string"}}}"#;
    Assignment {
        objective: "Write about tea".into(),
        output_schema: serde_json::from_str(schema).ok(),
        tools: tools.specs(),
        ..Assignment::default()
    }
}

async fn run(
    models: &dyn Models,
    tools: &ScriptedTools,
    assignment: &Assignment,
    budgets: &Budgets,
) -> (Result<PlanOutcome, PlanError>, Vec<PlanEvent>) {
    let agent = PlanAgent {
        models,
        tools,
        budgets,
    };
    let mut events = Vec::new();
    let outcome = agent.run(assignment, &mut |e| events.push(e)).await;
    (outcome, events)
}

/// What was told, in short.
fn words(events: &[PlanEvent]) -> Vec<String> {
    let word = |event: &PlanEvent| match event {
        PlanEvent::Planning { phase, status, .. } => format!("{phase} {status}"),
        PlanEvent::Task { event, step, .. } => match step {
            Some(step) => format!("{} {}", event.as_str(), step.id),
            None => event.as_str().to_owned(),
        },
        PlanEvent::StepResult {
            step,
            error,
            is_task_result,
            ..
        } => {
            let end = if error.is_some() { "error" } else { "result" };
            format!("{end} {} {is_task_result}", step.id)
        }
        PlanEvent::ToolCall { call, .. } => format!("tool {}", call.name),
        PlanEvent::Log { .. } | PlanEvent::Chunk { .. } => String::new(),
    };
    events.iter().map(word).filter(|w| !w.is_empty()).collect()
}

const ONE_STEP: &str = r#"{"title":"Tea","steps":[{"id":"s1","instructions":"Write it"}]}"#;
const TEXT: &str = r##"{"result":{"markdown":"# Tea"}}"##;

#[tokio::test]
async fn a_plan_of_one_step_is_made_and_carried_out() {
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", ONE_STEP)]).saying("I think"),
        Scripted::calls(&[("look", "{}")]),
        Scripted::calls(&[("finish_step", TEXT)]),
    ]);
    let tools = ScriptedTools::new().with("look", |_| Ok("leaves".into()));
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    let outcome = outcome.unwrap();
    assert_eq!(
        outcome.result.get("markdown").and_then(Value::as_str),
        Some("# Tea")
    );
    assert!(outcome.task.steps[0].completed && outcome.task.steps[0].end_time > 0);
    assert_eq!(
        words(&events),
        [
            "Planning Starting",
            "Plan Creation Success",
            "task_created",
            "step_started s1",
            "tool look",
            "tool finish_step",
            "step_completed s1",
            "result s1 true",
            "task_completed",
        ]
    );
    let requests = models.requests();
    assert_eq!(
        requests[0].tool_choice,
        Some(ToolChoice::Named("create_task".into()))
    );
    // The last step has the wanted schema, whatever the plan says.
    assert!(outcome.task.steps[0].output_schema.contains("markdown"));
}

#[tokio::test]
async fn messages_on_the_wire_have_their_fields() {
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", ONE_STEP)]),
        Scripted::calls(&[("finish_step", TEXT)]).saying("So:"),
    ]);
    let tools = ScriptedTools::new();
    let (_, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    let maps: Vec<Value> = events.iter().map(PlanEvent::to_value).collect();
    let keys = |kind: &str| -> Vec<String> {
        let map = maps.iter().find(|m| m.type_tag() == Some(kind)).unwrap();
        map.as_map()
            .unwrap()
            .keys()
            .map(|k| k.to_string())
            .collect()
    };
    assert_eq!(
        keys("log_update"),
        ["type", "node_id", "node_name", "content", "severity"]
    );
    assert_eq!(
        keys("planning_update"),
        ["type", "node_id", "phase", "status", "content"]
    );
    assert_eq!(
        keys("task_update"),
        ["type", "node_id", "task", "step", "event"]
    );
    assert_eq!(
        keys("step_result"),
        ["type", "step", "result", "error", "is_task_result"]
    );
    let call = [
        "type",
        "node_id",
        "tool_call_id",
        "name",
        "args",
        "message",
        "step_id",
    ];
    assert_eq!(keys("tool_call_update"), call);
    let task = maps.iter().find_map(|m| m.get("task")).unwrap();
    assert_eq!(
        Task::read(task.as_map().unwrap()).unwrap().steps[0].id,
        "s1"
    );
    let step = task.get("steps").and_then(Value::as_list).unwrap()[0].clone();
    let fields: Vec<&str> = step.as_map().unwrap().keys().map(|k| &**k).collect();
    let want = "type id instructions logs completed start_time end_time depends_on tools tool_name output_schema";
    assert_eq!(fields.join(" "), want);
    assert!(events.iter().filter(|e| !e.is_record()).count() >= 2);
}

#[tokio::test]
async fn a_plan_that_does_not_hold_is_sent_back_twice_at_most() {
    let bad = r#"{"title":"T","steps":[{"id":"a","instructions":"x","depends_on":["b"]}]}"#;
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", bad)]),
        Scripted::text("How about tea?"),
        Scripted::calls(&[("create_task", ONE_STEP)]),
        Scripted::calls(&[("finish_step", TEXT)]),
    ]);
    let tools = ScriptedTools::new();
    let (outcome, _) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    outcome.unwrap();
    let second = &models.requests()[1].messages;
    let told = second.last().unwrap().plain_text();
    assert!(
        told.contains("`b` is neither a step nor an input"),
        "{told}"
    );

    let models = ScriptedModels::new(vec![Scripted::calls(&[("create_task", bad)]); 4]);
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    let fault = outcome.unwrap_err().to_string();
    assert!(
        fault.starts_with("no valid plan after 3 tries: step `a`"),
        "{fault}"
    );
    assert_eq!(models.left(), 1);
    assert_eq!(
        words(&events),
        ["Planning Starting", "Plan Creation Failed"]
    );
}

#[tokio::test]
async fn a_plan_in_plain_text_is_taken() {
    let models = ScriptedModels::new([
        Scripted::text(&format!("```json\n{ONE_STEP}\n```")),
        Scripted::text(r##"{"markdown":"# Tea"}"##),
    ]);
    let tools = ScriptedTools::new();
    let (outcome, _) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    assert_eq!(
        outcome.unwrap().result.get("markdown"),
        Some(&"# Tea".into())
    );
}

/// Answers each step by its name, whatever the order they ask in.
struct ByStep(Vec<(&'static str, Scripted)>);

impl Models for ByStep {
    fn chat<'a>(
        &'a self,
        request: ChatRequest,
    ) -> crate::BoxFuture<'a, Result<crate::models::ChatStream, ModelError>> {
        let asked: Vec<String> = request
            .messages
            .iter()
            .map(ChatMessage::plain_text)
            .collect();
        let asked = asked.join("\n");
        let found = self
            .0
            .iter()
            .find(|(name, _)| asked.contains(&format!("Step `{name}`")));
        let answer = match found {
            Some((_, answer)) => answer.clone(),
            None => self.0[0].1.clone(),
        };
        let once = ScriptedModels::new([answer]);
        Box::pin(async move { once.chat(request).await })
    }
    fn embed<'a>(
        &'a self,
        _: crate::models::EmbedRequest,
    ) -> crate::BoxFuture<'a, Result<crate::models::Embeddings, ModelError>> {
        Box::pin(async { Err(ModelError::unsupported("scripted", "vectors")) })
    }
    fn image<'a>(
        &'a self,
        _: crate::models::ImageRequest,
    ) -> crate::BoxFuture<'a, Result<Vec<crate::models::Media>, ModelError>> {
        Box::pin(async { Err(ModelError::unsupported("scripted", "images")) })
    }
    fn video<'a>(
        &'a self,
        _: crate::models::VideoRequest,
    ) -> crate::BoxFuture<'a, Result<crate::models::Media, ModelError>> {
        Box::pin(async { Err(ModelError::unsupported("scripted", "videos")) })
    }
    fn speech<'a>(
        &'a self,
        _: crate::models::SpeechRequest,
    ) -> crate::BoxFuture<'a, Result<crate::models::SpeechStream, ModelError>> {
        Box::pin(async { Err(ModelError::unsupported("scripted", "speech")) })
    }
    fn transcribe<'a>(
        &'a self,
        _: crate::models::TranscribeRequest,
    ) -> crate::BoxFuture<'a, Result<crate::models::Transcript, ModelError>> {
        Box::pin(async { Err(ModelError::unsupported("scripted", "transcripts")) })
    }
}

#[tokio::test]
async fn steps_that_need_nothing_of_each_other_are_at_work_at_once() {
    let plan = r#"{"title":"T","steps":[
        {"id":"a","instructions":"one"},{"id":"b","instructions":"two"},
        {"id":"end","instructions":"both","depends_on":["a"]}]}"#;
    let models = ByStep(vec![
        ("plan", Scripted::calls(&[("create_task", plan)])),
        (
            "a",
            Scripted::calls(&[("meet", "{}"), ("finish_step", r#"{"result":"A"}"#)]),
        ),
        (
            "b",
            Scripted::calls(&[("meet", "{}"), ("finish_step", r#"{"result":"B"}"#)]),
        ),
        ("end", Scripted::calls(&[("finish_step", TEXT)])),
    ]);
    // One after the other would wait for ever.
    let barrier = Arc::new(Barrier::new(2));
    let tools = ScriptedTools::new().with_async("meet", move |_| {
        let barrier = barrier.clone();
        Box::pin(async move {
            barrier.wait().await;
            Ok(Value::Null)
        })
    });
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    outcome.unwrap();
    let words = words(&events);
    let place = |word: &str| words.iter().position(|w| w == word).unwrap();
    // The last step waits for b, too, which it does not name.
    assert!(place("step_started end") > place("step_completed a"));
    assert!(place("step_started end") > place("step_completed b"));
    assert!(place("step_started b") < place("step_completed a"));
}

#[tokio::test]
async fn six_results_that_do_not_fit_fail_the_step() {
    let mut script = vec![Scripted::calls(&[("create_task", ONE_STEP)])];
    script.extend(vec![
        Scripted::calls(&[("finish_step", r#"{"result":1}"#)]);
        7
    ]);
    let models = ScriptedModels::new(script);
    let tools = ScriptedTools::new();
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    let fault = outcome.unwrap_err().to_string();
    assert!(
        fault.contains("step `s1` failed: no valid result in 6 tries"),
        "{fault}"
    );
    assert_eq!(models.left(), 1);
    assert_eq!(
        words(&events)[words(&events).len() - 2..],
        ["step_failed s1", "error s1 true"]
    );
}

#[tokio::test]
async fn a_step_that_fails_is_seen_by_those_that_need_it() {
    let plan = r#"{"title":"T","steps":[{"id":"a","instructions":"one","output_schema":"{\"type\":\"integer\"}"},
        {"id":"end","instructions":"both","depends_on":["a"]}]}"#;
    let mut script = vec![Scripted::calls(&[("create_task", plan)])];
    script.extend(vec![Scripted::text("no idea"); 6]);
    script.push(Scripted::calls(&[("finish_step", TEXT)]));
    let models = ScriptedModels::new(script);
    let tools = ScriptedTools::new();
    let (outcome, _) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    outcome.unwrap();
    let last = models.requests().pop().unwrap();
    let told = last.messages.last().unwrap().plain_text();
    assert!(told.contains("a:\n{\"error\":\"no valid result"), "{told}");
}

#[tokio::test]
async fn a_step_out_of_tokens_has_to_conclude() {
    let greedy = Usage {
        input: 5_000,
        ..Usage::default()
    };
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", ONE_STEP)]),
        Scripted::calls(&[("look", "{}")]).costing(greedy),
        Scripted::calls(&[("finish_step", TEXT)]),
    ]);
    let tools = ScriptedTools::new().with("look", |_| Ok("leaves".into()));
    let budgets = Budgets {
        tokens: Some(4_000),
        ..Budgets::default()
    };
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &budgets).await;
    outcome.unwrap();
    assert!(words(&events).contains(&"entered_conclusion_stage s1".into()));
    let last = models.requests().pop().unwrap();
    let names: Vec<&str> = last.tools.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["finish_step"]);
    assert!(tools.calls().is_empty());
}

#[tokio::test]
async fn a_step_has_its_own_tools_and_the_inputs_it_names() {
    let plan = r#"{"title":"T","steps":[{"id":"s1","instructions":"x","depends_on":["topic"],"tools":["look"]}]}"#;
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", plan)]),
        Scripted::calls(&[("other", "{}")]),
        Scripted::calls(&[("load_skill", r#"{"name":"brew"}"#)]),
        Scripted::calls(&[("finish_step", TEXT)]),
    ]);
    let tools = ScriptedTools::new()
        .with("look", |_| Ok(Value::Null))
        .with("other", |_| Ok(Value::Null));
    let mut assignment = assignment(&tools);
    assignment.inputs.insert("topic".into(), "green tea".into());
    assignment.inputs.insert("unused".into(), "coffee".into());
    assignment.skills.push(Skill {
        name: "brew".into(),
        description: "How to brew".into(),
        body: "Pour slowly.".into(),
    });
    let (outcome, _) = run(&models, &tools, &assignment, &Budgets::default()).await;
    outcome.unwrap();
    let requests = models.requests();
    let names: Vec<&str> = requests[1].tools.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["look", "load_skill", "finish_step"]);
    let told = requests[1].messages.last().unwrap().plain_text();
    assert!(told.contains("green tea") && !told.contains("coffee"));
    assert!(tools.calls().is_empty());
    let answers: Vec<String> = requests[3]
        .messages
        .iter()
        .map(ChatMessage::plain_text)
        .collect();
    assert!(answers.iter().any(|a| a.contains("Unknown tool: other")));
    assert!(answers.iter().any(|a| a.contains("Pour slowly.")));
}

#[tokio::test]
async fn a_model_that_is_gone_ends_the_task() {
    let gone = ModelError::new(crate::models::ModelErrorKind::Connection, "p", "gone");
    let models = ScriptedModels::new([
        Scripted::calls(&[("create_task", ONE_STEP)]),
        Scripted::events([Ok(ChatEvent::Text("Well".into())), Err(gone.clone())]),
    ]);
    let tools = ScriptedTools::new();
    let (outcome, events) = run(&models, &tools, &assignment(&tools), &Budgets::default()).await;
    assert!(matches!(outcome, Err(PlanError::Model(e)) if e == gone));
    assert!(words(&events).contains(&"step_failed s1".into()));
}

#[tokio::test(start_paused = true)]
async fn time_ends_the_task() {
    let tools = ScriptedTools::new();
    let budgets = Budgets {
        seconds: Some(10.0),
        ..Budgets::default()
    };
    let hanging = ScriptedModels::new([
        Scripted::calls(&[("create_task", ONE_STEP)]),
        Scripted::events([]).hanging(),
    ]);
    let (outcome, _) = run(&hanging, &tools, &assignment(&tools), &budgets).await;
    assert!(matches!(outcome, Err(PlanError::Stopped(BudgetStop::Time))));
}
