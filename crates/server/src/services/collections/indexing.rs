//! Files put into collections: kept under a made-up name, read, cut into pieces, each piece a document.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use nodetool_protocol::{Map, Value};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::chunks::{Size, chunks};
use super::embedding::blocking;
use super::reading::{self, Section};
use super::{CollectionError, CollectionService, PutDocument, ReadError};
use crate::services::Caller;

/// Largest file, in bytes.
pub(crate) const MAX_FILE: u64 = 64 << 20;

/// How long a file waits for its turn, and how long it may take to be read.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes beyond the limit that are still read, so that their sender gets to see the refusal.
const DISCARDED: u64 = 64 << 20;

/// Longest name of a file that is kept, in bytes.
const MAX_NAME: usize = 255;

/// A file that waits to be read. It has a name of its own and is gone when this is dropped.
pub(crate) struct Received {
    file: NamedTempFile,
    /// What its sender calls it, without folders.
    pub(crate) name: String,
}

impl Received {
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// The last part of what a sender calls a file, with either kind of separator; never empty and never a folder.
pub(crate) fn base_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim();
    match plain {
        "" | "." | ".." => "file".to_owned(),
        name => name
            .get(..name.floor_char_boundary(MAX_NAME))
            .unwrap_or(name)
            .to_owned(),
    }
}

impl CollectionService {
    /// Keeps a file as it comes. `None` when it has more than `most` bytes.
    pub(crate) async fn receive(
        &self,
        given: &str,
        most: u64,
        mut pieces: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<Option<Received>, CollectionError> {
        let file = blocking(NamedTempFile::new).await?;
        let file = file.map_err(CollectionError::Scratch)?;
        let handle = file.reopen().map_err(CollectionError::Scratch)?;
        let mut writer = tokio::fs::File::from_std(handle);
        let mut size = 0u64;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(CollectionError::Upload)?;
            size += piece.len() as u64;
            if size > most.saturating_add(DISCARDED) {
                break;
            }
            if size <= most {
                let written = writer.write_all(&piece).await;
                written.map_err(CollectionError::Scratch)?;
            }
        }
        if size > most {
            return Ok(None);
        }
        writer.flush().await.map_err(CollectionError::Scratch)?;
        let name = base_name(given);
        Ok(Some(Received { file, name }))
    }

    /// Puts a file in, in the place of what came from one of that name before; gives how many documents it became.
    pub(crate) async fn index(
        &self,
        caller: &Caller,
        collection: &str,
        file: &Received,
    ) -> Result<usize, CollectionError> {
        self.row(caller, collection).await?;
        let turn = tokio::time::timeout(PATIENCE, self.0.readers.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| CollectionError::Busy)?;
        let turn = turn.map_err(|_| CollectionError::ShuttingDown)?;
        let (path, name) = (file.path().to_owned(), file.name.clone());
        let reading = blocking(move || {
            let bytes = std::fs::read(path).map_err(CollectionError::Scratch)?;
            let sections = reading::read(&name, &bytes)?;
            // Given back by the reader itself: one that is not waited for any more still takes its core.
            drop(turn);
            Ok::<_, CollectionError>(documents(&name, &sections))
        });
        let documents = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(documents) => documents??,
            Err(_) => return Err(ReadError::TooSlow(file.name.clone()).into()),
        };
        if documents.is_empty() {
            return Err(ReadError::Empty(file.name.clone()).into());
        }
        let count = documents.len();
        let source = Some(file.name.clone());
        self.put(caller, collection, documents, source).await?;
        Ok(count)
    }
}

/// The pieces of a file as documents.
fn documents(name: &str, sections: &[Section]) -> Vec<PutDocument> {
    let mut documents = Vec::new();
    for section in sections {
        for piece in chunks(&section.text, Size::default()) {
            let Some(text) = section.text.get(piece) else {
                continue;
            };
            let chunk = documents.len();
            let mut metadata = Map::new();
            metadata.insert("source".into(), name.into());
            if let Some(page) = section.page {
                metadata.insert("page".into(), number(page));
            }
            metadata.insert("chunk".into(), number(chunk));
            documents.push(PutDocument {
                text: text.to_owned(),
                metadata,
                ..PutDocument::default()
            });
        }
    }
    documents
}

fn number(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_of_a_name_is_kept() {
        for (given, expected) in [
            ("../../p", "p"),
            ("/etc/passwd", "passwd"),
            ("C:\\a\\b.txt", "b.txt"),
            ("a/..", "file"),
            ("", "file"),
            ("x\0\n.md", "x.md"),
            ("übung.pdf", "übung.pdf"),
        ] {
            assert_eq!(base_name(given), expected, "{given:?}");
        }
        assert!(base_name(&"ü".repeat(400)).len() <= MAX_NAME);
    }

    #[test]
    fn pieces_say_where_they_come_from() {
        let section = |page, text: &str| Section {
            page: Some(page),
            text: text.to_owned(),
        };
        let made = documents(
            "a.pdf",
            &[section(1, "one"), section(2, " "), section(3, "three")],
        );
        let told: Vec<_> = made
            .iter()
            .map(|d| (&*d.text, d.metadata["page"].as_i64()))
            .collect();
        assert_eq!(told, [("one", Some(1)), ("three", Some(3))]);
        assert_eq!(made[1].metadata["chunk"], Value::Int(1));
        assert_eq!(made[1].metadata["source"], "a.pdf".into());
    }
}
