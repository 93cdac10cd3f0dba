//! The packages a script may import when its node lists them, and the functions in them.
//! It must not know the interpreter beyond modules of source text; the work is done on plain values.

mod csv;
mod diff;
mod html;
mod xml;
mod zip;

use nodetool_protocol::Value;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module};

/// The specifiers of all packages.
pub(super) const NAMES: [&str; 5] = [
    "@nodetool-ai/sandbox-csv",
    "@nodetool-ai/sandbox-diff",
    "@nodetool-ai/sandbox-html",
    "@nodetool-ai/sandbox-xml",
    "@nodetool-ai/sandbox-zip",
];

/// The property under which modules find the door to [`call`].
pub(super) const DOOR: &str = "nodetool.packages";

/// The functions of a package.
pub(super) fn functions(specifier: &str) -> Option<&'static [&'static str]> {
    Some(match specifier.strip_prefix("@nodetool-ai/sandbox-")? {
        "csv" => &["parse", "stringify"],
        "diff" => &["unified"],
        "html" => &["select", "toMarkdown"],
        "xml" => &["parse"],
        "zip" => &["zip", "unzip"],
        _ => return None,
    })
}

/// Whether a script with these packages may import this one.
pub(super) fn check(specifier: &str, allowed: &[String]) -> Result<(), String> {
    if functions(specifier).is_none() {
        return Err(format!(
            "The package `{specifier}` does not exist; scripts can import {}.",
            NAMES.join(", ")
        ));
    }
    if !allowed.iter().any(|name| name == specifier) {
        return Err(format!(
            "The package `{specifier}` is not among the packages of this script; add it to `packages`."
        ));
    }
    Ok(())
}

/// Calls `package.function`.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let result = match name {
        "csv.parse" => csv::parse(args),
        "csv.stringify" => csv::stringify(args),
        "diff.unified" => diff::unified(args),
        "html.select" => html::select(args),
        "html.toMarkdown" => html::to_markdown(args),
        "xml.parse" => xml::parse(args),
        "zip.zip" => zip::zip(args),
        "zip.unzip" => zip::unzip(args),
        _ => Err("there is no such function".into()),
    };
    result.map_err(|error| format!("{name}: {error}"))
}

/// Finds the packages of one script.
pub(super) struct Shelf {
    pub(super) allowed: Vec<String>,
}

impl Resolver for Shelf {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        check(name, &self.allowed)
            .map_err(|error| Error::new_resolving_message(base, name, error))?;
        Ok(name.to_owned())
    }
}

/// Makes modules of them.
pub(super) struct Binder;

impl Loader for Binder {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        let offered = functions(name).ok_or_else(|| Error::new_loading(name))?;
        let short = name.rsplit('-').next().unwrap_or_default();
        let mut source = format!("const call = globalThis[Symbol.for(\"{DOOR}\")];\n");
        for function in offered {
            source += &format!(
                "export const {function} = async (...args) => call(\"{short}.{function}\", args);\n"
            );
        }
        source += &format!("export default {{ {} }};\n", offered.join(", "));
        Module::declare(ctx.clone(), name, source)
    }
}

/// How much memory a result may take, about. Beyond it the process would be in danger, and with it every other script.
struct Room(usize);

impl Room {
    fn new() -> Self {
        Self(96 << 20)
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(bytes).ok_or("the result is too large")?;
        Ok(())
    }
}

/// The text among the arguments of a function.
fn text<'a>(args: &'a [Value], at: usize, what: &str) -> Result<&'a str, String> {
    match args.get(at) {
        Some(Value::Str(text)) => Ok(text),
        Some(other) => Err(format!("{what} must be text, not {}", other.kind())),
        None => Err(format!("{what} is missing")),
    }
}

/// The option of that name, when options were given.
fn option<'a>(args: &'a [Value], at: usize, name: &str) -> Option<&'a Value> {
    args.get(at)
        .and_then(|options| options.get(name))
        .filter(|value| !value.is_null())
}

/// A text option, when given.
fn text_option<'a>(args: &'a [Value], at: usize, name: &str) -> Result<Option<&'a str>, String> {
    match option(args, at, name) {
        None => Ok(None),
        Some(Value::Str(text)) => Ok(Some(text)),
        Some(other) => Err(format!(
            "option `{name}` must be text, not {}",
            other.kind()
        )),
    }
}
