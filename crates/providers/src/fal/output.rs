//! Where in a result its files and words are.

use nodetool_sdk::models::{ModelError, ModelErrorKind, Transcript};
use serde_json::Value;

use crate::Account;

/// Most pictures of one job.
const MOST: usize = 64;

/// The addresses of the pictures.
pub(super) fn pictures(account: &Account, output: &Value) -> Result<Vec<String>, ModelError> {
    let flags = output["has_nsfw_concepts"].as_array();
    if flags.is_some_and(|flags| !flags.is_empty() && flags.iter().all(|flag| *flag == true)) {
        let message = "fal withheld the picture: its safety checker was set off";
        return Err(account.error(ModelErrorKind::Refused, message));
    }
    let found = match &output["images"] {
        Value::Array(images) => images.iter().take(MOST).filter_map(address).collect(),
        _ => Vec::from_iter(address(&output["image"])),
    };
    match found.is_empty() {
        true => Err(missing(account, "a picture", output)),
        false => Ok(found),
    }
}

/// The address of the film.
pub(super) fn film(account: &Account, output: &Value) -> Result<String, ModelError> {
    let found = address(&output["video"]).or_else(|| address(&output["videos"][0]));
    found.ok_or_else(|| missing(account, "a film", output))
}

/// The address of the sound.
pub(super) fn sound(account: &Account, output: &Value) -> Result<String, ModelError> {
    let places = ["audio", "audio_url", "audio_file"];
    let found = places.iter().find_map(|place| address(&output[*place]));
    found.ok_or_else(|| missing(account, "a sound", output))
}

/// What was said.
pub(super) fn transcript(account: &Account, output: &Value) -> Result<Transcript, ModelError> {
    let text = output["text"]
        .as_str()
        .ok_or_else(|| missing(account, "a `text`", output))?;
    let language = output["inferred_languages"][0]
        .as_str()
        .or_else(|| output["language"].as_str());
    Ok(Transcript {
        text: text.trim().to_owned(),
        language: language.map(str::to_owned),
        ..Transcript::default()
    })
}

/// A file is an address, or an object with one.
fn address(file: &Value) -> Option<String> {
    let url = file.as_str().or_else(|| file["url"].as_str())?;
    Some(url.to_owned())
}

fn missing(account: &Account, what: &str, output: &Value) -> ModelError {
    let keys = output
        .as_object()
        .map(|object| object.keys().take(20).cloned().collect::<Vec<_>>());
    let keys: String = keys
        .unwrap_or_default()
        .join(", ")
        .chars()
        .take(400)
        .collect();
    account.nonsense(format_args!("a result without {what}; it has [{keys}]"))
}
