//! `anthropic.agents.ClaudeAgent`.

use nodetool_sdk::agent::{self, AgentEvent, Budgets};
use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::{
    BoxFuture, Chunk, Emitter, Generate, LanguageModel, Node, NodeCx, NodeError, Outputs, Severity,
    Value, ValueType,
};

use crate::agents::control_tools::Toolbox;
use crate::models::{Ear, Piece, Question, converse};

/// Tools as Claude's own agent names them, and the tools of this server that do the same.
const KNOWN_AS: &[(&str, &str)] = &[
    ("Read", "read_file"),
    ("Write", "write_file"),
    ("LS", "list_directory"),
    ("Glob", "list_directory"),
    ("WebFetch", "browser"),
    ("WebSearch", "google_search"),
];
/// Most tools that can be allowed.
const MAX_TOOLS: usize = 100;

/// Whether tools may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
#[value(type_name = "nodetool.nodes.anthropic.agents.PermissionMode")]
pub(super) enum PermissionMode {
    Default,
    #[value("acceptEdits")]
    AcceptEdits,
    Plan,
    #[value("bypassPermissions")]
    BypassPermissions,
}

/// Has Claude work on a task, with tools and with the nodes its control edges lead to.
/// claude, agent, anthropic, assistant, tools, task
///
/// Files are those of the workspace. A tool the server does not have is left out with a warning: there is no shell. In
/// the mode `plan` Claude is given no tool that changes something, and no nodes; the other modes make no difference,
/// because nobody is there to be asked. The key is that of the model's provider.
#[derive(Node)]
#[node(
    namespace = "anthropic.agents",
    kind = Generate,
    effect = "once",
    basic(
        "prompt",
        "model",
        "system_prompt",
        "max_turns",
        "allowed_tools",
        "permission_mode",
        "use_claude_credentials"
    )
)]
pub(super) struct ClaudeAgent {
    /// What it is to do.
    prompt: String,
    /// The model that does it.
    model: LanguageModel,
    /// How it is to behave.
    system_prompt: String,
    /// Most requests to the model.
    #[prop(default = 20, min = 1, max = 100)]
    max_turns: i64,
    /// Tools it may use, such as Read and Write.
    #[prop(default = usual_tools())]
    allowed_tools: Vec<String>,
    /// Whether tools may change something: not in the mode plan.
    #[prop(default = "acceptEdits")]
    permission_mode: PermissionMode,
    /// Makes no difference: credentials in files of the machine are not read.
    use_claude_credentials: bool,
}

/// What leaves: pieces while it works, and in the end its answer.
#[derive(Outputs)]
pub(super) enum Said {
    Text(String),
    Chunk(Chunk),
}

impl Generate for ClaudeAgent {
    type Output = Said;

    async fn generate(self, out: &Emitter<'_, Said>, cx: &NodeCx) -> Result<(), NodeError> {
        let turns = u32::try_from(self.max_turns).ok().filter(|n| *n > 0);
        let turns = turns.ok_or_else(|| {
            let message = format!("{} (expected 1 to 100)", self.max_turns);
            NodeError::bad("max_turns", message)
        })?;
        if self.use_claude_credentials {
            let line = "Credentials in files are not read; the key of the model's provider is used";
            cx.log(Severity::Info, line);
        }
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            text: self.prompt,
            ..Question::default()
        };
        let mut request = question.request(cx, "prompt").await?;
        let plans = self.permission_mode == PermissionMode::Plan;
        request.tools = allowed(cx, &self.allowed_tools, plans).await?;
        let services = cx.services();
        let controlled = match plans {
            true => &[],
            false => &cx.node.controlled[..],
        };
        let toolbox = Toolbox::new(cx, controlled, out, &request.tools);
        request.tools.extend(toolbox.specs());
        let budgets = Budgets {
            turns,
            ..Budgets::default()
        };
        let agent = agent::Agent::new(&*services.models, &toolbox, &budgets);
        let mut ear = Telling { out, cx };
        let outcome = Box::pin(converse(&agent, request, &mut ear)).await?;
        let last = Piece::text("").last();
        out.emit(Said::Chunk(last.value(cx))).await?;
        out.emit(Said::Text(outcome.text)).await
    }
}

/// Tools Claude's own agent has unless told otherwise.
fn usual_tools() -> Value {
    Value::list(["Read", "Write", "Bash"].map(Value::from))
}

