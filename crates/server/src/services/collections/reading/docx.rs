//! The text of a docx file: its paragraphs, headings marked as in Markdown, cells of tables side by side.

use std::io::{BufRead, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{Fault, Room};

/// Where a docx file has its text.
const MAIN: &str = "word/document.xml";
/// Largest main part, unpacked. It is read piece by piece; the largest piece is a text of a run.
const MAX_MAIN: u64 = 64 << 20;

/// Whether an archive is a docx file.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    ZipArchive::new(Cursor::new(bytes)).is_ok_and(|zip| zip.index_for_name(MAIN).is_some())
}

pub(super) fn read(bytes: &[u8]) -> Result<String, Fault> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(Fault::new)?;
    let main = zip.by_name(MAIN).map_err(Fault::new)?;
    // What the archive says of its size may be a lie.
    let mut main = BufReader::new(main.take(MAX_MAIN + 1));
    let text = text_of(&mut main);
    if main.get_ref().limit() == 0 {
        return Err(Fault::TooLarge);
    }
    text
}

fn text_of(xml: impl BufRead) -> Result<String, Fault> {
    let mut reader = Reader::from_reader(xml);
    let mut piece = Vec::new();
    let mut out = Room::default();
    // Whether what comes is text to be read, how deep in tables it is, and what was written before the paragraph.
    let (mut reading, mut tables, mut begin) = (false, 0usize, 0);
    loop {
        piece.clear();
        match reader.read_event_into(&mut piece).map_err(Fault::new)? {
            Event::Start(tag) => match name(tag.name().as_ref()) {
                "t" => reading = true,
                "tbl" => tables += 1,
                "p" => begin = out.text.len(),
                "pStyle" => heading(&tag, &mut out, begin)?,
                _ => {}
            },
            Event::Empty(tag) => match name(tag.name().as_ref()) {
                "tab" => out.push("\t")?,
                "br" | "cr" => out.push("\n")?,
                "pStyle" => heading(&tag, &mut out, begin)?,
                _ => {}
            },
            Event::End(tag) => match name(tag.name().as_ref()) {
                "t" => reading = false,
                "tbl" => {
                    tables = tables.saturating_sub(1);
                    out.push("\n")?;
                }
                "p" if tables == 0 => out.push("\n\n")?,
                "p" => out.push(" ")?,
                "tc" => out.push("\t")?,
                "tr" => out.push("\n")?,
                _ => {}
            },
            Event::Text(text) if reading => out.push(&text.xml10_content())?,
            Event::CData(text) if reading => out.push(&text.xml10_content())?,
            Event::GeneralRef(entity) if reading => {
                let known = entity.resolve_char_ref().map_err(Fault::new)?;
                match known {
                    Some(c) => out.push(c.encode_utf8(&mut [0; 4]))?,
                    None => {
                        let name = entity.xml10_content();
                        out.push(resolve_predefined_entity(&name).unwrap_or_default())?;
                    }
                }
            }
            Event::Eof => return Ok(out.text.trim().to_owned()),
            _ => {}
        }
    }
}

/// The name of an element without its prefix.
fn name(whole: &str) -> &str {
    whole.rsplit(':').next().unwrap_or_default()
}

/// Marks a paragraph whose style is that of a heading.
fn heading(tag: &BytesStart<'_>, out: &mut Room, begin: usize) -> Result<(), Fault> {
    let mut attributes = tag.attributes().flatten();
    let style = attributes.find(|a| name(a.key.as_ref()) == "val");
    let Some(style) = style else {
        return Ok(());
    };
    let style = style.value.to_lowercase();
    let level = match style.strip_prefix("heading") {
        Some(level) => level.trim().parse::<usize>().unwrap_or(0),
        None if style == "title" => 1,
        None => 0,
    };
    if (1..=6).contains(&level) && out.text.len() == begin {
        out.push(&"#".repeat(level))?;
        out.push(" ")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_headings_and_tables_are_told_apart() {
        let xml = r#"<?xml version="1.0"?><w:document xmlns:w="x"><w:body>
            <w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>Title &amp; more</w:t></w:r></w:p>
            <w:p><w:r><w:t xml:space="preserve">One </w:t></w:r><w:r><w:t>two&#8364;</w:t><w:br/><w:t>three</w:t></w:r></w:p>
            <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
            <w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p></w:body></w:document>"#;
        let text = text_of(xml.as_bytes()).unwrap();
        assert_eq!(text, "## Title & more\n\nOne two€\nthree\n\na \tb");
    }

    #[test]
    fn broken_xml_is_refused() {
        assert!(matches!(
            text_of(&b"<w:p><w:t>a</w:p>"[..]),
            Err(Fault::Broken(_))
        ));
        assert!(!is_one(b"PK\x03\x04"));
        assert!(matches!(read(b"PK\x03\x04"), Err(Fault::Broken(_))));
    }
}
