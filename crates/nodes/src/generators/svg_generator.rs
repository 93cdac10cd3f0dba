//! `nodetool.generators.SVGGenerator`.

use nodetool_sdk::{
    AudioRef, ImageRef, LanguageModel, Map, Node, NodeCx, NodeError, Process, SvgElement, Value,
};

use crate::models::{Question, Silent, ask};

const SYSTEM: &str = "\
You draw with SVG.
- Answer with one complete <svg> element that has a viewBox and the namespace http://www.w3.org/2000/svg.
- Draw with shapes, paths, gradients and text; use no scripts and nothing from other places.
- Write nothing but the element.";

/// Has a model draw a vector graphic.
/// svg, vector, drawing, icon, graphic, language model, llm
#[derive(Node)]
#[node(
    namespace = "nodetool.generators",
    title = "SVGGenerator",
    uncached,
    effect = "idempotent",
    basic("prompt", "image", "audio", "model")
)]
pub(super) struct SVGGenerator {
    /// The model that draws.
    model: LanguageModel,
    /// What it is to draw.
    prompt: String,
    /// An image to go by.
    image: ImageRef,
    /// A sound to go by.
    audio: AudioRef,
    /// Most tokens of the answer.
    #[prop(default = 8192, min = 1, max = 100000)]
    max_tokens: i64,
}

impl Process for SVGGenerator {
    type Output = Vec<SvgElement>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<SvgElement>, NodeError> {
        let question = Question {
            model: self.model,
            system: SYSTEM.into(),
            text: self.prompt,
            image: self.image,
            audio: self.audio,
            max_tokens: Some(self.max_tokens),
        };
        let request = question.request(cx, "prompt").await?;
        let answer = ask(cx, request, &mut Silent).await?.text;
        let Some(drawing) = drawing(&answer) else {
            let said: String = answer.chars().take(200).collect();
            let message = format!("the model drew no complete <svg> element; it said: {said}");
            return Err(NodeError::new(message));
        };
        let element = Value::map([
            ("type", "svg_element".into()),
            ("name", "".into()),
            ("attributes", Map::new().into()),
            ("content", drawing.into()),
            ("children", Value::list([])),
        ]);
        Ok(vec![SvgElement(element)])
    }
}

/// From the first `<svg` to the last `</svg>`.
fn drawing(answer: &str) -> Option<&str> {
    const END: &str = "</svg>";
    let start = answer.match_indices("<svg").map(|(at, _)| at).find(|at| {
        // Not `<svgfoo`.
        let after = answer[at + 4..].chars().next();
        after.is_some_and(|c| c.is_whitespace() || c == '>')
    })?;
    let rest = &answer[start..];
    let end = rest.rfind(END)? + END.len();
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::models::testing::{language_model, saying, with};

    #[tokio::test]
    async fn the_drawing_is_taken_out_of_the_answer_as_it_is() {
        let models = saying(["Here:\n```svg\n<svg viewBox=\"0 0 1 1\"><g/></svg>\n```"]);
        let given = case::<SVGGenerator>()
            .set("model", language_model())
            .set("prompt", "A dot")
            .within(with(&models))
            .value()
            .await
            .unwrap();
        let element = &given.as_list().unwrap()[0];
        let content = element.get("content").and_then(Value::as_str);
        assert_eq!(content, Some("<svg viewBox=\"0 0 1 1\"><g/></svg>"));
        assert_eq!(element.type_tag(), Some("svg_element"));
    }

    #[test]
    fn half_a_drawing_is_none() {
        for text in ["", "<svg>", "</svg><svg >", "<svgx></svg>"] {
            assert_eq!(drawing(text), None, "{text}");
        }
        assert_eq!(
            drawing("<svg><svg></svg></svg>!"),
            Some("<svg><svg></svg></svg>")
        );
    }
}
