//! Tests the chain of the audit on both databases: what was sealed cannot be changed unseen, and what is removed in good order
//! leaves the chain whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind, PrincipalKind};
use botfleet_actors::domain::chain::{AuditHead, AuditKey, AuditPlace, AuditQuery, HeadCheck};
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::ports::store::StoreError;
use botfleet_actors::testkit::rows::at;

use super::audit_stage::{KEY, Ledger, Place, entry, entry_of, fleet};

#[tokio::test]
async fn entries_are_listed_as_they_were_sealed_and_the_chain_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let nothing = ledger.verify().await;
        assert_eq!((nothing.bad, nothing.blocks), (None, 0));
        assert_eq!(ledger.seal(1).await, 0, "an empty block says nothing");
        ledger.fill(1, 3).await;
        ledger.log.record(&entry(10, Act::Start, fleet())).await.unwrap();
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.blocks, found.entries, found.waiting), (None, 3, 9, 1));
        assert_eq!((found.unsigned, found.unchecked, found.emptied), (0, 0, 0));
        assert_eq!(found.head, ledger.head().await.to_string());

        assert_eq!(ledger.ids().await, (1..=9).collect::<Vec<_>>(), "what waits is not listed");
        assert_eq!(ledger.all().await[4].entry, Some(entry(5, Act::Stop, AuditObject::new(ObjectKind::Bot, 1))));
        let of = async |query: AuditQuery| -> Vec<u128> {
            let found = ledger.log.audit_entries(&AuditQuery { limit: 9, ..query }).await.unwrap();
            found.into_iter().map(|sealed| sealed.id.0).collect()
        };
        let any = AuditQuery::default;
        assert_eq!(of(AuditQuery { after: Some(AuditPlace { block: 2, place: 2 }), ..any() }).await, [6, 7, 8, 9]);
        assert_eq!(of(AuditQuery { until: Some(1), ..any() }).await, [1, 2, 3]);
        assert_eq!(of(AuditQuery { principal: Some("ayse".to_owned()), ..any() }).await, [2, 4, 6, 8]);
        assert_eq!(of(AuditQuery { object: Some("bot:2".to_owned()), ..any() }).await, [3, 6, 9]);
        assert_eq!(of(AuditQuery { since: Some(at(8)), ..any() }).await, [8, 9]);
        assert!(of(AuditQuery { act: Some("start".to_owned()), ..any() }).await.is_empty());
        assert!(of(AuditQuery { since: Some(at(900)), ..any() }).await.is_empty());

        let newest = || AuditQuery { newest_first: true, ..any() };
        assert_eq!(of(newest()).await, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(of(AuditQuery { after: Some(AuditPlace { block: 2, place: 2 }), ..newest() }).await, [4, 3, 2, 1]);
        assert_eq!(of(AuditQuery { until: Some(2), since: Some(at(5)), ..newest() }).await, [6, 5]);
        // Each combination of filters is a statement of its own.
        for newest_first in [false, true] {
            for bits in 0..8_u128 {
                let given = |bit, text: &str| (bits & bit != 0).then(|| text.to_owned());
                let (principal, act, object) = (given(1, "ayse"), given(2, "stop"), given(4, "bot:2"));
                let mut expected: Vec<u128> = (1..=9)
                    .filter(|id| bits & 1 == 0 || id % 2 == 0)
                    .filter(|id| bits & 4 == 0 || id % 3 == 0)
                    .collect();
                if newest_first {
                    expected.reverse();
                }
                assert_eq!(of(AuditQuery { newest_first, principal, act, object, ..any() }).await, expected, "{bits}");
            }
        }
        // Another process goes on.
        drop(ledger);
        let ledger = place.open().await;
        assert_eq!(ledger.seal(9).await, 1);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&ledger.head().await)).await.unwrap();
        assert_eq!((found.bad, found.blocks, found.head_check), (None, 4, HeadCheck::Found));
    }
}

