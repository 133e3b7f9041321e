//! Small talk that fits: the provider's texts in Turkish and English. Layer: load test; pure, seeded.
//!
//! - `prompt`: what a request says: language, names, the last messages, the persona's ways
//! - `intent`: what kind of message is answered; folding of words
//! - `subject`: what it is about
//! - `sentences`: the sentences of one reply
//! - `compose`: puts a reply together, and remembers it in `memory`
//! - `phrases`: the shape of the data in `turkish` and `english`

mod compose;
mod english;
mod intent;
mod memory;
mod phrases;
mod sentences;
mod subject;
mod turkish;

pub(super) mod prompt;

pub(super) use compose::SmallTalk;

use super::wire::ChatMessage;

/// The simulated model without its server, for simulations in virtual time.
#[derive(Debug)]
pub struct Talker(SmallTalk);

impl Talker {
    /// A talker whose every text follows the seed.
    pub fn new(seed: u64) -> Self {
        Self(SmallTalk::new(seed))
    }

    /// The answer to a prompt, given as its messages' roles and texts.
    pub fn reply<'a>(&mut self, prompt: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let messages: Vec<ChatMessage> = prompt
            .into_iter()
            .map(|(role, text)| ChatMessage { role: role.to_owned(), content: text.into() })
            .collect();
        self.0.reply(&prompt::Prompt::read(&messages))
    }
}
