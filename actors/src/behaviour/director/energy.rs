//! Energy of a conversation: people raise it, messages of bots wear it down. Layer `behaviour`; pure.

use super::lately::messages;
use crate::behaviour::scene::Scene;

/// Number of latest messages that count: earlier ones weigh nothing.
const MESSAGES: usize = 40;

/// Returns the room's energy, 0 to 1, after its latest messages; an empty room has 1.
pub fn energy(scene: &Scene<'_>) -> f64 {
    let strategy = &scene.chat.spec.strategy;
    let latest: Vec<_> = messages(scene).take(MESSAGES).collect();
    latest.iter().rev().fold(1.0, |energy, entry| {
        if entry.author.kind.is_person() {
            energy + (1.0 - energy) * strategy.energy_gain
        } else {
            energy * strategy.energy_decay
        }
    })
}
