//! The pages of documents as nodes see them.

use bytes::Bytes;
use nodetool_sdk::services::Documents;
use nodetool_sdk::{BoxFuture, NodeError};
use tokio::sync::Semaphore;

use super::reading;

/// How many documents are read for nodes at a time.
static READERS: Semaphore = Semaphore::const_new(4);

/// Reads documents for nodes.
pub(crate) struct DocumentPages;

impl Documents for DocumentPages {
    fn pdf_pages<'a>(&'a self, file: Bytes) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        Box::pin(async move {
            let turn = READERS.acquire().await.map_err(|_| NodeError::Stopped)?;
            let reading = move || {
                // Given back by the reader itself: one that is not waited for any more still takes its core.
                let _turn = turn;
                reading::pdf_pages(&file)
            };
            match tokio::task::spawn_blocking(reading).await {
                Ok(pages) => pages.map_err(|e| NodeError::new(e.to_string())),
                Err(_) => Err(NodeError::Stopped),
            }
        })
    }
}
