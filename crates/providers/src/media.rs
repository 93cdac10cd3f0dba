//! What the clients of pictures, films and sounds share: jobs that take their time, files behind addresses, data URIs,
//! sound. It must not know any provider.

use reqwest::{RequestBuilder, header};
use serde_json::Value;

pub(crate) mod catalogue;
pub(crate) mod data_uri;
pub(crate) mod fields;
pub(crate) mod job;
pub(crate) mod mime;
pub(crate) mod model_path;
mod resample;
pub(crate) mod result_file;
pub(crate) mod speech;
#[cfg(test)]
pub(crate) mod stand_in;
pub(crate) mod vectors;
pub(crate) mod wav;

/// The request with JSON in it.
pub(crate) fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
}
