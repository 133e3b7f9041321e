//! Answers people's commands, and tells people that they talk to an AI. Layer `actors`. Keeps I2, I3, I9.
//!
//! A command has taken effect before the chat reads it. The command becomes an entry without words, which holds its
//! place, lets the answer reply to it, and is no content of a prompt. The answer is a turn like any other, decided once
//! for the whole fleet.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use serde_json::json;

use super::actor::{ChatState, Step};
use super::notices::Disclosing;
use crate::actors::chat::messages::ChatMsg;
use crate::behaviour::command::{Command, Order, order_in};
use crate::behaviour::job::TurnJob;
use crate::behaviour::note::Note;
use crate::behaviour::notices::{answer, disclosure};
use crate::domain::decision::{Cause, Decision, Standing, Verdict};
use crate::domain::ids::{BotId, DecisionNumber, InboxId, Number, TelegramUserId};
use crate::domain::inbox::{Handled, Outcome, OutcomeKind};
use crate::domain::incoming::{Event, Incoming, Message};
use crate::domain::people::PersonRecord;
use crate::domain::roster::ChatPolicy;
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::{Act, Turn, TurnProgress};

/// Time within which the answer to a command or a disclosure must be sent.
const SAID_WITHIN: Duration = Duration::from_mins(4);

/// A command that concerns this fleet.
pub(super) struct Ordered {
    command: Command,
    /// The bot that the command names.
    to: Option<BotId>,
}

impl ChatState {
    /// Returns the command in a message, unless the command is for a bot that is not of this chat.
    pub(super) fn command_in(&self, message: &Message) -> Option<Ordered> {
        let Order { command, to } = order_in(message)?;
        let Some(to) = to else {
            return Some(Ordered { command, to: None });
        };
        let named = self.cast.iter().find(|member| member.username.as_deref().is_some_and(|name| fold(name) == to))?;
        Some(Ordered { command, to: Some(named.profile.id) })
    }

