//! Holds the rows, and applies operations to them. Part of the testkit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::cluster::Ownings;
use super::people::Audited;
use crate::domain::allowance::AllowanceKey;
use crate::domain::audit::AuditEntry;
use crate::domain::commit::judge::judge;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::operations::Operation;
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::commit::rows::{Changes, ChatHead, Loaded, OutboxHead, TurnHead};
use crate::domain::control::Stops;
use crate::domain::decision::Decision;
use crate::domain::ids::{
    BotId, ChatId, DecisionNumber, Epoch, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, TurnId,
};
use crate::domain::inbox::{InboxRow, OutcomeKind, Source};
use crate::domain::operator_order::{OperatorOrder, OrderId};
use crate::domain::outbox::{OnUnknown, OutboxMessage, OutboxState, RESEND_ATTEMPTS_MAX};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::Pauses;
use crate::domain::retraction::Retraction;
use crate::domain::roster::{BotProfile, ChatProfile, DeliveryChoice, Persona};
use crate::domain::takeover::Takeovers;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, TranscriptEntry};
use crate::domain::turn::{TURN_ATTEMPTS_MAX, Turn, TurnState};
use crate::domain::window::{Window, WindowKey};
use crate::ports::store::Tenure;

/// All rows of the store.
#[derive(Default)]
pub(super) struct State {
    pub(super) epoch: i64,
    pub(super) ownings: Ownings,
    /// The incarnation that is sending, or sent, each message.
    pub(super) senders: HashMap<OutboxId, Incarnation>,
    pub(super) bots: BTreeMap<BotId, (BotProfile, bool)>,
    pub(super) chats: BTreeMap<ChatId, (ChatProfile, bool)>,
    pub(super) aliases: BTreeMap<TelegramChatId, ChatId>,
    pub(super) personas: BTreeMap<String, (i64, Persona)>,
    pub(super) config_seq: i64,
    pub(super) offsets: BTreeMap<BotId, i64>,
    pub(super) usernames: BTreeMap<BotId, String>,
    pub(super) deliveries: BTreeMap<BotId, DeliveryChoice>,
    pub(super) heads: BTreeMap<ChatId, Head>,
    pub(super) inbox: BTreeMap<InboxId, Received>,
    pub(super) sources: HashSet<(BotId, Source)>,
    pub(super) transcript: BTreeMap<(ChatId, Number), Arc<TranscriptEntry>>,
    pub(super) keys: HashSet<EntryKey>,
    pub(super) decisions: BTreeMap<(ChatId, DecisionNumber), Decision>,
    pub(super) turns: BTreeMap<TurnId, Turn>,
    pub(super) outbox: BTreeMap<OutboxId, OutboxMessage>,
    pub(super) windows: HashMap<WindowKey, Window>,
    pub(super) allowances: BTreeMap<AllowanceKey, i64>,
    pub(super) opted_out: BTreeMap<TelegramUserId, Timestamp>,
    pub(super) audit: Vec<Audited>,
    /// Entries of the audit of acts.
    pub(super) acts: Vec<AuditEntry>,
    /// The time of each person's last order on whether their words are stored.
    pub(super) said: BTreeMap<TelegramUserId, Timestamp>,
    /// The number of the last change of people's rights.
    pub(super) people_seq: i64,
    pub(super) stops: Stops,
    pub(super) orders: BTreeMap<OrderId, OperatorOrder>,
    pub(super) takeovers: Takeovers,
    pub(super) retractions: BTreeMap<(TelegramChatId, MessageId), Retraction>,
    pub(super) pauses: Pauses,
    pub(super) absences: BTreeSet<(ChatId, BotId)>,
    /// The number of the last rise of the low-water marks, and the time that it was for.
    pub(super) low_water: (i64, Timestamp),
}

/// The head of a chat: its last numbers and its timers.
#[derive(Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) last_number: Number,
    pub(super) last_decision: DecisionNumber,
    pub(super) next_tick_at: Option<Timestamp>,
    pub(super) calm_until: Option<Timestamp>,
    pub(super) disclosed: bool,
    /// The low-water marks: rows up to there are gone, or going.
    pub(super) gone_entry: Number,
    pub(super) gone_decision: DecisionNumber,
}

