//! Finds transcript numbers and message ids that do not rise as they must. Layer: world; pure (I3).

use std::collections::{BTreeMap, HashMap};

use super::outcome::{MessageState, Outcome, OutcomeLine, OutcomeTurn, Source};
use super::report::Report;

/// Finds transcript numbers out of the order of updates, and message ids out of the order of a turn's parts.
pub(super) fn check(outcomes: &[OutcomeLine], report: &mut Report) {
    let mut numbers: BTreeMap<(i64, i64), Vec<(i64, i64)>> = BTreeMap::new();
    let mut turns: HashMap<&str, &OutcomeTurn> = HashMap::new();
    for line in outcomes {
        if line.source == Source::Update
            && line.outcome == Outcome::Appended
            && let (Some(bot), Some(chat)) = (line.bot_id, line.chat_id)
            && let (Some(update), Some(number)) = (line.update_id, line.number)
        {
            numbers.entry((bot, chat)).or_default().push((update, number));
        }
        turns.extend(line.turns.iter().map(|turn| (turn.id.as_str(), turn)));
    }
    for ((bot, chat), mut pairs) in numbers {
        pairs.sort_unstable();
        // Two outcomes of one update count as handled twice, not as a breach of order.
        pairs.dedup_by_key(|(update, _)| *update);
        for pair in pairs.windows(2).filter(|pair| pair[1].1 <= pair[0].1) {
            report.breaches.order += 1;
            report.example(|| {
                let ((first, before), (second, after)) = (pair[0], pair[1]);
                format!("bot {bot}, chat {chat}: update {first} has number {before}, update {second} has {after}")
            });
        }
    }
    let mut turns: Vec<&OutcomeTurn> = turns.into_values().collect();
    turns.sort_unstable_by_key(|turn| &turn.id);
    for turn in turns {
        let mut parts: Vec<(u32, i64)> = turn
            .messages
            .iter()
            .filter(|message| message.state == MessageState::Sent)
            .filter_map(|message| Some((message.part, message.message_id?)))
            .collect();
        parts.sort_unstable();
        for pair in parts.windows(2).filter(|pair| pair[1].1 <= pair[0].1) {
            report.breaches.order += 1;
            report.example(|| format!("turn {}: part {} stands before part {}", turn.id, pair[1].0, pair[0].0));
        }
    }
}