/// A newer version may have written acts, kinds and fields that this one does not know.
#[tokio::test]
async fn an_entry_of_another_version_is_shown_without_its_contents_and_hides_no_other() {
    for place in Place::both().await {
        let ledger = place.open().await;
        for id in 1..=5 {
            ledger.log.record(&entry(id, Act::Rebalance, fleet()).as_intent()).await.unwrap();
        }
        place
            .as_owner(
                "UPDATE audit_entry SET body = replace(body, '\"act\":\"rebalance\"', '\"act\":\"teleport\"') \
                 WHERE id LIKE '%1' OR id LIKE '%2' OR id LIKE '%4'",
            )
            .await;
        let open = ledger.log.open_intents(at(900), 2).await.unwrap();
        assert_eq!(open.iter().map(|intent| intent.id.0).collect::<Vec<_>>(), [3, 5], "those between are skipped");
        ledger.seal(1).await;
        let all = ledger.all().await;
        let shown: Vec<_> = all.iter().map(|sealed| (sealed.id.0, sealed.entry.is_some(), sealed.unread)).collect();
        assert_eq!(shown, [(1, false, true), (2, false, true), (3, true, false), (4, false, true), (5, true, false)]);
        assert!(all.iter().all(|sealed| sealed.hash.len() == 64 && sealed.place.block == 1));
    }
}

#[tokio::test]
async fn i12_entries_of_accounts_and_keys_verify_fold_and_are_found_by_name() {
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.log.record(&entry_of(1, PrincipalKind::User, "4711", "ada")).await.unwrap();
        ledger.log.record(&entry_of(2, PrincipalKind::Key, "0123456789abcdef", "ada/backup")).await.unwrap();
        ledger.seal(1).await;
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.entries), (None, 2));
        for (name, ids) in [("ada", vec![1]), ("ada/backup", vec![2]), ("4711", vec![]), ("0123456789abcdef", vec![])] {
            let query = AuditQuery { principal: Some(name.to_owned()), limit: 9, ..AuditQuery::default() };
            let found = ledger.log.audit_entries(&query).await.unwrap();
            assert_eq!(found.into_iter().map(|sealed| sealed.id.0).collect::<Vec<u128>>(), ids, "{name}");
        }
        place.keep().await;
        place.as_owner("UPDATE audit_entry SET principal = '4711' WHERE place = 1").await;
        assert_eq!(ledger.verify().await.bad.map(|bad| bad.number), Some(1), "the column says what the entry says");
        place.undo().await;
        assert_eq!(ledger.log.fold_audit(at(900), at(900), Some(&KEY)).await.unwrap(), 2);
    }
}

