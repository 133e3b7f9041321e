//! Keeps this node's allowances: the amounts taken from budgets, reserved and spent in memory. Layer `policy`.
//!
//! Before a call is made, it reserves its bound from every budget that it falls under, all or none. Afterwards the
//! unused part comes back. When memory does not hold enough, the caller takes from the store, books the amount here and
//! reserves again. While calls under way may give back the missing amount, the caller waits for them. A reservation
//! that is dropped counts as spent. Times are arguments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use serde::Serialize;

use crate::domain::allowance::{AllowanceKey, Budget, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit};
use crate::domain::commit::operations::{ReturnAllowance, TakeAllowance};
use crate::domain::ids::{BotId, ChatId};
use crate::domain::time::Timestamp;

/// Divisor for taking ahead: when less than block / `AHEAD_PART` is free, the next block is taken ahead.
const AHEAD_PART: i64 = 2;

/// The cost of a call, or the most that it may cost.
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

/// This node's account of one budget.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    start: Timestamp,
    /// Amount that all nodes took in this period, as last heard.
    granted: i64,
    /// Amount taken here that is neither reserved nor spent; below zero when a call cost more than its bound.
    free: i64,
    /// Largest possible cost of the calls under way.
    reserved: i64,
    /// An amount that the store could not give.
    lacks: Option<i64>,
    /// The store gives no blocks ahead, or has been asked for one and has not answered yet.
    lean: bool,
}

/// The result of a request to reserve.
#[derive(Debug)]
pub enum Reserve {
    /// The amount is reserved; take these blocks from the store ahead, since little is left.
    Reserved(Reservation, Vec<TakeAllowance>),
    /// Take these amounts from the store, book them, and ask again.
    Short(Vec<TakeAllowance>),
    /// Calls under way hold the missing amount, and may give some back.
    Busy,
    /// This budget does not have the amount.
    Exhausted(BudgetKey),
}

/// A budget, for display.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BudgetSnapshot {
    /// Scope, unit and period of the budget.
    #[serde(flatten)]
    pub budget: BudgetKey,
    /// Start of the period, in milliseconds since the Unix epoch.
    pub since: Timestamp,
    /// Amount spent, reserved or forfeited in this period: tokens, or units of money.
    pub used: f64,
    /// Limit of the period, in the same unit.
    pub limit: f64,
}

/// This node's allowances.
#[derive(Debug, Default)]
pub struct Treasury {
    budgets: RwLock<HashMap<BudgetKey, Budget>>,
    accounts: Mutex<HashMap<BudgetKey, Account>>,
}

impl Treasury {
    /// Creates a treasury with these budgets.
    pub fn new(budgets: impl IntoIterator<Item = Budget>) -> Self {
        let treasury = Self::default();
        treasury.set(budgets);
        treasury
    }

    /// Puts these budgets in force. Accounts of budgets that stay are kept.
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
                // Nobody else takes ahead until the answer is booked.
                account.lean = true;
                ahead.push(take(budget, 0, now));
            }
        }
        let lines = lines.into_iter().map(|(budget, amount)| (AllowanceKey::at(budget.key, now), amount)).collect();
        Reserve::Reserved(Reservation { treasury: Arc::clone(self), lines }, ahead)
    }

    /// Books the store's answer to `order`; `taken` is zero when the store gave nothing.
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

    /// Records that the store did not answer a request to take ahead.
    pub fn not_booked(&self, order: &TakeAllowance) {
        if let Some(account) = self.accounts().get_mut(&order.key.budget) {
            account.lean = false;
        }
    }

    /// Empties all accounts of their free amounts, and returns these amounts to be given back to the store.
    pub fn give_back(&self) -> Vec<ReturnAllowance> {
        let mut accounts = self.accounts();
        let returned = accounts.iter_mut().filter(|(_, account)| account.free > 0).map(|(budget, account)| {
            account.granted -= account.free;
            let key = AllowanceKey { budget: *budget, start: account.start };
            ReturnAllowance { key, amount: std::mem::take(&mut account.free) }
        });
        returned.collect()
    }

    /// Returns all budgets; `stored` holds the amounts taken according to the store.
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

    /// Returns the budgets that a call falls under, with the amount that the call needs of each.
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

/// Returns the account of the period that contains `now`.
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

/// The amounts reserved for one call. A reservation that is dropped counts as spent.
#[derive(Debug)]
pub struct Reservation {
    treasury: Arc<Treasury>,
    lines: Vec<(AllowanceKey, i64)>,
}

impl Reservation {
    /// Ends the reservation of a call that cost this much.
    pub fn settle(mut self, cost: Cost) {
        self.end(Some(cost));
    }

    /// Ends the reservation of a call that was not made or is not billed.
    pub fn refund(self) {
        self.settle(Cost::default());
    }

    /// Ends the reservation; without a cost the whole amount is spent.
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

    /// The rows of a store.
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
        /// The bound is reserved before the call, so the billed amount never exceeds the budget: neither with calls
        /// side by side, nor over restarts, each of which forfeits the amounts in memory.
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
