//! Tells the health of a node by what its parts did lately. Layer `runtime`.
//!
//! A watch asks every part at short intervals, each under a deadline, and remembers the last answers. The health is
//! told within [`ANSWER_WITHIN`], whichever part hangs: for a part that does not answer in time the remembered answer
//! counts; once that is too old, the part is reported as one that does not answer.
//!
//! | part | is well when |
//! |---|---|
//! | `database` | the last write was taken, and none is under way for longer than 2 s; else the node is unhealthy |
//! | `committer` | its queue is not full |
//! | `telegram` | all bots get their updates, and sends are not stopped |
//! | `sends` | Telegram took one of the last messages, or refused fewer than three |
//! | `quarantined`, `refused`, `paused` | no actor is in quarantine, no token is refused, no bot is paused for long |
//! | `sealed` | no bot's token is sealed by a key that the node lacks |
//! | `provider NAME` | its breaker is closed, a key is usable, and it answered one of the last calls, or its probe |
//! | `redis` | it is connected; only where one is set |
//! | `clock` | Telegram's time is within 30 s of the database's |
//! | `disk` | where the store is a file: there is room beside it |
//! | `budgets` | none is spent |
//!
//! This file is longer than others, so that the short functions, one for each part of the table, are read side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use botfleet_actors::actors::bot::messages::BotMsg;
use botfleet_actors::actors::bot::snapshot::{BotHealth, BotSnapshot};
use botfleet_actors::actors::fleet::messages::FleetMsg;
use botfleet_actors::actors::fleet::snapshot::FleetSnapshot;
use botfleet_actors::actors::node::Node;
use botfleet_actors::actors::node::vitals::{StoreState, Write};
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::actors::provider::snapshot::ProviderSnapshot;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::ownership::Lease;
use botfleet_actors::domain::silence::Silence;
use botfleet_actors::policy::breaker::BreakerState;
use botfleet_actors::policy::hush::Hush;
use botfleet_actors::ports::llm::LlmProvider;
use botfleet_actors::ports::store::StoreError;
use futures::future::join_all;
use ractor::{ActorRef, Message, RpcReplyPort};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::view::{Check, Health};
use crate::telegram::client::TelegramClient;

/// Most time for the parts to answer when somebody asks for the health; the health is told a little later.
const ANSWER_WITHIN: Duration = Duration::from_millis(60);

/// Interval of the watch's looks; `LOOK_WITHIN` is the most time for each part's answer.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_WITHIN: Duration = Duration::from_millis(500);

/// Number of looks of which one asks the bots, while all of them poll: questions are most of what an idle fleet does.
const LOOKS_A_QUESTION: u32 = 3;

/// Time for which a part's answer is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(15);

/// Name of the check that all bots poll.
const TELEGRAM: &str = "telegram";

/// Most time of a provider's probe; `PROBE_AGAIN` is the pause before a provider that failed is probed again.
const PROBE_WITHIN: Duration = Duration::from_secs(5);
const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// Most time for the store to say whether it can write, which it is asked when nothing was written for a while.
const STORE_PROBE_WITHIN: Duration = Duration::from_secs(30);

/// Seconds of a pause of Telegram, above which a person should look.
const LONG_PAUSE_S: u64 = 600;

/// Milliseconds between Telegram's clock and this one, above which this one is wrong.
const CLOCK_OFF_MS: i64 = 30_000;

/// Least room beside the store; less is little.
const ROOM_MIN_BYTES: u64 = 64 * 1024 * 1024;

/// The adapters of providers, by name.
pub(super) type Providers = Vec<(String, Arc<dyn LlmProvider>)>;

/// Watches the parts of a node, and remembers their answers.
pub(super) struct HealthWatch {
    node: Arc<Node>,
    fleet: ActorRef<FleetMsg>,
    telegram: TelegramClient,
    providers: RwLock<Providers>,
    /// Folder of the store's file.
    folder: Option<PathBuf>,
    /// Set when there is a Redis.
    redis: bool,
    since: Instant,
    known: Mutex<Known>,
    /// Set once the node is ending: a part that stands still then is meant to.
    stopping: AtomicBool,
    /// Becomes true when the first probes of the providers are over.
    probed: watch::Sender<bool>,
}

