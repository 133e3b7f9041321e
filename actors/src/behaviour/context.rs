//! Chooses the messages that a prompt holds. Layer `behaviour`; pure.
//!
//! The newest messages that fit, without gaps; an edited message appears with its latest text. Notices of the fleet are
//! for people and appear in no prompt, and neither do commands, which are entries without words.
//!
//! When older messages do not fit, the first chosen one stays the same for several turns, so that the prompts of these
//! turns begin alike and a provider's cache of prompts can serve them. Up to a quarter of the room stays empty for it.

use std::collections::HashMap;
use std::sync::Arc;

use super::note::Note;
use crate::domain::incoming::Quoted;
use crate::domain::text::shows;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Tokens that a chat format spends around a message.
const TOKENS_PER_MESSAGE: u32 = 4;

/// Estimates the tokens of a message of `text`: its UTF-8 bytes / 3.5, rounded up, and the format's own. A token has
/// about 4 bytes in English and 3 in Turkish, so the estimate lies between.
pub fn estimate_tokens(text: &str) -> u32 {
    tokens_of_bytes(text.len())
}

fn tokens_of_bytes(bytes: usize) -> u32 {
    u32::try_from((bytes * 2).div_ceil(7)).unwrap_or(u32::MAX).saturating_add(TOKENS_PER_MESSAGE)
}

/// A message of the context.
#[derive(Clone, Copy, Debug)]
pub struct ContextLine<'a> {
    /// The post.
    pub entry: &'a TranscriptEntry,
    /// Text of the post, or of its latest edit; `None` for media without a caption.
    pub text: Option<&'a str>,
    /// Excerpt of the message that this one replies to, where the transcript does not hold that message.
    pub quoted: Option<&'a Quoted>,
}

/// The first chosen message moves in steps of at most this part of the chosen messages: a quarter.
const STEP_PART: usize = 4;

/// Returns the newest messages besides the target that fit `messages_max` and `tokens_max`, oldest first; of a longer
/// transcript, those from a number on that changes in steps. The caller takes off the target's own tokens before.
pub fn choose<'a>(
    window: &'a [Arc<Note>],
    target: Option<&TranscriptEntry>,
    messages_max: usize,
    tokens_max: u32,
) -> Vec<ContextLine<'a>> {
    let mut left = tokens_max;
    let mut edits = HashMap::new();
    let mut chosen = Vec::new();
    let mut is_cut = false;
    for note in window.iter().rev() {
        let entry = &*note.entry;
        if chosen.len() >= messages_max {
            is_cut = true;
            break;
        }
        if entry.kind == EntryKind::Edit {
            edits.entry((entry.telegram_chat, entry.message_id)).or_insert(entry.text.as_deref());
        }
        let is_target = |target: &TranscriptEntry| target.number == entry.number || target.is_edit_of(entry);
        if entry.kind != EntryKind::Message || entry.is_notice() || target.is_some_and(is_target) {
            continue;
        }
        let posted = entry.text.as_deref();
        let text = edits.get(&(entry.telegram_chat, entry.message_id)).copied().flatten().or(posted);
        let text = text.filter(|text| shows(text));
        if text.is_none() && entry.media.is_none() {
            continue;
        }
        let tokens = tokens_of_bytes(text.map_or(0, str::len) + entry.author.name.len());
        if tokens > left {
            is_cut = true;
            break;
        }
        left -= tokens;
        chosen.push(ContextLine { entry, text, quoted: note.quoted() });
    }
    chosen.reverse();
    if is_cut {
        chosen.drain(..beyond_step(&chosen));
    }
    chosen
}

/// Returns how many messages stand before the first number that is a multiple of the step: less than a quarter.
fn beyond_step(chosen: &[ContextLine<'_>]) -> usize {
    // A power of two, so that the beginnings for a little more and a little less room agree in part.
    let step = 1 << (chosen.len() / STEP_PART).checked_ilog2().unwrap_or(0);
    let Some(first) = chosen.first().map(|line| line.entry.number.0) else { return 0 };
    let begin = first + (-first).rem_euclid(step);
    chosen.partition_point(|line| line.entry.number.0 < begin)
}
