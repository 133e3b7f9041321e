//! The allowances of this node: what it took from budgets, reserved and spent in memory. Layer `policy`.
//!
//! A call reserves its bound from every budget that it falls under, all or none, before it is made; afterwards what
//! it did not use comes back. When memory does not hold enough, the caller takes from the store, books it here and
//! reserves again. While calls under way may give back what is missing, the caller waits for them. What a reservation
//! is dropped with counts as spent. Times are arguments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use serde::Serialize;

use crate::domain::allowance::{AllowanceKey, Budget, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit};
use crate::domain::commit::operation::{ReturnAllowance, TakeAllowance};
use crate::domain::ids::{BotId, ChatId};
use crate::domain::time::Timestamp;

/// Below this part of a block the next one is taken ahead: 1 / this.
const AHEAD_PART: i64 = 2;

/// What a call costs, or may cost at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens of prompt and answer.
    pub tokens: i64,
    /// Billionths of the money's unit.
    pub nanos: i64,
}

impl Cost {
    fn of(self, unit: BudgetUnit) -> i64 {
        match unit {
            BudgetUnit::Tokens => self.tokens,
            BudgetUnit::Money => self.nanos,
        }
    }
}

/// What this node has of one budget.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    start: Timestamp,
    /// What all nodes took in this period, as last heard.
    granted: i64,
    /// What was taken here and is neither reserved nor spent; below zero when a call cost more than its bound.
    free: i64,
    /// What calls under way may cost at most.
    reserved: i64,
    /// The store has not so much any more.
    lacks: Option<i64>,
    /// The store gives nothing ahead any more.
    lean: bool,
}

/// How a wish to reserve ended.
#[derive(Debug)]
pub enum Reserve {
    /// It is reserved; these blocks had better be taken now, since little is left.
    Reserved(Reservation, Vec<TakeAllowance>),
    /// Take these from the store, book them, and ask again.
    Short(Vec<TakeAllowance>),
    /// Calls under way hold it, and may give some back.
    Busy,
    /// This budget does not have it.
    Exhausted(BudgetKey),
}

/// A budget as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetSnapshot {
    /// Whose, of what, for how long.
    #[serde(flatten)]
    pub budget: BudgetKey,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: Timestamp,
    /// Spent, reserved or forfeited in this period: tokens, or units of money.
    pub used: f64,
    /// Most in this period.
    pub limit: f64,
}

/// The node's allowances.
#[derive(Debug, Default)]
pub struct Treasury {
    budgets: RwLock<HashMap<BudgetKey, Budget>>,
    accounts: Mutex<HashMap<BudgetKey, Account>>,
}

impl Treasury {
    /// A treasury under these budgets.
    pub fn new(budgets: impl IntoIterator<Item = Budget>) -> Self {
        let treasury = Self::default();
        treasury.set(budgets);
        treasury
    }

