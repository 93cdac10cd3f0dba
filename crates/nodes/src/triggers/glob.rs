//! File name patterns: `*`, `?` and `[a-z]`, as shells know them.

/// Whether the whole of `name` fits `pattern`. `*` also takes slashes; `[!a]` is any character but `a`.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when the text after the last star does not fit: one character later.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, n));
            p += 1;
            continue;
        }
        match one(&pattern[p..], name[n]) {
            Some(length) => {
                p += length;
                n += 1;
            }
            None => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Length of the pattern's first element when it takes the character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match class(pattern) {
            Some((length, members, negated)) => (holds(members, c) != negated).then_some(length),
            None => (c == '[').then_some(1),
        },
        first => (*first == c).then_some(1),
    }
}

/// The class at the start of a pattern: its length, what is between the brackets, and whether it is turned around.
fn class(pattern: &[char]) -> Option<(usize, &[char], bool)> {
    let negated = pattern.get(1) == Some(&'!');
    let begin = 1 + usize::from(negated);
    // A bracket in the first place is a member.
    let end = pattern
        .iter()
        .enumerate()
        .skip(begin + 1)
        .find(|(_, c)| **c == ']')?
        .0;
    Some((end + 1, &pattern[begin..end], negated))
}

fn holds(members: &[char], c: char) -> bool {
    let mut i = 0;
    while i < members.len() {
        if members.get(i + 1) == Some(&'-')
            && let Some(last) = members.get(i + 2)
        {
            if (members[i]..=*last).contains(&c) {
                return true;
            }
            i += 3;
        } else {
            if members[i] == c {
                return true;
            }
            i += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_names_as_shells_do() {
        for (pattern, name, want) in [
            ("*.json", "a.json", true),
            ("*.json", "a.json.tmp", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[ab", "[ab", true),
            ("*a*b*", "xxaxxbxx", true),
            ("logs/*", "logs/2024/a.txt", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let pattern = "*a".repeat(1000) + "b";
        assert!(!fits(&pattern, &"a".repeat(4000)));
    }
}
