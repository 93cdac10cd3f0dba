//! The text of a document and the name its pieces carry. It must not know how it is cut.

use nodetool_sdk::{DocumentRef, Emitter, NodeCx, NodeError, Value};

use super::Piece;

/// Largest document, in bytes.
const MAX_DOCUMENT: usize = 64 << 20;

/// A document that was read.
pub(super) struct Source {
    pub(super) text: String,
    /// Its address, or the id of its asset.
    pub(super) id: String,
}

impl Source {
    /// Reads a document: its own data, or those of the asset it names.
    pub(super) async fn read(cx: &NodeCx, document: &DocumentRef) -> Result<Self, NodeError> {
        let bad = |message: String| NodeError::bad("document", message);
        if document.is_empty() {
            return Err(bad("is empty (expected a document)".into()));
        }
        let data = match document.get("data") {
            Value::Bytes(data) => data,
            _ => cx.services().assets.read(&document.0).await?,
        };
        if data.len() > MAX_DOCUMENT {
            return Err(bad(format!(
                "has {} bytes (expected at most {MAX_DOCUMENT})",
                data.len()
            )));
        }
        let text = String::from_utf8(data.into())
            .map_err(|e| bad(format!("is no UTF-8 text: {}", e.utf8_error())))?;
        let id = match document.text("uri") {
            "" => document.text("asset_id"),
            uri => uri,
        };
        Ok(Source {
            id: id.to_owned(),
            text: match text.strip_prefix('\u{feff}') {
                Some(text) => text.to_owned(),
                None => text,
            },
        })
    }
}

/// Emits texts one after the other; each begins where the characters of those before, and a line end each, are over.
pub(super) async fn emit_in_row(
    out: &Emitter<'_, Piece>,
    id: &str,
    texts: Vec<String>,
) -> Result<(), NodeError> {
    let mut start = 0;
    for text in texts {
        let length = text.chars().count() as i64 + 1;
        out.emit(Piece {
            text,
            source_id: id.to_owned(),
            start_index: start,
        })
        .await?;
        start += length;
    }
    Ok(())
}
