//! A font as far as reading needs it: which letters its codes are, and how wide they are.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object};

/// What a letter is taken to be wide, in parts of the size of its font, where the font does not say.
const USUAL_WIDTH: f32 = 0.5;
/// Most widths that are read of a font.
const MAX_WIDTHS: usize = 70_000;

pub(super) struct Font<'a> {
    encoding: Option<Encoding<'a>>,
    /// Bytes of a code: 2 in fonts that are put together of others.
    code: usize,
    widths: HashMap<u16, f32>,
}

impl<'a> Font<'a> {
    pub(super) fn of(font: &'a Dictionary, document: &'a Document, most: usize) -> Self {
        let encoding = font.get_font_encoding_with_limit(document, most).ok();
        let wide = font.get(b"Subtype").and_then(Object::as_name);
        let wide = wide.is_ok_and(|name| name == b"Type0");
        let widths = match wide {
            true => wide_widths(font, document),
            false => plain_widths(font, document),
        };
        Font {
            encoding,
            code: if wide { 2 } else { 1 },
            widths: widths.unwrap_or_default(),
        }
    }

    /// The letters of a shown string; nothing where the font does not tell.
    pub(super) fn text(&self, shown: &[u8]) -> Option<String> {
        Document::decode_text(self.encoding.as_ref()?, shown).ok()
    }

    /// Whether it says how wide its letters are.
    pub(super) fn has_widths(&self) -> bool {
        !self.widths.is_empty()
    }

    /// The codes of a shown string, each with how wide it is in parts of the font's size.
    pub(super) fn codes<'s>(&'s self, shown: &'s [u8]) -> impl Iterator<Item = (u16, f32)> + 's {
        shown.chunks(self.code).map(|code| {
            let code = code
                .iter()
                .fold(0u16, |all, byte| (all << 8) | u16::from(*byte));
            let width = self.widths.get(&code).copied();
            (code, width.unwrap_or(USUAL_WIDTH))
        })
    }

    /// Whether a code is the blank that word spacing applies to.
    pub(super) fn is_blank(&self, code: u16) -> bool {
        self.code == 1 && code == 32
    }
}

fn plain_widths(font: &Dictionary, document: &Document) -> Option<HashMap<u16, f32>> {
    let first = font.get_deref(b"FirstChar", document).ok()?.as_i64().ok()?;
    let first = u16::try_from(first).ok()?;
    let widths = font.get_deref(b"Widths", document).ok()?.as_array().ok()?;
    let widths = widths.iter().take(256).map(|w| number(w, document));
    Some((first..).zip(widths).collect())
}

/// Widths of the font a put-together one is made of: `first [w w w]` and `first last w`.
fn wide_widths(font: &Dictionary, document: &Document) -> Option<HashMap<u16, f32>> {
    let made_of = font.get_deref(b"DescendantFonts", document).ok()?;
    let (_, made_of) = document
        .dereference(made_of.as_array().ok()?.first()?)
        .ok()?;
    let list = made_of.as_dict().ok()?.get_deref(b"W", document).ok()?;
    let mut list = list.as_array().ok()?.iter();
    let mut widths = HashMap::new();
    let mut read = 0;
    while let (Some(first), Some(next)) = (list.next(), list.next()) {
        let first = u16::try_from(first.as_i64().ok()?).ok()?;
        let (_, next) = document.dereference(next).ok()?;
        if let Ok(each) = next.as_array() {
            let each = each.iter().map(|w| number(w, document));
            widths.extend((first..=u16::MAX).zip(each));
            read += next.as_array().map_or(0, Vec::len);
        } else {
            let last = u16::try_from(next.as_i64().ok()?).ok()?;
            let width = number(list.next()?, document);
            widths.extend((first..=last).map(|code| (code, width)));
            read += usize::from(last.saturating_sub(first));
        }
        // The same codes may come again and again.
        if read >= MAX_WIDTHS {
            break;
        }
    }
    Some(widths)
}

/// A width in parts of the font's size.
fn number(object: &Object, document: &Document) -> f32 {
    let object = document
        .dereference(object)
        .map_or(object, |(_, found)| found);
    object
        .as_float()
        .map_or(USUAL_WIDTH, |width| width / 1000.0)
}
