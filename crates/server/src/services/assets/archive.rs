//! A ZIP archive of assets, written while it is sent: nothing of it is ever held as a whole.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use nodetool_store::{BlobKey, Blobs, PlacedAsset};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::content_types::{bare, extension_of};

/// Bytes of a piece that is handed over.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the receiver.
const AHEAD: usize = 4;
/// How long the receiver may keep the archive waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest part of a path, in bytes.
const MAX_PART: usize = 200;

/// An archive on its way; dropping it ends the writing.
pub(crate) struct Archive {
    pieces: Receiver<io::Result<Bytes>>,
    _writing: JoinHandle<()>,
}

impl Archive {
    /// The next bytes; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.pieces.recv().await
    }

    /// Begins to write the given assets.
    pub(super) fn write(
        assets: Vec<PlacedAsset>,
        files: Blobs,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (tx, pieces) = channel(AHEAD);
        let runtime = Handle::current();
        let writing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let pipe = Pipe {
                buffer: Vec::with_capacity(PIECE),
                tx: tx.clone(),
                runtime: runtime.clone(),
            };
            if let Err(e) = write_all(pipe, &assets, &files, &runtime)
                && !tx.is_closed()
            {
                tracing::warn!(error = %e, "an archive could not be written to its end");
                // The receiver is told that what it has is not all.
                let _ = tx.try_send(Err(e));
            }
        });
        Archive {
            pieces,
            _writing: writing,
        }
    }
}

fn write_all(
    pipe: Pipe,
    assets: &[PlacedAsset],
    files: &Blobs,
    runtime: &Handle,
) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(pipe);
    let mut names = Names::default();
    for placed in assets.iter().filter(|placed| !placed.row.is_folder()) {
        let Ok(key) = BlobKey::parse(&placed.row.file_id) else {
            continue;
        };
        let blob = runtime.block_on(files.open_blob(&key));
        let Some(blob) = blob.map_err(io::Error::other)? else {
            continue;
        };
        let options = SimpleFileOptions::default()
            .compression_method(method(&placed.row.content_type))
            .large_file(blob.info().size >= u64::from(u32::MAX));
        zip.start_file(names.path(placed), options)?;
        let mut reader = blob.read_all();
        while let Some(piece) = runtime.block_on(reader.next()).map_err(io::Error::other)? {
            zip.write_all(&piece)?;
        }
    }
    zip.finish()?.into_inner().flush()
}

/// Media is packed already; text is worth it.
fn method(content_type: &str) -> CompressionMethod {
    let bare = bare(content_type);
    if bare.starts_with("text/") || bare.ends_with("json") || bare.ends_with("xml") {
        CompressionMethod::Deflated
    } else {
        CompressionMethod::Stored
    }
}

/// Hands bytes from the writing thread to the receiver and waits when that is behind.
struct Pipe {
    buffer: Vec<u8>,
    tx: Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Write for Pipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        let length = data.len().min(PIECE);
        self.buffer.extend_from_slice(&data[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let sending = self.tx.send_timeout(Ok(piece.into()), PATIENCE);
        self.runtime.block_on(sending).map_err(|e| match e {
            mpsc::error::SendTimeoutError::Timeout(_) => io::ErrorKind::TimedOut.into(),
            mpsc::error::SendTimeoutError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
        })
    }
}

/// Gives every file of an archive a path of its own that stays inside.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn path(&mut self, placed: &PlacedAsset) -> String {
        let folders = placed.folders.iter().map(|name| plain(name));
        let folder: String = folders.map(|name| name + "/").collect();
        let name = plain(&placed.row.name);
        let ending = extension_of(&placed.row.content_type);
        let ending_there = name.to_ascii_lowercase().ends_with(&format!(".{ending}"));
        let (stem, ending) = match name.rsplit_once('.') {
            Some((stem, own)) if ending_there && !stem.is_empty() => (stem, own),
            _ => (name.as_str(), ending),
        };
        let mut path = format!("{folder}{stem}.{ending}");
        let mut number = 0u32;
        // Some file systems know no difference of case.
        while !self.0.insert(path.to_lowercase()) {
            number += 1;
            path = format!("{folder}{stem}_{number}.{ending}");
        }
        path
    }
}

/// A name as one part of a path.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.trim().chars() {
        let c = match c {
            '/' | '\\' | ':' => '_',
            c if c.is_control() => '_',
            c => c,
        };
        if plain.len() + c.len_utf8() > MAX_PART {
            break;
        }
        plain.push(c);
    }
    if plain.is_empty() || plain.chars().all(|c| c == '.') {
        return "_".repeat(plain.len().max(1));
    }
    plain
}

#[cfg(test)]
mod tests {
    use nodetool_store::AssetRow;

    use super::*;

    fn placed(folders: &[&str], name: &str) -> PlacedAsset {
        PlacedAsset {
            row: AssetRow {
                name: name.into(),
                content_type: "image/png".into(),
                ..AssetRow::default()
            },
            folders: folders.iter().map(|f| (*f).to_owned()).collect(),
        }
    }

    #[test]
    fn case_57_files_get_paths_of_their_own_inside_the_archive() {
        let mut names = Names::default();
        for (folders, name, path) in [
            (&["A"][..], "cat", "A/cat.png"),
            (&["A"], "cat.png", "A/cat_1.png"),
            (&["A"], "CAT.PNG", "A/CAT_2.PNG"),
            (&[], "cat.jpg", "cat.jpg.png"),
            (
                &["..", "a/b"],
                "../../etc/passwd",
                "__/a_b/.._.._etc_passwd.png",
            ),
            (&[], "x\0\n\\y", "x___y.png"),
            (&[], "", "_.png"),
            (&[], ".png", ".png.png"),
        ] {
            assert_eq!(names.path(&placed(folders, name)), path);
        }
    }
}
