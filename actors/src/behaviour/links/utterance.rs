//! Features of one message, computed once when it arrives. Layer `behaviour`; pure.
//!
//! Words are kept as hashes of their folded form; the text itself is not kept.

use super::lexicon::{self, traits};
use crate::behaviour::director::suffix::carries_suffixes;
use crate::domain::text::fold;
use crate::domain::time::Timestamp;

/// Most words of a message that are looked at.
const WORDS_MAX: usize = 64;
/// Letters of a word that are compared, since endings vary, in Turkish much.
const STEM_CHARS: usize = 5;
/// Shortest word that counts as common to two messages.
const WORD_CHARS_MIN: usize = 3;
/// Beginning of a message that tells what its author does, as IRC shows it.
const ACTION_MARK: &str = "* ";
/// Shortest name that takes a suffix without an apostrophe, or that may be cut short in an address.
const NAME_CHARS_MIN: usize = 3;

/// How surely a place in the text addresses somebody, the surest last.
pub(super) mod place {
    /// The name stands amid the text.
    pub(in super::super) const AMID: u8 = 1;
    /// The name stands at the end of the text, or has a suffix without an apostrophe.
    pub(in super::super) const END: u8 = 2;
    /// The name stands at the start of the text, or second and followed by a comma or colon.
    pub(in super::super) const START: u8 = 3;
    /// The text starts with the beginning of a name, followed by a comma or colon.
    pub(in super::super) const SHORTENED: u8 = 4;
    /// The name stands at the start, followed by a comma or colon, or is written with an @.
    pub(in super::super) const MARKED: u8 = 5;
}

/// A word that may be a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Hash of the folded word.
    pub(super) name: u64,
    /// Number of the word in the text.
    pub(super) word: u8,
    /// Number of words that the name is made of.
    pub(super) words: u8,
    /// One of `place`.
    pub(super) place: u8,
}

/// Features of one message.
#[derive(Clone, Debug)]
pub struct Utterance {
    pub(super) speaker: u64,
    /// Hashes of the forms by which the speaker is called.
    pub(super) names: Vec<u64>,
    /// Words of the name as they would be among `words`.
    pub(super) name_words: Vec<u32>,
    /// The folded name, for addresses cut short.
    pub(super) name: Box<str>,
    pub(super) calls: Vec<Call>,
    /// The marked first word.
    pub(super) head: Option<Box<str>>,
    /// Hashes of the words that may be common to two messages; sorted, each once.
    pub(super) words: Vec<u32>,
    pub(super) traits: u32,
    pub(super) length: u8,
    pub(super) minute: i64,
    pub(super) system: bool,
    /// The speaker whom the message answers by Telegram's own reply.
    pub(super) answers: Option<u64>,
}

impl Utterance {
    /// Reads a message. `speaker` is the display name or nick, `handle` the user name without `@`; `system` is for
    /// messages that no person or bot said: joins, changes of name.
    pub fn new(speaker: &str, handle: Option<&str>, text: &str, at: Timestamp, system: bool) -> Self {
        let name = fold(speaker.trim());
        let handle = handle.map(|handle| fold(handle.trim_start_matches('@')));
        let mut utterance = Self {
            speaker: hash(&name) ^ handle.as_deref().map_or(0, |handle| hash(handle).rotate_left(17)),
            names: names_of(&name, handle.as_deref()),
            name_words: words_of(&name),
            name: name.into(),
            calls: Vec::new(),
            head: None,
            words: Vec::new(),
            traits: 0,
            length: 0,
            minute: at.as_millis().div_euclid(60_000),
            system,
            answers: None,
        };
        if !system {
            utterance.read(&fold(text));
        }
        utterance
    }

    /// Makes the message a reply to `other`, as Telegram tells; so it addresses the author of `other`.
    #[must_use]
    pub fn with_reply(mut self, other: &Utterance) -> Self {
        self.answers = Some(other.speaker);
        self
    }

    /// Identifies the speaker by a lasting name: a user id, or the first nick of one who changed it. Without such a
    /// name, display name and handle identify the speaker.
    #[must_use]
    pub fn spoken_by(mut self, identity: &str) -> Self {
        self.speaker = hash(identity);
        self
    }

    /// Returns whether the system said the message.
    pub fn is_system(&self) -> bool {
        self.system
    }

    pub(super) fn has(&self, bits: u32) -> bool {
        self.traits & bits != 0
    }

