//! Reads a LinkedIn profile out of its page, as members see it and as everybody does.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};
use scraper::{ElementRef, Html, Selector};

use super::page::{blocking, check_depth, check_nesting, check_size};
use crate::{Fields, FormStep};

/// Most entries of a section.
const MAX_ENTRIES: usize = 200;
/// Most bytes of a value.
const MAX_TEXT: usize = 20_000;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct LinkedinProfileParser;

impl FormStep for LinkedinProfileParser {
    const IDENTIFIER: &'static str = "linkedin-profile-parser";
    const CLASS: &'static str = "LinkedinProfileParser";
    const CATEGORY: &'static str = "WebPageParsers";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "LinkedinProfileParserForm",
            fields: vec![FieldSpec::textarea("html_content").help("HTML of the profile's page.")],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let html = fields.text("html_content").to_owned();
        if html.trim().is_empty() {
            return Err("HTML content is required".into());
        }
        check_size("html_content", &html)?;
        check_nesting("html_content", &html)?;
        let profile = blocking(move || read(&html)).await?;
        token.put("parsed_linkedin_profile", profile);
        Ok(Flow::Go(token))
    }
}

fn read(html: &str) -> Result<Value, NodeError> {
    let page = Html::parse_document(html);
    check_depth("html_content", &page)?;
    let root = page.root_element();
    let first = |css: &[&str]| {
        let mut each = css.iter();
        each.find_map(|css| select(root, css).into_iter().find_map(text_of))
    };
    let lines = select(root, "li, span, a, p");
    let counted = |word: &str| lines.iter().find_map(|line| count_of(*line, word));
    let about = section(root, "about").and_then(|s| {
        let texts = visible(s)
            .into_iter()
            .filter(|t| !t.eq_ignore_ascii_case("about"));
        texts.max_by_key(|t| t.chars().count())
    });
    let about =
        about.or_else(|| first(&["section.summary p", ".core-section-container__content p"]));
    Ok(Value::map([
        ("name", first(&["main h1", "h1"]).into()),
        (
            "headline",
            first(&[
                "main .text-body-medium",
                ".top-card-layout__headline",
                ".text-body-medium",
            ])
            .into(),
        ),
        (
            "location",
            first(&[
                "main span.text-body-small.inline",
                ".top-card__subline-item",
                ".top-card-layout__first-subline span",
            ])
            .into(),
        ),
        ("about", about.into()),
        ("followers", counted("follower").into()),
        ("connections", counted("connection").into()),
        (
            "experience",
            entries(
                root,
                "experience",
                ["title", "company", "duration", "location"],
            ),
        ),
        (
            "education",
            entries(
                root,
                "education",
                ["school", "degree", "duration", "description"],
            ),
        ),
        ("skills", names(root, "skills")),
        (
            "certifications",
            entries(
                root,
                "licenses_and_certifications",
                ["name", "issuer", "date", "credential"],
            ),
        ),
        ("languages", names(root, "languages")),
    ]))
}

fn select<'a>(root: ElementRef<'a>, css: &str) -> Vec<ElementRef<'a>> {
    Selector::parse(css).map_or_else(|_| Vec::new(), |s| root.select(&s).collect())
}

/// The words of an element, single spaces between them.
fn text_of(element: ElementRef<'_>) -> Option<String> {
    let mut text = String::new();
    for word in element.text().flat_map(str::split_whitespace) {
        if text.len() + word.len() > MAX_TEXT {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    (!text.is_empty()).then_some(text)
}

/// `1,234 followers` and the like: what stands before the word.
fn count_of(line: ElementRef<'_>, word: &str) -> Option<String> {
    let mut words = line.text().flat_map(str::split_whitespace);
    let count = words.next()?;
    let is_count = count.len() < 32 && count.starts_with(|c: char| c.is_ascii_digit());
    let named = words.next()?.to_lowercase().starts_with(word);
    (is_count && named).then(|| count.to_owned())
}

/// The section of a name: the one that holds the anchor of that name, or that is marked with it.
fn section<'a>(root: ElementRef<'a>, name: &str) -> Option<ElementRef<'a>> {
    let anchor = select(root, &format!("#{name}")).into_iter().next();
    let around = anchor.and_then(|anchor| {
        let mut above = anchor.ancestors().filter_map(ElementRef::wrap);
        match anchor.value().name() {
            "section" => Some(anchor),
            _ => above.find(|e| e.value().name() == "section"),
        }
    });
    let marked = format!("section[data-section=\"{name}\"], section.{name}");
    around.or_else(|| select(root, &marked).into_iter().next())
}

/// The texts of a part in order, each once: what is shown is there a second time for screen readers.
fn visible(part: ElementRef<'_>) -> Vec<String> {
    let texts_of = |css| -> Vec<String> {
        let found = select(part, css).into_iter();
        found.filter_map(text_of).take(MAX_ENTRIES).collect()
    };
    let mut texts = texts_of("span[aria-hidden=\"true\"]");
    if texts.is_empty() {
        texts = texts_of("h3, h4, h5, p, time, span");
    }
    texts.dedup();
    texts
}

