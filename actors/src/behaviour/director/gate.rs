//! Conditions that keep a whole chat silent, before any wish is weighed: stops, quiet hours, a person's share, loop
//! physics and the calm that follows them. Layer `behaviour`; pure.

use serde_json::json;

use crate::behaviour::director::direction::Direction;
use crate::behaviour::physics::limits::{calm_until, reached, share_is_spent};
use crate::behaviour::scene::Scene;
use crate::domain::transcript::TranscriptEntry;

/// Returns silence for the whole chat, or `None` when its bots may speak. `entry` is the one to answer.
pub(super) fn shut(scene: &Scene<'_>, entry: Option<&TranscriptEntry>, minute: u16) -> Option<Direction> {
    let silence = |gate: &str, reason: &str| {
        let depth = entry.map_or(0, |entry| entry.chain_depth);
        let inputs = json!({ "gate": gate, "hour": clock(minute), "chain_depth": depth });
        Direction::silence(reason, entry).with_inputs(inputs)
    };
    if scene.standing.stopped {
        return Some(silence("stopped", "a stop is in force"));
    }
    if scene.chat.spec.quiet_hours.is_some_and(|hours| hours.contains(minute)) {
        return Some(silence("quiet_hours", "these are the chat's quiet hours"));
    }
    let by_person = entry.is_some_and(|entry| entry.fleet_bot.is_none() && entry.author.kind.is_person());
    if !by_person && is_calm(scene) {
        return Some(silence("calm", "the chat calms down: no talk among bots, and no openings"));
    }
    if let Some(most) = entry.filter(|_| by_person).and_then(|entry| share_is_spent(scene, entry)) {
        let reason =
            format!("this person had {most} answers or attempts within ten minutes, and others are here as well");
        return Some(silence("person_share", &reason));
    }
    let limit = reached(scene, entry)?;
    let mut direction = silence(limit.as_str(), &limit.reason());
    direction.calm_until = calm_until(scene).filter(|_| limit.calms());
    Some(direction)
}

/// Returns whether the chat calms down after a limit.
pub(super) fn is_calm(scene: &Scene<'_>) -> bool {
    scene.standing.calm_until.is_some_and(|until| until > scene.now)
}

/// Formats a minute of the day as a clock shows it.
pub(super) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
