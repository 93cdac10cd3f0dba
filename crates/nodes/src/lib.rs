//! The built-in node types that need only light dependencies: one folder per namespace, one file per node.
//!
//! To add a node, write its file and add its line to the namespace's `register`. Nodes must not know the engine, the
//! store or the server: what they need from those comes through `NodeCx`.

use nodetool_sdk::Registry;

pub mod alias;
mod beautifulsoup;
mod boolean;
mod bounds;
mod charset;
mod code;
mod constant;
mod control;
mod data;
mod date;
mod datetime;
mod dictionary;
mod document;
mod extent;
mod file_name;
mod html;
mod http;
mod input;
mod json;
mod list;
mod markdown;
mod math;
mod number_test;
mod numbers;
mod order;
mod os;
mod output;
mod secret;
mod stream_filter;
mod table;
mod test_input;
mod text;
pub mod triggers;
mod uuid;
mod validate;
mod variable;
mod wildcard;
mod workflows;
mod workspace;

pub use html::page_text;

/// Registers every node type of this crate.
pub fn register(r: &mut Registry) {
    // Clients look for the tool result in the first place of the catalogue.
    workflows::register(r);
    input::register(r);
    output::register(r);
    constant::register(r);
    beautifulsoup::register(r);
    boolean::register(r);
    code::register(r);
    control::register(r);
    data::register(r);
    date::register(r);
    datetime::register(r);
    dictionary::register(r);
    document::register(r);
    html::register(r);
    http::register(r);
    json::register(r);
    list::register(r);
    markdown::register(r);
    math::register(r);
    numbers::register(r);
    os::register(r);
    secret::register(r);
    text::register(r);
    triggers::register(r);
    uuid::register(r);
    validate::register(r);
    variable::register(r);
    workspace::register(r);
    test_input::register(r);
    // Last: other names are given only to types that are there.
    alias::register(r);
}
