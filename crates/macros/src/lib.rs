//! `derive(Node)`, `derive(Outputs)` and `derive(ValueType)`: from a plain struct to a registered node.
//!
//! Import them through the sdk. The messages below are the product: each names the attribute and what it takes.

use proc_macro::TokenStream;

mod attributes;
mod node;
mod outputs;
mod value_type;

/// Makes a struct a node type: its fields are the properties, its doc comment the description.
///
/// `#[node(namespace = "…")]` is required; see the sdk's documentation for the other keys.
#[proc_macro_derive(Node, attributes(node, prop))]
pub fn derive_node(input: TokenStream) -> TokenStream {
    run(input, node::derive)
}

/// Makes a struct (every field is a slot) or an enum (each variant is one emission on its slot) an output.
#[proc_macro_derive(Outputs, attributes(slot))]
pub fn derive_outputs(input: TokenStream) -> TokenStream {
    run(input, outputs::derive)
}

/// Makes an enum of unit variants a property type with named members.
#[proc_macro_derive(ValueType, attributes(value))]
pub fn derive_value_type(input: TokenStream) -> TokenStream {
    run(input, value_type::derive)
}

fn run(
    input: TokenStream,
    derive: fn(syn::DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive(input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
