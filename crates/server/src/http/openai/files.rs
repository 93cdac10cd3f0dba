//! Files a model made, in the places clients look for them.

use nodetool_protocol::encode_data_uri;
use nodetool_sdk::models::{Media, MediaSource};
use serde_json::{Value, json};

/// Where a file is: its own address, or itself as a data URI.
fn uri(file: &Media) -> String {
    match &file.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Bytes(bytes) => {
            let mime = match file.mime.is_empty() {
                true => "application/octet-stream",
                false => &file.mime,
            };
            encode_data_uri(mime, bytes)
        }
    }
}

/// A picture as an entry of `images`; nothing for other files.
pub(super) fn image(file: &Media, index: usize) -> Option<Value> {
    file.mime
        .starts_with("image/")
        .then(|| json!({ "type": "image_url", "index": index, "image_url": { "url": uri(file) } }))
}

/// A file as a link in the text.
pub(super) fn link(file: &Media) -> String {
    let name = file.name.as_deref().unwrap_or("file");
    let name = name.replace(['[', ']', '\n'], "_");
    format!("[{name}]({})", uri(file))
}
