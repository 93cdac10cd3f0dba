//! `lib.http.FilterValidURLs`.

use futures_util::{StreamExt, stream};
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::exchange::{Exchange, check_batch, concurrency, is_good};

/// Keeps the URLs that answer.
/// http, urls, check, filter, broken, links
///
/// Each one gets a HEAD request; those that answer with a success or a redirect stay, in their order.
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "Filter Valid URLs",
    basic("url"),
    uncached
)]
pub(super) struct FilterValidURLs {
    /// Not used.
    #[expect(
        dead_code,
        reason = "declared by the published node, which does not read it either"
    )]
    url: String,
    /// What to check.
    urls: Vec<String>,
    /// Most requests at a time.
    #[prop(default = 10)]
    max_concurrent_requests: i64,
}

impl Process for FilterValidURLs {
    type Output = Vec<String>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<String>, NodeError> {
        check_batch(&self.urls, "urls")?;
        let at_once = concurrency(self.max_concurrent_requests, "max_concurrent_requests")?;
        let answers = stream::iter(self.urls).map(|url| async move {
            let request = Exchange::new("HEAD", &url).ok()?;
            let response = request.send(cx).await.ok()?;
            is_good(response.status).then_some(url)
        });
        let kept = answers.buffered(at_once).filter_map(std::future::ready);
        Ok(kept.collect().await)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn what_answers_well_stays_in_order() {
        let net = Net::new(|r| match r.url.as_str() {
            "https://x.org/404" => Ok(answer(404, ("a", "b"), b"")),
            "https://x.org/304" => Ok(answer(304, ("a", "b"), b"")),
            "https://x.org/err" => Err(NodeError::new("no")),
            _ => Ok(answer(200, ("a", "b"), b"")),
        });
        let urls = [
            "https://x.org/1",
            "https://x.org/404",
            "",
            "https://x.org/err",
            "https://x.org/304",
        ];
        let run = case::<FilterValidURLs>()
            .set("urls", Value::list(urls.map(Value::from)))
            .within(net.cx(None));
        let expected = Value::list(["https://x.org/1".into(), "https://x.org/304".into()]);
        assert_eq!(run.value().await.unwrap(), expected);
        assert!(net.seen.lock().unwrap().iter().all(|r| r.method == "HEAD"));
    }
}
