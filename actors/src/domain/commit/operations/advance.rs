//! A chat stores what it made of its inbox rows. Layer `domain`. Keeps I3.

use std::collections::HashSet;
use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::outcome::{Applied, Refusal, conflict};
use crate::domain::commit::rows::{ChatChange, ChatHead, NewRetractions, TurnHead};
use crate::domain::commit::rule::{Judgement, MOMENT, Priority, Rule, WHILE};
use crate::domain::decision::Decision;
use crate::domain::ids::{BotId, ChatId, DecisionNumber, Epoch, Number, TurnId};
use crate::domain::inbox::Handled;
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Turn, TurnState};

/// Reason of a turn that ended before it was begun, since a later one answers the person.
const GOES_ON: &str = "the person goes on, and is answered once";

/// A chat handled inbox rows, or its tick: new entries, outcomes, decisions and turns.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// The chat.
    pub chat: ChatId,
    /// Epoch of the chat's lease.
    pub epoch: Epoch,
    /// Number of the last entry before this operation: transcripts have no gaps (I3).
    pub base: Number,
    /// New entries, numbered from `base` + 1.
    pub entries: Vec<TranscriptEntry>,
    /// Outcomes of inbox rows.
    pub handled: Vec<Handled>,
    /// New decisions.
    pub decisions: Vec<Decision>,
    /// New turns.
    pub turns: Vec<Turn>,
    /// Turns whose place the new ones take, since the person goes on: those that nobody has claimed yet end.
    pub superseded: Vec<TurnId>,
    /// Time to wake the chat if it stays quiet.
    pub next_tick_at: Option<Timestamp>,
    /// Bots that lost (`true`) or regained (`false`) the ability to post in the chat.
    pub absences: Vec<(BotId, bool)>,
    /// Time until which loop physics keep the chat quiet (I11).
    pub calm_until: Option<Timestamp>,
    /// People in the chat have been told, with this step or before it, that they talk to an AI.
    pub disclosed: bool,
}

impl Rule for Advance {
    const PRIORITY: Priority = Priority::Work;

    fn fence(&self) -> Option<(LeaseKey, Epoch)> {
        Some((LeaseKey::Chat(self.chat), self.epoch))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.inbox.extend(self.handled.iter().map(|handled| handled.inbox));
        needs.entries.extend(self.entries.iter().map(TranscriptEntry::key));
        needs.turns.extend(&self.superseded);
        needs.people.extend(self.entries.iter().filter_map(TranscriptEntry::words_of));
    }

    /// Bots of this node begin their turns meanwhile; bots of other nodes find theirs in the store.
    fn patience(&self) -> Duration {
        if self.turns.is_empty() { WHILE } else { MOMENT }
    }

    fn judge(mut self, bench: &mut Bench) -> Judgement {
        let head = bench.head(self.chat)?;
        if head.last_number != self.base {
            return conflict(format!("transcript is at {}, not at {}", head.last_number, self.base));
        }
        if let Some(handled) = self.handled.iter().find(|h| bench.loaded.inbox.get(&h.inbox) != Some(&true)) {
            return conflict(format!("inbox row {} does not wait for its outcome", handled.inbox));
        }
        for (entry, number) in self.entries.iter().zip(self.base.0 + 1..) {
            if entry.number != Number(number) {
                return conflict(format!("entry {} where {number} is due", entry.number));
            }
        }
        // When the step before this one had no entries and dropped out, only the decision numbers tell of it.
        for (decision, number) in self.decisions.iter().zip(head.last_decision.0 + 1..) {
            if decision.number != DecisionNumber(number) {
                return conflict(format!("decision {} where {number} is due", decision.number));
            }
        }
        let mut keys = HashSet::new();
        if let Some(entry) = self.entries.iter().find(|e| bench.loaded.entries.contains(&e.key()) || !keys.insert(e.key()))
        {
            return conflict(format!("message {} has an entry already", entry.message_id));
        }

        let refused = |entry: &TranscriptEntry| bench.refuses(entry.words_of()?, entry.date);
        if let Some(reason) = self.entries.iter().find_map(refused) {
            return Err(Refusal::Unwanted(reason));
        }
        // The text of these messages was removed, so their echo must not tell it either.
        for entry in self.entries.iter_mut().filter(|entry| bench.loaded.emptied.contains(&entry.inbox)) {
            entry.text = None;
            entry.entities.clear();
        }

        for NewRetractions { at, said, .. } in &bench.changes.orders.retractions {
            for entry in self.entries.iter_mut().filter(|entry| said.iter().any(|said| said.is_entry(entry))) {
                entry.delete(*at);
            }
        }

        let last_number = Number(self.base.0 + self.entries.len() as i64);
        let last_decision = DecisionNumber(head.last_decision.0 + self.decisions.len() as i64);
        bench.loaded.chats.insert(self.chat, ChatHead { last_number, last_decision, ..head });
        for handled in &self.handled {
            bench.loaded.inbox.insert(handled.inbox, false);
        }
        bench.loaded.entries.extend(keys);
        for id in self.superseded {
            let Some(head) = bench.loaded.turns.get_mut(&id).filter(|head| head.progress.state == TurnState::Queued) else {
                continue;
            };
            head.progress.state = TurnState::Dropped;
            head.progress.error = Some(GOES_ON.to_owned());
            bench.turn_moved(id);
        }
        for turn in &self.turns {
            bench.loaded.turns.insert(turn.id, TurnHead { bot: turn.bot, progress: turn.progress.clone() });
            bench.new_turns.insert(turn.id);
        }
        let change = ChatChange {
            last_number,
            next_tick_at: self.next_tick_at,
            calm_until: self.calm_until,
            disclosed: self.disclosed || bench.changes.chats.get(&self.chat).is_some_and(|before| before.disclosed),
        };
        bench.changes.chats.insert(self.chat, change);
        bench.changes.handled.extend(self.handled);
        bench.changes.entries.extend(self.entries);
        bench.changes.decisions.extend(self.decisions);
        bench.changes.new_turns.extend(self.turns);
        bench.changes.absences.extend(self.absences.into_iter().map(|(bot, absent)| ((self.chat, bot), absent)));
        Ok(Applied::Done)
    }
}
