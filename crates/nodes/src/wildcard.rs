//! Shell-style wildcards as Python's `fnmatch` reads them: `*`, `?`, `[a-z]`, `[!a-z]`.

/// Longest pattern, in characters.
const MAX_PATTERN: usize = 1024;

#[derive(Debug, PartialEq)]
enum Piece {
    /// Any run of characters.
    Any,
    /// Any one character.
    One,
    /// This character.
    Just(char),
    /// One of these ranges, or none of them.
    Set {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern ready for use.
#[derive(Debug)]
pub(crate) struct Wildcard {
    pieces: Vec<Piece>,
    fold: bool,
}

impl Wildcard {
    /// Reads a pattern; the error says what is wrong with it.
    pub(crate) fn new(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        if pattern.chars().count() > MAX_PATTERN {
            return Err(format!("is longer than {MAX_PATTERN} characters"));
        }
        let chars: Vec<char> = folded(pattern, !case_sensitive).collect();
        let (mut pieces, mut i) = (Vec::new(), 0);
        while i < chars.len() {
            let piece = match chars[i] {
                '*' => Piece::Any,
                '?' => Piece::One,
                '[' => match set(&chars[i + 1..]) {
                    Some((piece, used)) => {
                        i += used;
                        piece
                    }
                    None => Piece::Just('['),
                },
                c => Piece::Just(c),
            };
            if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                pieces.push(piece);
            }
            i += 1;
        }
        Ok(Wildcard {
            pieces,
            fold: !case_sensitive,
        })
    }

    /// Whether the whole name matches. Takes at most name length times pattern length steps.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = folded(name, self.fold).collect();
        let (mut at, mut piece) = (0, 0);
        // Where to try again: one more character for the star met last.
        let mut retry = None;
        loop {
            match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    piece += 1;
                    retry = Some((at, piece));
                    continue;
                }
                Some(p) if name.get(at).is_some_and(|c| p.takes(*c)) => {
                    at += 1;
                    piece += 1;
                    continue;
                }
                None if at == name.len() => return true,
                _ => {}
            }
            match retry {
                Some((from, after)) if from < name.len() => {
                    retry = Some((from + 1, after));
                    (at, piece) = (from + 1, after);
                }
                _ => return false,
            }
        }
    }

    /// Whether names that begin with a dot are meant.
    pub(crate) fn wants_hidden(&self) -> bool {
        self.pieces.first() == Some(&Piece::Just('.'))
    }

    /// Most steps a name of this many bytes can take.
    pub(crate) fn cost(&self, name_bytes: usize) -> usize {
        name_bytes.saturating_mul(self.pieces.len() + 1)
    }
}

impl Piece {
    fn takes(&self, c: char) -> bool {
        match self {
            Piece::Any => false,
            Piece::One => true,
            Piece::Just(own) => *own == c,
            Piece::Set { not, ranges } => {
                ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not
            }
        }
    }
}

fn folded(text: &str, fold: bool) -> impl Iterator<Item = char> {
    text.chars().flat_map(move |c| {
        let lower = fold.then(|| c.to_lowercase());
        let same = if fold { None } else { Some(c) };
        lower.into_iter().flatten().chain(same)
    })
}

/// The set that begins after `[`, and how many characters it takes with its `]`.
fn set(rest: &[char]) -> Option<(Piece, usize)> {
    let not = rest.first() == Some(&'!');
    let start = usize::from(not);
    // A `]` in the first place is a member.
    let end = (start + 1..rest.len()).find(|i| rest[*i] == ']')?;
    let (members, mut ranges, mut i) = (&rest[start..end], Vec::new(), 0);
    while i < members.len() {
        if i + 2 < members.len() && members[i + 1] == '-' {
            ranges.push((members[i], members[i + 2]));
            i += 3;
        } else {
            ranges.push((members[i], members[i]));
            i += 1;
        }
    }
    Some((Piece::Set { not, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, name, yes) in [
            ("*", "", true),
            ("*.txt", "a.txt", true),
            ("*.txt", "a.TXT", false),
            ("*.txt", "a.txt.bak", false),
            ("?.txt", "a.txt", true),
            ("?.txt", ".txt", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("data_*.csv", "data_1.csv", true),
            ("a/*", "a/b/c", true),
            ("é?", "éa", true),
            ("*.json", "a.json.tmp", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[]]x", "]x", true),
            ("[ab", "[ab", true),
            ("*a*b*", "xxaxxbxx", true),
            ("logs/*", "logs/2024/a.txt", true),
            ("", "a", false),
        ] {
            let wildcard = Wildcard::new(pattern, true).unwrap();
            assert_eq!(wildcard.matches(name), yes, "{pattern} {name}");
        }
        assert!(Wildcard::new("*.TXT", false).unwrap().matches("a.tXt"));
        assert!(Wildcard::new("[A-C]", false).unwrap().matches("B"));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let wildcard = Wildcard::new(&"*a".repeat(500), true).unwrap();
        assert!(!wildcard.matches(&("a".repeat(2000) + "b")));
        let wildcard = Wildcard::new(&("*a".repeat(500) + "b"), true).unwrap();
        assert!(!wildcard.matches(&"a".repeat(4000)));
        assert!(Wildcard::new(&"a".repeat(1025), true).is_err());
    }
}
