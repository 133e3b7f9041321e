//! Runs everything that only reads, pruning, and the end of unspoken work. Part of the testkit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::{Received, State};
use crate::domain::allowance::AllowanceKey;
use crate::domain::control::Stops;
use crate::domain::dead_letter::{DeadLetter, DeadLetterId, DeadLetterState};
use crate::domain::decision::{Cause, Decision};
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{InboxRow, OutcomeKind, SentEvent, Source};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::Pause;
use crate::domain::retraction::RetractionState;
use crate::domain::roster::DeliveryChoice;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};
use crate::domain::turn::{Turn, TurnState};
use crate::ports::outcomes::{OutcomeCursor, OutcomeMessage, OutcomeRecord, OutcomeTurn};
use crate::ports::store::{Backlog, ChatMemory, QueueDepths, QueuedTalk};

impl State {
    pub(super) fn chat_memory(&self, chat: ChatId, recent: usize) -> ChatMemory {
        let Some(head) = self.heads.get(&chat) else { return ChatMemory::default() };
        ChatMemory {
            last_number: head.last_number,
            last_decision: head.last_decision,
            next_tick_at: head.next_tick_at,
            calm_until: head.calm_until,
            disclosed: head.disclosed,
            absent: self.absences.iter().filter(|(of, _)| *of == chat).map(|(_, bot)| *bot).collect(),
            highest: self.highest_messages(chat),
            recent: self.conversation(chat, head.last_number, recent),
        }
    }

    pub(super) fn next_offset(&self, bot: BotId) -> Option<i64> {
        self.offsets.get(&bot).copied()
    }

    pub(super) fn stops(&self) -> Stops {
        self.stops.clone()
    }

    pub(super) fn pauses(&self, bot: BotId) -> Vec<Pause> {
        self.pauses.iter().filter(|pause| pause.bot == bot).collect()
    }

    pub(super) fn delivery(&self, bot: BotId) -> Option<DeliveryChoice> {
        self.deliveries.get(&bot).cloned()
    }

    pub(super) fn turn(&self, turn: TurnId) -> Option<(Turn, Vec<OutboxMessage>)> {
        self.turns.get(&turn).map(|found| (found.clone(), self.messages_of(turn).cloned().collect()))
    }

    pub(super) fn message(&self, outbox: OutboxId) -> Option<OutboxMessage> {
        self.outbox.get(&outbox).cloned()
    }

    fn highest_messages(&self, chat: ChatId) -> Vec<(TelegramChatId, MessageId)> {
        let mut highest: BTreeMap<TelegramChatId, MessageId> = BTreeMap::new();
        for (_, entry) in self.transcript.range((chat, Number(i64::MIN))..=(chat, Number(i64::MAX))) {
            let most = highest.entry(entry.telegram_chat).or_insert(entry.message_id);
            *most = (*most).max(entry.message_id);
        }
        highest.into_iter().collect()
    }

    pub(super) fn entry_numbers(&self, keys: &[EntryKey]) -> Vec<(EntryKey, Number)> {
        let wanted: BTreeSet<EntryKey> = keys.iter().copied().collect();
        let found = self.transcript.values().map(|entry| (entry.key(), entry.number));
        found.filter(|(key, _)| wanted.contains(key)).collect()
    }

    fn waiting_rows(&self) -> impl Iterator<Item = &InboxRow> {
        self.inbox.values().map(|received| &received.row).filter(|row| row.outcome.is_none())
    }

    pub(super) fn unhandled(&self, chat: ChatId, limit: usize) -> Vec<InboxRow> {
        self.waiting_rows().filter(|row| row.chat == Some(chat)).take(limit).cloned().collect()
    }

    pub(super) fn transcript(&self, chat: ChatId, upto: Number, limit: usize) -> Vec<Arc<TranscriptEntry>> {
        let entries =
            self.transcript.range((chat, Number(i64::MIN))..=(chat, upto)).map(|(_, entry)| Arc::clone(entry));
        let mut newest_first: Vec<_> = entries.rev().take(limit).collect();
        newest_first.reverse();
        newest_first
    }

