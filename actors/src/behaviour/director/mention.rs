//! Policy `mention`: only bots that are mentioned or replied to speak. Layer `behaviour`; pure.

use serde_json::{Map, Value, json};

use super::address::{Address, addressed};
use super::filters::{of_called, of_called_by_bot};
use super::gate::{clock, is_calm};
use super::lately::by_bot;
use crate::behaviour::director::direction::{Direction, Speaker, TO_BOT, TO_PERSON, reading_time};
use crate::behaviour::note::Note;
use crate::behaviour::physics::limits::shortened;
use crate::behaviour::scene::Scene;
use crate::domain::turn::Act;

pub(super) fn on_entry(scene: &Scene<'_>, entry: &Note, minute: u16, seed: u64) -> Direction {
    let mut rng = fastrand::Rng::with_seed(seed);
    let text = entry.text.as_deref().unwrap_or_default();
    let by_person = entry.author.kind.is_person() && entry.fleet_bot.is_none();
    let said = by_bot(scene);
    let mut speakers = Vec::new();
    let mut names = Vec::new();
    let mut scores = Map::new();
    for (member, how) in addressed(scene, entry) {
        if !matches!(how, Address::Mention | Address::Reply) {
            continue;
        }
        let name = member.profile.spec.name.as_str();
        let of_bot = said.get(&member.profile.id);
        let filter =
            if by_person { of_called(member, of_bot) } else { of_called_by_bot(scene, member, of_bot, entry, minute) };
        if let Some(filter) = filter {
            scores.insert(name.to_owned(), json!({ "addressed": how.as_str(), "filtered": filter.as_str() }));
            continue;
        }
        scores.insert(name.to_owned(), json!({ "addressed": how.as_str() }));
        names.push(name);
        speakers.push(Speaker {
            bot: member.profile.id,
            act: Act::Answer,
            target: Some(entry.number),
            answers_bot: entry.fleet_bot,
            priority: if by_person { TO_PERSON } else { TO_BOT },
            delay: reading_time(scene, text, &mut rng),
        });
    }
    let reason = match (names.as_slice(), scores.is_empty()) {
        ([], true) => "nobody was mentioned or replied to".to_owned(),
        ([], false) => "who was mentioned or replied to may not speak now".to_owned(),
        (names, _) => format!("mentioned or replied to: {}", names.join(", ")),
    };
    let inputs = json!({ "hour": clock(minute), "addressed": scores.keys().collect::<Vec<_>>() });
    let calls = !names.is_empty();
    let mut direction =
        Direction::of(speakers, reason, Some(entry)).with_inputs(inputs).with_scores(Value::Object(scores));
    if by_person && is_calm(scene) {
        direction.calm_until = scene.standing.calm_until.map(|until| shortened(until, scene.now, calls));
    }
    direction
}
