//! Decides for each new message and each tick which bots speak, to what, or nobody. Layer `behaviour`; pure.
//!
//! | file | holds |
//! |---|---|
//! | `gate` | conditions that keep a whole chat silent: stops, quiet hours, loop physics |
//! | `address`, `suffix`, `thread` | the bots that are called, and the message that another one belongs to |
//! | `burst` | lines of one person that are one thing said |
//! | `edit` | calls that an edit adds |
//! | `factors`, `disagree`, `lately`, `energy` | how much each bot wishes to speak |
//! | `filters` | reasons why a bot may not speak, whatever it wishes |
//! | `natural`, `opening`, `reaction`, `mention`, `every` | the policies |
//!
//! One decision per entry over all bots of the chat (under policy `every`, one per bot that received it). Each decision
//! records its inputs and each bot's score, so that one can read later why a bot spoke or stayed silent.

pub mod address;
mod burst;
pub mod direction;
mod disagree;
mod edit;
pub mod energy;
pub mod every;
mod factors;
mod filters;
mod gate;
pub mod lately;
mod mention;
mod natural;
mod opening;
mod reaction;
pub mod seed;
pub(in crate::behaviour) mod suffix;
mod thread;

use super::freshness::history;
use super::local::minute_of_day;
use super::scene::{Occasion, Scene};
use crate::behaviour::director::direction::{Direction, has_text};
use crate::domain::roster::ChatPolicy;
use crate::domain::transcript::{EntryKind, TranscriptEntry};

/// Decides; `None` when nothing asks for a decision (most edits, reactions, members, copies that change nothing).
///
/// Where a chat has forum topics, each topic is a conversation of its own: messages of other topics count only for
/// limits of the chat as a whole.
pub fn direct(scene: &Scene<'_>, occasion: Occasion<'_>, seed: u64) -> Option<Direction> {
    if !scene.standing.topics {
        return direct_within(scene, occasion, seed);
    }
    let thread = match occasion {
        Occasion::Entry { entry, .. } | Occasion::Copy { entry, .. } => entry.thread,
        Occasion::Tick => scene.standing.thread,
    };
    let window = scene.window.iter().filter(|note| note.thread == thread).cloned().collect();
    direct_within(&Scene { window: &window, ..*scene }, occasion, seed)
}

fn direct_within(scene: &Scene<'_>, occasion: Occasion<'_>, seed: u64) -> Option<Direction> {
    let policy = scene.chat.spec.policy;
    let minute = || minute_of_day(&scene.chat.spec.time_zone, scene.now);
    match (policy, occasion) {
        (
            ChatPolicy::Every,
            Occasion::Entry { entry, heard_by: Some(bot) } | Occasion::Copy { entry, heard_by: bot },
        ) => {
            let decided = every::on_entry(scene, entry, bot, seed)?;
            Some(match history(scene, entry) {
                None => decided,
                Some(silence) => silence.also_of(decided.inputs),
            })
        }
        (ChatPolicy::Every, _) | (_, Occasion::Copy { .. }) | (ChatPolicy::Mention, Occasion::Tick) => None,
        (ChatPolicy::Natural, Occasion::Tick) => {
            let minute = minute();
            Some(gate::shut(scene, None, minute).unwrap_or_else(|| opening::on_tick(scene, minute, seed)))
        }
        (_, Occasion::Entry { entry, .. }) => {
            if !says_something(entry) && !edit::adds_call(scene, entry) {
                return None;
            }
            if let Some(silence) = history(scene, entry) {
                return Some(silence);
            }
            let minute = minute();
            let decided = gate::shut(scene, Some(entry), minute).unwrap_or_else(|| match policy {
                ChatPolicy::Mention => mention::on_entry(scene, entry, minute, seed),
                _ => natural::on_entry(scene, entry, minute, seed),
            });
            Some(decided)
        }
    }
}

/// Returns whether the entry is a post that can be answered: with a text, or with something to see or hear. Notices
/// cannot: they are for people.
fn says_something(entry: &TranscriptEntry) -> bool {
    entry.kind == EntryKind::Message && !entry.is_notice() && (entry.media.is_some() || has_text(entry))
}

#[cfg(test)]
mod tests;
