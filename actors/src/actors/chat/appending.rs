//! Appends one inbox row: as an entry, as a copy of one, or not at all. Layer `actors`. Keeps I2, I3.

use std::collections::HashMap;
use std::sync::Arc;

use super::actor::{ChatState, Step};
use super::reading::{Reading, key_of, read_sent, read_update};
use crate::actors::chat::messages::{Content, Delivery};
use crate::actors::node::deadline::in_time;
use crate::behaviour::note::Note;
use crate::behaviour::scene::Occasion;
use crate::domain::ids::{InboxId, Number};
use crate::domain::inbox::{Handled, Outcome, OutcomeKind};
use crate::domain::incoming::{Entity, Event, Incoming};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};
use crate::ports::store::StoreError;

impl Step {
    /// Returns the outcome of the row in hand: `kind`, unless the row is a dead letter.
    pub(super) fn outcome(&mut self, kind: OutcomeKind) -> Outcome {
        if std::mem::take(&mut self.panicked) {
            return Outcome::because(OutcomeKind::Dead, "the director panicked, nobody answers");
        }
        match self.history.take() {
            Some(reason) => Outcome::because(kind, reason),
            None => Outcome::plain(kind),
        }
    }
}

impl ChatState {
    /// Asks the store, all at once, for the entries of rows that may be copies of forgotten entries.
    pub(super) async fn known_in_store(&self, deliveries: &[Delivery]) -> Result<HashMap<InboxId, Number>, StoreError> {
        let Some(memory) = &self.memory else {
            return Ok(HashMap::new());
        };
        let asked: Vec<(InboxId, EntryKey)> = deliveries
            .iter()
            .filter_map(|delivery| {
                let (key, date) = key_of_delivery(delivery, false)?;
                if !memory.may_have_forgotten(&key, date) {
                    return None;
                }
                let key = self.key_of(delivery)?;
                memory.number_of(&key).is_none().then_some((delivery.inbox, key))
            })
            .collect();
        if asked.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<EntryKey> = asked.iter().map(|(_, key)| *key).collect();
        let found: HashMap<EntryKey, Number> =
            in_time(self.node.store.entry_numbers(&keys)).await?.into_iter().collect();
        Ok(asked.into_iter().filter_map(|(inbox, key)| Some((inbox, *found.get(&key)?))).collect())
    }

    /// Returns the key that tells the entry of a row from all others.
    fn key_of(&self, delivery: &Delivery) -> Option<EntryKey> {
        let command = match &delivery.content {
            Content::Update(Incoming { event: Event::Message(message), .. }) => self.command_in(message).is_some(),
            _ => false,
        };
        Some(key_of_delivery(delivery, command)?.0)
    }

