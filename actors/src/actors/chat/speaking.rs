//! Lets operators speak as bots of the chat, and take them over. Layer `actors`. Keeps I3, I4, I9, I11, I14.
//!
//! What an operator writes becomes a turn of the bot, with a decision that names the operator, in one commit with the end of the
//! operator's order. From there on the text goes the way of every other message: claim, outbox, limits, send. What certainly
//! keeps the bot silent is told at once; the transaction that begins the send has the last word.

use std::sync::Arc;

use ractor::{ActorRef, RpcReplyPort};
use serde_json::json;

use super::actor::{ChatState, Step};
use crate::actors::chat::messages::ChatMsg;
use crate::actors::chat::speech::{Demand, Speech, Spoken, TakingOver};
use crate::actors::node::deadline::in_time;
use crate::behaviour::job::TurnJob;
use crate::behaviour::local::minute_of_day;
use crate::behaviour::notices;
use crate::domain::commit::operations::{Operation, Say, TakeOver};
use crate::domain::decision::{Cause, Decision, Standing, Verdict};
use crate::domain::ids::{BotId, DecisionNumber, Number};
use crate::domain::operator_order::{OrderFailure, OrderStep};
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::{Act, Turn, TurnProgress};
use crate::ports::bus::Hint;
use crate::ports::store::StoreError;

fn refused(code: &str, detail: impl Into<String>) -> Spoken {
    Spoken::Refused(OrderFailure { code: code.to_owned(), detail: detail.into() })
}

impl ChatState {
    /// Stores what comes of a demand, and answers once it is stored.
    pub(super) async fn on_speak(&mut self, myself: &ActorRef<ChatMsg>, speech: Speech, reply: RpcReplyPort<Spoken>) {
        if self.leaving || self.memory.is_none() || self.isolation.is_some() {
            let _ = reply.send(Spoken::NotNow);
            return;
        }
        if !self.profile.members.contains(&speech.bot) {
            let _ = reply.send(refused("cannot_speak", "the bot is not of this chat"));
            return;
        }
        let Speech { bot, by, order, demand } = speech;
        match demand {
            Demand::Say { text, reply_to } => match self.target(bot, &by, reply_to).await {
                Ok(target) => self.say(myself, (bot, by, order), text, target, reply),
                Err(why) => drop(reply.send(why)),
            },
            Demand::TakeOver(taking) => self.give_over(myself, (bot, order), taking, reply),
        }
    }

    /// Returns the entry that is replied to, unless something certainly keeps the bot from saying anything.
    async fn target(
        &self,
        bot: BotId,
        by: &str,
        reply_to: Option<Number>,
    ) -> Result<Option<Arc<TranscriptEntry>>, Spoken> {
        let (now, spec) = (self.node.clock.now(), &self.profile.spec);
        if let Some(takeover) = self.node.steering.takeover(self.profile.id, bot, now).filter(|held| held.holder != by)
        {
            return Err(refused("taken_over", format!("{} has taken the bot over", takeover.holder)));
        }
        if let Some(scope) = self.node.people.stops().blocking(self.profile.id, bot, now) {
            return Err(refused("cannot_speak", format!("a stop is in force: {}", scope.kind())));
        }
        if spec.quiet_hours.is_some_and(|hours| hours.contains(minute_of_day(&spec.time_zone, now))) {
            return Err(refused("cannot_speak", "these are the chat's quiet hours"));
        }
        let target = match reply_to {
            None => None,
            Some(number) => Some(self.replied_to(number).await?),
        };
        let thread = target.as_ref().and_then(|target| target.thread);
        let voice = self.node.voices.of(bot, self.profile.id, thread, now);
        if self.absent.contains(&bot) {
            return Err(refused("cannot_speak", "the bot cannot post there"));
        }
        if let Some(why) = voice.silent_until(now + spec.pacing.stale_after) {
            return Err(refused("cannot_speak", why.to_string()));
        }
        let deep = target.as_ref().map_or(1, |target| depth_after(target));
        if spec.physics.chain_depth_max.is_some_and(|max| deep > max) {
            return Err(refused("cannot_speak", format!("the chain of bot messages would be too long: {deep}")));
        }
        Ok(target)
    }

    async fn replied_to(&self, number: Number) -> Result<Arc<TranscriptEntry>, Spoken> {
        let unknown = || refused("unknown_message", format!("no message {number} is stored"));
        let remembered =
            self.memory.as_ref().and_then(|memory| memory.entry(number)).map(|note| Arc::clone(&note.entry));
        let entry = match remembered {
            Some(entry) => entry,
            None => self.stored(number).await.map_err(|_| Spoken::NotNow)?.ok_or_else(unknown)?,
        };
        if entry.kind != EntryKind::Message || !entry.message_id.is_of_one() || entry.deleted_at.is_some() {
            return Err(refused("unknown_message", format!("entry {number} is no message that can be replied to")));
        }
        if self.node.people.rights().opted_out.contains(&entry.author.id) {
            return Err(refused("cannot_speak", "the author of that message has opted out"));
        }
        Ok(entry)
    }

