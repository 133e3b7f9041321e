//! Keeps the schedule of faults in force, and counts the faults that have struck. Layer: world.
//!
//! Invariant: a fault is in the count and in the ledger before it has its effect.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Instant;

use super::World;
use crate::ledger::LedgerEvent;
use crate::telegram::faults::{Fault, Target, TelegramFaults};

/// The schedule of faults in force.
#[derive(Debug)]
pub(crate) struct Disturbance {
    faults: TelegramFaults,
    set_at: Instant,
    looked_at: Vec<u64>,
    injected: BTreeMap<String, u64>,
}

impl Disturbance {
    pub(crate) fn none() -> Self {
        Self {
            faults: TelegramFaults::default(),
            set_at: Instant::now(),
            looked_at: Vec::new(),
            injected: BTreeMap::new(),
        }
    }
}

impl World {
    /// Puts a schedule of faults in force from now on; it replaces the schedule set before.
    pub fn set_faults(&self, faults: TelegramFaults) {
        let mut disturbance = self.disturbance();
        disturbance.faults = faults;
        disturbance.set_at = Instant::now();
        disturbance.looked_at.clear();
    }

    /// Ends all faults; the counts stay.
    pub fn clear_faults(&self) {
        self.set_faults(TelegramFaults::default());
    }

    /// Returns the schedule in force.
    pub fn faults(&self) -> TelegramFaults {
        self.disturbance().faults.clone()
    }

    /// Returns how many faults have struck since the world's start, by the name of their kind.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        self.disturbance().injected.clone()
    }

    /// Decides whether a fault strikes a call of `method`, or (without a method) a delivery to a webhook.
    pub(crate) fn fault_for(&self, bot: i64, chat: Option<i64>, method: Option<&str>) -> Option<Fault> {
        let mut guard = self.disturbance();
        let disturbance = &mut *guard;
        if disturbance.faults.rules.is_empty() {
            return None;
        }
        let at_ms = disturbance.set_at.elapsed().as_millis() as u64;
        let target = Target { bot, chat, method, at_ms };
        let fault = disturbance.faults.decide(&mut disturbance.looked_at, target)?;
        *disturbance.injected.entry(fault.kind.as_str().to_owned()).or_default() += 1;
        Some(fault)
    }

    /// Records in the ledger a fault that strikes.
    pub(crate) fn record_fault(&self, bot: i64, method: &str, fault: Fault, send: Option<u64>) {
        let kind = fault.kind.as_str().to_owned();
        self.ledger().record(LedgerEvent::FaultInjected { bot, method: method.to_owned(), kind, send });
    }

    fn disturbance(&self) -> std::sync::MutexGuard<'_, Disturbance> {
        self.disturbance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