#[derive(Default)]
struct Known {
    bots: BTreeMap<BotId, Told<BotSnapshot>>,
    providers: BTreeMap<String, Told<ProviderSnapshot>>,
    fleet: Option<Told<FleetSnapshot>>,
    /// Results of probes by provider: nothing, or the reason why the provider does not answer.
    probes: BTreeMap<String, Option<String>>,
    /// Budgets that are spent.
    spent: Vec<String>,
    hush: Hush,
}

struct Told<T> {
    what: T,
    at: Instant,
}

impl<T> Told<T> {
    fn now(what: T) -> Self {
        Self { what, at: Instant::now() }
    }

    fn is_believed(&self) -> bool {
        self.at.elapsed() < BELIEVED_FOR
    }
}

/// The parts of a node to watch, besides its actors.
pub(super) struct Watched {
    pub(super) telegram: TelegramClient,
    pub(super) providers: Providers,
    pub(super) folder: Option<PathBuf>,
    pub(super) redis: bool,
}

/// Asks an actor, under a deadline.
async fn ask<M: Message, T: Send + 'static>(
    actor: ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<T>) -> M,
    within: Duration,
) -> Option<T> {
    match actor.call(question, Some(within)).await {
        Ok(ractor::rpc::CallResult::Success(answer)) => Some(answer),
        _ => None,
    }
}

impl HealthWatch {
    pub(super) fn new(node: Arc<Node>, fleet: ActorRef<FleetMsg>, watched: Watched) -> Self {
        let Watched { telegram, providers, folder, redis } = watched;
        let (since, known, probed) = (Instant::now(), Mutex::default(), watch::Sender::new(providers.is_empty()));
        let stopping = AtomicBool::new(false);
        let providers = RwLock::new(providers);
        Self { node, fleet, telegram, providers, folder, redis, since, known, stopping, probed }
    }

