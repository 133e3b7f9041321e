//! Tests on both databases that acts and their entries in the audit are stored together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use botfleet_actors::domain::audit::{Act, ActResult, AuditEntry, AuditId, AuditObject, ObjectKind};
use botfleet_actors::domain::commit::operations::{Audited, Operation, Redeliver, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::dead_letter::DeadLetterId;
use botfleet_actors::domain::ids::TurnId;
use botfleet_actors::testkit::rows::{at, plan};

use super::audit_stage::{Place, entry, fleet};

/// Makes the order to stop everything.
pub(super) fn stop(second: u64) -> Operation {
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    Operation::SetStop(SetStop { scope: StopScope::Fleet, order, by: "local".to_owned(), at: at(second) })
}

#[tokio::test]
async fn an_act_and_its_entry_are_stored_together_or_not_at_all() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let store = &ledger.store;
        store.apply_roster(&plan(1, 1), at(0)).await.unwrap();
        store.begin_tenure("here", at(0)).await.unwrap();
        let letter = DeadLetterId::Turn(TurnId(99));
        let redeliver = Redeliver {
            letter,
            later_parts: Vec::new(),
            confirm_duplicate: false,
            now: at(1),
            expires_at: at(2),
            order: None,
        };
        let batch = vec![
            Audited::operation(Operation::Redeliver(redeliver), entry(1, Act::Redeliver, fleet())),
            Audited::operation(stop(5), entry(2, Act::Stop, fleet())),
        ];
        let results = store.commit(batch).await.unwrap();
        assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
        ledger.seal(6).await;
        let entries = ledger.all().await;
        assert_eq!(entries.iter().map(|sealed| sealed.id.0).collect::<Vec<_>>(), [2], "who was refused did nothing");
        let stopped = entries[0].entry.clone().unwrap();
        assert_eq!(stopped.before.unwrap(), serde_json::json!({ "stop": null }));
        assert_eq!(stopped.after.unwrap()["stop"]["firm"]["rank"], "operator");

        // The entry's id is taken: nothing of the second order is stored.
        let lift = StopOrder::Lift { rank: Rank::Operator };
        let lift = SetStop { scope: StopScope::Fleet, order: lift, by: "local".to_owned(), at: at(7) };
        let again = Audited::operation(Operation::SetStop(lift), entry(2, Act::Start, fleet()));
        assert!(store.commit(vec![again]).await.unwrap()[0].is_err());
        assert!(!store.stops().await.unwrap().0.is_empty(), "the stop is in force as before");
    }
}

#[tokio::test]
async fn an_intent_has_one_outcome() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let intent = |id| entry(id, Act::Rebalance, fleet()).as_intent();
        let outcome = |of: &AuditEntry, id, result| of.outcome(AuditId(id), at(50), result);
        for id in 1..=3 {
            ledger.log.record(&intent(id)).await.unwrap();
        }
        ledger.log.record(&outcome(&intent(1), 11, ActResult::Done)).await.unwrap();
        let open = ledger.log.open_intents(at(3), 9).await.unwrap();
        assert_eq!(open, [intent(2)], "the third is not that old");
        let closed = outcome(&intent(2), 12, ActResult::Unknown);
        assert!(ledger.log.close_intent(&closed).await.unwrap());
        assert!(!ledger.log.close_intent(&outcome(&intent(2), 13, ActResult::Unknown)).await.unwrap());
        assert!(!ledger.log.close_intent(&outcome(&intent(1), 14, ActResult::Unknown)).await.unwrap());
        assert_eq!(ledger.log.open_intents(at(900), 9).await.unwrap(), [intent(3)]);
        ledger.seal(60).await;
        assert_eq!(ledger.ids().await, [1, 2, 3, 11, 12]);
        assert_eq!(ledger.verify().await.bad, None, "waiting for an outcome is no part of an entry");
    }
}

#[tokio::test]
async fn an_entry_of_the_day_is_stored_once() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let reading = entry(7, Act::ReadMessages, AuditObject::new(ObjectKind::Chat, 1));
        assert!(ledger.log.record_once(&reading).await.unwrap());
        assert!(!ledger.log.record_once(&reading).await.unwrap());
        ledger.seal(1).await;
        assert_eq!(ledger.ids().await, [7]);
    }
}
