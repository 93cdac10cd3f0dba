//! `lib.pymupdf.ExtractText`.

use nodetool_sdk::{DocumentRef, Node, NodeCx, NodeError, Process, Value};

/// Largest file, in bytes.
const MAX_FILE: usize = 256 << 20;

/// Gives the text of some pages of a PDF file.
/// pdf, text, extract, pages, document
///
/// What is only a picture, as in scans, has no text.
#[derive(Node)]
#[node(namespace = "lib.pymupdf", tool)]
pub(super) struct ExtractText {
    /// The PDF file.
    pdf: DocumentRef,
    /// The first page, counted from 0.
    start_page: i64,
    /// The last page; -1 for the last one there is.
    #[prop(default = -1)]
    end_page: i64,
}

impl Process for ExtractText {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let Ok(start) = usize::try_from(self.start_page) else {
            let message = format!("{} (expected 0 or more)", self.start_page);
            return Err(NodeError::bad("start_page", message));
        };
        let end = match (self.end_page, usize::try_from(self.end_page)) {
            (-1, _) => usize::MAX,
            (_, Ok(end)) => end,
            (end, Err(_)) => {
                let message = format!("{end} (expected -1 or more)");
                return Err(NodeError::bad("end_page", message));
            }
        };
        let bad = |message: String| NodeError::bad("pdf", message);
        if self.pdf.is_empty() {
            return Err(bad("is empty (expected a PDF document)".into()));
        }
        let named = |e: NodeError| match e {
            NodeError::Stopped => e,
            e => bad(e.to_string()),
        };
        let file = match self.pdf.get("data") {
            Value::Bytes(file) => file,
            _ => {
                let read = cx.services().assets.read(&self.pdf.0).await;
                read.map_err(named)?
            }
        };
        if file.len() > MAX_FILE {
            let size = file.len();
            return Err(bad(format!("{size} bytes (expected at most {MAX_FILE})")));
        }
        let pages = cx
            .services()
            .documents
            .pdf_pages(file)
            .await
            .map_err(named)?;
        let count = pages.len();
        if start >= count {
            let message = format!("{start} (the document has {count} pages, counted from 0)");
            return Err(NodeError::bad("start_page", message));
        }
        let pages = pages.into_iter().take(end.saturating_add(1)).skip(start);
        Ok(pages.collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Documents, Services};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    struct ThreePages;

    impl Documents for ThreePages {
        fn pdf_pages<'a>(&'a self, _: Bytes) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
            let pages = ["one", "two", "three"].map(str::to_owned).to_vec();
            Box::pin(async move { Ok(pages) })
        }
    }

    async fn text(start: i64, end: i64) -> Result<Value, NodeError> {
        let services = Services {
            documents: Arc::new(ThreePages),
            ..Services::none()
        };
        let data = Bytes::from_static(b"%PDF-1.4");
        let pdf = Value::map([("type", "document".into()), ("data", data.into())]);
        let case = case::<ExtractText>()
            .set("pdf", pdf)
            .set("start_page", start);
        let case = case.set("end_page", end);
        case.within(context_with(services, None)).value().await
    }

    #[tokio::test]
    async fn pages_are_counted_from_zero_and_the_last_is_part_of_them() {
        for (start, end, want) in [
            (0, -1, "one\ntwo\nthree"),
            (1, 1, "two"),
            (0, 1, "one\ntwo"),
            (1, 99, "two\nthree"),
            (2, 1, ""),
        ] {
            assert_eq!(
                text(start, end).await.unwrap(),
                want.into(),
                "{start}..{end}"
            );
        }
    }

    #[tokio::test]
    async fn pages_that_are_not_there_and_a_missing_file_are_named() {
        for (start, end, name) in [
            (3, -1, "`start_page`"),
            (-1, -1, "`start_page`"),
            (0, -2, "`end_page`"),
        ] {
            let refused = text(start, end).await.unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
        let refused = case::<ExtractText>().run().await.unwrap_err().to_string();
        assert!(refused.contains("`pdf`: is empty"), "{refused}");
    }
}
