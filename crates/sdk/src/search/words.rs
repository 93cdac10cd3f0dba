//! Which texts hold which words, and their ranking by BM25.
//!
//! Words are runs of letters and digits in small letters; scripts that are written without blanks count letter by
//! letter. It must not know any language: there are no stop words and no stems.

use std::collections::HashMap;

/// How soon another occurrence of a word stops to count (k1 of BM25).
const SATURATION: f64 = 1.2;
/// How much long texts are marked down (b of BM25).
const LENGTH_WEIGHT: f64 = 0.75;
/// Longest word that is kept, in bytes; what is longer is cut.
const MAX_WORD: usize = 64;
/// Most different words of a query that are looked for.
const MAX_QUERY_WORDS: usize = 256;

/// A text that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Its place, in the order texts were added.
    pub place: usize,
    /// Larger is better.
    pub score: f64,
}

/// Whether a letter is a word by itself.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{2FA1F}')
}

/// Whether it only marks the letter before it; a mark neither belongs to a word nor ends it.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Calls `visit` with each word of a text, in order.
pub fn words_of(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            visit(word);
            word.clear();
        }
    };
    for c in text.chars() {
        if stands_alone(c) {
            end(&mut word);
            word.push(c);
            end(&mut word);
        } else if c.is_alphanumeric() {
            // Some letters become two, of which one is a mark.
            for small in c.to_lowercase().filter(|c| c.is_alphanumeric()) {
                if word.len() + small.len_utf8() <= MAX_WORD {
                    word.push(small);
                }
            }
        } else if !is_mark(c) {
            end(&mut word);
        }
    }
    end(&mut word);
}

/// Whether a word is long enough to count.
fn counts(word: &str, min_word: usize) -> bool {
    word.chars().nth(min_word.saturating_sub(1)).is_some()
        || word.chars().next().is_some_and(stands_alone)
}

/// The words of some texts.
#[derive(Clone, Debug, Default)]
pub struct WordIndex {
    /// Of each word: the texts it is in, and how often.
    occurrences: HashMap<Box<str>, Vec<(u32, u32)>>,
    /// Words of each text.
    lengths: Vec<u32>,
    total: u64,
    entries: usize,
}

impl WordIndex {
    /// Adds the next text.
    pub fn add(&mut self, text: &str) {
        let place = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        let mut length = 0u32;
        words_of(text, |word| {
            length = length.saturating_add(1);
            let list = match self.occurrences.get_mut(word) {
                Some(list) => list,
                None => self.occurrences.entry(word.into()).or_default(),
            };
            match list.last_mut() {
                Some((at, count)) if *at == place => *count = count.saturating_add(1),
                _ => {
                    list.push((place, 1));
                    self.entries += 1;
                }
            }
        });
        self.lengths.push(length);
        self.total += u64::from(length);
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// About how many bytes of memory it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // A list that grows has up to twice the room it needs.
        self.occurrences.len() * 96 + self.entries * 12 + self.lengths.len() * 4
    }

