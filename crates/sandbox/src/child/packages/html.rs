//! Web pages: picking elements, and the text as Markdown.
//! It must not know the interpreter.

use htmd::HtmlToMarkdown;
use nodetool_protocol::Value;
use scraper::{Html, Selector};

use super::{text, text_option};

/// Larger pages are refused: what is made of them takes many times their size.
const MAX_PAGE: usize = 8 << 20;
/// Deeper pages are refused by the conversion, which goes into itself for each level.
const MAX_LEVELS: usize = 500;

/// `select(html, css, {attr?})`: the trimmed texts of the elements, or the attribute of those that have it.
pub(super) fn select(args: &[Value]) -> Result<Value, String> {
    let page = Html::parse_document(source(args)?);
    let css = text(args, 1, "the selector")?;
    let selector =
        Selector::parse(css).map_err(|error| format!("the selector {css:?} is wrong: {error}"))?;
    let found = page.select(&selector);
    Ok(match text_option(args, 2, "attr")? {
        Some(name) => Value::list(
            found
                .filter_map(|element| element.attr(name))
                .map(Value::from),
        ),
        None => {
            Value::list(found.map(|element| Value::from(element.text().collect::<String>().trim())))
        }
    })
}

/// `toMarkdown(html)`: the page's content as Markdown.
pub(super) fn to_markdown(args: &[Value]) -> Result<Value, String> {
    let source = source(args)?;
    let page = Html::parse_document(source);
    if page
        .tree
        .nodes()
        .any(|node| node.ancestors().nth(MAX_LEVELS).is_some())
    {
        return Err(format!(
            "the page is nested deeper than {MAX_LEVELS} levels"
        ));
    }
    drop(page);
    let converter = HtmlToMarkdown::builder()
        .skip_tags(vec!["head", "script", "style", "noscript", "template"])
        .build();
    converter
        .convert(source)
        .map(Value::from)
        .map_err(|error| error.to_string())
}

fn source(args: &[Value]) -> Result<&str, String> {
    let source = text(args, 0, "the page")?;
    if source.len() > MAX_PAGE {
        return Err(format!(
            "the page has {} bytes; {MAX_PAGE} are allowed",
            source.len()
        ));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<html><head><title>T</title><style>p{}</style></head><body><h1> One\n</h1>\
        <p>See <a href=\"/x\">this</a> and <a>that</a>.</p><script>1</script></body></html>";

    #[test]
    fn elements_give_their_text_or_an_attribute() {
        assert_eq!(
            select(&[PAGE.into(), "h1".into()]).unwrap(),
            Value::list(["One".into()])
        );
        let attr = Value::map([("attr", Value::from("href"))]);
        assert_eq!(
            select(&[PAGE.into(), "a".into(), attr]).unwrap(),
            Value::list(["/x".into()])
        );
        assert_eq!(
            select(&[PAGE.into(), "h7".into()]).unwrap(),
            Value::list([])
        );
        assert!(
            select(&[PAGE.into(), "a[".into()])
                .unwrap_err()
                .contains("\"a[\"")
        );
    }

    #[test]
    fn markdown_has_the_content_and_nothing_of_the_head() {
        let markdown = to_markdown(&[PAGE.into()]).unwrap();
        assert_eq!(markdown.as_str(), Some("# One\n\nSee [this](/x) and that."));
    }

    #[test]
    fn pages_too_deep_or_too_large_are_refused() {
        let large = " ".repeat(MAX_PAGE + 1);
        assert!(
            select(&[large.into(), "p".into()])
                .unwrap_err()
                .contains("bytes")
        );
        let page = "<b>".repeat(100_000);
        assert!(
            to_markdown(&[page.into()])
                .unwrap_err()
                .contains("500 levels")
        );
    }
}
