//! Remembers who stands behind sessions and keys. Layer `operate`. Keeps I12.
//!
//! Each change of accounts has a number. A request that comes half a second after the last look reads the number; another number
//! than the known one forgets everybody. So a change on another node counts within a second, without any hint.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use botfleet_actors::domain::operators::{Operator, OperatorKey, OperatorSession};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::clock::Clock;
use botfleet_actors::ports::operators::Operators;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::token;
use crate::operate::context::Context;
use crate::operate::failure::{Code, Failure};
use crate::operate::principal::{Identity, Principal, Proof};

/// Time for which the number of the accounts is believed.
const BELIEVED_FOR: Duration = Duration::from_millis(400);

/// Number of proofs that are looked up at a time, so that wrong ones leave readers of the store to others.
const LOOKUPS: usize = 2;

/// Most time to wait for a lookup.
const LOOKUP_WITHIN: Duration = Duration::from_secs(2);

/// Time after the last request when a session ends, in milliseconds.
pub const IDLE_MS: i64 = 30 * 60 * 1000;

/// Time after the sign-in when a session ends, in milliseconds.
pub const LASTS_MS: i64 = 12 * 60 * 60 * 1000;

/// Interval at which the last request is noted, in milliseconds.
const NOTED_EVERY_MS: i64 = 60 * 1000;

/// Most sessions and keys that are remembered; beyond that all are forgotten, and read again.
const REMEMBERED_MAX: usize = 10_000;

/// The proof that a request carries.
#[derive(Clone, Debug)]
pub enum Sent {
    /// None.
    Nothing,
    /// The request came through the local socket.
    Local,
    /// The token of a session.
    Session(SecretString),
    /// An API key.
    Key(SecretString),
}

/// The place of a proof in the memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Slot {
    /// The hash of a session's token.
    Session(String),
    /// The public part of a key, and the hash of its secret.
    Key(String, String),
}

#[derive(Debug)]
struct Remembered {
    identity: Arc<Identity>,
    /// Instants at which it ends: of its own, and because nobody uses it.
    ends_at: Option<Timestamp>,
    idles: bool,
    seen_at: AtomicI64,
    networks: Vec<IpNet>,
}

#[derive(Debug, Default)]
struct Memory {
    number: i64,
    looked_at: Option<Instant>,
    /// The last look that failed.
    failed_at: Option<Instant>,
    /// By the kind of the proof and its hash: a session is no key, whatever its hash.
    by_proof: HashMap<Slot, Arc<Remembered>>,
}

/// Tells who stands behind a session or a key.
pub struct Known {
    store: Arc<dyn Operators>,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
    look: tokio::sync::Mutex<()>,
    /// Held while a proof that is not remembered is looked up.
    lookups: Semaphore,
    local: Arc<Identity>,
    stranger: Arc<Identity>,
}

impl Known {
    /// Creates the memory, empty.
    pub fn new(store: Arc<dyn Operators>, clock: Arc<dyn Clock>) -> Self {
        let (local, stranger) = (Arc::new(Identity::local()), Arc::new(Identity::stranger()));
        Self {
            store,
            clock,
            memory: Mutex::default(),
            look: tokio::sync::Mutex::default(),
            lookups: Semaphore::new(LOOKUPS),
            local,
            stranger,
        }
    }

    /// Returns the principal of a request. A request that is `active` keeps a session alive.
    ///
    /// # Errors
    /// `Unauthenticated` when the session or the key is unknown or over; `Unavailable` when the store does not answer.
    pub async fn principal(&self, sent: &Sent, context: Context, active: bool) -> Result<Principal, Failure> {
        let identity = match sent {
            Sent::Nothing => Arc::clone(&self.stranger),
            Sent::Local => Arc::clone(&self.local),
            Sent::Session(token) => self.of_session(token, context.at, active).await?,
            Sent::Key(key) => self.of_key(key, context.address, context.at, active).await?,
        };
        Ok(Principal::new(identity, context))
    }

