//! Signs of life: records recent results of store, sends and models where no part of the node can block the reader.
//! Layer `actors`.
//!
//! Health is judged by recent work, not by a probe alone: a full disk still reads, and may still take one small write.
//! A reader waits only for a lock that is held for a few instructions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::hush::Hush;
use crate::ports::metrics;
use crate::ports::store::StoreError;

/// A write that takes longer than this counts as unanswered.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// A successful probe ends a failure once no commit has failed for this long.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// The end of a failure is logged only if the failure lasted this long, so that brief ones do not fill the log.
const WORTH_A_WORD: Duration = Duration::from_secs(5);

/// A store that has written within this time need not be probed.
const FRESH: Duration = Duration::from_secs(5);

/// How long tries are remembered, and how many of them.
const TRIES_FOR: Duration = Duration::from_mins(5);
const TRIES_MAX: usize = 256;

/// Number of refusals, while no try is accepted, that counts as unhealthy.
const REFUSED_MIN: usize = 3;

/// State of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// The store writes.
    Writes,
    /// The store refuses writes.
    Fails {
        /// How long it has refused them.
        since: Duration,
        /// Number of writes that failed.
        failures: u64,
        /// The last error.
        error: String,
    },
    /// The store has not answered for this long.
    Silent(Duration),
}

/// The store's recent results.
#[derive(Debug, Default)]
pub struct StoreSigns(Mutex<Signs>);

#[derive(Debug, Default)]
struct Signs {
    /// Start of the commit under way, and of the probe.
    begun: [Option<Instant>; 2],
    wrote: Option<Instant>,
    failing: Option<Failing>,
    hush: Hush,
    waiting: Hush,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    /// When a commit last failed; a failure that only a probe met ends with the next successful probe.
    commit: Option<Instant>,
    failures: u64,
    error: String,
}

/// The kinds of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// A batch of operations.
    Commit,
    /// A probe of whether the store can write.
    Probe,
}

impl StoreSigns {
    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a write begins.
    pub fn begins(&self, write: Write) {
        self.signs().begun[write as usize] = Some(Instant::now());
    }

    /// Records that a write ended. Failures are counted, and logged at most once a minute.
    pub fn ended(&self, write: Write, failed: Option<&StoreError>) {
        let mut signs = self.signs();
        signs.begun[write as usize] = None;
        let now = Instant::now();
        let Some(error) = failed else {
            signs.wrote = Some(now);
            let forgiven = |commit: Instant| commit.elapsed() >= FORGIVEN_AFTER;
            let over = |failing: &mut Failing| write == Write::Commit || failing.commit.is_none_or(forgiven);
            if let Some(failing) = signs.failing.take_if(over)
                && failing.since.elapsed() >= WORTH_A_WORD
            {
                signs.hush.over();
                tracing::info!(
                    failures = failing.failures,
                    after_s = failing.since.elapsed().as_secs(),
                    "the store writes again"
                );
            }
            return;
        };
        let blank = || Failing { since: now, commit: None, failures: 0, error: String::new() };
        let failing = signs.failing.get_or_insert_with(blank);
        if write == Write::Commit {
            failing.commit = Some(now);
        }
        (failing.failures, failing.error) = (failing.failures + 1, error.to_string());
        let failures = failing.failures;
        if signs.hush.happened().is_some() {
            tracing::error!(error = %error, failures, "the store does not take writes; nothing of them was written");
        }
    }

    /// Records the end of a write that had nothing to write: it tells nothing about the store.
    pub fn abstained(&self, write: Write) {
        self.signs().begun[write as usize] = None;
    }

    /// Counts that a part of the node waits for the store, and logs it at most once a minute for all parts together.
    pub fn waits(&self, who: &'static str, error: &dyn std::fmt::Display) {
        metrics::store_waits_total { who }.increment(1);
        if let Some(more) = self.signs().waiting.happened() {
            tracing::warn!(who, error = %error, more, "waits for the store");
        }
    }

    /// Returns whether a probe is due: none is under way, and no write has succeeded for a while.
    pub fn is_quiet(&self) -> bool {
        let signs = self.signs();
        signs.begun[Write::Probe as usize].is_none() && signs.wrote.is_none_or(|wrote| wrote.elapsed() >= FRESH)
    }

    /// Returns the state of the store.
    pub fn state(&self) -> StoreState {
        let signs = self.signs();
        let waits = signs.begun.iter().flatten().map(Instant::elapsed).max().filter(|waits| *waits >= ANSWERS_WITHIN);
        match (&signs.failing, waits) {
            (_, Some(waits)) => StoreState::Silent(waits),
            (Some(failing), None) => StoreState::Fails {
                since: failing.since.elapsed(),
                failures: failing.failures,
                error: failing.error.clone(),
            },
            (None, None) => StoreState::Writes,
        }
    }
}

/// Results of the last tries of one kind.
#[derive(Debug, Default)]
struct Tries(VecDeque<(Instant, Option<String>)>);

