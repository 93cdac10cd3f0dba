//! XML as nested objects.
//!
//! It must not know the interpreter. A repeated element becomes a list, an element with nothing but text its text;
//! attributes are keyed with `@`, text beside attributes or elements is keyed `#text`. Entities a document declares
//! itself are not expanded.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::super::super::wire::MAX_DEPTH;
use super::{Room, text};

const TEXT: &str = "#text";

/// An element under way.
struct Element {
    name: String,
    members: Map,
    text: String,
}

/// `parse(xml)`: an object with the root element as its only key.
pub(super) fn parse(args: &[Value]) -> Result<Value, String> {
    let source = text(args, 0, "the document")?;
    let mut reader = Reader::from_str(source);
    let mut open = vec![Element {
        name: String::new(),
        members: Map::new(),
        text: String::new(),
    }];
    let mut room = Room::new();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("{error} (at byte {})", reader.error_position()))?;
        let Some(current) = open.last_mut() else {
            return Err("an element is closed twice".into());
        };
        match event {
            Event::Start(tag) => {
                room.take(160 + 2 * tag.len())?;
                let element = begin(&tag)?;
                open.push(element);
                // One level is the object around the root, and a list around a repeated element may be another.
                if open.len() * 2 > MAX_DEPTH {
                    return Err(format!(
                        "the document is nested deeper than {} elements",
                        MAX_DEPTH / 2
                    ));
                }
            }
            Event::Empty(tag) => {
                room.take(160 + 2 * tag.len())?;
                let element = begin(&tag)?;
                add(&mut current.members, element);
            }
            Event::End(_) => {
                let element = open.pop().ok_or("an element is closed twice")?;
                let outer = open.last_mut().ok_or("an element is closed twice")?;
                add(&mut outer.members, element);
            }
            Event::Text(part) => {
                room.take(2 * part.len())?;
                current.text.push_str(&part.xml10_content());
            }
            Event::CData(part) => current.text.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => {
                let name = entity.xml10_content();
                let resolved = match entity
                    .resolve_char_ref()
                    .map_err(|error| error.to_string())?
                {
                    Some(character) => Some(character.to_string()),
                    None => resolve_predefined_entity(&name).map(str::to_owned),
                };
                let resolved =
                    resolved.ok_or_else(|| format!("the entity `&{name};` is not known"))?;
                current.text.push_str(&resolved);
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    match open.as_slice() {
        [document] if document.members.is_empty() => {
            Err("there is no element in the document".into())
        }
        [document] if !document.text.trim().is_empty() => {
            Err("there is text outside of the root element".into())
        }
        [document] => Ok(document.members.clone().into()),
        [.., unclosed] => Err(format!("the element `{}` is not closed", unclosed.name)),
        [] => Err("an element is closed twice".into()),
    }
}

fn begin(tag: &BytesStart<'_>) -> Result<Element, String> {
    let mut members = Map::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        members.insert(
            format!("@{}", attribute.key.as_ref()).into(),
            Value::from(&*value),
        );
    }
    Ok(Element {
        name: tag.name().as_ref().to_owned(),
        members,
        text: String::new(),
    })
}

/// Puts a finished element into the one around it.
fn add(outer: &mut Map, element: Element) {
    let Element {
        name,
        mut members,
        text,
    } = element;
    let text = text.trim();
    let value = if members.is_empty() {
        Value::from(text)
    } else {
        if !text.is_empty() {
            members.insert(TEXT.into(), Value::from(text));
        }
        members.into()
    };
    match outer.get_mut(name.as_str()) {
        None => {
            outer.insert(name.into(), value);
        }
        // An element never is a list by itself, so a list holds the ones before.
        Some(Value::List(items)) => Arc::make_mut(items).push(value),
        Some(first) => *first = Value::list([std::mem::take(first), value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> Result<Value, String> {
        parse(&[source.into()])
    }

    #[test]
    fn elements_become_members_texts_and_lists() {
        let source = "<?xml version=\"1.0\"?><!-- c --><r><a>1</a><a>2</a><b x=\"&lt;y\">t &amp; &#65;</b><c/><a><d/></a></r>";
        let expected = Value::map([(
            "r",
            Value::map([
                (
                    "a",
                    Value::list(["1".into(), "2".into(), Value::map([("d", Value::from(""))])]),
                ),
                (
                    "b",
                    Value::map([("@x", Value::from("<y")), ("#text", Value::from("t & A"))]),
                ),
                ("c", Value::from("")),
            ]),
        )]);
        assert_eq!(parsed(source).unwrap(), expected);
        assert_eq!(
            parsed("<r><![CDATA[<raw>]]></r>").unwrap(),
            Value::map([("r", Value::from("<raw>"))])
        );
    }

    #[test]
    fn broken_documents_are_refused() {
        for (source, part) in [
            ("<a>", "`a` is not closed"),
            ("<a></b>", "b"),
            ("", "no element"),
            ("text", "no element"),
            ("<a/>text", "outside"),
            ("<a>&own;</a>", "`&own;`"),
        ] {
            let error = parsed(source).unwrap_err();
            assert!(error.contains(part), "{source}: {error}");
        }
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
        assert!(parsed(bomb).unwrap_err().contains("`&b;`"));
    }

    #[test]
    fn a_result_too_large_is_refused() {
        let source = format!("<r><a>{}</a></r>", "t".repeat(49 << 20));
        assert_eq!(parsed(&source).unwrap_err(), "the result is too large");
    }

    #[test]
    fn depth_is_bounded() {
        assert!(
            parsed(&"<a>".repeat(100_000))
                .unwrap_err()
                .contains("deeper")
        );
    }
}
