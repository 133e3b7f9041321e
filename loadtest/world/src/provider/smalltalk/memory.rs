//! Remembers the sentences of earlier texts, and measures how similar a new text is. Layer: world; pure.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::intent::fold;
use super::prompt::Prompt;

/// The number of texts that are remembered.
const TEXTS_MAX: usize = 20_000;
/// The number of last texts that count for every persona. Older texts count only for the persona that said them.
const OF_ALL: u64 = 600;

/// The sentences of a text without the name addressed, each as a hash with its number of letters.
#[derive(Debug)]
pub(super) struct Sentences(Vec<(u64, u32)>);

impl Sentences {
    pub(super) fn of(text: &str, prompt: &Prompt) -> Self {
        let names: Vec<String> = prompt.speaker.iter().chain(&prompt.others).map(|name| fold(name)).collect();
        let sentence = |sentence: &str| {
            let folded = fold(sentence.trim());
            let plain = names.iter().find_map(|name| folded.strip_prefix(name.as_str())?.strip_prefix(", "));
            let plain = plain.unwrap_or(&folded);
            (hash(plain), u32::try_from(plain.chars().count()).unwrap_or(u32::MAX))
        };
        Self(text.split(['.', '?', '!']).filter(|part| !part.trim().is_empty()).map(sentence).collect())
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

    pub(super) fn remember(&mut self, persona: &str, sentences: Sentences) {
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

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
