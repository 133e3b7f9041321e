//! Wish of a bot to speak: its talkativeness times factors, each with a name. Layer `behaviour`; pure.

use serde_json::{Map, Value, json};

use super::disagree::{disagrees, has};
use super::lately::Said;
use crate::behaviour::director::direction::round;
use crate::behaviour::scene::{CastMember, Scene};
use crate::domain::ids::BotId;
use crate::domain::text::fold;
use crate::domain::transcript::TranscriptEntry;

/// Loss of freshness of a bot that just spoke, falling off over the following messages.
const JUST_SPOKE: f64 = 0.75;

/// Freshness of a bot that has not spoken lately.
const LONG_SILENT: f64 = 1.3;

/// Factor for the bot that a person goes on with.
const PARTNER: f64 = 6.0;

/// Difference from 1 below which a factor is not recorded.
const NEUTRAL: f64 = 0.001;

/// Facts that the factors of one message depend on.
pub(super) struct Subject<'a> {
    /// The message; `None` for a tick.
    pub(super) entry: Option<&'a TranscriptEntry>,
    /// Folded words of the message.
    pub(super) words: &'a [&'a str],
    /// The bot that a person goes on with.
    pub(super) partner: Option<BotId>,
    /// Bots that spoke in the message's thread.
    pub(super) in_thread: &'a [BotId],
    /// Minute of the chat's day.
    pub(super) minute: u16,
}

/// Wish of a bot to speak: 0 is never, above 1 very much.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Talkativeness times all factors.
    pub(super) total: f64,
    factors: Vec<(&'static str, f64)>,
}

impl Wish {
    /// Computes the wish of a bot whose recent messages are `said`.
    pub(super) fn of(scene: &Scene<'_>, member: &CastMember, said: Option<&Said>, subject: &Subject<'_>) -> Self {
        let persona = &member.profile.spec.persona;
        let strategy = &scene.chat.spec.strategy;
        let bot = member.profile.id;
        let mut factors = vec![("fresh", freshness(said))];
        if subject.partner == Some(bot) {
            factors = vec![("partner", PARTNER)];
        }
        if persona.interests.iter().any(|interest| has(subject.words, interest)) {
            factors.push(("interested", strategy.interested));
        }
        if disagrees(subject.words, persona) {
            factors.push(("disagrees", strategy.disagrees));
        }
        if subject.in_thread.contains(&bot) {
            factors.push(("in_thread", strategy.in_thread));
        }
        if let Some(curve) = &scene.chat.spec.talkative_hours {
            factors.push(("by_hour", curve.at(subject.minute)));
        }
        if let Some(entry) = subject.entry {
            factors.push(("close", closeness(scene, member, entry)));
        }
        let total = factors.iter().fold(persona.talkativeness, |total, (_, factor)| total * factor);
        factors.retain(|(_, factor)| (factor - 1.0).abs() > NEUTRAL);
        Self { total, factors }
    }

    /// Returns the wish as a decision records it.
    pub(super) fn record(&self) -> Value {
        let factors: Map<String, Value> =
            self.factors.iter().map(|(name, factor)| ((*name).to_owned(), json!(round(*factor)))).collect();
        if factors.is_empty() {
            json!({ "wish": round(self.total) })
        } else {
            json!({ "wish": round(self.total), "factors": factors })
        }
    }
}

/// Returns the freshness, which rises with the messages since the bot last spoke in this chat.
fn freshness(said: Option<&Said>) -> f64 {
    said.map_or(LONG_SILENT, |said| 1.0 - JUST_SPOKE / (1.0 + said.messages_ago as f64 * 0.5))
}

/// Returns the factor that a bot's relationship to a message's author puts on its wish to answer.
pub(super) fn closeness(scene: &Scene<'_>, member: &CastMember, entry: &TranscriptEntry) -> f64 {
    let relationships = &member.profile.spec.relationships;
    if relationships.is_empty() {
        return 1.0;
    }
    let bot = entry.fleet_bot.and_then(|bot| scene.cast.iter().find(|other| other.profile.id == bot));
    let handle = entry.author.username.as_deref().map(fold);
    let is_to = |to: &str| match to.strip_prefix('@') {
        Some(username) => handle.as_deref().is_some_and(|handle| handle == fold(username)),
        None => bot.is_some_and(|bot| bot.profile.spec.name == to),
    };
    let affinity = relationships.iter().find(|relationship| is_to(&relationship.to));
    let close = scene.chat.spec.strategy.close.max(0.01);
    affinity.map_or(1.0, |relationship| close.powf(relationship.affinity))
}
