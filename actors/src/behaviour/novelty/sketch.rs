//! Sketches: small digests of texts that tell how alike two texts are. Layer `behaviour`; pure.
//!
//! A sketch keeps two sets of each text, both without order, so that a sentence turned around stays like itself: the
//! runs of four letters within its words, which carry stems over Turkish suffixes and English endings, and the words
//! themselves, cut to their stems. Only letters count. One-permutation `MinHash` thins each set: the hash of a feature
//! names a bin, and the least hash in a bin stays. So a sketch costs one hash a feature, and two sketches are compared
//! bin by bin.
//!
//! # Source
//! Li, Owen, Zhang: One Permutation Hashing for Efficient Search and Learning, NIPS 2012; the estimator leaves out bins
//! that are empty in both.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::text::fold;

/// Letters in a run.
const RUN: usize = 4;

/// Bins for runs of letters, and for words.
const RUN_BINS: usize = 64;
const WORD_BINS: usize = 32;

/// Letters of a word that count as its stem.
const STEM: usize = 5;

/// Fewest letters of a text that can repeat another one: "teşekkürler" may be said every day.
pub const LETTERS_MIN: usize = 16;

/// Letters below which a text is like another one by chance: its likeness is taken down in proportion.
const LETTERS_SURE: usize = 40;

/// Weight of runs of letters against words.
const RUNS_WEIGH: f64 = 0.6;

/// Value of a bin without a feature.
const EMPTY: u16 = u16::MAX;

/// Digest of a text for comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    runs: [u16; RUN_BINS],
    words: [u16; WORD_BINS],
    letters: u16,
    /// Hash of all letters in order, by which equal texts are found whatever their length.
    whole: u64,
}

impl Sketch {
    /// Computes the sketch of `text`.
    pub fn of(text: &str) -> Self {
        Self::of_folded(&fold(text))
    }

    /// Computes the sketch of a text that is folded already.
    pub fn of_folded(folded: &str) -> Self {
        let mut sketch = Self { runs: [EMPTY; RUN_BINS], words: [EMPTY; WORD_BINS], letters: 0, whole: 0 };
        let mut whole = DefaultHasher::new();
        let mut letters = 0usize;
        // A mark before and after each word makes its beginning and its end count as well.
        let mut word: Vec<u32> = Vec::with_capacity(24);
        for c in folded.chars().chain([' ']) {
            if c.is_alphabetic() {
                if word.is_empty() {
                    word.push(0);
                }
                word.push(c.into());
                u32::from(c).hash(&mut whole);
                letters += 1;
            } else if !matches!(c, '\'' | '’') && !word.is_empty() {
                word.push(0);
                sketch.add(&word);
                0u32.hash(&mut whole);
                word.clear();
            }
        }
        sketch.letters = u16::try_from(letters).unwrap_or(u16::MAX);
        sketch.whole = whole.finish();
        sketch
    }

    fn add(&mut self, word: &[u32]) {
        for run in word.windows(RUN) {
            put(&mut self.runs, mix(run));
        }
        // Words as short as "a", "ve", "of" are in every text.
        if word.len() > 4 {
            let stem = word.len().min(STEM + 1);
            put(&mut self.words, mix(&word[1..stem]));
        }
    }

    /// Returns the number of letters of the text, up to 65,535.
    pub fn letters(&self) -> usize {
        self.letters.into()
    }

    /// Returns whether both texts are the same but for case, digits and punctuation.
    pub fn is_same(&self, other: &Self) -> bool {
        self.letters == other.letters && self.whole == other.whole
    }

    /// Returns the likeness of two texts: 0 (nothing in common, or too short to tell) to 1 (the same, whatever the
    /// order of their words).
    pub fn likeness(&self, other: &Self) -> f64 {
        let letters = self.letters().min(other.letters());
        if letters < LETTERS_MIN {
            return 0.0;
        }
        if self.is_same(other) {
            return 1.0;
        }
        let sure = (letters as f64 / LETTERS_SURE as f64).min(1.0);
        sure * self.estimate(other)
    }

    /// Returns the share of features in common, 0 to 1, however short the texts are.
    pub fn estimate(&self, other: &Self) -> f64 {
        let runs = shared(&self.runs, &other.runs);
        let words = shared(&self.words, &other.words);
        RUNS_WEIGH * runs + (1.0 - RUNS_WEIGH) * words
    }
}

