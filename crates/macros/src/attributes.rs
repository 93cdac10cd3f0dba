//! Reading of attributes shared by the derives.

use quote::ToTokens;
use syn::{Attribute, Expr, Ident, Lit, meta::ParseNestedMeta};

/// The doc comment of an item, one line per line, outer blanks cut.
pub(crate) fn docs(attrs: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attr in attrs.iter().filter(|a| a.path().is_ident("doc")) {
        if let syn::Meta::NameValue(nv) = &attr.meta
            && let Expr::Lit(lit) = &nv.value
            && let Lit::Str(s) = &lit.lit
        {
            let line = s.value();
            lines.push(
                line.strip_prefix(' ')
                    .unwrap_or(&line)
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    lines.join("\n").trim().to_owned()
}

/// `key = "text"`.
pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.value()?.parse::<syn::LitStr>()?.value())
}

/// `key("a", "b")`.
pub(crate) fn texts(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<String>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let list = content.parse_terminated(|i| i.parse::<syn::LitStr>(), syn::Token![,])?;
    Ok(list.iter().map(syn::LitStr::value).collect())
}

/// `key = 1` or `key = -0.5`, as a float literal's tokens.
pub(crate) fn number(meta: &ParseNestedMeta<'_>) -> syn::Result<f64> {
    let expr: Expr = meta.value()?.parse()?;
    let text = expr.to_token_stream().to_string().replace([' ', '_'], "");
    text.parse()
        .map_err(|_| syn::Error::new_spanned(&expr, "expected a number such as `0` or `-1.5`"))
}

/// The key is none of the known ones.
pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> syn::Error {
    meta.error(format_args!("unknown key; expected one of: {known}"))
}

/// A field's or variant's name without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// `IfTrue` becomes `if_true`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
