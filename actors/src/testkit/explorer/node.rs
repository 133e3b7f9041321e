//! Runs the effects of a process's machine, as the actors of the product do. Part of the testkit.

use super::process::{Call, Got, Msg, Polling, Process};
use super::sim::{Action, Sim, ms};
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::policy::ownership::event::{Effect, Event};
use crate::policy::ownership::machine::Ownership;
use crate::ports::bus::Hint;

impl Sim {
    /// Handles a message that a process hears; a paused process does not hear.
    pub(super) fn hear(&mut self, id: usize, msg: Msg) {
        match msg {
            Msg::Start => self.call(id, Call::Join),
            Msg::Wake => {
                self.processes[id].wake_at = std::time::Duration::MAX;
                self.tell(id, Event::Tick);
            }
            Msg::Reconcile => {
                self.poke_all(id);
                self.after(ms(500), Action::Deliver(id, Box::new(Msg::Reconcile)));
            }
            Msg::Answer(call, got) => self.answered(id, call, got),
            Msg::Hints(hints) => self.hinted(id, hints),
            Msg::Warm(key) => {
                if self.slots[self.processes[id].slot].telegram_cut {
                    self.tell(id, Event::NotWarmed(key));
                } else {
                    self.call(id, Call::Ready(key));
                }
            }
            Msg::Polled(bot, epoch, poll, batch) => self.polled(id, bot, epoch, poll, batch),
            Msg::Completed(bot, epoch, turn) => self.completed(id, bot, epoch, &turn),
            Msg::Sent(attempt, result) => self.sent(id, attempt, result),
            Msg::Again(bot, epoch) => {
                if self.processes[id].bots.get(&bot).is_some_and(|actor| actor.epoch == epoch) {
                    self.poke_bot(id, bot);
                }
            }
            Msg::Retry(call) => self.call(id, call),
            Msg::Late(effect) => self.cause(id, effect),
        }
    }

    /// Gives an event to the machine, and runs the effects that it asks for.
    pub(super) fn tell(&mut self, id: usize, event: Event) {
        let process = &mut self.processes[id];
        let local = process.clock.local(self.now);
        let Some(machine) = &mut process.machine else { return };
        let effects = machine.handle(local, event);
        for effect in effects {
            self.carry(id, effect);
        }
        let process = &mut self.processes[id];
        let Some(machine) = &process.machine else { return };
        let due = machine.next_due();
        if due < std::time::Duration::MAX && !process.ended {
            let at = process.clock.real(due).max(self.now);
            if at < process.wake_at {
                process.wake_at = at;
                self.at(at, Action::Deliver(id, Box::new(Msg::Wake)));
            }
        }
    }

    fn carry(&mut self, id: usize, effect: Effect) {
        if !matches!(effect, Effect::Beat | Effect::Observe | Effect::Read) {
            self.trace(|| format!("p{id} {effect:?}"));
        }
        let local = self.processes[id].clock.local(self.now);
        match effect {
            Effect::Beat => self.call(id, Call::Beat(local)),
            Effect::Observe => self.call(id, Call::Nodes(local)),
            Effect::Read => self.call(id, Call::Picture(local)),
            Effect::Bury(silent) => self.call(id, Call::Bury(silent)),
            Effect::Plan => self.call(id, Call::Plan),
            Effect::Take(keys) => self.call(id, Call::Take(keys)),
            Effect::Warm(key) => {
                let warming = ms(self.random.u64(20..150));
                self.after(warming, Action::Deliver(id, Box::new(Msg::Warm(key))));
            }
            Effect::Start(LeaseKey::Bot(bot), epoch) => self.start_bot(id, bot, epoch),
            Effect::Start(LeaseKey::Chat(chat), epoch) => self.start_chat(id, chat, epoch),
            Effect::Stop(LeaseKey::Bot(bot), epoch) => self.stop_bot(id, bot, epoch),
            Effect::Stop(LeaseKey::Chat(chat), epoch) => {
                self.processes[id].chats.retain(|of, actor| *of != chat || actor.epoch != epoch);
            }
            Effect::HandOver(LeaseKey::Bot(bot), _, to) => {
                if let Some(actor) = self.processes[id].bots.get_mut(&bot) {
                    actor.leaving_to = Some(to);
                }
                self.quiet(id, bot);
                self.poke_bot(id, bot);
            }
            Effect::HandOver(LeaseKey::Chat(chat), _, to) => {
                if let Some(actor) = self.processes[id].chats.get_mut(&chat) {
                    actor.leaving_to = Some(to);
                }
                self.poke_chat(id, chat);
            }
            Effect::Suspend => {
                let bots: Vec<_> = self.processes[id].bots.keys().copied().collect();
                for bot in bots {
                    self.quiet(id, bot);
                }
            }
            Effect::Resume => self.poke_all(id),
            Effect::Drain => self.call(id, Call::Drain),
            Effect::Drained => {
                // Ends the bots' work before the node says that it leaves, as the runtime does.
                let bots: Vec<_> = self.processes[id].bots.keys().copied().collect();
                for bot in bots {
                    self.quiet(id, bot);
                    self.processes[id].bots.remove(&bot);
                }
                self.call(id, Call::Leave);
            }
            Effect::Superseded => {
                self.end(id, "superseded");
                self.relaunch(id, ms(30));
            }
        }
    }

    /// Starts another process in the place of one that ended.
    pub(super) fn relaunch(&mut self, id: usize, after: std::time::Duration) {
        let slot = self.processes[id].slot;
        self.after(after, Action::Launch(slot));
    }