/// What the model is told of the tools it may use.
async fn allowed(cx: &NodeCx, names: &[String], plans: bool) -> Result<Vec<ToolSpec>, NodeError> {
    if names.len() > MAX_TOOLS {
        let message = format!("{} tools (expected at most {MAX_TOOLS})", names.len());
        return Err(NodeError::bad("allowed_tools", message));
    }
    let mut ours: Vec<String> = Vec::new();
    for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        let known = KNOWN_AS.iter().find(|(theirs, _)| *theirs == name);
        let name = known.map_or(name, |(_, ours)| *ours);
        if !ours.iter().any(|n| n == name) {
            ours.push(name.to_owned());
        }
    }
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let found = cx.services().tools.find(&ours).await;
    let mut specs = Vec::with_capacity(found.len());
    for (name, tool) in ours.iter().zip(found) {
        match tool {
            Some(tool) if plans && tool.effects => {}
            Some(tool) => specs.push(tool.spec),
            None => cx.log(
                Severity::Warning,
                format!("There is no tool `{name}`; Claude works without it"),
            ),
        }
    }
    Ok(specs)
}

/// Passes on what Claude says.
struct Telling<'a> {
    out: &'a Emitter<'a, Said>,
    cx: &'a NodeCx,
}

impl Telling<'_> {
    async fn tell(&mut self, event: AgentEvent) -> Result<(), NodeError> {
        let piece = match event {
            AgentEvent::Text(text) => Piece::text(&text),
            AgentEvent::Reasoning(text) => Piece::thought(&text),
            AgentEvent::ToolStarted { note, .. } => {
                self.cx.log(Severity::Info, note);
                return Ok(());
            }
            AgentEvent::ToolEnded {
                call,
                result: Err(fault),
            } => {
                let line = format!("{} failed: {fault}", call.name);
                self.cx.log(Severity::Warning, line);
                return Ok(());
            }
            AgentEvent::File(file) => {
                let line = format!(
                    "Claude made a file ({}), which this node has no output for",
                    file.mime
                );
                self.cx.log(Severity::Warning, line);
                return Ok(());
            }
            AgentEvent::TurnEnded { .. }
            | AgentEvent::ToolEnded { .. }
            | AgentEvent::ToolAnswered(_) => return Ok(()),
        };
        piece.tell(self.cx);
        self.out.emit(Said::Chunk(piece.value(self.cx))).await
    }
}

impl Ear for Telling<'_> {
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.tell(event))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{
        Case, Recorder, Scripted, ScriptedModels, ScriptedTools, case, context_of, node_info,
    };
    use nodetool_sdk::{ControlledNode, Map, NodeInfo, Process};

    use super::*;
    use crate::models::testing::{language_model, of_node, services};

    /// Stands for a node that is controlled.
    /// test
    #[derive(Node)]
    #[node(namespace = "test")]
    struct Search {
        /// What to look for.
        query: String,
    }

    impl Process for Search {
        type Output = String;
        async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
            Ok(self.query)
        }
    }

    fn controlling() -> NodeInfo {
        let def = Arc::new(Search::definition());
        let controlled = ControlledNode {
            id: "s1".into(),
            title: "Web Search".into(),
            props: def.defaults(),
            def,
        };
        NodeInfo {
            controlled: [controlled].into(),
            ..node_info()
        }
    }

    fn claude() -> Case {
        case::<ClaudeAgent>()
            .set("model", language_model())
            .set("prompt", "Look it up.")
    }

    #[tokio::test]
    async fn controlled_nodes_are_tools_and_the_answer_is_what_is_said_last() {
        let models = Arc::new(ScriptedModels::new([
            Scripted::calls(&[("web_search", r#"{"query":"rust"}"#)]).saying("I look."),
            Scripted::text("Found it."),
        ]));
        let given = claude()
            .within(of_node(controlling(), &models))
            .controls(|id, properties| {
                assert_eq!(id, "s1");
                Ok(Map::from_iter([(
                    "output".into(),
                    properties["query"].clone(),
                )]))
            })
            .run()
            .await
            .unwrap();
        let texts: Vec<&Value> = given.iter().filter_map(|m| m.get("text")).collect();
        assert_eq!(texts, [&Value::from("Found it.")]);
        let said = models.requests()[1].messages.last().unwrap().plain_text();
        assert_eq!(said, r#"{"output":"rust"}"#);
    }

    #[tokio::test]
    async fn tools_go_by_the_names_of_claude_and_there_is_no_shell() {
        let models = Arc::new(ScriptedModels::new([Scripted::text("Done.")]));
        let events = Arc::new(Recorder::default());
        let services = Services {
            tools: Arc::new(ScriptedTools::new().with("read_file", |_| Ok("x".into()))),
            ..services(&models)
        };
        let cx = context_of(node_info(), services, None, events.clone());
        claude().within(cx).run().await.unwrap();
        let offered = models.requests()[0].tools.clone();
        let names: Vec<&str> = offered.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["read_file"]);
        let told = format!("{:?}", events.events());
        assert!(told.contains("There is no tool `Bash`"), "{told}");
    }

    #[tokio::test]
    async fn a_plan_changes_nothing() {
        let models = Arc::new(ScriptedModels::new([Scripted::text("First, …")]));
        let run = claude().set("permission_mode", "plan");
        run.within(of_node(controlling(), &models))
            .run()
            .await
            .unwrap();
        assert!(models.requests()[0].tools.is_empty());
    }
}
