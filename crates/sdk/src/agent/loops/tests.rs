use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use tokio::sync::Barrier;

use super::*;
use crate::BoxFuture;
use crate::agent::Nobody;
use crate::models::{FinishReason, ToolCall, ToolChoice, Usage};
use crate::testing::{Scripted, ScriptedModels, ScriptedTools};

fn asking(tools: &ScriptedTools) -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        messages: vec![ChatMessage::text(Role::User, "Go")],
        tools: tools.specs(),
        ..ChatRequest::default()
    }
}

fn echo(arguments: Map) -> Result<Value, String> {
    Ok(Value::map([("got", Value::from(arguments))]))
}

async fn run(models: &ScriptedModels, tools: &ScriptedTools, budgets: &Budgets) -> AgentOutcome {
    let agent = Agent::new(models, tools, budgets);
    agent.run(asking(tools), &mut Nobody).await.unwrap()
}

fn answers(outcome: &AgentOutcome) -> Vec<String> {
    let tools = outcome.messages.iter().filter(|m| m.role == Role::Tool);
    tools.map(ChatMessage::plain_text).collect()
}

#[tokio::test]
async fn tools_are_run_and_their_results_told_until_the_model_is_done() {
    let models = ScriptedModels::new([
        Scripted::calls(&[("echo", r#"{"n":1}"#), ("echo", r#"{"n":2}"#)]).saying("Let me see."),
        Scripted::text("All done."),
    ]);
    let tools = ScriptedTools::new().with("echo", echo);
    let mut events = Vec::new();
    let budgets = Budgets::default();
    let agent = Agent::new(&models, &tools, &budgets);
    let outcome = agent
        .run(asking(&tools), &mut |event| events.push(event))
        .await
        .unwrap();
    assert_eq!(outcome.text, "All done.");
    assert_eq!(
        (outcome.turns, outcome.tool_calls, outcome.stopped),
        (2, 2, None)
    );
    assert_eq!(
        answers(&outcome),
        [r#"{"got":{"n":1}}"#, r#"{"got":{"n":2}}"#]
    );
    let second = models.requests().pop().unwrap();
    assert_eq!(second.messages[1..], outcome.messages[..3]);
    let stored: Vec<&ChatMessage> = events
        .iter()
        .filter_map(|e| match e {
            AgentEvent::TurnEnded { message, .. } | AgentEvent::ToolAnswered(message) => {
                Some(message)
            }
            _ => None,
        })
        .collect();
    assert_eq!(stored, outcome.messages.iter().collect::<Vec<_>>());
    assert_eq!(events[0], AgentEvent::Text("Let me see.".into()));
    assert!(
        events
            .iter()
            .any(|e| matches!(e, AgentEvent::ToolStarted { note, .. } if note == "Running echo"))
    );
}

#[tokio::test]
async fn what_goes_wrong_with_a_tool_is_told_and_the_loop_goes_on() {
    let models = ScriptedModels::new([
        Scripted::calls(&[
            ("nope", "{}"),
            ("echo", r#"{"n":"#),
            ("echo", "[1]"),
            ("fails", "{}"),
            ("echo", ""),
        ]),
        Scripted::text("I see."),
    ]);
    let tools = ScriptedTools::new()
        .with("echo", echo)
        .with("fails", |_| Err("the disk is full".into()));
    let outcome = run(&models, &tools, &Budgets::default()).await;
    let told = answers(&outcome);
    assert_eq!(told[0], r#"{"error":"Unknown tool: nope"}"#);
    assert!(
        told[1].starts_with(r#"{"error":"the arguments are not JSON"#),
        "{}",
        told[1]
    );
    assert!(told[2].contains("not an object"), "{}", told[2]);
    assert_eq!(told[3], r#"{"error":"the disk is full"}"#);
    assert_eq!(told[4], r#"{"got":{}}"#);
    assert_eq!(outcome.text, "I see.");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_is_given_up() {
    let models =
        ScriptedModels::new([Scripted::calls(&[("hangs", "{}")]), Scripted::text("Pity.")]);
    let tools = ScriptedTools::new().with_async("hangs", |_| Box::pin(std::future::pending()));
    let outcome = run(&models, &tools, &Budgets::default()).await;
    let want = r#"{"error":"the tool gave no answer within 300 seconds"}"#;
    assert_eq!(answers(&outcome), [want]);
    assert_eq!(outcome.text, "Pity.");
}

#[tokio::test]
async fn a_result_of_fifty_megabytes_is_cut_to_its_beginning() {
    let models = ScriptedModels::new([Scripted::calls(&[("big", "{}")]), Scripted::text("Much.")]);
    let big = Value::from("x".repeat(50_000_000));
    let tools = ScriptedTools::new().with("big", move |_| Ok(big.clone()));
    let outcome = run(&models, &tools, &Budgets::default()).await;
    let told = answers(&outcome);
    assert!(told[0].len() < 20_200 && told[0].contains("truncated"));
}

#[tokio::test]
async fn calls_of_a_turn_are_at_work_at_once_and_answered_in_order() {
    let models = ScriptedModels::new([
        Scripted::calls(&[("meet", r#"{"n":0}"#), ("meet", r#"{"n":1}"#)]),
        Scripted::text("Met."),
    ]);
    // Each waits for the other: one after the other would never end.
    let barrier = Arc::new(Barrier::new(2));
    let tools = ScriptedTools::new().with_async("meet", move |arguments| {
        let barrier = barrier.clone();
        Box::pin(async move {
            barrier.wait().await;
            echo(arguments)
        })
    });
    let outcome = run(&models, &tools, &Budgets::default()).await;
    assert_eq!(
        answers(&outcome),
        [r#"{"got":{"n":0}}"#, r#"{"got":{"n":1}}"#]
    );
}

#[tokio::test]
async fn no_more_calls_are_at_work_than_allowed() {
    let calls: Vec<(&str, &str)> = vec![("work", "{}"); 20];
    let models = ScriptedModels::new([Scripted::calls(&calls), Scripted::text("Done.")]);
    let at_work = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    let tools = ScriptedTools::new().with_async("work", move |_| {
        let (at_work, most) = (at_work.clone(), most.clone());
        Box::pin(async move {
            let now = at_work.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::Null)
        })
    });
    let budgets = Budgets {
        parallel: 3,
        ..Budgets::default()
    };
    let outcome = run(&models, &tools, &budgets).await;
    assert_eq!(outcome.tool_calls, 20);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn rounds_end_with_words_for_it() {
    let models = ScriptedModels::new(vec![Scripted::calls(&[("echo", "{}")]); 4]);
    let tools = ScriptedTools::new().with("echo", echo);
    let budgets = Budgets {
        turns: 3,
        ..Budgets::default()
    };
    let outcome = run(&models, &tools, &budgets).await;
    assert_eq!(outcome.text, "Stopped: maximum tool rounds reached");
    assert_eq!(outcome.stopped, Some(BudgetStop::Turns));
    assert_eq!(
        (outcome.turns, outcome.tool_calls, models.left()),
        (3, 3, 1)
    );
    let last = outcome.messages.last().unwrap();
    assert_eq!(
        (last.role, last.plain_text()),
        (Role::Assistant, outcome.text.clone())
    );
    assert_eq!(close_open_calls(outcome.messages.clone()), outcome.messages);
}

#[tokio::test]
async fn tokens_and_money_end_the_loop_before_tools_are_run() {
    let costly = Usage {
        input: 900,
        output: 200,
        cost: Some(0.75),
        ..Usage::default()
    };
    for (budgets, stop) in [
        (
            Budgets {
                tokens: Some(1_000),
                ..Budgets::default()
            },
            BudgetStop::Tokens,
        ),
        (
            Budgets {
                cost_usd: Some(0.5),
                ..Budgets::default()
            },
            BudgetStop::Cost,
        ),
    ] {
        let models = ScriptedModels::new([Scripted::calls(&[("echo", "{}")]).costing(costly)]);
        let tools = ScriptedTools::new().with("echo", echo);
        let outcome = run(&models, &tools, &budgets).await;
        assert_eq!(outcome.stopped, Some(stop));
        assert!(outcome.text.starts_with("Stopped:"));
        assert!(tools.calls().is_empty());
        assert!(answers(&outcome)[0].contains("not run"));
        assert_eq!(outcome.usage, costly);
    }
}

#[tokio::test]
async fn an_answer_that_uses_up_the_tokens_but_needs_no_tools_is_no_stop() {
    let usage = Usage {
        input: 5_000,
        ..Usage::default()
    };
    let models = ScriptedModels::new([Scripted::text("Fine.").costing(usage)]);
    let budgets = Budgets {
        tokens: Some(10),
        ..Budgets::default()
    };
    let outcome = run(&models, &ScriptedTools::new(), &budgets).await;
    assert_eq!((outcome.text.as_str(), outcome.stopped), ("Fine.", None));
}

#[tokio::test]
async fn calls_beyond_their_number_are_answered_but_not_run() {
    let models = ScriptedModels::new([Scripted::calls(&[("echo", "{}"); 3])]);
    let tools = ScriptedTools::new().with("echo", echo);
    let budgets = Budgets {
        tool_calls: Some(2),
        ..Budgets::default()
    };
    let outcome = run(&models, &tools, &budgets).await;
    assert_eq!(tools.calls().len(), 2);
    assert_eq!(outcome.stopped, Some(BudgetStop::ToolCalls));
    assert!(answers(&outcome)[2].contains("not run"));
}

#[tokio::test(start_paused = true)]
async fn time_ends_a_model_that_hangs_and_what_it_said_is_kept() {
    let models =
        ScriptedModels::new([Scripted::events([Ok(ChatEvent::Text("Well,".into()))]).hanging()]);
    let budgets = Budgets {
        seconds: Some(5.0),
        ..Budgets::default()
    };
    let outcome = run(&models, &ScriptedTools::new(), &budgets).await;
    assert_eq!(outcome.stopped, Some(BudgetStop::Time));
    let texts: Vec<String> = outcome
        .messages
        .iter()
        .map(ChatMessage::plain_text)
        .collect();
    assert_eq!(texts, ["Well,", "Stopped: time budget reached"]);
}

#[tokio::test(start_paused = true)]
async fn time_ends_tools_at_work_and_each_call_has_its_answer() {
    let models = ScriptedModels::new([Scripted::calls(&[("hangs", "{}"), ("echo", "{}")])]);
    let tools = ScriptedTools::new()
        .with_async("hangs", |_| Box::pin(std::future::pending()))
        .with("echo", echo);
    let budgets = Budgets {
        seconds: Some(5.0),
        ..Budgets::default()
    };
    let outcome = run(&models, &tools, &budgets).await;
    assert_eq!(outcome.stopped, Some(BudgetStop::Time));
    assert_eq!(
        answers(&outcome),
        [
            r#"{"error":"Stopped: time budget reached"}"#,
            r#"{"got":{}}"#
        ]
    );
}

#[tokio::test]
async fn a_model_that_breaks_off_gives_what_was_said_until_then() {
    let gone = ModelError::new(ModelErrorKind::Connection, "p", "gone");
    let models = ScriptedModels::new([
        Scripted::calls(&[("echo", "{}")]),
        Scripted::events([Ok(ChatEvent::Text("Half".into())), Err(gone.clone())]),
    ]);
    let tools = ScriptedTools::new().with("echo", echo);
    let budgets = Budgets::default();
    let agent = Agent::new(&models, &tools, &budgets);
    let failure = agent.run(asking(&tools), &mut Nobody).await.unwrap_err();
    assert_eq!(failure.error, gone);
    assert_eq!(failure.partial, "Half");
    assert_eq!(failure.messages.len(), 2);
}

#[tokio::test]
async fn ids_that_are_missing_or_come_twice_are_replaced() {
    let call = |index, id: &str| ChatEvent::ToolCall {
        index,
        id: id.into(),
        name: "echo".into(),
        signature: None,
    };
    let models = ScriptedModels::new([
        Scripted::events([call(0, "a"), call(1, "a"), call(2, "")].map(Ok)),
        Scripted::text("Done."),
    ]);
    let tools = ScriptedTools::new().with("echo", echo);
    let outcome = run(&models, &tools, &Budgets::default()).await;
    let ids: Vec<&str> = outcome.messages[0]
        .tool_calls
        .iter()
        .map(|c| c.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "call_1_1", "call_1_2"]);
    assert_eq!(close_open_calls(outcome.messages.clone()), outcome.messages);
}

#[tokio::test]
async fn open_calls_of_the_history_are_closed_and_a_demand_holds_for_one_turn() {
    let models = ScriptedModels::new([Scripted::calls(&[("echo", "{}")]), Scripted::text("Done.")]);
    let tools = ScriptedTools::new().with("echo", echo);
    let mut request = asking(&tools);
    request.tool_choice = Some(ToolChoice::Required);
    let mut open = ChatMessage::text(Role::Assistant, "Looking.");
    open.tool_calls.push(ToolCall {
        id: "old".into(),
        name: "echo".into(),
        ..ToolCall::default()
    });
    request.messages.insert(0, open);
    let budgets = Budgets::default();
    let agent = Agent::new(&models, &tools, &budgets);
    let outcome = agent.run(request, &mut Nobody).await.unwrap();
    assert_eq!(outcome.finish, Some(FinishReason::Stop));
    assert_eq!(outcome.messages.len(), 3);
    let requests = models.requests();
    assert_eq!(
        requests[0].messages[1].plain_text(),
        r#"{"error":"interrupted"}"#
    );
    assert_eq!(requests[0].tool_choice, Some(ToolChoice::Required));
    assert_eq!(requests[1].tool_choice, Some(ToolChoice::Auto));
}

#[tokio::test]
async fn a_window_leaves_old_turns_out_of_requests_but_not_of_the_outcome() {
    let models = ScriptedModels::new([
        Scripted::calls(&[("long", "{}")]),
        Scripted::calls(&[("long", "{}")]),
        Scripted::text("Done."),
    ]);
    let tools = ScriptedTools::new().with("long", |_| Ok("word ".repeat(100).into()));
    let budgets = Budgets::default();
    let mut agent = Agent::new(&models, &tools, &budgets);
    agent.window = Some(Window {
        tokens: 150,
        count: &crate::agent::count_words,
    });
    let outcome = agent.run(asking(&tools), &mut Nobody).await.unwrap();
    assert_eq!(outcome.messages.len(), 5);
    let lengths: Vec<usize> = models.requests().iter().map(|r| r.messages.len()).collect();
    assert_eq!(lengths, [1, 3, 2]);
}

struct Enough(bool);

impl Listener for Enough {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        self.0 |= matches!(event, AgentEvent::ToolEnded { .. });
        Box::pin(std::future::ready(()))
    }
    fn enough(&self) -> bool {
        self.0
    }
}

#[tokio::test]
async fn a_listener_that_has_enough_ends_the_run_without_another_turn() {
    let models = ScriptedModels::new(vec![Scripted::calls(&[("echo", "{}")]); 2]);
    let tools = ScriptedTools::new().with("echo", echo);
    let budgets = Budgets::default();
    let agent = Agent::new(&models, &tools, &budgets);
    let outcome = agent.run(asking(&tools), &mut Enough(false)).await.unwrap();
    assert_eq!(
        (outcome.turns, outcome.stopped, models.left()),
        (1, None, 1)
    );
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_run_ends_tools_at_work() {
    let models = ScriptedModels::new([Scripted::calls(&[("hangs", "{}")])]);
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    let tools = ScriptedTools::new().with_async("hangs", move |_| {
        let held = Dropped(flag.clone());
        Box::pin(async move {
            let _held = held;
            std::future::pending().await
        })
    });
    let budgets = Budgets::default();
    let agent = Agent::new(&models, &tools, &budgets);
    let mut nobody = Nobody;
    let work = agent.run(asking(&tools), &mut nobody);
    let ended = tokio::time::timeout(Duration::from_secs(1), work).await;
    assert!(ended.is_err());
    assert!(gone.load(Ordering::SeqCst));
}
