//! Replicate: predictions of public models, for pictures, films, speech and speech recognition.
//!
//! Models are called `owner/name`, `owner/name:version` or by a version alone. Each says itself which fields it takes;
//! [`input`](self::input) fits a request to them.

use std::sync::Arc;

use futures_util::FutureExt;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ImageRequest, Media, ModelError, SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
    VideoRequest,
};
use serde_json::Value;

use crate::media::job::{self, Made, Pace};
use crate::media::result_file::{MAX_FILM, MAX_PICTURE, MAX_SOUND, Results};
use crate::media::speech;
use crate::{Account, Definition, Draw, Film, List, ListedModel, Provider, Speak, Transcribe};

mod input;
mod list;
mod name;
mod output;
mod prediction;
mod schema;
mod source;
#[cfg(test)]
mod tests;

use name::Name;
use prediction::Prediction;
use schema::{Schema, Schemas};

pub(crate) const DEFINITION: Definition = Definition {
    id: "replicate",
    name: "Replicate",
    key: Some("REPLICATE_API_TOKEN"),
    needs_key: true,
    address: "https://api.replicate.com/v1",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| with_pace(account, Pace::default()),
};

fn with_pace(account: &Account, pace: Pace) -> Provider {
    let replicate = Arc::new(Replicate {
        account: account.clone(),
        pace,
        schemas: Schemas::default(),
    });
    Provider {
        draw: Some(replicate.clone()),
        film: Some(replicate.clone()),
        speak: Some(replicate.clone()),
        transcribe: Some(replicate.clone()),
        list: Some(replicate),
        ..Provider::default()
    }
}

struct Replicate {
    account: Account,
    pace: Pace,
    schemas: Schemas,
}

impl Replicate {
    /// Runs a prediction within the time it may take, what comes before and after it included.
    async fn made<T>(
        &self,
        model: &str,
        timeout_s: Option<f64>,
        input: impl AsyncFnOnce(&Schema) -> Result<Value, ModelError>,
        output: impl AsyncFnOnce(Made) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let account = &self.account;
        let limit = job::limit(account, timeout_s)?;
        let work = async {
            let name = Name::parse(account, model)?;
            let schema = self.schemas.of(account, &name).await?;
            let prediction = Prediction::new(account, &name, &schema, input(&schema).await?);
            output(job::run(account, prediction, self.pace, limit).await?).await
        };
        // What is dropped when the time is over is cancelled.
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_| account.too_slow())?
    }

    async fn pictures(&self, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
        let input = async |schema: &Schema| input::image(&self.account, schema, &request).await;
        let output = async |made: Made| {
            let mut pictures = Vec::new();
            for url in output::files(&self.account, &made.output)? {
                pictures.push(self.fetch(&made, &url, MAX_PICTURE).await?);
            }
            Ok(pictures)
        };
        self.made(&request.model, request.timeout_s, input, output)
            .await
    }

    async fn film_of(&self, request: VideoRequest) -> Result<Media, ModelError> {
        let input = async |schema: &Schema| input::video(&self.account, schema, &request).await;
        let output = async |made: Made| {
            let url = output::file(&self.account, &made.output)?;
            self.fetch(&made, &url, MAX_FILM).await
        };
        self.made(&request.model, request.timeout_s, input, output)
            .await
    }

    async fn spoken(&self, request: SpeechRequest) -> Result<SpeechStream, ModelError> {
        let input = async |schema: &Schema| input::speech(&self.account, schema, &request);
        let output = async |made: Made| {
            let url = output::file(&self.account, &made.output)?;
            let file = self.fetch(&made, &url, MAX_SOUND).await?;
            speech::of_file(&self.account, &file).await
        };
        self.made(&request.model, None, input, output).await
    }

    async fn written(&self, request: TranscribeRequest) -> Result<Transcript, ModelError> {
        let input =
            async |schema: &Schema| input::transcribe(&self.account, schema, &request).await;
        let output = async |made: Made| output::transcript(&self.account, &made.output);
        self.made(&request.model, None, input, output).await
    }

    async fn fetch(&self, made: &Made, url: &str, most: usize) -> Result<Media, ModelError> {
        let results = Results {
            account: &self.account,
            peer: made.peer,
        };
        results.fetch(url, most).await
    }
}

impl Draw for Replicate {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        self.pictures(request).boxed()
    }
}

impl Film for Replicate {
    fn film(&self, request: VideoRequest) -> BoxFuture<'_, Result<Media, ModelError>> {
        self.film_of(request).boxed()
    }
}

impl Speak for Replicate {
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        self.spoken(request).boxed()
    }
}

impl Transcribe for Replicate {
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        self.written(request).boxed()
    }
}

impl List for Replicate {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        std::future::ready(Ok(list::models())).boxed()
    }
}

impl Account {
    /// A request with the token.
    fn signed(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}/{path}", self.address));
        match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }
}
