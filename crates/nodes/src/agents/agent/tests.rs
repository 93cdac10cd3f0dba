use std::sync::Arc;

use nodetool_sdk::models::{ChatEvent, FinishReason, ModelError, Part, Role};
use nodetool_sdk::services::Services;
use nodetool_sdk::testing::{
    Case, Recorder, Scripted, ScriptedModels, ScriptedTools, case, context_of, node_info,
};
use nodetool_sdk::{ControlledNode, Map, NodeInfo, Process};

use super::*;
use crate::agents::history::testing::Kept;
use crate::models::testing::{declaring, language_model, saying, services, with};

fn agent() -> Case {
    case::<Agent>().set("model", language_model())
}

fn texts(given: &[Map], slot: &str) -> Vec<String> {
    let text = |m: &Map| match m.get(slot)? {
        Value::Map(chunk) => chunk.get("content")?.as_str().map(str::to_owned),
        text => text.as_str().map(str::to_owned),
    };
    given.iter().filter_map(text).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn the_answer_leaves_in_pieces_and_then_as_a_whole_and_reasoning_apart() {
    let events = [
        ChatEvent::Reasoning("Hm.".into()),
        ChatEvent::Text("Good ".into()),
        ChatEvent::Text("day".into()),
        ChatEvent::Finish(FinishReason::Stop),
    ];
    let models = ScriptedModels::new([Scripted::events(events.map(Ok))]);
    let models = Arc::new(models);
    let given = agent().set("prompt", "Hello").within(with(&models)).run();
    let given = given.await.unwrap();
    assert_eq!(texts(&given, "chunk"), ["Good ", "day", ""]);
    assert_eq!(texts(&given, "thinking"), ["Hm."]);
    assert_eq!(texts(&given, "text"), ["Good day"]);
    let asked = &models.requests()[0];
    assert_eq!(asked.messages[0].plain_text(), SYSTEM);
    assert_eq!(asked.messages[1].plain_text(), "Hello");
    assert_eq!(asked.max_tokens, Some(8192));
}

#[tokio::test]
async fn tools_are_called_by_name_and_unknown_ones_left_out() {
    let calls = Scripted::calls(&[("look", r#"{"at":"x"}"#)]).saying("I will look.");
    let models = Arc::new(ScriptedModels::new([calls, Scripted::text("Seen.")]));
    let tools = Arc::new(ScriptedTools::new().with("look", |_| Ok("a tree".into())));
    let events = Arc::new(Recorder::default());
    let services = Services {
        tools: tools.clone(),
        ..services(&models)
    };
    let names = json(r#"[{"type":"tool_name","name":"look"},{"type":"tool_name","name":"fly"}]"#);
    let given = agent()
        .set("prompt", "What is there?")
        .set("tools", names)
        .within(context_of(node_info(), services, None, events.clone()))
        .run()
        .await
        .unwrap();
    assert_eq!(texts(&given, "text"), ["I will look.", "Seen."]);
    assert_eq!(tools.calls()[0].1["at"], "x".into());
    let asked = models.requests();
    assert_eq!(asked[0].tools.len(), 1);
    let answer = asked[1].messages.last().unwrap();
    assert_eq!(answer.role, Role::Tool);
    assert_eq!(answer.plain_text(), r#""a tree""#);
    let told = format!("{:?}", events.events());
    assert!(told.contains("There is no tool `fly`"), "{told}");
}

/// Stands for a node that is controlled.
/// test
#[derive(Node)]
#[node(namespace = "test")]
struct Search {
    /// What to look for.
    query: String,
    /// How many.
    #[prop(default = 10, min = 1, max = 20)]
    count: i64,
}

impl Process for Search {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(format!("{} {}", self.query, self.count))
    }
}

fn controlling(models: &Arc<ScriptedModels>) -> NodeCx {
    let def = Arc::new(Search::definition());
    let controlled = ControlledNode {
        id: "s1".into(),
        title: "Web Search".into(),
        props: def.defaults(),
        def,
    };
    let node = NodeInfo {
        controlled: [controlled].into(),
        ..node_info()
    };
    crate::models::testing::of_node(node, models)
}

#[tokio::test]
async fn controlled_nodes_are_tools_that_run_with_what_the_model_chooses() {
    let models = Arc::new(ScriptedModels::new([
        Scripted::calls(&[("web_search", r#"{"query":"rust","count":3.0}"#)]),
        Scripted::text("Found."),
    ]));
    let given = agent()
        .set("prompt", "Search")
        .within(controlling(&models))
        .controls(|id, properties| {
            let want: Map = [
                ("query".into(), "rust".into()),
                ("count".into(), 3i64.into()),
            ]
            .into_iter()
            .collect();
            assert_eq!((id, properties), ("s1", &want));
            Ok([("output".into(), "three pages".into())]
                .into_iter()
                .collect())
        })
        .run()
        .await
        .unwrap();
    assert_eq!(texts(&given, "text"), ["Found."]);
    let asked = models.requests();
    let tool = &asked[0].tools[0];
    assert_eq!(tool.name, "web_search");
    let count = tool
        .parameters
        .get("properties")
        .unwrap()
        .get("count")
        .unwrap();
    assert_eq!(
        count,
        &json(r#"{"type":"integer","description":"How many.","default":10}"#)
    );
    let answer = asked[1].messages.last().unwrap().plain_text();
    assert_eq!(answer, r#"{"output":"three pages"}"#);
}

#[tokio::test]
async fn properties_that_do_not_fit_are_told_to_the_model_and_nothing_runs() {
    let wrong = [
        ("web_search", r#"{"querry":"x"}"#),
        ("web_search", r#"{"count":"many"}"#),
        ("web_search", r#"{"count":21}"#),
    ];
    let models = Arc::new(ScriptedModels::new([
        Scripted::calls(&wrong),
        Scripted::text("Sorry."),
    ]));
    let run = agent().set("prompt", "Search").within(controlling(&models));
    let run = run.controls(|_, _| panic!("nothing is to be run")).run();
    run.await.unwrap();
    let asked = models.requests();
    let answers: Vec<String> = asked[1]
        .messages
        .iter()
        .map(ChatMessage::plain_text)
        .collect();
    for (answer, said) in answers.iter().rev().zip([
        "(expected 1 to 20)",
        "`count` is str",
        "no property `querry`; there are: query, count",
    ]) {
        assert!(answer.contains(said), "{answer}");
    }
}

#[tokio::test]
async fn no_more_than_sixteen_nodes_are_run() {
    let calls = vec![("web_search", "{}"); 17];
    let models = Arc::new(ScriptedModels::new([
        Scripted::calls(&calls),
        Scripted::text("Enough."),
    ]));
    let run = agent().set("prompt", "Search").within(controlling(&models));
    run.controls(|_, _| Ok(Map::new())).run().await.unwrap();
    let asked = models.requests();
    let refused = |m: &&ChatMessage| m.plain_text().contains("not run");
    assert_eq!(asked[1].messages.iter().filter(refused).count(), 1);
}

#[tokio::test]
async fn declared_outputs_are_asked_for_as_json_and_leave_one_by_one() {
    let models = saying([r#"Here: {"search":"agents","limit":5}"#]);
    let given = agent()
        .set("prompt", "Search for agents")
        .within(declaring(&models, &[("search", "str"), ("limit", "int")]))
        .run()
        .await
        .unwrap();
    assert_eq!(texts(&given, "search"), ["agents"]);
    assert!(given.iter().any(|m| m.get("limit") == Some(&5i64.into())));
    assert!(models.requests()[0].response_format.is_some());
}

#[tokio::test]
async fn an_answer_without_the_declared_outputs_is_sent_back_and_at_last_an_error() {
    let outputs = [("search", "str")];
    let models = saying(["No.", r#"{"search":"agents"}"#]);
    let run = agent()
        .set("prompt", "x")
        .within(declaring(&models, &outputs));
    let given = run.run().await.unwrap();
    assert_eq!(texts(&given, "search"), ["agents"]);
    let asked = models.requests();
    let told = asked[1].messages.last().unwrap().plain_text();
    assert!(told.contains("there is no JSON in the answer"), "{told}");
    let models = saying(["No."; 3]);
    let run = agent()
        .set("prompt", "x")
        .within(declaring(&models, &outputs));
    let refused = run.run().await.unwrap_err().to_string();
    assert!(
        refused.contains("no valid outputs") && refused.ends_with("it said: No."),
        "{refused}"
    );
}

#[tokio::test]
async fn a_provider_that_takes_no_schema_is_told_in_words() {
    let refusal = ModelError::unsupported("scripted", "structured output");
    let models = Arc::new(ScriptedModels::new([
        Scripted::fails(refusal),
        Scripted::text(r#"{"search":"agents"}"#),
    ]));
    let run = agent()
        .set("prompt", "x")
        .within(declaring(&models, &[("search", "str")]));
    run.run().await.unwrap();
    let asked = models.requests();
    assert!(asked[0].response_format.is_some() && asked[1].response_format.is_none());
    let words = asked[1].messages[0].plain_text();
    assert!(words.contains(r#""search":{"type":"string"}"#), "{words}");
}

#[tokio::test]
async fn a_thread_is_gone_on_with_and_kept() {
    let models = saying(["Your name is Ada."]);
    let before = ChatMessage::text(Role::User, "I am Ada.");
    let kept = Arc::new(Kept::with("t1", vec![before]));
    let services = Services {
        conversations: kept.clone(),
        ..services(&models)
    };
    let events = Arc::new(Recorder::default());
    agent()
        .set("prompt", "Who am I?")
        .set("thread_id", "t1")
        .within(context_of(node_info(), services, None, events))
        .run()
        .await
        .unwrap();
    let asked: Vec<String> = models.requests()[0]
        .messages
        .iter()
        .map(ChatMessage::plain_text)
        .collect();
    assert_eq!(asked, [SYSTEM, "I am Ada.", "Who am I?"]);
    let said: Vec<String> = kept
        .said("t1")
        .iter()
        .map(ChatMessage::plain_text)
        .collect();
    assert_eq!(said, ["I am Ada.", "Who am I?", "Your name is Ada."]);
}

#[tokio::test]
async fn a_turn_that_breaks_off_keeps_nothing_in_the_thread() {
    let models = Arc::new(ScriptedModels::new([]));
    let kept = Arc::new(Kept::with("t1", Vec::new()));
    let services = Services {
        conversations: kept.clone(),
        ..services(&models)
    };
    let events = Arc::new(Recorder::default());
    let run = agent()
        .set("prompt", "Who am I?")
        .set("thread_id", "t1")
        .within(context_of(node_info(), services, None, events));
    assert!(run.run().await.is_err());
    assert!(kept.said("t1").is_empty());
}

#[tokio::test]
async fn history_and_an_image_go_along_with_the_prompt() {
    let models = saying(["A dot."]);
    let image = Value::map([
        ("type", Value::from("image")),
        (
            "data",
            bytes::Bytes::from_static(b"\x89PNG\r\n\x1a\n").into(),
        ),
    ]);
    let history = json(r#"[{"type":"message","role":"assistant","content":"Show me."}]"#);
    let run = agent()
        .set("prompt", "What is it?")
        .set("history", history)
        .set("image", image)
        .within(with(&models));
    run.run().await.unwrap();
    let asked = &models.requests()[0].messages;
    assert_eq!(asked[1].plain_text(), "Show me.");
    assert!(
        matches!(&asked[2].parts[..], [Part::Text(_), Part::Image(i)] if i.mime == "image/png")
    );
}

#[tokio::test]
async fn an_agent_that_is_asked_nothing_says_so() {
    let models = saying(["no"]);
    let refused = agent().within(with(&models)).run().await.unwrap_err();
    assert!(
        refused.to_string().contains("`prompt`: is empty"),
        "{refused}"
    );
    let refused = case::<Agent>().set("prompt", "x").within(with(&models));
    let refused = refused.run().await.unwrap_err().to_string();
    assert!(refused.contains("`model`: no model is chosen"), "{refused}");
}
