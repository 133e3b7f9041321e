//! Reads the lines of one language from its text files. Layer: world; pure.
//!
//! A line `== KEY: STEM, STEM` begins a topic; the key is the same in both languages, and `any` is the topic of every
//! message. A line `@KIND|KIND CUE, CUE` begins a group: its lines answer messages of these kinds that mention a cue, or
//! all of these kinds when there is no cue. `CUE+CUE` asks for both. A cue or stem that begins with `=` is a whole word.
//! `@noun` and `@emoji` are followed by words instead, `@heads`, `@tails` and `@calls` by a mood and
//! words: in front of a message, behind what somebody tells of themselves, behind anything.
//!
//! In lines, `[x|y|z]` is one of the alternatives. Slots: `{a}` the chosen alternative of a question and `{b}` the other
//! one, `{t}` the word that names the topic, `{n}` a number and `{place}` a place of the message, `{w}` a noun of it, `{o}` another participant, `{noun}` the
//! topic's name; `{place:e}` is the place with a Turkish suffix. A line is not used when one of its slots cannot be
//! filled. Sentences begin in lower case unless the first word is a name or "I".

use std::sync::LazyLock;

use super::kind::Kind;
use super::words::{Language, fold, mentions};
use crate::texts::lists;

static TURKISH: LazyLock<Book> =
    LazyLock::new(|| Book::read(&[include_str!("turkish.txt"), include_str!("turkish_topics.txt")]));
static ENGLISH: LazyLock<Book> =
    LazyLock::new(|| Book::read(&[include_str!("english.txt"), include_str!("english_topics.txt")]));

/// The key of the topic of every message.
const ANY: &str = "any";

/// All lines of one language.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) any: Topic,
    pub(super) topics: Vec<Topic>,
    /// Words in front of a message, and behind what somebody tells of themselves, by the mood of those who use them.
    pub(super) heads: Vec<(&'static str, Vec<&'static str>)>,
    pub(super) tails: Vec<(&'static str, Vec<&'static str>)>,
    /// Words by which any message may call those who read it.
    pub(super) calls: Vec<(&'static str, Vec<&'static str>)>,
}

/// One topic of one language.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) key: &'static str,
    /// The beginnings of words that belong to this topic, folded.
    stems: Vec<String>,
    /// The topic's name, in the nominative.
    pub(super) noun: &'static str,
    pub(super) emoji: Vec<&'static str>,
    pub(super) groups: Vec<Group>,
}

/// Lines that answer the same messages.
#[derive(Debug, Default)]
pub(super) struct Group {
    kinds: Vec<Kind>,
    /// Cues, folded; each is a list of words that are all mentioned.
    cues: Vec<Vec<String>>,
    pub(super) lines: Vec<&'static str>,
}

impl Group {
    /// Returns whether the group has cues, and answers this message.
    pub(super) fn answers_cue(&self, kind: Kind, folded: &str) -> bool {
        self.kinds.contains(&kind) && self.cues.iter().any(|cue| cue.iter().all(|part| mentions(folded, part)))
    }

    /// Returns whether the group answers all messages of a kind.
    pub(super) fn answers_kind(&self, kind: Kind) -> bool {
        self.cues.is_empty() && self.kinds.contains(&kind)
    }
}

impl Topic {
    /// Returns the place of the first word in a folded text that is about the topic.
    pub(super) fn place_in(&self, folded: &str) -> Option<usize> {
        let word = |stem: &String| folded.find(stem.trim_start_matches('=')).filter(|_| mentions(folded, stem));
        self.stems.iter().filter_map(word).min()
    }

    /// Returns whether a folded word is a stem of the topic as it stands.
    pub(super) fn is_named(&self, word: &str) -> bool {
        self.stems.iter().any(|stem| stem.trim_start_matches('=') == word)
    }

    /// Returns the lines of a kind that need no cue.
    pub(super) fn lines(&self, kind: Kind) -> impl Iterator<Item = &'static str> {
        self.groups.iter().filter(move |group| group.answers_kind(kind)).flat_map(|group| group.lines.iter().copied())
    }

    /// Returns the lines of a kind, whatever their cue.
    pub(super) fn all_lines(&self, kind: Kind) -> impl Iterator<Item = &'static str> {
        self.groups
            .iter()
            .filter(move |group| group.kinds.contains(&kind))
            .flat_map(|group| group.lines.iter().copied())
    }
}