    pub(super) fn conversation(&self, chat: ChatId, upto: Number, most: usize) -> Vec<Arc<TranscriptEntry>> {
        let page = self.transcript(chat, upto, most.saturating_mul(8));
        let is_said = |entry: &TranscriptEntry| matches!(entry.kind, EntryKind::Message | EntryKind::Member);
        let (mut said, mut edited, mut chosen) = (0, BTreeSet::new(), Vec::new());
        for entry in page.into_iter().rev() {
            if said == most {
                break;
            }
            let latest = entry.kind == EntryKind::Edit && edited.insert((entry.telegram_chat, entry.message_id));
            said += usize::from(is_said(&entry));
            if is_said(&entry) || latest {
                chosen.push(entry);
            }
        }
        chosen.reverse();
        chosen
    }

    pub(super) fn find_messages(&self, chat: TelegramChatId, messages: &[MessageId]) -> Vec<Arc<TranscriptEntry>> {
        let mut missing: BTreeSet<MessageId> = messages.iter().copied().collect();
        let of_chat = self.transcript.values().filter(|entry| entry.telegram_chat == chat);
        of_chat.filter(|entry| missing.remove(&entry.message_id)).cloned().collect()
    }

    pub(super) fn unknown_messages(&self, chat: ChatId) -> Vec<OutboxMessage> {
        let unknown = |message: &&OutboxMessage| message.progress.state == OutboxState::Unknown;
        self.outbox.values().filter(|message| message.chat == chat).filter(unknown).cloned().collect()
    }

    pub(super) fn said_lately(&self, bot: BotId, limit: usize) -> Vec<String> {
        let sent = |message: &&OutboxMessage| message.bot == bot && message.progress.state == OutboxState::Sent;
        let with_text = |message: &&OutboxMessage| !message.text.is_empty() && !message.by_operator;
        let mut sent: Vec<&OutboxMessage> = self.outbox.values().filter(sent).filter(with_text).collect();
        sent.sort_by_key(|message| message.id);
        sent[sent.len().saturating_sub(limit)..].iter().map(|message| message.text.clone()).collect()
    }

    pub(super) fn expire_unspoken(&mut self, before: Timestamp) -> u64 {
        const WHY: &str = "could not speak: nobody took it in its time";
        let mut ended = 0;
        let open = |turn: &&mut Turn| !turn.progress.state.is_final() && turn.expires_at <= before;
        for turn in self.turns.values_mut().filter(open) {
            (turn.progress.state, turn.progress.error) = (TurnState::Expired, Some(WHY.to_owned()));
            ended += 1;
        }
        let waits = |message: &&mut OutboxMessage| message.progress.state.may_begin() && message.expires_at <= before;
        for message in self.outbox.values_mut().filter(waits) {
            (message.progress.state, message.progress.error) = (OutboxState::Cancelled, Some(WHY.to_owned()));
            ended += 1;
        }
        ended
    }

    fn queued(&self) -> impl Iterator<Item = &Turn> {
        self.turns.values().filter(|turn| turn.progress.state == TurnState::Queued)
    }

    fn waiting(&self) -> impl Iterator<Item = &OutboxMessage> {
        self.outbox.values().filter(|message| message.progress.state.may_begin())
    }

    pub(super) fn queued_turns(&self, bot: BotId, limit: usize) -> Vec<Turn> {
        let mut turns: Vec<Turn> = self.queued().filter(|turn| turn.bot == bot).cloned().collect();
        turns.sort_by_key(|turn| (turn.priority, turn.created_at, turn.id));
        turns.truncate(limit);
        turns
    }

    /// Reads conversations along for every second turn, so that both ways are gone.
    pub(super) fn queued_talk(&self, bot: BotId, limit: usize, said: usize, known: &[TurnId]) -> Vec<QueuedTalk> {
        let talk = |turn: Turn| {
            let upto = turn.target.or(turn.root).unwrap_or(Number(i64::MAX));
            let along = turn.id.0 % 2 == 0 && !known.contains(&turn.id);
            let entries = along.then(|| self.conversation(turn.chat, upto, said));
            (turn, entries)
        };
        self.queued_turns(bot, limit).into_iter().map(talk).collect()
    }