/// An inbox row with its entry and its decision.
pub(super) struct Received {
    pub(super) row: InboxRow,
    pub(super) number: Option<Number>,
    pub(super) decision: Option<DecisionNumber>,
}

impl State {
    /// Judges and applies one operation.
    pub(super) fn decide(&mut self, operation: Operation, me: Option<Incarnation>) -> Result<Applied, Refusal> {
        let mut loaded = self.load(&Needs::of([&operation]));
        let (mut results, changes) = judge(vec![operation], &mut loaded);
        let applied = results.pop().expect("one result for one operation")?;
        self.contradiction(&changes).map_or(Ok(()), |what| Err(Refusal::Conflict(what)))?;
        self.apply(changes, loaded, me);
        Ok(applied)
    }

    fn load(&self, needs: &Needs) -> Loaded {
        let head = |chat: &ChatId| {
            let epoch = self.chat_fence(*chat)?;
            let at = self.heads.get(chat)?;
            Some((*chat, ChatHead { epoch, last_number: at.last_number, last_decision: at.last_decision }))
        };
        let turn = |id: &TurnId| {
            let turn = self.turns.get(id)?;
            Some((*id, TurnHead { bot: turn.bot, progress: turn.progress.clone() }))
        };
        Loaded {
            bots: needs.bots.iter().filter_map(|bot| Some((*bot, self.bot_fence(*bot)?))).collect(),
            chats: needs.chats.iter().filter_map(head).collect(),
            sources: needs.sources.iter().filter(|source| self.sources.contains(source)).copied().collect(),
            inbox: needs.inbox.iter().filter_map(|id| Some((*id, self.inbox.get(id)?.row.outcome.is_none()))).collect(),
            emptied: needs.inbox.iter().filter(|id| self.is_emptied(**id)).copied().collect(),
            dead_updates: needs.dead_updates.iter().filter(|id| self.is_dead(**id)).copied().collect(),
            entries: needs.entries.iter().filter(|key| self.keys.contains(key)).copied().collect(),
            turns: needs.turns.iter().filter_map(turn).collect(),
            outbox: needs.outbox.iter().filter_map(|id| Some((*id, OutboxHead::of(self.outbox.get(id)?)))).collect(),
            windows: needs.windows.iter().filter_map(|key| Some((*key, self.windows.get(key)?.clone()))).collect(),
            allowances: needs.allowances.iter().filter_map(|key| Some((*key, *self.allowances.get(key)?))).collect(),
            opted_out: needs.people.iter().filter(|person| self.opted_out.contains_key(person)).copied().collect(),
            said: needs.people.iter().filter_map(|person| Some((*person, *self.said.get(person)?))).collect(),
            forgotten: needs.people.iter().filter_map(|person| Some((*person, self.forgotten_at(*person)?))).collect(),
            orders: needs.orders.iter().filter_map(|id| self.order_head(*id)).collect(),
            stops: self.stops.clone(),
            takeovers: self.takeovers.clone(),
            pauses: self.pauses.clone(),
        }
    }

    fn is_emptied(&self, inbox: InboxId) -> bool {
        let Some(Source::Sent(outbox)) = self.inbox.get(&inbox).map(|received| received.row.source) else {
            return false;
        };
        self.outbox.get(&outbox).is_some_and(|message| message.text.is_empty())
    }

    fn is_dead(&self, inbox: InboxId) -> bool {
        let outcome = self.inbox.get(&inbox).and_then(|received| received.row.outcome.as_ref());
        outcome.is_some_and(|outcome| outcome.kind == OutcomeKind::Dead)
    }

