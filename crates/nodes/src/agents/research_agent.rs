//! `nodetool.agents.ResearchAgent`.

use nodetool_sdk::agent::Budgets;
use nodetool_sdk::agent::plan::{Assignment, PlanAgent, PlanError, PlanEvent, PlanListener};
use nodetool_sdk::{
    BoxFuture, DynamicOutputs, LanguageModel, Map, Node, NodeCx, NodeError, Process, Severity,
    ToolName, Value,
};

use super::agent::named_tools;
use crate::models::fields::Fields;
use crate::models::{Piece, Question};

const SYSTEM: &str = "\
You do research.
- Find out what the objective asks for, from several sources, with the tools you have.
- Search with precise words, read the pages that look best, and compare what they say.
- Note in the workspace what you will need later, where you have tools for that.
- Give the result in the form that is asked for, complete, and name your sources where there is room for that.
- Say so where something could not be found; make nothing up.";

/// Where the result leaves when no outputs are declared.
const OUTPUT: &str = "output";

/// Plans research, carries it out with tools step by step, and gives the result.
/// research, agent, plan, search, web, report, language model, llm
///
/// The outputs declared on the node say what the result consists of.
#[derive(Node)]
#[node(
    namespace = "nodetool.agents",
    dynamic_outputs,
    uncached,
    effect = "once",
    basic("objective", "model", "tools")
)]
pub(super) struct ResearchAgent {
    /// What is to be found out.
    objective: String,
    /// The model that works.
    model: LanguageModel,
    /// How it is to work.
    #[prop(default = SYSTEM)]
    system_prompt: String,
    /// Tools it may use.
    #[prop(default = usual_tools())]
    tools: Vec<ToolName>,
    /// Most tokens of one answer of the model.
    #[prop(default = 8192, min = 1, max = 100000)]
    max_tokens: i64,
}

fn usual_tools() -> Value {
    let names = ["google_search", "browser"].map(Value::from);
    Value::list(names.map(|name| Value::map([("name", name)])))
}

impl Process for ResearchAgent {
    type Output = DynamicOutputs;

    async fn process(self, cx: &NodeCx) -> Result<DynamicOutputs, NodeError> {
        let objective = self.objective.trim().to_owned();
        if objective.is_empty() {
            let message = "is empty (expected what is to be found out)";
            return Err(NodeError::bad("objective", message));
        }
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let fields = Fields::declared(&cx.node);
        let assignment = Assignment {
            objective,
            output_schema: fields.as_ref().map(Fields::schema),
            tools: named_tools(cx, self.tools).await?,
            request: question.opening(cx)?,
            ..Assignment::default()
        };
        let services = cx.services();
        let budgets = Budgets::default();
        let agent = PlanAgent {
            models: &*services.models,
            tools: &*services.tools,
            budgets: &budgets,
        };
        let run = Box::pin(agent.run(&assignment, &mut Telling { cx })).await;
        let result = match run {
            Ok(outcome) => outcome.result,
            Err(PlanError::Model(e)) => return Err(e.into()),
            Err(e) => return Err(NodeError::new(e.to_string())),
        };
        let values = match fields {
            Some(fields) => fields.take(&result).map_err(NodeError::new)?,
            None => [(OUTPUT.into(), result)].into_iter().collect::<Map>(),
        };
        Ok(DynamicOutputs(values))
    }
}

/// Tells whoever watches the run how far the research is.
struct Telling<'a> {
    cx: &'a NodeCx,
}

impl PlanListener for Telling<'_> {
    fn on<'a>(&'a mut self, event: PlanEvent) -> BoxFuture<'a, ()> {
        match event {
            PlanEvent::Log {
                content, severity, ..
            } => self.cx.log(severity, content),
            PlanEvent::Planning {
                status, content, ..
            } => {
                // A plan that holds is told with the task.
                let fault = content.filter(|_| status == "Failed");
                let fault = fault.map_or_else(String::new, |fault| format!(": {fault}"));
                self.cx
                    .log(Severity::Info, format!("Planning: {status}{fault}"));
            }
            PlanEvent::ToolCall { message, .. } => self.cx.log(Severity::Info, message),
            PlanEvent::Chunk {
                content, thinking, ..
            } => {
                let piece = if thinking {
                    Piece::thought(&content)
                } else {
                    Piece::text(&content)
                };
                piece.tell(self.cx);
            }
            PlanEvent::Task { task, .. } => {
                let done = task.steps.iter().filter(|s| s.completed).count();
                self.cx.progress(done as i64, task.steps.len() as i64);
            }
            PlanEvent::StepResult { .. } => {}
        }
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::models::{ChatMessage, Role};
    use nodetool_sdk::testing::{Scripted, ScriptedModels, case};

    use super::*;
    use crate::models::testing::{declaring, language_model, with};

    const PLAN: &str =
        r#"{"title":"Docker","steps":[{"id":"s1","instructions":"Write it","depends_on":[]}]}"#;

    fn planning(result: &str) -> Arc<ScriptedModels> {
        let calls = |name, arguments: &str| Scripted::calls(&[(name, arguments)]);
        Arc::new(ScriptedModels::new([
            calls("create_task", PLAN),
            calls("finish_step", result),
        ]))
    }

    #[tokio::test]
    async fn the_result_leaves_by_the_declared_outputs() {
        let models = planning(r#"{"result":{"topic":"Docker","modules":[{"title":"One"}]}}"#);
        let outputs = [("topic", "str"), ("modules", "list[dict[str,any]]")];
        let given = case::<ResearchAgent>()
            .set("model", language_model())
            .set("objective", "Learn Docker")
            .within(declaring(&models, &outputs))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0]["topic"], "Docker".into());
        assert_eq!(given[0]["modules"].as_list().map(<[Value]>::len), Some(1));
        let asked = &models.requests()[0];
        let own = ChatMessage::text(Role::System, SYSTEM);
        assert!(asked.messages.contains(&own), "{:?}", asked.messages);
    }

    #[tokio::test]
    async fn without_declared_outputs_the_result_is_a_text() {
        let models = planning(r#"{"result":"Docker runs containers."}"#);
        let given = case::<ResearchAgent>()
            .set("model", language_model())
            .set("objective", "What is Docker?")
            .within(with(&models))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0][OUTPUT], "Docker runs containers.".into());
    }

    #[tokio::test]
    async fn an_objective_is_needed_and_a_model_that_answers() {
        let models = Arc::new(ScriptedModels::new([]));
        let run = || {
            case::<ResearchAgent>()
                .set("model", language_model())
                .within(with(&models))
        };
        let refused = run().run().await.unwrap_err().to_string();
        assert!(refused.contains("`objective`: is empty"), "{refused}");
        let refused = run().set("objective", "x").run().await.unwrap_err();
        assert!(refused.to_string().contains("script"), "{refused}");
    }
}
