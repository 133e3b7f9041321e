//! Draws the faults of a seed, and heals them. Part of the testkit.

use std::time::Duration;

use super::sim::{Action, Link, Sim, Slot, ms, now};
use crate::policy::ownership::event::Event;
use crate::ports::bus::Hint;
use crate::ports::cluster::Cluster;

/// A fault, or an act of an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// The process of a slot is paused.
    Pause(usize, Duration),
    /// The process is paused between its next check and the effect.
    Ambush(usize, Duration),
    /// The process is killed; with `true`, its launcher sees it, otherwise the launcher died with it.
    Kill(usize, bool),
    /// The link between a node and the store changes.
    Store(usize, Link),
    /// The links of all nodes to the store change.
    StoreForAll(Link),
    /// This share of all hints is lost.
    HintsLost(f64),
    /// A node stops sending and hearing hints, or does so again.
    Deaf(usize, bool),
    /// A node loses Telegram, or reaches it again.
    Telegram(usize, bool),
    /// A rolling restart stops this node; with `true`, it comes back.
    Stop(usize, bool),
    /// An operator drains a node, or takes that back.
    Drain(usize, bool),
    /// A node without a process joins.
    Join(usize),
}

impl Sim {
    /// Draws the nodes, people and faults of this seed.
    pub(super) fn set_the_scene(&mut self) {
        let nodes = self.random.usize(2..=6);
        let spare = self.random.usize(0..=2);
        for slot in 0..nodes + spare {
            self.slots.push(Slot {
                name: format!("node-{slot}"),
                process: None,
                wanted: slot < nodes,
                store: Link::Up,
                deaf_to_hints: false,
                telegram_cut: false,
            });
            let start = ms(self.random.u64(0..300));
            self.at(start, Action::Launch(slot));
        }
        let end = Duration::from_secs(self.random.u64(12..=25));
        let mut at = ms(self.random.u64(0..2_000));
        while at < end {
            let bot = self.bots[self.random.usize(0..self.bots.len())];
            let chat = self.chats[self.random.usize(0..self.chats.len())];
            self.at(at, Action::Write(bot, chat));
            at += ms(self.random.u64(50..700));
        }
        for _ in 0..self.random.usize(2..=9) {
            let at = ms(self.random.u64(1_000..end.as_millis() as u64));
            self.draw_fault(at);
        }
        self.healed_at = end + Duration::from_secs(2);
        self.at(self.healed_at, Action::Heal);
    }

    fn draw_fault(&mut self, at: Duration) {
        let slot = self.random.usize(0..self.slots.len());
        let short = ms(self.random.u64(200..4_000));
        let long = ms(self.random.u64(1_000..15_000));
        let link = if self.random.bool() { Link::Down } else { Link::NoAnswers };
        let (fault, undo) = match self.random.u8(0..13) {
            0 | 1 => (Fault::Pause(slot, if self.random.bool() { short } else { long }), None),
            2 => (Fault::Ambush(slot, long), None),
            3 => (Fault::Kill(slot, true), None),
            4 => (Fault::Kill(slot, false), None),
            5 => (Fault::Store(slot, link), Some((long, Fault::Store(slot, Link::Up)))),
            6 => (Fault::StoreForAll(Link::Down), Some((long, Fault::StoreForAll(Link::Up)))),
            7 => (Fault::HintsLost(if self.random.bool() { 1.0 } else { 0.3 }), Some((long, Fault::HintsLost(0.0)))),
            8 => (Fault::Deaf(slot, true), Some((long, Fault::Deaf(slot, false)))),
            9 => (Fault::Telegram(slot, true), Some((long, Fault::Telegram(slot, false)))),
            10 => (Fault::Stop(slot, self.random.u8(0..3) > 0), None),
            11 => (Fault::Drain(slot, true), Some((long, Fault::Drain(slot, false)))),
            _ => (Fault::Join(slot), None),
        };
        self.at(at, Action::Fault(fault));
        if let Some((later, undo)) = undo {
            self.at(at + later, Action::Fault(undo));
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.report.faults += 1;
        self.trace(|| format!("{fault:?}"));
        let process = |sim: &Self, slot: usize| sim.slots[slot].process.filter(|id| !sim.processes[*id].ended);
        match fault {
            Fault::Pause(slot, length) => {
                if let Some(id) = process(self, slot) {
                    self.pause(id, length);
                }
            }
            Fault::Ambush(slot, length) => {
                if let Some(id) = process(self, slot) {
                    self.processes[id].ambush = Some(length);
                }
            }
            Fault::Kill(slot, seen) => {
                if let Some(id) = process(self, slot) {
                    self.kill(id, seen);
                }
            }
            Fault::Store(slot, link) => self.slots[slot].store = link,
            Fault::StoreForAll(link) => {
                for slot in &mut self.slots {
                    slot.store = link;
                }
            }
            Fault::HintsLost(share) => self.hints_lost = share,
            Fault::Deaf(slot, deaf) => self.slots[slot].deaf_to_hints = deaf,
            Fault::Telegram(slot, cut) => {
                self.slots[slot].telegram_cut = cut;
                if let Some(id) = process(self, slot).filter(|_| cut) {
                    self.cut_from_telegram(id);
                }
            }
            Fault::Stop(slot, returns) => {
                let living = self.slots.iter().filter(|slot| slot.wanted).count();
                if let Some(id) = process(self, slot) {
                    self.processes[id].returns = returns || living <= 2;
                    if self.processes[id].paused.is_none() {
                        self.tell(id, Event::Drain);
                        // The one who stops a process does not wait for ever.
                        self.after(Duration::from_secs(25), Action::Fault(Fault::Kill(slot, true)));
                    }
                }
            }
            Fault::Drain(slot, drain) => {
                let name = self.slots[slot].name.clone();
                now(self.rows.set_draining(&name, drain)).expect("this handle reaches the rows");
            }
            Fault::Join(slot) => {
                self.slots[slot].wanted = true;
                self.after(Duration::ZERO, Action::Launch(slot));
            }
        }
    }

    fn cut_from_telegram(&mut self, id: usize) {
        let cut: Vec<_> = self.telegram.polling().filter(|(_, poll)| poll.process == id).collect();
        self.telegram.close(id, None);
        for (bot, poll) in cut {
            let failed = super::process::Msg::Polled(bot, super::sim::ANY_EPOCH, poll.id, None);
            self.after(ms(300), Action::Deliver(id, Box::new(failed)));
        }
    }

    fn kill(&mut self, id: usize, seen_by_launcher: bool) {
        self.end(id, "killed");
        let (slot, launch) = (self.processes[id].slot, self.processes[id].launch);
        if seen_by_launcher && self.slots[slot].store == Link::Up {
            now(self.rows.bury_launch(launch)).expect("this handle reaches the rows");
            self.publish(id, None, &[Hint::Nodes]);
        }
        let back = if seen_by_launcher { self.random.u64(100..1_000) } else { self.random.u64(500..8_000) };
        self.relaunch(id, ms(back));
    }

    /// Ends all faults, and launches a process in every slot that wants one.
    pub(super) fn heal(&mut self) {
        self.trace(|| "healed".to_owned());
        self.hints_lost = 0.0;
        for slot in 0..self.slots.len() {
            let place = &mut self.slots[slot];
            (place.store, place.deaf_to_hints, place.telegram_cut) = (Link::Up, false, false);
            let name = place.name.clone();
            now(self.rows.set_draining(&name, false)).expect("this handle reaches the rows");
            self.after(ms(10), Action::Launch(slot));
        }
        for id in 0..self.processes.len() {
            self.processes[id].ambush = None;
        }
    }
}
