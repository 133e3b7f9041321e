//! Policy `every`: each bot that receives a person's message answers it. Layer `behaviour`; pure.

use std::time::Duration;

use super::{Direction, Speaker, TO_PERSON};
use crate::domain::ids::BotId;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// The answer of the bot that received `entry`; `None` for what no person wrote.
pub(super) fn on_entry(entry: &TranscriptEntry, heard_by: BotId) -> Option<Direction> {
    let written = entry.kind == EntryKind::Message && entry.text.as_deref().is_some_and(|text| !text.trim().is_empty());
    if !written || entry.fleet_bot.is_some() || !entry.author.kind.is_person() {
        return None;
    }
    let speaker = Speaker {
        bot: heard_by,
        target: Some(entry.number),
        answers_bot: None,
        priority: TO_PERSON,
        delay: Duration::ZERO,
    };
    Some(Direction::of(vec![speaker], "policy every: the bot that received it answers", Some(entry)))
}
