//! A reaction instead of words: now and then, to a person's message that nobody answers. Layer `behaviour`; pure.

use serde_json::json;

use super::filters::of_unasked;
use super::lately::by_bot;
use super::natural::Circumstances;
use crate::behaviour::director::direction::{Direction, Speaker, UNASKED, draw, reading_time, round};
use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::turn::Act;

/// Adds a bot's emoji to a silence, if the chat's strategy and chance say so.
pub(super) fn perhaps(
    scene: &Scene<'_>,
    entry: &Note,
    circumstances: &Circumstances<'_>,
    silence: Direction,
    rng: &mut fastrand::Rng,
) -> Direction {
    let chance = scene.chat.spec.strategy.reaction;
    if chance <= 0.0 || rng.f64() >= chance {
        return silence;
    }
    let said = by_bot(scene);
    let may = |bot| said.get(&bot);
    let able: Vec<_> = scene
        .cast
        .iter()
        .filter(|member| !member.profile.spec.persona.reactions.is_empty())
        .filter(|member| {
            let bot = member.profile.id;
            of_unasked(scene, member, may(bot), Some(entry), circumstances.minute).is_none()
        })
        .collect();
    let weights = able.iter().map(|member| 0.2 + member.profile.spec.persona.talkativeness);
    let Some(member) = draw(weights, rng).and_then(|at| able.get(at)) else {
        return silence;
    };
    let reactions = &member.profile.spec.persona.reactions;
    let emoji = reactions[rng.usize(..reactions.len())].clone();
    let speaker = Speaker {
        bot: member.profile.id,
        act: Act::React { emoji },
        target: Some(entry.number),
        answers_bot: None,
        priority: UNASKED,
        delay: reading_time(scene, entry.text.as_deref().unwrap_or_default(), rng),
    };
    let reason = format!("{}; {} reacts with an emoji", silence.reason, member.profile.spec.name);
    let mut direction = Direction::of(vec![speaker], reason, Some(entry)).with_scores(silence.scores);
    direction.inputs = json!({ "reaction": round(chance) });
    direction
}
