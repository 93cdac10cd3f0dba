//! `derive(Node)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Result};

use crate::attributes::{docs, number, plain, text, texts, unknown};

const NODE_KEYS: &str = "namespace, name, title, kind, once, dynamic, dynamic_outputs, tool, layout, basic, uncached, \
                         settings, sync, required, hidden, role, effect, again, stateful";
const PROP_KEYS: &str = "default, min, max, title, description, name, ty, extra, dynamic";

#[derive(Default)]
struct NodeKeys {
    namespace: Option<String>,
    name: Option<String>,
    title: Option<String>,
    kind: Option<String>,
    layout: Option<String>,
    role: Option<String>,
    basic: Vec<String>,
    settings: Vec<String>,
    required: Vec<String>,
    once: bool,
    dynamic: bool,
    dynamic_outputs: bool,
    tool: bool,
    uncached: bool,
    zip: bool,
    hidden: bool,
    again: bool,
    stateful: bool,
    effect: Option<&'static str>,
}

fn node_keys(input: &DeriveInput) -> Result<NodeKeys> {
    let mut k = NodeKeys::default();
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("node")) {
        attr.parse_nested_meta(|m| {
            let key = m
                .path
                .get_ident()
                .map(ToString::to_string)
                .unwrap_or_default();
            match key.as_str() {
                "namespace" => k.namespace = Some(text(&m)?),
                "name" => k.name = Some(text(&m)?),
                "title" => k.title = Some(text(&m)?),
                "layout" => k.layout = Some(text(&m)?),
                "kind" => {
                    let kind: syn::Ident = m.value()?.parse()?;
                    if !["Process", "Generate", "Pipe"].iter().any(|s| kind == s) {
                        return Err(Error::new(
                            kind.span(),
                            "expected `kind = Process`, `Generate` or `Pipe`",
                        ));
                    }
                    k.kind = Some(kind.to_string());
                }
                "role" => {
                    let role: syn::Ident = m.value()?.parse()?;
                    if !["Input", "Output", "Preview", "Annotation"]
                        .iter()
                        .any(|s| role == s)
                    {
                        return Err(Error::new(
                            role.span(),
                            "expected `role = Input`, `Output`, `Preview` or `Annotation`",
                        ));
                    }
                    k.role = Some(role.to_string());
                }
                "sync" => {
                    let mode = m.value()?.parse::<syn::LitStr>()?;
                    match mode.value().as_str() {
                        "zip_all" => k.zip = true,
                        "on_any" => {}
                        _ => {
                            return Err(Error::new(
                                mode.span(),
                                "expected `sync = \"on_any\"` or `\"zip_all\"`",
                            ));
                        }
                    }
                }
                "effect" => {
                    let effect = m.value()?.parse::<syn::LitStr>()?;
                    k.effect = match effect.value().as_str() {
                        "once" => Some("Once"),
                        "idempotent" => Some("Idempotent"),
                        _ => {
                            return Err(Error::new(
                                effect.span(),
                                "expected `effect = \"once\"` or `\"idempotent\"`",
                            ));
                        }
                    };
                }
                "again" => k.again = true,
                "stateful" => k.stateful = true,
                "basic" => k.basic = texts(&m)?,
                "settings" => k.settings = texts(&m)?,
                "required" => k.required = texts(&m)?,
                "once" => k.once = true,
                "dynamic" => k.dynamic = true,
                "dynamic_outputs" => k.dynamic_outputs = true,
                "tool" => k.tool = true,
                "uncached" => k.uncached = true,
                "hidden" => k.hidden = true,
                _ => return Err(unknown(&m, NODE_KEYS)),
            }
            Ok(())
        })?;
    }
    Ok(k)
}

struct Prop {
    name: String,
    build: TokenStream,
    take: TokenStream,
}

