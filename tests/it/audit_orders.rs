//! Tests on both databases that an order is stored with its intent in the audit, and its end with the outcome.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use botfleet_actors::domain::audit::{ActResult, AuditEntry, Phase};
use botfleet_actors::domain::commit::operations::{BeginOrder, EndOrder, Operation, OrderEnding};
use botfleet_actors::domain::ids::Epoch;
use botfleet_actors::domain::operator_order::{OrderFailure, OrderId, OrderState, OrderStep, OrderTarget, OrderTask};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::store::Kept;
use botfleet_actors::testkit::rows::{at, order, plan};
use serde_json::json;

use super::audit_stage::{Ledger, Place};

const LONG: Duration = Duration::from_secs(60);

fn target() -> OrderTarget {
    OrderTarget::Node(Incarnation(1))
}

fn step(id: i64) -> OrderStep {
    OrderStep { order: OrderId(id), target: target(), node: "here".to_owned(), epoch: Epoch(1) }
}

fn end(id: i64, ending: OrderEnding) -> Operation {
    Operation::EndOrder(EndOrder { step: step(id), ending })
}

fn failed() -> OrderEnding {
    OrderEnding::Failed(OrderFailure { code: "conflict".to_owned(), detail: "it does not run".to_owned() })
}

async fn give(ledger: &Ledger, id: i64, lives: Duration) {
    let order = order(id, target(), OrderTask::Release { provider: None }, lives);
    ledger.store.give_order(&order).await.unwrap().expect("there is room");
}

async fn committed(ledger: &Ledger, operation: Operation) -> bool {
    matches!(ledger.store.commit(vec![operation]).await, Ok(results) if results[0].is_ok())
}

/// Seals, and returns the entries of an order.
async fn entries(ledger: &Ledger, id: i64) -> Vec<AuditEntry> {
    ledger.seal(100).await;
    let of = [OrderId(id).intent(), OrderId(id).outcome()];
    let entries = ledger.all().await.into_iter().filter_map(|sealed| sealed.entry);
    entries.filter(|entry| of.contains(&entry.id)).collect()
}

async fn result(ledger: &Ledger, id: i64) -> Option<ActResult> {
    let found = entries(ledger, id).await;
    assert_eq!(found[0].phase, Phase::Intent);
    found.get(1).map(|outcome| match outcome.phase {
        Phase::Outcome { of, result } if of == found[0].id => result,
        _ => panic!("{outcome:?}"),
    })
}

impl Place {
    /// Refuses every entry of the audit from now on.
    async fn refuse_entries(&self) {
        self.as_owner(match self {
            Self::Sqlite(_) => {
                "CREATE TRIGGER refuse BEFORE INSERT ON audit_entry BEGIN SELECT raise(ABORT, 'no entry'); END"
            }
            Self::Postgres(_) => "ALTER TABLE audit_entry ADD CONSTRAINT refuse CHECK (false) NOT VALID",
        })
        .await;
    }

    async fn take_entries(&self) {
        self.as_owner(match self {
            Self::Sqlite(_) => "DROP TRIGGER refuse",
            Self::Postgres(_) => "ALTER TABLE audit_entry DROP CONSTRAINT refuse",
        })
        .await;
    }
}

async fn opened(place: &Place) -> Ledger {
    let ledger = place.open().await;
    ledger.store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
    ledger.store.begin_tenure("here", at(0)).await.unwrap();
    ledger
}

#[tokio::test]
async fn i4_an_order_is_given_with_its_intent_and_ends_with_its_outcome_or_nothing_happens() {
    for place in Place::both().await {
        let ledger = opened(&place).await;
        place.refuse_entries().await;
        let refused = ledger.store.give_order(&order(1, target(), OrderTask::LiftPauses {}, LONG)).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(ledger.store.operator_order(OrderId(1)).await.unwrap(), None, "nobody carries it out");
        place.take_entries().await;
        give(&ledger, 1, LONG).await;
        assert_eq!(result(&ledger, 1).await, None);

        place.refuse_entries().await;
        assert!(!committed(&ledger, end(1, failed())).await);
        let state = ledger.store.operator_order(OrderId(1)).await.unwrap().unwrap().state;
        assert_eq!(state, OrderState::Waiting, "what the audit does not know of has not happened");
        place.take_entries().await;
        assert!(committed(&ledger, end(1, failed())).await);
        assert_eq!(result(&ledger, 1).await, Some(ActResult::Failed));
        let outcome = entries(&ledger, 1).await.pop().unwrap();
        assert_eq!(outcome.after, Some(json!({ "order": OrderId(1).to_string(), "state": "failed", "node": "here" })));
        assert_eq!((outcome.principal.name.as_str(), outcome.object.key()), ("ayse", "actor:bot 1".to_owned()));
        assert!(ledger.log.open_intents(at(1_000_000), 9).await.unwrap().is_empty(), "it waits for nothing");
    }
}

#[tokio::test]
async fn every_end_of_an_order_has_its_outcome_whoever_ends_it() {
    for place in Place::both().await {
        let ledger = opened(&place).await;
        for id in [1, 2] {
            give(&ledger, id, LONG).await;
            assert!(committed(&ledger, Operation::BeginOrder(BeginOrder { step: step(id) })).await);
            assert_eq!(result(&ledger, id).await, None, "it is begun, and not over");
        }
        assert!(committed(&ledger, end(1, OrderEnding::Done)).await);
        assert!(committed(&ledger, end(2, OrderEnding::Unknown)).await);
        // Nobody takes it: housekeeping ends it.
        give(&ledger, 3, Duration::ZERO).await;
        let kept = Kept { handled: LONG, decisions: LONG, letters: LONG };
        ledger.store.prune(at(1), &kept).await.unwrap();
        // Its owner comes too late.
        give(&ledger, 4, Duration::ZERO).await;
        assert!(committed(&ledger, Operation::BeginOrder(BeginOrder { step: step(4) })).await);
        let results = [result(&ledger, 1).await, result(&ledger, 2).await, result(&ledger, 3).await];
        assert_eq!(results, [Some(ActResult::Done), Some(ActResult::Unknown), Some(ActResult::Failed)]);
        let late = entries(&ledger, 4).await.pop().unwrap();
        assert_eq!(late.after.unwrap()["state"], "expired");
        assert_eq!(ledger.store.operator_order(OrderId(3)).await.unwrap().unwrap().state, OrderState::Expired);
        assert_eq!(ledger.verify().await.bad, None);
    }
}

#[tokio::test]
async fn an_order_that_finds_no_room_leaves_no_entry() {
    for place in Place::both().await {
        let ledger = opened(&place).await;
        for id in 1..=100 {
            give(&ledger, id, LONG).await;
        }
        let one_more = order(101, target(), OrderTask::LiftPauses {}, LONG);
        assert_eq!(ledger.store.give_order(&one_more).await.unwrap(), None);
        assert!(entries(&ledger, 101).await.is_empty());
        assert_eq!(ledger.all().await.len(), 100);
    }
}
