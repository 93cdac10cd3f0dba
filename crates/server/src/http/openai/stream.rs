//! A chat completion in pieces: `data:` frames, written without any tree of values, since there is one for each token.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use nodetool_sdk::models::{ChatEvent, ModelError, Usage};
use serde::Serialize;

use super::super::streams::{Framing, with_head};
use super::begin::{Begun, Waited, broken_off};
use super::completions::{entries, word};
use super::files;
use super::now_seconds;
use super::usage::{ChatUsage, Estimate};

/// About the size of a piece of the body, when much comes at once.
const PIECE: usize = 16 << 10;
pub(super) const PING: &[u8] = b": ping\n\n";
const REST: &[u8] = b",\"logprobs\":null,\"finish_reason\":null}]}\n\n";

/// The frames of one completion.
struct Frames {
    /// All of a frame up to its choices.
    head: Vec<u8>,
}

/// Text as JSON.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Neither text nor a vector can fail.
    let _ = serde_json::to_writer(out, text);
}

fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

impl Frames {
    fn new(id: &str, model: &str) -> Self {
        let mut head = b"data: {\"id\":".to_vec();
        write_text(id, &mut head);
        head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        head.extend_from_slice(now_seconds().to_string().as_bytes());
        head.extend_from_slice(b",\"model\":");
        write_text(model, &mut head);
        head.extend_from_slice(b",\"service_tier\":null,\"system_fingerprint\":null,");
        Frames { head }
    }

    /// A frame with a delta, which `write` writes.
    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.open(out);
        write(out);
        out.extend_from_slice(REST);
    }

    fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\"usage\":null,\"choices\":[{\"index\":0,\"delta\":");
    }

    /// A delta of one field of text.
    fn text(&self, field: &str, text: &str, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.extend_from_slice(b"{\"");
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b"\":");
            write_text(text, out);
            out.push(b'}');
        });
    }

    fn role(&self, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
        });
    }

    fn call(&self, call: (u32, &str, &str, Option<&str>), out: &mut Vec<u8>) {
        let (index, id, name, signature) = call;
        self.delta(out, |out| {
            out.extend_from_slice(
                format!("{{\"tool_calls\":[{{\"index\":{index},\"id\":").as_bytes(),
            );
            write_text(id, out);
            out.extend_from_slice(b",\"type\":\"function\",\"function\":{\"name\":");
            write_text(name, out);
            out.extend_from_slice(b",\"arguments\":\"\"}");
            if let Some(signature) = signature {
                out.extend_from_slice(b",\"extra_content\":{\"google\":{\"thought_signature\":");
                write_text(signature, out);
                out.extend_from_slice(b"}}");
            }
            out.extend_from_slice(b"}]}");
        });
    }

    fn arguments(&self, index: u32, text: &str, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            let open =
                format!("{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":");
            out.extend_from_slice(open.as_bytes());
            write_text(text, out);
            out.extend_from_slice(b"}}]}");
        });
    }

    fn logprobs(&self, piece: nodetool_protocol::Value, out: &mut Vec<u8>) {
        self.open(out);
        out.extend_from_slice(b"{},\"logprobs\":{\"content\":");
        write(&entries(piece), out);
        out.extend_from_slice(b",\"refusal\":null},\"finish_reason\":null}]}\n\n");
    }

    fn finish(&self, reason: &str, out: &mut Vec<u8>) {
        self.open(out);
        out.extend_from_slice(b"{},\"logprobs\":null,\"finish_reason\":");
        write_text(reason, out);
        out.extend_from_slice(b"}]}\n\n");
    }

    /// What clients of the reference expect of a failure in the middle; `failure` is for those that know ours.
    fn failure(&self, message: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\"usage\":null,\"failure\":");
        write_text(message, out);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":{\"content\":");
        write_text(&format!("Error: {message}"), out);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n");
    }

    fn usage(&self, usage: Usage, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\"choices\":[],\"usage\":");
        write(&ChatUsage::from(usage), out);
        out.extend_from_slice(b"}\n\n");
    }
}

struct Streaming {
    begun: Begun,
    frames: Frames,
    /// There where the client wants to know what the call took.
    estimate: Option<Estimate>,
    usage: Option<Usage>,
    images: usize,
    opened: bool,
    finished: bool,
    done: bool,
}

