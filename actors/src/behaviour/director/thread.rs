//! Finds the message that an entry belongs to: by Telegram's reply, else by the link resolver. Layer `behaviour`; pure.

use std::sync::Arc;

use crate::behaviour::links::resolver::Resolver;
use crate::behaviour::links::utterance::Utterance;
use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::ids::{BotId, Number};
use crate::domain::transcript::EntryKind;

/// Number of entries before a message that the resolver sees. The number is fixed, so that a decision does not depend
/// on where the window begins.
const SEEN: usize = 100;

/// Probability from which a link is believed.
pub(super) const BELIEVED: f64 = 0.5;

/// Number of entries over which a thread is followed back.
const FOLLOWED: usize = 60;

/// The message that an entry answers, by the resolver.
#[derive(Clone, Debug)]
pub(super) struct Link<'a> {
    /// The answered message.
    pub(super) to: &'a Note,
    /// Probability, 0 to 1.
    pub(super) probability: f64,
}

/// Returns the number of the entry that is `many` places before `entry`; edits and reactions hold no place.
fn before(scene: &Scene<'_>, entry: &Note, many: usize) -> Number {
    let said = |other: &&Arc<Note>| {
        other.number < entry.number && matches!(other.kind, EntryKind::Message | EntryKind::Member)
    };
    scene.window.iter().rev().filter(said).nth(many - 1).map_or(Number(0), |first| first.number)
}

/// Returns the message that `entry` most likely answers, if likelier than a new thread. Forum topics are apart.
pub(super) fn link<'a>(scene: &Scene<'a>, entry: &Note) -> Option<Link<'a>> {
    let from = before(scene, entry, SEEN);
    let earlier: Vec<&'a Note> = scene
        .window
        .iter()
        .map(Arc::as_ref)
        .filter(|other| (from..entry.number).contains(&other.number))
        .filter(|other| other.thread == entry.thread && matches!(other.kind, EntryKind::Message | EntryKind::Member))
        .collect();
    let utterances: Vec<&Utterance> = earlier.iter().map(|note| note.utterance()).collect();
    let links = Resolver::standard().resolve(&utterances, entry.utterance());
    let (at, probability) = links.candidates.first().copied().filter(|(_, best)| *best > links.opens)?;
    earlier.get(at).map(|to| Link { to, probability })
}

/// Returns the bots, but the author, that spoke in the thread of an entry that answers `parent`, by roots and replies.
pub(super) fn speakers_in_thread(scene: &Scene<'_>, entry: &Note, parent: Option<&Note>) -> Vec<BotId> {
    let from = before(scene, entry, FOLLOWED);
    let roots = [Some(entry.root), parent.map(|parent| parent.root), parent.map(|parent| parent.number)];
    let mut bots: Vec<BotId> = scene
        .window
        .iter()
        .filter(|other| (from..entry.number).contains(&other.number) && other.kind == EntryKind::Message)
        .filter(|other| roots.contains(&Some(other.root)) || roots.contains(&Some(other.number)))
        .filter_map(|other| other.fleet_bot)
        .filter(|bot| entry.fleet_bot != Some(*bot))
        .collect();
    bots.sort_unstable();
    bots.dedup();
    bots
}
