//! `derive(Outputs)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::attributes::{plain, snake, text, unknown};

/// `#[slot(name = "…", ty = "…")]` on a field or variant.
fn slot(attrs: &[syn::Attribute], mut name: String) -> Result<(String, Option<String>)> {
    let mut ty = None;
    for attr in attrs.iter().filter(|a| a.path().is_ident("slot")) {
        attr.parse_nested_meta(|m| {
            if m.path.is_ident("name") {
                name = text(&m)?;
            } else if m.path.is_ident("ty") {
                ty = Some(text(&m)?);
            } else {
                return Err(unknown(&m, "name, ty"));
            }
            Ok(())
        })?;
    }
    Ok((name, ty))
}

fn declare(name: &str, over: Option<String>, ty: &syn::Type) -> TokenStream {
    let meta = match over {
        Some(text) => quote!(::nodetool_sdk::derive::parsed_type(#text)),
        None => quote!(::nodetool_sdk::derive::slot_type::<#ty>()),
    };
    quote!(::nodetool_sdk::OutputSlot::new(#name, #meta))
}

pub(crate) fn derive(input: DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let (mut slots, mut arms) = (Vec::new(), Vec::new());
    let body = match &input.data {
        Data::Struct(data) => {
            let Fields::Named(fields) = &data.fields else {
                return Err(Error::new(
                    ident.span(),
                    "an output struct needs named fields; each is a slot",
                ));
            };
            for (i, f) in fields.named.iter().enumerate() {
                let (Some(name), i) = (&f.ident, i as u16) else {
                    continue;
                };
                let (slot_name, over) = slot(&f.attrs, plain(name))?;
                slots.push(declare(&slot_name, over, &f.ty));
                arms.push(quote!((#i, ::nodetool_sdk::ValueType::into_value(self.#name))));
            }
            quote!(::nodetool_sdk::Emitted::Slots([#(#arms),*].into_iter().collect()))
        }
        Data::Enum(data) => {
            for (i, v) in data.variants.iter().enumerate() {
                let (variant, i) = (&v.ident, i as u16);
                let Fields::Unnamed(f) = &v.fields else {
                    return Err(Error::new_spanned(
                        v,
                        "each variant holds one value: `IfTrue(Value)`",
                    ));
                };
                let (Some(field), 1) = (f.unnamed.first(), f.unnamed.len()) else {
                    return Err(Error::new_spanned(
                        v,
                        "each variant holds one value: `IfTrue(Value)`",
                    ));
                };
                let (slot_name, over) = slot(&v.attrs, snake(&plain(variant)))?;
                slots.push(declare(&slot_name, over, &field.ty));
                arms.push(quote!(#ident::#variant(v) => ::nodetool_sdk::Emitted::one(#i, ::nodetool_sdk::ValueType::into_value(v))));
            }
            quote!(match self { #(#arms),* })
        }
        Data::Union(_) => return Err(Error::new(ident.span(), "outputs are a struct or an enum")),
    };
    Ok(quote! {
        impl ::nodetool_sdk::Outputs for #ident {
            fn slots() -> Vec<::nodetool_sdk::OutputSlot> {
                vec![#(#slots),*]
            }
            fn into_emitted(self) -> ::nodetool_sdk::Emitted {
                #body
            }
        }
    })
}