    /// The texts with any of the words of a query that are accepted, best first; of equally good ones the first added.
    /// Words of fewer than `min_word` letters do not count.
    #[must_use]
    pub fn find(
        &self,
        query: &str,
        limit: usize,
        min_word: usize,
        accept: impl Fn(usize) -> bool,
    ) -> Vec<Scored> {
        let mut wanted: Vec<Box<str>> = Vec::new();
        words_of(query, |word| {
            let new = !wanted.iter().any(|w| **w == *word);
            if new && wanted.len() < MAX_QUERY_WORDS && counts(word, min_word) {
                wanted.push(word.into());
            }
        });
        let texts = self.lengths.len() as f64;
        let average = (self.total as f64 / texts.max(1.0)).max(1.0);
        let mut scores: HashMap<u32, f64> = HashMap::new();
        for word in &wanted {
            let Some(list) = self.occurrences.get(word) else {
                continue;
            };
            let holding = list.len() as f64;
            let rarity = (1.0 + (texts - holding + 0.5) / (holding + 0.5)).ln();
            for (place, count) in list {
                let count = f64::from(*count);
                let length = self
                    .lengths
                    .get(*place as usize)
                    .map_or(0.0, |l| f64::from(*l));
                let weight = 1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * length / average;
                let score = rarity * count * (SATURATION + 1.0) / (count + SATURATION * weight);
                *scores.entry(*place).or_default() += score;
            }
        }
        let found = scores.into_iter().map(|(place, score)| Scored {
            place: place as usize,
            score,
        });
        let mut found: Vec<Scored> = found.filter(|s| accept(s.place)).collect();
        let better =
            |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(a.place.cmp(&b.place));
        if limit == 0 {
            return Vec::new();
        }
        if found.len() > limit {
            found.select_nth_unstable_by(limit - 1, better);
            found.truncate(limit);
        }
        found.sort_by(better);
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(texts: &[&str]) -> WordIndex {
        let mut index = WordIndex::default();
        texts.iter().for_each(|t| index.add(t));
        index
    }

    fn places(index: &WordIndex, query: &str) -> Vec<usize> {
        let found = index.find(query, 10, 1, |_| true);
        found.iter().map(|s| s.place).collect()
    }

    #[test]
    fn rare_words_weigh_more_and_short_texts_win() {
        let index = index(&[
            "the cat sat on the mat",
            "the dog sat on the mat and then on the rug and then on the chair",
            "the zebra",
            "nothing here",
        ]);
        assert_eq!(places(&index, "the zebra"), [2, 0, 1]);
        assert_eq!(places(&index, "SAT"), [0, 1]);
        assert!(places(&index, "elephant").is_empty());
        assert!(places(&index, "").is_empty());
        let best = index.find("the", 1, 1, |place| place != 2);
        assert_eq!(best.len(), 1);
        assert_ne!(best[0].place, 2);
    }

    #[test]
    fn short_words_can_be_left_out_and_other_scripts_are_found() {
        let index = index(&["an ox", "東京の天気", "Größe"]);
        let found = index.find("an ox", 9, 3, |_| true);
        assert!(found.is_empty());
        assert_eq!(index.find("京", 9, 3, |_| true)[0].place, 1);
        assert_eq!(places(&index, "GRÖSSE größe"), [2]);
        let mut words = Vec::new();
        words_of("İstanbul cafe\u{301}s", |w| words.push(w.to_owned()));
        assert_eq!(words, ["istanbul", "cafes"]);
    }

    #[test]
    fn the_formula_is_that_of_bm25() {
        let index = index(&["a b", "a a c d", "x"]);
        let found = index.find("a", 9, 1, |_| true);
        let rarity = (1.0f64 + (3.0 - 2.0 + 0.5) / (2.0 + 0.5)).ln();
        let average = 7.0 / 3.0;
        let score = |count: f64, length: f64| {
            rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average))
        };
        let expected = [(1, score(2.0, 4.0)), (0, score(1.0, 2.0))];
        for (found, (place, score)) in found.iter().zip(expected) {
            assert_eq!(found.place, place);
            assert!((found.score - score).abs() < 1e-9, "{found:?} {score}");
        }
        assert_eq!(found.len(), 2);
    }

    proptest! {
        #[test]
        fn a_text_is_found_by_each_of_its_words(texts in prop::collection::vec("\\PC{0,40}", 1..8)) {
            let mut index = WordIndex::default();
            texts.iter().for_each(|t| index.add(t));
            for (place, text) in texts.iter().enumerate() {
                let mut words: Vec<String> = Vec::new();
                words_of(text, |w| words.push(w.to_owned()));
                for word in words {
                    let found = index.find(&word, texts.len(), 1, |_| true);
                    prop_assert!(found.iter().any(|s| s.place == place), "{word:?} of {text:?}");
                    prop_assert!(found.is_sorted_by(|a, b| a.score >= b.score));
                }
            }
        }
    }
}
