//! `nodetool.text.HtmlToText`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};
use url::Url;

use super::markdown_writer::{MarkdownWriter, Style};
use crate::bounds::blocking;
use crate::html::page::{Page, Step};

/// Longest base address, in bytes.
const MAX_BASE: usize = 8 << 10;

/// Turns HTML into readable text, as Markdown.
/// html, text, markdown, convert, web page, strip
///
/// Headings, lists, quotations, code, tables, emphasis and links keep their form; scripts, styles and the head are
/// left out.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "HTML to Text")]
pub(super) struct HtmlToText {
    /// The HTML.
    #[prop(title = "HTML")]
    html: String,
    /// The address links are relative to.
    #[prop(title = "Base URL")]
    base_url: String,
    /// Longest line of a paragraph; 0 for no limit.
    #[prop(default = 1000)]
    body_width: i64,
    /// Whether images are left out.
    #[prop(default = true)]
    ignore_images: bool,
    /// Whether mail links become plain text.
    #[prop(default = true)]
    ignore_mailto_links: bool,
}

impl Process for HtmlToText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        if self.base_url.len() > MAX_BASE {
            return Err(NodeError::bad(
                "base_url",
                format!(
                    "{} bytes (expected at most {MAX_BASE})",
                    self.base_url.len()
                ),
            ));
        }
        blocking(move || {
            let page = Page::read(&self.html, "html")?;
            let mut writer = MarkdownWriter::new(Style {
                base: Url::parse(self.base_url.trim()).ok(),
                width: usize::try_from(self.body_width).unwrap_or(0),
                images: !self.ignore_images,
                mail_links: !self.ignore_mailto_links,
            });
            let mut walk = page.walk(0, page.nodes.len());
            while let Some(step) = walk.next() {
                match step {
                    Step::Text(text) => writer.text(text),
                    Step::Enter(_, element) => {
                        if matches!(
                            element.name(),
                            "head" | "script" | "style" | "template" | "svg" | "title"
                        ) {
                            walk.skip_inside();
                        } else {
                            writer.enter(element);
                        }
                    }
                    Step::Leave(element) => writer.leave(element),
                }
                super::fits("html", writer.size())?;
            }
            Ok(writer.finish())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    async fn text_of(html: &str, settings: &[(&str, Value)]) -> String {
        let mut case = case::<HtmlToText>().set("html", html);
        for (name, value) in settings {
            case = case.set(name, value.clone());
        }
        case.value().await.unwrap().as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_form_of_a_page_stays_readable() {
        for (html, expected) in [
            ("Hi &amp; <b>you</b>", "Hi & **you**\n\n"),
            ("<p>a</p><p>b\n  c</p>", "a\n\nb c\n\n"),
            (
                "<h1>T</h1><p>x <i>i</i> <code>c</code></p>",
                "# T\n\nx _i_ `c`\n\n",
            ),
            (
                "<ul><li>a<li>b<ul><li>c</ul></ul>d",
                "  * a\n  * b\n    * c\n\nd\n\n",
            ),
            (
                "<ol start=3><li>a</li><li>b</li></ol>",
                "  3. a\n  4. b\n\n",
            ),
            (
                "<blockquote><p>q</p><p>r</p></blockquote>",
                "> q\n>\n> r\n\n",
            ),
            ("x<pre>a\n  b</pre>y", "x\n\n    a\n      b\n\ny\n\n"),
            (
                "<a href='/x'>l</a> <a>n</a> <a href=mailto:a@b>m</a>",
                "[l](/x) n m\n\n",
            ),
            (
                "<a href=http://e.com/>http://e.com/</a>",
                "<http://e.com/>\n\n",
            ),
            ("a<br>b<hr>c", "a  \nb\n\n* * *\n\nc\n\n"),
            (
                "<table><tr><th>a<th>b<tr><td>1<td><p>2</p></table>",
                "a| b\n---|---\n1| 2\n\n",
            ),
            (
                "<p>1. x</p><p>- y</p><p># z</p>",
                "1\\. x\n\n\\- y\n\n# z\n\n",
            ),
            (
                "<strong> a </strong>b<em>c</em><em>d</em>",
                "**a** b_c_ _d_\n\n",
            ),
            ("<dl><dt>t</dt><dd>d</dd></dl>", "t\n\n    d\n\n"),
            (
                "<head><title>T</title></head><style>s</style>b<img src=x>",
                "b\n\n",
            ),
            ("", "\n\n"),
        ] {
            assert_eq!(text_of(html, &[]).await, expected, "{html}");
        }
    }

    #[tokio::test]
    async fn addresses_images_and_width_follow_the_settings() {
        let base = ("base_url", Value::from("http://h/d/e"));
        let html = "<img src=i.png alt=al><a href=x>l</a><a href=mailto:a@b>m</a>";
        let settings = [
            base,
            ("ignore_images", false.into()),
            ("ignore_mailto_links", false.into()),
        ];
        assert_eq!(
            text_of(html, &settings).await,
            "![al](http://h/d/i.png)[l](http://h/d/x)[m](mailto:a@b)\n\n"
        );
        let html =
            "<p>one two three</p><blockquote>four five six</blockquote><ul><li>seven eight nine";
        let width = [("body_width", Value::Int(9))];
        assert_eq!(
            text_of(html, &width).await,
            "one two\nthree\n\n> four\n> five\n> six\n\n  * seven eight nine\n\n"
        );
    }

    #[tokio::test]
    async fn hostile_pages_end_soon() {
        for html in [
            "<blockquote>".repeat(50_000) + "x",
            "<ul><li>".repeat(50_000),
            "<b>".repeat(50_000),
            "<pre>\n".repeat(50_000),
            "<table><tr><td>".repeat(20_000),
        ] {
            let result = case::<HtmlToText>().set("html", html).value().await;
            assert!(result.is_ok_and(|v| v.as_str().is_some()));
        }
    }
}
