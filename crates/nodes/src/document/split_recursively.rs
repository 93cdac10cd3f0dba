//! `nodetool.document.SplitRecursively`.

use nodetool_sdk::{DocumentRef, Emitter, Generate, Node, NodeCx, NodeError, Value};

use super::Piece;
use super::pieces::{CharIndex, Cutter};
use super::source::Source;
use crate::bounds::blocking;

/// Cuts a document into pieces of a certain size, at the best places.
/// document, text, split, chunk, pieces, overlap, index
///
/// Cuts at the first separator that occurs, and finer where parts are still too large. Pieces carry the address of the
/// document with their number.
#[derive(Node)]
#[node(namespace = "nodetool.document", kind = Generate)]
pub(super) struct SplitRecursively {
    /// The document.
    document: DocumentRef,
    /// Most characters of a piece.
    #[prop(default = 1000)]
    chunk_size: i64,
    /// Characters that neighbours share.
    #[prop(default = 200)]
    chunk_overlap: i64,
    /// Where to cut, the best first.
    #[prop(default = separators())]
    separators: Vec<String>,
}

impl Generate for SplitRecursively {
    type Output = Piece;

    async fn generate(self, out: &Emitter<'_, Piece>, cx: &NodeCx) -> Result<(), NodeError> {
        let cutter = Cutter::new(self.chunk_size, self.chunk_overlap, self.separators)?;
        let source = Source::read(cx, &self.document).await?;
        let (source, ranges) = blocking(move || {
            let mut ranges = Vec::new();
            cutter.cut(&source.text, 0..source.text.len(), &mut ranges)?;
            Ok((source, ranges))
        })
        .await?;
        let mut index = CharIndex::default();
        for (i, range) in ranges.into_iter().enumerate() {
            out.emit(Piece {
                start_index: index.of(&source.text, range.start),
                text: source.text[range].to_owned(),
                source_id: format!("{}:{i}", source.id),
            })
            .await?;
        }
        Ok(())
    }
}

fn separators() -> Value {
    Value::list(["\n\n", "\n", "."].map(Value::from))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn pieces_know_their_number_and_place() {
        let document = Value::map([
            ("type", Value::from("document")),
            ("uri", "doc.txt".into()),
            (
                "data",
                Value::Bytes("é one.\n\ntwo.".as_bytes().to_vec().into()),
            ),
        ]);
        let pieces = case::<SplitRecursively>()
            .set("document", document)
            .set("chunk_size", 8i64)
            .set("chunk_overlap", 0i64)
            .run()
            .await
            .unwrap();
        let parts: Vec<_> = pieces
            .iter()
            .map(|p| {
                let text = |key: &str| p[key].as_str().unwrap();
                (
                    text("text"),
                    text("source_id"),
                    p["start_index"].as_i64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            parts,
            [("é one.", "doc.txt:0", 0), ("two.", "doc.txt:1", 8)]
        );
    }

    #[tokio::test]
    async fn a_document_that_is_empty_or_no_text_is_refused() {
        let binary = Value::map([
            ("type", Value::from("document")),
            ("data", Value::Bytes(vec![0xff].into())),
        ]);
        for document in [DocumentRef::default().0, binary] {
            let e = case::<SplitRecursively>()
                .set("document", document)
                .run()
                .await;
            assert!(e.unwrap_err().to_string().contains("`document`"));
        }
    }
}
