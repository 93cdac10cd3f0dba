//! Text in mail that was not written in ASCII: encoded words of headers (RFC 2047) and encodings of contents.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::charset::Charset;

/// Mail often lacks the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Longest piece of text in one encoded word, in bytes: the word has at most 75 characters.
const PIECE: usize = 42;

/// The text of a header with its encoded words decoded. What cannot be decoded stays as it is.
pub(super) fn decoded(header: &str) -> String {
    let mut text = String::new();
    let mut rest = header;
    let mut after_word = false;
    while let Some((before, from)) = rest.split_once("=?") {
        let Some((word, left)) = word(from) else {
            text.push_str(before);
            text.push_str("=?");
            (rest, after_word) = (from, false);
            continue;
        };
        // Blanks between two encoded words only keep lines short.
        if !(after_word && before.trim().is_empty()) {
            text.push_str(before);
        }
        text.push_str(&word);
        (rest, after_word) = (left, true);
    }
    text.push_str(rest);
    text
}

/// The encoded word a text begins with, behind its `=?`, and what follows it.
fn word(from: &str) -> Option<(String, &str)> {
    let (charset, rest) = from.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, left) = rest.split_once("?=")?;
    // A language may stand behind the charset.
    let charset = charset.split('*').next().unwrap_or_default();
    let charset = Charset::named(charset)?;
    let bytes = match encoding {
        "B" | "b" => base64(content.as_bytes())?,
        "Q" | "q" => quoted_printable(content.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((charset.decode_lossy(&bytes), left))
}

/// A header whose text may have any characters.
pub(super) fn encoded(text: &str) -> String {
    if text.is_ascii() && text.len() <= 900 {
        return text.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut piece = String::new();
    let finish = |piece: &mut String, words: &mut Vec<String>| {
        if !piece.is_empty() {
            words.push(format!("=?utf-8?B?{}?=", LENIENT.encode(&*piece)));
            piece.clear();
        }
    };
    for c in text.chars() {
        if piece.len() + c.len_utf8() > PIECE {
            finish(&mut piece, &mut words);
        }
        piece.push(c);
    }
    finish(&mut piece, &mut words);
    words.join("\r\n ")
}

/// Bytes of base64 text, whatever stands between its letters.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let letters = text.iter().copied();
    let letters: Vec<u8> = letters.filter(|b| !b.is_ascii_whitespace()).collect();
    LENIENT.decode(letters).ok()
}

/// Bytes as base64 text in short lines.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    let text = LENIENT.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 38);
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % 76 == 0 {
            lines.push_str("\r\n");
        }
        lines.push(c);
    }
    lines
}

/// Bytes of quoted-printable text. What is no escape stays as it is.
pub(super) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let (high, low) = (digit(text.get(at + 1)), digit(text.get(at + 2)));
        match (byte, high, low) {
            (b'=', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'=', ..) if text.get(at + 1..at + 3) == Some(b"\r\n") => at += 3,
            (b'=', ..) if text.get(at + 1) == Some(&b'\n') => at += 2,
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encoded_words_are_read() {
        for (header, text) in [
            (
                "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= =?UTF-8?B?S8O2bG4?=",
                "Grüße ausKöln",
            ),
            ("Re: =?iso-8859-1*de?Q?=E9?= x", "Re: é x"),
            (
                "=?none?Q?a?= =?utf-8?X?a?= =?",
                "=?none?Q?a?= =?utf-8?X?a?= =?",
            ),
            ("plain", "plain"),
        ] {
            assert_eq!(decoded(header), text);
        }
        assert_eq!(quoted_printable(b"a=\r\nb=3D=zz="), b"ab==zz=");
        assert_eq!(base64_lines(&[0; 60]).lines().count(), 2);
    }

    proptest! {
        #[test]
        fn every_subject_survives_the_way(text in "\\PC{0,120}") {
            let header = encoded(&text);
            prop_assert!(header.is_ascii());
            let unfolded = header.replace("\r\n ", " ");
            if !text.contains("=?") {
                prop_assert_eq!(decoded(&unfolded), text);
            }
        }

        #[test]
        fn reading_never_panics(text in ".{0,80}") {
            decoded(&text);
            quoted_printable(text.as_bytes());
        }
    }
}