/// Puts a feature into its bin, where the least hash stays.
fn put<const BINS: usize>(bins: &mut [u16; BINS], hash: u64) {
    let bin = (hash >> 32) as usize % BINS;
    // The highest value marks an empty bin.
    let value = ((hash & 0xFFFF) as u16).min(EMPTY - 1);
    bins[bin] = bins[bin].min(value);
}

/// Estimates the share of features that two sets have in common.
fn shared<const BINS: usize>(one: &[u16; BINS], other: &[u16; BINS]) -> f64 {
    let (mut same, mut used) = (0u32, 0u32);
    for (one, other) in one.iter().zip(other) {
        used += u32::from(*one != EMPTY || *other != EMPTY);
        same += u32::from(one == other && *one != EMPTY);
    }
    if used == 0 { 0.0 } else { f64::from(same) / f64::from(used) }
}

/// Hashes a few letters, the same on every machine.
fn mix(letters: &[u32]) -> u64 {
    let mut hash = 0x9E37_79B9_7F4A_7C15u64;
    for letter in letters {
        hash = (hash ^ u64::from(*letter)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash ^= hash >> 29;
    }
    hash = hash.wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn likeness(one: &str, other: &str) -> f64 {
        Sketch::of(one).likeness(&Sketch::of(other))
    }

    #[test]
    fn case_digits_punctuation_and_turkish_capitals_make_no_difference() {
        let one = "İstanbul'da IŞIKLAR söndü, saat 21:30 gibi!";
        assert!((likeness(one, "istanbulda ışıklar söndü saat 22.00 gibi") - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_sentence_turned_around_is_like_itself() {
        for (one, other) in [
            (
                "Bence akşam yemeğinden sonra demli bir çay her şeye iyi gelir.",
                "Demli bir çay, akşam yemeğinden sonra her şeye iyi gelir bence.",
            ),
            (
                "In the morning I really love a strong cup of tea on the balcony.",
                "I really love a strong cup of tea on the balcony in the morning!",
            ),
        ] {
            let likeness = likeness(one, other);
            assert!(likeness > 0.9, "{likeness}: {one} / {other}");
        }
    }

    #[test]
    fn a_light_paraphrase_is_far_nearer_than_another_thought() {
        for (one, other) in [
            (
                "Hafta sonu sahilde uzun bir yürüyüş yapmak bana çok iyi geliyor.",
                "Hafta sonları sahilde uzun yürüyüşler yapmak bana gerçekten iyi geliyor.",
            ),
            (
                "Old films have a charm that modern movies just cannot match.",
                "Old films just have that charm which modern movies can not match.",
            ),
        ] {
            let likeness = likeness(one, other);
            assert!(likeness > 0.55, "{likeness}: {one} / {other}");
        }
    }

    #[test]
    fn other_thoughts_are_far_even_on_the_same_subject() {
        for (one, other) in [
            (
                "Bence akşam yemeğinden sonra demli bir çay her şeye iyi gelir.",
                "Çay deyince aklıma hep babaannemin semaveri geliyor, ne günlerdi.",
            ),
            (
                "Old films have a charm that modern movies just cannot match.",
                "I watched a documentary about deep sea fish yesterday, quite scary.",
            ),
            (
                "I would rather take the train, since the view over the river is lovely.",
                "The train was late again today, so I missed the whole first meeting.",
            ),
        ] {
            let likeness = likeness(one, other);
            assert!(likeness < 0.35, "{likeness}: {one} / {other}");
        }
    }

    #[test]
    fn short_texts_are_like_nothing() {
        for text in ["ok", "teşekkürler", "Günaydın!", "haha", "👍"] {
            assert!(likeness(text, text) < f64::EPSILON, "{text}");
        }
    }

    proptest! {
        #[test]
        fn likeness_is_symmetric_and_within_bounds(one in "(?s).{0,200}", other in "[a-zğış ]{0,200}") {
            let (one, other) = (Sketch::of(&one), Sketch::of(&other));
            let likeness = one.likeness(&other);
            prop_assert!((0.0..=1.0).contains(&likeness));
            prop_assert!((likeness - other.likeness(&one)).abs() < f64::EPSILON);
        }
    }
}