    #[allow(clippy::too_many_lines, reason = "one row, in the order in which its outcome is decided")]
    pub(super) fn on_delivery(&mut self, delivery: Delivery, known: Option<Number>, step: &mut Step) {
        let Delivery { inbox, bot, content } = delivery;
        let node = Arc::clone(&self.node);
        if self.memory.is_none() {
            return;
        }
        let mut ordered = None;
        if let Content::Update(incoming) = &content {
            if let Some(reason) = self.refused_words(incoming) {
                let outcome = Outcome::because(OutcomeKind::Ignored, reason);
                step.handled.push(Handled { inbox, outcome, number: None, decision: None });
                return;
            }
            if let Event::Message(message) = &incoming.event {
                ordered = self.command_in(message);
            }
        }
        let discloses = matches!(&content, Content::Sent(event) if self.is_disclosure(event));
        let Some(memory) = self.memory.as_mut() else {
            return;
        };
        let mut quoted = None;
        let (entry, heard_by, last_part) = match content {
            Content::Update(incoming) => {
                let reading = read_update(self.profile.id, inbox, incoming, |author| node.directory.bot_of(author.id));
                match reading {
                    Reading::Entry(entry, shown) => {
                        quoted = shown;
                        (*entry, Some(bot), true)
                    }
                    Reading::FleetCopy(entry) => {
                        let outcome = Outcome::because(OutcomeKind::Duplicate, "a message of the fleet");
                        let number = known.or_else(|| memory.number_of(&entry.key()));
                        step.handled.push(Handled { inbox, outcome, number, decision: None });
                        return;
                    }
                    Reading::Nothing(outcome) => {
                        step.handled.push(Handled { inbox, outcome, number: None, decision: None });
                        return;
                    }
                }
            }
            Content::Poison => {
                let outcome = Outcome::because(OutcomeKind::Dead, "reading it panicked");
                step.handled.push(Handled { inbox, outcome, number: None, decision: None });
                return;
            }
            Content::Sent(event) => {
                let Some(author) = node.directory.bot_profile(bot) else {
                    let outcome =
                        Outcome::because(OutcomeKind::Ignored, "sent by a bot that is no longer in the manifest");
                    step.handled.push(Handled { inbox, outcome, number: None, decision: None });
                    return;
                };
                let last_part = event.last_part;
                if last_part {
                    memory.has_spoken(bot);
                }
                if discloses {
                    memory.disclosed = true;
                    node.notices.disclosed(self.profile.id);
                }
                (read_sent(self.profile.id, inbox, event, &author, node.directory.username(bot)), None, last_part)
            }
        };
        if let Some(ordered) = ordered {
            self.on_command(inbox, bot, &ordered, entry, known, step);
            return;
        }
        if let Some(number) = known.or_else(|| memory.number_of(&entry.key())) {
            // The entry itself may have left the memory: this copy says the same.
            let wakes = entry.album().is_none_or(|_| memory.leads_album(number));
            let copy = Arc::new(Note::new(Arc::new(TranscriptEntry { number, root: number, ..entry })));
            // The very row of the entry comes again when a person retried that row.
            let again = memory.entry(number).filter(|entry| entry.inbox == inbox).cloned();
            let decision = match (&again, heard_by) {
                (Some(entry), _) => self.decide(Occasion::Entry { entry, heard_by }, Some(entry), step),
                (None, Some(heard_by)) if wakes && self.hears(number, heard_by) => {
                    self.decide(Occasion::Copy { entry: &copy, heard_by }, Some(&copy), step)
                }
                (None, _) => None,
            };
            let outcome = step.outcome(if again.is_some() { OutcomeKind::Appended } else { OutcomeKind::Duplicate });
            step.handled.push(Handled { inbox, outcome, number: Some(number), decision });
            return;
        }
        let number = Number(memory.last_number.0 + 1);
        let mut entry = entry;
        entry.number = number;
        if entry.root == Number(0) {
            entry.root = number;
        }
        let quoted = quoted.filter(|shown| {
            let held = entry.reply_to.is_some_and(|message| memory.holds(entry.telegram_chat, message));
            if let Some(bot) = shown.author.filter(|author| !held && node.directory.bot_of(*author).is_some()) {
                // The transcript does not hold the message replied to; that a bot wrote it decides who answers.
                entry.entities.push(Entity::turned_to(bot));
            }
            !held || shown.part.is_some()
        });
        let entry = Arc::new(entry);
        let wakes = memory.is_woken_by(&entry, &step.captioned);
        memory.append_note(Note::quoting(Arc::clone(&entry), quoted));
        step.entries.push((*entry).clone());
        let whole = memory.window.back().filter(|_| last_part && wakes).cloned();
        let turns = step.turns.len();
        if let Some((last, bot)) = whole.as_ref().zip(heard_by) {
            self.hears(last.number, bot);
        }
        let decision =
            whole.and_then(|last| self.decide(Occasion::Entry { entry: &last, heard_by }, Some(&last), step));
        if let (Some(album), Some(memory)) = (entry.album().filter(|_| step.turns.len() == turns), self.memory.as_mut())
        {
            memory.unanswered_album(album, wakes);
        }
        let outcome = step.outcome(OutcomeKind::Appended);
        step.handled.push(Handled { inbox, outcome, number: Some(number), decision });
    }
}

/// Returns the key of a row's entry, and when the event happened; `command` says that it is an order to the fleet.
fn key_of_delivery(delivery: &Delivery, command: bool) -> Option<(EntryKey, Timestamp)> {
    match &delivery.content {
        Content::Update(incoming) => {
            let date = match &incoming.event {
                Event::Message(message) | Event::Edited(message) => message.date,
                Event::Reaction { date, .. } => *date,
                _ => return None,
            };
            Some((key_of(delivery.inbox, incoming, command)?, date))
        }
        Content::Sent(event) => {
            let (telegram_chat, message_id) = (event.chat, event.message_id);
            Some((EntryKey { telegram_chat, message_id, kind: EntryKind::Message, revision: 0 }, event.date))
        }
        Content::Poison => None,
    }
}