/// Whoever owns the database can change every row, and has no key.
#[tokio::test]
async fn what_the_owner_of_the_database_changes_is_named() {
    let tampered = [
        (2, "UPDATE audit_entry SET body = replace(body, 'curl', 'wget') WHERE block = 2 AND place = 1"),
        (2, "UPDATE audit_entry SET at = at + 1 WHERE block = 2 AND place = 3"),
        (2, "UPDATE audit_entry SET principal = 'nobody' WHERE block = 2 AND place = 3"),
        (
            2,
            "UPDATE audit_entry SET hash = (SELECT hash FROM audit_entry WHERE block = 1 AND place = 1) WHERE block = 2 AND place = 1",
        ),
        (2, "DELETE FROM audit_entry WHERE block = 2 AND place = 2"),
        (2, "DELETE FROM audit_entry WHERE block = 2"),
        (2, "UPDATE audit_entry SET body = NULL WHERE block = 2 AND place = 2"),
        (1, "UPDATE audit_entry SET block = 1, place = 4 WHERE block = 2 AND place = 1"),
        (2, "UPDATE audit_entry SET place = 9 WHERE block = 2 AND place = 1"),
        (2, "DELETE FROM audit_block WHERE number = 2; DELETE FROM audit_entry WHERE block = 2"),
        (3, "UPDATE audit_block SET previous = hash WHERE number = 3"),
        (2, "UPDATE audit_block SET at = at + 1 WHERE number = 2"),
        (2, "UPDATE audit_block SET mac = NULL, signer = NULL WHERE number = 2"),
        (3, "UPDATE audit_block SET mac = (SELECT mac FROM audit_block WHERE number = 2) WHERE number = 3"),
        (1, "DELETE FROM audit_block WHERE number = 1; DELETE FROM audit_entry WHERE block = 1"),
        (
            9,
            "INSERT INTO audit_entry (id, at, hash, block, place) \
             SELECT 'forged', at, hash, 9, 1 FROM audit_entry WHERE block = 1 AND place = 1",
        ),
        // The order of blocks: two change places.
        (
            2,
            "UPDATE audit_block SET number = 9 WHERE number = 2; UPDATE audit_block SET number = 2 WHERE number = 3; \
             UPDATE audit_block SET number = 3 WHERE number = 9",
        ),
        // A checkpoint that stands for blocks that it never saw.
        (
            2,
            "UPDATE audit_checkpoint SET number = 2, hash = (SELECT hash FROM audit_block WHERE number = 2); \
             DELETE FROM audit_block WHERE number <= 2; DELETE FROM audit_entry WHERE block <= 2",
        ),
    ];
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 4).await;
        place.keep().await;
        for (block, sql) in tampered {
            place.as_owner(sql).await;
            let found = ledger.verify().await;
            assert_eq!(found.bad.map(|bad| bad.number), Some(block), "{sql}");
            place.undo().await;
        }
        assert_eq!(ledger.verify().await.bad, None, "and was sound before");
        let other = ledger.log.verify_audit(Some(&AuditKey([8; 32])), None).await.unwrap();
        assert_eq!(other.bad.map(|bad| bad.number), Some(1), "a block of another key is nobody's");
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_off_is_named_against_a_head_that_was_kept() {
    let cut = "DELETE FROM audit_block WHERE number > 2; DELETE FROM audit_entry WHERE block > 2";
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 4).await;
        let head = ledger.head().await;
        place.as_owner(cut).await;
        assert_eq!(ledger.verify().await.bad, None, "the chain alone does not show where it ended");
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!((found.bad.map(|bad| bad.number), found.head_check), (Some(3), HeadCheck::Missing));
        // The fleet goes on, and other blocks take the places of those that are gone.
        ledger.fill(50, 3).await;
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!(found.bad.map(|bad| bad.number), Some(4), "the head's own place");
        assert_eq!(ledger.verify().await.bad, None);
    }
}

#[tokio::test]
async fn who_is_forgotten_leaves_hashes_and_a_chain_that_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        let hers = || AuditObject::new(ObjectKind::Person, 4_711);
        ledger.log.record(&entry(1, Act::OptOutPerson, hers())).await.unwrap();
        ledger.log.record(&entry(2, Act::ForgetPerson, hers())).await.unwrap();
        ledger.log.record(&entry(3, Act::OptOutPerson, AuditObject::new(ObjectKind::Person, 47))).await.unwrap();
        ledger.seal(1).await;
        ledger.log.record(&entry(4, Act::OptInPerson, hers())).await.unwrap();
        let head = ledger.head().await;
        ledger.store.forget(TelegramUserId(4_711), None, &|_| None).await.unwrap();
        ledger.seal(2).await;
        let found = ledger.log.verify_audit(Some(&KEY), Some(&head)).await.unwrap();
        assert_eq!((found.bad, found.entries, found.emptied, found.head_check), (None, 4, 2, HeadCheck::Found));
        let kept: Vec<_> = ledger.all().await.into_iter().map(|sealed| sealed.entry.is_some()).collect();
        assert_eq!(kept, [false, true, true, false], "the order to forget is the request itself");
    }
}

