//! Which messages a prompt holds. Layer `behaviour`; pure.

use std::sync::Arc;

use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// UTF-8 bytes of a token, roughly: 4 in English, 3 in Turkish; the estimate errs towards more tokens.
const BYTES_PER_TOKEN: f64 = 3.5;

/// Tokens that a chat format spends around a message.
const TOKENS_PER_MESSAGE: u32 = 4;

/// About how many tokens `text` has.
pub fn estimate_tokens(text: &str) -> u32 {
    (text.len() as f64 / BYTES_PER_TOKEN).ceil() as u32 + TOKENS_PER_MESSAGE
}

/// The newest messages before the target that fit `messages_max` and `tokens_max`, oldest first. The target itself is
/// not among them; its tokens must be taken off before.
pub fn choose<'a>(
    window: &'a [Arc<TranscriptEntry>],
    target: Option<&TranscriptEntry>,
    messages_max: usize,
    tokens_max: u32,
) -> Vec<&'a TranscriptEntry> {
    let mut left = tokens_max;
    let mut chosen: Vec<&TranscriptEntry> = Vec::new();
    for entry in window.iter().rev() {
        let is_target = target.is_some_and(|target| target.number == entry.number);
        let Some(text) = entry.text.as_deref().filter(|_| entry.kind == EntryKind::Message && !is_target) else {
            continue;
        };
        let tokens = estimate_tokens(text) + estimate_tokens(&entry.author.name);
        if chosen.len() >= messages_max || tokens > left {
            break;
        }
        left -= tokens;
        chosen.push(entry);
    }
    chosen.reverse();
    chosen
}
