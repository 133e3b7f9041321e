//! Isolates a row that is refused again and again: it ends as a dead letter, and the rest goes on. Layer `actors`.
//! Keeps I3, I7.
//!
//! | refusals in a row | what the chat does |
//! |---|---|
//! | 1 | reads the store again, which it then asks for every key: most refusals come from a stale memory |
//! | 2 | reads the store again, and takes the waiting rows one at a time, each in a commit of its own |
//! | a row alone: 2 for the same reason, or 3 | commits that row's outcome and nothing else: dead, with the reason |
//!
//! Words that nobody may keep are no fault of their row: such a row is ignored. Rows that come while rows go one at a
//! time stay in the store. The count is in memory alone: after a crash the row is found anew.

use std::time::Duration;

use ractor::ActorRef;

use super::actor::{ChatState, Step};
use super::loading::{READ_LIMIT, content_of};
use crate::actors::chat::messages::{ChatMsg, Delivery};
use crate::actors::node::deadline::in_time;
use crate::domain::commit::outcome::Refusal;
use crate::domain::ids::InboxId;
use crate::domain::inbox::{Handled, InboxRow, Outcome, OutcomeKind};
use crate::policy::backoff::BackoffSettings;
use crate::ports::metrics;
use crate::ports::store::StoreError;

/// Successive refusals after which rows go one at a time.
pub(super) const REFUSALS_TOGETHER: u32 = 2;

/// Refusals of a single row after which it is dead: for the same reason, and for any reason.
const REFUSALS_ALONE: u32 = 2;
const REFUSALS_ALONE_MAX: u32 = 3;

