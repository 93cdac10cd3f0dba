//! What providers want back with reasoning, written as one text.
//!
//! An answer keeps the signatures of all its reasoning in one place, although there may be several, and a conversation
//! may move on to another provider, which would refuse signatures that are not its own. So each is written with who
//! gave it and how much of the reasoning it is for: `tag:characters:bytes:signature;`.

/// One signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature<'a> {
    /// Who gave it, and for what.
    pub(crate) tag: &'a str,
    /// For how many characters of the reasoning, behind those of the signatures before.
    pub(crate) characters: usize,
    /// What the provider gave; empty for reasoning that came without.
    pub(crate) value: &'a str,
}

impl Signature<'_> {
    /// Its text, which may be put behind that of others.
    pub(crate) fn write(&self) -> String {
        let Signature {
            tag,
            characters,
            value,
        } = self;
        format!("{tag}:{characters}:{}:{value};", value.len())
    }

    /// The signatures of a text; none when it is not of this form.
    pub(crate) fn read(text: &str) -> Vec<Signature<'_>> {
        let mut signatures = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let Some((signature, more)) = Self::first(rest) else {
                return Vec::new();
            };
            signatures.push(signature);
            rest = more;
        }
        signatures
    }

    fn first(text: &str) -> Option<(Signature<'_>, &str)> {
        let (tag, rest) = text.split_once(':')?;
        let (characters, rest) = rest.split_once(':')?;
        let (bytes, rest) = rest.split_once(':')?;
        let (value, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        let signature = Signature {
            tag,
            characters: characters.parse().ok()?,
            value,
        };
        Some((signature, rest.strip_prefix(';')?))
    }
}

/// The first so many characters of a text and what follows, if it has as many.
pub(crate) fn split_characters(text: &str, characters: usize) -> Option<(&str, &str)> {
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let end = ends.into_iter().nth(characters)?;
    text.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_signatures_in_one_text_are_told_apart() {
        let written =
            [("a", 3, "x;y:z"), ("b", 0, "ä"), ("a", 12, "")].map(|(tag, n, value)| Signature {
                tag,
                characters: n,
                value,
            });
        let text: String = written.iter().map(Signature::write).collect();
        assert_eq!(text, "a:3:5:x;y:z;b:0:2:ä;a:12:0:;");
        assert_eq!(Signature::read(&text), written);
    }

    #[test]
    fn a_text_of_another_form_has_no_signatures() {
        for text in [
            "EqQBCkYI",
            "a:1:9:short;",
            "a:1:1:é;",
            "a:x:1:y;",
            "a:1:1:yz",
        ] {
            assert_eq!(Signature::read(text), [], "{text}");
        }
    }

    #[test]
    fn texts_are_split_by_characters() {
        assert_eq!(split_characters("aäb", 2), Some(("aä", "b")));
        assert_eq!(split_characters("aäb", 3), Some(("aäb", "")));
        assert_eq!(split_characters("aäb", 4), None);
    }
}