    /// Ends all reports, since the node is ending.
    pub(super) fn fall_silent(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Watches other providers from now on. Those that are set anew are asked anew.
    pub(super) fn set_providers(&self, providers: Providers) {
        // In this order, as everywhere: what is known, then the providers.
        let mut known = self.known();
        let mut before = self.providers.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = |name: &str, llm: &Arc<dyn LlmProvider>| {
            before.iter().any(|(known, old)| known == name && Arc::ptr_eq(old, llm))
        };
        let kept: Vec<&str> =
            providers.iter().filter(|(name, llm)| is_same(name, llm)).map(|(name, _)| name.as_str()).collect();
        known.probes.retain(|name, _| kept.contains(&name.as_str()));
        known.providers.retain(|name, _| kept.contains(&name.as_str()));
        *before = providers;
    }

    fn providers(&self) -> Providers {
        self.providers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches for ever; calls `heard` after every look.
    pub(super) async fn run(self: Arc<Self>, heard: impl Fn(&Health) + Send) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let probes = Arc::clone(&self).probe_providers();
        let store = Arc::clone(&self).probe_store();
        let looks = async {
            let mut looked: u32 = 0;
            let mut all_poll = false;
            loop {
                every.tick().await;
                self.look(LOOK_WITHIN, !all_poll || looked.is_multiple_of(LOOKS_A_QUESTION)).await;
                looked = looked.wrapping_add(1);
                self.look_at_budgets().await;
                let health = self.report();
                all_poll = health.checks.iter().any(|check| check.name == TELEGRAM && check.ok);
                if !self.stopping.load(Ordering::Acquire) {
                    self.tell(&health);
                    heard(&health);
                }
            }
        };
        tokio::join!(probes, store, looks);
    }

    /// Asks all actors, and returns the health.
    pub(super) async fn health(&self) -> Health {
        self.look(ANSWER_WITHIN, true).await;
        self.report()
    }

    /// Returns whether the store takes writes, as far as its last ones tell.
    pub(super) fn store_writes(&self) -> bool {
        self.node.committer.signs.state() == StoreState::Writes
    }

    /// Returns the reason why nobody can speak for want of a model; waits at most `within` until all providers were
    /// asked.
    pub(super) async fn mute(&self, within: Duration) -> Option<String> {
        let mut probed = self.probed.subscribe();
        let _ = timeout(within, probed.wait_for(|probed| *probed)).await;
        let known = self.known();
        let providers = self.providers();
        let silent: Vec<String> =
            providers.iter().filter_map(|(name, _)| Some(format!("{name}: {}", self.silence(&known, name)?))).collect();
        (!silent.is_empty() && silent.len() == providers.len())
            .then(|| format!("no provider answers ({})", silent.join("; ")))
    }

    /// Returns the reason why a provider counts as one that does not answer.
    fn silence(&self, known: &Known, name: &str) -> Option<String> {
        let calls = self.node.vitals.models(name);
        if calls.accepted > 0 {
            return None;
        }
        calls.reason.or_else(|| known.probes.get(name).cloned().flatten())
    }

    async fn probe_providers(self: Arc<Self>) {
        loop {
            let due: Vec<_> = {
                let known = self.known();
                let unheard = |name: &str| known.probes.get(name).is_none_or(Option::is_some);
                self.providers().into_iter().filter(|(name, _)| unheard(name)).collect()
            };
            let this = &*self;
            let asked = due.into_iter().map(|(name, llm)| async move {
                let said = match timeout(PROBE_WITHIN, llm.probe()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some(format!("no answer within {} s", PROBE_WITHIN.as_secs())),
                };
                let before = this.known().probes.insert(name.clone(), said.clone());
                match (before, said) {
                    (None, Some(reason)) => tracing::warn!(provider = %name, reason, "the provider does not answer"),
                    (Some(Some(_)), None) => tracing::info!(provider = %name, "the provider answers"),
                    _ => {}
                }
            });
            join_all(asked).await;
            if !self.probed.send_replace(true)
                && let Some(reason) = self.mute(Duration::ZERO).await
            {
                tracing::warn!(reason, "nobody can speak");
            }
            tokio::time::sleep(PROBE_AGAIN).await;
        }
    }

    /// Asks a quiet store whether it can write.
    async fn probe_store(self: Arc<Self>) {
        let signs = &self.node.committer.signs;
        loop {
            if signs.is_quiet() {
                signs.begins(Write::Probe);
                let late = |_| StoreError::Unavailable(format!("no answer within {} s", STORE_PROBE_WITHIN.as_secs()));
                let asked = timeout(STORE_PROBE_WITHIN, self.node.store.check()).await.map_err(late);
                signs.ended(Write::Probe, asked.and_then(|asked| asked).err().as_ref());
            }
            tokio::time::sleep(LOOK_EVERY / 2).await;
        }
    }

    /// Asks all actors for their snapshots, at once; bots only if wanted.
    async fn look(&self, within: Duration, ask_bots: bool) {
        let directory = &self.node.directory;
        let bots = if ask_bots { directory.live_bots() } else { Vec::new() };
        let providers = directory.live_providers();
        let bots = bots.into_iter().map(|(id, bot)| async move {
            let told = ask(bot, BotMsg::GetSnapshot, within).await?;
            Some((id, told))
        });
        let providers = providers.into_iter().map(|(_, provider)| ask(provider, ProviderMsg::GetSnapshot, within));
        let fleet = ask(self.fleet.clone(), FleetMsg::GetSnapshot, within);
        let (told_bots, told_providers, fleet) = tokio::join!(join_all(bots), join_all(providers), fleet);
        let mut known = self.known();
        known.bots.retain(|id, _| directory.bot(*id).is_some());
        known.bots.extend(told_bots.into_iter().flatten().map(|(id, bot)| (id, Told::now(bot))));
        let named = told_providers.into_iter().flatten().map(|provider| (provider.name.clone(), Told::now(provider)));
        known.providers.extend(named);
        known.fleet = fleet.map(Told::now).or(known.fleet.take());
    }

    async fn look_at_budgets(&self) {
        let node = &self.node;
        if let Ok(Ok(stored)) = timeout(LOOK_WITHIN, node.store.allowances()).await {
            let budgets = node.treasury.snapshot(&stored, node.clock.now());
            let spent = budgets.iter().filter(|budget| budget.used >= budget.limit);
            self.known().spent = spent.map(|budget| budget.budget.to_string()).collect();
        }
    }

    /// Builds the health from what is known now.
    fn report(&self) -> Health {
        let known = self.known();
        let mut checks = vec![self.database(), self.committer(), self.polls(&known), self.sends()];
        checks.extend(bots(&known));
        checks.push(self.sealed());
        checks.extend(self.providers().iter().map(|(name, _)| self.provider(&known, name)));
        if self.redis {
            checks.push(check(
                "redis",
                (!self.node.bus.is_up()).then(|| "it is not connected: only hints are late".to_owned()),
            ));
        }
        checks.push(self.clock());
        checks.extend(self.disk());
        let spent = (!known.spent.is_empty()).then(|| format!("spent: {}", known.spent.join(", ")));
        checks.push(check("budgets", spent));
        let status = match (checks[0].ok, checks.iter().all(|check| check.ok)) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        Health { status, version: env!("CARGO_PKG_VERSION"), uptime_seconds: self.since.elapsed().as_secs(), checks }
    }

    fn database(&self) -> Check {
        let wrong = match self.node.committer.signs.state() {
            StoreState::Writes => None,
            StoreState::Fails { since, failures, error } => {
                Some(format!("takes no writes for {} s ({failures} failed): {error}", since.as_secs()))
            }
            StoreState::Silent(waits) => Some(format!("does not answer for {} s", waits.as_secs())),
        };
        check("database", wrong)
    }

    fn committer(&self) -> Check {
        let full = self.node.committer.is_saturated();
        check("committer", full.then(|| "its queue is full: sources of work wait".to_owned()))
    }

    fn polls(&self, known: &Known) -> Check {
        let bots = share(&self.node, "bot").unwrap_or_else(|| self.node.directory.known().bots.len());
        let gets = |bot: &&Told<BotSnapshot>| bot.what.health.gets_updates();
        let polling = known.bots.values().filter(|bot| bot.is_believed()).filter(gets).count();
        let silent = known.bots.values().filter(|bot| !bot.is_believed()).count();
        let goes = self.telegram.sends_go();
        let mut detail = format!("{polling} of {bots} bots poll");
        if silent > 0 {
            let _ = write!(detail, ", {silent} do not answer");
        }
        if !goes {
            detail.push_str("; sends are stopped: it does not answer");
        }
        Check { name: TELEGRAM.to_owned(), ok: polling >= bots && goes, detail: Some(detail) }
    }

    fn sends(&self) -> Check {
        let sends = self.node.vitals.sends();
        let mut detail = format!("{} accepted, {} refused lately", sends.accepted, sends.refused);
        if let Some(reason) = &sends.reason {
            let _ = write!(detail, ", the last one: {reason}");
        }
        Check { name: "sends".to_owned(), ok: sends.is_well(), detail: Some(detail) }
    }

    fn provider(&self, known: &Known, name: &str) -> Check {
        let mut wrong = Vec::new();
        match known.providers.get(name) {
            Some(told) if told.is_believed() => match told.what.out_of_order() {
                Some(why) => wrong.push(why),
                None if told.what.breaker != BreakerState::Closed => wrong.push("its breaker is open".to_owned()),
                None => {}
            },
            Some(_) => wrong.push("its actor does not answer".to_owned()),
            None => {}
        }
        let calls = self.node.vitals.models(name);
        if !calls.is_well() {
            wrong.push(format!("{} calls failed, none went well: {}", calls.refused, calls.reason.unwrap_or_default()));
        } else if let Some(Some(reason)) = known.probes.get(name).filter(|_| calls.accepted == 0) {
            wrong.push(format!("does not answer: {reason}"));
        }
        check(&format!("provider {name}"), (!wrong.is_empty()).then(|| wrong.join("; ")))
    }

    /// Checks that no bot of this node has a sealed token that the node cannot open.
    fn sealed(&self) -> Check {
        let silent = self.node.voices.silent_bots(self.node.clock.now());
        let sealed = silent.into_iter().filter(|(_, why)| *why == Silence::Sealed);
        let names = sealed.filter_map(|(bot, _)| Some(self.node.directory.bot_profile(bot)?.spec.name.clone()));
        let names: Vec<String> = names.collect();
        check("sealed", (!names.is_empty()).then(|| format!("this node lacks the key of {}", names.join(", "))))
    }

    fn clock(&self) -> Check {
        let ahead = self.node.clock.telegram_ahead();
        let side = if ahead > 0 { "behind" } else { "ahead of" };
        let wrong = (ahead.abs() > CLOCK_OFF_MS)
            .then(|| format!("{} s {side} Telegram's: set it right", ahead.unsigned_abs() / 1000));
        check("clock", wrong)
    }

    fn disk(&self) -> Option<Check> {
        let room = rustix::fs::statvfs(self.folder.as_deref()?).ok()?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let wrong = (free < ROOM_MIN_BYTES).then(|| format!("{} MiB are left beside the database", free / 1024 / 1024));
        Some(check("disk", wrong))
    }

    /// Logs once a minute the parts that are not well, and logs when all are well again.
    fn tell(&self, health: &Health) {
        let mut known = self.known();
        if health.status == "healthy" {
            if known.hush.over().is_some() {
                tracing::info!("the node is healthy again");
            }
            return;
        }
        // While bots begin, nothing is wrong yet.
        if self.since.elapsed() < BELIEVED_FOR && health.status != "unhealthy" {
            return;
        }
        if known.hush.happened().is_some() {
            let parts: Vec<String> = health.checks.iter().filter(|check| !check.ok).map(Check::line).collect();
            tracing::warn!(status = health.status, parts = parts.join("; "), "not all is well");
        }
    }
}

fn check(name: &str, wrong: Option<String>) -> Check {
    Check { name: name.to_owned(), ok: wrong.is_none(), detail: wrong }
}

/// Checks for children in quarantine, and for bots that a person must look after.
fn bots(known: &Known) -> [Check; 3] {
    let mut quarantined = Vec::new();
    if let Some(fleet) = &known.fleet {
        quarantined.extend(fleet.what.quarantined.iter().map(|child| child.actor.clone()));
        if !fleet.is_believed() {
            quarantined.push("the fleet's root does not answer".to_owned());
        }
    }
    let named = |name: &str, which: fn(&BotSnapshot) -> bool| {
        let bots = known.bots.values().map(|bot| &bot.what).filter(|bot| which(bot));
        let names: Vec<&str> = bots.map(|bot| bot.name.as_str()).collect();
        check(name, (!names.is_empty()).then(|| format!("a person must look after {}", names.join(", "))))
    };
    [
        check("quarantined", (!quarantined.is_empty()).then(|| quarantined.join(", "))),
        named("refused", |bot| matches!(bot.health, BotHealth::Refused(_))),
        named("paused", |bot| bot.paused_seconds.is_some_and(|seconds| seconds > LONG_PAUSE_S)),
    ]
}

/// Returns the number of leases of a kind that this node owns or is about to own; `None` where one process owns
/// everything.
pub(super) fn share(node: &Node, kind: &str) -> Option<usize> {
    let (picture, me) = (node.leases.picture()?, Some(node.me));
    let mine = |of: &&Lease| of.key.kind() == kind && of.desired.or(of.owner) == me;
    Some(picture.leases.iter().filter(mine).count())
}
