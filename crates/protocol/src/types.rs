//! How a type is written down (`TypeMetadata`) and which types fit on one edge.
//!
//! It must not know nodes. Sources: engine spec 2.1 to 2.3.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// The type of a property or an output, as it stands in metadata and on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypeMetadata {
    /// Type name: `str`, `list`, `union`, `image`, …
    #[serde(rename = "type")]
    pub name: Arc<str>,
    /// Whether null is allowed too. Edge checks ignore it.
    #[serde(default)]
    pub optional: bool,
    /// Members of an enum.
    #[serde(default)]
    pub values: Option<Vec<Value>>,
    /// Element, key and value, or member types.
    #[serde(default)]
    pub type_args: Vec<TypeMetadata>,
    /// Qualified name of an enum.
    #[serde(default)]
    pub type_name: Option<Arc<str>>,
}

impl TypeMetadata {
    /// A type without arguments.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        TypeMetadata {
            name: name.into(),
            optional: false,
            values: None,
            type_args: Vec::new(),
            type_name: None,
        }
    }

    /// The type that takes everything.
    pub fn any() -> Self {
        Self::new("any")
    }

    /// A type with arguments, such as `list[str]`.
    pub fn with_args(name: &str, args: Vec<TypeMetadata>) -> Self {
        TypeMetadata {
            type_args: args,
            ..Self::new(name)
        }
    }

    /// An enum of the given members.
    pub fn enumeration(values: impl IntoIterator<Item = Value>, type_name: Option<&str>) -> Self {
        TypeMetadata {
            values: Some(values.into_iter().collect()),
            type_name: type_name.map(Into::into),
            ..Self::new("enum")
        }
    }

    /// The same type, also allowing null.
    pub fn nullable(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether this is `name`.
    pub fn is(&self, name: &str) -> bool {
        &*self.name == name
    }

    /// The element type of a list; `any` when none is given.
    pub fn element(&self) -> TypeMetadata {
        self.type_args.first().cloned().unwrap_or_else(Self::any)
    }

    /// Whether a producer of `self` may be wired to a consumer of `target` (engine spec 2.3; first rule that hits wins).
    pub fn fits(&self, target: &TypeMetadata) -> bool {
        let (src, dst) = (self, target);
        if dst.is("any") || src.is("any") {
            return true;
        }
        if (src.is("int") && dst.is("float")) || (src.is("float") && dst.is("int")) {
            return true;
        }
        match (src.is("union"), dst.is("union")) {
            (true, true) => {
                return src
                    .type_args
                    .iter()
                    .all(|s| dst.type_args.iter().any(|d| s.fits(d)));
            }
            (false, true) => return dst.type_args.iter().any(|d| src.fits(d)),
            (true, false) => return src.type_args.iter().any(|s| s.fits(dst)),
            (false, false) => {}
        }
        if dst.is("list") && !dst.type_args.is_empty() && !src.is("list") {
            return src.fits(&dst.type_args[0]);
        }
        if src.name != dst.name {
            return false;
        }
        match &*src.name {
            "list" => src.element().fits(&dst.element()),
            "dict" if src.type_args.len() == 2 && dst.type_args.len() == 2 => src
                .type_args
                .iter()
                .zip(&dst.type_args)
                .all(|(s, d)| s.fits(d)),
            "enum" => match (&src.values, &dst.values) {
                (Some(a), Some(b)) => {
                    a.iter().all(|v| b.contains(v)) && b.iter().all(|v| a.contains(v))
                }
                _ => true,
            },
            _ => true,
        }
    }
}

impl fmt::Display for TypeMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut sep = "[";
        if let Some(values) = &self.values {
            for v in values {
                write!(
                    f,
                    "{sep}{}",
                    v.as_str().map_or_else(|| v.preview(40), str::to_owned)
                )?;
                sep = "|";
            }
        }
        for arg in &self.type_args {
            write!(f, "{sep}{arg}")?;
            sep = ", ";
        }
        if sep != "[" {
            f.write_str("]")?;
        }
        Ok(())
    }
}

/// Reads `list[str]`, `dict[str,any]`, `union[int,float]`, `str?` and bare names.
impl FromStr for TypeMetadata {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ty, rest) = parse_type(text.trim())?;
        if rest.is_empty() {
            Ok(ty)
        } else {
            Err(format!("unexpected `{rest}` after the type in `{text}`"))
        }
    }
}

fn parse_type(text: &str) -> Result<(TypeMetadata, &str), String> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(text.len());
    if end == 0 {
        return Err(format!("expected a type name at `{text}`"));
    }
    let mut ty = TypeMetadata::new(&text[..end]);
    let mut rest = text[end..].trim_start();
    if let Some(mut inner) = rest.strip_prefix('[') {
        loop {
            let (arg, tail) = parse_type(inner.trim_start())?;
            ty.type_args.push(arg);
            let tail = tail.trim_start();
            if let Some(next) = tail.strip_prefix(',') {
                inner = next;
            } else if let Some(next) = tail.strip_prefix(']') {
                rest = next;
                break;
            } else {
                return Err(format!("expected `,` or `]` at `{tail}`"));
            }
        }
    }
    if let Some(next) = rest.strip_prefix('?') {
        ty.optional = true;
        rest = next;
    }
    Ok((ty, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(src: &str, dst: &str) -> bool {
        src.parse::<TypeMetadata>()
            .unwrap()
            .fits(&dst.parse().unwrap())
    }

    #[test]
    fn edges_follow_the_compatibility_table() {
        for (src, dst, ok) in [
            ("any", "int", true),
            ("image", "any", true),
            ("int", "float", true),
            ("float", "int", true),
            ("str", "int", false),
            ("str", "bool", false),
            ("int", "bool", false),
            ("union[int,float]", "union[int,float,str]", true),
            ("union[int,str]", "union[int,float]", false),
            ("int", "union[str,float]", true),
            ("union[str,int]", "int", true),
            ("str", "list[str]", true),
            ("str", "list", false),
            ("list[int]", "list[str]", false),
            ("list", "list[str]", true),
            ("dict[str,int]", "dict[str,str]", false),
            ("dict[str,int]", "dict", true),
            ("html", "text", false),
            ("image", "asset", false),
            ("image", "object", false),
            ("tuple[int]", "tuple[str]", true),
        ] {
            assert_eq!(fits(src, dst), ok, "{src} -> {dst}");
        }
    }

    #[test]
    fn enums_fit_by_their_members() {
        let e = |v: &[&str]| TypeMetadata::enumeration(v.iter().map(|s| Value::from(*s)), None);
        assert!(e(&["a", "b"]).fits(&e(&["b", "a"])));
        assert!(!e(&["a"]).fits(&e(&["a", "b"])));
        assert!(e(&["a"]).fits(&TypeMetadata::new("enum")));
        assert!(!e(&["a"]).fits(&TypeMetadata::new("str")));
    }

    #[test]
    fn type_expressions_print_as_they_are_read() {
        for text in [
            "str",
            "list[str]",
            "dict[str, any]",
            "union[int, float]",
            "hf.text_to_image",
        ] {
            assert_eq!(text.parse::<TypeMetadata>().unwrap().to_string(), text);
        }
        assert!("list[".parse::<TypeMetadata>().is_err());
        assert!("str]".parse::<TypeMetadata>().is_err());
    }
}
