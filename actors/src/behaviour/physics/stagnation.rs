//! Stagnation: the last messages say the same. Layer `behaviour`; pure.

use std::collections::BTreeSet;

use crate::behaviour::note::Note;

/// Share of common words from which two texts say the same.
const ALIKE: f64 = 0.6;

/// Letters of a word that are compared, since endings vary, in Turkish much.
const STEM_CHARS: usize = 5;

/// Returns whether these messages, at least two, all say much the same.
pub(super) fn say_the_same(messages: &[&Note]) -> bool {
    let words: Vec<BTreeSet<String>> = messages.iter().map(|note| stems(note.folded())).collect();
    let alike = |(one, other): (&BTreeSet<String>, &BTreeSet<String>)| {
        let common = one.intersection(other).count() as f64;
        let all = one.union(other).count() as f64;
        all > 0.0 && common / all >= ALIKE
    };
    words.len() > 1 && words.iter().enumerate().all(|(at, one)| words[at + 1..].iter().all(|other| alike((one, other))))
}

fn stems(folded: &str) -> BTreeSet<String> {
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(STEM_CHARS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::{noted, says};

    fn same(texts: &[&str]) -> bool {
        let notes: Vec<Note> = texts.iter().zip(1..).map(|(text, at)| noted(&says(at, None, text, 1))).collect();
        say_the_same(&notes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn repetition_is_seen_through_endings_and_order() {
        assert!(same(&["Çay her zaman iyidir", "iyidir çay her zaman", "Çay iyidir her zaman ya"]));
        assert!(same(&["tea is always good", "good tea is always", "Tea is always good!"]));
    }

    #[test]
    fn one_new_thought_is_enough() {
        assert!(!same(&["tea is always good", "tea is always good", "yesterday I saw a whale"]));
        assert!(!same(&["tea is always good"]) && !same(&[]));
    }
}
