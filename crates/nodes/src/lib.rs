//! The built-in node types that need only light dependencies: one folder per namespace, one file per node.
//!
//! To add a node, write its file and add its line to the namespace's `register`. Nodes must not know the engine, the
//! store or the server: what they need from those comes through `NodeCx`.

use nodetool_sdk::Registry;

mod agents;
pub mod alias;
mod anthropic;
mod array;
mod audio;
mod beautifulsoup;
mod boolean;
mod bounds;
mod charset;
mod chroma;
mod code;
mod compare;
mod constant;
mod control;
mod data;
mod date;
mod datetime;
mod dictionary;
mod document;
mod extent;
mod faiss;
mod fal;
mod file_name;
mod generators;
mod grid;
mod html;
mod http;
mod image;
mod input;
mod json;
mod lib_image;
mod list;
mod mail;
mod markdown;
mod math;
mod models;
mod number_test;
mod numbers;
mod order;
mod os;
mod output;
mod picture;
mod pillow;
mod pymupdf;
mod rss;
mod search;
mod secret;
mod sqlite;
mod stream_filter;
mod table;
mod test_input;
mod text;
pub mod triggers;
mod uuid;
mod validate;
mod variable;
mod video;
mod wildcard;
mod workflows;
mod workspace;

pub use html::page_text;
pub use text::count_tokens;

/// Registers every node type of this crate.
pub fn register(r: &mut Registry) {
    // Clients look for the tool result in the first place of the catalogue.
    workflows::register(r);
    input::register(r);
    output::register(r);
    constant::register(r);
    agents::register(r);
    anthropic::register(r);
    audio::register(r);
    beautifulsoup::register(r);
    boolean::register(r);
    chroma::register(r);
    code::register(r);
    compare::register(r);
    control::register(r);
    data::register(r);
    date::register(r);
    datetime::register(r);
    dictionary::register(r);
    document::register(r);
    faiss::register(r);
    fal::register(r);
    generators::register(r);
    grid::register(r);
    html::register(r);
    http::register(r);
    image::register(r);
    json::register(r);
    lib_image::register(r);
    list::register(r);
    mail::register(r);
    markdown::register(r);
    math::register(r);
    numbers::register(r);
    os::register(r);
    pillow::register(r);
    pymupdf::register(r);
    rss::register(r);
    search::register(r);
    secret::register(r);
    sqlite::register(r);
    text::register(r);
    triggers::register(r);
    uuid::register(r);
    validate::register(r);
    variable::register(r);
    video::register(r);
    workspace::register(r);
    test_input::register(r);
    // Last: other names are given only to types that are there.
    alias::register(r);
}
