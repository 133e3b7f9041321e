//! What makes a bot wish to speak, and the room's energy. Layer `behaviour`; pure.

use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::ids::BotId;
use crate::domain::text::fold;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Latest messages that make up the room's energy.
const ENERGY_WINDOW: usize = 12;

/// A bot that just spoke is this much less likely to speak again, falling off over the following messages.
const JUST_SPOKE: f64 = 0.75;

/// A bot that has not spoken lately is this much fresher.
const LONG_SILENT: f64 = 1.3;

/// What a word of its interests adds to a bot's wish.
const INTERESTED: f64 = 2.5;

/// What it adds that a person goes on with the bot.
const PARTNER: f64 = 6.0;

/// Shorter interests count only as whole words.
const PREFIX_CHARS_MIN: usize = 3;

/// How much a bot wishes to speak on `entry` unasked: 0 never, above 1 very much. `folded` is the entry's text, folded.
pub(super) fn wish(
    scene: &Scene<'_>,
    member: &CastMember,
    entry: &TranscriptEntry,
    folded: &str,
    partner: Option<BotId>,
) -> f64 {
    let persona = &member.profile.spec.persona;
    if persona.talkativeness <= 0.0 || entry.fleet_bot == Some(member.profile.id) {
        return 0.0;
    }
    if partner == Some(member.profile.id) {
        return persona.talkativeness * PARTNER;
    }
    let interested = if touches(folded, &persona.interests) { INTERESTED } else { 1.0 };
    persona.talkativeness * freshness(scene, member) * interested
}

/// Whether a word of the text begins like one of the interests, so that suffixes do not hide it.
fn touches(folded: &str, interests: &[String]) -> bool {
    interests.iter().map(|interest| fold(interest)).any(|interest| {
        let interest = interest.trim();
        if interest.contains(char::is_whitespace) {
            return folded.contains(interest);
        }
        let long = interest.chars().count() >= PREFIX_CHARS_MIN;
        folded
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| !interest.is_empty() && (word == interest || (long && word.starts_with(interest))))
    })
}

/// Rises with the messages since the bot last spoke in this chat.
pub(super) fn freshness(scene: &Scene<'_>, member: &CastMember) -> f64 {
    match messages(scene).position(|entry| entry.fleet_bot == Some(member.profile.id)) {
        Some(messages) => 1.0 - JUST_SPOKE / (1.0 + messages as f64 * 0.5),
        None => LONG_SILENT,
    }
}

/// The bot that a person goes on with: the message before this one was its answer to the same person.
pub(super) fn follow_up(scene: &Scene<'_>, entry: &TranscriptEntry) -> Option<BotId> {
    if !entry.author.kind.is_person() {
        return None;
    }
    let before = messages(scene).find(|other| other.number < entry.number)?;
    let bot = before.fleet_bot?;
    let answered = scene.window.iter().rev().find(|other| other.number == before.root)?;
    (before.chain_depth == 1 && answered.author.id == entry.author.id).then_some(bot)
}

/// Topics opened by the fleet since a person last spoke.
pub(super) fn openings_unanswered(scene: &Scene<'_>) -> usize {
    messages(scene)
        .take_while(|entry| !entry.author.kind.is_person())
        .filter(|entry| entry.fleet_bot.is_some() && entry.root == entry.number)
        .count()
}

/// The room's energy, 0.3 to 1: how many of the latest messages are of people.
pub(super) fn energy(scene: &Scene<'_>) -> f64 {
    let (mut all, mut people) = (0.0, 0.0);
    for entry in messages(scene).take(ENERGY_WINDOW) {
        all += 1.0;
        people += f64::from(u8::from(entry.author.kind.is_person()));
    }
    if all == 0.0 { 1.0 } else { f64::min(0.3 + 1.4 * people / all, 1.0) }
}

/// The latest messages, newest first.
fn messages<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a TranscriptEntry> {
    scene.window.iter().rev().map(|note| &*note.entry).filter(|entry| entry.kind == EntryKind::Message)
}
