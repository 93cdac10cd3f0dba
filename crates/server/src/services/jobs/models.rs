//! Models as a run may call them: those of all providers, and workflows that converse, which run inside of it.

use std::sync::{Arc, Weak};

use nodetool_engine::RunOutcome;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelError,
    ModelErrorKind, Models, SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
    VideoRequest,
};
use nodetool_sdk::services::Secrets;

use super::nested::MAX_DEPTH;
use super::{Inner, StartRun, execute};
use crate::services::workflow_models::{WORKFLOW_PREFIX, inside, options, partner};
use crate::services::{Caller, Feed, Subject};

/// What a run calls models by.
pub(super) struct RunModels {
    pub(super) providers: Arc<dyn Models>,
    pub(super) inner: Weak<Inner>,
    pub(super) caller: Caller,
    pub(super) job_id: Arc<str>,
    /// How deep the run is inside of others.
    pub(super) depth: u32,
    pub(super) secrets: Arc<dyn Secrets>,
}

impl RunModels {
    async fn converse(&self, model: &str, request: &ChatRequest) -> Result<ChatStream, ModelError> {
        let failure = |kind, message: String| ModelError::new(kind, "workflow", message);
        let Some(inner) = self.inner.upgrade() else {
            let message = "the server is shutting down".to_owned();
            return Err(failure(ModelErrorKind::Connection, message));
        };
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            let message = format!(
                "Workflows converse with workflows more than {MAX_DEPTH} deep; does '{model}' converse with itself?"
            );
            return Err(failure(ModelErrorKind::BadRequest, message));
        }
        let partner = partner(&inner.workflows, &self.caller, model, request).await?;
        let (workflow, talk) = partner;
        let params = match &workflow.plan {
            Ok(plan) => talk.params(request, plan),
            Err(_) => nodetool_protocol::Map::new(),
        };
        let subject = Subject {
            job_id: self.job_id.clone(),
            workflow_id: workflow.id.clone(),
            user_id: self.caller.user_id.as_str().into(),
        };
        let start = StartRun::new(self.caller.clone(), workflow, nodetool_protocol::Map::new());
        let (job_id, secrets) = (self.job_id.clone(), self.secrets.clone());
        let run = move |feed: Arc<Feed>| -> BoxFuture<'static, Result<RunOutcome, String>> {
            // Boxed, since a run inside of a run is the same future again.
            Box::pin(async move {
                let Some(_counted) = inner.nests.enter(&job_id) else {
                    return Err("Too many workflows are at work inside this run; does one converse with itself?".into());
                };
                let options = options(params);
                let (runner, cx) = inner
                    .runner_with(&start, job_id.clone(), feed, depth, secrets, options)
                    .await;
                Ok(execute(runner, &start.workflow, &cx).await)
            })
        };
        Ok(inside(subject, &talk, run))
    }
}

impl Models for RunModels {
    fn chat<'a>(&'a self, request: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        let named = request.model.strip_prefix(WORKFLOW_PREFIX);
        match named.filter(|_| matches!(request.provider.as_str(), "" | "empty" | "workflow")) {
            Some(name) => {
                let name = name.to_owned();
                Box::pin(async move { self.converse(&name, &request).await })
            }
            None => self.providers.chat(request),
        }
    }

    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        self.providers.embed(request)
    }

    fn image<'a>(&'a self, request: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        self.providers.image(request)
    }

    fn video<'a>(&'a self, request: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        self.providers.video(request)
    }

    fn speech<'a>(
        &'a self,
        request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        self.providers.speech(request)
    }

    fn transcribe<'a>(
        &'a self,
        request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        self.providers.transcribe(request)
    }
}
