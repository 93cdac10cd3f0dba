//! Sound files as the speech the server speaks of. It must not know where they come from.

use bytes::Bytes;
use futures_util::stream;
use nodetool_sdk::models::{Media, MediaSource, ModelError, ModelErrorKind, SpeechStream};

use super::wav;
use crate::Account;

/// Bytes of a piece: half a second.
const PIECE: usize = 24_000;

/// A file as pieces of speech. Only WAV is read here; the refusal of others names what came.
pub(crate) async fn of_file(account: &Account, file: &Media) -> Result<SpeechStream, ModelError> {
    let MediaSource::Bytes(bytes) = &file.source else {
        return Err(account.nonsense("speech that was not fetched"));
    };
    let kind = file.mime.as_str();
    if !matches!(kind, "audio/wav" | "audio/x-wav" | "audio/wave") {
        let what = format!(
            "speech as {kind}; only audio/wav can be read, so choose a model or format that gives it"
        );
        return Err(account.nonsense(what));
    }
    let file = bytes.clone();
    // Changing the rate of a long sound would hold up everything else.
    let decoded = tokio::task::spawn_blocking(move || wav::decode(&file)).await;
    let decoded = decoded.map_err(|e| account.error(ModelErrorKind::Internal, e.to_string()))?;
    let speech = decoded.map_err(|why| account.nonsense(format_args!("a WAV file, but {why}")))?;
    let speech = Bytes::from(speech);
    let pieces = (0..speech.len()).step_by(PIECE);
    let pieces: Vec<_> = pieces
        .map(|at| Ok(speech.slice(at..(at + PIECE).min(speech.len()))))
        .collect();
    Ok(Box::pin(stream::iter(pieces)))
}