    fn read(&mut self, text: &str) {
        let said = text.trim();
        self.traits = of_text(said);
        let raw: Vec<&str> = said.split_whitespace().take(WORDS_MAX).collect();
        self.length = raw.len() as u8;
        let mut before: Option<&str> = None;
        let mut spoken = 0;
        for (at, token) in raw.iter().enumerate() {
            let core = token.trim_matches(|c: char| !is_name_char(c));
            let marked = token.ends_with([':', ',']) && !core.is_empty();
            if marked && at == 0 && core.chars().count() >= NAME_CHARS_MIN {
                self.head = Some(core.into());
                self.traits |= traits::HEADED;
            } else {
                let word = if core.is_empty() { token } else { core };
                let bare: String = word.chars().filter(|c| *c != '\'' && *c != '’').collect();
                self.traits |= lexicon::of_word(&bare, spoken);
                spoken += 1;
            }
            let place = match (at, marked) {
                _ if token.starts_with('@') => place::MARKED,
                (0, true) => place::MARKED,
                (0, false) | (1, true) => place::START,
                _ if at + 1 == raw.len() => place::END,
                _ => place::AMID,
            };
            if !core.is_empty() {
                self.call(core, before, at as u8, (place, marked));
            }
            before = Some(core);
        }
        self.words = words_of(text);
    }

    /// Keeps the forms under which `core` may be a name.
    fn call(&mut self, core: &str, before: Option<&str>, word: u8, (place, marked): (u8, bool)) {
        let mut keep = |name: &str, place: u8| self.calls.push(Call { name: hash(name), word, words: 1, place });
        keep(core, place);
        if let Some(stem) = core.split(['\'', '’']).next().filter(|stem| stem.len() < core.len() && !stem.is_empty())
        {
            keep(stem, place);
        }
        let bare = core.trim_matches(|c: char| !c.is_alphanumeric());
        if bare.len() < core.len() && bare.len() >= NAME_CHARS_MIN {
            keep(bare, place);
        }
        for (at, _) in bare.char_indices().skip(NAME_CHARS_MIN) {
            let (stem, rest) = bare.split_at(at);
            if (rest.len() > 1 || stem.len() > NAME_CHARS_MIN) && carries_suffixes(stem, rest) {
                keep(stem, place.min(place::END));
            }
        }
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            let stem = core.split(['\'', '’']).next().unwrap_or(core);
            let place = if word > 1 { place } else { place.max(if marked { place::MARKED } else { place::START }) };
            self.calls.push(Call { name: hash_pair(before, stem), word: word - 1, words: 2, place });
        }
    }
}

/// Returns the bits that only the whole text tells.
fn of_text(said: &str) -> u32 {
    let mut bits = 0;
    let mut set = |holds: bool, bit: u32| bits |= if holds { bit } else { 0 };
    set(said.contains('?'), traits::QUESTION_MARK | traits::ASKS);
    set(said.contains("://") || said.contains("www."), traits::URL);
    set(said.starts_with(['!', '/']), traits::COMMAND);
    set(said.starts_with(ACTION_MARK), traits::ACTION);
    set(said.ends_with(['…', ',', ':', '-']) || said.ends_with(".."), traits::OPEN_END);
    let typed = said.chars().filter(|c| c.is_ascii_digit() || "/\\[]{}<>=_$#|~".contains(*c)).count();
    set(typed >= 3, traits::TECHNICAL);
    bits
}

/// Returns hashes of the words of a text that may be common to two messages.
fn words_of(text: &str) -> Vec<u32> {
    let long = |word: &&str| word.chars().nth(WORD_CHARS_MIN - 1).is_some();
    let stem = |word: &str| {
        let end = word.char_indices().nth(STEM_CHARS).map_or(word.len(), |(at, _)| at);
        hash(&word[..end]) as u32
    };
    let mut words: Vec<u32> =
        text.split(|c: char| !c.is_alphanumeric()).filter(long).take(WORDS_MAX).map(stem).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Returns hashes of a name's forms: its words, also bare or without last digits, the first two together, the handle.
fn names_of(name: &str, handle: Option<&str>) -> Vec<u64> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let mut names = Vec::new();
    for word in words.iter().take(3) {
        let core = word.trim_matches(|c: char| !is_name_char(c));
        let bare = core.trim_matches(|c: char| !c.is_alphanumeric());
        let stem = bare.trim_end_matches(|c: char| c.is_ascii_digit());
        for form in [core, bare, stem] {
            if form.chars().nth(1).is_some() || (form == core && words.len() == 1 && !form.is_empty()) {
                names.push(hash(form));
            }
        }
    }
    if let [first, second, ..] = words[..] {
        names.push(hash_pair(first, second));
    }
    names.extend(handle.map(hash));
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns whether a character may be part of a name: letters, digits and the marks of nicks.
fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || "_-[]{}|^`\\".contains(c)
}

fn hash(text: &str) -> u64 {
    hash_bytes(text.bytes())
}

fn hash_pair(first: &str, second: &str) -> u64 {
    hash_bytes(first.bytes().chain([b' ']).chain(second.bytes()))
}

/// FNV-1a, with the bits mixed once more.
fn hash_bytes(bytes: impl Iterator<Item = u8>) -> u64 {
    let mixed =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
