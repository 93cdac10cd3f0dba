//! `derive(ValueType)`: an enum property.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::attributes::{plain, snake, text, unknown};

pub(crate) fn derive(input: DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(
            ident.span(),
            "only an enum of unit variants can be a property type",
        ));
    };
    let mut type_name = None;
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("value")) {
        attr.parse_nested_meta(|m| {
            if m.path.is_ident("type_name") {
                type_name = Some(text(&m)?);
                Ok(())
            } else {
                Err(unknown(&m, "type_name"))
            }
        })?;
    }
    let (mut words, mut variants) = (Vec::new(), Vec::new());
    for v in &data.variants {
        if !matches!(v.fields, Fields::Unit) {
            return Err(Error::new_spanned(
                v,
                "a member of a property enum holds nothing",
            ));
        }
        let mut word = snake(&plain(&v.ident));
        for attr in v.attrs.iter().filter(|a| a.path().is_ident("value")) {
            word = attr
                .parse_args::<syn::LitStr>()
                .map_err(|e| Error::new(e.span(), "expected `#[value(\"word\")]`"))?
                .value();
        }
        words.push(word);
        variants.push(&v.ident);
    }
    let type_name = type_name.map_or(quote!(None), |t| quote!(Some(#t)));
    Ok(quote! {
        impl ::nodetool_sdk::ValueType for #ident {
            fn type_metadata() -> ::nodetool_sdk::TypeMetadata {
                ::nodetool_sdk::TypeMetadata::enumeration([#(::nodetool_sdk::Value::from(#words)),*], #type_name)
            }
            fn from_value(value: ::nodetool_sdk::Value) -> ::core::result::Result<Self, String> {
                match value.as_str() {
                    #(Some(#words) => Ok(#ident::#variants),)*
                    _ => Err(::nodetool_sdk::derive::not_a_member(&value, &[#(#words),*])),
                }
            }
            fn into_value(self) -> ::nodetool_sdk::Value {
                ::nodetool_sdk::Value::from(match self { #(#ident::#variants => #words),* })
            }
            fn default_value() -> ::nodetool_sdk::Value {
                ::nodetool_sdk::Value::from([#(#words),*][0])
            }
        }
    })
}
