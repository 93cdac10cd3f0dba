//! A response in pieces: typed events with rising numbers. Its last event holds the whole response, so the answer is
//! kept while it comes, within bounds; a piece of text is written without any tree of values.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use nodetool_sdk::models::{ChatEvent, FinishReason, ModelError};
use serde_json::{Value, json};

use super::super::super::streams::{Framing, with_head};
use super::super::begin::{Begun, Room, Waited, broken_off};
use super::super::errors::OpenAiError;
use super::super::files;
use super::super::stream::{PING, write_text};
use super::output::{Item, Report};

/// About the size of a piece of the body, when much comes at once.
const PIECE: usize = 16 << 10;

struct Streaming {
    begun: Begun,
    events: Events,
    opened: bool,
    done: bool,
    finish: Option<FinishReason>,
    room: Room,
}

/// The events of one response.
struct Events {
    report: Report,
    /// The number of the next event.
    next: u64,
    /// The item that takes reasoning or text now.
    open: Option<usize>,
    /// Items of tool calls, by the number of the call; they end with the response.
    calls: Vec<(u32, usize)>,
}

/// The response of a stream.
pub(super) fn response(begun: Begun, report: Report) -> Response {
    let state = Streaming {
        begun,
        events: Events {
            report,
            next: 0,
            open: None,
            calls: Vec::new(),
        },
        opened: false,
        done: false,
        finish: None,
        room: Room::default(),
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
        let mut out = Vec::with_capacity(1024);
        if std::mem::replace(&mut self.opened, true) {
            match self.begun.wait().await {
                Waited::Event(event) => self.write(event, &mut out).await,
                Waited::Silence => return Bytes::from_static(PING),
            }
        } else {
            self.events.begin(&mut out);
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
        let failure = match event {
            None => match self.finish.take() {
                Some(reason) => {
                    self.events.end(&reason, out).await;
                    self.done = true;
                    return;
                }
                None => broken_off(),
            },
            Some(Err(e)) => e,
            Some(Ok(ChatEvent::Finish(reason))) => {
                self.finish = Some(reason);
                return;
            }
            Some(Ok(event)) => match self.room.take(&event) {
                Ok(()) => return self.events.tell(event, out),
                Err(e) => e,
            },
        };
        self.events.fail(failure, out);
        self.done = true;
    }
}

impl Events {
    /// An event of a kind.
    fn event(&mut self, kind: &str, mut fields: Value, out: &mut Vec<u8>) {
        fields["type"] = kind.into();
        fields["sequence_number"] = self.next.into();
        self.next += 1;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(fields.to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    /// A piece of an item's text: there is one for each token.
    fn delta(&mut self, kind: &str, at: usize, place: &str, text: &str, out: &mut Vec<u8>) {
        let number = self.next;
        self.next += 1;
        let id = self.report.items[at].id();
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        out.extend_from_slice(number.to_string().as_bytes());
        out.extend_from_slice(b",\"output_index\":");
        out.extend_from_slice(at.to_string().as_bytes());
        out.extend_from_slice(b",\"item_id\":\"");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(place.as_bytes());
        out.extend_from_slice(b"\"delta\":");
        write_text(text, out);
        out.extend_from_slice(b"}\n\n");
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let response = json!(self.report.begun());
        let again = response.clone();
        self.event("response.created", json!({ "response": response }), out);
        self.event("response.in_progress", json!({ "response": again }), out);
    }

    /// Begins an item; gives its place.
    fn add(&mut self, item: Item, out: &mut Vec<u8>) -> usize {
        let at = self.report.items.len();
        let begun = item.json(true);
        self.report.items.push(item);
        let fields = json!({ "output_index": at, "item": begun });
        self.event("response.output_item.added", fields, out);
        at
    }

    /// Ends an item.
    fn finish(&mut self, at: usize, out: &mut Vec<u8>) {
        let item = &self.report.items[at];
        let (id, whole) = (item.id().to_owned(), item.json(false));
        let fields = |more: Value| {
            let mut fields = json!({ "item_id": id, "output_index": at });
            if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
                fields.extend(more);
            }
            fields
        };
        match item {
            Item::Reasoning { text, .. } => {
                let part = json!({ "type": "summary_text", "text": text });
                let done = fields(json!({ "summary_index": 0, "text": text }));
                let part = fields(json!({ "summary_index": 0, "part": part }));
                self.event("response.reasoning_summary_text.done", done, out);
                self.event("response.reasoning_summary_part.done", part, out);
            }
            Item::Message { text, logprobs, .. } => {
                let done =
                    fields(json!({ "content_index": 0, "text": text, "logprobs": logprobs }));
                let part = fields(json!({ "content_index": 0, "part": item.part() }));
                self.event("response.output_text.done", done, out);
                self.event("response.content_part.done", part, out);
            }
            Item::Call {
                name, arguments, ..
            } => {
                let done = fields(json!({ "name": name, "arguments": arguments }));
                self.event("response.function_call_arguments.done", done, out);
            }
            Item::Image { .. } => {}
        }
        let fields = json!({ "output_index": at, "item": whole });
        self.event("response.output_item.done", fields, out);
    }

    /// Ends the item that takes reasoning or text.
    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(at) = self.open.take() {
            self.finish(at, out);
        }
    }

    fn reasoning(&mut self, out: &mut Vec<u8>) -> usize {
        if let Some(at) = self.open
            && matches!(self.report.items[at], Item::Reasoning { .. })
        {
            return at;
        }
        self.close(out);
        let at = self.add(Item::reasoning(), out);
        let part = json!({ "type": "summary_text", "text": "" });
        let id = self.report.items[at].id();
        let fields = json!({ "item_id": id, "output_index": at, "summary_index": 0, "part": part });
        self.event("response.reasoning_summary_part.added", fields, out);
        self.open = Some(at);
        at
    }

    fn message(&mut self, out: &mut Vec<u8>) -> usize {
        if let Some(at) = self.open
            && matches!(self.report.items[at], Item::Message { .. })
        {
            return at;
        }
        self.close(out);
        let at = self.add(Item::message(), out);
        let item = &self.report.items[at];
        let fields = json!({ "item_id": item.id(), "output_index": at, "content_index": 0, "part": item.part() });
        self.event("response.content_part.added", fields, out);
        self.open = Some(at);
        at
    }

    fn say(&mut self, piece: &str, out: &mut Vec<u8>) {
        let at = self.message(out);
        if let Item::Message { text, .. } = &mut self.report.items[at] {
            text.push_str(piece);
        }
        let place = "\"content_index\":0,\"logprobs\":[],";
        self.delta("response.output_text.delta", at, place, piece, out);
    }

    fn tell(&mut self, event: ChatEvent, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Text(piece) => self.say(&piece, out),
            ChatEvent::Reasoning(piece) => {
                let at = self.reasoning(out);
                if let Item::Reasoning { text, .. } = &mut self.report.items[at] {
                    text.push_str(&piece);
                }
                let kind = "response.reasoning_summary_text.delta";
                self.delta(kind, at, "\"summary_index\":0,", &piece, out);
            }
            ChatEvent::ReasoningSignature(piece) => {
                let at = self.reasoning(out);
                if let Item::Reasoning { signature, .. } = &mut self.report.items[at] {
                    signature.get_or_insert_default().push_str(&piece);
                }
            }
            ChatEvent::ToolCall {
                index, id, name, ..
            } => {
                self.close(out);
                let at = self.add(Item::call(id, name), out);
                self.calls.push((index, at));
            }
            ChatEvent::ToolArguments { index, text } => {
                let call = self.calls.iter().find(|(call, _)| *call == index);
                let Some(&(_, at)) = call else { return };
                if let Item::Call { arguments, .. } = &mut self.report.items[at] {
                    arguments.push_str(&text);
                }
                let kind = "response.function_call_arguments.delta";
                self.delta(kind, at, "", &text, out);
            }
            ChatEvent::Logprobs(piece) => {
                let at = self.message(out);
                if let Item::Message { logprobs, .. } = &mut self.report.items[at] {
                    logprobs.extend(super::super::completions::entries(piece));
                }
            }
            ChatEvent::File(file) => match Item::image(&file) {
                Some(image) => {
                    self.close(out);
                    let at = self.add(image, out);
                    self.finish(at, out);
                }
                None => self.say(&files::link(&file), out),
            },
            ChatEvent::Usage(usage) => self.report.usage = Some(usage),
            ChatEvent::Finish(_) => {}
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        for (_, at) in std::mem::take(&mut self.calls) {
            self.finish(at, out);
        }
    }

    async fn end(&mut self, reason: &FinishReason, out: &mut Vec<u8>) {
        if self.report.items.is_empty() {
            self.message(out);
        }
        self.close_all(out);
        let response = self.report.ended(reason).await;
        let kind = match response["status"] == "completed" {
            true => "response.completed",
            false => "response.incomplete",
        };
        self.event(kind, json!({ "response": response }), out);
    }

    fn fail(&mut self, e: ModelError, out: &mut Vec<u8>) {
        tracing::debug!(provider.id = %e.provider, error = %e, "an answer broke off");
        let error = OpenAiError::from(e);
        let response = self.report.failed(error.code(), error.message());
        self.event("response.failed", json!({ "response": response }), out);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use nodetool_sdk::models::{ChatRequest, ModelErrorKind};

    use super::super::super::begin::{begin, tests::playing};
    use super::super::super::usage::Estimate;
    use super::*;

    async fn events(events: Vec<Result<ChatEvent, ModelError>>) -> Vec<Value> {
        let begun = begin(playing(events)).await.unwrap();
        let echo = json!({ "id": "resp_1", "status": "in_progress" });
        let report = Report::new(
            echo.as_object().unwrap().clone(),
            Estimate::of(&ChatRequest::default()),
        );
        let body = to_bytes(response(begun, report).into_body(), usize::MAX).await;
        let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
        let events = text.split_terminator("\n\n").enumerate();
        events
            .map(|(i, event)| {
                let (kind, data) = event.split_once('\n').unwrap();
                let data: Value =
                    serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                assert_eq!(kind.strip_prefix("event: ").unwrap(), data["type"]);
                assert_eq!(data["sequence_number"], i);
                data
            })
            .collect()
    }

    fn kinds(events: &[Value]) -> Vec<&str> {
        let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
        kinds
            .map(|kind| kind.strip_prefix("response.").unwrap())
            .collect()
    }

    #[tokio::test]
    async fn items_begin_grow_and_end_in_order() {
        let call = |index, id: &str| {
            Ok(ChatEvent::ToolCall {
                index,
                id: id.into(),
                name: "f".into(),
                signature: None,
            })
        };
        let arguments = |index, text: &str| {
            Ok(ChatEvent::ToolArguments {
                index,
                text: text.into(),
            })
        };
        let told = events(vec![
            Ok(ChatEvent::Reasoning("hm".into())),
            Ok(ChatEvent::Text("a\"".into())),
            Ok(ChatEvent::Text("b".into())),
            call(0, "c0"),
            call(1, "c1"),
            arguments(1, "{}"),
            arguments(0, "{\"x\":1}"),
            Ok(ChatEvent::Finish(FinishReason::ToolCalls)),
        ])
        .await;
        assert_eq!(
            kinds(&told),
            [
                "created",
                "in_progress",
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "output_item.done",
                "output_item.added",
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
                "function_call_arguments.done",
                "output_item.done",
                "completed",
            ]
        );
        let output = &told.last().unwrap()["response"]["output"];
        assert_eq!(output[1]["content"][0]["text"], "a\"b");
        assert_eq!(output[2]["arguments"], "{\"x\":1}");
        assert_eq!(output[3]["arguments"], "{}");
        assert_eq!(told[10]["delta"], "a\"");
        assert_eq!(told[10]["item_id"], output[1]["id"]);
        assert_eq!(told[17]["output_index"], 3);
        assert_eq!(told[23]["response"]["status"], "completed");
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_is_incomplete_and_one_that_breaks_off_has_failed() {
        let told = events(vec![
            Ok(ChatEvent::Text("a".into())),
            Ok(ChatEvent::Finish(FinishReason::Length)),
        ])
        .await;
        let last = told.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(
            last["response"]["incomplete_details"]["reason"],
            "max_output_tokens"
        );
        let failed = ModelError::new(ModelErrorKind::Server, "p", "on fire");
        let told = events(vec![Ok(ChatEvent::Text("a".into())), Err(failed)]).await;
        let last = told.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["error"]["message"], "on fire");
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], "a");
    }
}