    /// Returns why the words of an update may not be kept; `None` when they may, or when the update holds none.
    pub(super) fn refused_words(&self, incoming: &Incoming) -> Option<&'static str> {
        let rights = self.node.people.rights();
        if rights.is_empty() {
            return None;
        }
        match &incoming.event {
            Event::Message(message) if self.command_in(message).is_some() => None,
            Event::Message(message) | Event::Edited(message) => rights.refuses(message.author.id, message.date),
            Event::Reaction { author, date, .. } => rights.refuses(author.id, *date),
            _ => None,
        }
    }

    /// Reads the records of people who asked for them, while the chat goes on.
    pub(super) fn read_records(&mut self, myself: &ActorRef<ChatMsg>, asked: Vec<(TelegramUserId, Number, BotId)>) {
        for (person, entry, speaker) in asked {
            let (node, myself) = (Arc::clone(&self.node), myself.clone());
            self.tasks.spawn(async move {
                let record = node.records.read(node.store.as_ref(), person).await;
                let _ = myself.cast(ChatMsg::RecordRead(entry, speaker, record));
            });
        }
    }

    /// Tells a person what is stored about them, or that this cannot be read.
    pub(super) fn on_record(
        &mut self,
        myself: &ActorRef<ChatMsg>,
        entry: Number,
        speaker: BotId,
        record: Option<&PersonRecord>,
    ) {
        let Some(memory) = self.memory.as_ref().filter(|_| !self.leaving) else {
            return;
        };
        let (base, note) = (memory.last_number, memory.entry(entry).cloned());
        let text = answer(&self.profile.spec, Command::MyData, record);
        let (Some(text), Some(speaker)) = (text, self.spokesman(Some(speaker), None)) else {
            return;
        };
        let mut step = Step::default();
        let reason = format!("a person gave the command /{}", Command::MyData.as_str());
        if self.announce(speaker, text, reason, note.as_ref(), &mut step).is_some() {
            self.commit(myself, base, step);
        }
    }

    /// Appends a command as an entry without words, and adds a turn for its answer.
    pub(super) fn on_command(
        &mut self,
        inbox: InboxId,
        heard_by: BotId,
        ordered: &Ordered,
        mut entry: TranscriptEntry,
        known: Option<Number>,
        step: &mut Step,
    ) {
        let person = entry.author.id;
        entry.kind = EntryKind::Member;
        (entry.text, entry.media, entry.reply_to) = (None, None, None);
        entry.entities.clear();
        entry.author.name.clear();
        entry.author.username = None;
        let rights = self.node.people.rights();
        if ordered.command == Command::Forget || rights.opted_out.contains(&entry.author.id) {
            entry.author.id = TelegramUserId(0);
        }
        let Some(memory) = self.memory.as_mut() else {
            return;
        };
        if let Some(number) = known.or_else(|| memory.number_of(&entry.key())) {
            let outcome = Outcome::plain(OutcomeKind::Duplicate);
            step.handled.push(Handled { inbox, outcome, number: Some(number), decision: None });
            return;
        }
        if !self.node.orders.may_command(person) {
            let outcome = Outcome::because(OutcomeKind::Ignored, "too many commands of one person");
            step.handled.push(Handled { inbox, outcome, number: None, decision: None });
            return;
        }
        let number = Number(memory.last_number.0 + 1);
        (entry.number, entry.root) = (number, number);
        let entry = Arc::new(entry);
        memory.append(Arc::clone(&entry));
        let note = memory.window.back().cloned();
        step.entries.push((*entry).clone());
        let (speaker, name) = (self.spokesman(ordered.to.or(Some(heard_by)), None), ordered.command.as_str());
        let mut reason = format!("command /{name}");
        let date = entry.date;
        let text = if let Some(why) = self.unanswered(ordered.command, date) {
            reason.push_str(why);
            None
        } else if ordered.command == Command::MyData {
            // The record is read first, and told then.
            if !self.node.records.may_ask(person) {
                reason.push_str(", asked a moment ago");
            } else if let Some(speaker) = speaker {
                step.asked.push((person, number, speaker));
            }
            None
        } else {
            // The command has taken effect; only the answer is spared.
            answer(&self.profile.spec, ordered.command, None)
                .filter(|_| self.node.notices.may_answer(self.profile.id, name))
        };
        let decision = match (text, speaker, note) {
            (Some(text), Some(speaker), Some(note)) => {
                let reason = format!("a person gave the command /{name}");
                self.node.notices.answers(self.profile.id, name);
                self.announce(speaker, text, reason, Some(&note), step)
            }
            _ => None,
        };
        let outcome = Outcome::because(OutcomeKind::Control, reason);
        step.handled.push(Handled { inbox, outcome, number: Some(number), decision });
    }

    /// Returns why a command, which has taken effect, is not answered: the chat read it too late.
    fn unanswered(&self, command: Command, date: Timestamp) -> Option<&'static str> {
        if let Command::Quiet(quiet) = command {
            let until = quiet.end(self.node.clock.when(date), &self.profile.spec.time_zone);
            if until <= self.node.clock.now() {
                return Some(", over before it was read");
            }
        }
        self.is_too_old(date).then_some(", too old to be answered")
    }

    /// Tells people once that they talk to an AI: with the first sign of life of the chat, and again, by another bot,
    /// while Telegram has not taken the message. Policy `every`, which is for tests and measurements, tells nothing; a
    /// stopped chat is told with the first sign after the stop.
    pub(super) fn disclose(&mut self, heard_by: Option<BotId>, step: &mut Step) {
        let now = self.node.clock.now();
        let told = self.memory.as_ref().is_none_or(|memory| memory.disclosed);
        if told || self.profile.spec.policy == ChatPolicy::Every {
            return;
        }
        let Some(text) = disclosure(&self.profile.spec) else {
            return;
        };
        if self.node.people.is_stopped(self.profile.id, now) {
            return;
        }
        let node = Arc::clone(&self.node);
        let Disclosing::Due(before) = node.notices.disclosing(self.profile.id) else {
            return;
        };
        let Some(speaker) = self.spokesman(heard_by, before) else {
            return;
        };
        let reason = "the people of the chat were not told yet that they talk to an AI".to_owned();
        if self.announce(speaker, text, reason, None, step).is_some() {
            node.notices.discloses(self.profile.id, Some(speaker));
        }
    }

    /// Returns the bot that speaks for the fleet: the wished one, or the first that can speak here; `not` only when
    /// nobody else can.
    fn spokesman(&self, wished: Option<BotId>, not: Option<BotId>) -> Option<BotId> {
        let silent = self.silent_here(None, self.node.clock.now());
        let here = |bot: &BotId| self.profile.members.contains(bot) && !silent.contains_key(bot);
        let another = |bot: &BotId| here(bot) && Some(*bot) != not;
        let members = || self.profile.members.iter().copied();
        wished.filter(another).or_else(|| members().find(another)).or_else(|| members().find(here))
    }

    /// Adds a turn to say a given text, with its decision.
    pub(super) fn announce(
        &mut self,
        speaker: BotId,
        text: String,
        reason: String,
        at: Option<&Arc<Note>>,
        step: &mut Step,
    ) -> Option<DecisionNumber> {
        let now = self.node.clock.now();
        let memory = self.memory.as_mut()?;
        let number = DecisionNumber(memory.last_decision.0 + 1);
        memory.last_decision = number;
        let target = at.map(|note| note.number);
        let standing = Standing {
            first: memory.window.front().map_or(Number(0), |note| note.number),
            last: memory.window.back().map_or(Number(0), |note| note.number),
            ..Standing::default()
        };
        let turn = Turn {
            id: self.node.turn_id(),
            chat: self.profile.id,
            decision: number,
            bot: speaker,
            ordinal: 0,
            act: Act::Say { text, by_operator: false },
            target,
            answers_bot: None,
            // Depth 0 marks the message as a notice for good: no talk goes on from it.
            chain_depth: 0,
            root: target,
            priority: 0,
            due_at: now,
            expires_at: now + SAID_WITHIN,
            created_at: now,
            progress: TurnProgress::queued(),
        };
        step.decisions.push(Decision {
            chat: self.profile.id,
            number,
            cause: target.map_or(Cause::Tick, Cause::Entry),
            seed: 0,
            at: now,
            config_seq: self.node.directory.known().config_seq,
            policy: "notice".to_owned(),
            verdict: Verdict::Speak,
            reason,
            standing,
            inputs: json!({}),
            scores: json!({}),
            root: target,
            chain_depth: 0,
        });
        step.turns.push(turn.clone());
        let window = memory.window.iter().cloned().collect();
        let target = at.map(|note| Arc::clone(&note.entry));
        step.jobs.entry(speaker).or_default().push(TurnJob { turn, window, target });
        Some(number)
    }
}