/// The outermost entries of a section.
fn items<'a>(root: ElementRef<'a>, name: &str) -> Vec<ElementRef<'a>> {
    let Some(section) = section(root, name) else {
        return Vec::new();
    };
    let outermost = |item: &ElementRef<'_>| {
        let mut above = item
            .ancestors()
            .take_while(|above| above.id() != section.id());
        !above.any(|above| ElementRef::wrap(above).is_some_and(|e| e.value().name() == "li"))
    };
    let all = select(section, "li").into_iter();
    all.filter(outermost).take(MAX_ENTRIES).collect()
}

fn entries(root: ElementRef<'_>, name: &str, keys: [&'static str; 4]) -> Value {
    let entry = |item: ElementRef<'_>| {
        let texts = visible(item);
        let mut rest = texts.iter();
        let named: Vec<_> = keys
            .map(|key| (key, Value::from(rest.next().cloned())))
            .to_vec();
        let more: Vec<&str> = rest.map(String::as_str).collect();
        let details = (!more.is_empty()).then(|| more.join("\n"));
        let details = ("details", Value::from(details));
        (!texts.is_empty()).then(|| Value::map(named.into_iter().chain([details])))
    };
    Value::list(items(root, name).into_iter().filter_map(entry))
}

fn names(root: ElementRef<'_>, name: &str) -> Value {
    let first = |item| visible(item).into_iter().next();
    let names = items(root, name).into_iter().filter_map(first);
    Value::list(names.map(Value::from))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, data, refusal};
    use super::*;
    use serde_json::json;

    const PAGE: &str = r##"<main>
      <h1> Ann
        Example </h1>
      <div class="text-body-medium break-words">Builder of bridges</div>
      <span class="text-body-small inline t-black--light">Bern, Switzerland</span>
      <ul><li class="x">1,234 followers</li><li><span>500+</span> connections</li></ul>
      <section><div id="about"></div><h2><span aria-hidden="true">About</span></h2>
        <span aria-hidden="true">I build bridges that last.</span><span class="visually-hidden">I build bridges that last.</span></section>
      <section><div id="experience"></div><ul>
        <li><span aria-hidden="true">Engineer</span><span class="visually-hidden">Engineer</span>
          <span aria-hidden="true">Bridges AG</span><span aria-hidden="true">2020 - now</span>
          <span aria-hidden="true">Bern</span>
          <ul><li><span aria-hidden="true">Leads ten people</span></li></ul></li>
        <li><span aria-hidden="true">Student</span></li></ul></section>
      <section data-section="education"><ul><li><h3>ETH</h3><h4>MSc</h4></li></ul></section>
      <section><div id="skills"></div><ul><li><span aria-hidden="true">Statics</span></li>
        <li><span aria-hidden="true">Steel</span></li></ul></section></main>"##;

    #[tokio::test]
    async fn a_profile_is_read_out_of_its_page() {
        let form = json!({ "html_content": PAGE });
        let out = data::<LinkedinProfileParser>(form, json!({"old": 1}), &context()).await;
        assert_eq!(out["old"], 1);
        let profile = &out["parsed_linkedin_profile"];
        assert_eq!(profile["name"], "Ann Example");
        assert_eq!(profile["headline"], "Builder of bridges");
        assert_eq!(profile["location"], "Bern, Switzerland");
        assert_eq!(profile["about"], "I build bridges that last.");
        assert_eq!(profile["followers"], "1,234");
        assert_eq!(profile["connections"], "500+");
        let first = json!({"title": "Engineer", "company": "Bridges AG", "duration": "2020 - now",
            "location": "Bern", "details": "Leads ten people"});
        assert_eq!(profile["experience"][0], first);
        assert_eq!(profile["experience"].as_array().unwrap().len(), 2);
        assert_eq!(profile["education"][0]["degree"], "MSc");
        assert_eq!(profile["skills"], json!(["Statics", "Steel"]));
    }

    #[tokio::test]
    async fn what_a_page_does_not_have_is_null_or_empty() {
        let form = json!({"html_content": "<p>nothing</p>"});
        let out = data::<LinkedinProfileParser>(form, json!({}), &context()).await;
        let profile = &out["parsed_linkedin_profile"];
        for key in [
            "name",
            "headline",
            "location",
            "about",
            "followers",
            "connections",
        ] {
            assert!(profile[key].is_null(), "{key}");
        }
        for key in [
            "experience",
            "education",
            "skills",
            "certifications",
            "languages",
        ] {
            assert_eq!(profile[key], json!([]), "{key}");
        }
        let none = json!({"html_content": ""});
        let said = refusal::<LinkedinProfileParser>(none, json!({}), &context()).await;
        assert_eq!(said, "HTML content is required");
    }
}
