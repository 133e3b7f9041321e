//! Writes fitting small talk: the provider's texts in Turkish and English. Layer: world; pure, seeded.
//!
//! - `prompt`: the contents of a request: language, names, last messages, the persona's traits
//! - `intent`: the kind of the message that is answered; folding of words
//! - `subject`: the subject of the message
//! - `sentences`: the sentences of one reply
//! - `compose`: puts a reply together and remembers it in `memory`
//! - `phrases`: reads the phrases in `turkish.txt` and `english.txt`

mod compose;
mod intent;
mod memory;
mod phrases;
mod sentences;
mod subject;

pub(super) mod prompt;

pub(super) use compose::SmallTalk;

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
