//! Reads the archive from rows in memory. Part of the testkit.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::state::State;
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{BotId, ChatId, DecisionNumber, MessageId, Number, TelegramChatId};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::roster::Roster;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::{Turn, TurnState};
use crate::domain::watching::{AtWork, ChatEnd, WorkStep};
use crate::ports::archive::{DecisionQuery, outbox_ids_around};

impl State {
    pub(super) fn recorded_roster(&self) -> Roster {
        self.roster()
    }

    pub(super) fn decisions(&self, chat: ChatId, query: &DecisionQuery) -> Vec<Decision> {
        let (after, before) = query.bounds();
        let all = self.decisions.iter().filter(|((of, number), decision)| {
            *of == chat
                && after < number.0
                && number.0 < before
                && query.entry.is_none_or(|entry| decision.cause == Cause::Entry(entry))
        });
        let mut found: Vec<Decision> = all.map(|(_, decision)| decision.clone()).collect();
        if !query.ascends() {
            found.reverse();
        }
        found.truncate(query.most());
        found
    }

    pub(super) fn turns_of(&self, chat: ChatId, decisions: &[DecisionNumber]) -> Vec<(Turn, Vec<OutboxMessage>)> {
        let asked = |turn: &&Turn| turn.chat == chat && decisions.contains(&turn.decision);
        let mut turns: Vec<Turn> = self.turns.values().filter(asked).cloned().collect();
        turns.sort_by_key(|turn| (turn.decision, turn.ordinal, turn.id));
        let with_messages = |turn: Turn| {
            let messages = self.messages_of(turn.id).cloned().collect();
            (turn, messages)
        };
        turns.into_iter().map(with_messages).collect()
    }

    pub(super) fn entries(&self, chat: ChatId, from: Number, limit: usize) -> Vec<Arc<TranscriptEntry>> {
        let entries = self.transcript.range((chat, from)..=(chat, Number(i64::MAX)));
        entries.take(limit).map(|(_, entry)| Arc::clone(entry)).collect()
    }

    pub(super) fn message_number(&self, chat: ChatId, message: MessageId) -> Option<Number> {
        let is_it = |entry: &&Arc<TranscriptEntry>| {
            entry.chat == chat && entry.message_id == message && entry.kind == EntryKind::Message
        };
        self.transcript.values().rev().find(is_it).map(|entry| entry.number)
    }

    pub(super) fn sent_as(
        &self,
        bot: BotId,
        chat: TelegramChatId,
        message: MessageId,
        date: Timestamp,
    ) -> Option<OutboxMessage> {
        let (from, upto) = outbox_ids_around(date);
        let is_it = |sent: &&OutboxMessage| {
            sent.bot == bot
                && sent.telegram_chat == chat
                && sent.progress.state == OutboxState::Sent
                && sent.progress.message_id == Some(message)
        };
        self.outbox.range(from..upto).map(|(_, sent)| sent).find(is_it).cloned()
    }

    pub(super) fn chat_ends(&self, chats: &[ChatId]) -> Vec<ChatEnd> {
        let asked = self.heads.iter().filter(|(chat, _)| chats.contains(chat));
        asked
            .map(|(chat, head)| ChatEnd { chat: *chat, number: head.last_number, decision: head.last_decision })
            .collect()
    }

    pub(super) fn at_work(&self, chats: &[ChatId]) -> Vec<AtWork> {
        let turns = self.turns.values().filter_map(|turn| {
            let step = match turn.progress.state {
                TurnState::Queued => WorkStep::Waiting,
                TurnState::Claimed => WorkStep::Thinking,
                _ => return None,
            };
            Some(AtWork { chat: turn.chat, bot: turn.bot, step })
        });
        let messages = self.outbox.values().filter_map(|message| {
            let step = match message.progress.state {
                OutboxState::Queued | OutboxState::RetryAt => WorkStep::Typing,
                OutboxState::Sending => WorkStep::Sending,
                OutboxState::Unknown => WorkStep::Unknown,
                _ => return None,
            };
            Some(AtWork { chat: message.chat, bot: message.bot, step })
        });
        let found: BTreeSet<AtWork> = turns.chain(messages).filter(|work| chats.contains(&work.chat)).collect();
        found.into_iter().collect()
    }
}
