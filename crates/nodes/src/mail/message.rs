//! A message as it is sent: its headers, and the text people read, out of however many parts it is packed in.

use super::words::{base64, decoded, quoted_printable};
use crate::charset::Charset;

/// How deep parts may lie within parts.
const MAX_DEPTH: usize = 10;
/// Most parts of one part.
const MAX_PARTS: usize = 200;
/// Most headers of one part.
const MAX_HEADERS: usize = 1_000;

/// A message, or a part of one.
#[derive(Debug)]
pub(super) struct Mail<'a> {
    headers: Vec<(String, String)>,
    body: &'a [u8],
}

impl<'a> Mail<'a> {
    /// Reads anything; what makes no sense is left out.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut rest = bytes;
        loop {
            let (line, left) = next_line(rest);
            let end = rest.is_empty() || line.is_empty();
            rest = left;
            if end || headers.len() > MAX_HEADERS {
                break;
            }
            let line = String::from_utf8_lossy(line);
            match (line.strip_prefix([' ', '\t']), headers.last_mut()) {
                (Some(more), Some((_, value))) => {
                    value.push(' ');
                    value.push_str(more.trim());
                }
                _ => {
                    if let Some((name, value)) = line.split_once(':') {
                        let name = name.trim().to_ascii_lowercase();
                        headers.push((name, value.trim().to_owned()));
                    }
                }
            }
        }
        Mail {
            headers,
            body: rest,
        }
    }

    /// The text of a header, by its name in small letters; empty when there is none.
    pub(super) fn header(&self, name: &str) -> String {
        decoded(self.raw(name))
    }

    /// The text people read: plain where there is some, else that of the page.
    pub(super) fn text(&self) -> String {
        let plain = self.find("text/plain", MAX_DEPTH);
        if let Some(text) = plain {
            return text;
        }
        match self.find("text/html", MAX_DEPTH) {
            Some(page) => crate::html::page_text(&page).unwrap_or_default(),
            None => String::new(),
        }
    }

    fn raw(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value)
    }

    /// The text of the first part of a type.
    fn find(&self, wanted: &str, depth: usize) -> Option<String> {
        let content_type = self.raw("content-type");
        let kind = content_type.split(';').next().unwrap_or_default();
        let kind = match kind.trim().to_ascii_lowercase() {
            empty if empty.is_empty() => "text/plain".to_owned(),
            kind => kind,
        };
        if kind.starts_with("multipart/") {
            if depth == 0 {
                return None;
            }
            let boundary = parameter(content_type, "boundary")?;
            let parts = parts(self.body, &boundary);
            return parts
                .into_iter()
                .find_map(|part| Mail::read(part).find(wanted, depth - 1));
        }
        let disposition = self.raw("content-disposition").to_ascii_lowercase();
        let attached = disposition.starts_with("attachment");
        (kind == wanted && !attached).then(|| self.content(content_type))
    }

    fn content(&self, content_type: &str) -> String {
        let encoding = self.raw("content-transfer-encoding");
        let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
            "base64" => base64(self.body).unwrap_or_default(),
            "quoted-printable" => quoted_printable(self.body),
            _ => self.body.to_vec(),
        };
        let charset = parameter(content_type, "charset");
        let charset = charset.and_then(|name| Charset::named(&name));
        let charset = charset.unwrap_or(Charset::Utf8 { mark: false });
        charset.decode_lossy(&bytes)
    }
}

/// A parameter of a header such as `text/plain; charset="utf-8"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What lies between the boundaries.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}").into_bytes();
    let (mut parts, mut begin, mut at) = (Vec::new(), None, 0);
    while at < body.len() && parts.len() < MAX_PARTS {
        let (line, left) = next_line(&body[at..]);
        let next = body.len() - left.len();
        if let Some(rest) = line.strip_prefix(&mark[..]) {
            if let Some(begin) = begin.take() {
                parts.push(trimmed_end(&body[begin..at]));
            }
            if rest.starts_with(b"--") {
                return parts;
            }
            begin = Some(next);
        }
        at = next;
    }
    // A message that was cut short has no last boundary.
    if let Some(begin) = begin.filter(|_| parts.len() < MAX_PARTS) {
        parts.push(&body[begin..]);
    }
    parts
}

/// Without the line end that belongs to the boundary.
fn trimmed_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The first line without its end, and what follows.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LETTER: &str = "From: =?utf-8?Q?J=C3=B6?= <j@e.org>\r\nSubject: a\r\n long one\r\n\
        Content-Type: multipart/mixed; boundary=\"o\"\r\n\r\npreface\r\n--o\r\n\
        Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>page</p>\r\n\
        --i\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        caf=E9 =\r\nau lait\r\n--i--\r\n--o\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nno\r\n--o--\r\n";

    #[test]
    fn headers_are_unfolded_and_the_plain_text_is_found_among_the_parts() {
        let mail = Mail::read(LETTER.as_bytes());
        assert_eq!(mail.header("from"), "Jö <j@e.org>");
        assert_eq!(mail.header("subject"), "a long one");
        assert_eq!(mail.text(), "café au lait");
    }

    #[test]
    fn a_page_becomes_text_and_a_bare_message_is_text() {
        let page = b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+SGk8L3A+\n";
        assert_eq!(Mail::read(page).text().trim(), "Hi");
        assert_eq!(Mail::read(b"Subject: x\r\n\r\nHi\r\n").text(), "Hi\r\n");
        assert_eq!(Mail::read(b"").text(), "");
    }

    #[test]
    fn parts_within_parts_end_somewhere() {
        let mut deep = String::new();
        for _ in 0..1_000 {
            deep.push_str("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n");
        }
        assert_eq!(Mail::read(deep.as_bytes()).text(), "");
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..LETTER.len()) {
            Mail::read(&bytes).text();
            let cut = LETTER.as_bytes().get(..cut).unwrap_or_default();
            Mail::read(cut).text();
        }
    }
}
