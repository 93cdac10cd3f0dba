//! Who has the data folder: one process at a time, which says where it listens so that commands find it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Where a server writes down its address.
const NOTE: &str = "server.json";
/// Most bytes of that file.
const NOTE_BYTES: u64 = 4096;

/// Takes a data folder for as long as the file is kept; nothing when another process has it.
pub(super) fn own(data_dir: &Path) -> anyhow::Result<Option<File>> {
    let path = data_dir.join("server.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            // Left over by a process that could not tidy up.
            let _ = std::fs::remove_file(data_dir.join(NOTE));
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e).context("cannot lock the data folder"),
    }
}

/// What the owner of a folder writes down.
#[derive(Debug, Deserialize, Serialize)]
struct Note {
    address: String,
    pid: u32,
}

/// The address in a folder; dropping it takes it away.
pub(super) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Whoever takes the folder next removes it, too.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes down where the owner of a folder listens. A server whose note cannot be written works all the same.
pub(super) fn announce(data_dir: &Path, local: SocketAddr) -> Option<Announced> {
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let note = Note {
        address: format!("http://{}", SocketAddr::new(ip, local.port())),
        pid: std::process::id(),
    };
    let path = data_dir.join(NOTE);
    match write(data_dir, &path, &note) {
        Ok(()) => Some(Announced(path)),
        Err(e) => {
            tracing::warn!(error = %format!("{e:#}"), "the address cannot be written down for commands");
            None
        }
    }
}

/// Nobody sees half of it.
fn write(data_dir: &Path, path: &Path, note: &Note) -> anyhow::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
    serde_json::to_writer(&mut file, note)?;
    file.write_all(b"\n")?;
    file.persist(path)?;
    Ok(())
}

/// Where the owner of a folder listens, if it has said so.
pub(super) fn announced(data_dir: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(data_dir.join(NOTE)).ok()?;
    file.take(NOTE_BYTES).read_to_string(&mut text).ok()?;
    let note: Note = serde_json::from_str(&text).ok()?;
    Some(note.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_and_its_address_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let owner = own(folder.path()).unwrap().expect("nobody has it");
        assert!(own(folder.path()).unwrap().is_none());
        assert_eq!(announced(folder.path()), None);
        let told = announce(folder.path(), "0.0.0.0:81".parse().unwrap());
        assert_eq!(
            announced(folder.path()).as_deref(),
            Some("http://127.0.0.1:81")
        );
        drop(told);
        assert_eq!(announced(folder.path()), None);
        drop(owner);
        std::fs::write(
            folder.path().join(NOTE),
            r#"{"address":"http://[::1]:1","pid":1}"#,
        )
        .unwrap();
        assert!(announced(folder.path()).is_some());
        assert!(own(folder.path()).unwrap().is_some());
        assert_eq!(announced(folder.path()), None, "it was nobody's any more");
    }
}
