//! Remembers the lines, openings and questions of earlier texts, and measures how similar a new text is. Layer: world;
//! pure.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::words::{fold, words};

/// The number of texts that are remembered.
const TEXTS_MAX: usize = 20_000;
/// The number of last texts that count for every persona. Older texts count only for the persona that said them.
const OF_ALL: u64 = 600;

/// The number of last openings of a persona that it does not use again.
const OPENINGS: usize = 16;
/// The number of first words that make an opening.
const OPENING_WORDS: usize = 2;

/// The sentences of a text: the hash of the line that each was made of, with its number of letters.
#[derive(Debug, Default)]
pub(super) struct Sentences(Vec<(u64, u32)>);

impl Sentences {
    pub(super) fn add(&mut self, line: &str, sentence: &str) {
        self.0.push((hash(line), u32::try_from(sentence.chars().count()).unwrap_or(u32::MAX)));
    }

    fn letters(&self) -> u32 {
        self.0.iter().map(|(_, letters)| letters).sum()
    }
}

/// The texts that all personas said lately.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The texts, oldest first: the persona's hash and the sentences.
    texts: VecDeque<(u64, Sentences)>,
    /// The number of forgotten texts, which is also the number of the oldest remembered text.
    forgotten: u64,
    /// For each sentence, the numbers of the texts that contain it, oldest first.
    places: HashMap<u64, VecDeque<u64>>,
    /// The habits of each persona.
    habits: HashMap<u64, Habits>,
}

/// Openings and questions of a persona, of late.
#[derive(Debug, Default)]
struct Habits {
    openings: VecDeque<u64>,
    answers: u32,
    asked: u32,
}

impl Memory {
    /// Returns the largest share of letters, 0 to 1, that the sentences have in common with an earlier text of the
    /// persona or with one of the last texts of all personas.
    pub(super) fn likest(&self, persona: &str, sentences: &Sentences) -> f64 {
        let persona = hash(persona);
        let counts_from = (self.forgotten + self.texts.len() as u64).saturating_sub(OF_ALL);
        let mut common: HashMap<u64, u32> = HashMap::new();
        for (sentence, letters) in &sentences.0 {
            for number in self.places.get(sentence).into_iter().flatten() {
                *common.entry(*number).or_default() += letters;
            }
        }
        let of = |(number, common): (u64, u32)| {
            let (who, text) = self.texts.get(usize::try_from(number - self.forgotten).ok()?)?;
            let all = (sentences.letters() + text.letters()).saturating_sub(common).max(1);
            (number >= counts_from || *who == persona).then(|| f64::from(common) / f64::from(all))
        };
        common.into_iter().filter_map(of).fold(0.0, f64::max)
    }

    /// Returns whether the persona has opened a text with the same words lately.
    pub(super) fn has_opened(&self, persona: &str, text: &str) -> bool {
        let habits = self.habits.get(&hash(persona));
        habits.is_some_and(|habits| habits.openings.contains(&opening(text)))
    }

    /// Returns whether one more question keeps the share of the persona's answers that ask within `share`.
    pub(super) fn may_ask(&self, persona: &str, share: f64) -> bool {
        let (asked, answers) = self.habits.get(&hash(persona)).map_or((0, 0), |of| (of.asked, of.answers));
        f64::from(asked) < share * f64::from(answers + 1)
    }

    pub(super) fn remember(&mut self, persona: &str, text: &str, sentences: Sentences) {
        let habits = self.habits.entry(hash(persona)).or_default();
        if habits.openings.len() >= OPENINGS {
            habits.openings.pop_front();
        }
        habits.openings.push_back(opening(text));
        habits.answers += 1;
        habits.asked += u32::from(text.contains('?'));
        if self.texts.len() >= TEXTS_MAX
            && let Some((_, oldest)) = self.texts.pop_front()
        {
            for (sentence, _) in oldest.0 {
                if let Some(places) = self.places.get_mut(&sentence) {
                    places.pop_front();
                    if places.is_empty() {
                        self.places.remove(&sentence);
                    }
                }
            }
            self.forgotten += 1;
        }
        let number = self.forgotten + self.texts.len() as u64;
        for (sentence, _) in &sentences.0 {
            self.places.entry(*sentence).or_default().push_back(number);
        }
        self.texts.push_back((hash(persona), sentences));
    }
}

fn opening(text: &str) -> u64 {
    let folded = fold(text);
    hash(&words(&folded).into_iter().take(OPENING_WORDS).collect::<Vec<_>>().join(" "))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
