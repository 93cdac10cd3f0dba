//! From the body someone wrote to something the interpreter can run.
//!
//! It must not run anything. A body is a script with three liberties: imports anywhere at its top, `return` or a last
//! expression as its result, and `yield`. Which form fits is asked of the interpreter, by compiling without running.

use std::fmt::Write as _;

use rquickjs::{Ctx, Module};

use super::engine::{Caught, Thrown};
use super::packages;
use super::scan::{self, Kind, Token};

/// A body made ready.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// Global code whose completion value is the result; run anew for each call.
    Script(String),
    /// The source of an async function.
    Function(String),
    /// The source of an async generator function.
    Generator(String),
}

/// One import statement, and where it stands.
struct Import<'a> {
    specifier: &'a str,
    /// The whole module under a name.
    whole: Vec<&'a str>,
    /// Names of the module, and what they are called here.
    names: Vec<(&'a str, &'a str)>,
    span: std::ops::Range<usize>,
}

/// Finds the form of a body.
pub(super) fn prepare(ctx: &Ctx<'_>, code: &str, allowed: &[String]) -> Result<Body, Thrown> {
    if code.contains('\0') {
        return Err(Thrown::Text(
            "SyntaxError: The script contains a NUL character.".into(),
        ));
    }
    let tokens = scan::tokens(code);
    let imports = imports(code, &tokens);
    let mut prefix = String::new();
    for import in &imports {
        check(import, allowed).map_err(Thrown::Text)?;
        bind(import, &mut prefix);
    }
    let body = blank(code, &imports);
    let trimmed = body.trim();
    if imports.is_empty() && trimmed.starts_with('{') && trimmed.ends_with('}') {
        // As statements this would be a block with labels, which nobody means.
        let object = format!("({body}\n)");
        if compiles(ctx, &object) {
            return Ok(Body::Script(object));
        }
    }
    // A `return` or a `yield` at the top of a module is an error, so a body that compiles as one has neither.
    if compiles(ctx, &format!("{{{body}\n}}")) {
        return Ok(Body::Script(format!("{{{prefix}{{{body}\n}}}}")));
    }
    let function = format!("(async function () {{{prefix}{{{body}\n}}}})");
    let yields = tokens
        .iter()
        .any(|token| token.kind == Kind::Word && &code[token.span.clone()] == "yield");
    if !yields || compiles(ctx, &function) {
        return Ok(Body::Function(function));
    }
    Ok(Body::Generator(format!(
        "(async function* () {{{prefix}{{{body}\n}}}})"
    )))
}

/// Whether the interpreter takes this as a module. Nothing is run.
fn compiles(ctx: &Ctx<'_>, source: &str) -> bool {
    Module::declare(ctx.clone(), "check", source)
        .caught(ctx)
        .is_ok()
}

/// The import statements at the top of a source.
fn imports<'a>(code: &'a str, tokens: &[Token]) -> Vec<Import<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_import = tokens[at].depth == 0
            && is(code, &tokens[at], "import")
            && !(at > 0 && tokens[at - 1].kind == Kind::Mark(b'.'));
        match is_import.then(|| statement(code, &tokens[at..])).flatten() {
            Some((import, length)) => {
                found.push(import);
                at += length;
            }
            None => at += 1,
        }
    }
    found
}

/// One import statement, and of how many pieces it is.
fn statement<'a>(code: &'a str, tokens: &[Token]) -> Option<(Import<'a>, usize)> {
    let text = |token: &Token| &code[token.span.clone()];
    let mut import = Import {
        specifier: "",
        whole: Vec::new(),
        names: Vec::new(),
        span: 0..0,
    };
    let mut at = 1;
    if tokens.get(at)?.kind != Kind::Text {
        if tokens.get(at)?.kind == Kind::Word {
            import.whole.push(text(&tokens[at]));
            at += 1;
            if tokens.get(at)?.kind == Kind::Mark(b',') {
                at += 1;
            }
        }
        match tokens.get(at)?.kind {
            Kind::Mark(b'*') if is(code, tokens.get(at + 1)?, "as") => {
                import.whole.push(text(tokens.get(at + 2)?));
                at += 3;
            }
            Kind::Mark(b'{') => {
                at += 1;
                while tokens.get(at)?.kind != Kind::Mark(b'}') {
                    let name = text(&tokens[at]).trim_matches(['"', '\'']);
                    at += 1;
                    let mut local = name;
                    if is(code, tokens.get(at)?, "as") {
                        local = text(tokens.get(at + 1)?);
                        at += 2;
                    }
                    import.names.push((name, local));
                    if tokens.get(at)?.kind == Kind::Mark(b',') {
                        at += 1;
                    }
                }
                at += 1;
            }
            _ => {}
        }
        if !is(code, tokens.get(at)?, "from") {
            return None;
        }
        at += 1;
    }
    let specifier = tokens.get(at).filter(|token| token.kind == Kind::Text)?;
    import.specifier = text(specifier).trim_matches(['"', '\'']);
    at += 1;
    if tokens
        .get(at)
        .is_some_and(|token| token.kind == Kind::Mark(b';'))
    {
        at += 1;
    }
    import.span = tokens[0].span.start..tokens[at - 1].span.end;
    let plain = |name: &&'a str| {
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80)
    };
    let all_plain = import
        .names
        .iter()
        .flat_map(|(name, local)| [name, local])
        .chain(&import.whole)
        .all(plain);
    all_plain.then_some((import, at))
}

