//! `nodetool.generators.ListGenerator`.

use nodetool_sdk::agent::AgentEvent;
use nodetool_sdk::{BoxFuture, Emitter, Generate, LanguageModel, Node, NodeCx, NodeError, Outputs};

use super::list_items::ListItems;
use super::prompted;
use crate::models::{Ear, Question, ask};

const SYSTEM: &str = "\
You make lists.
- Write every item of the list between <LIST_ITEM> and </LIST_ITEM>.
- One item is one complete thing that was asked for, with all that belongs to it.
- Number nothing, and write nothing outside of the items.
Example:
<LIST_ITEM>The first item.</LIST_ITEM>
<LIST_ITEM>The second item.</LIST_ITEM>";

/// Has a model make a list; each item leaves as soon as it is written.
/// list, generate, items, ideas, stream, language model, llm
#[derive(Node)]
#[node(
    namespace = "nodetool.generators",
    kind = Generate,
    effect = "idempotent",
    basic("prompt", "model")
)]
pub(super) struct ListGenerator {
    /// The model that writes.
    model: LanguageModel,
    /// What the list is to be of.
    prompt: String,
    /// A text the list is made from.
    input_text: String,
    /// Most tokens of the answer.
    #[prop(default = 4096, min = 1, max = 100000)]
    max_tokens: i64,
}

/// An item and its place in the list.
#[derive(Outputs)]
pub(super) struct Item {
    item: String,
    index: i64,
}

impl Generate for ListGenerator {
    type Output = Item;

    async fn generate(self, out: &Emitter<'_, Item>, cx: &NodeCx) -> Result<(), NodeError> {
        let question = Question {
            model: self.model,
            system: SYSTEM.into(),
            text: prompted(&self.prompt, &self.input_text),
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let request = question.request(cx, "prompt").await?;
        let mut writing = Writing {
            out,
            items: ListItems::default(),
            index: 0,
        };
        let outcome = ask(cx, request, &mut writing).await?;
        if writing.index == 0 {
            let said: String = outcome.text.chars().take(200).collect();
            let message = format!("the model wrote no <LIST_ITEM>; it said: {said}");
            return Err(NodeError::new(message));
        }
        Ok(())
    }
}

struct Writing<'a> {
    out: &'a Emitter<'a, Item>,
    items: ListItems,
    index: i64,
}

impl Ear for Writing<'_> {
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let AgentEvent::Text(text) = event else {
                return Ok(());
            };
            for item in self.items.take(&text) {
                let index = self.index;
                self.index += 1;
                self.out.emit(Item { item, index }).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    #[tokio::test]
    async fn each_item_leaves_with_its_place() {
        let models = saying(["<LIST_ITEM>**Red**</LIST_ITEM>\n<LIST_ITEM>Light  blue</LIST_ITEM>"]);
        let given = case::<ListGenerator>()
            .set("model", language_model())
            .set("prompt", "Colours")
            .set("input_text", "the sky at dawn")
            .within(with(&models))
            .run()
            .await
            .unwrap();
        let items: Vec<_> = given
            .iter()
            .map(|m| (m["item"].as_str().unwrap(), m["index"].as_i64().unwrap()))
            .collect();
        assert_eq!(items, [("Red", 0), ("Light blue", 1)]);
        let asked = &models.requests()[0];
        assert_eq!(asked.max_tokens, Some(4096));
        let said = asked.messages[1].plain_text();
        assert_eq!(said, "Colours\n\n<input>\nthe sky at dawn\n</input>");
    }

    #[tokio::test]
    async fn an_answer_without_items_is_an_error_that_shows_it() {
        let models = saying(["I cannot do that."]);
        let run = case::<ListGenerator>()
            .set("model", language_model())
            .set("prompt", "x")
            .within(with(&models));
        let refused = run.run().await.unwrap_err().to_string();
        assert!(refused.ends_with("it said: I cannot do that."), "{refused}");
    }
}