    fn poke_all(&mut self, id: usize) {
        let process: &Process = &self.processes[id];
        let (bots, chats): (Vec<_>, Vec<_>) =
            (process.bots.keys().copied().collect(), process.chats.keys().copied().collect());
        for bot in bots {
            self.poke_bot(id, bot);
        }
        for chat in chats {
            self.poke_chat(id, chat);
        }
    }

    fn hinted(&mut self, id: usize, hints: Vec<Hint>) {
        for hint in hints {
            match hint {
                Hint::Bot(bot) => self.poke_bot(id, bot),
                Hint::Chat(chat) => self.poke_chat(id, chat),
                _ => self.tell(id, Event::Hinted),
            }
        }
    }

    /// Returns the owner of a lease, as this process knows it.
    pub(super) fn owner_of(&self, id: usize, key: LeaseKey) -> Option<Incarnation> {
        self.processes[id].machine.as_ref().and_then(|machine| machine.owner_of(key))
    }

    fn answered(&mut self, id: usize, call: Call, got: Option<Got>) {
        match (call, got) {
            (Call::Join, Some(Got::Joined(me))) => {
                let process = &mut self.processes[id];
                process.me = me;
                process.machine = Some(Ownership::new(me, self.settings.clone()));
                self.trace(|| format!("p{id} joined as incarnation {me}"));
                self.tell(id, Event::Tick);
                self.publish(id, None, &[Hint::Nodes]);
                self.after(ms(500), Action::Deliver(id, Box::new(Msg::Reconcile)));
            }
            // A node of this name still lives: the process observes whether that is so, and tries again.
            (Call::Join, _) => {
                let local = self.processes[id].clock.local(self.now);
                self.call(id, Call::Nodes(local));
            }
            (Call::Nodes(asked_at), got) if self.processes[id].machine.is_none() => {
                let process = &mut self.processes[id];
                let local = process.clock.local(self.now);
                let silent = if let Some(Got::Nodes(nodes)) = got {
                    process.waiting.looked(&self.settings, None, asked_at, local, &nodes)
                } else {
                    process.waiting.failed();
                    Vec::new()
                };
                if !silent.is_empty() {
                    self.call(id, Call::Bury(silent));
                }
                self.after(ms(200), Action::Deliver(id, Box::new(Msg::Start)));
            }
            (Call::Beat(sent_at), got) => {
                let state = if let Some(Got::Beat(state)) = got { Some(state) } else { None };
                if state.is_some() {
                    let sent = self.processes[id].clock.real(sent_at);
                    let good = &mut self.processes[id].good_beat;
                    *good = Some(good.map_or(sent, |good| good.max(sent)));
                }
                self.tell(id, Event::Beaten { sent_at, state });
            }
            (Call::Nodes(asked_at), got) => {
                let nodes = if let Some(Got::Nodes(nodes)) = got { Some(nodes) } else { None };
                self.tell(id, Event::Observed { asked_at, nodes });
            }
            (Call::Picture(asked_at), got) => {
                let picture = if let Some(Got::Picture(picture)) = got { Some(picture) } else { None };
                self.tell(id, Event::Read { asked_at, picture });
            }
            (Call::Bury(_), _) => {
                self.publish(id, None, &[Hint::Nodes]);
                self.tell(id, Event::Buried);
            }
            (Call::Plan, _) => {
                self.publish(id, None, &[Hint::Nodes]);
                self.tell(id, Event::Planned);
            }
            (Call::Ready(key), Some(_)) => {
                let owner = self.owner_of(id, key);
                if owner.is_some() {
                    self.publish(id, owner, &[Hint::Lease(key)]);
                }
                self.tell(id, Event::Warmed(key));
            }
            (Call::Ready(key), None) => self.tell(id, Event::NotWarmed(key)),
            (Call::Take(asked), got) => {
                let taken = if let Some(Got::Taken(taken)) = got { taken } else { Vec::new() };
                self.tell(id, Event::Taken { asked, taken });
            }
            (Call::Drain, _) => self.publish(id, None, &[Hint::Nodes]),
            (Call::Leave, _) => {
                self.publish(id, None, &[Hint::Nodes]);
                self.end(id, "drained");
                self.relaunch(id, ms(100));
            }
            (Call::ReadBot(bot, epoch), got) => self.bot_read(id, bot, epoch, got.as_ref()),
            (Call::Look(bot, epoch, _), got) => self.looked(id, bot, epoch, got),
            (Call::ReadChat(chat, epoch), got) => self.chat_read(id, chat, epoch, got.as_ref()),
            (Call::Rows(chat, epoch), got) => self.rows_read(id, chat, epoch, got),
            (Call::Commit(operation, then), got) => self.committed(id, *operation, then, got),
        }
    }

    /// Ends a bot's polls; updates that it has already taken are stored all the same.
    pub(super) fn quiet(&mut self, id: usize, bot: crate::domain::ids::BotId) {
        self.telegram.close(id, Some(bot));
        if let Some(actor) = self.processes[id].bots.get_mut(&bot)
            && matches!(actor.poll, Polling::Open(_))
        {
            actor.poll = Polling::Idle;
        }
    }

    fn stop_bot(&mut self, id: usize, bot: crate::domain::ids::BotId, epoch: Epoch) {
        self.quiet(id, bot);
        self.processes[id].bots.retain(|of, actor| *of != bot || actor.epoch != epoch);
    }

    /// Stops an actor whose write was refused by the fence.
    pub(super) fn fenced(&mut self, id: usize, key: LeaseKey, epoch: Epoch) {
        match key {
            LeaseKey::Bot(bot) => self.stop_bot(id, bot, epoch),
            LeaseKey::Chat(chat) => self.processes[id].chats.retain(|of, actor| *of != chat || actor.epoch != epoch),
        }
        self.tell(id, Event::Fenced(key, epoch));
    }
}
