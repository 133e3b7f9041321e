//! Policy `mention`: only who is mentioned or replied to. Layer `behaviour`; pure.

use serde_json::json;

use super::address::{Address, addressed};
use super::{Direction, Speaker, TO_BOT, TO_PERSON, reading_time};
use crate::behaviour::scene::Scene;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::Act;

pub(super) fn on_entry(scene: &Scene<'_>, entry: &TranscriptEntry, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let text = entry.text.as_deref().unwrap_or_default();
    let mut speakers = Vec::new();
    let mut names = Vec::new();
    for (member, address) in addressed(scene, entry) {
        if !matches!(address, Address::Mention | Address::Reply) {
            continue;
        }
        names.push(member.profile.spec.name.as_str());
        speakers.push(Speaker {
            bot: member.profile.id,
            act: Act::Answer,
            target: Some(entry.number),
            answers_bot: entry.fleet_bot,
            priority: if entry.author.kind.is_person() { TO_PERSON } else { TO_BOT },
            delay: reading_time(scene, text, &mut rng),
        });
    }
    let reason = if names.is_empty() {
        "nobody was mentioned or replied to".to_owned()
    } else {
        format!("mentioned or replied to: {}", names.join(", "))
    };
    Direction::of(speakers, reason, Some(entry)).with_inputs(json!({ "addressed": names }))
}