/// The response of a stream; with an estimate it tells what the call took.
pub(super) fn response(
    begun: Begun,
    id: &str,
    model: &str,
    estimate: Option<Estimate>,
) -> Response {
    let state = Streaming {
        begun,
        frames: Frames::new(id, model),
        estimate,
        usage: None,
        images: 0,
        opened: false,
        finished: false,
        done: false,
    };
    let body = stream::unfold(state, |mut state| async move {
        if state.done {
            return None;
        }
        let piece = state.next_piece().await;
        Some((Ok::<_, Infallible>(piece), state))
    });
    with_head(Body::from_stream(body), Framing::Events)
}

impl Streaming {
    /// What is there, as far as it fits a piece of the body; waits until there is something.
    async fn next_piece(&mut self) -> Bytes {
        let mut out = Vec::with_capacity(512);
        if std::mem::replace(&mut self.opened, true) {
            match self.begun.wait().await {
                Waited::Event(event) => self.write(event, &mut out).await,
                Waited::Silence => return Bytes::from_static(PING),
            }
        } else {
            self.frames.role(&mut out);
        }
        while !self.done
            && out.len() < PIECE
            && let Some(event) = self.begun.ready()
        {
            self.write(event, &mut out).await;
        }
        out.into()
    }

    async fn write(&mut self, event: Option<Result<ChatEvent, ModelError>>, out: &mut Vec<u8>) {
        match event {
            Some(Ok(event)) => self.tell(event, out).await,
            Some(Err(e)) => self.fail(&e, out),
            None if self.finished => {
                if let Some(mut estimate) = self.estimate.take() {
                    let usage = match self.usage {
                        Some(usage) => usage,
                        None => estimate.usage().await,
                    };
                    self.frames.usage(usage, out);
                }
                self.end(out);
            }
            None => self.fail(&broken_off(), out),
        }
    }

    fn fail(&mut self, e: &ModelError, out: &mut Vec<u8>) {
        tracing::debug!(provider.id = %e.provider, error = %e, "an answer broke off");
        self.frames.failure(&e.message, out);
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.done = true;
    }

