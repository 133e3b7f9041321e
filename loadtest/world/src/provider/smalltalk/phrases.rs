//! Reads the phrases of one language from its text file. Layer: world; pure.
//!
//! A line `== NAME` begins a list of phrases, one a line. A line `== topic NAME: STEM, STEM` begins a topic: statements,
//! and questions after a `?`. Slots in phrases: `{n}` the person who is answered, `{o}` another participant, `{t}` the
//! topic's name or a word of the message. A phrase is not used when one of its slots cannot be filled.

use std::sync::LazyLock;

use super::intent::{Language, fold};
use crate::texts::{lists, statements_and_questions};

/// The phrases of each language.
static TURKISH: LazyLock<Phrases> = LazyLock::new(|| Phrases::read(include_str!("turkish.txt")));
static ENGLISH: LazyLock<Phrases> = LazyLock::new(|| Phrases::read(include_str!("english.txt")));

macro_rules! lists {
    ($( $(#[$about:meta])* $name:ident, )*) => {
        /// All phrases of one language.
        #[derive(Debug, Default)]
        pub(super) struct Phrases {
            $( $(#[$about])* pub(super) $name: Vec<&'static str>, )*
            pub(super) topics: Vec<Topic>,
        }

        impl Phrases {
            /// Returns the list of that name.
            fn list(&mut self, name: &str) -> Option<&mut Vec<&'static str>> {
                match name {
                    $( stringify!($name) => Some(&mut self.$name), )*
                    _ => None,
                }
            }

            /// Returns all lists, without those of the topics.
            fn lists(&self) -> impl Iterator<Item = &Vec<&'static str>> {
                [$( &self.$name ),*].into_iter()
            }
        }
    };
}

lists! {
    greetings,
    wellbeing,
    thanks,
    farewells,
    yes,
    no,
    why,
    who,
    when,
    place,
    how,
    what,
    /// Short openers, by stance.
    agree,
    disagree,
    add,
    /// Complete thoughts on any subject, by stance.
    agreeing,
    disagreeing,
    adding,
    /// Thoughts about a topic, by its name.
    about,
    /// Thoughts about a bare word of the message; empty for a language that inflects words.
    word,
    /// Phrases that lead over to another topic.
    digress,
    /// Questions to another participant.
    ask_other,
    /// Questions to the person who is answered, or to everybody.
    ask_back,
}

/// One topic of one language.
#[derive(Debug, Default)]
pub(super) struct Topic {
    /// The beginnings of words that belong to this topic, or whole phrases.
    pub(super) stems: Vec<&'static str>,
    /// The topic's name, in the nominative.
    pub(super) noun: &'static str,
    /// Statements about the topic.
    pub(super) facts: Vec<&'static str>,
    /// Questions about the topic.
    pub(super) asks: Vec<&'static str>,
}

impl Phrases {
    /// Returns the phrases of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Turkish => &TURKISH,
            Language::English => &ENGLISH,
        }
    }

    fn read(file: &'static str) -> Self {
        let mut phrases = Self::default();
        for (name, items) in lists(file) {
            if let Some((noun, stems)) = name.strip_prefix("topic ").and_then(|topic| topic.split_once(": ")) {
                let (facts, asks) = statements_and_questions(items);
                phrases.topics.push(Topic { stems: stems.split(", ").collect(), noun, facts, asks });
            } else if let Some(list) = phrases.list(name) {
                *list = items;
            }
        }
        phrases
    }

    /// Returns whether a phrase contains a word, so that repeating the word would be an echo.
    pub(super) fn use_word(&self, word: &str) -> bool {
        let of_topics = self.topics.iter().flat_map(|topic| topic.facts.iter().chain(&topic.asks));
        self.lists().flatten().chain(of_topics).any(|phrase| phrase.contains(word))
    }

    /// Returns whether a folded message ends with a question that only invites somebody to speak.
    pub(super) fn only_pass_on(&self, folded: &str) -> bool {
        let asked = folded.trim_end();
        self.ask_other.iter().chain(&self.ask_back).any(|phrase| {
            let question = fold(phrase.strip_prefix("{o}, ").unwrap_or(phrase));
            asked.ends_with(question.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_of_the_files_is_read_and_filled() {
        for (language, text) in
            [(Language::Turkish, include_str!("turkish.txt")), (Language::English, include_str!("english.txt"))]
        {
            let phrases = Phrases::of(language);
            let empty = phrases.lists().filter(|list| list.is_empty()).count();
            assert_eq!(empty, usize::from(language == Language::Turkish), "Turkish has no phrase about a bare word");
            let known = phrases.lists().count() + phrases.topics.len();
            assert_eq!(text.matches("\n== ").count(), known, "a list's name is not known");
            for topic in &phrases.topics {
                assert!(topic.facts.len() >= 2 && !topic.asks.is_empty() && !topic.stems.is_empty(), "{}", topic.noun);
            }
        }
    }
}
