//! Foresees for a director which limits a chat has reached. Layer `behaviour`; pure.
//!
//! The windows at `sending` decide (I11). Foreseeing them spares completions that they would refuse, and lets a chat
//! calm down.

use std::time::Duration;

use super::stagnation::say_the_same;
use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::ids::BotId;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

const MINUTE: Duration = Duration::from_mins(1);

/// Span over which a person's share of answers counts.
pub const SHARE_OF: Duration = Duration::from_mins(10);

/// A limit of loop physics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The chain of bot messages is as long as it may be.
    ChainDepth(u32),
    /// The fleet said this many messages since a person last spoke.
    Unheard(u32),
    /// The fleet said this many messages in a minute.
    ChatRate(u32),
    /// This many messages of bots in a row said the same.
    Stagnation(u32),
}

impl Limit {
    /// Returns the word in decisions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChainDepth(_) => "chain_depth",
            Self::Unheard(_) => "unheard",
            Self::ChatRate(_) => "chat_rate",
            Self::Stagnation(_) => "stagnation",
        }
    }

    /// Returns whether the chat calms down. A chain at its end ends, and the room goes on: with a person's next message,
    /// or with an opening after a pause.
    pub fn calms(self) -> bool {
        !matches!(self, Self::ChainDepth(_))
    }

    /// Returns the reason in plain words.
    pub fn reason(self) -> String {
        match self {
            Self::ChainDepth(most) => format!("the chain of bot messages is {most} long, which is the most"),
            Self::Unheard(most) => format!("the fleet said {most} messages since a person last spoke"),
            Self::ChatRate(most) => format!("the fleet said {most} messages here within a minute"),
            Self::Stagnation(turns) => format!("the last {turns} messages of bots say much the same"),
        }
    }
}

/// Returns the limit that an answer to `entry`, or an opening, would exceed; for a person's entry only the depth.
pub fn reached(scene: &Scene<'_>, entry: Option<&TranscriptEntry>) -> Option<Limit> {
    let physics = &scene.chat.spec.physics;
    let depth = entry.map_or(0, |entry| entry.chain_depth);
    if let Some(most) = physics.chain_depth_max.filter(|most| depth >= *most) {
        return Some(Limit::ChainDepth(most));
    }
    if entry.is_some_and(|entry| entry.fleet_bot.is_none() && entry.author.kind.is_person()) {
        return None;
    }
    if let Some(most) = physics.unheard_max.filter(|most| unheard(scene).count() >= *most as usize) {
        return Some(Limit::Unheard(most));
    }
    let recent = scene.now - MINUTE;
    let said = of_chat(scene).take_while(|note| note.date > recent).filter(|note| note.fleet_bot.is_some()).count();
    if let Some(most) = physics.chat_per_minute.filter(|most| said >= *most as usize) {
        return Some(Limit::ChatRate(most));
    }
    let turns = physics.stagnation_turns?;
    let last: Vec<&Note> = unheard(scene).take(turns as usize).collect();
    (last.len() == turns as usize && say_the_same(&last)).then_some(Limit::Stagnation(turns))
}

/// Returns whether these two bots have said as much to one another as they may in ten minutes.
pub fn pair_is_spent(scene: &Scene<'_>, one: BotId, other: BotId) -> bool {
    let most = scene.chat.spec.physics.pair_per_ten_minutes;
    most.is_some_and(|most| between(scene, one, other) >= most as usize)
}

/// Returns how many messages these two bots have said to one another in ten minutes. A message answers the one that it
/// replies to; without a reply, the message before it.
pub fn between(scene: &Scene<'_>, one: BotId, other: BotId) -> usize {
    let since = scene.now - 10 * MINUTE;
    let answered = |at: usize, note: &Note| {
        if let Some(message) = note.reply_to {
            let is_it = |other: &&Note| other.message_id == message && other.telegram_chat == note.telegram_chat;
            of_chat(scene).skip(at + 1).find(is_it).and_then(|note| note.fleet_bot)
        } else {
            let mut before = of_chat(scene).skip(at + 1).filter(|other| other.thread == note.thread);
            before.next().and_then(|note| note.fleet_bot)
        }
    };
    let between = of_chat(scene).take_while(|note| note.date > since).enumerate().filter(|(at, note)| {
        let partner = match note.fleet_bot {
            Some(author) if author == one => other,
            Some(author) if author == other => one,
            _ => return false,
        };
        answered(*at, note) == Some(partner)
    });
    between.count()
}

/// Returns the share of the author of `entry`, when it is used up in ten minutes while others spoke there as well:
/// nobody alone uses up a chat (I15). Turns without an answer count too: a text that is kept back is paid for as well.
pub fn share_is_spent(scene: &Scene<'_>, entry: &TranscriptEntry) -> Option<u32> {
    let most = scene.chat.spec.physics.person_per_ten_minutes?;
    let since = scene.now - SHARE_OF;
    let lately = || messages(scene).take_while(|note| note.date > since);
    let is_spent = scene.standing.turns_for_author >= most
        || lately().filter(|note| note.fleet_bot.is_some()).count() >= most as usize && {
            // Newest first, so numbers fall.
            let own: Vec<_> =
                messages(scene).filter(|note| note.author.id == entry.author.id).map(|note| note.number).collect();
            let is_own = |note: &Note| own.binary_search_by(|number| note.root.cmp(number)).is_ok();
            lately().filter(|note| note.fleet_bot.is_some() && is_own(note)).count() >= most as usize
        };
    let is_other = |note: &Note| note.author.kind.is_person() && note.author.id != entry.author.id;
    (is_spent && lately().any(is_other)).then_some(most)
}

/// Returns the end of a calm that begins at `scene.now`; `None` where the chat does not calm down.
pub fn calm_until(scene: &Scene<'_>) -> Option<Timestamp> {
    let cool_down = scene.chat.spec.physics.cool_down;
    (!cool_down.is_zero()).then(|| scene.now + cool_down)
}

/// Returns the end of a calm after a person's message: two thirds of the time are left, none when it calls a bot.
pub fn shortened(until: Timestamp, now: Timestamp, calls_bot: bool) -> Timestamp {
    if calls_bot { now } else { now + until.since(now) * 2 / 3 }
}

/// Returns the latest messages of the chat as a whole, newest first.
fn of_chat<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Note> {
    scene.whole.iter().rev().map(|note| &**note).filter(|note| note.kind == EntryKind::Message)
}

/// Returns the latest messages, newest first.
fn messages<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Note> {
    scene.window.iter().rev().map(|note| &**note).filter(|note| note.kind == EntryKind::Message)
}

/// Returns the fleet's messages since a person last spoke, newest first.
fn unheard<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Note> {
    messages(scene).take_while(|note| !note.author.kind.is_person()).filter(|note| note.fleet_bot.is_some())
}
