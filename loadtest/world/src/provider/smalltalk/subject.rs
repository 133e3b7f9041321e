//! Finds the subject of a message. Layer: world; pure, seeded.

use super::intent::{fold, mentions, words};
use super::phrases::{Phrases, Topic};
use super::prompt::Prompt;

/// The subject of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Topic(&'static Topic),
    Word(&'a str),
    Open,
}

/// Picks the subject of the last messages; the message that is answered comes first.
pub(super) fn subject<'a>(rng: &mut fastrand::Rng, phrases: &'static Phrases, prompt: &'a Prompt) -> Subject<'a> {
    for (age, text) in std::iter::once(&prompt.text).chain(prompt.recent.iter().skip(1).take(3)).enumerate() {
        let folded = fold(text);
        let topics: Vec<&'static Topic> =
            phrases.topics.iter().filter(|topic| topic.stems.iter().any(|stem| mentions(&folded, stem))).collect();
        if let Some(topic) = rng.choice(topics) {
            return Subject::Topic(topic);
        }
        if age == 0 && !phrases.word.is_empty() {
            let candidates: Vec<&str> =
                words(&prompt.text).into_iter().filter(|word| is_noun_like(word) && !phrases.use_word(word)).collect();
            if let Some(word) = rng.choice(candidates) {
                return Subject::Word(word);
            }
        }
    }
    Subject::Open
}

/// Returns whether an English word may be used as a noun: long, in lower case, and no verb or filler by its form.
fn is_noun_like(word: &str) -> bool {
    const FILLERS: [&str; 44] = [
        "about",
        "after",
        "again",
        "always",
        "anyone",
        "because",
        "before",
        "being",
        "could",
        "would",
        "should",
        "does",
        "every",
        "everyone",
        "first",
        "great",
        "hello",
        "maybe",
        "might",
        "never",
        "often",
        "other",
        "people",
        "please",
        "quite",
        "rather",
        "really",
        "right",
        "since",
        "something",
        "still",
        "their",
        "there",
        "these",
        "thing",
        "think",
        "those",
        "today",
        "under",
        "until",
        "where",
        "which",
        "while",
        "without",
    ];
    word.len() >= 6
        && word.chars().all(|c| c.is_ascii_lowercase())
        && !["ing", "ed", "ly", "ful", "ous", "ive", "est", "ever"].iter().any(|ending| word.ends_with(ending))
        && !FILLERS.contains(&word)
}
