//! Policy `every`: each bot that receives a person's message answers it. Layer `behaviour`; pure.
//!
//! Policy of tests and benchmarks, which looks at nothing but the entry.

use serde_json::json;

use crate::behaviour::director::direction::{Direction, Speaker, TO_PERSON, has_text, reading_time};
use crate::behaviour::scene::Scene;
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{BotId, Number};
use crate::domain::roster::ChatPolicy;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Act;

/// Returns the entry of a recorded decision of this policy, and the bot that had received it.
pub fn heard(decision: &Decision) -> Option<(Number, BotId)> {
    let Cause::Entry(number) = decision.cause else { return None };
    let heard_by = decision.inputs.get("heard_by")?.as_i64()?;
    (decision.policy == ChatPolicy::Every.as_str()).then_some((number, BotId(heard_by)))
}

/// Returns the answer of the bot that received `entry`; `None` when no person wrote the entry.
pub(super) fn on_entry(scene: &Scene<'_>, entry: &TranscriptEntry, heard_by: BotId, seed: u64) -> Option<Direction> {
    let by_person = entry.fleet_bot.is_none() && entry.author.kind.is_person();
    if !by_person || entry.kind != EntryKind::Message || !has_text(entry) {
        return None;
    }
    let delay = reading_time(scene, entry.text.as_deref().unwrap_or_default(), &mut fastrand::Rng::with_seed(seed));
    let speaker = Speaker {
        bot: heard_by,
        act: Act::Answer,
        target: Some(entry.number),
        answers_bot: None,
        priority: TO_PERSON,
        delay,
    };
    let direction = Direction::of(vec![speaker], "policy every: the bot that received it answers", Some(entry));
    Some(direction.with_inputs(json!({ "heard_by": heard_by })))
}
