//! Loads a chat's memory from the store, and the rows that wait for the chat there. Layer `actors`. Keeps I3, I8.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;

use super::actor::{ChatState, cast_of};
use super::memory::Memory;
use crate::actors::chat::messages::{ChatMsg, Content, Delivery};
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::behaviour::director::every;
use crate::domain::commit::operations::{Operation, Receive};
use crate::domain::ids::InboxId;
use crate::domain::inbox::{InboxRow, Source};
use crate::domain::roster::ChatPolicy;
use crate::ports::archive::{DECISIONS_MAX, DecisionQuery};
use crate::ports::store::StoreError;

/// Rows read from the store at once.
pub(super) const READ_LIMIT: usize = 256;

/// Time that an announced row waits for others.
const MOMENT: Duration = Duration::from_millis(5);

/// Time that a chat waits before it asks a failed store again.
pub(super) const RELOAD_AFTER: Duration = Duration::from_millis(500);

/// Reads a stored row.
pub(super) fn content_of(node: &Node, row: &InboxRow) -> Content {
    if let (Source::Sent(_), Ok(event)) = (row.source, serde_json::from_str(&row.payload)) {
        return Content::Sent(event);
    }
    // A poison row must not take its chat along (I7).
    catch_unwind(AssertUnwindSafe(|| node.decoder.decode(&row.payload))).map_or(Content::Poison, Content::Update)
}

impl ChatState {
    /// Forgets everything and reads the store; tries again later when it does not answer. An outage ends no chat.
    ///
    /// Commits under way are waited for. One that succeeded after the reading would take the number that this memory
    /// gives another entry, and a later commit could come in before that entry (I3).
    pub(super) async fn reload(&mut self, myself: &ActorRef<ChatMsg>) {
        if self.leaving {
            return;
        }
        self.memory = None;
        self.generation += 1;
        self.commits_in_flight = 0;
        self.reload_waits = self.commits_unanswered > 0;
        if self.reload_waits {
            return;
        }
        let node = Arc::clone(&self.node);
        match in_time(node.store.chat_memory(self.profile.id, self.settings.window_entries.get())).await {
            Ok(loaded) => {
                if let Err(error) = self.find_disclosure(&loaded).await {
                    return self.store_failed(myself, &error);
                }
                self.next_tick_at = loaded.next_tick_at;
                let loaded = self.clamped(loaded);
                self.absent = loaded.absent.iter().copied().collect();
                let (entries, rows) = (self.settings.window_entries.get(), self.settings.rows_waiting.get());
                let mut memory = Memory::new(loaded, entries, rows, node.clock.now());
                memory.doubt(self.refusals > 0);
                if self.profile.spec.policy == ChatPolicy::Every {
                    let lately = DecisionQuery { limit: DECISIONS_MAX, ..DecisionQuery::default() };
                    match in_time(node.store.decisions(self.profile.id, &lately)).await {
                        Ok(decisions) => decisions.iter().rev().filter_map(every::heard).for_each(|(number, bot)| {
                            memory.hears(number, bot);
                        }),
                        Err(error) => return self.store_failed(myself, &error),
                    }
                }
                self.memory = Some(memory);
                self.read_store(myself).await;
            }
            Err(error) => self.store_failed(myself, &error),
        }
    }

    pub(super) fn store_failed(&mut self, myself: &ActorRef<ChatMsg>, error: &StoreError) {
        tracing::debug!(chat.id = %self.profile.id, error = %error, "chat waits for the store");
        self.node.committer.signs.waits("chats", error);
        self.memory = None;
        // Results of other commits under way are ignored.
        self.generation += 1;
        drop(myself.send_after(RELOAD_AFTER, || ChatMsg::Reload));
    }

    /// Lets rows that a hint announced wait a moment for others, so that one reading, and one commit, serves them all.
    pub(super) fn on_rows_wait(&mut self, myself: &ActorRef<ChatMsg>) {
        if self.reads_at.is_none() {
            self.reads_at = Some(tokio::time::Instant::now() + MOMENT);
            drop(myself.send_after(MOMENT, || ChatMsg::Reconcile));
        }
    }

    /// Handles rows that wait in the store and were not delivered; opens the mailbox when all are read.
    pub(super) async fn read_store(&mut self, myself: &ActorRef<ChatMsg>) {
        self.reads_at = None;
        if self.memory.is_none() {
            return;
        }
        if self.isolation.is_some() {
            self.rows.release(std::mem::take(&mut self.waiting).len());
            return self.read_one(myself).await;
        }
        let node = Arc::clone(&self.node);
        let rows = match in_time(node.store.unhandled(self.profile.id, READ_LIMIT)).await {
            Ok(rows) => rows,
            Err(error) => return self.store_failed(myself, &error),
        };
        // Rows in the store may be younger than a username that waits in the mailbox: whom they mention is looked up now.
        self.cast = cast_of(&node, &self.profile);
        let all_read = rows.len() < READ_LIMIT;
        self.behind = !all_read;
        if !self.waiting.is_empty() {
            let read: HashSet<InboxId> = rows.iter().map(|row| row.id).collect();
            let before = self.waiting.len();
            self.waiting.retain(|delivery| !read.contains(&delivery.inbox));
            self.rows.release(before - self.waiting.len());
        }
        let deliveries = rows
            .into_iter()
            .map(|row| Delivery { inbox: row.id, bot: row.bot, content: content_of(&node, &row) })
            .collect();
        self.take(myself, deliveries).await;
        if all_read && self.memory.is_some() {
            let waiting = std::mem::take(&mut self.waiting);
            let count = waiting.len();
            self.take(myself, waiting).await;
            self.rows.release(count);
            if self.memory.is_some() {
                self.rows.caught_up();
            }
        }
    }

    /// Lets the next reading of the store wait until the committer has answered everything that was submitted so far.
    /// Rows that the chat drops may have their own commit under way; a reading before it would miss them, and later rows
    /// would overtake them (I3).
    pub(super) fn pass_commits(&mut self, myself: &ActorRef<ChatMsg>) {
        self.commits_unanswered += 1;
        let chat = myself.clone();
        // Nothing is received: the answer comes in the order of the queue.
        self.node.committer.submit(Operation::Receive(Receive::default()), move |_| {
            let _ = chat.cast(ChatMsg::CommitsPassed);
        });
    }

    /// Counts an answer of the committer that does not concern the memory; reads the store when none is left to come.
    pub(super) async fn on_answered(&mut self, myself: &ActorRef<ChatMsg>) {
        self.commits_unanswered = self.commits_unanswered.saturating_sub(1);
        if self.commits_unanswered == 0 && std::mem::take(&mut self.reload_waits) {
            self.reload(myself).await;
        }
    }
}