    pub(super) fn waiting_messages(&self, bot: BotId, limit: usize) -> Vec<OutboxMessage> {
        let mut messages: Vec<OutboxMessage> = self.waiting().filter(|message| message.bot == bot).cloned().collect();
        messages.sort_by_key(|message| (message.turn, message.part));
        messages.truncate(limit);
        messages
    }

    pub(super) fn backlog(&self, me: Option<Incarnation>, now: Timestamp) -> Backlog {
        let chat = |chat: &ChatId| self.owned_by(me, LeaseKey::Chat(*chat));
        let bot = |bot: &BotId| self.owned_by(me, LeaseKey::Bot(*bot));
        let turns = self.queued().filter(|turn| turn.due_at <= now).map(|turn| turn.bot);
        let messages = self.waiting().filter(|message| message.progress.due_at <= now).map(|message| message.bot);
        let deletions =
            self.retractions.values().filter(|one| one.state == RetractionState::Waiting && one.due_at <= now);
        let deletions = deletions.map(|one| one.bot);
        let ticks = self.heads.iter().filter(|(chat, head)| {
            head.next_tick_at.is_some_and(|at| at <= now) && self.chats.get(chat).is_some_and(|(_, in_use)| *in_use)
        });
        Backlog {
            chats: self
                .waiting_rows()
                .filter_map(|row| row.chat)
                .filter(chat)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            ticks: ticks.map(|(chat, _)| *chat).filter(chat).collect(),
            bots: turns.chain(messages).chain(deletions).filter(bot).collect::<BTreeSet<_>>().into_iter().collect(),
            orders: self.orders_for(me),
            turns_open: self.open_turns().filter(|turn| bot(&turn.bot)).count() as u64,
        }
    }

    fn open_turns(&self) -> impl Iterator<Item = &Turn> {
        let open = |turn: &&Turn| matches!(turn.progress.state, TurnState::Queued | TurnState::Claimed);
        self.turns.values().filter(open)
    }

    pub(super) fn depths(&self) -> QueueDepths {
        let turns = |states: &[TurnState]| {
            self.turns.values().filter(|turn| states.contains(&turn.progress.state)).count() as u64
        };
        let outbox = |states: &[OutboxState]| {
            self.outbox.values().filter(|message| states.contains(&message.progress.state)).count() as u64
        };
        QueueDepths {
            inbox: self.waiting_rows().count() as u64,
            turns: turns(&[TurnState::Queued, TurnState::Claimed]),
            outbox: outbox(&[OutboxState::Queued, OutboxState::RetryAt, OutboxState::Sending]),
            dead: turns(&[TurnState::Dead]),
            unknown: outbox(&[OutboxState::Unknown]),
        }
    }

    pub(super) fn dead_letters(&self, after: Option<DeadLetterId>, limit: usize) -> Vec<DeadLetter> {
        let turns = self.turns.values().filter(|turn| turn.progress.state == TurnState::Dead).map(|turn| DeadLetter {
            id: DeadLetterId::Turn(turn.id),
            state: DeadLetterState::Dead,
            reason: turn.progress.error.clone(),
            bot: turn.bot,
            chat: Some(turn.chat),
            attempts: turn.progress.attempts,
            created_at: turn.created_at,
        });
        let messages = self.outbox.values().filter_map(|message| {
            Some(DeadLetter {
                id: DeadLetterId::Message(message.id),
                state: match message.progress.state {
                    OutboxState::Rejected => DeadLetterState::Rejected,
                    OutboxState::Unknown => DeadLetterState::Unknown,
                    _ => return None,
                },
                reason: message.progress.error.clone(),
                bot: message.bot,
                chat: Some(message.chat),
                attempts: message.progress.attempts,
                created_at: message.created_at,
            })
        });
        let updates = self.inbox.values().filter_map(|Received { row, .. }| {
            let outcome = row.outcome.as_ref().filter(|outcome| outcome.kind == OutcomeKind::Dead)?;
            Some(DeadLetter {
                id: DeadLetterId::Update(row.id),
                state: DeadLetterState::Dead,
                reason: outcome.reason.clone(),
                bot: row.bot,
                chat: row.chat,
                attempts: 1,
                created_at: row.received_at,
            })
        });
        let mut letters: Vec<_> = turns.chain(messages).chain(updates).collect();
        letters.sort_by_key(|letter| letter.id.place());
        letters.retain(|letter| after.is_none_or(|after| letter.id.place() > after.place()));
        letters.truncate(limit);
        letters
    }

