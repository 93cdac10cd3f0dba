//! Videos: an operation that is begun, looked at until it is done, and whose result is fetched.
//!
//! Steps and guidance are left to the model. Its videos have 24 pictures a second and 4 to 8 seconds.

use std::time::Instant;

use nodetool_sdk::Map;
use nodetool_sdk::models::{Media, MediaSource, ModelError, ModelErrorKind, VideoRequest};
use reqwest::{Method, Response, StatusCode, Url, header};
use serde::Serialize;
use serde_json::Value;

use super::Gemini;
use crate::Account;
use crate::inline::{base64, mime_of};
use crate::media::result_file::Results;

/// Most bytes of a video.
const MAX_VIDEO: usize = 1 << 30;
/// Most addresses in a row that a video's address leads to.
const MAX_REDIRECTS: usize = 5;
/// Pictures of a second.
const RATE: u32 = 24;

#[derive(Serialize)]
struct Body {
    instances: [Instance; 1],
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    parameters: Parameters,
}

#[derive(Serialize)]
struct Instance {
    prompt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    bytes_base64_encoded: String,
    mime_type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(flatten)]
    extra: Map,
}

impl Parameters {
    fn of(request: &VideoRequest) -> Self {
        let extra = request.extra.clone();
        let free = |key: &str| !extra.contains_key(key);
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let large = request.resolution.as_deref().is_some_and(|r| r != "720p");
        Parameters {
            aspect_ratio: text(&request.aspect_ratio).filter(|_| free("aspectRatio")),
            resolution: text(&request.resolution).filter(|_| free("resolution")),
            duration_seconds: request
                .num_frames
                .filter(|_| free("durationSeconds"))
                .map(|frames| seconds(frames, large)),
            negative_prompt: text(&request.negative_prompt).filter(|_| free("negativePrompt")),
            // Nodes say -1 for any.
            seed: request
                .seed
                .and_then(|seed| u32::try_from(seed).ok())
                .filter(|_| free("seed")),
            extra,
        }
    }

    fn is_empty(&self) -> bool {
        serde_json::to_string(self).is_ok_and(|text| text == "{}")
    }
}

/// The nearest length the API has; large videos have one only.
fn seconds(frames: u32, large: bool) -> u32 {
    match frames.div_ceil(RATE) {
        _ if large => 8,
        0..=4 => 4,
        5..=6 => 6,
        _ => 8,
    }
}

impl Gemini {
    pub(super) async fn video(&self, request: VideoRequest) -> Result<Media, ModelError> {
        let patience = self.patience(request.timeout_s);
        let work = self.filmed(&request);
        match tokio::time::timeout(patience, work).await {
            Ok(video) => video,
            Err(_) => {
                let message = format!(
                    "gemini did not make the video within {} seconds",
                    patience.as_secs()
                );
                Err(self.account.error(ModelErrorKind::TimedOut, message))
            }
        }
    }

    async fn filmed(&self, request: &VideoRequest) -> Result<Media, ModelError> {
        let account = &self.account;
        let image = match &request.source {
            None => None,
            Some(media) => match &media.source {
                MediaSource::Bytes(bytes) => Some(Image {
                    bytes_base64_encoded: base64(bytes),
                    mime_type: mime_of(media),
                }),
                MediaSource::Url(_) => {
                    return Err(account.cannot("image", "videos from a picture at an address"));
                }
            },
        };
        let body = Body {
            instances: [Instance {
                prompt: request.prompt.clone(),
                image,
            }],
            parameters: Parameters::of(request),
        };
        let patience = account.patience.first_byte;
        let begun = self
            .call(&request.model, "predictLongRunning", &body, patience)
            .await?;
        let Some(name) = begun["name"].as_str().filter(|name| is_operation(name)) else {
            return Err(account.nonsense("an operation without a `name`"));
        };
        let url = format!("{}/{name}", account.address);
        let mut looks = 0u32;
        let done = loop {
            tokio::time::sleep(self.pause).await;
            let look = self.request(Method::GET, &url)?;
            match account.json(look, patience).await {
                Ok(operation) if operation["done"].as_bool() == Some(true) => break operation,
                Ok(_) => looks = 0,
                // A look that fails for a moment is no reason to lose a video that is paid for.
                Err(e) if e.is_passing() && looks < 5 => looks += 1,
                Err(e) => return Err(e),
            }
        };
        if let Some(error) = done.get("error") {
            let status = status_of(error["code"].as_u64().unwrap_or_default());
            return Err(account.refused(status, None, done.to_string().as_bytes()));
        }
        let made = &done["response"]["generateVideoResponse"];
        let video = &made["generatedSamples"][0]["video"];
        let Some(uri) = video["uri"].as_str() else {
            return Err(withheld(account, made));
        };
        let bytes = self.fetch(uri).await?;
        let mime = video["mimeType"].as_str().unwrap_or("video/mp4");
        Ok(Media::bytes(mime, bytes))
    }

    /// Fetches a file. The key goes to the API itself only, not to where it leads.
    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, ModelError> {
        let account = &self.account;
        let until = Instant::now() + account.patience.whole;
        let bad = |_| account.nonsense("a video at an address that is none");
        let own = Url::parse(&account.address).map_err(bad)?.origin();
        let mut url = Url::parse(uri).map_err(bad)?;
        for _ in 0..=MAX_REDIRECTS {
            if url.origin() != own {
                if url.scheme() != "https" {
                    return Err(account.nonsense("a video at an address that is not https"));
                }
                let peer = None;
                let made = Results { account, peer }
                    .fetch(url.as_str(), MAX_VIDEO)
                    .await?;
                return match made.source {
                    MediaSource::Bytes(bytes) => Ok(bytes.into()),
                    MediaSource::Url(_) => Err(account.nonsense("a video that is not there")),
                };
            }
            let request = self.request(Method::GET, url.as_str())?;
            let left = until.saturating_duration_since(Instant::now());
            let response = account.exchange(request, left).await?;
            match leads_to(&url, &response) {
                Some(next) => url = next,
                None if response.status().is_success() => {
                    return account.whole(response, MAX_VIDEO).await;
                }
                None => return Err(account.refusal(response).await),
            }
        }
        Err(account.nonsense("a video whose address leads nowhere"))
    }
}

fn leads_to(url: &Url, response: &Response) -> Option<Url> {
    let status = response.status();
    if !matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    ) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    url.join(location.to_str().ok()?).ok()
}

/// Operations tell their errors by the codes of gRPC.
fn status_of(code: u64) -> StatusCode {
    match code {
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        4 => StatusCode::GATEWAY_TIMEOUT,
        5 => StatusCode::NOT_FOUND,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        12 => StatusCode::NOT_IMPLEMENTED,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whether a name may become part of an address.
fn is_operation(name: &str) -> bool {
    let plain = |step: &str| {
        !step.is_empty()
            && !step.starts_with('.')
            && step
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    name.len() <= 512 && name.split('/').all(plain)
}

fn withheld(account: &Account, made: &Value) -> ModelError {
    let reasons = made["raiMediaFilteredReasons"].as_array();
    let reasons: Vec<&str> = reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let why = match reasons.is_empty() {
        true => "it does not say why".to_owned(),
        false => reasons.join(" "),
    };
    let message = format!("gemini withheld the video: {why}");
    account.error(ModelErrorKind::Refused, message)
}