/// Results of the last minutes' tries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Number of accepted tries.
    pub accepted: usize,
    /// Number of tries that were refused or got no answer.
    pub refused: usize,
    /// Reason of the last refused try.
    pub reason: Option<String>,
}

impl Lately {
    /// Returns whether the tries go well; true while there were too few to tell.
    pub fn is_well(&self) -> bool {
        self.accepted > 0 || self.refused < REFUSED_MIN
    }
}

impl Tries {
    fn ended(&mut self, refused: Option<String>) {
        if self.0.len() >= TRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), refused));
    }

    fn lately(&self) -> Lately {
        let mut lately = Lately::default();
        for (_, refused) in self.0.iter().filter(|(at, _)| at.elapsed() < TRIES_FOR) {
            match refused {
                None => lately.accepted += 1,
                Some(reason) => {
                    lately.refused += 1;
                    lately.reason = Some(reason.clone());
                }
            }
        }
        lately
    }
}

/// Results of the last sends to Telegram, and of the last calls to each provider.
#[derive(Debug, Default)]
pub struct Vitals {
    sends: Mutex<Tries>,
    models: Mutex<BTreeMap<String, Tries>>,
}

impl Vitals {
    /// Records that Telegram took a message, or the reason why it refused.
    pub fn send_ended(&self, refused: Option<String>) {
        self.sends.lock().unwrap_or_else(PoisonError::into_inner).ended(refused);
    }

    /// Returns the results of the last sends.
    pub fn sends(&self) -> Lately {
        self.sends.lock().unwrap_or_else(PoisonError::into_inner).lately()
    }

    /// Records that a call to that provider succeeded, or the reason why it failed.
    pub fn call_ended(&self, provider: &str, failed: Option<String>) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tries) = models.get_mut(provider) {
            return tries.ended(failed);
        }
        models.entry(provider.to_owned()).or_default().ended(failed);
    }

    /// Returns the results of the last calls to that provider.
    pub fn models(&self, provider: &str) -> Lately {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(provider).map(Tries::lately).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::actors::node::vitals::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn full() -> StoreError {
        StoreError::Unavailable("database or disk is full".to_owned())
    }

    async fn written(signs: &StoreSigns, write: Write, failed: Option<&StoreError>) {
        signs.begins(write);
        tokio::time::advance(SECOND).await;
        signs.ended(write, failed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_commits_fails_although_a_probe_goes_well() {
        let signs = StoreSigns::default();
        written(&signs, Write::Commit, None).await;
        assert_eq!(signs.state(), StoreState::Writes);
        written(&signs, Write::Commit, Some(&full())).await;
        written(&signs, Write::Probe, None).await;
        written(&signs, Write::Commit, Some(&full())).await;
        let error = full().to_string();
        assert_eq!(signs.state(), StoreState::Fails { since: 2 * SECOND, failures: 2, error });
        written(&signs, Write::Commit, None).await;
        assert_eq!(signs.state(), StoreState::Writes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_heals_what_nobody_tried_again() {
        let signs = StoreSigns::default();
        written(&signs, Write::Probe, Some(&full())).await;
        assert_ne!(signs.state(), StoreState::Writes);
        written(&signs, Write::Probe, None).await;
        assert_eq!(signs.state(), StoreState::Writes, "no commit has failed");
        written(&signs, Write::Commit, Some(&full())).await;
        tokio::time::advance(FORGIVEN_AFTER).await;
        written(&signs, Write::Probe, None).await;
        assert_eq!(signs.state(), StoreState::Writes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_of_which_nothing_was_written_heals_nothing() {
        let signs = StoreSigns::default();
        written(&signs, Write::Commit, Some(&full())).await;
        signs.begins(Write::Commit);
        signs.abstained(Write::Commit);
        assert!(matches!(signs.state(), StoreState::Fails { failures: 1, .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_is_silent() {
        let signs = StoreSigns::default();
        assert!(signs.is_quiet());
        signs.begins(Write::Probe);
        assert!(!signs.is_quiet() && signs.state() == StoreState::Writes);
        tokio::time::advance(3 * SECOND).await;
        assert_eq!(signs.state(), StoreState::Silent(3 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn three_refused_sends_and_none_accepted_are_not_well() {
        let vitals = Vitals::default();
        vitals.send_ended(Some("forbidden".to_owned()));
        vitals.send_ended(Some("forbidden".to_owned()));
        assert!(vitals.sends().is_well());
        vitals.send_ended(Some("rejected (400)".to_owned()));
        let lately = vitals.sends();
        assert_eq!((lately.is_well(), lately.refused, lately.reason.as_deref()), (false, 3, Some("rejected (400)")));
        vitals.send_ended(None);
        assert!(vitals.sends().is_well() && vitals.models("sim").is_well());
        tokio::time::advance(TRIES_FOR).await;
        assert_eq!(vitals.sends(), Lately::default());
    }
}
