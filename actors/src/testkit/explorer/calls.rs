//! Runs the calls of processes to the store: on their way there, carried out, and answered or not. Part of the testkit.
//!
//! By contract a commit's answer is true or says that nothing was written, so the answer to a commit is never lost.
//! Answers of the port `Cluster` may be lost.

use std::time::Duration;

use super::process::{Call, Got, Msg};
use super::sim::{Action, Link, Sim, ms, now};
use crate::domain::ownership::{NewNode, NodeReport, NodeRole};
use crate::policy::ownership::planner;
use crate::ports::cluster::Cluster;
use crate::ports::store::{Store, StoreError};

impl Sim {
    /// Sends a call to the store.
    pub(super) fn call(&mut self, from: usize, call: Call) {
        let there = self.way();
        self.after(there, Action::Execute(from, Box::new(call)));
    }

    fn way(&mut self) -> Duration {
        let slow = self.random.u8(..) < 3;
        Duration::from_micros(self.random.u64(if slow { 50_000..250_000 } else { 500..4_000 }))
    }

    /// Handles a call that arrives at the store, even when its process has ended or is paused since.
    pub(super) fn execute(&mut self, from: usize, call: Call) {
        let link = self.slots[self.processes[from].slot].store;
        if link == Link::Down || (self.processes[from].ended && self.random.bool()) {
            self.after(ms(400), Action::Deliver(from, Box::new(Msg::Answer(call, None))));
            return;
        }
        let before = self.before(from, &call);
        let got = self.carry_out(from, &call).ok();
        self.judge_call(from, &call, got.as_ref(), before);
        let is_commit = matches!(call, Call::Commit(..));
        if link == Link::NoAnswers && !is_commit {
            self.after(ms(400), Action::Deliver(from, Box::new(Msg::Answer(call, None))));
            return;
        }
        let back = self.way();
        self.after(back, Action::Deliver(from, Box::new(Msg::Answer(call, got))));
    }

    fn carry_out(&mut self, from: usize, call: &Call) -> Result<Got, StoreError> {
        let (wall, name) = (self.wall(), self.slots[self.processes[from].slot].name.clone());
        let report =
            NodeReport { telegram: !self.slots[self.processes[from].slot].telegram_cut, ..NodeReport::default() };
        let process = &self.processes[from];
        let (store, me) = (&process.store, process.me);
        store.set_now(wall);
        Ok(match call {
            Call::Join => {
                let version = "explored".to_owned();
                let launch = Some(process.launch);
                Got::Joined(now(store.join(&NewNode { name, role: NodeRole::All, address: None, version, launch }))?)
            }
            Call::Beat(_) => Got::Beat(now(store.beat(me, &report))?.state),
            Call::Nodes(_) => Got::Nodes(now(store.nodes())?),
            Call::Picture(_) => Got::Picture(now(store.picture())?),
            Call::Bury(silent) => now(store.bury(silent)).map(|_| Got::Done)?,
            Call::Plan => {
                let settings = self.settings.clone();
                now(store.plan(&move |picture| planner::plan(picture, &settings))).map(|_| Got::Done)?
            }
            Call::Ready(key) => now(store.ready(me, &[*key])).map(|()| Got::Done)?,
            Call::Take(keys) => Got::Taken(now(store.take(me, keys))?),
            Call::Drain => now(store.set_draining(&name, true)).map(|_| Got::Done)?,
            Call::Leave => now(store.leave(me)).map(|()| Got::Done)?,
            Call::ReadBot(bot, _) => {
                now(store.settle_abandoned(me, *bot, false))?;
                Got::Bot(now(store.next_offset(*bot))?)
            }
            Call::Look(bot, _, overdue) => {
                now(store.settle_abandoned(me, *bot, *overdue))?;
                Got::Work(now(store.queued_turns(*bot, 4))?, now(store.waiting_messages(*bot, 4))?)
            }
            Call::ReadChat(chat, _) => {
                let memory = now(store.chat_memory(*chat, 1))?;
                Got::Chat(memory.last_number, memory.last_decision)
            }
            Call::Rows(chat, _) => Got::Rows(now(store.unhandled(*chat, 8))?),
            Call::Commit(operation, _) => {
                let mut results = now(store.commit(vec![(**operation).clone()]))?;
                Got::Judged(results.pop().expect("one result for one operation"))
            }
        })
    }
}
