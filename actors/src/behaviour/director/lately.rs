//! Recent messages, and the bots that wrote them. Layer `behaviour`; pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::ids::BotId;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

const HOUR: Duration = Duration::from_mins(60);

/// Recent messages of a bot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// Messages of the chat since the bot's last one.
    pub(super) messages_ago: usize,
    /// Date of the bot's last message.
    pub(super) at: Timestamp,
    /// Number of the bot's messages in the chat in the last hour.
    pub(super) in_hour: usize,
}

/// Returns the recent messages of each bot, as far as the window goes.
pub(super) fn by_bot(scene: &Scene<'_>) -> HashMap<BotId, Said> {
    let since = scene.now - HOUR;
    let mut said: HashMap<BotId, Said> = HashMap::new();
    for (messages_ago, note) in messages(scene).enumerate() {
        if let Some(bot) = note.fleet_bot {
            let of_bot = said.entry(bot).or_insert(Said { messages_ago, at: note.date, in_hour: 0 });
            of_bot.in_hour += usize::from(note.date > since);
        }
    }
    if !std::ptr::eq(scene.window, scene.whole) {
        count_elsewhere(scene, since, &mut said);
    }
    said
}

/// Counts messages of bots in other topics within the hour: hourly caps hold for all topics together.
fn count_elsewhere(scene: &Scene<'_>, since: Timestamp, said: &mut HashMap<BotId, Said>) {
    let within = scene.whole.iter().filter(|note| note.kind == EntryKind::Message && note.date > since);
    for note in within.filter(|note| note.thread != scene.standing.thread) {
        if let Some(bot) = note.fleet_bot {
            let silent_here = Said { messages_ago: usize::MAX, at: Timestamp::from_millis(0), in_hour: 0 };
            said.entry(bot).or_insert(silent_here).in_hour += 1;
        }
    }
}

/// Returns the latest messages, newest first.
pub(super) fn messages<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Note> {
    scene.window.iter().rev().map(|note| &**note).filter(|note| note.kind == EntryKind::Message)
}

/// Returns the latest messages but for notices, newest first.
pub(super) fn talk<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Note> {
    messages(scene).filter(|note| !note.is_notice())
}

/// Returns the bot that a person goes on with: the message before this one was that bot's answer to the same person.
pub(super) fn follow_up(scene: &Scene<'_>, entry: &TranscriptEntry) -> Option<BotId> {
    if !entry.author.kind.is_person() {
        return None;
    }
    let before = talk(scene).find(|other| other.number < entry.number)?;
    let bot = before.fleet_bot?;
    let answered = scene.window.iter().rev().find(|other| other.number == before.root)?;
    (before.chain_depth == 1 && answered.author.id == entry.author.id).then_some(bot)
}

/// Returns the number of topics that the fleet opened since a person last spoke.
pub fn openings_unanswered(scene: &Scene<'_>) -> usize {
    talk(scene)
        .take_while(|entry| !entry.author.kind.is_person())
        .filter(|entry| entry.fleet_bot.is_some() && entry.root == entry.number)
        .count()
}
