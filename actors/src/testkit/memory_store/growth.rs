//! Deletes rows that are older than their use. Part of the testkit.

use std::collections::HashSet;
use std::time::Duration;

use super::state::{Received, State};
use crate::domain::decision::Decision;
use crate::domain::ids::{ChatId, DecisionNumber, Number, TurnId};
use crate::domain::inbox::{Outcome, OutcomeKind};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::ownership::NodeState;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::TurnState;
use crate::ports::store::{ENTRY_DAYS_MIN, Kept};

const DAY: Duration = Duration::from_hours(24);

impl State {
    pub(super) fn prune(&mut self, alone: bool, now: Timestamp, kept: &Kept) -> u64 {
        let before = self.rows();
        self.prune_orders(now);
        self.prune_speaking(now - kept.handled, now);
        self.prune_inbox(now - kept.handled);
        let start = now - kept.handled;
        self.allowances
            .retain(|key, _| key.budget.per.length().is_none_or(|length| key.start + length.max(DAY) >= start));
        let decided = now - kept.decisions;
        if alone {
            self.raise(now, decided);
            self.drop_below(decided, now - kept.letters);
        } else if self.everybody_knows() {
            self.drop_below(self.low_water.1, now - kept.letters);
            self.raise(now, decided);
            self.low_water = (self.low_water.0 + 1, decided);
        }
        (before - self.rows()) as u64
    }

    fn rows(&self) -> usize {
        let conversation = self.inbox.len() + self.transcript.len() + self.decisions.len();
        conversation + self.turns.len() + self.outbox.len() + self.allowances.len() + self.orders.len() + self.spoken()
    }

    fn prune_inbox(&mut self, before: Timestamp) {
        let left: Vec<ChatId> = self.chats.iter().filter(|(_, (_, used))| !used).map(|(chat, _)| *chat).collect();
        for Received { row, .. } in self.inbox.values_mut() {
            if row.outcome.is_none() && row.received_at < before && row.chat.is_some_and(|chat| left.contains(&chat)) {
                row.outcome = Some(Outcome::because(OutcomeKind::Ignored, "its chat left the manifest"));
            }
        }
        self.inbox.retain(|_, Received { row, .. }| row.outcome.is_none() || row.received_at >= before);
        self.sources = self.inbox.values().map(|received| (received.row.bot, received.row.source)).collect();
    }

    /// Returns whether every node that is not dead has heard of the last rise of the marks.
    fn everybody_knows(&self) -> bool {
        let mut living = self.ownings.records().filter(|node| node.state != NodeState::Dead);
        living.all(|node| node.report.low_water >= self.low_water.0)
    }

    fn raise(&mut self, now: Timestamp, decided: Timestamp) {
        for (chat, (profile, _)) in &self.chats {
            let Some(head) = self.heads.get_mut(chat) else { continue };
            let days = profile.spec.retention_days;
            let entries = self.transcript.range((*chat, Number(0))..=(*chat, Number(i64::MAX)));
            let waits = self.inbox.values().any(|Received { row, .. }| {
                row.outcome.is_none() && row.chat == Some(*chat) && row.received_at < now - DAY
            });
            if days > 0 && !waits {
                let old = entries.take_while(|(_, entry)| entry.date < now - DAY * days.max(ENTRY_DAYS_MIN));
                head.gone_entry = old.map(|((_, number), _)| *number).last().unwrap_or(head.gone_entry);
            }
            let decisions = self.decisions.range((*chat, DecisionNumber(0))..=(*chat, DecisionNumber(i64::MAX)));
            let emptied = |decision: &Decision| days == 0 || decision.inputs == serde_json::json!({});
            let old = decisions.take_while(|(_, decision)| decision.at < decided && emptied(decision));
            head.gone_decision = old.map(|((_, number), _)| *number).last().unwrap_or(head.gone_decision);
        }
    }

    fn drop_below(&mut self, decided: Timestamp, letters: Timestamp) {
        let letters = letters.min(decided);
        let heads = &self.heads;
        self.transcript.retain(|(chat, number), _| heads.get(chat).is_none_or(|head| *number > head.gone_entry));
        self.decisions.retain(|(chat, number), _| heads.get(chat).is_none_or(|head| *number > head.gone_decision));
        self.keys = self.transcript.values().map(|entry| TranscriptEntry::key(entry)).collect();
        let stays = |message: &OutboxMessage| match message.progress.state {
            OutboxState::Sent | OutboxState::Cancelled => false,
            OutboxState::Rejected | OutboxState::Unknown => message.created_at.max(message.progress.due_at) >= letters,
            OutboxState::Queued | OutboxState::Sending | OutboxState::RetryAt => true,
        };
        let spared: HashSet<TurnId> = self.outbox.values().filter(|one| stays(one)).map(|one| one.turn).collect();
        self.outbox.retain(|_, message| message.created_at >= decided || spared.contains(&message.turn));
        let with_messages: HashSet<TurnId> = self.outbox.values().map(|message| message.turn).collect();
        self.turns.retain(|id, turn| {
            let kept = match turn.progress.state {
                TurnState::Done | TurnState::Dropped | TurnState::Expired => turn.created_at >= decided,
                TurnState::Dead => turn.created_at.max(turn.due_at) >= letters,
                TurnState::Queued | TurnState::Claimed => true,
            };
            kept || with_messages.contains(id)
        });
    }
}
