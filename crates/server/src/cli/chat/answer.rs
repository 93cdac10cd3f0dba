//! One answer: asked for, shown as it comes, stopped by Ctrl-C.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use nodetool_protocol::{Map, Value};
use reqwest::Method;

use super::conversation::Conversation;
use super::object;
use crate::cli::client::{Ask, Client, Lines};

/// What is asked of whom.
pub(super) struct Asking {
    pub(super) model: Option<String>,
    pub(super) temperature: Option<f64>,
    pub(super) max_tokens: Option<u32>,
}

/// How an answer is shown.
#[derive(Clone, Copy)]
pub(super) struct Looks {
    reasoning: bool,
    colours: bool,
}

impl Looks {
    pub(super) fn of(quiet: bool) -> Self {
        Looks {
            reasoning: !quiet && std::io::stderr().is_terminal(),
            colours: std::io::stderr().is_terminal(),
        }
    }
}

/// What came.
pub(super) enum Answered {
    Whole(String),
    /// As far as it came before Ctrl-C.
    Stopped(String),
}

/// The ids of the server's models.
pub(super) async fn models(client: &Client) -> anyhow::Result<Vec<String>> {
    let list = client.get(&["v1", "models"], &[]).await?;
    let data = list
        .get("data")
        .and_then(Value::as_list)
        .unwrap_or_default();
    let name = |model: &Value| {
        let id = model.get("id")?.as_str()?;
        match model.get("owned_by").and_then(Value::as_str) {
            Some(owner) if !id.starts_with(&format!("{owner}/")) => Some(format!("{owner}/{id}")),
            _ => Some(id.to_owned()),
        }
    };
    Ok(data.iter().filter_map(name).collect())
}

/// Asks for an answer and shows it: its text on standard output, everything else on standard error.
pub(super) async fn ask(
    client: &Client,
    asking: &Asking,
    conversation: &Conversation,
    looks: Looks,
) -> anyhow::Result<Answered> {
    let mut shown = Shown {
        looks,
        text: String::new(),
        thinking: false,
    };
    let ended = {
        let answer = stream(client, asking, conversation, &mut shown);
        tokio::select! {
            result = answer => Some(result),
            // What is dropped closes the connection, and the server stops the model.
            _ = tokio::signal::ctrl_c() => None,
        }
    };
    shown.end()?;
    if let Some(result) = ended {
        result?;
    } else {
        eprintln!("(stopped)");
        return Ok(Answered::Stopped(shown.text));
    }
    Ok(Answered::Whole(shown.text))
}

async fn stream(
    client: &Client,
    asking: &Asking,
    conversation: &Conversation,
    shown: &mut Shown,
) -> anyhow::Result<()> {
    let mut body = Map::new();
    let model = asking.model.as_deref().unwrap_or("default");
    body.insert("model".into(), model.into());
    body.insert("messages".into(), conversation.messages());
    body.insert("stream".into(), true.into());
    if let Some(temperature) = asking.temperature {
        body.insert("temperature".into(), temperature.into());
    }
    if let Some(most) = asking.max_tokens {
        body.insert("max_tokens".into(), i64::from(most).into());
    }
    let usage = object([("include_usage", true.into())]);
    body.insert("stream_options".into(), usage);
    let path = ["v1", "chat", "completions"];
    let ask = Ask {
        about: "",
        ..Ask::new(Method::POST, &path)
    };
    let response = client.open(ask.json(&Value::from(body))?).await?;
    let mut lines = Lines::new(response);
    while let Some(line) = lines.next().await? {
        let Some(data) = line.strip_prefix(b"data:") else {
            continue;
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            return Ok(());
        }
        let chunk: Value = serde_json::from_slice(data)?;
        // Ours says it beside the text that other clients show; servers of other makes say it instead.
        let told = chunk
            .get("failure")
            .or_else(|| chunk.get("error")?.get("message"));
        if let Some(told) = told.and_then(Value::as_str) {
            bail!("{}", calm(told));
        }
        shown.chunk(&chunk)?;
    }
    bail!("the answer broke off")
}

struct Shown {
    looks: Looks,
    text: String,
    /// Reasoning was shown last.
    thinking: bool,
}

impl Shown {
    fn chunk(&mut self, chunk: &Value) -> std::io::Result<()> {
        let choices = chunk.get("choices").and_then(Value::as_list);
        let Some(delta) = choices.and_then(|c| c.first()?.get("delta")) else {
            return Ok(());
        };
        let piece = |key: &str| {
            delta
                .get(key)
                .and_then(Value::as_str)
                .filter(|p| !p.is_empty())
        };
        if let Some(thought) = piece("reasoning_content").filter(|_| self.looks.reasoning) {
            let mut err = std::io::stderr().lock();
            if !std::mem::replace(&mut self.thinking, true) && self.looks.colours {
                write!(err, "\x1b[2m")?;
            }
            write!(err, "{}", calm(thought))?;
            err.flush()?;
        }
        if let Some(text) = piece("content") {
            self.end_thought()?;
            self.text.push_str(text);
            let mut out = std::io::stdout().lock();
            write!(out, "{}", calm(text))?;
            out.flush()?;
        }
        Ok(())
    }

    fn end_thought(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.thinking) {
            let reset = if self.looks.colours { "\x1b[0m" } else { "" };
            writeln!(std::io::stderr(), "{reset}")?;
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.end_thought()?;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            writeln!(std::io::stdout())?;
        }
        Ok(())
    }
}

/// Text of a model, which must not steer the terminal.
fn calm(text: &str) -> String {
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(kept).collect()
}