    /// Returns what was taken from each budget in its latest period.
    pub(super) fn allowances(&self) -> Vec<(AllowanceKey, i64)> {
        let latest: BTreeMap<_, _> = self.allowances.iter().map(|(key, taken)| (key.budget, (*key, *taken))).collect();
        latest.into_values().collect()
    }

    pub(super) fn outcomes(&self, cursor: OutcomeCursor, limit: usize) -> (Vec<OutcomeRecord>, OutcomeCursor) {
        let (mut page, mut next) = (Vec::new(), cursor);
        if cursor.tick.is_none() {
            let rows = self.inbox.iter().filter(|(id, _)| cursor.inbox.is_none_or(|last| **id > last));
            for (id, received) in rows.take(limit) {
                next.inbox = Some(*id);
                page.push(self.inbox_record(received));
            }
        }
        if page.is_empty() {
            let ticks = self
                .decisions
                .iter()
                .filter(|(key, decision)| decision.cause == Cause::Tick && cursor.tick.is_none_or(|last| **key > last));
            for (key, decision) in ticks.take(limit) {
                next.tick = Some(*key);
                page.push(self.tick_record(decision));
            }
        }
        (page, next)
    }

    fn telegram_id(&self, chat: ChatId) -> Option<TelegramChatId> {
        self.chats.get(&chat).map(|(chat, _)| chat.spec.telegram_id)
    }

    fn bot_telegram_id(&self, bot: BotId) -> Option<TelegramUserId> {
        self.bots.get(&bot).map(|(bot, _)| bot.spec.telegram_id)
    }

    fn inbox_record(&self, Received { row, number, decision }: &Received) -> OutcomeRecord {
        let (source, update_id, event) = match row.source {
            Source::Update(update) => ("update", Some(update.0), None),
            Source::Sent(_) => ("sent", None, serde_json::from_str::<SentEvent>(&row.payload).ok()),
        };
        let entry = row.chat.zip(*number).and_then(|key| self.transcript.get(&key));
        let known = entry.map(|entry| entry.telegram_chat).or_else(|| row.chat.and_then(|chat| self.telegram_id(chat)));
        OutcomeRecord {
            source: source.to_owned(),
            bot_id: self.bot_telegram_id(row.bot),
            update_id,
            chat_id: event.as_ref().map(|event| event.chat).or(known),
            message_id: event.map(|event| event.message_id).or(entry.map(|entry| entry.message_id)),
            outcome: OutcomeRecord::outcome_name(row.outcome.as_ref().map(|outcome| outcome.kind)),
            reason: row.outcome.as_ref().and_then(|outcome| outcome.reason.clone()),
            number: *number,
            decision: *decision,
            turns: row.chat.zip(*decision).map(|key| self.outcome_turns(key)).unwrap_or_default(),
        }
    }

    fn tick_record(&self, decision: &Decision) -> OutcomeRecord {
        let (chat, verdict) = (self.telegram_id(decision.chat), decision.verdict.as_str().to_owned());
        let turns = self.outcome_turns((decision.chat, decision.number));
        OutcomeRecord { turns, ..OutcomeRecord::of_tick(decision.number, chat, verdict, decision.reason.clone()) }
    }

    fn outcome_turns(&self, decision: (ChatId, DecisionNumber)) -> Vec<OutcomeTurn> {
        let mut turns: Vec<&Turn> = self.turns.values().filter(|turn| (turn.chat, turn.decision) == decision).collect();
        turns.sort_by_key(|turn| (turn.ordinal, turn.id));
        let message = |message: &OutboxMessage| OutcomeMessage {
            id: message.id.to_string(),
            part: message.part,
            chat_id: message.telegram_chat,
            state: message.progress.state,
            message_id: message.progress.message_id,
        };
        let outcome = |turn: &Turn| OutcomeTurn {
            id: turn.id.to_string(),
            bot_id: self.bot_telegram_id(turn.bot).unwrap_or(TelegramUserId(0)),
            state: turn.progress.state,
            messages: self.messages_of(turn.id).map(message).collect(),
        };
        turns.into_iter().map(outcome).collect()
    }
}
