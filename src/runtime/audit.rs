//! Keeps the audit of a node: makes entries, stores those of outward acts, and seals what waits. Layer `runtime`. Keeps I8,
//! I12, I16.
//!
//! | every | what happens |
//! |---|---|
//! | half a second | entries that wait are sealed, by whichever node comes first |
//! | minute | intents of five minutes ago without an outcome end as `unknown` |
//! | hour | the head goes into the log, and the checkpoint comes to stand for blocks of a year ago |

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botfleet_actors::domain::audit::{
    Act, ActResult, AuditEntry, AuditId, AuditObject, AuditPrincipal, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::chain::{AuditHead, AuditKey, AuditQuery, SealedEntry, Verification};
use botfleet_actors::domain::ids::ChatId;
use botfleet_actors::ports::audit::{AUDIT_ENTRY_DAYS, AuditLog};
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::metrics;
use botfleet_actors::ports::store::StoreError;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Interval at which entries that wait are looked for.
const SEAL_EVERY: Duration = Duration::from_millis(500);

/// Rounds of that between looks at intents, and between heads in the log.
const ROUNDS_A_MINUTE: u64 = 120;
const ROUNDS_AN_HOUR: u64 = 60 * ROUNDS_A_MINUTE;

/// Time after which an intent without outcome is closed: longer than any order is waited for.
const OPEN_FOR: Duration = Duration::from_mins(5);

/// Most intents that one round closes.
const CLOSED_MAX: usize = 100;

/// Time after which a failed keeper begins anew.
const ANEW_AFTER: Duration = Duration::from_secs(5);

/// Most readings that are remembered as stored; then all are forgotten together, and stored once more in vain.
const READINGS_MAX: usize = 10_000;

const DAY: Duration = Duration::from_hours(24);

/// The audit, as one node keeps it.
pub struct Audit {
    log: Arc<dyn AuditLog>,
    key: Option<AuditKey>,
    clock: Arc<dyn Clock>,
    node: String,
    readings: Mutex<HashSet<AuditId>>,
}

impl Audit {
    /// Keeps the audit of the node of that name; without a key its blocks are not signed.
    pub fn new(log: Arc<dyn AuditLog>, key: Option<AuditKey>, clock: Arc<dyn Clock>, node: impl Into<String>) -> Self {
        Self { log, key, clock, node: node.into(), readings: Mutex::default() }
    }

    /// Makes the entry of an act, to be stored with the act.
    ///
    /// # Errors
    /// `Unavailable` when the system gives no random numbers.
    pub fn entry(
        &self,
        act: Act,
        principal: AuditPrincipal,
        object: AuditObject,
        mut origin: Origin,
    ) -> Result<AuditEntry, StoreError> {
        origin.node.clone_from(&self.node);
        let (id, at) = (fresh()?, self.clock.now());
        Ok(AuditEntry { id, at, act, phase: Phase::Act, principal, object, before: None, after: None, origin })
    }

    /// Stores an entry by itself. An outward act comes after its intent is stored, and not at all when it cannot be.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.log.record(entry).await
    }

    /// Stores how the act of an intent ended. When that fails the intent ends as `unknown` later.
    pub async fn ended(&self, intent: &AuditEntry, result: ActResult) {
        let stored = match fresh() {
            Ok(id) => self.log.record(&intent.outcome(id, self.clock.now(), result)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            tracing::error!(act = intent.act.as_str(), %error, "the outcome of an act is not in the audit");
        }
    }

    /// Stores that a principal reads words of a chat, once a day. Comes before the reading.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn reading(&self, mut entry: AuditEntry, chat: ChatId) -> Result<(), StoreError> {
        let day = entry.at.as_millis() / i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        // Names of keys and of accounts that were made anew are not unique; ids are.
        let who = entry.principal.id.as_deref().unwrap_or_else(|| entry.principal.key());
        let text = format!("{}\n{:?}\n{who}\n{chat}\n{day}", entry.act.as_str(), entry.principal.kind);
        entry.id = of_text(&text);
        let known = || self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&entry.id) {
            return Ok(());
        }
        self.log.record_once(&entry).await?;
        let mut known = known();
        if known.len() >= READINGS_MAX {
            known.clear();
        }
        known.insert(entry.id);
        Ok(())
    }

    /// Returns a page of entries, in the order of the blocks.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn page(&self, query: &AuditQuery) -> Result<Vec<SealedEntry>, StoreError> {
        self.log.audit_entries(query).await
    }

    /// Returns the last block.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn head(&self) -> Result<AuditHead, StoreError> {
        self.log.audit_head().await
    }

    /// Checks the whole chain, and that the block of a head is in it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn verify(&self, head: Option<&AuditHead>) -> Result<Verification, StoreError> {
        self.log.verify_audit(self.key.as_ref(), head).await
    }

    /// Seals and tidies, for ever; begins anew when that panics.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            let mut tasks = JoinSet::new();
            tasks.spawn(Arc::clone(&self).rounds());
            if let Some(Err(error)) = tasks.join_next().await {
                tracing::error!(%error, "the keeper of the audit failed, and begins anew");
            }
            tokio::time::sleep(ANEW_AFTER).await;
        }
    }

    async fn rounds(self: Arc<Self>) {
        let mut every = interval(SEAL_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 0_u64.. {
            every.tick().await;
            heard("seal", round, self.seal().await);
            if round.is_multiple_of(ROUNDS_A_MINUTE) {
                heard("close intents", round, self.close_intents().await);
            }
            if round.is_multiple_of(ROUNDS_AN_HOUR) {
                heard("tell the head", round, self.tell_head().await);
                heard("fold", round, self.fold().await);
            }
        }
    }

    /// Seals everything that waits.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn seal(&self) -> Result<(), StoreError> {
        loop {
            match self.log.seal(self.clock.now(), self.key.as_ref()).await? {
                0 => return Ok(()),
                entries => metrics::audit_entries_sealed_total.increment(entries),
            }
        }
    }

    /// Closes intents whose outcome nobody stored.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn close_intents(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for intent in self.log.open_intents(now - OPEN_FOR, CLOSED_MAX).await? {
            let mut outcome = intent.outcome(fresh()?, now, ActResult::Unknown);
            outcome.principal = AuditPrincipal { kind: PrincipalKind::System, id: None, name: "botfleet".to_owned() };
            outcome.origin = Origin { node: self.node.clone(), ..Origin::default() };
            if self.log.close_intent(&outcome).await? {
                tracing::warn!(act = intent.act.as_str(), intent = %intent.id, "nobody knows how an act ended");
            }
        }
        Ok(())
    }

    async fn tell_head(&self) -> Result<(), StoreError> {
        let head = self.log.audit_head().await?;
        tracing::info!(audit.head = %head, signed = self.key.is_some(), "the audit's head");
        Ok(())
    }

    async fn fold(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = now - DAY * AUDIT_ENTRY_DAYS;
        while self.log.fold_audit(before, now, self.key.as_ref()).await? > 0 {}
        Ok(())
    }
}

/// Logs a failure: once a minute, since rounds come twice a second.
fn heard(what: &str, round: u64, done: Result<(), StoreError>) {
    let Err(error) = done else { return };
    match error {
        StoreError::Unavailable(_) => tracing::debug!(what, %error, "the audit waits for the store"),
        _ if round.is_multiple_of(ROUNDS_A_MINUTE) => tracing::error!(what, %error, "the audit cannot be kept"),
        _ => {}
    }
}

/// Returns a new id.
fn fresh() -> Result<AuditId, StoreError> {
    let mut bytes = [0; 16];
    let none = |_| StoreError::Unavailable("the system gives no random numbers".to_owned());
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(AuditId(u128::from_be_bytes(bytes)))
}

/// Returns the id of an entry that stands for a day.
fn of_text(text: &str) -> AuditId {
    let mut bytes = [0; 16];
    for (byte, of_hash) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()) {
        *byte = *of_hash;
    }
    AuditId(u128::from_be_bytes(bytes))
}
