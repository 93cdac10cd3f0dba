//! Hugging Face inference: vectors, pictures, speech and speech recognition of models that Hugging Face runs itself.
//!
//! Conversation goes through their OpenAI-compatible router and is not here. Every task is one request; a model that has
//! to be loaded first refuses until it is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    EmbedRequest, Embeddings, ImageRequest, Media, MediaSource, ModelError, ModelErrorKind,
    SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
};
use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};

use crate::media::fields::Fields;
use crate::media::result_file::{MAX_PICTURE, MAX_SOUND};
use crate::media::{data_uri, job, mime, model_path, speech, vectors, with_json};
use crate::{Account, Draw, Embed, List, ListedModel, Provider, Speak, Transcribe};

mod list;
#[cfg(test)]
mod tests;

/// Everything but conversation, for an account at `https://router.huggingface.co`; a `/v1` at the end of its address,
/// which the router's conversations have, is left out.
fn media(account: &Account) -> Provider {
    let address = account.address.trim_end_matches('/');
    let root = address.strip_suffix("/v1").unwrap_or(address);
    let tasks = Arc::new(Tasks {
        address: format!("{root}/hf-inference/models"),
        account: account.clone(),
    });
    Provider {
        embed: Some(tasks.clone()),
        draw: Some(tasks.clone()),
        speak: Some(tasks.clone()),
        transcribe: Some(tasks.clone()),
        list: Some(tasks),
        ..Provider::default()
    }
}

struct Tasks {
    account: Account,
    address: String,
}

impl Tasks {
    fn request(&self, model: &str, task: &str) -> Result<RequestBuilder, ModelError> {
        let model = model_path::check(&self.account, model, 1..=2, "`owner/name`")?;
        let request = self
            .account
            .client
            .post(format!("{}/{model}{task}", self.address));
        Ok(match &self.account.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        })
    }

    /// Sends a request whose answer is a file.
    async fn file(
        &self,
        request: RequestBuilder,
        timeout_s: Option<f64>,
        most: usize,
    ) -> Result<Media, ModelError> {
        let account = &self.account;
        let limit = job::limit(account, timeout_s)?;
        let work = async {
            let response = account.send(request, limit).await?;
            let said = response.headers().get(header::CONTENT_TYPE);
            let said = said
                .and_then(|said| said.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let bytes = account.whole(response, most).await?;
            let mime = mime::of(&bytes, &said);
            Ok(Media::bytes(mime, bytes))
        };
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_| account.too_slow())?
    }

    fn here<'a>(&self, media: &'a Media, field: &str) -> Result<&'a [u8], ModelError> {
        let refused = |kind, message| {
            let mut error = self.account.error(kind, message);
            error.param = Some(field.to_owned());
            error
        };
        match &media.source {
            MediaSource::Url(_) => {
                let message = format!(
                    "{field} is an address; {} takes bytes only",
                    self.account.provider
                );
                Err(refused(ModelErrorKind::Unsupported, message))
            }
            MediaSource::Bytes(bytes) if bytes.len() > data_uri::MAX_INLINE => {
                let most = data_uri::MAX_INLINE;
                let message = format!("{field} has {} bytes; up to {most} are sent", bytes.len());
                Err(refused(ModelErrorKind::BadRequest, message))
            }
            MediaSource::Bytes(bytes) => Ok(bytes),
        }
    }

    async fn pictures(&self, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
        if request.count.is_some_and(|count| count > 1) {
            return Err(ModelError::unsupported(
                &self.account.provider,
                "several pictures at once",
            ));
        }
        let body = match request.sources.as_slice() {
            [] => json!({ "inputs": request.prompt, "parameters": drawing(&request) }),
            [source] => {
                let source = STANDARD.encode(self.here(source, "sources[0]")?);
                json!({ "inputs": source, "parameters": redrawing(&request) })
            }
            _ => {
                return Err(ModelError::unsupported(
                    &self.account.provider,
                    "pictures from several pictures",
                ));
            }
        };
        let asked =
            with_json(self.request(&request.model, "")?, &body).header(header::ACCEPT, "image/png");
        let picture = self.file(asked, request.timeout_s, MAX_PICTURE).await?;
        match picture.mime.starts_with("image/") {
            true => Ok(vec![picture]),
            false => Err(self
                .account
                .nonsense(format_args!("{} instead of a picture", picture.mime))),
        }
    }

    async fn vectors(&self, request: EmbedRequest) -> Result<Embeddings, ModelError> {
        if request.texts.is_empty() {
            return Ok(Embeddings::default());
        }
        let body = json!({ "inputs": request.texts });
        let asked = with_json(
            self.request(&request.model, "/pipeline/feature-extraction")?,
            &body,
        );
        let account = &self.account;
        let answer = account.json(asked, account.patience.first_byte).await?;
        if answer[0][0].is_array() {
            let message = format!(
                "`{}` gives a vector for each token, not one for each text",
                request.model
            );
            return Err(account.error(ModelErrorKind::Unsupported, message));
        }
        let vectors = vectors::read(account, &answer, request.texts.len())?;
        if let Some(wanted) = request.dimensions
            && vectors.iter().any(|vector| vector.len() != wanted as usize)
        {
            return Err(ModelError::unsupported(
                &account.provider,
                "vectors of a length of choice",
            ));
        }
        Ok(Embeddings {
            vectors,
            usage: None,
        })
    }

    async fn spoken(&self, request: SpeechRequest) -> Result<SpeechStream, ModelError> {
        let provider = &self.account.provider;
        if request.speed.is_some_and(|speed| speed != 1.0) {
            return Err(ModelError::unsupported(
                provider,
                "speech at another speed than 1",
            ));
        }
        if request.voice.is_some_and(|voice| !voice.is_empty()) {
            return Err(ModelError::unsupported(provider, "voices of choice"));
        }
        let asked = with_json(
            self.request(&request.model, "")?,
            &json!({ "inputs": request.text }),
        );
        let file = self
            .file(asked.header(header::ACCEPT, "audio/wav"), None, MAX_SOUND)
            .await?;
        speech::of_file(&self.account, &file).await
    }

    /// The language is found out by the model: the protocol has no field for it, nor for words to expect.
    async fn written(&self, request: TranscribeRequest) -> Result<Transcript, ModelError> {
        let bytes = self.here(&request.audio, "audio")?;
        let asked = self.request(&request.model, "")?;
        let asked = match request.temperature.filter(|temperature| *temperature > 0.0) {
            None => {
                let kind = mime::of(bytes, &request.audio.mime);
                asked
                    .header(header::CONTENT_TYPE, kind)
                    .body(bytes.to_vec())
            }
            Some(temperature) => {
                let parameters = json!({ "generation_parameters": { "temperature": temperature } });
                with_json(
                    asked,
                    &json!({ "inputs": STANDARD.encode(bytes), "parameters": parameters }),
                )
            }
        };
        let answer = self
            .account
            .json(asked, self.account.patience.whole)
            .await?;
        let text = answer["text"].as_str();
        let text = text.ok_or_else(|| self.account.nonsense("an answer without `text`"))?;
        Ok(Transcript {
            text: text.trim().to_owned(),
            ..Transcript::default()
        })
    }
}

