//! fal: its queue, for pictures, films, speech and speech recognition.
//!
//! A job is put into the queue of a model, looked at until it is done, and its files are fetched. What a model takes is
//! told by [`input`](self::input)'s tables. The same queue is reached with a Hugging Face key through their router.

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
mod output;
mod queue;
#[cfg(test)]
mod tests;

use queue::{Queue, Route};

pub(crate) const DEFINITION: Definition = Definition {
    id: "fal_ai",
    name: "fal",
    key: Some("FAL_API_KEY"),
    needs_key: true,
    address: "https://queue.fal.run",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| provider(account, Route::Direct),
};

/// fal with a Hugging Face key, by fal's model ids.
pub(crate) const ROUTED_DEFINITION: Definition = Definition {
    id: "huggingface_fal_ai",
    name: "fal (Hugging Face)",
    key: Some("HF_TOKEN"),
    needs_key: true,
    address: "https://router.huggingface.co/fal-ai",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| provider(account, Route::HuggingFace),
};

fn provider(account: &Account, route: Route) -> Provider {
    with_pace(account, route, Pace::default())
}

fn with_pace(account: &Account, route: Route, pace: Pace) -> Provider {
    let fal = Arc::new(Fal {
        account: account.clone(),
        route,
        pace,
    });
    Provider {
        draw: Some(fal.clone()),
        film: Some(fal.clone()),
        speak: Some(fal.clone()),
        transcribe: Some(fal.clone()),
        list: Some(fal),
        ..Provider::default()
    }
}

struct Fal {
    account: Account,
    route: Route,
    pace: Pace,
}

impl Fal {
    /// Runs a job of a model within the time it may take, fetching of its files included.
    async fn made<T>(
        &self,
        model: &str,
        input: Value,
        timeout_s: Option<f64>,
        files: impl AsyncFnOnce(Made) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        let account = &self.account;
        let limit = job::limit(account, timeout_s)?;
        let started = tokio::time::Instant::now();
        let queue = Queue::new(account, self.route, model, input)?;
        let made = job::run(account, queue, self.pace, limit).await?;
        let left = limit.saturating_sub(started.elapsed());
        tokio::time::timeout(left, files(made))
            .await
            .map_err(|_| account.too_slow())?
    }

    async fn pictures(&self, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
        let model = input::image_model(&request);
        let input = input::image(&self.account, &model, &request)?;
        let files = async |made: Made| {
            let urls = output::pictures(&self.account, &made.output)?;
            self.fetch_all(&made, &urls, MAX_PICTURE).await
        };
        self.made(&model, input, request.timeout_s, files).await
    }

    async fn film_of(&self, request: VideoRequest) -> Result<Media, ModelError> {
        let model = input::video_model(&request);
        let input = input::video(&self.account, &request)?;
        let files = async |made: Made| {
            let url = output::film(&self.account, &made.output)?;
            self.fetch(&made, &url, MAX_FILM).await
        };
        self.made(&model, input, request.timeout_s, files).await
    }

    async fn spoken(&self, request: SpeechRequest) -> Result<SpeechStream, ModelError> {
        let input = input::speech(&request);
        let files = async |made: Made| {
            let url = output::sound(&self.account, &made.output)?;
            let file = self.fetch(&made, &url, MAX_SOUND).await?;
            speech::of_file(&self.account, &file).await
        };
        self.made(&request.model, input, None, files).await
    }

    async fn written(&self, request: TranscribeRequest) -> Result<Transcript, ModelError> {
        let model = input::transcribe_model(&request.model);
        let input = input::transcribe(&self.account, &request)?;
        let files = async |made: Made| output::transcript(&self.account, &made.output);
        self.made(model, input, None, files).await
    }

    async fn fetch(&self, made: &Made, url: &str, most: usize) -> Result<Media, ModelError> {
        let results = Results {
            account: &self.account,
            peer: made.peer,
        };
        results.fetch(url, most).await
    }

    async fn fetch_all(
        &self,
        made: &Made,
        urls: &[String],
        most: usize,
    ) -> Result<Vec<Media>, ModelError> {
        let mut all = Vec::new();
        for url in urls {
            all.push(self.fetch(made, url, most).await?);
        }
        Ok(all)
    }
}

impl Draw for Fal {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        self.pictures(request).boxed()
    }
}

impl Film for Fal {
    fn film(&self, request: VideoRequest) -> BoxFuture<'_, Result<Media, ModelError>> {
        self.film_of(request).boxed()
    }
}

impl Speak for Fal {
    fn speak(&self, request: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        self.spoken(request).boxed()
    }
}

impl Transcribe for Fal {
    fn transcribe(
        &self,
        request: TranscribeRequest,
    ) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        self.written(request).boxed()
    }
}

impl List for Fal {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        std::future::ready(Ok(list::models())).boxed()
    }
}
