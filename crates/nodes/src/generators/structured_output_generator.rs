//! `nodetool.generators.StructuredOutputGenerator`.

use nodetool_sdk::{DynamicOutputs, LanguageModel, Node, NodeCx, NodeError, Process};

use super::prompted;
use crate::models::fields::Fields;
use crate::models::{Question, fill};

const SYSTEM: &str = "\
You make data as JSON.
- Follow the instructions, and use the context where there is one.
- Give exactly the fields of the schema, with values that fit its types and bounds.
- Where nothing is said, make up values that are plausible and agree with each other.
- Write dates and times as ISO 8601.";

/// Has a model make an object: one value for each output declared on the node.
/// json, structure, generate, data, schema, language model, llm
#[derive(Node)]
#[node(
    namespace = "nodetool.generators",
    dynamic_outputs,
    uncached,
    effect = "idempotent",
    basic("instructions", "context", "model")
)]
pub(super) struct StructuredOutputGenerator {
    /// How the model is to work.
    #[prop(default = SYSTEM)]
    system_prompt: String,
    /// The model that writes.
    model: LanguageModel,
    /// What is to be made.
    instructions: String,
    /// What to know for that.
    context: String,
    /// Most tokens of the answer.
    #[prop(default = 4096, min = 1, max = 16384)]
    max_tokens: i64,
}

impl Process for StructuredOutputGenerator {
    type Output = DynamicOutputs;

    async fn process(self, cx: &NodeCx) -> Result<DynamicOutputs, NodeError> {
        let fields = Fields::required(&cx.node)?;
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            text: prompted(&self.instructions, &self.context),
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let request = question.request(cx, "instructions").await?;
        let answer = fill(cx, request, "object", fields.schema()).await?;
        let values = fields.take(&answer).map_err(NodeError::new)?;
        Ok(DynamicOutputs(values))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::models::testing::{declaring, language_model, saying, with};

    #[tokio::test]
    async fn an_answer_that_does_not_fit_is_asked_for_again() {
        let models = saying([
            r#"{"title":"Waves"}"#,
            r#"{"title":"Waves","counts":[1,2.0]}"#,
        ]);
        let given = case::<StructuredOutputGenerator>()
            .set("model", language_model())
            .set("instructions", "Plan")
            .set("context", "Ice")
            .within(declaring(
                &models,
                &[("title", "str"), ("counts", "list[int]")],
            ))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0]["title"], "Waves".into());
        let counts = vec![1i64.into(), 2i64.into()];
        assert_eq!(given[0]["counts"], counts.into());
        let asked = models.requests();
        let said = asked[0].messages[1].plain_text();
        assert!(said.starts_with("Plan\n\n<input>\nIce\n</input>"), "{said}");
        let told = asked[1].messages.last().unwrap().plain_text();
        assert!(told.contains("`counts` is missing"), "{told}");
    }

    #[tokio::test]
    async fn instructions_and_outputs_are_needed() {
        let models = saying([]);
        let run = case::<StructuredOutputGenerator>().set("model", language_model());
        let refused = run.within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("declares no outputs"),
            "{refused}"
        );
        let run = case::<StructuredOutputGenerator>()
            .set("model", language_model())
            .within(declaring(&models, &[("a", "str")]));
        let refused = run.run().await.unwrap_err().to_string();
        assert!(refused.contains("`instructions`: is empty"), "{refused}");
    }
}
