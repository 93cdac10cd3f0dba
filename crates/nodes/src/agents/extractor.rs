//! `nodetool.agents.Extractor`.

use nodetool_sdk::{
    AudioRef, DynamicOutputs, ImageRef, LanguageModel, Node, NodeCx, NodeError, Process,
};

use crate::models::fields::Fields;
use crate::models::{Question, fill};

const SYSTEM: &str = "\
You take facts out of a source and give them as JSON.
- Give exactly the fields of the schema.
- Use only what the source says; make nothing up. Keep values as they are written, without blanks around them.
- For a field the source says nothing about, give the empty value of its type: \"\", 0, false, [] or {}.
- Write dates and times as ISO 8601 where the field is a text.
- Of several candidates take the one that is most precise.";

/// Takes facts out of a text, an image or a sound: one for each output declared on the node.
/// extract, parse, structure, fields, json, language model, llm
#[derive(Node)]
#[node(
    namespace = "nodetool.agents",
    dynamic_outputs,
    uncached,
    effect = "idempotent",
    basic("text", "model", "image", "audio")
)]
pub(super) struct Extractor {
    /// How the model is to work.
    #[prop(default = SYSTEM)]
    system_prompt: String,
    /// The model that reads.
    model: LanguageModel,
    /// The text.
    text: String,
    /// An image that belongs to it.
    image: ImageRef,
    /// A sound that belongs to it.
    audio: AudioRef,
}

impl Process for Extractor {
    type Output = DynamicOutputs;

    async fn process(self, cx: &NodeCx) -> Result<DynamicOutputs, NodeError> {
        let fields = Fields::required(&cx.node)?;
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            text: self.text,
            image: self.image,
            audio: self.audio,
            max_tokens: None,
        };
        let request = question.request(cx, "text").await?;
        let answer = fill(cx, request, "facts", fields.schema()).await?;
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
    async fn each_declared_output_gets_its_fact() {
        let models = saying(["```json\n{\"name\":\"Ada\",\"born\":1815}\n```"]);
        let given = case::<Extractor>()
            .set("model", language_model())
            .set("text", "Ada was born in 1815.")
            .within(declaring(&models, &[("name", "str"), ("born", "int")]))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0]["name"], "Ada".into());
        assert_eq!(given[0]["born"], 1815i64.into());
    }

    #[tokio::test]
    async fn a_node_that_declares_no_outputs_is_told_to() {
        let models = saying([]);
        let run = case::<Extractor>()
            .set("model", language_model())
            .set("text", "x")
            .within(with(&models));
        let refused = run.run().await.unwrap_err().to_string();
        assert!(refused.contains("declares no outputs"), "{refused}");
    }
}