    /// Returns whether a principal may still go on: its session or key is as it was when it was granted something.
    ///
    /// # Errors
    /// `Unavailable` when the store does not tell.
    pub async fn is_still(&self, sent: &Sent, principal: &Principal) -> Result<bool, Failure> {
        let context = Context { at: self.clock.now(), ..principal.context().clone() };
        match self.principal(sent, context, false).await {
            Ok(now) => Ok(now.identity().grants == principal.identity().grants),
            Err(failure) if failure.code == Code::Unauthenticated => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Returns whether whoever sent that was looked up before, so that the store is not asked for them.
    pub fn remembers(&self, sent: &Sent) -> bool {
        let slot = match sent {
            Sent::Nothing | Sent::Local => return true,
            Sent::Session(token) => Slot::Session(token::hash(token.expose_secret())),
            Sent::Key(key) => match token::read_key(key) {
                Some(key) => Slot::Key(key.id, key.hash),
                None => return false,
            },
        };
        self.memory().by_proof.contains_key(&slot)
    }

    /// Forgets everybody, after a change on this node.
    pub fn forget(&self) {
        let mut memory = self.memory();
        memory.by_proof.clear();
        memory.looked_at = None;
    }

    async fn of_session(&self, token: &SecretString, now: Timestamp, active: bool) -> Result<Arc<Identity>, Failure> {
        let unknown = || Failure::new(Code::Unauthenticated, "the session is over; sign in again");
        if !token::is_session(token.expose_secret()) {
            return Err(unknown());
        }
        let hash = token::hash(token.expose_secret());
        let slot = Slot::Session(hash.clone());
        let mut found = self.remembered(&slot).await?;
        // Another node may have seen the session since.
        if found.as_ref().is_some_and(|found| !found.is_awake(now)) {
            self.memory().by_proof.remove(&slot);
            found = None;
        }
        let found = if let Some(found) = found {
            found
        } else {
            let _room = self.lookup().await?;
            let before = self.memory().number;
            let (session, owner) = self.store.session(&hash).await?.ok_or_else(unknown)?;
            let found = of_stored_session(session, &owner).ok_or_else(unknown)?;
            self.remember(slot, found, before)
        };
        if !found.is_awake(now) || found.is_over(now) {
            return Err(unknown());
        }
        if active && found.is_to_be_noted(now) {
            self.store.see_session(&hash, now).await?;
        }
        Ok(Arc::clone(&found.identity))
    }

    async fn of_key(
        &self,
        key: &SecretString,
        from: Option<IpAddr>,
        now: Timestamp,
        active: bool,
    ) -> Result<Arc<Identity>, Failure> {
        let unknown = || Failure::new(Code::Unauthenticated, "the API key is not known here, or is over");
        let sent = token::read_key(key).ok_or_else(unknown)?;
        let slot = Slot::Key(sent.id.clone(), sent.hash.clone());
        let found = if let Some(found) = self.remembered(&slot).await? {
            found
        } else {
            let _room = self.lookup().await?;
            let before = self.memory().number;
            let (stored, owner) = self.store.key(&sent.id).await?.ok_or_else(unknown)?;
            let found = of_stored_key(stored, &owner, &sent.hash, now).ok_or_else(unknown)?;
            self.remember(slot, found, before)
        };
        let here = |networks: &[IpNet]| {
            networks.is_empty() || from.is_none_or(|from| networks.iter().any(|net| net.contains(&from.to_canonical())))
        };
        if found.is_over(now) || !here(&found.networks) {
            return Err(unknown());
        }
        if active && found.is_to_be_noted(now) {
            self.store.see_key(&sent.id, now).await?;
        }
        Ok(Arc::clone(&found.identity))
    }

    /// Waits for room to look a proof up. Whoever sends wrong proofs waits for others who do; the readers of the fleet stay free.
    async fn lookup(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let room = tokio::time::timeout(LOOKUP_WITHIN, self.lookups.acquire()).await;
        let busy = || Failure::new(Code::Unavailable, "too many unknown sessions and keys are looked up; try again");
        room.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Returns what is remembered of a proof, once it is certain that nothing has changed since.
    async fn remembered(&self, slot: &Slot) -> Result<Option<Arc<Remembered>>, Failure> {
        if !self.is_believed() {
            let arrived = Instant::now();
            let _one = self.look.lock().await;
            let since = |at: Option<Instant>| at.is_some_and(|at| at >= arrived);
            let (looked_meanwhile, failed_meanwhile) = {
                let memory = self.memory();
                (since(memory.looked_at), since(memory.failed_at))
            };
            if failed_meanwhile {
                // Whoever waited would otherwise wait for the store one after the other.
                return Err(Failure::new(Code::Unavailable, "the store does not answer"));
            }
            if !looked_meanwhile && !self.is_believed() {
                let began = Instant::now();
                let number = self.store.operators_number().await;
                let number = number.inspect_err(|_| self.memory().failed_at = Some(Instant::now()))?;
                let mut memory = self.memory();
                if memory.number != number {
                    memory.by_proof.clear();
                    memory.number = number;
                }
                memory.looked_at = Some(began);
            }
        }
        Ok(self.memory().by_proof.get(slot).cloned())
    }

    fn is_believed(&self) -> bool {
        self.memory().looked_at.is_some_and(|at| at.elapsed() < BELIEVED_FOR)
    }

    /// Remembers what was read while the accounts had the number `before`.
    fn remember(&self, slot: Slot, found: Remembered, before: i64) -> Arc<Remembered> {
        let found = Arc::new(found);
        let mut memory = self.memory();
        if memory.by_proof.len() >= REMEMBERED_MAX {
            memory.by_proof.clear();
        }
        if memory.number == before && memory.looked_at.is_some() {
            memory.by_proof.insert(slot, Arc::clone(&found));
        }
        found
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn is_awake(&self, now: Timestamp) -> bool {
        !self.idles || now.as_millis() - self.seen_at.load(Ordering::Relaxed) < IDLE_MS
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
    }

    /// Returns whether the last request is to be noted; true for one request a minute.
    fn is_to_be_noted(&self, now: Timestamp) -> bool {
        let (seen, now) = (self.seen_at.load(Ordering::Relaxed), now.as_millis());
        now - seen >= NOTED_EVERY_MS
            && self.seen_at.compare_exchange(seen, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn of_stored_session(session: OperatorSession, owner: &Operator) -> Option<Remembered> {
    let OperatorSession { id, handle, created_at, seen_at, confirmed_at, .. } = session;
    owner.disabled_at.is_none().then(|| Remembered {
        identity: Arc::new(Identity {
            name: owner.name.clone(),
            account: Some(owner.id),
            proof: Proof::Session { id, handle, confirmed_at },
            grants: owner.grants.clone(),
        }),
        ends_at: Some(Timestamp::from_millis(created_at.as_millis() + LASTS_MS)),
        idles: true,
        seen_at: AtomicI64::new(seen_at.as_millis()),
        networks: Vec::new(),
    })
}

fn of_stored_key(key: OperatorKey, owner: &Operator, hash: &str, now: Timestamp) -> Option<Remembered> {
    let same = |stored: &str| bool::from(stored.as_bytes().ct_eq(hash.as_bytes()));
    let old_until = key.old_until.filter(|until| *until > now);
    let by_old = old_until.is_some() && key.old_secret.as_deref().is_some_and(same);
    if owner.disabled_at.is_some() || !(same(&key.secret) || by_old) {
        return None;
    }
    let ends_at = if same(&key.secret) { key.expires_at } else { key.expires_at.into_iter().chain(old_until).min() };
    // A network that cannot be read would let everybody in.
    let networks = key.networks.iter().map(|net| net.parse().ok()).collect::<Option<Vec<IpNet>>>()?;
    Some(Remembered {
        identity: Arc::new(Identity {
            name: format!("{}/{}", owner.name, key.name),
            account: Some(owner.id),
            proof: Proof::Key(key.id),
            grants: owner.grants.and(&key.grants),
        }),
        ends_at,
        idles: false,
        seen_at: AtomicI64::new(key.used_at.map_or(0, Timestamp::as_millis)),
        networks,
    })
}
