//! Runs the contract of keyed requests on both databases (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::idempotency::{Claim, KeptAnswer, KeyedRequest};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::requests::Requests;

use super::postgres::{database, store};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const DAY: Duration = Duration::from_hours(24);

fn request(key: &str) -> KeyedRequest {
    KeyedRequest {
        principal: "session çiğdem".to_owned(),
        route: "add_user".to_owned(),
        key: key.to_owned(),
        fingerprint: "one".to_owned(),
        at: NOW,
    }
}

fn answer() -> KeptAnswer {
    KeptAnswer {
        status: 202,
        media_type: "application/json".to_owned(),
        body: Some("{\"name\":\"çiğdem 💾\"}".to_owned()),
        version: Some(3),
        location: Some("/api/v1/orders/7".to_owned()),
    }
}

/// Runs a claim on both databases, as two nodes.
macro_rules! claims {
    ($($claim:ident)+) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $claim() {
                let folder = tempfile::tempdir().unwrap();
                let settings = super::StoreSettings {
                    path: folder.path().join("fleet.db"),
                    ..super::StoreSettings::default()
                };
                let store = super::Arc::new(super::SqliteStore::open(&settings).await.unwrap());
                super::$claim(store.clone(), store).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $claim() {
                let database = super::database().await;
                let one = super::Arc::new(super::store(&database).await);
                super::$claim(one, super::Arc::new(super::store(&database).await)).await;
            })+
        }
    };
}

claims! {
    one_of_two_equal_requests_at_once_is_carried_out
    an_answer_is_kept_for_its_own_request
    a_claim_that_is_given_up_leaves_its_key_free
    a_key_counts_for_a_day_and_then_its_row_goes
}

async fn one_of_two_equal_requests_at_once_is_carried_out(one: Arc<dyn Requests>, other: Arc<dyn Requests>) {
    for number in 0..20 {
        let request = request(&number.to_string());
        let (first, second) =
            tokio::join!(one.claim_request(&request, NOW - DAY), other.claim_request(&request, NOW - DAY));
        let mut both = [first.unwrap(), second.unwrap()];
        both.sort_by_key(|claim| *claim != Claim::Won);
        assert_eq!(both, [Claim::Won, Claim::UnderWay]);
    }
}

async fn an_answer_is_kept_for_its_own_request(one: Arc<dyn Requests>, other: Arc<dyn Requests>) {
    let first = request("k");
    assert_eq!(one.claim_request(&first, NOW - DAY).await, Ok(Claim::Won));
    let changed = KeyedRequest { fingerprint: "two".to_owned(), ..first.clone() };
    assert_eq!(other.claim_request(&changed, NOW - DAY).await, Ok(Claim::Mismatch));
    assert_eq!(other.claim_request(&first, NOW - DAY).await, Ok(Claim::UnderWay));
    one.answer_request(&first, &answer()).await.unwrap();
    let later = KeyedRequest { at: NOW + Duration::from_secs(5), ..first.clone() };
    assert_eq!(other.claim_request(&later, NOW - DAY).await, Ok(Claim::Answered(answer())));
    let without = KeptAnswer { body: None, version: None, location: None, ..answer() };
    one.answer_request(&first, &without).await.unwrap();
    assert_eq!(other.claim_request(&first, NOW - DAY).await, Ok(Claim::Answered(answer())), "the first answer stays");
    assert_eq!(other.claim_request(&changed, NOW - DAY).await, Ok(Claim::Mismatch));
    for another in [
        KeyedRequest { principal: "key 0123".to_owned(), ..first.clone() },
        KeyedRequest { route: "stop".to_owned(), ..first.clone() },
        request("l"),
    ] {
        assert_eq!(other.claim_request(&another, NOW - DAY).await, Ok(Claim::Won), "{another:?}");
    }
    let empty = request("l");
    one.answer_request(&empty, &without).await.unwrap();
    assert_eq!(other.claim_request(&empty, NOW - DAY).await, Ok(Claim::Answered(without)));
}

async fn a_claim_that_is_given_up_leaves_its_key_free(one: Arc<dyn Requests>, other: Arc<dyn Requests>) {
    let first = request("k");
    one.claim_request(&first, NOW - DAY).await.unwrap();
    one.free_request(&first).await.unwrap();
    let changed = KeyedRequest { fingerprint: "two".to_owned(), at: NOW + Duration::from_secs(1), ..first.clone() };
    assert_eq!(other.claim_request(&changed, NOW - DAY).await, Ok(Claim::Won));
    one.free_request(&first).await.unwrap();
    one.answer_request(&first, &answer()).await.unwrap();
    assert_eq!(
        one.claim_request(&changed, NOW - DAY).await,
        Ok(Claim::UnderWay),
        "an older claim touches no newer one"
    );
    other.answer_request(&changed, &answer()).await.unwrap();
    other.free_request(&changed).await.unwrap();
    assert_eq!(
        one.claim_request(&changed, NOW - DAY).await,
        Ok(Claim::Answered(answer())),
        "an answer is not given up"
    );
}

async fn a_key_counts_for_a_day_and_then_its_row_goes(one: Arc<dyn Requests>, other: Arc<dyn Requests>) {
    let first = request("k");
    one.claim_request(&first, NOW - DAY).await.unwrap();
    one.answer_request(&first, &answer()).await.unwrap();
    let at = |after: Duration| KeyedRequest { fingerprint: "two".to_owned(), at: NOW + after, ..first.clone() };
    let next_day = at(DAY);
    assert_eq!(other.claim_request(&next_day, next_day.at - DAY).await, Ok(Claim::Mismatch));
    let later = at(DAY + Duration::from_millis(1));
    assert_eq!(other.claim_request(&later, later.at - DAY).await, Ok(Claim::Won));
    assert_eq!(
        other.claim_request(&later, later.at - DAY).await,
        Ok(Claim::UnderWay),
        "nothing of the old answer is left"
    );
    assert_eq!(one.prune_requests(later.at).await, Ok(0));
    assert_eq!(one.prune_requests(later.at + Duration::from_millis(1)).await, Ok(1));
    assert_eq!(other.claim_request(&later, later.at - DAY).await, Ok(Claim::Won));
}
