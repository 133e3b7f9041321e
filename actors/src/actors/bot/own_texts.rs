//! The bot's own texts, which later ones are compared with. Layer `actors`.

use crate::behaviour::novelty::guard::Said;

/// The bot's own texts.
#[derive(Default)]
pub(super) struct OwnTexts {
    /// Oldest first.
    pub(super) texts: Vec<Said>,
    /// True when the texts from before this process were read, or are being read.
    pub(super) recalled: bool,
    /// Distinguishes results of earlier readings.
    pub(super) reading: u64,
}

impl OwnTexts {
    /// Forgets a text that was given up before anybody saw it: the bot may still say the text.
    pub(super) fn unsay(&mut self, text: &str) {
        if let Some(at) = self.texts.iter().rposition(|said| &*said.text == text) {
            self.texts.remove(at);
        }
    }
}