#[tokio::test]
async fn old_blocks_become_one_checkpoint_and_the_chain_verifies() {
    for place in Place::both().await {
        let ledger = place.open().await;
        // Blocks are of the seconds 100 to 104.
        ledger.fill(1, 5).await;
        let (first, last) = (ledger.all().await[0].clone(), ledger.head().await);
        let old = AuditHead { number: 1, hash: "0".repeat(64) };
        assert_eq!(ledger.log.fold_audit(at(100), at(900), Some(&KEY)).await.unwrap(), 0, "none is that old");
        assert_eq!(ledger.log.fold_audit(at(103), at(900), Some(&KEY)).await.unwrap(), 9);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&last)).await.unwrap();
        assert_eq!((found.bad, found.checkpoint, found.blocks, found.entries), (None, 3, 2, 6));
        assert_eq!(found.head_check, HeadCheck::Found);
        let found = ledger.log.verify_audit(Some(&KEY), Some(&old)).await.unwrap();
        assert_eq!((found.bad, found.head_check), (None, HeadCheck::BeforeCheckpoint));
        assert!(!ledger.all().await.contains(&first));

        ledger.log.fold_audit(at(900), at(901), Some(&KEY)).await.unwrap();
        assert_eq!(ledger.head().await, last, "the head stays when all blocks are gone");
        ledger.fill(50, 1).await;
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.checkpoint, found.blocks), (None, 5, 1));
        place.as_owner("UPDATE audit_checkpoint SET entries = 1").await;
        assert_eq!(ledger.verify().await.bad.map(|bad| bad.number), Some(5), "a checkpoint is signed");
    }
}

/// A checkpoint over a block that somebody changed would hide the change for good.
#[tokio::test]
async fn a_block_that_was_changed_is_not_folded() {
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.fill(1, 3).await;
        place.as_owner("DELETE FROM audit_entry WHERE block = 2 AND place = 1").await;
        assert_eq!(ledger.log.fold_audit(at(900), at(900), Some(&KEY)).await.unwrap(), 3, "the sound one before it");
        assert_eq!(ledger.verify().await.bad.map(|bad| bad.number), Some(2));
        assert_eq!(ledger.log.fold_audit(at(900), at(900), Some(&KEY)).await.unwrap(), 0);
        assert_eq!(ledger.log.fold_audit(at(900), at(900), None).await.unwrap(), 0, "nor by whoever lacks the key");
    }
}

#[tokio::test]
async fn two_sealers_at_once_make_one_chain() {
    for place in Place::both().await {
        let one = place.open().await;
        let other = match &place {
            Place::Sqlite(_) => {
                Ledger { log: one.log.clone(), store: one.store.clone(), operators: one.operators.clone() }
            }
            Place::Postgres(_) => place.open().await,
        };
        for round in 0..10 {
            for n in 0..7_u128 {
                one.log.record(&entry(round * 7 + n, Act::Stop, fleet())).await.unwrap();
            }
            let (by_one, by_other) = tokio::join!(one.seal(1), other.seal(1));
            assert_eq!(by_one + by_other, 7);
        }
        let found = one.verify().await;
        assert_eq!((found.bad, found.blocks, found.entries), (None, 10, 70));
        let mut ids = one.ids().await;
        ids.dedup();
        assert_eq!(ids.len(), 70);
    }
}

/// Without a key blocks are hashed alone, until there is one; from then on nobody goes on without it.
#[tokio::test]
async fn who_lacks_the_key_adds_nothing_to_a_signed_chain() {
    for place in Place::both().await {
        let ledger = place.open().await;
        ledger.log.record(&entry(1, Act::Stop, fleet())).await.unwrap();
        assert_eq!(ledger.log.seal(at(1), None).await.unwrap(), 1);
        ledger.log.record(&entry(2, Act::Stop, fleet())).await.unwrap();
        ledger.seal(2).await;
        ledger.log.record(&entry(3, Act::Stop, fleet())).await.unwrap();
        assert!(matches!(ledger.log.seal(at(3), None).await, Err(StoreError::Incompatible(_))));
        let found = ledger.verify().await;
        assert_eq!((found.bad, found.blocks, found.unsigned, found.waiting), (None, 2, 1, 1));
        let without = ledger.log.verify_audit(None, None).await.unwrap();
        assert_eq!((without.bad, without.unsigned, without.unchecked), (None, 1, 1));
        assert_eq!(ledger.seal(4).await, 1);
    }
}