    async fn tell(&mut self, event: ChatEvent, out: &mut Vec<u8>) {
        let frames = &self.frames;
        let counted = match &event {
            ChatEvent::Text(text)
            | ChatEvent::Reasoning(text)
            | ChatEvent::ToolArguments { text, .. } => Some(text),
            _ => None,
        };
        if let (Some(estimate), Some(text)) = (&mut self.estimate, counted) {
            estimate.add(text).await;
        }
        match event {
            ChatEvent::Text(text) => frames.text("content", &text, out),
            ChatEvent::Reasoning(text) => frames.text("reasoning_content", &text, out),
            ChatEvent::ReasoningSignature(text) => frames.text("reasoning_signature", &text, out),
            ChatEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => frames.call((index, &id, &name, signature.as_deref()), out),
            ChatEvent::ToolArguments { index, text } => frames.arguments(index, &text, out),
            ChatEvent::Logprobs(piece) => frames.logprobs(piece, out),
            ChatEvent::File(file) => match files::image(&file, self.images) {
                Some(image) => {
                    self.images += 1;
                    frames.delta(out, |out| {
                        out.extend_from_slice(b"{\"images\":[");
                        write(&image, out);
                        out.extend_from_slice(b"]}");
                    });
                }
                None => frames.text("content", &files::link(&file), out),
            },
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::Finish(reason) => {
                frames.finish(word(&reason), out);
                self.finished = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use nodetool_sdk::models::{ChatRequest, FinishReason, ModelErrorKind};
    use serde_json::{Value, json};

    use super::super::begin::{begin, tests::playing};
    use super::*;

    async fn frames(events: Vec<Result<ChatEvent, ModelError>>, usage: bool) -> Vec<Value> {
        let begun = begin(playing(events)).await.unwrap();
        let estimate = usage.then(|| Estimate::of(&ChatRequest::default()));
        let response = response(begun, "chatcmpl-\"1", "m\\", estimate);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let mut frames: Vec<&str> = text.split_terminator("\n\n").collect();
        assert_eq!(frames.pop(), Some("data: [DONE]"));
        frames
            .iter()
            .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn every_event_is_a_frame_of_the_same_completion() {
        let call = |index, id: &str, signature: Option<&str>| {
            Ok(ChatEvent::ToolCall {
                index,
                id: id.into(),
                name: "f".into(),
                signature: signature.map(str::to_owned),
            })
        };
        let told = frames(
            vec![
                Ok(ChatEvent::Reasoning("hm".into())),
                Ok(ChatEvent::Text("a\"\n\u{1F600}".into())),
                Ok(ChatEvent::Logprobs(nodetool_protocol::Value::list([
                    1.into()
                ]))),
                call(0, "c0", None),
                call(1, "c1", Some("s")),
                Ok(ChatEvent::ToolArguments {
                    index: 1,
                    text: "{\"".into(),
                }),
                Ok(ChatEvent::File(nodetool_sdk::models::Media::bytes(
                    "image/png",
                    "hi",
                ))),
                Ok(ChatEvent::File(nodetool_sdk::models::Media::bytes(
                    "audio/wav",
                    "hi",
                ))),
                Ok(ChatEvent::Finish(FinishReason::ToolCalls)),
            ],
            true,
        )
        .await;
        for frame in &told {
            assert_eq!(frame["id"], "chatcmpl-\"1");
            assert_eq!(frame["model"], "m\\");
            assert_eq!(frame["object"], "chat.completion.chunk");
        }
        let delta = |i: usize| told[i]["choices"][0]["delta"].clone();
        assert_eq!(delta(0)["role"], "assistant");
        assert_eq!(delta(1), json!({ "reasoning_content": "hm" }));
        assert_eq!(delta(2), json!({ "content": "a\"\n\u{1F600}" }));
        assert_eq!(told[3]["choices"][0]["logprobs"]["content"], json!([1]));
        let function = json!({ "name": "f", "arguments": "" });
        assert_eq!(
            delta(4)["tool_calls"],
            json!([{ "index": 0, "id": "c0", "type": "function", "function": function }])
        );
        let extra = &delta(5)["tool_calls"][0]["extra_content"];
        assert_eq!(extra["google"]["thought_signature"], "s");
        assert_eq!(
            delta(6)["tool_calls"],
            json!([{ "index": 1, "function": { "arguments": "{\"" } }])
        );
        assert_eq!(
            delta(7)["images"][0]["image_url"]["url"],
            "data:image/png;base64,aGk="
        );
        assert_eq!(delta(8)["content"], "[file](data:audio/wav;base64,aGk=)");
        assert_eq!(delta(9), json!({}));
        assert_eq!(told[9]["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(told[10]["choices"], json!([]));
        assert!(told[10]["usage"]["completion_tokens"].as_u64().unwrap() > 3);
        assert_eq!(told.len(), 11);
    }

    #[tokio::test]
    async fn what_fails_in_the_middle_is_told_in_the_text_and_the_stream_ends_well() {
        let failed = ModelError::new(ModelErrorKind::Server, "p", "on fire");
        let told = frames(vec![Ok(ChatEvent::Text("a".into())), Err(failed)], true).await;
        let last = &told.last().unwrap()["choices"][0];
        assert_eq!(last["delta"]["content"], "Error: on fire");
        assert_eq!(last["finish_reason"], "stop");
        assert_eq!(told.len(), 3, "{told:?}");
        let told = frames(vec![Ok(ChatEvent::Text("a".into()))], false).await;
        let last = &told.last().unwrap()["choices"][0];
        assert!(
            last["delta"]["content"]
                .as_str()
                .unwrap()
                .contains("broke off")
        );
    }

    #[tokio::test]
    async fn what_the_provider_counts_stands_over_the_estimate() {
        let usage = Usage {
            input: 7,
            output: 5,
            cached: 2,
            reasoning: 1,
            cost: None,
        };
        let told = frames(
            vec![
                Ok(ChatEvent::Usage(usage)),
                Ok(ChatEvent::Finish(FinishReason::Stop)),
            ],
            true,
        )
        .await;
        assert_eq!(
            told.last().unwrap()["usage"],
            json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12,
                "prompt_tokens_details": { "cached_tokens": 2 }, "completion_tokens_details": { "reasoning_tokens": 1 } })
        );
    }
}
