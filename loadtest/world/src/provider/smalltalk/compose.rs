//! Takes the freshest of several answers. Layer: world; pure, seeded.
//!
//! The persona's manner is the same in every answer. Of several tries the one is taken that is least like earlier texts,
//! and that does not open as the persona's last ones did.

use std::collections::{HashMap, VecDeque};

use super::answer::{Answer, Heard};
use super::book::Book;
use super::kind::Kind;
use super::memory::{Memory, Sentences};
use super::prompt::Prompt;
use super::voice::Voice;
use super::words::{fold, words};

/// The largest number of tries for a fresh text.
const TRIES: u32 = 24;
/// The largest share of letters that a fresh text has in common with any earlier text.
const FRESH: f64 = 0.3;
/// The number of texts whose repetitions are counted.
const MEMORY: usize = 2000;
/// The number of tries in which a text that shares no word with the message counts as less fresh, and by how much: a
/// reader tells by such words what an answer belongs to.
const ECHOES: u32 = 8;
const UNECHOED: f64 = 0.31;
/// The number of letters from which a text that says the same again is stale.
const SHORT_LETTERS: usize = 10;

/// Writes replies, and remembers them.
#[derive(Debug)]
pub(in crate::provider) struct SmallTalk {
    rng: fastrand::Rng,
    said: VecDeque<String>,
    times: HashMap<String, u32>,
    memory: Memory,
}

impl SmallTalk {
    /// Makes a talker whose texts depend on the seed and the prompts alone.
    pub(in crate::provider) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed ^ 0x7461_6c6b),
            said: VecDeque::new(),
            times: HashMap::new(),
            memory: Memory::default(),
        }
    }

    /// Replies to a prompt.
    pub(in crate::provider) fn reply(&mut self, prompt: &Prompt) -> String {
        let book = Book::of(prompt.language);
        let persona = prompt.persona.name.as_deref().unwrap_or_default();
        let voice = Voice::of(&prompt.persona, book);
        let heard = Heard::of(prompt, book);
        let emoji: Vec<&str> = heard.topics.iter().flat_map(|topic| topic.emoji.iter().copied()).collect();
        let openings: Vec<String> = prompt.recent.iter().map(|text| opening(text)).collect();
        let may_ask = self.memory.may_ask(persona, voice.asks) && heard.kind != Kind::Farewell;
        let mut best: Option<(f64, String, Sentences)> = None;
        for attempt in 0..TRIES {
            let (roam, desperate) = match attempt {
                0..ECHOES => (0.12, false),
                ECHOES..14 => (0.4, false),
                _ => (0.6, true),
            };
            let mut answer =
                Answer { rng: &mut self.rng, book, prompt, heard: &heard, voice: &voice, may_ask, roam, desperate };
            let pieces = answer.pieces();
            let mut sentences = Sentences::default();
            for piece in &pieces {
                sentences.add(&piece.line, &piece.text);
            }
            let plain: Vec<String> = pieces.into_iter().map(|piece| piece.text).collect();
            let text = voice.write(&mut self.rng, &plain, &emoji, prompt.language);
            let times = self.times.get(&text).copied().unwrap_or(0);
            let weight = if text.chars().filter(|c| c.is_alphabetic()).count() < SHORT_LETTERS { 0.5 } else { 1.0 };
            let opened = if self.memory.has_opened(persona, &text) { 0.5 } else { 0.0 }
                + if openings.contains(&opening(&text)) { 0.3 } else { 0.0 }
                + if attempt < ECHOES && !heard.is_echoed_in(&text) { UNECHOED } else { 0.0 };
            let staleness = weight * (self.memory.likest(persona, &sentences) + f64::from(times)) + opened;
            if best.as_ref().is_none_or(|(least, ..)| staleness < *least) {
                best = Some((staleness, text, sentences));
            }
            // A fresh text that shares no word will do once enough were tried: what fits worse is no better.
            let enough = if attempt + 1 < ECHOES { FRESH } else { FRESH + UNECHOED };
            if best.as_ref().is_some_and(|(least, ..)| *least <= enough) {
                break;
            }
        }
        let Some((_, text, sentences)) = best else {
            return String::new();
        };
        self.remember(&text);
        self.memory.remember(persona, &text, sentences);
        text
    }

    fn remember(&mut self, text: &str) {
        *self.times.entry(text.to_owned()).or_default() += 1;
        self.said.push_back(text.to_owned());
        if self.said.len() > MEMORY
            && let Some(oldest) = self.said.pop_front()
            && let Some(times) = self.times.get_mut(&oldest)
        {
            *times -= 1;
            if *times == 0 {
                self.times.remove(&oldest);
            }
        }
    }
}

/// Returns the first words of a message, without the name in front.
fn opening(text: &str) -> String {
    let said = text.split_once(": ").filter(|(name, _)| !name.contains(' ')).map_or(text, |(_, said)| said);
    let folded = fold(said);
    words(&folded).into_iter().take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
