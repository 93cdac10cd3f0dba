//! A workflow watched from here: its nodes on the screen, its events in a pipe, its end as an exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nodetool_protocol::Value;
use tokio::time::MissedTickBehavior;

use super::board::{self, Board, End};
use crate::cli::client::{Client, Socket, plain};
use crate::cli::table;

/// Time between two drawings.
const REDRAW: Duration = Duration::from_millis(200);
/// Lines of the screen that are not for nodes: the run, the header, what was typed.
const OTHER_LINES: usize = 4;

/// How events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A table that is drawn anew.
    Screen,
    /// One line each.
    Lines,
    /// As they come: one JSON message each.
    Raw,
}

impl Way {
    /// The way for where standard output and standard error go.
    pub(super) fn of(json: bool) -> Self {
        if json {
            Way::Raw
        } else if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
            Way::Screen
        } else {
            Way::Lines
        }
    }
}

/// A workflow that is watched.
pub(super) struct Watch {
    name: String,
    socket: Socket,
    board: Board,
    way: Way,
    /// What came first, and how the run had ended by then.
    first: String,
    end: Option<End>,
}

impl Watch {
    /// Watches a workflow; what comes first is how it stands.
    pub(super) async fn open(client: &Client, id: &str, way: Way) -> anyhow::Result<Self> {
        // A route says better than a socket why something cannot be watched.
        let workflow = client.get(&["api", "workflow", id], &[]).await?;
        let mut socket = client.socket(&["ws", "workflow", id]).await?;
        let first = socket.next().await?;
        let mut board = Board::default();
        let end = board.take(&read(&first)?);
        Ok(Watch {
            name: plain(&table::cell(&workflow, "name")),
            socket,
            board,
            way,
            first,
            end,
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.board.is_idle()
    }

    /// What comes next is of a run that was just started; how another one ended says nothing of it.
    pub(super) fn expect_new(&mut self) {
        self.end = None;
    }

    /// Takes one message.
    async fn step(&mut self) -> anyhow::Result<Option<End>> {
        let text = self.socket.next().await?;
        let message = read(&text)?;
        self.tell(&text, &message)?;
        Ok(self.board.take(&message))
    }

    fn tell(&self, text: &str, message: &Value) -> std::io::Result<()> {
        match (self.way, board::line(message)) {
            (Way::Raw, _) => told(text),
            (Way::Lines, Some(line)) => told(&line),
            (Way::Lines, None) | (Way::Screen, _) => Ok(()),
        }
    }

    /// Follows the run to its end.
    pub(super) async fn follow(mut self) -> anyhow::Result<ExitCode> {
        self.tell(&self.first, &read(&self.first)?)?;
        let end = match self.end.take() {
            Some(end) => end,
            None if self.way == Way::Screen => self.on_screen().await?,
            None => loop {
                if let Some(end) = self.step().await? {
                    break end;
                }
            },
        };
        if self.way == Way::Screen {
            let (header, rows) = self.board.rows();
            let mut out = std::io::stdout().lock();
            table::print(&mut out, &header, rows)?;
            out.flush()?;
        }
        match end {
            End::Completed => {
                if self.way == Way::Screen {
                    eprintln!("{}", self.board.line());
                }
                Ok(ExitCode::SUCCESS)
            }
            End::Failed(error) => bail!("{error}"),
            End::Stopped => bail!("the workflow was stopped"),
        }
    }

    async fn on_screen(&mut self) -> anyhow::Result<End> {
        let screen = Screen::new();
        let mut tick = tokio::time::interval(REDRAW);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                end = self.step() => {
                    if let Some(end) = end? {
                        return Ok(end);
                    }
                }
                _ = tick.tick() => screen.draw(&self.name, &self.board),
            }
        }
    }
}

/// A part of the terminal that is drawn anew; what was drawn last goes away with it.
struct Screen(ProgressBar);

impl Screen {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Screen(bar)
    }

    fn draw(&self, name: &str, board: &Board) {
        let seconds = self.0.elapsed().as_secs();
        let (header, mut rows) = board.rows();
        let room = table::height().map_or(usize::MAX, usize::from);
        let room = room.saturating_sub(OTHER_LINES).max(1);
        let hidden = rows.len().saturating_sub(room);
        rows.truncate(room);
        let mut text = format!("{name}: {}, watched for {seconds} s\n", board.line());
        text.push_str(&table::fitting(&header, rows));
        if hidden > 0 {
            text.push_str(&format!("\nand {hidden} more nodes"));
        }
        self.0.set_message(text);
        self.0.tick();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// How a workflow stands, as its socket says first.
pub(super) async fn state(client: &Client, id: &str) -> anyhow::Result<Value> {
    let mut socket = client.socket(&["ws", "workflow", id]).await?;
    let message = read(&socket.next().await?)?;
    let state = message.get("state").cloned();
    state.context("the server did not say first how the workflow stands")
}

fn read(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).context("the server sent a message that is no JSON")
}

fn told(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}
