//! Text encodings by the names Python and the web use for them.

use encoding_rs::Encoding;

/// A text encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Charset {
    /// UTF-8; the flag asks for a byte order mark when writing.
    Utf8 { mark: bool },
    /// Seven bits.
    Ascii,
    /// One byte per character, the first 256 of Unicode.
    Latin1,
    /// Two bytes per unit; `None` reads the order from the mark and writes one.
    Utf16 { big: Option<bool> },
    /// Any other encoding of the web.
    Web(&'static Encoding),
}

impl Charset {
    /// The encoding of a name such as `utf-8`, `latin-1`, `cp1252` or `shift_jis`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match name.as_str() {
            "utf-8" | "utf8" | "u8" | "cp65001" => Charset::Utf8 { mark: false },
            "utf-8-sig" | "utf8-sig" => Charset::Utf8 { mark: true },
            "ascii" | "us-ascii" | "646" => Charset::Ascii,
            "latin-1" | "latin1" | "l1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" => {
                Charset::Latin1
            }
            "utf-16" | "utf16" | "u16" => Charset::Utf16 { big: None },
            "utf-16-le" | "utf-16le" => Charset::Utf16 { big: Some(false) },
            "utf-16-be" | "utf-16be" => Charset::Utf16 { big: Some(true) },
            _ => {
                let label = match name.strip_prefix("cp") {
                    Some(page) if page.starts_with("125") => format!("windows-{page}"),
                    Some("932") => "shift_jis".into(),
                    Some("936") => "gbk".into(),
                    Some("949") => "euc-kr".into(),
                    Some("950") => "big5".into(),
                    _ => name,
                };
                let found = Encoding::for_label_no_replacement(label.as_bytes()).or_else(|| {
                    Encoding::for_label_no_replacement(label.replace('-', "_").as_bytes())
                })?;
                Charset::Web(found)
            }
        })
    }

    /// The text of bytes that must be valid in this encoding; the error says what is wrong.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<String, String> {
        match self {
            Charset::Utf8 { .. } => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|e| format!("is not valid UTF-8 at byte {}", e.valid_up_to()))?;
                Ok(match self {
                    Charset::Utf8 { mark: true } => text.strip_prefix('\u{feff}').unwrap_or(text),
                    _ => text,
                }
                .to_owned())
            }
            Charset::Ascii => match bytes.iter().position(|b| !b.is_ascii()) {
                Some(at) => Err(format!("is not ASCII at byte {at}")),
                None => Ok(bytes.iter().map(|b| char::from(*b)).collect()),
            },
            Charset::Latin1 => Ok(bytes.iter().map(|b| char::from(*b)).collect()),
            Charset::Utf16 { big } => {
                let (big, bytes) = match (big, bytes) {
                    (None, [0xfe, 0xff, rest @ ..]) => (true, rest),
                    (None, [0xff, 0xfe, rest @ ..]) => (false, rest),
                    (big, all) => (big.unwrap_or(false), all),
                };
                let (pairs, odd) = bytes.as_chunks::<2>();
                if !odd.is_empty() {
                    return Err("has an odd number of bytes, which UTF-16 never has".into());
                }
                let unit = if big {
                    u16::from_be_bytes
                } else {
                    u16::from_le_bytes
                };
                char::decode_utf16(pairs.iter().map(|p| unit(*p)))
                    .collect::<Result<_, _>>()
                    .map_err(|_| "is not valid UTF-16".into())
            }
            Charset::Web(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(Into::into)
                .ok_or_else(|| format!("is not valid {}", encoding.name())),
        }
    }

    /// The text of bytes, with a mark in place of what is not valid; a byte order mark decides over the name.
    pub(crate) fn decode_lossy(self, bytes: &[u8]) -> String {
        if let Some((encoding, _)) = Encoding::for_bom(bytes) {
            return encoding.decode_with_bom_removal(bytes).0.into_owned();
        }
        match self {
            Charset::Web(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            Charset::Utf8 { .. } => String::from_utf8_lossy(bytes).into_owned(),
            Charset::Ascii | Charset::Latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
            Charset::Utf16 { big } => {
                let encoding = if big == Some(true) {
                    encoding_rs::UTF_16BE
                } else {
                    encoding_rs::UTF_16LE
                };
                encoding.decode_without_bom_handling(bytes).0.into_owned()
            }
        }
    }

    /// The bytes of a text; the error names a character the encoding lacks.
    pub(crate) fn encode(self, text: &str) -> Result<Vec<u8>, String> {
        let lacks = |c: char| format!("holds {c:?}, which the encoding cannot write");
        match self {
            Charset::Utf8 { mark: false } => Ok(text.into()),
            Charset::Utf8 { mark: true } => Ok(format!("\u{feff}{text}").into()),
            Charset::Ascii => match text.chars().find(|c| !c.is_ascii()) {
                Some(c) => Err(lacks(c)),
                None => Ok(text.into()),
            },
            Charset::Latin1 => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).map_err(|_| lacks(c)))
                .collect(),
            Charset::Utf16 { big } => {
                let mark = big.is_none().then_some(0xfeff);
                let units = mark.into_iter().chain(text.encode_utf16());
                let bytes = if big == Some(true) {
                    u16::to_be_bytes
                } else {
                    u16::to_le_bytes
                };
                Ok(units.flat_map(bytes).collect())
            }
            Charset::Web(encoding) => {
                let (bytes, used, lossy) = encoding.encode(text);
                if lossy || used != encoding {
                    let odd = text.chars().find(|c| {
                        let mut buffer = [0; 4];
                        encoding.encode(c.encode_utf8(&mut buffer)).2
                    });
                    return Err(odd.map_or_else(|| "cannot be written".into(), lacks));
                }
                Ok(bytes.into_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Charset {
        Charset::named(name).unwrap_or_else(|| panic!("{name} is unknown"))
    }

    #[test]
    fn text_survives_a_round_trip_in_every_encoding_that_has_its_characters() {
        for (name, text) in [
            ("utf-8", "zażółć 漢 😀"),
            ("utf_8_sig", "zażółć 漢 😀"),
            ("UTF-16", "zażółć 漢 😀"),
            ("utf-16-be", "zażółć 漢 😀"),
            ("ascii", "plain"),
            ("latin-1", "café \u{80}"),
            ("cp1250", "zażółć"),
            ("iso-8859-2", "zażółć"),
            ("shift_jis", "漢字"),
            ("gbk", "汉字"),
            ("euc_jp", "漢字"),
        ] {
            let charset = named(name);
            let bytes = charset.encode(text).unwrap();
            assert_eq!(charset.decode(&bytes).unwrap(), text, "{name}");
            assert_eq!(charset.decode_lossy(&bytes), text, "{name}");
        }
        assert_eq!(Charset::named("klingon"), None);
    }

    #[test]
    fn what_an_encoding_cannot_hold_is_said() {
        assert!(named("ascii").encode("é").unwrap_err().contains("'é'"));
        assert!(named("latin-1").encode("漢").unwrap_err().contains("'漢'"));
        assert!(named("cp1252").encode("a漢").unwrap_err().contains("'漢'"));
        assert!(
            named("utf-8")
                .decode(b"ab\xff")
                .unwrap_err()
                .contains("byte 2")
        );
        assert!(named("ascii").decode(b"\xe9").is_err());
        assert!(named("utf-16").decode(b"a").is_err());
        assert_eq!(named("utf-8").decode_lossy(b"a\xff"), "a\u{fffd}");
    }
}
