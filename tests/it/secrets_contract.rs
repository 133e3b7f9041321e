//! Runs the contract of sealed secrets on both databases (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::audit::{
    Act, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::secret::{SecretKey, SecretKind, SecretName, SecretNode, SecretState, StoredSecret};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::secrets::{Retirement, SecretSet, Secrets};

use super::postgres::{database, store};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn entry() -> AuditEntry {
    static ID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
    AuditEntry {
        id: AuditId(u128::from(ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed))),
        at: NOW,
        act: Act::SetSecret,
        phase: Phase::Act,
        principal: AuditPrincipal { kind: PrincipalKind::Local, id: None, name: "local".to_owned() },
        object: AuditObject::new(ObjectKind::Bot, 7),
        before: None,
        after: None,
        origin: Origin::default(),
    }
}

fn secret(owner: &str, key: &str) -> StoredSecret {
    StoredSecret {
        kind: SecretKind::BotToken,
        owner: owner.to_owned(),
        destination: "telegram 7".to_owned(),
        state: SecretState::Sealed,
        key: key.to_owned(),
        wrapped: format!("wrapped by {key}"),
        sealed: "sealed 💾".to_owned(),
        version: 1,
        number: 0,
        set_at: NOW,
        set_by: "çiğdem".to_owned(),
    }
}

fn key(id: &str) -> SecretKey {
    SecretKey { id: id.to_owned(), proof: "proof".to_owned(), made_at: NOW, retired_at: None }
}

fn node(name: &str, keys: &str, at: Timestamp) -> SecretNode {
    let sealing = keys.split(' ').next().unwrap().to_owned();
    SecretNode { node: name.to_owned(), sealing, opening: keys.to_owned(), at }
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
    each_change_of_a_secret_is_found_by_its_number
    a_data_key_is_wrapped_anew_for_the_very_secret_alone
    a_key_is_retired_once_nothing_and_nobody_needs_it
    what_nobody_can_open_is_lost_and_its_key_seals_nothing_more
}

async fn each_change_of_a_secret_is_found_by_its_number(one: Arc<dyn Secrets>, other: Arc<dyn Secrets>) {
    assert_eq!(one.secrets_number().await, Ok(0));
    assert_eq!(one.set_secret(&secret("7", "a"), &entry()).await, Ok(SecretSet::Retired), "an unknown key");
    one.add_secret_key(&key("a")).await.unwrap();
    other.add_secret_key(&SecretKey { proof: "other".to_owned(), ..key("a") }).await.unwrap();
    assert_eq!(other.secret_keys().await, Ok(vec![key("a")]), "a key is noted once");
    assert_eq!(one.set_secret(&secret("7", "a"), &entry()).await, Ok(SecretSet::Stored(1)));
    assert_eq!(one.set_secret(&secret("8", "a"), &entry()).await, Ok(SecretSet::Stored(1)));
    let seen = other.secrets_number().await.unwrap();
    assert_eq!(other.secrets_after(seen).await, Ok(Vec::new()));
    assert_eq!(one.set_secret(&secret("7", "a"), &entry()).await, Ok(SecretSet::Stored(2)));
    let changed = other.secrets_after(seen).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0], StoredSecret { version: 2, number: changed[0].number, ..secret("7", "a") });
    assert!(changed[0].number > seen);
    let name = SecretName::new(SecretKind::BotToken, 7);
    assert_eq!(one.remove_secret(&name, &entry()).await, Ok(true));
    assert_eq!(one.remove_secret(&name, &entry()).await, Ok(false));
    let gone = other.secrets_after(changed[0].number).await.unwrap();
    assert_eq!((gone[0].state, gone[0].sealed.as_str(), gone[0].wrapped.as_str()), (SecretState::Gone, "", ""));
    assert_eq!(one.set_secret(&secret("7", "a"), &entry()).await, Ok(SecretSet::Stored(3)), "given once more");
}

