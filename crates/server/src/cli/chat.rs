//! `nodetool chat`: a conversation with a model in the terminal, through any server that speaks `/v1`.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::Value;

use super::client::{Client, plain};
use super::reach::{EXIT_INTERRUPTED, Reach};
use crate::extensions::Extension;

mod answer;
mod conversation;
mod prompt;

use answer::{Answered, Asking, Looks};
use conversation::Conversation;
use prompt::{Line, Prompt};

/// Most bytes of what is piped in.
const MOST_PIPED: u64 = 4 << 20;

/// Talk to a model
#[derive(Debug, clap::Args)]
#[command(
    after_help = "While talking: /help lists the commands, Ctrl-C stops an answer, Ctrl-D ends the conversation.\nWithout a model set up, `local/echo` says back what it is told."
)]
pub(super) struct Chat {
    /// What to say; without it, a conversation begins. Text on standard input is added to it
    message: Vec<String>,
    /// Model, as `nodetool chat --models` lists them; the server's default when absent
    #[arg(long, short, value_name = "MODEL", env = "NODETOOL_CHAT_MODEL")]
    model: Option<String>,
    /// Provider of the model, where its name does not tell
    #[arg(long, short, value_name = "ID")]
    provider: Option<String>,
    /// What the model is told before anything else
    #[arg(long, short, value_name = "TEXT")]
    system: Option<String>,
    /// Picture for the first message (repeatable)
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// 0 for the likeliest words, up to 2 for unlikely ones
    #[arg(long, value_name = "NUMBER")]
    temperature: Option<f64>,
    /// Most tokens of an answer
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u32>,
    /// List the models and end
    #[arg(long, conflicts_with_all = ["message", "image"])]
    models: bool,
    /// Print only the answer, without its reasoning
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Chat {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        self.reach
            .run_until_done(extensions, async |client| self.talk(client).await)
    }

    async fn talk(&self, client: &Client) -> anyhow::Result<ExitCode> {
        if self.models {
            for id in answer::models(client).await? {
                writeln!(std::io::stdout(), "{}", plain(&id))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut asking = Asking {
            model: self.model(),
            temperature: self.temperature,
            max_tokens: self.max_tokens,
        };
        let mut conversation = Conversation::new(self.system.clone());
        for picture in &self.image {
            conversation.attach(picture)?;
        }
        let said = self.said()?;
        if let Some(said) = said {
            conversation.say(&said);
            let looks = Looks::of(self.quiet);
            return match answer::ask(client, &asking, &conversation, looks).await? {
                Answered::Whole(_) => Ok(ExitCode::SUCCESS),
                Answered::Stopped(_) => Ok(ExitCode::from(EXIT_INTERRUPTED)),
            };
        }
        self.converse(client, &mut asking, conversation).await
    }

    /// `provider/model` where both are named.
    fn model(&self) -> Option<String> {
        match (&self.provider, &self.model) {
            (Some(provider), Some(model)) => Some(format!("{provider}/{model}")),
            (_, model) => model.clone(),
        }
    }

    /// The message of the command line with what is piped in; nothing when a person sits there.
    fn said(&self) -> anyhow::Result<Option<String>> {
        let mut said = self.message.join(" ");
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            let mut piped = String::new();
            let mut input = stdin.lock().take(MOST_PIPED + 1);
            input
                .read_to_string(&mut piped)
                .context("standard input is no text")?;
            if piped.len() as u64 > MOST_PIPED {
                bail!("standard input has more than {} MiB", MOST_PIPED >> 20);
            }
            if !piped.trim().is_empty() {
                if !said.is_empty() {
                    said.push_str("\n\n");
                }
                said.push_str(&piped);
            }
            if said.trim().is_empty() {
                bail!("nothing to say: give a message, or use a terminal for a conversation");
            }
        }
        Ok(Some(said).filter(|said| !said.trim().is_empty()))
    }

    async fn converse(
        &self,
        client: &Client,
        asking: &mut Asking,
        mut conversation: Conversation,
    ) -> anyhow::Result<ExitCode> {
        let model = asking
            .model
            .as_deref()
            .unwrap_or("the server's default model");
        eprintln!(
            "Talking to {}. /help lists the commands; Ctrl-D ends.",
            plain(model)
        );
        let mut prompt = Prompt::new();
        loop {
            let line = match prompt.line().await? {
                Line::Said(line) => line,
                Line::Interrupted => continue,
                Line::End => return Ok(ExitCode::SUCCESS),
            };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(command) = line.strip_prefix('/') {
                match self.obey(command, client, asking, &mut conversation).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(ExitCode::SUCCESS),
                    Err(e) => eprintln!("{e:#}"),
                }
                continue;
            }
            conversation.say(line);
            match answer::ask(client, asking, &conversation, Looks::of(self.quiet)).await {
                Ok(Answered::Whole(text) | Answered::Stopped(text)) => conversation.hear(&text),
                Err(e) => {
                    eprintln!("{e:#}");
                    conversation.take_back();
                }
            }
        }
    }

    /// Carries out a command; false to end.
    async fn obey(
        &self,
        command: &str,
        client: &Client,
        asking: &mut Asking,
        conversation: &mut Conversation,
    ) -> anyhow::Result<bool> {
        let (name, rest) = command
            .split_once(char::is_whitespace)
            .unwrap_or((command, ""));
        let rest = rest.trim();
        match name {
            "help" | "?" => eprintln!(
                "/model NAME    talk to another model; without a name, which one it is\n\
                 /models        list the models\n\
                 /system TEXT   what the model is told first; without a text, nothing\n\
                 /image FILE    add a picture to the next message\n\
                 /clear         begin anew\n\
                 /undo          take back the last message and its answer\n\
                 /save FILE     write the conversation to a file as Markdown\n\
                 /quit          end"
            ),
            "model" if rest.is_empty() => {
                let model = asking.model.as_deref().unwrap_or("the server's default");
                eprintln!("{}", plain(model));
            }
            "model" => asking.model = Some(rest.to_owned()),
            "models" => {
                for id in answer::models(client).await? {
                    eprintln!("{}", plain(&id));
                }
            }
            "system" => conversation.system(rest),
            "image" => {
                conversation.attach(Path::new(rest))?;
                eprintln!("it goes with the next message");
            }
            "clear" => conversation.clear(),
            "undo" => conversation.take_back(),
            "save" if rest.is_empty() => bail!("/save wants the name of a file"),
            "save" => {
                let written = conversation.to_markdown();
                let mut file = std::fs::File::create_new(rest)
                    .with_context(|| format!("cannot write {rest}"))?;
                file.write_all(written.as_bytes())?;
                eprintln!("saved to {rest}");
            }
            "quit" | "exit" | "q" => return Ok(false),
            _ => bail!("there is no /{}; /help lists the commands", plain(name)),
        }
        Ok(true)
    }
}

/// A JSON object of some members.
fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::map(members)
}