fn is(code: &str, token: &Token, word: &str) -> bool {
    token.kind == Kind::Word && &code[token.span.clone()] == word
}

/// Whether what is imported exists and may be used.
fn check(import: &Import<'_>, allowed: &[String]) -> Result<(), String> {
    packages::check(import.specifier, allowed)?;
    let offered = packages::functions(import.specifier).unwrap_or_default();
    match import
        .names
        .iter()
        .find(|(name, _)| !offered.contains(name) && *name != "default")
    {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "The package `{}` has no `{name}`; it has {}.",
            import.specifier,
            offered.join(", ")
        )),
    }
}

/// The statements that stand for an import, on one line so that line numbers stay.
fn bind(import: &Import<'_>, out: &mut String) {
    let module = format!("await import(\"{}\")", import.specifier);
    for name in &import.whole {
        let _ = write!(out, "const {name} = {module};");
    }
    if !import.names.is_empty() || import.whole.is_empty() {
        let names: Vec<String> = import
            .names
            .iter()
            .map(|(name, local)| format!("{name}: {local}"))
            .collect();
        let _ = write!(out, "const {{{}}} = {module};", names.join(", "));
    }
}

/// The source with blanks where its imports were.
fn blank(code: &str, imports: &[Import<'_>]) -> String {
    let mut out = String::with_capacity(code.len());
    let mut at = 0;
    for import in imports {
        out.push_str(&code[at..import.span.start]);
        out.extend(
            code[import.span.clone()]
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        at = import.span.end;
    }
    out.push_str(&code[at..]);
    out
}

#[cfg(test)]
mod tests {
    use rquickjs::{Context, Runtime};

    use super::*;

    fn form(code: &str) -> Result<Body, String> {
        let runtime = Runtime::new().unwrap();
        let allowed: Vec<String> = packages::NAMES.iter().map(ToString::to_string).collect();
        Context::full(&runtime).unwrap().with(|ctx| {
            prepare(&ctx, code, &allowed).map_err(|thrown| match thrown {
                Thrown::Text(text) => text,
                other => format!("{other:?}"),
            })
        })
    }

    #[test]
    fn a_body_without_return_is_a_script() {
        for code in [
            "1 + 1",
            "const x = 1; x",
            "await 5",
            "function f() { return 1 } f()",
            "",
            "// only this",
        ] {
            assert!(matches!(form(code), Ok(Body::Script(_))), "{code}");
        }
        assert_eq!(
            form("{ a: 1, b: 2 }"),
            Ok(Body::Script("({ a: 1, b: 2 }\n)".into()))
        );
    }

    #[test]
    fn a_return_at_the_top_makes_a_function_also_within_blocks() {
        for code in [
            "return 1",
            "if (x) { return 1 } 2",
            "return yieldOf(1)",
            "return `yield`",
        ] {
            assert!(matches!(form(code), Ok(Body::Function(_))), "{code}");
        }
    }

    #[test]
    fn a_yield_at_the_top_makes_a_generator_and_one_further_in_does_not() {
        for code in [
            "yield 1",
            "for (const x of [1]) yield [x]",
            "const a = 1; yield (a); return 2",
        ] {
            assert!(matches!(form(code), Ok(Body::Generator(_))), "{code}");
        }
        assert!(matches!(
            form("function* g() { yield 1 } [...g()]"),
            Ok(Body::Script(_))
        ));
        assert!(matches!(
            form("function* g() { yield 1 } return [...g()]"),
            Ok(Body::Function(_))
        ));
    }

    #[test]
    fn imports_become_bindings_and_keep_the_lines() {
        let code = "import csv, { parse as read,\n  stringify } from \"@nodetool-ai/sandbox-csv\";\nimport * as d from '@nodetool-ai/sandbox-diff'\nreturn 1";
        let Ok(Body::Function(source)) = form(code) else {
            panic!("not a function")
        };
        assert_eq!(source.lines().count(), 5);
        let first = source.lines().next().unwrap();
        assert!(
            first.contains("const csv = await import(\"@nodetool-ai/sandbox-csv\");"),
            "{first}"
        );
        assert!(
            first.contains("const {parse: read, stringify: stringify} = await import("),
            "{first}"
        );
        assert!(
            first.contains("const d = await import(\"@nodetool-ai/sandbox-diff\");"),
            "{first}"
        );
    }

    #[test]
    fn an_import_call_and_a_word_in_a_text_are_left_alone() {
        let code = "const t = 'import x from \"y\"'; const m = await import(name); return x.import";
        let Ok(Body::Function(source)) = form(code) else {
            panic!("not a function")
        };
        assert!(source.contains(code));
    }

    #[test]
    fn what_cannot_be_imported_is_named() {
        assert_eq!(
            form("import fs from 'fs'; fs").unwrap_err(),
            "The package `fs` does not exist; scripts can import @nodetool-ai/sandbox-csv, @nodetool-ai/sandbox-diff, \
             @nodetool-ai/sandbox-html, @nodetool-ai/sandbox-xml, @nodetool-ai/sandbox-zip."
        );
        assert_eq!(
            form("import { nope } from '@nodetool-ai/sandbox-csv'").unwrap_err(),
            "The package `@nodetool-ai/sandbox-csv` has no `nope`; it has parse, stringify."
        );
    }

    #[test]
    fn wrong_code_is_left_to_the_interpreter() {
        assert!(matches!(form("return (("), Ok(Body::Function(_))));
    }
}
