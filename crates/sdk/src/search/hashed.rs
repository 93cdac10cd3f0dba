//! Vectors of texts without a model: words, pairs of words and letter groups are hashed into a fixed number of cells.
//!
//! Texts are near each other when they share words and parts of words. It knows nothing of meaning: "car" and
//! "automobile" are as far apart as any other words. It needs neither network nor memory and always gives the same.

use std::collections::HashMap;

use super::words::words_of;

/// Id of this way to make vectors, where models are named.
pub const MODEL: &str = "local/hash-384";

/// Numbers of each vector.
pub const DIMENSIONS: usize = 384;

/// What a whole word, a pair of neighbours and a letter group count.
const WORD: f32 = 1.0;
const PAIR: f32 = 0.4;
const GROUP: f32 = 0.35;

/// Letters of a group.
const GROUP_LETTERS: usize = 3;

/// Spreads a feature over all 64 bits: FNV-1a, then the last steps of MurmurHash3.
fn hash(kind: u8, parts: &[&str]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    add(kind);
    for part in parts {
        part.bytes().for_each(&mut add);
        add(0);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

/// The vector of a text, of length 1; all zeros for a text without words.
#[must_use]
pub fn embed(text: &str) -> Vec<f32> {
    let mut counts: HashMap<u64, (f32, f32)> = HashMap::new();
    let mut count = |hash: u64, weight: f32| {
        let entry = counts.entry(hash).or_insert((0.0, weight));
        entry.0 += 1.0;
    };
    let mut before = String::new();
    let mut letters: Vec<char> = Vec::new();
    let mut group = String::new();
    words_of(text, |word| {
        count(hash(b'w', &[word]), WORD);
        if !before.is_empty() {
            count(hash(b'p', &[&before, word]), PAIR);
        }
        letters.clear();
        // The ends of a word are part of its groups, so that prefixes are told from insides.
        letters.push('^');
        letters.extend(word.chars());
        letters.push('$');
        for window in letters.windows(GROUP_LETTERS) {
            group.clear();
            group.extend(window);
            count(hash(b'g', &[&group]), GROUP);
        }
        before.clear();
        before.push_str(word);
    });
    // In order of hash, because sums of floats depend on their order.
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(hash, _)| *hash);
    let mut vector = vec![0.0f32; DIMENSIONS];
    for (hash, (count, weight)) in counts {
        let cell = usize::try_from(hash % DIMENSIONS as u64).unwrap_or(0);
        // The sign comes from bits the cell does not depend on alone, so that what shares a cell cancels out on average.
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        if let Some(number) = vector.get_mut(cell) {
            *number += sign * weight * (1.0 + count.ln());
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::squared_distance;
    use super::*;

    #[test]
    fn texts_that_share_words_are_nearer() {
        let query = embed("how do I install the printer driver");
        let near = embed("Installing printer drivers: download the driver and install it.");
        let far = embed("Our cafeteria serves lunch between noon and two.");
        assert!(squared_distance(&query, &near) < squared_distance(&query, &far));
    }

    #[test]
    fn the_same_text_gives_the_same_vector_on_every_machine() {
        let vector = embed("The quick brown fox");
        assert_eq!(vector.len(), DIMENSIONS);
        assert_eq!(vector, embed("the QUICK, brown fox!"));
        let first: Vec<usize> = (0..DIMENSIONS)
            .filter(|i| vector[*i] != 0.0)
            .take(4)
            .collect();
        assert_eq!(first, FIRST_CELLS);
    }

    /// Stored vectors were made by the hash as it is: a change of it would make them useless.
    const FIRST_CELLS: [usize; 4] = [12, 22, 30, 33];

    #[test]
    fn a_text_without_words_is_all_zeros() {
        assert!(embed(" …!").iter().all(|x| *x == 0.0));
    }

    proptest! {
        #[test]
        fn every_vector_has_length_one_or_zero(text in "\\PC{0,200}") {
            let vector = embed(&text);
            let length: f32 = vector.iter().map(|x| x * x).sum();
            prop_assert!(length == 0.0 || (length - 1.0).abs() < 1e-4, "{length}");
            prop_assert!(vector.iter().all(|x| x.is_finite()));
        }
    }
}
