//! Where in an output its files and words are. Every model has its own form of it.

use nodetool_sdk::models::{ModelError, Transcript};
use serde_json::Value;

use crate::Account;

/// Most files of one prediction.
const MOST: usize = 64;

/// The addresses of the files.
pub(super) fn files(account: &Account, output: &Value) -> Result<Vec<String>, ModelError> {
    let candidates: Vec<&Value> = match output {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        other => vec![other],
    };
    let addresses = candidates.into_iter().filter_map(|candidate| {
        let text = candidate.as_str().or_else(|| candidate["url"].as_str())?;
        let is_address = ["https://", "http://", "data:"]
            .iter()
            .any(|start| text.starts_with(start));
        is_address.then(|| text.to_owned())
    });
    let addresses: Vec<String> = addresses.take(MOST).collect();
    match addresses.is_empty() {
        true => Err(account.nonsense("an output without a file")),
        false => Ok(addresses),
    }
}

/// The address of the only file that matters.
pub(super) fn file(account: &Account, output: &Value) -> Result<String, ModelError> {
    // Serde's maps are sorted, so that an output of several named files gives the same one each time.
    Ok(files(account, output)?.swap_remove(0))
}

/// What was said.
pub(super) fn transcript(account: &Account, output: &Value) -> Result<Transcript, ModelError> {
    let joined = |pieces: &[Value], key: Option<&str>| {
        let pieces = pieces
            .iter()
            .map(|piece| key.map_or(piece, |key| &piece[key]).as_str());
        pieces.collect::<Option<String>>()
    };
    let text = match output {
        Value::String(text) => Some(text.clone()),
        Value::Array(pieces) => joined(pieces, None),
        output => {
            let whole = output["text"]
                .as_str()
                .or_else(|| output["transcription"].as_str());
            let segments = output["segments"].as_array();
            whole
                .map(str::to_owned)
                .or_else(|| joined(segments?, Some("text")))
        }
    };
    let text = text.ok_or_else(|| account.nonsense("an output without words"))?;
    let language = output["detected_language"]
        .as_str()
        .or_else(|| output["language"].as_str());
    Ok(Transcript {
        text: text.trim().to_owned(),
        language: language.map(str::to_owned),
        ..Transcript::default()
    })
}
