//! Lines a person types, with what was typed before at hand.

use anyhow::Context;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

/// What a person did.
pub(super) enum Line {
    Said(String),
    /// Ctrl-C: the line is not meant.
    Interrupted,
    /// Ctrl-D.
    End,
}

/// The editor; elsewhere while somebody types, because reading blocks.
pub(super) struct Prompt(Option<DefaultEditor>);

impl Prompt {
    pub(super) fn new() -> Self {
        Prompt(None)
    }

    /// The next line. A line that ends in `\` goes on in the next.
    pub(super) async fn line(&mut self) -> anyhow::Result<Line> {
        let editor = match self.0.take() {
            Some(editor) => editor,
            None => DefaultEditor::new().context("cannot read from this terminal")?,
        };
        let reading = tokio::task::spawn_blocking(move || read(editor));
        let (editor, line) = reading.await.context("the reader of lines failed")?;
        self.0 = Some(editor);
        line
    }
}

fn read(mut editor: DefaultEditor) -> (DefaultEditor, anyhow::Result<Line>) {
    let mut said = String::new();
    loop {
        let prompt = if said.is_empty() { "> " } else { "… " };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => return (editor, Ok(Line::Interrupted)),
            Err(ReadlineError::Eof) => return (editor, Ok(Line::End)),
            Err(e) => return (editor, Err(e.into())),
        };
        match line.strip_suffix('\\') {
            Some(begun) => {
                said.push_str(begun);
                said.push('\n');
            }
            None => {
                said.push_str(&line);
                break;
            }
        }
    }
    // Without it the line is only harder to find again.
    let _ = editor.add_history_entry(said.as_str());
    (editor, Ok(Line::Said(said)))
}
