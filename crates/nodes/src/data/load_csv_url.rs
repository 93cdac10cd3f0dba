//! `nodetool.data.LoadCSVURL`.

use nodetool_sdk::services::HttpRequest;
use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::table::written;
use super::{csv, work};

/// Fetches a CSV file from the web and reads it as a table.
/// csv, url, web, download, dataframe
#[derive(Node)]
#[node(namespace = "nodetool.data", tool, uncached)]
pub(super) struct LoadCSVURL {
    /// Address of the file.
    url: String,
}

impl Process for LoadCSVURL {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let bad = |e: String| NodeError::bad("url", e);
        if self.url.trim().is_empty() {
            return Err(bad("empty (expected the address of a CSV file)".into()));
        }
        let request = HttpRequest {
            method: "GET".into(),
            url: self.url.trim().into(),
            headers: Vec::new(),
            body: None,
            timeout_s: None,
        };
        let response = cx.services().http.send(request).await?;
        if !(200..300).contains(&response.status) {
            return Err(bad(format!(
                "the server answered with status {} (expected a CSV file)",
                response.status
            )));
        }
        work::run(response.body.len() / 4, move |_| {
            Ok(written(csv::read_bytes(&response.body).map_err(bad)?))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Http, HttpResponse, Services};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    struct Web;

    impl Http for Web {
        fn send<'a>(
            &'a self,
            request: HttpRequest,
        ) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
            Box::pin(async move {
                Ok(HttpResponse {
                    status: if request.url.ends_with(".csv") {
                        200
                    } else {
                        404
                    },
                    headers: Vec::new(),
                    body: "a\n1\n".into(),
                    url: request.url,
                })
            })
        }
    }

    #[tokio::test]
    async fn the_answer_is_read_and_a_refusal_is_an_error() {
        let run = |url: &str| {
            let services = Services {
                http: Arc::new(Web),
                ..Services::none()
            };
            case::<LoadCSVURL>()
                .set("url", url)
                .within(context_with(services, None))
                .value()
        };
        let out = run("http://example.com/t.csv").await.unwrap();
        assert_eq!(format!("{:?}", out.get("data").unwrap()), "[[1]]");
        let e = run("http://example.com/x").await.unwrap_err().to_string();
        assert!(e.contains("status 404"), "{e}");
    }
}
