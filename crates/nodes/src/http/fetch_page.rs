//! `lib.http.FetchPage`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

use super::exchange::{Exchange, text_of};

/// Fetches the HTML of a web page.
/// http, page, html, website, browser, scrape
///
/// The page comes as the server sent it: its scripts are not run. A failure does not end the run; it is told on
/// `error_message`.
#[derive(Node)]
#[node(namespace = "lib.http", tool, uncached)]
pub(super) struct FetchPage {
    /// Where the page is.
    url: String,
    /// Most seconds to wait for it.
    #[prop(default = 10)]
    wait_time: i64,
}

/// A page, or why there is none.
#[derive(Outputs)]
pub(super) struct Fetched {
    html: String,
    success: bool,
    error_message: Option<String>,
}

impl Process for FetchPage {
    type Output = Fetched;

    async fn process(self, cx: &NodeCx) -> Result<Fetched, NodeError> {
        if self.wait_time < 1 {
            let message = format!("{} (expected at least 1 second)", self.wait_time);
            return Err(NodeError::bad("wait_time", message));
        }
        let request = Exchange::new("GET", &self.url)?
            .header(
                "accept",
                "text/html, application/xhtml+xml;q=0.9, */*;q=0.8",
            )
            .within(self.wait_time as f64);
        Ok(match request.send_ok(cx).await {
            Ok(response) => Fetched {
                html: text_of(&response),
                success: true,
                error_message: None,
            },
            Err(NodeError::Stopped) => return Err(NodeError::Stopped),
            Err(e) => Fetched {
                html: String::new(),
                success: false,
                error_message: Some(e.to_string()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn a_failure_is_an_output_and_a_page_is_text() {
        let net = Net::new(|r| {
            assert_eq!(r.timeout_s, Some(10.0));
            let status = if r.url.ends_with("bad") { 500 } else { 200 };
            Ok(answer(status, ("a", "b"), b"<p>"))
        });
        let run = |url: &str| {
            case::<FetchPage>()
                .set("url", url)
                .within(net.cx(None))
                .run()
        };
        let good = run("https://x.org/").await.unwrap().remove(0);
        assert_eq!(
            (&good["html"], &good["success"]),
            (&"<p>".into(), &true.into())
        );
        assert_eq!(good["error_message"], Value::Null);
        let bad = run("https://x.org/bad").await.unwrap().remove(0);
        assert_eq!(bad["success"], false.into());
        assert!(bad["error_message"].as_str().unwrap().contains("500"));
    }
}
