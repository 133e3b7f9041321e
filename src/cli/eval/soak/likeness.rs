//! Measures how alike two texts are, by plain sets of trigrams: the judge's own measure. Part of `cli`.

use std::collections::BTreeSet;

/// The trigrams of a text, lower case, letters and single spaces only.
pub(super) struct Trigrams(BTreeSet<[char; 3]>);

impl Trigrams {
    pub(super) fn of(text: &str) -> Self {
        let letters = text.to_lowercase();
        let words: Vec<&str> = letters.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let plain: Vec<char> = words.join(" ").chars().collect();
        Self(plain.windows(3).map(|three| [three[0], three[1], three[2]]).collect())
    }

    /// Returns Jaccard's index, 0 to 1; 0 for texts without trigrams.
    pub(super) fn likeness(&self, other: &Self) -> f64 {
        let common = self.0.intersection(&other.0).count();
        let all = self.0.len() + other.0.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_alike_and_others_are_not() {
        let one = Trigrams::of("Bence çay daha iyi!");
        assert!((one.likeness(&Trigrams::of("bence ÇAY daha iyi")) - 1.0).abs() < 1e-9);
        assert!(one.likeness(&Trigrams::of("Yarın hava güzel")) < 0.2);
    }
}