    /// Puts these budgets in force. What was taken from those that stay is kept.
    pub fn set(&self, budgets: impl IntoIterator<Item = Budget>) {
        let budgets = budgets.into_iter().map(|budget| (budget.key, budget)).collect();
        *self.budgets.write().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    fn budgets(&self) -> RwLockReadGuard<'_, HashMap<BudgetKey, Budget>> {
        self.budgets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves `bound` for a call of `bot` in `chat`.
    pub fn reserve(self: &Arc<Self>, bot: BotId, chat: ChatId, bound: Cost, now: Timestamp) -> Reserve {
        let lines = self.lines(bot, chat, bound);
        if lines.is_empty() {
            return Reserve::Reserved(Reservation { treasury: Arc::clone(self), lines: Vec::new() }, Vec::new());
        }
        let mut accounts = self.accounts();
        let (mut short, mut busy) = (Vec::new(), false);
        for (budget, amount) in &lines {
            let account = current(&mut accounts, budget.key, now);
            let need = amount - account.free;
            if need <= 0 {
                continue;
            }
            if *amount > budget.limit {
                return Reserve::Exhausted(budget.key);
            }
            if account.lacks.is_none_or(|lacks| need < lacks) {
                short.push(take(budget, need, now));
            } else if account.reserved >= need {
                busy = true;
            } else {
                return Reserve::Exhausted(budget.key);
            }
        }
        if busy {
            return Reserve::Busy;
        }
        if !short.is_empty() {
            return Reserve::Short(short);
        }
        let mut ahead = Vec::new();
        for (budget, amount) in &lines {
            let account = current(&mut accounts, budget.key, now);
            account.free -= amount;
            account.reserved += amount;
            if account.free < budget.block() / AHEAD_PART && !account.lean {
                // Until the answer is booked, nobody else looks ahead.
                account.lean = true;
                ahead.push(take(budget, 0, now));
            }
        }
        let lines = lines.into_iter().map(|(budget, amount)| (AllowanceKey::at(budget.key, now), amount)).collect();
        Reserve::Reserved(Reservation { treasury: Arc::clone(self), lines }, ahead)
    }

    /// Notes what the store gave; `taken` is zero when it gave nothing.
    pub fn book(&self, order: &TakeAllowance, taken: i64, granted: i64) {
        let mut accounts = self.accounts();
        let account = accounts.entry(order.key.budget).or_default();
        if account.start != order.key.start {
            return;
        }
        account.granted = account.granted.max(granted);
        account.free += taken;
        if order.need == 0 {
            account.lean = taken == 0;
        } else {
            account.lacks = if taken == 0 { Some(order.need) } else { None };
        }
    }

    /// The store did not answer a look ahead.
    pub fn not_booked(&self, order: &TakeAllowance) {
        if let Some(account) = self.accounts().get_mut(&order.key.budget) {
            account.lean = false;
        }
    }

    /// Takes out everything that is neither reserved nor spent, to be given back to the store.
    pub fn give_back(&self) -> Vec<ReturnAllowance> {
        let mut accounts = self.accounts();
        let returned = accounts.iter_mut().filter(|(_, account)| account.free > 0).map(|(budget, account)| {
            account.granted -= account.free;
            let key = AllowanceKey { budget: *budget, start: account.start };
            ReturnAllowance { key, amount: std::mem::take(&mut account.free) }
        });
        returned.collect()
    }

    /// All budgets; `stored` is what the store knows to be taken.
    pub fn snapshot(&self, stored: &[(AllowanceKey, i64)], now: Timestamp) -> Vec<BudgetSnapshot> {
        let accounts = self.accounts();
        let mut budgets: Vec<Budget> = self.budgets().values().copied().collect();
        budgets.sort_by_key(|budget| budget.key);
        let shown = budgets.into_iter().map(|budget| {
            let key = AllowanceKey::at(budget.key, now);
            let account = accounts.get(&budget.key).filter(|account| account.start == key.start);
            let stored = stored.iter().find(|(other, _)| *other == key).map_or(0, |(_, granted)| *granted);
            let granted = account.map_or(0, |account| account.granted).max(stored);
            let used = granted - account.map_or(0, |account| account.free);
            let unit = budget.key.unit;
            BudgetSnapshot {
                budget: budget.key,
                since: key.start,
                used: unit.shown(used),
                limit: unit.shown(budget.limit),
            }
        });
        shown.collect()
    }

    /// The budgets that a call falls under, with what it needs of each.
    fn lines(&self, bot: BotId, chat: ChatId, bound: Cost) -> Vec<(Budget, i64)> {
        let mut lines = Vec::new();
        let budgets = self.budgets();
        if budgets.is_empty() {
            return lines;
        }
        for scope in [BudgetScope::Fleet, BudgetScope::Chat(chat), BudgetScope::Bot(bot)] {
            for unit in [BudgetUnit::Tokens, BudgetUnit::Money] {
                for per in [BudgetPeriod::Hour, BudgetPeriod::Day, BudgetPeriod::Total] {
                    if let Some(budget) = budgets.get(&BudgetKey { scope, unit, per }) {
                        lines.push((*budget, bound.of(unit)));
                    }
                }
            }
        }
        lines
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<BudgetKey, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account of the period that `now` lies in.
fn current(accounts: &mut HashMap<BudgetKey, Account>, key: BudgetKey, now: Timestamp) -> &mut Account {
    let start = key.per.start(now);
    let account = accounts.entry(key).or_default();
    if account.start != start {
        *account = Account { start, ..Account::default() };
    }
    account
}

fn take(budget: &Budget, need: i64, now: Timestamp) -> TakeAllowance {
    TakeAllowance { key: AllowanceKey::at(budget.key, now), limit: budget.limit, need, block: budget.block() }
}

/// What is reserved for one call; dropped, it counts as spent.
#[derive(Debug)]
pub struct Reservation {
    treasury: Arc<Treasury>,
    lines: Vec<(AllowanceKey, i64)>,
}

impl Reservation {
    /// The call cost this much.
    pub fn settle(mut self, cost: Cost) {
        self.end(Some(cost));
    }

    /// The call was not made, or is not billed.
    pub fn refund(self) {
        self.settle(Cost::default());
    }

    /// Ends it; without a cost it is all spent.
    fn end(&mut self, cost: Option<Cost>) {
        if self.lines.is_empty() {
            return;
        }
        let mut accounts = self.treasury.accounts();
        for (key, amount) in self.lines.drain(..) {
            let Some(account) = accounts.get_mut(&key.budget).filter(|account| account.start == key.start) else {
                continue;
            };
            account.reserved -= amount;
            account.free += amount - cost.map_or(amount, |cost| cost.of(key.budget.unit));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::allowance::grant;

    fn key(scope: BudgetScope, unit: BudgetUnit) -> BudgetKey {
        BudgetKey { scope, unit, per: BudgetPeriod::Day }
    }

    fn fleet(limit: i64) -> Budget {
        Budget { key: key(BudgetScope::Fleet, BudgetUnit::Tokens), limit }
    }

    fn tokens(tokens: i64) -> Cost {
        Cost { tokens, nanos: 0 }
    }

    /// A store's rows.
    #[derive(Default)]
    struct Rows(HashMap<AllowanceKey, i64>);

    impl Rows {
        fn fill(&mut self, treasury: &Treasury, orders: &[TakeAllowance]) {
            for order in orders {
                let granted = self.0.entry(order.key).or_default();
                let taken = grant(order.limit, *granted, order.need, order.block).unwrap_or(0);
                *granted += taken;
                treasury.book(order, taken, *granted);
            }
        }

        fn reserve(&mut self, treasury: &Arc<Treasury>, cost: Cost, at: Timestamp) -> Option<Reservation> {
            loop {
                match treasury.reserve(BotId(1), ChatId(2), cost, at) {
                    Reserve::Reserved(reservation, ahead) => {
                        self.fill(treasury, &ahead);
                        return Some(reservation);
                    }
                    Reserve::Short(orders) => self.fill(treasury, &orders),
                    Reserve::Busy | Reserve::Exhausted(_) => return None,
                }
            }
        }
    }

    fn noon() -> Timestamp {
        Timestamp::from_secs(1_790_000_000)
    }

    proptest! {
        /// The bound is reserved before the call, so what is billed never exceeds the budget: not with calls side by
        /// side, not over restarts, each of which forfeits what was in memory.
        #[test]
        fn what_is_billed_never_exceeds_the_budget(
            limit in 500i64..20_000,
            calls in prop::collection::vec((1i64..900, 0u8..=100, 0u8..20, any::<bool>()), 1..200)
        ) {
            let (mut rows, mut treasury) = (Rows::default(), Arc::new(Treasury::new([fleet(limit)])));
            let (mut billed, mut under_way) = (0, Vec::new());
            for (bound, percent, restart, finish) in calls {
                if let Some(reservation) = rows.reserve(&treasury, tokens(bound), noon()) {
                    let actual = bound * i64::from(percent) / 100;
                    billed += actual;
                    under_way.push((reservation, actual));
                }
                prop_assert!(billed <= limit);
                if finish && let Some((reservation, actual)) = under_way.pop() {
                    reservation.settle(tokens(actual));
                }
                if restart == 0 {
                    treasury = Arc::new(Treasury::new([fleet(limit)]));
                }
            }
        }
    }

    #[test]
    fn a_budget_is_used_to_its_end_and_each_budget_is_asked() {
        let small = Budget { key: key(BudgetScope::Bot(BotId(1)), BudgetUnit::Money), limit: 50 };
        let (mut rows, treasury) = (Rows::default(), Arc::new(Treasury::new([fleet(1_000), small])));
        let cost = Cost { tokens: 10, nanos: 1 };
        let made = std::iter::from_fn(|| rows.reserve(&treasury, cost, noon())).count();
        assert_eq!(made, 50);
        let shown = treasury.snapshot(&[], noon());
        assert!((shown[0].used - 500.0).abs() < 0.1 && (shown[0].limit - 1_000.0).abs() < 0.1, "{shown:?}");
        assert!(matches!(
            treasury.reserve(BotId(1), ChatId(2), cost, noon()),
            Reserve::Exhausted(key) if key == small.key
        ));
        assert!(rows.reserve(&treasury, Cost { tokens: 5, nanos: 0 }, noon()).is_some());
    }

    #[test]
    fn what_was_not_used_comes_back_and_a_drop_is_spent() {
        let (mut rows, treasury) = (Rows::default(), Arc::new(Treasury::new([fleet(100)])));
        let reservation = rows.reserve(&treasury, tokens(90), noon()).unwrap();
        assert!(rows.reserve(&treasury, tokens(50), noon()).is_none());
        assert!(matches!(treasury.reserve(BotId(1), ChatId(2), tokens(50), noon()), Reserve::Busy));
        reservation.settle(tokens(40));
        drop(rows.reserve(&treasury, tokens(50), noon()).unwrap());
        assert!(matches!(treasury.reserve(BotId(1), ChatId(2), tokens(50), noon()), Reserve::Exhausted(_)));
        let used = treasury.snapshot(&[], noon())[0].used;
        assert!((used - 90.0).abs() < 0.1, "{used}");
        assert!(rows.reserve(&treasury, tokens(90), noon() + std::time::Duration::from_secs(86_400)).is_some());
    }

    #[test]
    fn a_bound_beyond_the_whole_budget_asks_no_store() {
        let treasury = Arc::new(Treasury::new([fleet(100)]));
        assert!(matches!(treasury.reserve(BotId(1), ChatId(2), tokens(101), noon()), Reserve::Exhausted(_)));
    }
}
