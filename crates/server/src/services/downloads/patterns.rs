//! Which files of a repository are wanted: shell patterns as the hub's own tools read them, where `*` matches slashes
//! too and a pattern that ends in a slash means the whole folder.

use super::names::NameError;

/// Most patterns of one list.
const MOST: usize = 256;
/// Most characters of a pattern.
const LONGEST: usize = 512;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    Any,
    Many,
    /// Ranges, and whether everything but them fits.
    Set(Vec<(char, char)>, bool),
}

impl Part {
    fn fits(&self, c: char) -> bool {
        match self {
            Part::One(own) => *own == c,
            Part::Any => true,
            Part::Many => false,
            Part::Set(ranges, inverted) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *inverted
            }
        }
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        while let Some(c) = chars.get(i) {
            i += 1;
            let part = match c {
                '*' if parts.last() == Some(&Part::Many) => continue,
                '*' => Part::Many,
                '?' => Part::Any,
                '[' => match set(&chars[i..]) {
                    Some((part, length)) => {
                        i += length;
                        part
                    }
                    None => Part::One('['),
                },
                c => Part::One(*c),
            };
            parts.push(part);
        }
        if text.ends_with('/') {
            parts.push(Part::Many);
        }
        Pattern(parts)
    }

    /// Whether the whole text fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut t, mut p) = (0, 0);
        // Where the last star stands, and how far it reaches.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.0.get(p) {
                Some(Part::Many) => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(part) if part.fits(text[t]) => {
                    t += 1;
                    p += 1;
                }
                _ => match star {
                    Some((at, reach)) => {
                        star = Some((at, reach + 1));
                        t = reach + 1;
                        p = at + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[p..].iter().all(|part| *part == Part::Many)
    }
}

/// What stands between brackets, and its length with the closing one.
fn set(chars: &[char]) -> Option<(Part, usize)> {
    let inverted = chars.first() == Some(&'!');
    let from = usize::from(inverted);
    // A bracket right at the start stands for itself.
    let end = from + 1 + chars.get(from + 1..)?.iter().position(|c| *c == ']')?;
    let mut ranges = Vec::new();
    let mut i = from;
    while i < end {
        if i + 2 < end && chars[i + 1] == '-' {
            ranges.push((chars[i], chars[i + 2]));
            i += 3;
        } else {
            ranges.push((chars[i], chars[i]));
            i += 1;
        }
    }
    Some((Part::Set(ranges, inverted), end + 1))
}

/// The files that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Without any, every file.
    allow: Vec<Pattern>,
    ignore: Vec<Pattern>,
}

impl Filter {
    pub(crate) fn new(allow: &[String], ignore: &[String]) -> Result<Self, NameError> {
        let read = |texts: &[String]| {
            let long = |text: &String| text.chars().count() > LONGEST;
            if texts.len() > MOST || texts.iter().any(long) {
                return Err(NameError::Patterns {
                    most: MOST,
                    longest: LONGEST,
                });
            }
            let given = texts.iter().filter(|text| !text.is_empty());
            Ok(given.map(|text| Pattern::parse(text)).collect())
        };
        Ok(Filter {
            allow: read(allow)?,
            ignore: read(ignore)?,
        })
    }

    /// Whether nothing says which files are wanted.
    pub(super) fn takes_all(&self) -> bool {
        self.allow.is_empty()
    }

    pub(crate) fn wants(&self, path: &str) -> bool {
        let allowed = self.allow.is_empty() || self.allow.iter().any(|p| p.fits(path));
        allowed && !self.ignore.iter().any(|p| p.fits(path))
    }

    /// Whether files are there that suffice: one for each pattern, or any at all.
    pub(crate) fn is_met_by(&self, paths: &[String]) -> bool {
        let kept = |path: &&String| !self.ignore.iter().any(|p| p.fits(path));
        let kept: Vec<&String> = paths.iter().filter(kept).collect();
        let met = |pattern: &Pattern| kept.iter().any(|path| pattern.fits(path));
        !kept.is_empty() && self.allow.iter().all(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_shells_read_names() {
        for (pattern, text, fits) in [
            ("*.json", "config.json", true),
            ("*.json", "a/b.json", true),
            ("*.json", "config.jsonl", false),
            ("vae/", "vae/a/b", true),
            ("vae/", "vae", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[x", "[x", true),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxaxxcxxbxx", false),
            ("", "", true),
            ("**", "", true),
        ] {
            assert_eq!(Pattern::parse(pattern).fits(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_they_should() {
        let pattern = Pattern::parse(&"a*".repeat(200));
        assert!(!pattern.fits(&format!("{}b", "c".repeat(2000))));
    }

    #[test]
    fn a_cache_suffices_when_every_pattern_finds_a_file_that_is_not_ignored() {
        let texts = |t: &[&str]| t.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let there = texts(&["config.json", "model.bin"]);
        let met = |allow: &[&str], ignore: &[&str]| {
            let filter = Filter::new(&texts(allow), &texts(ignore)).unwrap();
            filter.is_met_by(&there)
        };
        assert!(met(&[], &[]));
        assert!(met(&["*.json", "*.bin"], &[]));
        assert!(!met(&["*.json", "*.txt"], &[]));
        assert!(!met(&["*.bin"], &["*.bin"]));
        assert!(!met(&[], &["*"]));
        assert!(Filter::new(&vec!["x".into(); 257], &[]).is_err());
    }
}
