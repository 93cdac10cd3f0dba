//! `nodetool.input.MessageDeconstructor`.

use nodetool_sdk::{
    AudioRef, ImageRef, LanguageModel, Message, Node, NodeCx, NodeError, Outputs, Process, Value,
    ValueType,
};

/// Splits a chat message into its parts.
/// chat, message, split, text, image, audio, model
///
/// Of several texts, images or sounds the last one counts. A part that is not there leaves null.
#[derive(Node)]
#[node(namespace = "nodetool.input")]
pub(super) struct MessageDeconstructor {
    /// The message.
    value: Message,
}

/// The parts of a message.
#[derive(Outputs)]
pub(super) struct Parts {
    id: String,
    thread_id: String,
    role: String,
    text: String,
    image: Option<ImageRef>,
    audio: Option<AudioRef>,
    model: Option<LanguageModel>,
}

impl Process for MessageDeconstructor {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let message = self.value;
        let mut parts = Parts {
            id: message.text("id").to_owned(),
            thread_id: message.text("thread_id").to_owned(),
            role: message.text("role").to_owned(),
            text: String::new(),
            image: None,
            audio: None,
            model: model(message.text("provider"), message.text("model")),
        };
        match message.get("content") {
            Value::Str(text) => parts.text = text.to_string(),
            Value::List(list) => list.iter().for_each(|part| parts.add(part)),
            part => parts.add(&part),
        }
        Ok(parts)
    }
}

impl Parts {
    /// Takes one part of the content; kinds it has no slot for are left out.
    fn add(&mut self, part: &Value) {
        let member = |key: &str| part.get(key).filter(|v| v.as_map().is_some());
        let text = |of: Option<&Value>, key: &str| {
            Some(of?.get(key)?.as_str()?.to_owned()).filter(|s| !s.is_empty())
        };
        match part.type_tag() {
            Some("text") => {
                if let Some(t) = part.get("text").and_then(Value::as_str) {
                    self.text = t.to_owned();
                }
            }
            Some("image_url" | "image") => {
                if let Some(image) = member("image") {
                    self.image = Some(ImageRef(image.clone()));
                } else if let Some(url) = text(member("image_url"), "url") {
                    self.image = Some(ImageRef(at("image", url)));
                }
            }
            Some("audio") => {
                if let Some(audio) = member("audio") {
                    self.audio = Some(AudioRef(audio.clone()));
                }
            }
            Some("input_audio") => {
                let given = member("input_audio");
                if let Some(data) = text(given, "data") {
                    let format = text(given, "format").unwrap_or_else(|| "wav".into());
                    let uri = format!("data:audio/{format};base64,{data}");
                    self.audio = Some(AudioRef(at("audio", uri)));
                }
            }
            _ => {}
        }
    }
}

/// A reference of the type that says only where its content is.
fn at(tag: &'static str, uri: String) -> Value {
    with(
        crate::table::default_of(&nodetool_sdk::TypeMetadata::new(tag)),
        [("uri", uri)],
    )
}

fn model(provider: &str, id: &str) -> Option<LanguageModel> {
    if id.is_empty() {
        return None;
    }
    let mut model = with(
        LanguageModel::default().into_value(),
        [("id", id.to_owned())],
    );
    if !provider.is_empty() {
        model = with(model, [("provider", provider.to_owned())]);
    }
    Some(LanguageModel(model))
}

fn with<const N: usize>(object: Value, members: [(&str, String); N]) -> Value {
    let mut map = object.as_map().cloned().unwrap_or_default();
    for (key, text) in members {
        map.insert(key.into(), text.into());
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Map, testing::case};

    use super::*;

    async fn split(json: &str) -> Map {
        let message: Value = serde_json::from_str(json).unwrap();
        let given = case::<MessageDeconstructor>().set("value", message).run();
        given.await.unwrap().remove(0)
    }

    #[tokio::test]
    async fn the_last_part_of_each_kind_counts() {
        let parts = split(
            r#"{"type":"message","id":"m","thread_id":"t","role":"user","provider":"openai","model":"gpt","content":[
                {"type":"text","text":"one"},{"type":"image_url","image":{"type":"image","uri":"a"}},
                {"type":"text","text":"two"},{"type":"image_url","image_url":{"url":"b"}},
                {"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}},{"type":"thought","text":"no"},3]}"#,
        )
        .await;
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let of = |slot: &str, key: &str| text(parts[slot].get(key).unwrap());
        assert_eq!(text(&parts["id"]), "m");
        assert_eq!(text(&parts["thread_id"]), "t");
        assert_eq!(text(&parts["text"]), "two");
        assert_eq!(of("image", "uri"), "b");
        assert_eq!(of("audio", "uri"), "data:audio/mp3;base64,AA==");
        assert_eq!(of("model", "provider"), "openai");
        assert_eq!(of("model", "id"), "gpt");
    }

    #[tokio::test]
    async fn a_plain_text_message_has_text_and_nothing_else() {
        let parts = split(r#"{"type":"message","role":"user","content":"hi"}"#).await;
        assert_eq!(parts["text"].as_str(), Some("hi"));
        assert_eq!(parts["role"].as_str(), Some("user"));
        for slot in ["image", "audio", "model"] {
            assert!(parts[slot].is_null(), "{slot}");
        }
    }
}
