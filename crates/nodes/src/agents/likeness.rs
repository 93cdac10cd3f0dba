//! How alike two short texts are.

/// Longer texts are compared by their beginnings.
const MAX_CHARS: usize = 200;

/// 0 for texts that have nothing in common, 1 for equal ones: twice the characters of their common runs, longest runs
/// first, over the characters of both.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    let a: Vec<char> = a.chars().take(MAX_CHARS).collect();
    let b: Vec<char> = b.chars().take(MAX_CHARS).collect();
    let all = a.len() + b.len();
    if all == 0 {
        return 1.0;
    }
    let mut common = 0;
    let mut rest = vec![(&a[..], &b[..])];
    while let Some((a, b)) = rest.pop() {
        let (at_a, at_b, length) = longest_run(a, b);
        if length > 0 {
            common += length;
            rest.push((&a[..at_a], &b[..at_b]));
            rest.push((&a[at_a + length..], &b[at_b + length..]));
        }
    }
    2.0 * common as f64 / all as f64
}

/// Where the longest common run begins in both, and its length.
fn longest_run(a: &[char], b: &[char]) -> (usize, usize, usize) {
    let mut best = (0, 0, 0);
    // Lengths of the runs that end at the character before, by place in b.
    let mut before = vec![0; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        let mut ending = vec![0; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            if x == y {
                let length = before[j] + 1;
                ending[j + 1] = length;
                if length > best.2 {
                    best = (i + 1 - length, j + 1 - length, length);
                }
            }
        }
        before = ending;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_alike_and_unlike_ones_are_not() {
        assert_eq!(likeness("", ""), 1.0);
        assert_eq!(likeness("spam", "spam"), 1.0);
        assert_eq!(likeness("spam", "ivory"), 0.0);
        assert_eq!(likeness("abcd", "bcde"), 0.75);
        assert!(likeness("newsleter", "newsletter") > 0.9);
    }
}
