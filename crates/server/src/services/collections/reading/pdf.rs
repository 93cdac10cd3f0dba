//! The text of the pages of a PDF, in the order it is drawn. What is only a picture, as in scans, is not there.

use std::time::{Duration, Instant};

use lopdf::{Document, LoadOptions};

use super::{Fault, MAX_TEXT, Section};

mod font;
mod page;

/// Most bytes a stream of the file itself may unpack to, and one of a page or a font.
const MAX_STREAM: usize = 64 << 20;
const MAX_PAGE: usize = 8 << 20;
/// Most pages.
const MAX_PAGES: usize = 5000;
/// How long reading may take; looked at between pages.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Section>, Fault> {
    let began = Instant::now();
    let options = LoadOptions::with_max_decompressed_size(MAX_STREAM);
    let document = Document::load_mem_with_options(bytes, options).map_err(Fault::new)?;
    if document.is_encrypted() {
        return Err(Fault::new("it is encrypted"));
    }
    let pages = document.get_pages();
    if pages.len() > MAX_PAGES {
        let count = pages.len();
        let reason = format!("it has {count} pages, expected at most {MAX_PAGES}");
        return Err(Fault::new(reason));
    }
    let (mut sections, mut size) = (Vec::new(), 0);
    let mut broken = None;
    for (at, id) in pages.values().enumerate() {
        let text = page::text(&document, *id, MAX_PAGE).unwrap_or_else(|e| {
            // The other pages may be good.
            broken.get_or_insert_with(|| Fault::new(format!("page {}: {e}", at + 1)));
            String::new()
        });
        size += text.len();
        if size > MAX_TEXT {
            return Err(Fault::TooLarge);
        }
        sections.push(Section {
            page: Some(at + 1),
            text,
        });
        if began.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            let reason = format!("reading it takes longer than {seconds} seconds");
            return Err(Fault::new(reason));
        }
    }
    match broken {
        Some(fault) if size == 0 => Err(fault),
        _ => Ok(sections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PDF of one line on each page.
    fn pdf(lines: &[&str]) -> Vec<u8> {
        let mut objects = vec!["<< /Type /Catalog /Pages 2 0 R >>".to_owned()];
        let kids: Vec<String> = (0..lines.len())
            .map(|i| format!("{} 0 R", 4 + i * 2))
            .collect();
        let (kids, count) = (kids.join(" "), lines.len());
        objects.push(format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>"));
        objects.push(
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
                .into(),
        );
        for (i, line) in lines.iter().enumerate() {
            let contents = 5 + i * 2;
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {contents} 0 R \
                 /Resources << /Font << /F1 3 0 R >> >> >>"
            ));
            let stream = format!("BT /F1 12 Tf 14 TL 20 200 Td ({line}) Tj ET");
            objects.push(format!(
                "<< /Length {} >>\nstream\n{stream}\nendstream",
                stream.len()
            ));
        }
        let mut out = b"%PDF-1.4\n".to_vec();
        let mut places = Vec::new();
        for (i, object) in objects.iter().enumerate() {
            places.push(out.len());
            out.extend(format!("{} 0 obj\n{object}\nendobj\n", i + 1).bytes());
        }
        let table = out.len();
        out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
        places
            .iter()
            .for_each(|p| out.extend(format!("{p:010} 00000 n \n").bytes()));
        let size = objects.len() + 1;
        out.extend(
            format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes(),
        );
        out
    }

    #[test]
    fn each_page_is_a_section() {
        let sections = read(&pdf(&["Hello first", "The second page"])).unwrap();
        let texts: Vec<_> = sections.iter().map(|s| (s.page, s.text.as_str())).collect();
        assert_eq!(
            texts,
            [(Some(1), "Hello first"), (Some(2), "The second page")]
        );
    }

    #[test]
    fn lines_words_and_paragraphs_are_told_apart_by_where_they_are() {
        let drawn = "One) Tj 0 -14 Td (two) Tj 60 0 Td (far) Tj 0 -40 Td [(spa) 20 (ced) -300 (out)] TJ T* (end";
        let sections = read(&pdf(&[drawn])).unwrap();
        assert_eq!(sections[0].text, "One\ntwo far\n\nspaced out\nend");
    }

    #[test]
    fn a_torn_file_is_read_or_refused_wherever_it_is_torn() {
        let whole = pdf(&["Hello"]);
        for at in (0..whole.len()).step_by(7) {
            // Either is fine; that it comes back is what counts.
            drop(read(&whole[..at]));
            let mut bent = whole.clone();
            bent[at] ^= 0x55;
            drop(read(&bent));
        }
        assert!(read(&whole).is_ok());
    }
}
