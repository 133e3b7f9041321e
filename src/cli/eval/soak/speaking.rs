//! Carries out the turns of a soak's bots: claim, model and guards, messages, sends. Part of `cli`.

use std::num::NonZeroU32;
use std::time::Duration;

use botfleet_actors::actors::chat::reading::read_sent;
use botfleet_actors::behaviour::physics::send_rules;
use botfleet_actors::domain::commit::operations::{Begin, Cancel, Claim, Finish, Operation, Settle, TurnEnding};
use botfleet_actors::domain::commit::outcome::{Applied, Verdict};
use botfleet_actors::domain::commit::start::Start;
use botfleet_actors::domain::ids::{AttemptId, InboxId, Number, OutboxId, TurnId};
use botfleet_actors::domain::inbox::{InboxRow, SentEvent};
use botfleet_actors::domain::outbox::SendResult;
use botfleet_actors::domain::turn::Act;

use super::ledger::Said;
use super::mind::{Mind, Thought};
use super::rows::EPOCH;
use super::sim::{Event, Soak};

/// Most messages that Telegram lets a bot send into one group in a minute.
const PER_CHAT_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Label of a turn whose message reached the chat.
const SAID: &str = "said";

impl Soak {
    /// Claims a turn, and asks the model or sets the reaction.
    pub(super) fn on_begin(&mut self, id: TurnId) -> anyhow::Result<()> {
        let Some(task) = self.tasks.get(&id) else {
            return Ok(());
        };
        let (place, turn) = (task.place, &task.job.turn);
        let reacts = matches!(turn.act, Act::React { .. });
        let claim =
            Claim { bot: turn.bot, epoch: EPOCH, turn: id, chat: turn.chat, yields: turn.yields(), now: self.now };
        self.rows.commit(Operation::Claim(claim))?;
        if let Some(task) = self.tasks.get_mut(&id) {
            task.begun = true;
        }
        if reacts {
            self.ledgers[place].reactions += 1;
            self.finish(id, TurnEnding::Acted)?;
            self.end(id, "reacted");
        } else {
            self.ask(id);
        }
        Ok(())
    }

    fn ask(&mut self, id: TurnId) {
        let thinking = Duration::from_millis(600 + self.rng.u64(..2_900));
        self.after(thinking, Event::Answered(id));
    }

    /// Reviews what the model wrote.
    pub(super) fn on_answered(&mut self, id: TurnId) -> anyhow::Result<()> {
        let Some(task) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        if task.job.turn.expires_at <= self.now {
            self.finish(id, TurnEnding::Expired)?;
            self.end(id, "expired");
            return Ok(());
        }
        match self.mind.think(&self.rooms[task.place], task, self.now) {
            Thought::Say(text) => self.say(id, &text)?,
            Thought::Again => self.ask(id),
            Thought::Drop(why) => {
                self.finish(id, TurnEnding::Dropped(why.clone()))?;
                self.end(id, &why);
            }
        }
        Ok(())
    }

    /// Puts the text into the outbox; begins its send in the same commit when nothing is typed.
    fn say(&mut self, id: TurnId, text: &str) -> anyhow::Result<()> {
        let Some(task) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        let (chat, last_id) = (&self.rooms[task.place].profile, &mut self.last_id);
        let typing = task.job.typing(text, &task.member.profile, chat, self.now);
        task.messages = task.job.messages(
            (text, &[]),
            &task.member.profile,
            chat,
            chat.spec.telegram_id,
            (self.now, typing),
            || {
                *last_id += 1;
                OutboxId(*last_id)
            },
        );
        let messages = task.messages.clone();
        let begin = if typing.is_zero() { self.start(id, 0) } else { None };
        match self.finish(id, TurnEnding::Said { messages, begin })? {
            Applied::Said(Some(verdict)) => self.on_verdict(id, 0, verdict),
            _ => self.after(typing, Event::Send(id, 0)),
        }
        Ok(())
    }

