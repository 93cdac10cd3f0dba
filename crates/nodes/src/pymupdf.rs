//! `lib.pymupdf`: what is written in PDF files.

use nodetool_sdk::Registry;

mod extract_text;

pub(crate) fn register(r: &mut Registry) {
    r.add::<extract_text::ExtractText>();
}
