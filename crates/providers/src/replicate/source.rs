//! How a model gets at contents that are here: small ones inside the request, larger ones as files at Replicate.

use nodetool_sdk::models::{Media, MediaSource, ModelError, ModelErrorKind};
use reqwest::Method;
use reqwest::multipart::{Form, Part};

use crate::Account;
use crate::media::{data_uri, mime};

/// Most bytes that go inside a request.
const MAX_INLINE: usize = 256 << 10;
/// Most bytes of a file at Replicate.
const MAX_FILE: usize = 100 << 20;

/// An address of the contents. `field` names them in messages.
pub(super) async fn address(
    account: &Account,
    media: &Media,
    field: &str,
) -> Result<String, ModelError> {
    let MediaSource::Bytes(bytes) = &media.source else {
        return data_uri::of(account, media, field);
    };
    if bytes.len() <= MAX_INLINE {
        return data_uri::of(account, media, field);
    }
    if bytes.len() > MAX_FILE {
        let message = format!(
            "{field} has {} bytes; replicate takes up to {MAX_FILE}",
            bytes.len()
        );
        let mut error = account.error(ModelErrorKind::BadRequest, message);
        error.param = Some(field.to_owned());
        return Err(error);
    }
    let kind = mime::of(bytes, &media.mime);
    let part = Part::stream_with_length(bytes.clone(), bytes.len() as u64).file_name("source");
    let part = part.mime_str(&kind).map_err(|_| {
        let message = format!("{field} has the content type `{kind}`, which is none");
        account.error(ModelErrorKind::BadRequest, message)
    })?;
    let request = account
        .signed(Method::POST, "files")
        .multipart(Form::new().part("content", part));
    let answer = account.json(request, account.patience.first_byte).await?;
    let address = answer["urls"]["get"].as_str();
    address
        .map(str::to_owned)
        .ok_or_else(|| account.nonsense("a file without an address"))
}
