//! Turns a web page into Markdown.

use htmd::HtmlToMarkdown as Converter;
use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{Map, NodeError, Value};
use scraper::Html;

use super::page::{blocking, check_depth, check_nesting, check_size};
use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct HtmlToMarkdown;

impl FormStep for HtmlToMarkdown {
    const IDENTIFIER: &'static str = "html-to-markdown";
    const CLASS: &'static str = "HtmlToMarkdown";
    const LABEL: Option<&'static str> = Some("HTML to Markdown");
    const DESCRIPTION: Option<&'static str> =
        Some("Turns HTML into Markdown, without scripts, styles and the head.");
    const CATEGORY: &'static str = "Data";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "HtmlToMarkdownForm",
            fields: vec![
                FieldSpec::boolean("overwrite")
                    .label("Overwrite")
                    .initial(true)
                    .help("The Markdown takes the place of what came; off, it stands beside it."),
                FieldSpec::textarea("html_content")
                    .required()
                    .help("The HTML."),
            ],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let html = fields.text("html_content").trim().to_owned();
        if html.is_empty() {
            return Err("HTML content is required".into());
        }
        check_size("html_content", &html)?;
        check_nesting("html_content", &html)?;
        let text = blocking(move || convert(&html)).await?;
        let made = Map::from_iter([("markdown".into(), Value::from(text))]);
        if fields.flag("overwrite") {
            token.data = made;
        } else {
            token.put("html_to_markdown", made.into());
        }
        Ok(Flow::Go(token))
    }
}

fn convert(html: &str) -> Result<String, NodeError> {
    check_depth("html_content", &Html::parse_document(html))?;
    let converter = Converter::builder()
        .skip_tags(vec!["head", "script", "style", "noscript", "template"])
        .build();
    converter
        .convert(html)
        .map_err(|e| format!("html_content: the page cannot be converted: {e}").into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, data, refusal};
    use super::*;
    use serde_json::json;

    const PAGE: &str = "<html><head><title>T</title></head><body><h1>One</h1><script>1</script>\
        <p>See <a href=\"/x\">this</a>.</p></body></html>";

    #[tokio::test]
    async fn markdown_replaces_the_data_or_stands_beside_it() {
        let cx = context();
        let form = json!({"overwrite": true, "html_content": PAGE});
        let out = data::<HtmlToMarkdown>(form, json!({"old": 1}), &cx).await;
        assert_eq!(out, json!({"markdown": "# One\n\nSee [this](/x)."}));
        let form = json!({"html_content": "<b>x</b>"});
        let out = data::<HtmlToMarkdown>(form, json!({"old": 1}), &cx).await;
        assert_eq!(
            out,
            json!({"old": 1, "html_to_markdown": {"markdown": "**x**"}})
        );
    }

    #[tokio::test]
    async fn pages_that_are_empty_too_large_or_too_deep_are_refused() {
        let said = |html: String| async move {
            refusal::<HtmlToMarkdown>(json!({ "html_content": html }), json!({}), &context()).await
        };
        assert_eq!(said(" ".into()).await, "HTML content is required");
        assert!(said("x".repeat((8 << 20) + 1)).await.contains("bytes"));
        let deep = "<b>".repeat(501);
        assert!(said(deep).await.contains("deeper than 500 levels"));
        // Far too deep is seen before the page is read, which would take the longer the deeper it is.
        let deepest = "<div>".repeat(100_000);
        assert!(said(deepest).await.contains("opens more than 2000"));
    }
}
