//! What was said so far, as the server wants to read it.

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::Value;

use super::object;

/// Largest picture.
const MOST: u64 = 20 << 20;

enum Turn {
    Said { text: String, pictures: Vec<String> },
    Heard(String),
}

pub(super) struct Conversation {
    system: Option<String>,
    turns: Vec<Turn>,
    /// Data URIs of pictures for the next message.
    attached: Vec<String>,
}

impl Conversation {
    pub(super) fn new(system: Option<String>) -> Self {
        Conversation {
            system,
            turns: Vec::new(),
            attached: Vec::new(),
        }
    }

    pub(super) fn system(&mut self, text: &str) {
        self.system = Some(text.to_owned()).filter(|text| !text.is_empty());
    }

    /// Adds a picture to the next message.
    pub(super) fn attach(&mut self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        let about = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
        if !about.is_file() || about.len() > MOST {
            bail!("{shown} is no file of up to {} MiB", MOST >> 20);
        }
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let format = image::guess_format(&bytes)
            .with_context(|| format!("{shown} is no picture of a known format"))?;
        let mime = format.to_mime_type();
        let data = STANDARD.encode(bytes);
        self.attached.push(format!("data:{mime};base64,{data}"));
        Ok(())
    }

    pub(super) fn say(&mut self, text: &str) {
        self.turns.push(Turn::Said {
            text: text.to_owned(),
            pictures: std::mem::take(&mut self.attached),
        });
    }

    pub(super) fn hear(&mut self, text: &str) {
        self.turns.push(Turn::Heard(text.to_owned()));
    }

    /// Forgets the last message and what was answered.
    pub(super) fn take_back(&mut self) {
        while let Some(Turn::Heard(_)) = self.turns.pop() {}
    }

    pub(super) fn clear(&mut self) {
        self.turns.clear();
        self.attached.clear();
    }

    /// The messages of a request.
    pub(super) fn messages(&self) -> Value {
        let message = |role: &'static str, content: Value| {
            object([("role", role.into()), ("content", content)])
        };
        let system = self.system.iter();
        let system = system.map(|text| message("system", text.as_str().into()));
        let turns = self.turns.iter().map(|turn| match turn {
            Turn::Heard(text) => message("assistant", text.as_str().into()),
            Turn::Said { text, pictures } if pictures.is_empty() => {
                message("user", text.as_str().into())
            }
            Turn::Said { text, pictures } => {
                let text = object([("type", "text".into()), ("text", text.as_str().into())]);
                let pictures = pictures.iter().map(|uri| {
                    let url = object([("url", uri.as_str().into())]);
                    object([("type", "image_url".into()), ("image_url", url)])
                });
                let parts: Vec<Value> = std::iter::once(text).chain(pictures).collect();
                message("user", Value::from(parts))
            }
        });
        Value::from(system.chain(turns).collect::<Vec<_>>())
    }

    /// The conversation for people.
    pub(super) fn to_markdown(&self) -> String {
        let mut written = String::new();
        let mut section = |title: &str, text: &str| {
            written.push_str(&format!("## {title}\n\n{}\n\n", text.trim()));
        };
        if let Some(system) = &self.system {
            section("System", system);
        }
        for turn in &self.turns {
            match turn {
                Turn::Said { text, .. } => section("You", text),
                Turn::Heard(text) => section("Model", text),
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_back_with_its_answer() {
        let mut conversation = Conversation::new(Some("Be brief.".into()));
        conversation.say("a");
        conversation.hear("b");
        conversation.say("c");
        conversation.take_back();
        let roles = |c: &Conversation| {
            let messages = c.messages();
            let list = messages.as_list().unwrap().to_vec();
            let role = |m: &Value| m.get("role").unwrap().as_str().unwrap().to_owned();
            list.iter().map(role).collect::<Vec<_>>()
        };
        assert_eq!(roles(&conversation), ["system", "user", "assistant"]);
        conversation.take_back();
        assert_eq!(roles(&conversation), ["system"]);
        conversation.take_back();
        assert_eq!(roles(&conversation), ["system"]);
    }

    #[test]
    fn pictures_go_with_the_next_message_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n0000").unwrap();
        let mut conversation = Conversation::new(None);
        conversation.attach(&path).unwrap();
        conversation.say("what is it?");
        conversation.say("and now?");
        let messages = conversation.messages();
        let messages = messages.as_list().unwrap();
        let parts = messages[0].get("content").unwrap().as_list().unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            messages[1].get("content").unwrap().as_str(),
            Some("and now?")
        );
        std::fs::write(&path, b"no picture").unwrap();
        assert!(conversation.attach(&path).is_err());
    }
}
