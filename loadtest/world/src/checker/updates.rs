//! Finds updates that were lost or handled twice, and unanswered messages. Layer: world; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::chats::Chats;
use super::outcome::{MessageState, Outcome, OutcomeLine, Source, TurnState};
use super::report::Report;
use crate::ledger::{LedgerEvent, LedgerRecord, PostedKind};

/// Finds confirmed updates without a final outcome, and updates with more than one (I1, I2).
pub(super) fn check(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], report: &mut Report) {
    let mut lines: BTreeMap<(i64, i64), Vec<Outcome>> = BTreeMap::new();
    for line in outcomes.iter().filter(|line| line.source == Source::Update) {
        if let (Some(bot), Some(update)) = (line.bot_id, line.update_id) {
            lines.entry((bot, update)).or_default().push(line.outcome);
        }
    }
    for ((bot, update), outcomes) in &lines {
        if outcomes.len() > 1 {
            report.breaches.handled_twice += 1;
            report.example(|| format!("update {update} of bot {bot} has {} outcomes: {outcomes:?}", outcomes.len()));
        }
    }
    let mut confirmed = BTreeSet::new();
    for record in ledger {
        if let LedgerEvent::UpdatesConfirmed { bot, update_ids, .. } = &record.event {
            confirmed.extend(update_ids.iter().map(|update| (*bot, *update)));
        }
    }
    for key @ (bot, update) in confirmed {
        let found = lines.get(&key).map_or(&[][..], Vec::as_slice);
        if found.is_empty() {
            report.breaches.lost += 1;
            report.example(|| format!("update {update} of bot {bot} was confirmed and has no outcome"));
        } else if found.iter().all(|outcome| *outcome == Outcome::Pending) {
            report.breaches.lost += 1;
            report.example(|| format!("update {update} of bot {bot} was confirmed and is still pending"));
        }
    }
}

/// Finds messages of people that a bot saw and did not answer exactly once. A command to the fleet needs no answer.
pub(super) fn check_answers(ledger: &[LedgerRecord], outcomes: &[OutcomeLine], report: &mut Report) {
    let chats = Chats::of(ledger);
    let mut by_people = HashSet::new();
    let mut seen = BTreeSet::new();
    for record in ledger {
        match &record.event {
            LedgerEvent::Posted { chat, message_id, author_is_bot: false, kind: PostedKind::Post, .. } => {
                by_people.insert((chats.now(*chat), *message_id));
            }
            LedgerEvent::UpdateQueued { bot, chat: Some(chat), message_id: Some(message_id), update_kind, .. }
                if update_kind == "message" =>
            {
                seen.insert((chats.now(*chat), *message_id, *bot));
            }
            _ => {}
        }
    }
    let mut commands = HashSet::new();
    let mut answers: HashMap<(i64, i64, i64), HashSet<&str>> = HashMap::new();
    for line in outcomes.iter().filter(|line| line.source == Source::Update) {
        let (Some(chat), Some(message_id)) = (line.chat_id, line.message_id) else {
            continue;
        };
        let chat = chats.now(chat);
        if line.outcome == Outcome::Control {
            commands.insert((chat, message_id));
        }
        for turn in line.turns.iter().filter(|turn| turn.state == TurnState::Done) {
            let spoken = |state| matches!(state, MessageState::Sent | MessageState::Unknown);
            if turn.messages.iter().any(|message| spoken(message.state)) {
                answers.entry((chat, message_id, turn.bot_id)).or_default().insert(&turn.id);
            }
        }
    }
    for key @ (chat, message_id, bot) in seen {
        if !by_people.contains(&(chat, message_id)) || commands.contains(&(chat, message_id)) {
            continue;
        }
        let times = answers.get(&key).map_or(0, HashSet::len);
        if times != 1 {
            report.breaches.unanswered += 1;
            report.example(|| format!("bot {bot} answered message {message_id} in chat {chat} {times} times"));
        }
    }
}