    /// Returns the contradiction that a unique constraint of a database would refuse.
    fn contradiction(&self, changes: &Changes) -> Option<String> {
        fn twice<K: Ord>(keys: impl Iterator<Item = K>, stored: impl Fn(&K) -> bool) -> bool {
            let mut seen = BTreeSet::new();
            keys.into_iter().any(|key| stored(&key) || !seen.insert(key))
        }
        let turn_key = |turn: &Turn| (turn.chat, turn.decision, turn.bot, turn.ordinal);
        let broken = twice(changes.inbox.iter().map(|row| row.id), |id| self.inbox.contains_key(id))
            || twice(changes.decisions.iter().map(|d| (d.chat, d.number)), |key| self.decisions.contains_key(key))
            || twice(changes.new_turns.iter().map(|turn| turn.id), |id| self.turns.contains_key(id))
            || twice(changes.new_turns.iter().map(turn_key), |key| {
                self.turns.values().any(|turn| turn_key(turn) == *key)
            })
            || twice(changes.new_outbox.iter().map(|message| message.id), |id| self.outbox.contains_key(id))
            || twice(changes.new_outbox.iter().map(|message| (message.turn, message.part)), |(turn, part)| {
                self.messages_of(*turn).any(|message| message.part == *part)
            });
        broken.then(|| "a row contradicts what is stored".to_owned())
    }

    fn apply(&mut self, changes: Changes, mut loaded: Loaded, me: Option<Incarnation>) {
        for row in changes.inbox {
            self.sources.insert((row.bot, row.source));
            self.inbox.insert(row.id, Received { row, number: None, decision: None });
        }
        for handled in changes.handled {
            let received = self.inbox.get_mut(&handled.inbox).expect("the judge has seen it");
            received.row.outcome = Some(handled.outcome);
            (received.number, received.decision) = (handled.number, handled.decision);
        }
        self.said.extend(changes.orders.said);
        self.acts.extend(changes.orders.audit);
        for right in changes.orders.rights {
            self.set_right(right);
        }
        for (bot, choice) in changes.orders.deliveries {
            self.offsets.remove(&bot);
            self.deliveries.insert(bot, choice);
        }
        for (id, (due_at, expires_at)) in changes.orders.turns {
            let turn = self.turns.get_mut(&id).expect("the judge has seen it");
            (turn.due_at, turn.expires_at) = (due_at, expires_at);
        }
        for (id, expires_at) in changes.orders.outbox {
            self.outbox.get_mut(&id).expect("the judge has seen it").expires_at = expires_at;
        }
        self.orders_move(changes.orders.operator);
        self.take_over(changes.orders.takeovers);
        self.retract(changes.orders.retractions);
        self.settle_retractions(changes.orders.retracted);
        for (bot, until) in changes.orders.pauses {
            self.pauses.shorten(bot, until);
        }
        for id in changes.orders.inbox {
            let received = self.inbox.get_mut(&id).expect("the judge has seen it");
            (received.row.outcome, received.number, received.decision) = (None, None, None);
        }
        self.offsets.extend(changes.offsets);
        for (chat, change) in changes.chats {
            let head = self.heads.entry(chat).or_default();
            (head.last_number, head.next_tick_at) = (change.last_number, change.next_tick_at);
            (head.calm_until, head.disclosed) = (change.calm_until, head.disclosed || change.disclosed);
        }
        for entry in changes.entries {
            self.keys.insert(entry.key());
            self.transcript.insert((entry.chat, entry.number), Arc::new(entry));
        }
        for decision in changes.decisions {
            let head = self.heads.entry(decision.chat).or_default();
            head.last_decision = head.last_decision.max(decision.number);
            self.decisions.insert((decision.chat, decision.number), decision);
        }
        self.turns.extend(changes.new_turns.into_iter().map(|turn| (turn.id, turn)));
        self.outbox.extend(changes.new_outbox.into_iter().map(|message| (message.id, message)));
        for (id, head) in loaded.turns {
            self.turns.get_mut(&id).expect("loaded from here").progress = head.progress;
        }
        for (id, head) in loaded.outbox {
            let progress = &mut self.outbox.get_mut(&id).expect("loaded from here").progress;
            if head.progress.state == OutboxState::Sending && head.progress.attempt != progress.attempt {
                self.senders.extend(me.map(|me| (id, me)));
            }
            *progress = head.progress;
        }
        for key in changes.windows {
            self.windows.extend(loaded.windows.remove_entry(&key));
        }
        for pause in changes.pauses {
            self.pauses.add(pause);
        }
        for ((chat, bot), absent) in changes.absences {
            if absent {
                self.absences.insert((chat, bot));
            } else {
                self.absences.remove(&(chat, bot));
            }
        }
        for (chat, (to, _)) in changes.migrations {
            self.migrate(chat, to);
        }
        for key in changes.allowances {
            self.allowances.extend(loaded.allowances.remove_entry(&key));
        }
        for (scope, change) in changes.stops {
            self.stops.put(scope, change.stop);
        }
        for (key, (to, epoch)) in changes.hand_overs {
            self.hand_over(key, to, epoch);
        }
    }

