//! Loads web pages in a browser and gives their documents.

use nodetool_sdk::browsers::{Page, PageOptions, WaitMode};
use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::browser::{
    PATIENCE, needs_browser, open, session_field, throttle_field, urls, urls_field, wait_field,
};
use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct WebPageLoader;

impl FormStep for WebPageLoader {
    const IDENTIFIER: &'static str = "playwright-web-page-loader";
    const CLASS: &'static str = "WebPageLoader";
    const CATEGORY: &'static str = "Browser";

    fn form() -> Option<FormSpec> {
        let fields: Vec<FieldSpec> = vec![
            urls_field(),
            session_field(),
            wait_field(),
            throttle_field(),
        ];
        Some(FormSpec {
            name: "WebPageLoaderForm",
            fields,
            check: None,
        })
    }

    async fn setup(&mut self, cx: &StepCx) -> Result<(), NodeError> {
        needs_browser(Self::IDENTIFIER, cx)
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let urls = urls(fields, &token.data)?;
        let wait = WaitMode::of(fields.text("wait_mode")).unwrap_or_default();
        let options = PageOptions {
            throttle: fields.flag("respect_domain_throttle"),
            capture: None,
        };
        let mut page = open(Self::IDENTIFIER, fields, options, cx).await?;
        let mut loaded = Vec::with_capacity(urls.len());
        for url in urls {
            let (response, error) = match load(&mut *page, &url, wait).await {
                Ok(html) => (Value::from(html), None),
                Err(NodeError::Stopped) => return Err(NodeError::Stopped),
                Err(e) => (Value::Null, Some(("error", Value::from(e.to_string())))),
            };
            let entry = [("url", Value::from(url)), ("response", response)];
            loaded.push(Value::map(entry.into_iter().chain(error)));
        }
        token.put("webpage_loader", loaded.into());
        Ok(Flow::Go(token))
    }
}

async fn load(page: &mut dyn Page, url: &str, wait: WaitMode) -> Result<String, NodeError> {
    page.goto(url, wait, PATIENCE).await?;
    page.content().await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::browser::fake::Browser;
    use super::super::testing::{context, data};
    use super::*;

    #[tokio::test]
    async fn each_page_has_its_document_or_its_error() {
        let (cx, told) = Browser::default().cx();
        let form = json!({"urls": "https://a.example/\nhttps://down.example/", "session_name": "pool:1",
            "wait_mode": "networkidle", "respect_domain_throttle": true});
        let out = data::<WebPageLoader>(form, json!({}), &cx).await;
        assert_eq!(
            out["webpage_loader"],
            json!([
                {"url": "https://a.example/", "response": "<html>https://a.example/#end</html>"},
                {"url": "https://down.example/", "response": null, "error": "nobody there"},
            ])
        );
        let told = told.lock().unwrap();
        assert_eq!(told[0], "open pool:1 throttle=true");
        assert_eq!(told[1], "goto https://a.example/ NetworkIdle");
    }

    #[tokio::test]
    async fn without_a_browser_it_cannot_be_set_up() {
        let said = WebPageLoader
            .setup(&context())
            .await
            .unwrap_err()
            .to_string();
        let expected = "playwright-web-page-loader needs a browser, which is not available";
        assert_eq!(said, expected);
    }
}