/// Successive refusals after which a chat reads the store again only after a wait: it must not keep the node busy.
const REFUSALS_AT_ONCE: u32 = 3;
const RELOAD_BACKOFF: BackoffSettings =
    BackoffSettings { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// The state while rows go one at a time.
pub(super) struct Isolation {
    /// The number of rows that still go one at a time.
    left: usize,
    /// The row in hand, or the last one in hand.
    suspect: Option<Suspect>,
}

/// A row that was taken alone.
struct Suspect {
    row: InboxId,
    refusals: u32,
    /// The number of latest refusals for the same reason as the last one.
    alike: u32,
    reason: Option<Refusal>,
}

impl Suspect {
    fn is_guilty(&self) -> bool {
        self.alike >= REFUSALS_ALONE || self.refusals >= REFUSALS_ALONE_MAX
    }

    fn outcome(&self) -> Outcome {
        match &self.reason {
            Some(Refusal::Unwanted(why)) => Outcome::because(OutcomeKind::Ignored, *why),
            Some(why) => Outcome::because(OutcomeKind::Dead, format!("refused again and again: {why}")),
            None => Outcome::plain(OutcomeKind::Dead),
        }
    }
}

impl Isolation {
    fn refused(&mut self, refusal: Refusal) {
        if let Some(suspect) = &mut self.suspect {
            suspect.refusals += 1;
            suspect.alike = if suspect.reason.as_ref() == Some(&refusal) { suspect.alike + 1 } else { 1 };
            suspect.reason = Some(refusal);
        }
    }

    /// Takes a row in hand; returns its outcome when the row has been refused often enough.
    fn take(&mut self, row: InboxId) -> Option<Outcome> {
        match &self.suspect {
            Some(suspect) if suspect.row == row => suspect.is_guilty().then(|| suspect.outcome()),
            _ => {
                self.suspect = Some(Suspect { row, refusals: 0, alike: 0, reason: None });
                None
            }
        }
    }
}

impl ChatState {
    /// Handles the success of a commit.
    pub(super) fn on_accepted(&mut self, myself: &ActorRef<ChatMsg>) {
        if self.refusals > 0 {
            self.refusals = 0;
            if let Some(memory) = &mut self.memory {
                memory.doubt(false);
            }
        }
        if let Some(isolation) = &mut self.isolation {
            isolation.left = isolation.left.saturating_sub(1);
            isolation.suspect = None;
            if isolation.left == 0 {
                return self.end_isolation(myself);
            }
            let _ = myself.cast(ChatMsg::Reconcile);
        } else if self.behind && self.commits_in_flight == 0 {
            let _ = myself.cast(ChatMsg::Reconcile);
        }
    }

    /// Returns to taking rows together. What came meanwhile was dropped, maybe before its commit.
    fn end_isolation(&mut self, myself: &ActorRef<ChatMsg>) {
        self.isolation = None;
        self.behind = true;
        self.pass_commits(myself);
        let _ = myself.cast(ChatMsg::Reload);
    }

    /// Handles a refused commit: the memory is stale, or a row cannot be stored.
    pub(super) async fn on_refused(&mut self, myself: &ActorRef<ChatMsg>, refusal: &Refusal) {
        tracing::warn!(chat.id = %self.profile.id, error = %refusal, "commit refused, reading the store again");
        metrics::chat_reloads_total.increment(1);
        self.refusals += 1;
        match &mut self.isolation {
            Some(isolation) => isolation.refused(refusal.clone()),
            None if self.refusals >= REFUSALS_TOGETHER => {
                self.isolation = Some(Isolation { left: READ_LIMIT, suspect: None });
            }
            None => {}
        }
        if self.refusals <= REFUSALS_AT_ONCE {
            self.reload(myself).await;
        } else {
            self.memory = None;
            self.generation += 1;
            let wait = RELOAD_BACKOFF.wait(self.refusals - REFUSALS_AT_ONCE, self.node.jitter.next());
            drop(myself.send_after(wait, || ChatMsg::Reload));
        }
    }

    /// Treats rows that cannot be handled as if their commit had been refused.
    pub(super) fn rows_failed(&mut self, myself: &ActorRef<ChatMsg>, why: &str) {
        self.memory = None;
        self.pass_commits(myself);
        let _ = myself.cast(ChatMsg::RowsFailed(self.generation, why.to_owned()));
    }

    pub(super) async fn on_rows_failed(&mut self, myself: &ActorRef<ChatMsg>, generation: u64, why: &str) {
        if generation == self.generation && !self.leaving {
            self.on_refused(myself, &Refusal::Conflict(why.to_owned())).await;
        }
    }

    /// Handles a failed reading on which the rows in hand depend.
    pub(super) fn reading_failed(&mut self, myself: &ActorRef<ChatMsg>, error: &StoreError) {
        if error.is_retryable() {
            self.pass_commits(myself);
            self.store_failed(myself, error);
        } else {
            self.rows_failed(myself, &error.to_string());
        }
    }

    /// Handles the oldest waiting row, alone; when no row waits, all is as usual again.
    pub(super) async fn read_one(&mut self, myself: &ActorRef<ChatMsg>) {
        if self.commits_in_flight > 0 {
            return;
        }
        match in_time(self.node.store.unhandled(self.profile.id, 1)).await {
            Ok(mut rows) => {
                if let Some(row) = rows.pop() {
                    self.take_alone(myself, row).await;
                    // The next row waits for this one.
                    self.node.committer.hasten();
                } else {
                    self.end_isolation(myself);
                }
            }
            Err(error) => self.store_failed(myself, &error),
        }
    }

    async fn take_alone(&mut self, myself: &ActorRef<ChatMsg>, row: InboxRow) {
        let Some(outcome) = self.isolation.as_mut().and_then(|isolation| isolation.take(row.id)) else {
            let content = content_of(&self.node, &row);
            return self.take(myself, vec![Delivery { inbox: row.id, bot: row.bot, content }]).await;
        };
        let Some(base) = self.memory.as_ref().map(|memory| memory.last_number) else {
            return;
        };
        if outcome.kind == OutcomeKind::Dead {
            let reason = outcome.reason.as_deref().unwrap_or_default();
            tracing::error!(chat.id = %self.profile.id, inbox.id = %row.id, reason, "a row cannot be handled, it is a dead letter");
            metrics::rows_dead_total { at: "chat" }.increment(1);
        }
        let handled = vec![Handled { inbox: row.id, outcome, number: None, decision: None }];
        self.commit(myself, base, Step { handled, ..Step::default() });
    }
}
