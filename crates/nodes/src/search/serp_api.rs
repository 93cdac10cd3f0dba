//! One question to SerpAPI, which asks the search engines.
//!
//! It must not know what the engines answer. The key goes along in the address, so no message repeats the address.

use nodetool_sdk::services::HttpRequest;
use nodetool_sdk::{NodeCx, NodeError, Value};
use url::Url;

/// The secret the key is kept under.
pub(super) const KEY: &str = "SERPAPI_API_KEY";
/// Where the service is.
const PLACE: &str = "https://serpapi.com/search.json";
/// Seconds an engine may take.
const SECONDS: f64 = 60.0;
/// Most characters of what is looked for.
const MAX_TEXT: usize = 2_000;
/// Most results of one question.
const MAX_RESULTS: i64 = 100;
/// Characters of what the service says went wrong.
const MAX_SAID: usize = 300;
/// What it says when an engine found nothing, which is an answer.
const NOTHING_FOUND: &str = "hasn't returned any results";

/// A question to one engine.
#[derive(Debug)]
pub(super) struct Question {
    fields: Vec<(&'static str, String)>,
}

impl Question {
    /// A question to an engine, by SerpAPI's name for it.
    pub(super) fn to(engine: &'static str) -> Self {
        Question {
            fields: vec![("engine", engine.to_owned())],
        }
    }

    /// With a text, unless it is empty.
    pub(super) fn with(mut self, name: &'static str, text: &str) -> Self {
        let text = text.trim();
        if !text.is_empty() {
            self.fields.push((name, text.to_owned()));
        }
        self
    }

    /// With a number.
    pub(super) fn number(mut self, name: &'static str, number: i64) -> Self {
        self.fields.push((name, number.to_string()));
        self
    }

    /// With a number, unless it is the one that stands for any.
    pub(super) fn number_unless(self, name: &'static str, number: i64, any: i64) -> Self {
        match number == any {
            true => self,
            false => self.number(name, number),
        }
    }

    /// The engine's answer; an empty one when it found nothing.
    pub(super) async fn ask(self, cx: &NodeCx) -> Result<Value, NodeError> {
        let Some(key) = key(cx).await? else {
            let message = format!(
                "Searching needs the secret {KEY}, which is not set (expected a key of serpapi.com)"
            );
            return Err(NodeError::new(message));
        };
        let mut url = Url::parse(PLACE).map_err(|e| NodeError::new(e.to_string()))?;
        url.query_pairs_mut()
            .extend_pairs(&self.fields)
            .append_pair("api_key", &key);
        let request = HttpRequest {
            method: "GET".into(),
            url: url.into(),
            headers: vec![("accept".into(), "application/json".into())],
            body: None,
            timeout_s: Some(SECONDS),
        };
        let response = cx.services().http.send(request).await?;
        let status = response.status;
        let body: Result<Value, _> = serde_json::from_slice(&response.body);
        let said = body
            .as_ref()
            .ok()
            .and_then(|b| b.get("error")?.as_str().map(|s| s.replace(&key, "…")));
        match (body, said) {
            (_, Some(said)) if said.contains(NOTHING_FOUND) => Ok(Value::map::<&str>([])),
            (_, Some(said)) => {
                let said: String = said.chars().take(MAX_SAID).collect();
                Err(NodeError::new(format!("The search failed: {said}")))
            }
            (Ok(body @ Value::Map(_)), None) if (200..300).contains(&status) => Ok(body),
            _ => Err(NodeError::new(format!(
                "The search answered with status {status} and no results (expected JSON)"
            ))),
        }
    }
}

/// The user's key.
pub(super) async fn key(cx: &NodeCx) -> Result<Option<String>, NodeError> {
    let key = cx.services().secrets.get(KEY).await?;
    let key = key.map(|key| key.trim().to_owned());
    Ok(key.filter(|key| !key.is_empty()))
}

/// A text that has to be there.
pub(super) fn required<'a>(
    property: &str,
    text: &'a str,
    what: &str,
) -> Result<&'a str, NodeError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NodeError::bad(
            property,
            format!("is empty (expected {what})"),
        ));
    }
    bounded(property, text)
}

/// A text that is not too long to send.
pub(super) fn bounded<'a>(property: &str, text: &'a str) -> Result<&'a str, NodeError> {
    let length = text.chars().count();
    if length > MAX_TEXT {
        let message = format!("{length} characters (expected at most {MAX_TEXT})");
        return Err(NodeError::bad(property, message));
    }
    Ok(text)
}

/// How many results are wanted.
pub(super) fn count(num_results: i64) -> Result<usize, NodeError> {
    if num_results < 1 {
        let message = format!("{num_results} (expected 1 to {MAX_RESULTS})");
        return Err(NodeError::bad("num_results", message));
    }
    Ok(usize::try_from(num_results.min(MAX_RESULTS)).unwrap_or(1))
}

/// The public address of a picture to look for.
pub(super) fn picture_address<'a>(property: &str, text: &'a str) -> Result<&'a str, NodeError> {
    let text = required(property, text, "the address of a picture")?;
    let fits = |url: Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
    match Url::parse(text).is_ok_and(fits) {
        true => Ok(text),
        false => Err(NodeError::bad(
            property,
            "is no public address (expected one such as https://example.com/picture.jpg)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::NodeCx;

    use super::super::testing::{Engine, without_key};
    use super::*;

    async fn asked(cx: &NodeCx) -> Result<Value, NodeError> {
        let question = Question::to("google").with("q", "a & b").with("gl", " ");
        question.number_unless("stops", 0, 0).ask(cx).await
    }

    #[tokio::test]
    async fn a_question_goes_to_the_engine_with_the_key_and_without_what_is_empty() {
        let engine = Engine::saying(200, r#"{"organic_results":[]}"#);
        asked(&engine.cx()).await.unwrap();
        let want = "https://serpapi.com/search.json?engine=google&q=a+%26+b&api_key=k3y";
        assert_eq!(engine.asked(), [want]);
    }

    #[tokio::test]
    async fn failures_are_told_in_the_words_of_the_service_and_without_the_key() {
        for (status, body, said) in [
            (
                401,
                r#"{"error":"Invalid API key: k3y"}"#,
                "Invalid API key: …",
            ),
            (200, r#"{"error":"Unsupported value"}"#, "Unsupported value"),
            (502, "<html>", "status 502"),
            (200, "[]", "no results"),
        ] {
            let engine = Engine::saying(status, body);
            let failed = asked(&engine.cx()).await.unwrap_err().to_string();
            assert!(failed.contains(said), "{failed}");
            assert!(!failed.contains("k3y"), "{failed}");
        }
        let none = r#"{"error":"Google hasn't returned any results for this query."}"#;
        let empty = asked(&Engine::saying(200, none).cx()).await.unwrap();
        assert_eq!(empty, Value::map::<&str>([]));
        let failed = asked(&without_key()).await.unwrap_err().to_string();
        assert!(failed.contains("SERPAPI_API_KEY"), "{failed}");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_by_name() {
        for refused in [
            required("query", " ", "what to look for").map(|_| ()),
            required("query", &"x".repeat(2_001), "a text").map(|_| ()),
            picture_address("query", "file:///etc/passwd").map(|_| ()),
        ] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("`query`"), "{refused}");
        }
        assert!(count(0).is_err());
        assert_eq!(count(1_000_000).unwrap(), 100);
    }
}
