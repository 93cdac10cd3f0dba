//! `nodetool.agents.Summarizer`.

use nodetool_sdk::agent::AgentEvent;
use nodetool_sdk::{
    AudioRef, BoxFuture, Chunk, Emitter, Generate, ImageRef, LanguageModel, Node, NodeCx,
    NodeError, Outputs,
};

use crate::models::{Ear, Piece, Question, ask};

const SYSTEM: &str = "\
You write summaries.
- Say what matters most, in few words, and leave the rest out.
- Stay with what the source says: add nothing, change nothing.
- Write plain sentences and structure them with Markdown.
- Answer with the summary alone.";

/// Sums up a text, an image or a sound.
/// summary, summarize, shorten, digest, language model, llm
///
/// The summary leaves in pieces while it is written, and as a whole at the end.
#[derive(Node)]
#[node(
    namespace = "nodetool.agents",
    kind = Generate,
    effect = "idempotent",
    basic("text", "model", "image", "audio")
)]
pub(super) struct Summarizer {
    /// How the model is to write.
    #[prop(default = SYSTEM)]
    system_prompt: String,
    /// The model that writes.
    model: LanguageModel,
    /// The text.
    text: String,
    /// An image that belongs to it.
    image: ImageRef,
    /// A sound that belongs to it.
    audio: AudioRef,
}

/// The whole summary, or a piece of it.
#[derive(Outputs)]
pub(super) enum Summary {
    Text(String),
    Chunk(Chunk),
}

impl Generate for Summarizer {
    type Output = Summary;

    async fn generate(self, out: &Emitter<'_, Summary>, cx: &NodeCx) -> Result<(), NodeError> {
        let question = Question {
            model: self.model,
            system: self.system_prompt,
            text: self.text,
            image: self.image,
            audio: self.audio,
            max_tokens: None,
        };
        let request = question.request(cx, "text").await?;
        let outcome = ask(cx, request, &mut Writing { out, cx }).await?;
        let last = Piece::text("").last();
        out.emit(Summary::Chunk(last.value(cx))).await?;
        out.emit(Summary::Text(outcome.text)).await
    }
}

struct Writing<'a> {
    out: &'a Emitter<'a, Summary>,
    cx: &'a NodeCx,
}

impl Ear for Writing<'_> {
    fn hear<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            let AgentEvent::Text(text) = event else {
                return Ok(());
            };
            let piece = Piece::text(&text);
            piece.tell(self.cx);
            self.out.emit(Summary::Chunk(piece.value(self.cx))).await
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::models::{Part, Role};
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    #[tokio::test]
    async fn the_summary_leaves_in_pieces_and_then_as_a_whole() {
        let models = saying(["A short text."]);
        let given = case::<Summarizer>()
            .set("model", language_model())
            .set("text", "A long text.")
            .within(with(&models))
            .run()
            .await
            .unwrap();
        let content = |m: &nodetool_sdk::Map| {
            let content = m.get("chunk")?.get("content")?.as_str()?.to_owned();
            Some(content)
        };
        let pieces: Vec<String> = given.iter().filter_map(content).collect();
        assert!(pieces.len() > 3, "{pieces:?}");
        assert_eq!(pieces.concat(), "A short text.");
        let last = &given[given.len() - 2]["chunk"];
        assert_eq!(last.get("done"), Some(&Value::Bool(true)));
        assert_eq!(given[given.len() - 1]["text"], "A short text.".into());
        let asked = &models.requests()[0];
        assert_eq!((&*asked.provider, &*asked.model), ("scripted", "one"));
        assert_eq!(asked.node_id.as_deref(), Some("node"));
        assert_eq!(asked.messages[0].role, Role::System);
        let text = Part::Text("A long text.".into());
        assert_eq!(asked.messages[1].parts, [text]);
    }

    #[tokio::test]
    async fn without_a_model_or_anything_to_sum_up_nothing_is_asked() {
        let models = saying(["no"]);
        let case = || case::<Summarizer>().within(with(&models));
        let refused = case().set("text", "x").run().await.unwrap_err().to_string();
        assert!(refused.contains("`model`: no model is chosen"), "{refused}");
        let refused = case().set("model", language_model()).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`text`: is empty"), "{refused}");
        assert!(models.requests().is_empty());
    }
}