async fn a_data_key_is_wrapped_anew_for_the_very_secret_alone(one: Arc<dyn Secrets>, other: Arc<dyn Secrets>) {
    for id in ["a", "b"] {
        one.add_secret_key(&key(id)).await.unwrap();
    }
    for owner in ["7", "8", "9"] {
        one.set_secret(&secret(owner, "a"), &entry()).await.unwrap();
    }
    let read = one.secrets_after(0).await.unwrap();
    other.set_secret(&secret("8", "a"), &entry()).await.unwrap();
    other.remove_secret(&SecretName::new(SecretKind::BotToken, 9), &entry()).await.unwrap();
    let anew: Vec<StoredSecret> = read
        .iter()
        .map(|old| StoredSecret { key: "b".to_owned(), wrapped: "wrapped by b".to_owned(), ..old.clone() })
        .collect();
    assert_eq!(one.rewrap_secrets(&anew).await, Ok(1), "what changed meanwhile stays as it is");
    let keys = |secrets: Vec<StoredSecret>| -> Vec<(String, String)> {
        secrets.into_iter().map(|secret| (secret.owner, secret.key)).collect()
    };
    let mut stored = keys(one.secrets_after(0).await.unwrap());
    stored.sort();
    let expected = [("7", "b"), ("8", "a"), ("9", "")].map(|(owner, key)| (owner.to_owned(), key.to_owned()));
    assert_eq!(stored, expected);
    assert_eq!(one.rewrap_secrets(&[]).await, Ok(0));
}

async fn a_key_is_retired_once_nothing_and_nobody_needs_it(one: Arc<dyn Secrets>, other: Arc<dyn Secrets>) {
    let alive = NOW - Duration::from_secs(30);
    assert_eq!(one.retire_secret_key("a", alive, NOW, &entry()).await, Ok(Retirement::Unknown));
    for id in ["a", "b"] {
        one.add_secret_key(&key(id)).await.unwrap();
    }
    one.set_secret(&secret("7", "a"), &entry()).await.unwrap();
    assert_eq!(other.retire_secret_key("a", alive, NOW, &entry()).await, Ok(Retirement::Sealed(1)));
    let anew = StoredSecret { key: "b".to_owned(), ..one.secrets_after(0).await.unwrap().remove(0) };
    one.rewrap_secrets(&[anew]).await.unwrap();
    one.tell_secret_keys(&node("n1", "b a", NOW)).await.unwrap();
    one.tell_secret_keys(&node("n2", "a b", NOW)).await.unwrap();
    let refused = other.retire_secret_key("a", alive, NOW, &entry()).await;
    assert_eq!(refused, Ok(Retirement::Node("n2".to_owned())), "a living node seals with it");
    one.tell_secret_keys(&node("n2", "a b", alive - Duration::from_millis(1))).await.unwrap();
    assert_eq!(one.secret_nodes(alive).await, Ok(vec![node("n1", "b a", NOW)]));
    assert_eq!(other.retire_secret_key("a", alive, NOW, &entry()).await, Ok(Retirement::Done), "that node is dead");
    assert_eq!(one.set_secret(&secret("8", "a"), &entry()).await, Ok(SecretSet::Retired));
    assert_eq!(one.set_secret(&secret("8", "b"), &entry()).await, Ok(SecretSet::Stored(1)));
    assert_eq!(one.secret_keys().await.unwrap()[0].retired_at, Some(NOW));
}

async fn what_nobody_can_open_is_lost_and_its_key_seals_nothing_more(one: Arc<dyn Secrets>, other: Arc<dyn Secrets>) {
    for id in ["a", "b"] {
        one.add_secret_key(&key(id)).await.unwrap();
    }
    one.set_secret(&secret("7", "a"), &entry()).await.unwrap();
    one.set_secret(&secret("8", "b"), &entry()).await.unwrap();
    let lost = other.lose_secrets(&["b".to_owned(), String::new()], &entry()).await.unwrap();
    assert_eq!(lost.iter().map(|secret| secret.owner.as_str()).collect::<Vec<_>>(), ["7"]);
    let all = one.secrets_after(0).await.unwrap();
    let states: Vec<_> = all.iter().map(|secret| (secret.owner.as_str(), secret.state)).collect();
    assert_eq!(states, [("8", SecretState::Sealed), ("7", SecretState::Lost)]);
    assert_eq!(one.set_secret(&secret("9", "a"), &entry()).await, Ok(SecretSet::Retired));
    assert_eq!(other.lose_secrets(&[], &entry()).await.unwrap().len(), 1, "without any key all is lost");
    assert_eq!(other.lose_secrets(&[], &entry()).await, Ok(Vec::new()));
}
