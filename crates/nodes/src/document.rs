//! `nodetool.document`: cutting documents into pieces.

use nodetool_sdk::{Outputs, Registry};

mod pieces;
mod source;
mod split_html;
mod split_json;
mod split_markdown;
mod split_recursively;

/// A piece of a document.
#[derive(Outputs)]
struct Piece {
    text: String,
    source_id: String,
    start_index: i64,
}

pub(crate) fn register(r: &mut Registry) {
    r.add::<split_recursively::SplitRecursively>();
    r.add::<split_markdown::SplitMarkdown>();
    r.add::<split_html::SplitHTML>();
    r.add::<split_json::SplitJSON>();
}
