//! Writes fitting small talk: the provider's texts in Turkish and English. Layer: world; pure, seeded.
//!
//! - `prompt`: the contents of a request: language, persona, names, last messages
//! - `words`: folding, words, languages, Turkish suffixes
//! - `kind`: the kind of the message that is answered
//! - `heard`: its alternatives, numbers and places
//! - `book`: the lines of `english.txt`, `turkish.txt` and the topics of `*_topics.txt`
//! - `pattern`: fills a line
//! - `voice`: the manner of a persona
//! - `answer`: chooses the lines of an answer
//! - `compose`: takes the freshest of several answers, and remembers it in `memory`

mod answer;
mod book;
mod compose;
mod heard;
mod kind;
mod memory;
mod pattern;
mod voice;

pub(super) mod prompt;
pub(crate) mod words;

pub(super) use compose::SmallTalk;

use self::book::Book;
use self::kind::Kind;
use self::words::{Language, fold};
use super::wire::ChatMessage;

/// The simulated model without its server, for simulations in virtual time.
#[derive(Debug)]
pub struct Talker(SmallTalk);

impl Talker {
    /// Makes a talker whose texts depend on the seed and the prompts alone.
    pub fn new(seed: u64) -> Self {
        Self(SmallTalk::new(seed))
    }

    /// Returns the answer to a prompt, which is given as the roles and texts of its messages.
    pub fn reply<'a>(&mut self, prompt: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let messages: Vec<ChatMessage> = prompt
            .into_iter()
            .map(|(role, text)| ChatMessage { role: role.to_owned(), content: text.into() })
            .collect();
        self.0.reply(&prompt::Prompt::read(&messages))
    }
}

/// The subject of a text, and the answer that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gist {
    /// The key of the subject; keys are the same in both languages.
    pub(crate) subject: Option<&'static str>,
    pub(crate) asks: Asks,
}

/// The answer that a text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    /// One of two alternatives.
    Either(String, String),
    YesNo,
    Amount,
    Else,
}

/// Returns what a text is about.
pub(crate) fn gist_of(text: &str, language: Language) -> Gist {
    let subject = Book::of(language).topics_in(&fold(text)).first().map(|topic| topic.key);
    let kind = kind::kind_of(text, language);
    let asks = match (kind, heard::options_of(text, language)) {
        _ if !text.contains('?') => Asks::Nothing,
        (_, Some(options)) => Asks::Either(options.first, options.second),
        (Kind::YesNo, None) => Asks::YesNo,
        (Kind::Many | Kind::Long, None) => Asks::Amount,
        _ => Asks::Else,
    };
    Gist { subject, asks }
}
