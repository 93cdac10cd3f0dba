//! XML as a tree of elements, as far as feeds need it.
//!
//! It must not know feeds. Feeds are often a little wrong: unknown entities stay as they are written. Entities a
//! document declares itself are not expanded.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Most elements of a document.
const MAX_ELEMENTS: usize = 500_000;
/// Most elements within each other.
const MAX_DEPTH: usize = 100;

/// An element: its name as it is written, its attributes, the text directly in it, and its elements.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Reads a document; the element it consists of.
    pub(super) fn parse(source: &str) -> Result<Element, String> {
        let mut reader = Reader::from_str(source);
        let mut open = vec![Element::default()];
        let mut elements = 0;
        loop {
            let event = reader
                .read_event()
                .map_err(|e| format!("{e} (at byte {})", reader.error_position()))?;
            match event {
                Event::Start(tag) => {
                    open.push(begun(&tag, &mut elements)?);
                    if open.len() > MAX_DEPTH {
                        return Err(format!("elements are nested deeper than {MAX_DEPTH}"));
                    }
                }
                Event::Empty(tag) => {
                    let element = begun(&tag, &mut elements)?;
                    close(&mut open, element)?;
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("an element is closed twice")?;
                    close(&mut open, element)?;
                }
                Event::Text(part) => write(&mut open, &part.xml10_content()),
                Event::CData(part) => write(&mut open, &part.xml10_content()),
                Event::GeneralRef(entity) => {
                    let text = resolved(&entity);
                    write(&mut open, &text);
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        if open.len() > 1 {
            let name = open.pop().map(|e| e.name).unwrap_or_default();
            return Err(format!("the element `{name}` is not closed"));
        }
        let document = open.pop().unwrap_or_default();
        let root = document.children.into_iter().next();
        root.ok_or_else(|| "there is no element in it".to_owned())
    }

    /// The elements of a name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The first element of a name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// An attribute; empty when there is none.
    pub(super) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// The text in it and in all its elements, in order as far as elements stand after the text.
    pub(super) fn whole_text(&self) -> String {
        let mut text = self.text.trim().to_owned();
        let mut left: Vec<&Element> = self.children.iter().rev().collect();
        while let Some(element) = left.pop() {
            let own = element.text.trim();
            if !own.is_empty() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(own);
            }
            left.extend(element.children.iter().rev());
        }
        text
    }

    /// The text of the first of these elements that has one; empty when none has.
    pub(super) fn text_of(&self, names: &[&str]) -> String {
        let children = names.iter().filter_map(|name| self.child(name));
        let mut texts = children.map(Element::whole_text).filter(|t| !t.is_empty());
        texts.next().unwrap_or_default()
    }
}

fn begun(tag: &BytesStart<'_>, elements: &mut usize) -> Result<Element, String> {
    *elements += 1;
    if *elements > MAX_ELEMENTS {
        return Err(format!("there are more than {MAX_ELEMENTS} elements"));
    }
    let attributes = tag.attributes().filter_map(|attribute| {
        let attribute = attribute.ok()?;
        // Addresses often have bare ampersands.
        let value = match attribute.normalized_value(XmlVersion::Implicit1_0) {
            Ok(value) => value.into_owned(),
            Err(_) => attribute.value.to_string(),
        };
        Some((attribute.key.as_ref().to_owned(), value))
    });
    Ok(Element {
        name: tag.name().as_ref().to_owned(),
        attributes: attributes.collect(),
        ..Element::default()
    })
}

fn close(open: &mut [Element], element: Element) -> Result<(), String> {
    let outer = open.last_mut().ok_or("an element is closed twice")?;
    outer.children.push(element);
    Ok(())
}

fn write(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolved(entity: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return character.to_string();
    }
    let name = entity.xml10_content();
    match (resolve_predefined_entity(&name), &*name) {
        (Some(text), _) => text.to_owned(),
        // The one of HTML that feeds use all the time.
        (None, "nbsp") => "\u{a0}".to_owned(),
        (None, name) => format!("&{name};"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_attributes_and_elements_are_read() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?><a x=\"1 &amp; 2\" y=\"?a&b=c\"><b>t &lt; &#65;&nbsp;&own;</b><c><![CDATA[<i>]]><d>e</d></c></a>",
        )
        .unwrap();
        assert_eq!(root.attribute("x"), "1 & 2");
        assert_eq!(root.attribute("y"), "?a&b=c");
        assert_eq!(root.text_of(&["b"]), "t < A\u{a0}&own;");
        assert_eq!(root.text_of(&["none", "c"]), "<i> e");
    }

    #[test]
    fn what_is_no_document_or_too_much_is_refused() {
        for (source, said) in [
            ("", "no element"),
            ("<a><b></a>", "b"),
            ("<a>", "not closed"),
            (&"<a>".repeat(200), "deeper"),
            (&"<a/>".repeat(MAX_ELEMENTS + 1), "more than"),
        ] {
            let refused = Element::parse(source).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\">]><r>&a;</r>";
        assert_eq!(Element::parse(bomb).unwrap().whole_text(), "&a;");
    }
}
