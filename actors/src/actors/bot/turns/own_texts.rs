//! Remembers the bot's own texts, which later ones are compared with. Layer `actors`.

use crate::actors::bot::ticket::{Ticket, Tickets};
use crate::behaviour::novelty::guard::Said;

/// The most texts of its own that a bot remembers, whatever a chat compares with.
pub(in crate::actors::bot) const OWN_MAX: usize = 400;

/// The bot's own texts.
#[derive(Default)]
pub(super) struct OwnTexts {
    /// Oldest first.
    texts: Vec<Said>,
    recalled: Recalled,
}

/// The state of the texts from before this process.
#[derive(Default, PartialEq, Eq)]
enum Recalled {
    /// They are not, and were never asked for.
    #[default]
    Never,
    /// They are not: words were removed, or the store did not answer.
    No,
    /// They are being read under that ticket.
    Reading(Ticket),
    /// They are.
    Yes,
}

impl OwnTexts {
    /// Returns all of them, oldest first.
    pub(super) fn all(&self) -> &[Said] {
        &self.texts
    }

    /// Returns the ticket for reading the texts from before this process, unless they are known or being read.
    pub(super) fn read(&mut self, tickets: &mut Tickets) -> Option<Ticket> {
        if matches!(self.recalled, Recalled::Reading(_) | Recalled::Yes) {
            return None;
        }
        let ticket = tickets.take();
        self.recalled = Recalled::Reading(ticket);
        Some(ticket)
    }

    /// Takes the texts that were read, oldest first, and puts those said since behind them. When the store did not
    /// answer, the next turn reads them again. A reading that is no longer awaited is ignored.
    pub(super) fn on_read(&mut self, ticket: Ticket, texts: Option<&[String]>) {
        if self.recalled == Recalled::Reading(ticket) {
            match texts {
                Some(texts) => self.put_in_front(texts),
                None => self.recalled = Recalled::No,
            }
        }
    }

    /// Takes the texts that the bot read when it started, unless words were removed since.
    pub(super) fn begin_with(&mut self, texts: &[String]) {
        if self.recalled == Recalled::Never {
            self.put_in_front(texts);
        }
    }

    fn put_in_front(&mut self, texts: &[String]) {
        let since = std::mem::take(&mut self.texts);
        self.texts = texts.iter().map(|text| Said::new(text)).chain(since).collect();
        self.recalled = Recalled::Yes;
    }

    /// Remembers a text that the bot says, and must not repeat.
    pub(super) fn remember(&mut self, said: Said) {
        if self.texts.len() >= OWN_MAX {
            self.texts.drain(..OWN_MAX / 2);
        }
        self.texts.push(said);
    }

    /// Forgets a text that was given up before anybody saw it: the bot may still say the text.
    pub(super) fn unsay(&mut self, text: &str) {
        if let Some(at) = self.texts.iter().rposition(|said| &*said.text == text) {
            self.texts.remove(at);
        }
    }

    /// Forgets all texts; a reading under way is ignored.
    pub(super) fn clear(&mut self) {
        *self = Self { texts: Vec::new(), recalled: Recalled::No };
    }
}
