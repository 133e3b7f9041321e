//! Claims about budgets: taken amounts are durable and never exceed the limit. Part of the testkit.

use std::time::Duration;

use super::{HANDLED_GO, Home, Scene};
use crate::domain::allowance::{AllowanceKey, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit};
use crate::domain::commit::operations::{Operation, ReturnAllowance, TakeAllowance};
use crate::domain::commit::outcome::Applied;
use crate::testkit::rows::at;

claims! {
    $ __claims_of_allowance of allowance:
    a_block_taken_stays_taken_over_a_restart
    a_budget_is_never_overdrawn_not_even_in_one_batch
    budgets_of_other_scopes_units_and_periods_are_apart
    what_is_given_back_can_be_taken_again
    old_periods_are_pruned_and_totals_are_not
}

const LIMIT: i64 = 1_000;
const DAY: Duration = Duration::from_secs(86_400);

fn key(scope: BudgetScope, unit: BudgetUnit, per: BudgetPeriod) -> AllowanceKey {
    AllowanceKey::at(BudgetKey { scope, unit, per }, at(0))
}

fn fleet() -> AllowanceKey {
    key(BudgetScope::Fleet, BudgetUnit::Tokens, BudgetPeriod::Day)
}

fn take(key: AllowanceKey, need: i64, block: i64) -> Operation {
    Operation::TakeAllowance(TakeAllowance { key, limit: LIMIT, need, block })
}

fn took(taken: i64, granted: i64) -> Applied {
    Applied::Allowance { taken, granted }
}

/// An amount that a process took and did not spend is forfeited, never spent twice.
pub async fn a_block_taken_stays_taken_over_a_restart(home: &dyn Home) {
    let scene = Scene::open(home).await;
    assert!(scene.store.allowances().await.unwrap().is_empty());
    assert_eq!(scene.commit_all(vec![take(fleet(), 10, 200)]).await, [took(200, 200)]);
    let scene = scene.reopen(home).await;
    assert_eq!(scene.store.allowances().await.unwrap(), [(fleet(), 200)]);
    assert_eq!(scene.commit_all(vec![take(fleet(), 10, 200)]).await, [took(200, 400)]);
}

/// The limit holds also for takes within one batch.
pub async fn a_budget_is_never_overdrawn_not_even_in_one_batch(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let batch = vec![take(fleet(), 600, 10), take(fleet(), 500, 10), take(fleet(), 400, 10), take(fleet(), 1, 10)];
    assert_eq!(scene.commit_all(batch).await, [took(600, 600), took(0, 600), took(400, 1_000), took(0, 1_000)]);
    assert_eq!(scene.commit_all(vec![take(fleet(), 1, 10), take(fleet(), 0, 10)]).await, vec![took(0, 1_000); 2]);
    assert_eq!(scene.store.allowances().await.unwrap(), [(fleet(), 1_000)]);
}

/// Budgets of hour and day, tokens and money, bots and chats are independent.
pub async fn budgets_of_other_scopes_units_and_periods_are_apart(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let keys = [
        fleet(),
        key(BudgetScope::Fleet, BudgetUnit::Tokens, BudgetPeriod::Hour),
        key(BudgetScope::Fleet, BudgetUnit::Tokens, BudgetPeriod::Total),
        key(BudgetScope::Fleet, BudgetUnit::Money, BudgetPeriod::Day),
        key(BudgetScope::Bot(scene.bots[0]), BudgetUnit::Tokens, BudgetPeriod::Day),
        key(BudgetScope::Bot(scene.bots[1]), BudgetUnit::Tokens, BudgetPeriod::Day),
        key(BudgetScope::Chat(scene.chats[0]), BudgetUnit::Tokens, BudgetPeriod::Day),
        AllowanceKey::at(fleet().budget, at(0) + DAY),
    ];
    let done = scene.commit_all(keys.iter().map(|key| take(*key, LIMIT, 10)).collect()).await;
    assert_eq!(done, vec![took(LIMIT, LIMIT); 8]);
    let mut latest = scene.store.allowances().await.unwrap();
    latest.sort_unstable();
    let mut expected: Vec<_> = keys[1..].iter().map(|key| (*key, LIMIT)).collect();
    expected.sort_unstable();
    assert_eq!(latest, expected, "the latest period of each");
}

/// A node gives back what it did not spend when it shuts down in good order.
pub async fn what_is_given_back_can_be_taken_again(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let back = |amount| Operation::ReturnAllowance(ReturnAllowance { key: fleet(), amount });
    let done = scene.commit_all(vec![take(fleet(), LIMIT, 10), back(300), take(fleet(), 400, 10)]).await;
    assert_eq!(done, [took(LIMIT, LIMIT), Applied::Done, took(0, 700)]);
    assert_eq!(scene.commit_all(vec![take(fleet(), 300, 10), back(9_999)]).await, [took(300, LIMIT), Applied::Done]);
    assert_eq!(scene.store.allowances().await.unwrap(), [(fleet(), 0)], "never below nothing");
}

/// A budget without periods is kept for ever.
pub async fn old_periods_are_pruned_and_totals_are_not(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let total = key(BudgetScope::Fleet, BudgetUnit::Tokens, BudgetPeriod::Total);
    scene.commit_all(vec![take(fleet(), 5, 10), take(total, 5, 10)]).await;
    assert_eq!(scene.store.prune(at(0), &HANDLED_GO).await.unwrap(), 0);
    assert_eq!(scene.store.prune(at(0) + DAY * 3, &HANDLED_GO).await.unwrap(), 1);
    assert_eq!(scene.store.allowances().await.unwrap(), [(total, 10)]);
}
