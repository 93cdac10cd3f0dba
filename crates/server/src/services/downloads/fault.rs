//! Why downloads fail.

use super::PER_USER;
use super::hub::HubError;
use super::names::NameError;

/// Why a download failed or cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Something went wrong with one file.
    #[error("{path}: {cause}")]
    File {
        path: String,
        cause: Box<DownloadError>,
    },
    #[error("no file of the repository fits the patterns")]
    NothingFits,
    #[error(
        "the disk has too little room: {missing} bytes are missing, {free} are free, of which {kept} stay free"
    )]
    NoRoom { missing: u64, free: u64, kept: u64 },
    #[error("the checksum is wrong: expected {expected}, got {got}")]
    Checksum { expected: String, got: String },
    #[error("the cache cannot be written: {}", .0.kind())]
    Disk(#[source] std::io::Error),
    #[error("too many downloads at once; at most {PER_USER} may wait")]
    TooMany,
    #[error("the server is shutting down; the download goes on when it is started again")]
    Stopping,
    #[error("a fault of the server")]
    Internal,
}

impl DownloadError {
    /// The same, of one file.
    pub(super) fn about(self, path: &str) -> Self {
        DownloadError::File {
            path: path.to_owned(),
            cause: Box::new(self),
        }
    }
}