impl Book {
    /// Returns the lines of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Turkish => &TURKISH,
            Language::English => &ENGLISH,
        }
    }

    /// Returns the topic of a key.
    pub(super) fn topic(&self, key: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.key == key)
    }

    /// Returns the topics of a folded text: the one with most words first, then the one that is named first.
    pub(super) fn topics_in(&self, folded: &str) -> Vec<&Topic> {
        let words = |topic: &Topic| topic.stems.iter().filter(|stem| mentions(folded, stem)).count();
        let mut found: Vec<(usize, &Topic)> =
            self.topics.iter().map(|topic| (words(topic), topic)).filter(|(words, _)| *words > 0).collect();
        found.sort_by_key(|(words, topic)| (std::cmp::Reverse(*words), topic.place_in(folded)));
        found.into_iter().map(|(_, topic)| topic).collect()
    }

    fn read(files: &[&'static str]) -> Self {
        let mut book = Self::default();
        for (name, items) in files.iter().flat_map(|file| lists(file)) {
            let (key, stems) = name.split_once(": ").unwrap_or((name, ""));
            let mut topic = Topic { key, stems: stems_of(stems), ..Topic::default() };
            for item in items {
                book.read_line(&mut topic, item);
            }
            if key == ANY {
                book.any.groups.extend(topic.groups);
            } else {
                book.topics.push(topic);
            }
        }
        book
    }

    fn read_line(&mut self, topic: &mut Topic, line: &'static str) {
        let Some((word, rest)) = line.strip_prefix('@').map(|line| line.split_once(' ').unwrap_or((line, ""))) else {
            if let Some(group) = topic.groups.last_mut() {
                group.lines.push(line);
            }
            return;
        };
        let moods = |rest: &'static str| {
            let (mood, words) = rest.split_once(": ").unwrap_or((rest, ""));
            (mood, words.split(" / ").collect())
        };
        match word {
            "noun" => topic.noun = rest,
            "emoji" => topic.emoji = rest.split(' ').collect(),
            "heads" => self.heads.push(moods(rest)),
            "tails" => self.tails.push(moods(rest)),
            "calls" => self.calls.push(moods(rest)),
            kinds => {
                let cues = stems_of(rest).iter().map(|cue| cue.split('+').map(str::to_owned).collect()).collect();
                let kinds = kinds.split('|').filter_map(Kind::named).collect();
                topic.groups.push(Group { kinds, cues, lines: Vec::new() });
            }
        }
    }
}

fn stems_of(list: &str) -> Vec<String> {
    list.split(", ").filter(|stem| !stem.is_empty()).map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_files_is_read_into_a_known_place() {
        for language in [Language::Turkish, Language::English] {
            let book = Book::of(language);
            assert!(book.topics.len() >= 30 && book.any.groups.len() >= 30 && book.tails.len() >= 4, "{language:?}");
            for topic in book.topics.iter().chain([&book.any]) {
                for group in &topic.groups {
                    assert!(!group.kinds.is_empty() && !group.lines.is_empty(), "{} {:?}", topic.key, group);
                }
            }
            for topic in &book.topics {
                assert!(topic.lines(Kind::Say).count() >= 4, "{}", topic.key);
                assert!(!topic.stems.is_empty() && !topic.noun.is_empty(), "{}", topic.key);
            }
            let other = Book::of(if language == Language::Turkish { Language::English } else { Language::Turkish });
            for topic in &book.topics {
                assert!(other.topic(topic.key).is_some(), "{} has no counterpart", topic.key);
            }
        }
    }

    #[test]
    fn every_kind_has_lines_in_both_languages() {
        let kinds = [
            "greeting",
            "wellbeing",
            "thanks",
            "farewell",
            "machine",
            "either",
            "yesno",
            "why",
            "who",
            "when",
            "where",
            "how",
            "many",
            "long",
            "which",
            "opinion",
            "doubt",
            "laugh",
            "agree",
            "disagree",
            "complaint",
            "plan",
            "story",
            "view",
            "say",
            "front_yes",
            "front_no",
            "recall",
        ];
        for language in [Language::Turkish, Language::English] {
            for word in kinds {
                let lines = Kind::named(word).map_or(0, |kind| Book::of(language).any.lines(kind).count());
                assert!(lines >= 5, "{language:?} {word}: {lines}");
            }
        }
    }
}
