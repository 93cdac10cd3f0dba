//! `lib.markdown`: takes links, headings, lists, code and tables out of Markdown text.

use nodetool_sdk::Registry;

mod extract_code_blocks;
mod extract_headers;
mod extract_links;
mod extract_lists;
mod extract_tables;
mod source;

pub(crate) fn register(r: &mut Registry) {
    r.add::<extract_links::ExtractLinks>();
    r.add::<extract_headers::ExtractHeaders>();
    r.add::<extract_lists::ExtractBulletLists>();
    r.add::<extract_lists::ExtractNumberedLists>();
    r.add::<extract_code_blocks::ExtractCodeBlocks>();
    r.add::<extract_tables::ExtractTables>();
}
