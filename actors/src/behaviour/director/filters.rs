//! Filters: reasons why a bot may not speak, whatever it wishes. Layer `behaviour`; pure.

use std::fmt;

use super::lately::Said;
use crate::behaviour::physics::limits::pair_is_spent;
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::ids::BotId;
use crate::domain::names::names;
use crate::domain::transcript::TranscriptEntry;

/// Reason why a bot may not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// The bot wrote the message itself.
    Author,
    /// The bot used up its hourly cap.
    Cap,
    /// The bot is outside its active hours.
    Asleep,
    /// The bot spoke a moment ago.
    CoolDown,
    /// The bot is about to speak already.
    Busy,
    /// The bot and the author have said enough to one another.
    Pair,
}

names! { Filter {
    Author = "author", Cap = "cap", Asleep = "asleep", CoolDown = "cool_down", Busy = "busy", Pair = "pair",
} }

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns why a bot may not answer a person who calls it: only its cap keeps it from that.
pub(super) fn of_called(member: &CastMember, said: Option<&Said>) -> Option<Filter> {
    let cap = member.profile.spec.hourly_cap?;
    said.is_some_and(|said| said.in_hour >= cap as usize).then_some(Filter::Cap)
}

/// Returns why a bot may not answer a bot that calls it.
pub(super) fn of_called_by_bot(
    scene: &Scene<'_>,
    member: &CastMember,
    said: Option<&Said>,
    entry: &TranscriptEntry,
    minute: u16,
) -> Option<Filter> {
    let spent = |author: BotId| pair_is_spent(scene, author, member.profile.id);
    of_called(member, said)
        .or_else(|| asleep(member, minute))
        .or_else(|| busy(scene, member))
        .or_else(|| entry.fleet_bot.filter(|author| spent(*author)).map(|_| Filter::Pair))
}

/// Returns why a bot may not speak unasked.
pub(super) fn of_unasked(
    scene: &Scene<'_>,
    member: &CastMember,
    said: Option<&Said>,
    entry: Option<&TranscriptEntry>,
    minute: u16,
) -> Option<Filter> {
    let author = entry.and_then(|entry| entry.fleet_bot);
    if author == Some(member.profile.id) {
        return Some(Filter::Author);
    }
    let cool_down = scene.chat.spec.strategy.cool_down;
    of_called(member, said)
        .or_else(|| asleep(member, minute))
        .or_else(|| busy(scene, member))
        .or_else(|| said.filter(|said| scene.now.since(said.at) < cool_down).map(|_| Filter::CoolDown))
        .or_else(|| author.filter(|author| pair_is_spent(scene, *author, member.profile.id)).map(|_| Filter::Pair))
}

fn asleep(member: &CastMember, minute: u16) -> Option<Filter> {
    let hours = member.profile.spec.persona.active_hours?;
    (!hours.contains(minute)).then_some(Filter::Asleep)
}

fn busy(scene: &Scene<'_>, member: &CastMember) -> Option<Filter> {
    scene.standing.open.iter().any(|turn| turn.bot == member.profile.id).then_some(Filter::Busy)
}
