//! The text of a file: plain text, Markdown, HTML, PDF, docx, csv or JSON. What it is, its contents say first and its
//! name second.
//!
//! Files come from strangers: what is taken out of one is bounded, and a parser that breaks down takes nothing with it.
//! It must not know what the text is for.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod docx;
mod pdf;
mod plain;
mod structured;

/// Most text of a file, in bytes.
pub(super) const MAX_TEXT: usize = 24 << 20;

/// A part of a file that is cut by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Which page, from 1, in files that have pages.
    pub(super) page: Option<usize>,
    pub(super) text: String,
}

impl Section {
    fn whole(text: String) -> Vec<Section> {
        vec![Section { page: None, text }]
    }
}

/// Why there is no text of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{0} is neither text, Markdown, HTML, PDF, docx, csv nor JSON")]
    Unknown(String),
    #[error("{name} cannot be read as {kind}: {reason}")]
    Broken {
        name: String,
        kind: &'static str,
        reason: String,
    },
    #[error("{name} holds more than {MAX_TEXT} bytes of text")]
    TooLarge { name: String },
    #[error("{0} takes too long to read")]
    TooSlow(String),
    #[error("{0} holds no text")]
    Empty(String),
}

/// What a parser found wrong.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    TooLarge,
    Broken(String),
}

impl Fault {
    fn new(reason: impl std::fmt::Display) -> Self {
        Fault::Broken(reason.to_string())
    }
}

/// Text that grows up to its bound.
#[derive(Default)]
struct Room {
    text: String,
}

impl Room {
    fn push(&mut self, text: &str) -> Result<(), Fault> {
        if self.text.len() + text.len() > MAX_TEXT {
            return Err(Fault::TooLarge);
        }
        self.text.push_str(text);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pdf,
    Docx,
    Html,
    Csv,
    Tsv,
    Json,
    JsonLines,
    Text,
}

/// The text of a file. It takes as long as it takes, so it is not for threads that serve others.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Vec<Section>, ReadError> {
    let (kind, text) =
        recognized(name, bytes).ok_or_else(|| ReadError::Unknown(name.to_owned()))?;
    // Parsers of others may panic on what nobody has thought of; that is a fault of the file.
    let outcome = catch_unwind(AssertUnwindSafe(|| match kind {
        Kind::Pdf => pdf::read(bytes),
        Kind::Docx => docx::read(bytes).map(Section::whole),
        Kind::Html => match nodetool_nodes::page_text(&text) {
            Ok(text) => Ok(Section::whole(text)),
            Err(e) => Err(Fault::new(e)),
        },
        Kind::Csv => structured::table(&text, b',').map(Section::whole),
        Kind::Tsv => structured::table(&text, b'\t').map(Section::whole),
        Kind::Json => structured::json(&text).map(Section::whole),
        Kind::JsonLines => structured::json_lines(&text).map(Section::whole),
        Kind::Text => Ok(Section::whole(text)),
    }));
    let outcome = outcome.unwrap_or_else(|_| Err(Fault::new("its parser gave up")));
    let name = name.to_owned();
    let sections = outcome.map_err(|fault| match fault {
        Fault::TooLarge => ReadError::TooLarge { name: name.clone() },
        Fault::Broken(reason) => ReadError::Broken {
            name: name.clone(),
            kind: kind.word(),
            reason: reason.chars().take(300).collect(),
        },
    })?;
    if sections.iter().map(|s| s.text.len()).sum::<usize>() > MAX_TEXT {
        return Err(ReadError::TooLarge { name });
    }
    if sections.iter().all(|s| s.text.trim().is_empty()) {
        return Err(ReadError::Empty(name));
    }
    Ok(sections)
}

/// The text of each page of a PDF file. It takes as long as [`read`].
pub(super) fn pdf_pages(bytes: &[u8]) -> Result<Vec<String>, ReadError> {
    let name = "the document";
    if !is_pdf(bytes) {
        return Err(ReadError::Broken {
            name: name.into(),
            kind: Kind::Pdf.word(),
            reason: "it does not begin as one".into(),
        });
    }
    let sections = read(name, bytes)?;
    Ok(sections.into_iter().map(|section| section.text).collect())
}

fn is_pdf(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    memchr::memmem::find(head, b"%PDF-").is_some()
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Pdf => "PDF",
            Kind::Docx => "docx",
            Kind::Html => "HTML",
            Kind::Csv | Kind::Tsv => "a table",
            Kind::Json | Kind::JsonLines => "JSON",
            Kind::Text => "text",
        }
    }
}

/// What a file is, with its text where it is written in plain text.
fn recognized(name: &str, bytes: &[u8]) -> Option<(Kind, String)> {
    if is_pdf(bytes) {
        return Some((Kind::Pdf, String::new()));
    }
    let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
    let extension = extension.to_ascii_lowercase();
    if bytes.starts_with(b"PK\x03\x04") {
        return docx::is_one(bytes).then(|| (Kind::Docx, String::new()));
    }
    let text = plain::decoded(bytes)?;
    let kind = match extension.as_str() {
        "csv" => Kind::Csv,
        "tsv" => Kind::Tsv,
        "json" => Kind::Json,
        "jsonl" | "ndjson" => Kind::JsonLines,
        "html" | "htm" | "xhtml" => Kind::Html,
        "md" | "markdown" | "txt" | "text" | "rst" => Kind::Text,
        _ if plain::is_html(&text) => Kind::Html,
        _ => Kind::Text,
    };
    Some((kind, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str, bytes: &[u8]) -> String {
        read(name, bytes).unwrap().remove(0).text
    }

    #[test]
    fn contents_come_before_names() {
        assert_eq!(
            text("a", b"<!DOCTYPE html><p>Hello <b>you</b>"),
            "Hello you"
        );
        assert_eq!(text("a.md", b"<b>as it is</b>"), "<b>as it is</b>");
        assert_eq!(text("a.htm", b"plain"), "plain");
        assert_eq!(text("a.csv", b"x,y\n1,2\n"), "x: 1\ny: 2");
        let refused = read("a.txt", b"%PDF-1.4 nonsense").unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("a.txt cannot be read as PDF: ")
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_name() {
        for bytes in [
            &b"\x7fELF\0\0\0\x01"[..],
            b"PK\x03\x04rest",
            b"\x89PNG\r\n\x1a\n\0\0",
        ] {
            let refused = read("p.docx", bytes).unwrap_err();
            assert_eq!(refused, ReadError::Unknown("p.docx".into()));
        }
        assert_eq!(read("e", b" \n").unwrap_err(), ReadError::Empty("e".into()));
        let large = vec![b'a'; MAX_TEXT + 1];
        let refused = read("l.txt", &large).unwrap_err();
        assert_eq!(
            refused,
            ReadError::TooLarge {
                name: "l.txt".into()
            }
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            name in r"a\.(csv|json|html|jsonl|txt|pdf)",
            head in prop::sample::select(vec![&b""[..], b"%PDF-1.4\n", b"PK\x03\x04", b"<html>"]),
        ) {
            let mut whole = head.to_vec();
            whole.append(&mut bytes);
            if let Err(refused) = read(&name, &whole) {
                prop_assert!(refused.to_string().contains(&name));
            }
        }
    }
}