fn property(field: &Field, index: usize) -> Result<Option<Prop>> {
    let ident = field
        .ident
        .as_ref()
        .ok_or_else(|| Error::new_spanned(field, "a node's fields need names"))?;
    let ty = &field.ty;
    let mut name = plain(ident);
    let mut description = docs(&field.attrs);
    let (mut default, mut title, mut min, mut max, mut over, mut extra, mut dynamic) =
        (None::<Expr>, None, None, None, None, None, false);
    for attr in field.attrs.iter().filter(|a| a.path().is_ident("prop")) {
        attr.parse_nested_meta(|m| {
            let key = m
                .path
                .get_ident()
                .map(ToString::to_string)
                .unwrap_or_default();
            match key.as_str() {
                "default" => default = Some(m.value()?.parse()?),
                "min" => min = Some(number(&m)?),
                "max" => max = Some(number(&m)?),
                "title" => title = Some(text(&m)?),
                "description" => description = text(&m)?,
                "name" => name = text(&m)?,
                "ty" => over = Some(text(&m)?),
                "extra" => extra = Some(text(&m)?),
                "dynamic" => dynamic = true,
                _ => return Err(unknown(&m, PROP_KEYS)),
            }
            Ok(())
        })?;
    }
    if dynamic {
        return Ok(None);
    }
    let default = match default {
        Some(e) => quote!(::nodetool_sdk::Value::from(#e)),
        None => quote!(<#ty as ::nodetool_sdk::ValueType>::default_value()),
    };
    let ty_meta = match over {
        Some(text) => quote!(::nodetool_sdk::derive::parsed_type(#text)),
        None => quote!(<#ty as ::nodetool_sdk::ValueType>::type_metadata()),
    };
    let opt = |v: Option<TokenStream>| v.map_or(quote!(None), |t| quote!(Some(#t)));
    let (title, extra) = (
        opt(title.map(|t: String| quote!(#t))),
        opt(extra.map(|t: String| quote!(#t))),
    );
    let (min, max) = (
        opt(min.map(|n: f64| quote!(#n))),
        opt(max.map(|n: f64| quote!(#n))),
    );
    let build = quote!(::nodetool_sdk::derive::property(#name, #ty_meta, #default, #title, #description, #min, #max, #extra));
    let take = quote!(props.take::<#ty>(#index, #name)?);
    Ok(Some(Prop { name, build, take }))
}

pub(crate) fn derive(input: DeriveInput) -> Result<TokenStream> {
    let keys = node_keys(&input)?;
    let ident = &input.ident;
    let Some(namespace) = &keys.namespace else {
        return Err(Error::new(
            ident.span(),
            "a node needs `#[node(namespace = \"…\")]`",
        ));
    };
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            ident.span(),
            "only a struct can be a node; its fields are the properties",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a node cannot be generic",
        ));
    }
    let no_fields = syn::punctuated::Punctuated::new();
    let fields = match &data.fields {
        Fields::Named(f) => &f.named,
        Fields::Unit => &no_fields,
        Fields::Unnamed(f) => return Err(Error::new_spanned(f, "a node's fields need names")),
    };
    let description = docs(&input.attrs);
    if description.is_empty() {
        return Err(Error::new(
            ident.span(),
            "a node needs a doc comment: a summary line, then search words",
        ));
    }
    let (mut builds, mut inits, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields {
        let name = &field.ident;
        match property(field, builds.len())? {
            Some(p) => {
                let take = p.take;
                inits.push(quote!(#name: #take));
                builds.push(p.build);
                names.push(p.name);
            }
            None => {
                if !keys.dynamic {
                    return Err(Error::new_spanned(
                        field,
                        "`#[prop(dynamic)]` needs `#[node(dynamic)]` on the struct",
                    ));
                }
                inits.push(quote!(#name: props.take_dynamic()));
            }
        }
    }
    let basic = if keys.basic.is_empty() {
        &names
    } else {
        &keys.basic
    };
    let type_name = format!(
        "{namespace}.{}",
        keys.name.clone().unwrap_or_else(|| ident.to_string())
    );
    let title = keys.title.map_or(quote!(None), |t| quote!(Some(#t)));
    let layout = keys.layout.unwrap_or_else(|| "default".into());
    let kind = keys.kind.as_deref().unwrap_or("Process");
    if keys.once && kind != "Pipe" {
        return Err(Error::new(
            ident.span(),
            "`once` is for `kind = Pipe`: a pipe that emits a single result",
        ));
    }
    let adapter = match kind {
        "Generate" => quote!(::nodetool_sdk::NodeDef::generate::<Self>()),
        "Pipe" => quote!(::nodetool_sdk::NodeDef::pipe::<Self>()),
        _ => quote!(::nodetool_sdk::NodeDef::process::<Self>()),
    };
    let streams = kind == "Generate" || (kind == "Pipe" && !keys.once);
    let role = keys.role.map_or(quote!(Plain), |r| {
        let r = syn::Ident::new(&r, ident.span());
        quote!(#r)
    });
    let (settings, required) = (&keys.settings, &keys.required);
    let NodeKeys {
        dynamic,
        dynamic_outputs,
        tool,
        uncached,
        zip,
        hidden,
        again,
        stateful,
        ..
    } = keys;
    let effect = syn::Ident::new(keys.effect.unwrap_or("Pure"), ident.span());
    Ok(quote! {
        impl ::nodetool_sdk::Node for #ident {
            const TYPE: &'static str = #type_name;
            fn shape() -> ::nodetool_sdk::derive::Shape {
                ::nodetool_sdk::derive::Shape {
                    node_type: #type_name,
                    title: #title,
                    description: #description,
                    layout: #layout,
                    properties: vec![#(#builds),*],
                    basic: &[#(#basic),*],
                    settings: &[#(#settings),*],
                    required: &[#(#required),*],
                    dynamic: #dynamic,
                    dynamic_outputs: #dynamic_outputs,
                    tool: #tool,
                    uncached: #uncached,
                    zip: #zip,
                    hidden: #hidden,
                    streams: #streams,
                    role: ::nodetool_sdk::Role::#role,
                    effect: ::nodetool_sdk::Effect::#effect,
                    again: #again,
                    stateful: #stateful,
                }
            }
            fn from_props(props: &mut ::nodetool_sdk::Props) -> ::core::result::Result<Self, ::nodetool_sdk::NodeError> {
                let _ = &props;
                Ok(Self { #(#inits),* })
            }
            fn definition() -> ::nodetool_sdk::NodeDef {
                #adapter
            }
        }
    })
}