    fn hand_over(&mut self, key: LeaseKey, to: Incarnation, epoch: Epoch) {
        self.hand_over_lease(key, to, epoch);
        let LeaseKey::Bot(bot) = key else { return };
        for turn in self.turns.values_mut().filter(|turn| turn.bot == bot) {
            let progress = &mut turn.progress;
            if progress.state == TurnState::Claimed {
                progress.state = TurnState::Queued;
                progress.attempts = progress.attempts.saturating_sub(1);
                progress.claimed_epoch = None;
            }
        }
    }

    fn migrate(&mut self, chat: ChatId, to: TelegramChatId) {
        if *self.aliases.entry(to).or_insert(chat) != chat {
            return;
        }
        if let Some((profile, _)) = self.chats.get_mut(&chat) {
            profile.spec.telegram_id = to;
        }
        for message in self.outbox.values_mut().filter(|message| message.chat == chat) {
            if message.progress.state.may_begin() {
                (message.telegram_chat, message.reply_to) = (to, None);
            }
        }
    }

    /// Gives back the work that bots had in hand: turns are queued or dead, and the sends for which `sends` is true are
    /// due again or unknown.
    pub(super) fn give_back(
        &mut self,
        epoch: Epoch,
        of: impl Fn(BotId) -> bool,
        sends: impl Fn(OutboxId) -> bool,
    ) -> Tenure {
        let mut tenure = Tenure { epoch, turns_requeued: 0, turns_dead: 0, sends_again: 0, sends_unknown: 0 };
        for progress in self.turns.values_mut().filter(|turn| of(turn.bot)).map(|turn| &mut turn.progress) {
            if progress.state != TurnState::Claimed {
                continue;
            }
            if progress.attempts >= TURN_ATTEMPTS_MAX {
                progress.state = TurnState::Dead;
                progress.error = Some(format!("its process died with it in hand {} times", progress.attempts));
                tenure.turns_dead += 1;
            } else {
                progress.state = TurnState::Queued;
                progress.claimed_epoch = None;
                tenure.turns_requeued += 1;
            }
        }
        (tenure.sends_again, tenure.sends_unknown) = self.give_back_sends(of, sends);
        tenure
    }

    /// Ends sends. Returns how many are due again, and how many are unknown.
    pub(super) fn give_back_sends(
        &mut self,
        of: impl Fn(BotId) -> bool,
        sends: impl Fn(OutboxId) -> bool,
    ) -> (u64, u64) {
        let (mut again, mut unknown) = (0, 0);
        for message in self.outbox.values_mut().filter(|sent| of(sent.bot) && sends(sent.id)) {
            let progress = &mut message.progress;
            if progress.state != OutboxState::Sending {
                continue;
            }
            if message.on_unknown == OnUnknown::Resend && progress.attempts < RESEND_ATTEMPTS_MAX {
                progress.state = OutboxState::RetryAt;
                progress.error = Some("its process died while sending it, it is sent again".to_owned());
                again += 1;
            } else {
                progress.state = OutboxState::Unknown;
                progress.error = Some("its process died while sending it".to_owned());
                unknown += 1;
            }
        }
        (again, unknown)
    }

    /// Returns the messages of a turn, by part.
    pub(super) fn messages_of(&self, turn: TurnId) -> impl Iterator<Item = &OutboxMessage> {
        let mut messages: Vec<_> = self.outbox.values().filter(|message| message.turn == turn).collect();
        messages.sort_by_key(|message| message.part);
        messages.into_iter()
    }
}
