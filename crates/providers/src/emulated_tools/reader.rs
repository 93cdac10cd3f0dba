//! Reads an answer as it comes: text flows on at once, and only what may be a call is held back until it is known.

use nodetool_sdk::models::ToolSpec;

use super::call_text;

/// Most bytes that are held back.
const MOST_HELD: usize = 256 << 10;

/// Most blanks before a call in its line.
const MOST_INDENT: usize = 64;

const FENCE: &str = "```";
const TAG: &str = "<tool_call>";
const END_TAG: &str = "</tool_call>";

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Text of the answer.
    Text(String),
    /// A call: the tool and the JSON text of its arguments.
    Call {
        /// The tool.
        name: String,
        /// JSON text.
        arguments: String,
    },
}

/// Reads an answer that comes in pieces. Where they are cut does not matter.
pub(crate) struct Reader {
    tools: Vec<ToolSpec>,
    pending: String,
    /// How much of `pending` is decided.
    decided: usize,
    place: Place,
}

enum Place {
    /// At the beginning of a line, where a call may begin.
    LineStart,
    /// Behind a call: blanks that follow belong to nothing.
    AfterCall,
    /// Within a line of text.
    Text,
    /// Within something that may be a call.
    Held(Scan),
}

/// What the beginning of a line may be.
enum Begin {
    Text,
    Held(Closing),
    /// Too short to say.
    Open,
}

impl Reader {
    /// A reader that knows these tools.
    pub(crate) fn new(tools: Vec<ToolSpec>) -> Self {
        Reader {
            tools,
            pending: String::new(),
            decided: 0,
            place: Place::LineStart,
        }
    }

    /// Adds a piece and gives what is decided now.
    pub(crate) fn push(&mut self, piece: &str) -> Vec<Read> {
        self.pending.push_str(piece);
        let mut read = Vec::new();
        while self.step(&mut read) {}
        self.pending.drain(..self.decided);
        self.decided = 0;
        read
    }

    /// What was held back when the answer ended.
    pub(crate) fn finish(&mut self) -> Vec<Read> {
        let rest = std::mem::take(&mut self.pending);
        let mut read = Vec::new();
        match &self.place {
            Place::Held(_) => self.decide(&rest, &mut read),
            Place::AfterCall => text(rest.trim_start(), &mut read),
            Place::LineStart | Place::Text => text(&rest, &mut read),
        }
        self.place = Place::LineStart;
        read
    }

    /// Decides on the next part of what is pending; false when more has to come first.
    fn step(&mut self, read: &mut Vec<Read>) -> bool {
        let rest = &self.pending[self.decided..];
        match &mut self.place {
            Place::AfterCall => {
                let blank = rest.len() - rest.trim_start().len();
                self.decided += blank;
                if blank < rest.len() {
                    self.place = Place::LineStart;
                }
                blank < rest.len()
            }
            Place::LineStart => {
                let indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                match begin(&rest[indent..], &self.tools) {
                    Begin::Open if indent <= MOST_INDENT => return false,
                    Begin::Held(closing) if indent <= MOST_INDENT => {
                        self.place = Place::Held(Scan::new(closing, indent));
                    }
                    _ => self.place = Place::Text,
                }
                true
            }
            Place::Text => {
                let end = rest.find('\n').map(|at| at + 1);
                let line = &rest[..end.unwrap_or(rest.len())];
                text(line, read);
                self.decided += line.len();
                if end.is_some() {
                    self.place = Place::LineStart;
                }
                end.is_some()
            }
            Place::Held(scan) => {
                let end = scan.end(rest);
                let end = end.or((rest.len() > MOST_HELD).then_some(rest.len()));
                let Some(end) = end else { return false };
                let held = rest[..end].to_owned();
                self.decided += end;
                self.decide(&held, read);
                true
            }
        }
    }

    fn decide(&mut self, held: &str, read: &mut Vec<Read>) {
        match call_text::parse(held, &self.tools) {
            Some(calls) => {
                let calls = calls.into_iter();
                read.extend(calls.map(|(name, arguments)| Read::Call { name, arguments }));
                self.place = Place::AfterCall;
            }
            None => {
                text(held, read);
                self.place = Place::Text;
            }
        }
    }
}

fn text(piece: &str, read: &mut Vec<Read>) {
    match read.last_mut() {
        _ if piece.is_empty() => {}
        Some(Read::Text(before)) => before.push_str(piece),
        _ => read.push(Read::Text(piece.to_owned())),
    }
}

fn begin(line: &str, tools: &[ToolSpec]) -> Begin {
    let open = |sign: &str| sign.len() > line.len() && sign.starts_with(line);
    if line.is_empty() || open(FENCE) || open(TAG) {
        return Begin::Open;
    }
    if line.starts_with(FENCE) {
        return Begin::Held(Closing::Fence);
    }
    if line.starts_with(TAG) {
        return Begin::Held(Closing::Tag);
    }
    if line.starts_with(['{', '[']) {
        return Begin::Held(Closing::Bracket);
    }
    let mut names = tools.iter().map(|tool| tool.name.as_str());
    if names.clone().any(|name| line == name || open(name)) {
        return Begin::Open;
    }
    match names.any(|name| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('('))
    }) {
        true => Begin::Held(Closing::Bracket),
        false => Begin::Text,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    Bracket,
    Fence,
    Tag,
}

/// Looks for the end of what is held, each byte once.
struct Scan {
    closing: Closing,
    /// Where to go on.
    at: usize,
    depth: usize,
    quote: Option<u8>,
    escaped: bool,
    /// The last byte that was no blank.
    before: u8,
}

impl Scan {
    fn new(closing: Closing, at: usize) -> Self {
        let at = match closing {
            Closing::Bracket => at,
            Closing::Fence => at + FENCE.len(),
            Closing::Tag => at + TAG.len(),
        };
        Scan {
            closing,
            at,
            depth: 0,
            quote: None,
            escaped: false,
            before: b' ',
        }
    }

    /// Where it ends, if the end has come.
    fn end(&mut self, held: &str) -> Option<usize> {
        let sign = match self.closing {
            Closing::Bracket => return self.bracket(held.as_bytes()),
            Closing::Fence => FENCE,
            Closing::Tag => END_TAG,
        };
        let end = find(held.as_bytes(), sign.as_bytes(), self.at);
        // The beginning of the sign may be there already.
        self.at = self.at.max((held.len() + 1).saturating_sub(sign.len()));
        end
    }

    fn bracket(&mut self, held: &[u8]) -> Option<usize> {
        while let Some(byte) = held.get(self.at).copied() {
            self.at += 1;
            if let Some(quote) = self.quote {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    _ if byte == quote => self.quote = None,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.quote = Some(byte),
                // Behind anything else it is an apostrophe.
                b'\'' if b"=,([{:".contains(&self.before) => self.quote = Some(byte),
                b'(' | b'[' | b'{' => self.depth += 1,
                b')' | b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                self.before = byte;
            }
        }
        None
    }
}

fn find(held: &[u8], sign: &[u8], from: usize) -> Option<usize> {
    let found = held
        .get(from..)?
        .windows(sign.len())
        .position(|w| w == sign);
    found.map(|at| from + at + sign.len())
}