fn drawing(request: &ImageRequest) -> Value {
    let mut fields = Fields::default();
    fields.set(
        "negative_prompt",
        request
            .negative_prompt
            .as_ref()
            .filter(|text| !text.is_empty()),
    );
    fields.set("width", request.width);
    fields.set("height", request.height);
    fields.set("guidance_scale", request.guidance_scale);
    fields.set("num_inference_steps", request.num_inference_steps);
    fields.set("seed", request.seed.filter(|seed| *seed >= 0));
    fields.with(&request.extra)
}

fn redrawing(request: &ImageRequest) -> Value {
    let mut fields = Fields::default();
    fields.set("prompt", Some(&request.prompt));
    fields.set(
        "negative_prompt",
        request
            .negative_prompt
            .as_ref()
            .filter(|text| !text.is_empty()),
    );
    fields.set("guidance_scale", request.guidance_scale);
    fields.set("num_inference_steps", request.num_inference_steps);
    fields.set("strength", request.strength);
    if let (Some(width), Some(height)) = (request.width, request.height) {
        fields.set(
            "target_size",
            Some(json!({ "width": width, "height": height })),
        );
    }
    fields.with(&request.extra)
}

impl Draw for Tasks {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        self.pictures(request).boxed()
    }
}

impl Embed for Tasks {
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>> {
        self.vectors(request).boxed()
    }
}

impl Speak for Tasks {
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        self.spoken(request).boxed()
    }
}

impl Transcribe for Tasks {
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        self.written(request).boxed()
    }
}

/// What the tasks add to the conversations that the router leads.
pub(crate) fn with_tasks(account: &Account, routed: Provider) -> Provider {
    let tasks = media(account);
    let list = Both {
        routed: routed.list,
    };
    Provider {
        chat: routed.chat,
        list: Some(Arc::new(list)),
        ..tasks
    }
}

/// The router's models, then those of the tasks.
struct Both {
    routed: Option<Arc<dyn List>>,
}

impl List for Both {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        async {
            let mut models = match &self.routed {
                Some(routed) => routed.models().await?,
                None => Vec::new(),
            };
            models.extend(list::models());
            Ok(models)
        }
        .boxed()
    }
}

impl List for Tasks {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        std::future::ready(Ok(list::models())).boxed()
    }
}
