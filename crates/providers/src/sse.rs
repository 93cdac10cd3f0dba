//! Server-sent events and lines of JSON, however the network cut them.
//!
//! Pieces may end anywhere, in the middle of a character too: only whole lines are read as text.

use bytes::Bytes;

/// Most bytes of a line. A picture comes as one line of base64.
const MAX_LINE: usize = 64 << 20;

/// Something no stream of events has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadStream {
    /// A line without an end.
    TooLong,
    /// Bytes that are no UTF-8.
    NotText,
}

/// Cuts bytes into lines. `\n`, `\r\n` and `\r` end one.
#[derive(Default)]
pub(crate) struct Lines {
    pending: Vec<u8>,
    /// How much of `pending` has no line end.
    searched: usize,
    /// A `\r` was the last byte: a `\n` that follows belongs to it.
    after_return: bool,
}

impl Lines {
    /// Adds what came and gives the lines that are whole now.
    pub(crate) fn push(&mut self, piece: &Bytes) -> Result<Vec<String>, BadStream> {
        let mut piece = &piece[..];
        if self.after_return && !piece.is_empty() {
            self.after_return = false;
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        self.pending.extend_from_slice(piece);
        let mut lines = Vec::new();
        let mut start = 0;
        let mut at = self.searched;
        while let Some(found) = self.pending[at..]
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r'))
        {
            let end = at + found;
            let line = std::str::from_utf8(&self.pending[start..end]);
            lines.push(line.map_err(|_| BadStream::NotText)?.to_owned());
            at = end + 1;
            if self.pending[end] == b'\r' {
                match self.pending.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            start = at;
        }
        self.pending.drain(..start);
        self.searched = self.pending.len();
        if self.pending.len() > MAX_LINE {
            return Err(BadStream::TooLong);
        }
        Ok(lines)
    }

    /// The line that had no end when the stream ended.
    pub(crate) fn rest(&mut self) -> Result<Option<String>, BadStream> {
        let rest = std::mem::take(&mut self.pending);
        self.searched = 0;
        if rest.is_empty() {
            return Ok(None);
        }
        String::from_utf8(rest)
            .map(Some)
            .map_err(|_| BadStream::NotText)
    }
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; empty when it has none.
    pub(crate) name: String,
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// Puts lines together to events.
#[derive(Default)]
pub(crate) struct Events {
    lines: Lines,
    event: Event,
    has_data: bool,
    begun: bool,
}

impl Events {
    /// Adds what came and gives the events that are whole now.
    pub(crate) fn push(&mut self, piece: &Bytes) -> Result<Vec<Event>, BadStream> {
        let mut events = Vec::new();
        for line in self.lines.push(piece)? {
            events.extend(self.line(&line)?);
        }
        Ok(events)
    }

    /// The event that had no empty line behind it when the stream ended; some servers leave it out.
    pub(crate) fn rest(&mut self) -> Result<Option<Event>, BadStream> {
        if let Some(line) = self.lines.rest()? {
            self.line(&line)?;
        }
        self.line("")
    }

    fn line(&mut self, line: &str) -> Result<Option<Event>, BadStream> {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok(std::mem::take(&mut self.has_data).then_some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.event.data.len() + value.len() > MAX_LINE {
                    return Err(BadStream::TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, ids and pauses say nothing about an answer.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> Vec<Event> {
        let mut events = Events::default();
        let mut got = Vec::new();
        for piece in pieces {
            got.extend(events.push(&Bytes::copy_from_slice(piece)).unwrap());
        }
        got.extend(events.rest().unwrap());
        got
    }

    #[test]
    fn events_have_names_and_lines_of_data() {
        let stream =
            "\u{feff}: hello\n\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\nid: 7\rdata: 3\r\rdata: 4";
        let named = |name: &str, data: &str| Event {
            name: name.into(),
            data: data.into(),
        };
        let expected = [named("a", "1\n2"), named("", "3"), named("", "4")];
        assert_eq!(all(&[stream.as_bytes()]), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut events = Events::default();
        let bad = Bytes::from_static(b"data: \xff\n\n");
        assert_eq!(events.push(&bad), Err(BadStream::NotText));
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_does_not_matter(
            texts in proptest::collection::vec("[a-zäß€😀\\{\\} ]{0,12}", 1..6),
            end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let stream: String = texts.iter().map(|t| format!("data: {t}{end}{end}")).collect();
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let got: Vec<String> = all(&pieces).into_iter().map(|e| e.data).collect();
            prop_assert_eq!(got, texts);
        }
    }
}