    fn start(&self, id: TurnId, part: usize) -> Option<Start> {
        let task = self.tasks.get(&id)?;
        let attempt = AttemptId(task.messages.get(part)?.id.0);
        let chat = &self.rooms[task.place].profile;
        let rules = send_rules(chat, &task.member.profile, task.job.turn.answers_bot, Some(PER_CHAT_PER_MINUTE));
        Some(Start { attempt, rules, now: self.now })
    }

    /// Begins to send a message that waited, unless the conversation has moved on.
    pub(super) fn on_send(&mut self, id: TurnId, part: usize) -> anyhow::Result<()> {
        let (Some(task), Some(start)) = (self.tasks.get(&id), self.start(id, part)) else {
            return Ok(());
        };
        let (bot, outbox) = (task.job.turn.bot, task.messages[part].id);
        if let Some(reason) = Mind::reconsider(&self.rooms[task.place], task) {
            let cancel = Cancel { bot, epoch: EPOCH, outbox, reason: reason.clone() };
            self.rows.commit(Operation::Cancel(cancel))?;
            self.end(id, &reason);
            return Ok(());
        }
        if let Applied::Begun(verdict) =
            self.rows.commit(Operation::Begin(Begin { bot, epoch: EPOCH, outbox, start }))?
        {
            self.on_verdict(id, part, verdict);
        }
        Ok(())
    }

    /// Sends a message, or not, as the judge says.
    fn on_verdict(&mut self, id: TurnId, part: usize, verdict: Verdict) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        match verdict {
            Verdict::Send => {
                let said = Said {
                    number: Number(0),
                    at: self.now,
                    bot: task.job.turn.bot,
                    target: task.job.turn.target,
                    answers_bot: task.job.turn.answers_bot,
                    text: task.messages[part].text.clone(),
                };
                let ledger = &mut self.ledgers[task.place].said;
                ledger.push(said);
                let entry = ledger.len() - 1;
                let latency = Duration::from_millis(60 + self.rng.u64(..200));
                self.after(latency, Event::Arrived(id, part, entry));
            }
            Verdict::Wait(until) => self.after(until.since(self.now), Event::Send(id, part)),
            // What follows the colon names one bot, pair or chat.
            Verdict::Cancelled(reason) => self.end(id, reason.split(':').next().unwrap_or_default()),
        }
    }

    /// Settles a send that Telegram accepted, and gives its event to the chat.
    pub(super) fn on_arrived(&mut self, id: TurnId, part: usize, said: usize) -> anyhow::Result<()> {
        let inbox = InboxId(self.next_id());
        let Some(task) = self.tasks.get(&id) else {
            return Ok(());
        };
        let (place, message) = (task.place, &task.messages[part]);
        let room = &mut self.rooms[place];
        let event = SentEvent::of(message, room.next_message(), self.now);
        let settle = Settle {
            outbox: message.id,
            attempt: AttemptId(message.id.0),
            result: SendResult::Sent(event.message_id),
            event: Some(InboxRow::of_sent(inbox, message, &event, self.now)),
            pauses: Vec::new(),
            unsent: None,
        };
        let last_part = event.last_part;
        if last_part {
            room.memory.has_spoken(message.bot);
        }
        let entry = read_sent(message.chat, inbox, event, &task.member.profile, task.member.username.clone());
        self.rows.commit(Operation::Settle(settle))?;
        self.ledgers[place].said[said].number = self.advance(place, entry, None)?;
        if last_part {
            self.end(id, SAID);
        } else {
            self.after(Duration::ZERO, Event::Send(id, part + 1));
        }
        Ok(())
    }

    fn finish(&mut self, id: TurnId, ending: TurnEnding) -> anyhow::Result<Applied> {
        let bot = self.tasks[&id].job.turn.bot;
        self.rows.commit(Operation::Finish(Finish { bot, epoch: EPOCH, turn: id, ending, usage: None }))
    }

    /// Counts how a turn ended.
    pub(super) fn end(&mut self, id: TurnId, why: &str) {
        if let Some(task) = self.tasks.remove(&id) {
            *self.ended.entry(why.to_owned()).or_default() += 1;
            if why != SAID {
                task.messages.iter().for_each(|message| self.mind.unsay(message.bot, &message.text));
            }
        }
    }
}
