//! A model that is no model: it says what it was told, so that a newcomer sees a conversation stream without a key and
//! without a network. Every answer says what it is.

use std::sync::Arc;

use futures_util::{FutureExt, stream};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatEvent, ChatRequest, ChatStream, FinishReason, ModelError, Role, Usage,
};

use crate::fake::words;
use crate::{Account, Chat, Definition, List, ListedModel, ModelKind, Provider};

/// The id of the only model.
pub(crate) const ECHO: &str = "echo";

/// The most of a message that is said back.
const MOST: usize = 2000;

pub(crate) const DEFINITION: Definition = Definition {
    id: "local",
    name: "Built-in demonstration",
    key: None,
    needs_key: false,
    address: "",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |_: &Account| Provider {
        chat: Some(Arc::new(Demo)),
        list: Some(Arc::new(Demo)),
        ..Provider::default()
    },
};

struct Demo;

impl Chat for Demo {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        if request.model != ECHO {
            let message = format!(
                "`local` has one model, `{ECHO}`, and no `{}`",
                request.model
            );
            let kind = nodetool_sdk::models::ModelErrorKind::UnknownModel;
            let error = ModelError::new(kind, "local", message);
            return std::future::ready(Err(error)).boxed();
        }
        let said = request.messages.iter().rev().find(|m| m.role == Role::User);
        let said = said.map(|m| m.plain_text()).unwrap_or_default();
        let said: String = said.trim().chars().take(MOST).collect();
        let text =
            format!("This is the built-in demonstration, not a language model. You said: {said}");
        let read = request
            .messages
            .iter()
            .map(|m| words(&m.plain_text()))
            .sum();
        let usage = Usage {
            input: read,
            output: words(&text),
            ..Usage::default()
        };
        let pieces: Vec<_> = text
            .split_inclusive(' ')
            .map(|word| ChatEvent::Text(word.to_owned()))
            .chain([
                ChatEvent::Usage(usage),
                ChatEvent::Finish(FinishReason::Stop),
            ])
            .map(Ok)
            .collect();
        let answer: ChatStream = Box::pin(stream::iter(pieces));
        std::future::ready(Ok(answer)).boxed()
    }
}

impl List for Demo {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        let model = ListedModel {
            name: "Echo (built-in demonstration)".to_owned(),
            ..ListedModel::new(ECHO, ModelKind::Language)
        };
        std::future::ready(Ok(vec![model])).boxed()
    }
}