    async fn stored(&self, number: Number) -> Result<Option<Arc<TranscriptEntry>>, StoreError> {
        let found = in_time(self.node.store.transcript(self.profile.id, number, 1)).await?;
        Ok(found.into_iter().find(|entry| entry.number == number))
    }

    /// Gives the bot the turn to say the text.
    fn say(
        &mut self,
        myself: &ActorRef<ChatMsg>,
        (bot, by, order): (BotId, String, OrderStep),
        text: String,
        target: Option<Arc<TranscriptEntry>>,
        reply: RpcReplyPort<Spoken>,
    ) {
        let now = self.node.clock.now();
        let Some(memory) = self.memory.as_mut() else { return };
        let (base, number) = (memory.last_number, DecisionNumber(memory.last_decision.0 + 1));
        memory.last_decision = number;
        let standing = Standing {
            first: memory.window.front().map_or(Number(0), |note| note.number),
            last: memory.window.back().map_or(Number(0), |note| note.number),
            ..Standing::default()
        };
        let entry = target.as_deref();
        let (depth, root) = (entry.map_or(1, depth_after), entry.map(|entry| entry.root));
        let turn = Turn {
            id: self.node.turn_id(),
            chat: self.profile.id,
            decision: number,
            bot,
            ordinal: 0,
            act: Act::Say { text, by_operator: true },
            target: entry.map(|entry| entry.number),
            answers_bot: entry.and_then(|entry| entry.fleet_bot).filter(|other| *other != bot),
            chain_depth: depth,
            root,
            priority: 0,
            due_at: now,
            expires_at: now + self.profile.spec.pacing.stale_after,
            created_at: now,
            progress: TurnProgress::queued(),
        };
        let decision = Decision {
            chat: self.profile.id,
            number,
            cause: turn.target.map_or(Cause::Tick, Cause::Entry),
            seed: 0,
            at: now,
            config_seq: self.node.directory.known().config_seq,
            policy: "operator".to_owned(),
            verdict: Verdict::Speak,
            reason: format!("the operator {by} speaks as the bot"),
            standing,
            inputs: json!({ "operator": by, "order": order.order.to_string() }),
            scores: json!({}),
            root,
            chain_depth: depth,
        };
        let window = memory.window_of(entry.and_then(|entry| entry.thread)).iter().cloned().collect();
        let mut step = Step { decisions: vec![decision], turns: vec![turn.clone()], ..Step::default() };
        step.jobs.entry(bot).or_default().push(TurnJob { turn, window, target });
        let (node, chat) = (Arc::clone(&self.node), self.profile.id);
        let say = |advance| Operation::Say(Say { advance: Box::new(advance), bot, by, order, now });
        self.commit_as(myself, base, step, say, move |result| {
            if result.is_ok() {
                node.steering.prolonged(chat, bot, now);
            }
            let _ = reply.send(Spoken::Committed(result.clone()));
        });
    }

    /// Leaves the bot to an operator, and lets the bot tell the people so.
    fn give_over(
        &mut self,
        myself: &ActorRef<ChatMsg>,
        (bot, order): (BotId, OrderStep),
        TakingOver { takeover, take, mut turns, messages }: TakingOver,
        reply: RpcReplyPort<Spoken>,
    ) {
        let Some(memory) = self.memory.as_mut() else { return };
        let base = memory.last_number;
        // A turn at work is known here and not among those that wait.
        let at_work = memory.open.extract_if(.., |turn| turn.bot == bot).filter_map(|turn| turn.turn);
        turns.extend(at_work);
        let mut step = Step::default();
        if let Some(text) = notices::takeover(&self.profile.spec) {
            self.announce(bot, text, "an operator takes the bot over".to_owned(), None, &mut step);
        }
        let (node, begun) = (Arc::clone(&self.node), takeover.clone());
        let take_over = |advance| {
            let advance = Box::new(advance);
            Operation::TakeOver(TakeOver { takeover, take, turns, messages, advance, order })
        };
        self.commit_as(myself, base, step, take_over, move |result| {
            if result.is_ok() {
                node.steering.begun(begun);
                node.tell([Hint::Interventions]);
            }
            let _ = reply.send(Spoken::Committed(result.clone()));
        });
    }
}

/// Returns the length of the chain of bot messages that an answer to an entry ends.
fn depth_after(entry: &TranscriptEntry) -> u32 {
    entry.chain_depth.saturating_add(1)
}
