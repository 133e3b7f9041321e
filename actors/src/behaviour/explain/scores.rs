//! Scores that a director recorded for each bot. Layer `behaviour`; pure.
//!
//! Scores are read tolerantly: keys may be missing, older versions wrote a bare wish for each bot, and unknown keys are
//! kept by name.

use serde_json::{Map, Value};

use super::words::{ROOM_KEYS, SCORE_KEYS, factor_words, filter_words};
use crate::domain::decision::Decision;

/// One bot's score.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) name: String,
    /// Wish of the bot to speak.
    pub(super) wish: Option<f64>,
    /// Chance of the bot to speak.
    pub(super) chance: Option<f64>,
    /// Roll against the chance.
    pub(super) roll: Option<f64>,
    /// Reasons for and against the bot, in words.
    pub(super) factors: Vec<String>,
    /// Filter that ruled the bot out, in words.
    pub(super) filtered: Option<String>,
    /// Way in which the bot was addressed: the recorded key.
    pub(super) addressed: Option<String>,
}

/// All scores of a decision.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// The chance that anybody speaks, and the roll against it.
    pub(super) room: Option<(f64, f64)>,
    pub(super) bots: Vec<Score>,
    /// Keys that this version does not know.
    pub(super) unknown: Vec<String>,
}

impl Scores {
    pub(super) fn of(decision: &Decision) -> Self {
        let room = |value: &Value| {
            let number = |key: &str| value.get(key).and_then(Value::as_f64);
            number("share").or_else(|| number("chance")).zip(number("roll"))
        };
        let room = room(&decision.inputs).or_else(|| room(&decision.scores));
        let mut scores = Self { room, ..Self::default() };
        let Value::Object(map) = &decision.scores else { return scores };
        for key in ["wishes", "bots"] {
            if let Some(Value::Object(bots)) = map.get(key) {
                scores.add_all(bots);
            }
        }
        let of_bots = |(key, value): &(&String, &Value)| value.is_object() || !ROOM_KEYS.contains(&key.as_str());
        let own: Map<String, Value> = map
            .iter()
            .filter(of_bots)
            .filter(|(key, _)| !matches!(key.as_str(), "wishes" | "bots"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        scores.add_all(&own);
        scores
    }

    fn add_all(&mut self, bots: &Map<String, Value>) {
        for (name, value) in bots {
            let score = self.score(name, value);
            self.bots.push(score);
        }
    }

    fn score(&mut self, name: &str, value: &Value) -> Score {
        let mut score = Score { name: name.to_owned(), ..Score::default() };
        match value {
            Value::Number(wish) => score.wish = wish.as_f64(),
            Value::String(filter) => score.filtered = Some(self.filter(filter)),
            Value::Object(map) => {
                let number = |key: &str| map.get(key).and_then(Value::as_f64);
                score.wish = number("wish").or_else(|| number("weight"));
                score.chance = number("chance").or_else(|| number("share"));
                score.roll = number("roll");
                let text = |key: &str| map.get(key).and_then(Value::as_str);
                score.filtered = text("filtered").map(|filter| self.filter(filter));
                score.addressed = text("addressed").map(str::to_owned);
                if let Some(Value::Object(factors)) = map.get("factors") {
                    score.factors = factors.iter().filter_map(|(key, value)| self.factor(key, value)).collect();
                }
                for key in map.keys().filter(|key| !SCORE_KEYS.contains(&key.as_str())) {
                    self.unknown.push(format!("score {key}"));
                }
            }
            _ => {}
        }
        score
    }

    fn filter(&mut self, key: &str) -> String {
        let (words, known) = filter_words(key);
        if !known {
            self.unknown.push(format!("filter {key}"));
        }
        words
    }

    /// Returns a factor in words, with its weight where it has one.
    fn factor(&mut self, key: &str, value: &Value) -> Option<String> {
        let weight = match value {
            Value::Number(number) => number.as_f64(),
            Value::Bool(true) => Some(1.0),
            Value::Array(pair) => pair.last().and_then(Value::as_f64),
            _ => None,
        }?;
        let (words, known) = factor_words(key, weight);
        if !known {
            self.unknown.push(format!("factor {key}"));
        }
        let plain = (weight - 1.0).abs() < 0.005 || value.is_boolean();
        Some(if plain { words } else { format!("{words} (x{})", short(weight)) })
    }
}

/// Formats a number with at most two decimals.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Formats a chance as a percentage.
pub(super) fn percent(chance: f64) -> String {
    format!("{} %", (chance * 100.0).round())
}
