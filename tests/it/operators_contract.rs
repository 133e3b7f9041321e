//! Runs the contract of the accounts' store on both databases (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::audit::{
    Act, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::operators::{
    Grants, KEYS_MAX, Operator, OperatorId, OperatorKey, OperatorSession, Profile, Reach, Role,
};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::operators::{CODES_A_MINUTE, CODES_AN_HOUR, Change, Operators};

use super::audit_stage::Place;
use super::postgres::{database, store};

fn entry() -> AuditEntry {
    static ID: AtomicU64 = AtomicU64::new(1);
    AuditEntry {
        id: AuditId(u128::from(ID.fetch_add(1, Ordering::Relaxed))),
        at: NOW,
        act: Act::ChangeUser,
        phase: Phase::Act,
        principal: AuditPrincipal { kind: PrincipalKind::Local, id: None, name: "local".to_owned() },
        object: AuditObject::new(ObjectKind::User, "ada"),
        before: None,
        after: None,
        origin: Origin::default(),
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const EARLIER: Timestamp = Timestamp::from_millis(1_789_000_000_000);

fn grants(role: Role) -> Grants {
    Grants { role, reach: Reach::Everything, reads_texts: false }
}

fn operator(id: i64, name: &str, role: Role) -> Operator {
    Operator {
        id: OperatorId(id),
        name: name.to_owned(),
        profile: Profile { email: Some("çiğdem@example.org".to_owned()), ..Profile::default() },
        grants: grants(role),
        password: Some("$argon2id$".to_owned()),
        seed: None,
        disabled_at: None,
        created_at: NOW,
        version: 1,
    }
}

fn session(id: &str, owner: i64, at: i64) -> OperatorSession {
    let at = Timestamp::from_millis(NOW.as_millis() + at);
    OperatorSession {
        id: id.to_owned(),
        handle: format!("handle {id}"),
        operator: OperatorId(owner),
        created_at: at,
        seen_at: at,
        confirmed_at: at,
        address: Some("192.0.2.1".to_owned()),
        agent: None,
    }
}

fn key(id: &str, owner: i64) -> OperatorKey {
    OperatorKey {
        id: id.to_owned(),
        operator: OperatorId(owner),
        name: "backup 💾".to_owned(),
        secret: "one".to_owned(),
        grants: grants(Role::Viewer),
        networks: vec!["192.0.2.0/24".to_owned()],
        created_at: NOW,
        expires_at: Some(Timestamp::from_millis(NOW.as_millis() + 1000)),
        used_at: None,
        old_secret: None,
        old_until: None,
    }
}

/// Runs a claim on both databases.
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
                super::$claim(super::Arc::new(super::SqliteStore::open(&settings).await.unwrap())).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(super::Arc::new(super::store(&super::database().await).await)).await;
            })+
        }
    };
}

claims! {
    an_account_is_stored_changed_and_removed
    the_last_admin_stays
    the_first_admin_is_one
    a_change_is_seen_by_its_number
    a_code_is_used_once
    sessions_end_with_their_account
    a_new_session_ends_the_oldest_of_too_many
    keys_are_rotated_and_end
    what_is_over_goes
    an_installation_keeps_its_name
}

async fn an_account_is_stored_changed_and_removed(store: Arc<dyn Operators>) {
    let ada = operator(7, "ada", Role::Admin);
    let within = Reach::Within { bots: [botfleet_actors::domain::ids::BotId(3)].into(), chats: [].into() };
    let mut bela = operator(8, "bela", Role::Operator);
    bela.grants.reach = within;
    assert_eq!(store.add_operator(&bela, &entry()).await, Ok(Change::Done));
    assert_eq!(store.add_operator(&ada, &entry()).await, Ok(Change::Done));
    assert_eq!(store.add_operator(&operator(9, "ada", Role::Viewer), &entry()).await, Ok(Change::NameTaken));
    assert_eq!(store.operators().await.unwrap(), [ada.clone(), bela.clone()]);
    assert_eq!(store.operator_named("bela").await.unwrap(), Some(bela.clone()));
    assert_eq!(store.operator_named("nobody").await.unwrap(), None);
    let changed = Operator { disabled_at: Some(NOW), seed: Some("s1.x".to_owned()), ..bela };
    assert_eq!(store.change_operator(&changed, false, &entry()).await, Ok(Change::Done));
    assert_eq!(store.change_operator(&changed, false, &entry()).await, Ok(Change::Stale), "the version is another now");
    assert_eq!(store.operator_named("bela").await.unwrap(), Some(Operator { version: 2, ..changed }));
    assert_eq!(store.remove_operator(OperatorId(8), 1, &entry()).await, Ok(Change::Stale));
    assert_eq!(store.remove_operator(OperatorId(8), 2, &entry()).await, Ok(Change::Done));
    assert_eq!(store.operators().await.unwrap(), [ada]);
}

async fn the_last_admin_stays(store: Arc<dyn Operators>) {
    let (ada, bela) = (operator(7, "ada", Role::Admin), operator(8, "bela", Role::Admin));
    assert!(!store.has_admin().await.unwrap());
    for admin in [&ada, &bela] {
        store.add_operator(admin, &entry()).await.unwrap();
    }
    assert!(store.has_admin().await.unwrap());
    // Each takes the other's role away at the same moment.
    let demoted = |admin: &Operator| Operator { grants: grants(Role::Viewer), ..admin.clone() };
    let (one, other) = (demoted(&ada), demoted(&bela));
    let (an, more) = (entry(), entry());
    let (first, second) =
        tokio::join!(store.change_operator(&one, false, &an), store.change_operator(&other, false, &more));
    let mut both = [first.unwrap(), second.unwrap()];
    both.sort_by_key(|change| *change == Change::LastAdmin);
    assert_eq!(both, [Change::Done, Change::LastAdmin]);
    let left = store.operators().await.unwrap().into_iter().find(Operator::is_working_admin).unwrap();
    assert_eq!(store.remove_operator(left.id, left.version, &entry()).await, Ok(Change::LastAdmin));
    // Who has a part of the fleet, or cannot sign in, is no admin to fall back on.
    let part = Reach::Within { bots: BTreeSet::from([BotId(1)]), chats: BTreeSet::new() };
    let of_a_part = Grants { reach: part, ..grants(Role::Admin) };
    let partial = Operator { grants: of_a_part, ..operator(9, "cem", Role::Admin) };
    let mute = Operator { password: None, ..operator(10, "deniz", Role::Admin) };
    for other in [&partial, &mute] {
        store.add_operator(other, &entry()).await.unwrap();
    }
    assert_eq!(store.remove_operator(left.id, left.version, &entry()).await, Ok(Change::LastAdmin));
    let disabled = Operator { disabled_at: Some(NOW), ..left };
    assert_eq!(store.change_operator(&disabled, false, &entry()).await, Ok(Change::LastAdmin));
    assert!(store.has_admin().await.unwrap());
}

async fn the_first_admin_is_one(store: Arc<dyn Operators>) {
    let until = Timestamp::from_millis(NOW.as_millis() + 1000);
    assert_eq!(store.offer_first_admin("old", until).await, Ok(Change::Done));
    assert_eq!(store.offer_first_admin("claim", until).await, Ok(Change::Done));
    let (ada, bela) = (operator(7, "ada", Role::Admin), operator(8, "bela", Role::Admin));
    assert_eq!(
        store.add_first_admin(&ada, Some("old"), NOW, &entry()).await,
        Ok(Change::Stale),
        "a newer link is there"
    );
    assert_eq!(store.add_first_admin(&ada, Some("claim"), until, &entry()).await, Ok(Change::Stale), "too late");
    let (one, other) = (entry(), entry());
    let (first, second) = tokio::join!(
        store.add_first_admin(&ada, Some("claim"), NOW, &one),
        store.add_first_admin(&bela, Some("claim"), NOW, &other)
    );
    let mut both = [first.unwrap(), second.unwrap()];
    both.sort_by_key(|change| *change == Change::Stale);
    assert_eq!(both, [Change::Done, Change::Stale]);
    assert_eq!(store.offer_first_admin("later", until).await, Ok(Change::Stale));
    assert_eq!(store.add_first_admin(&operator(9, "c", Role::Admin), None, NOW, &entry()).await, Ok(Change::Stale));
    assert_eq!(store.operators().await.unwrap().len(), 1);
}

async fn a_change_is_seen_by_its_number(store: Arc<dyn Operators>) {
    let mut last = store.operators_number().await.unwrap();
    let mut ada = operator(7, "ada", Role::Admin);
    let mut rises = async |what: &str| {
        let number = store.operators_number().await.unwrap();
        assert!(number > last, "{what} is not seen");
        last = number;
    };
    store.add_operator(&ada, &entry()).await.unwrap();
    rises("a new account").await;
    store.change_operator(&ada, true, &entry()).await.unwrap();
    rises("a change").await;
    ada.version = 2;
    store.open_session(&session("s", 7, 0), 2, &entry()).await.unwrap();
    rises("a session, which may end older ones").await;
    store.confirm_session("s", NOW).await.unwrap();
    rises("a confirmation").await;
    assert!(store.end_session(ada.id, "handle s", &entry()).await.unwrap());
    rises("the end of a session").await;
    store.add_key(&key("k", 7), &entry()).await.unwrap();
    store.rotate_key(ada.id, "k", "two", NOW, &entry()).await.unwrap();
    rises("another secret").await;
    store.remove_key(ada.id, "k", &entry()).await.unwrap();
    rises("the end of a key").await;
    store.add_operator(&operator(8, "bela", Role::Admin), &entry()).await.unwrap();
    store.remove_operator(ada.id, 2, &entry()).await.unwrap();
    rises("the end of an account").await;
    let before = store.operators_number().await.unwrap();
    store.add_operator(&operator(8, "bela", Role::Admin), &entry()).await.unwrap();
    assert!(!store.end_session(ada.id, "none", &entry()).await.unwrap());
    assert_eq!(store.operators_number().await.unwrap(), before, "nothing changed");
}

#[expect(clippy::disallowed_methods, reason = "codes follow the wall clock")]
fn present_step() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 / 30
}

async fn a_code_is_used_once(store: Arc<dyn Operators>) {
    let ada = operator(7, "ada", Role::Admin);
    store.add_operator(&ada, &entry()).await.unwrap();
    let step = present_step();
    let (first, second) = tokio::join!(store.use_code(ada.id, step), store.use_code(ada.id, step));
    assert!(first.unwrap() ^ second.unwrap(), "one of two at once wins");
    assert!(!store.use_code(ada.id, step - 1).await.unwrap(), "an older one is over too");
    assert!(!store.use_code(ada.id, step + 3).await.unwrap(), "nobody uses codes of the future");
    let mut tries = 0;
    while store.try_code(ada.id).await.unwrap() {
        tries += 1;
        assert!(tries <= 2 * CODES_A_MINUTE, "tries have no end");
    }
    assert!(tries >= CODES_A_MINUTE, "{tries}");
    let hashes = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let enrolled = Operator { seed: Some("s1.x".to_owned()), ..ada.clone() };
    assert_eq!(store.take_second_factor(&enrolled, &hashes(&["a", "b"]), &entry()).await, Ok(Change::Done));
    assert_eq!(store.operator_named("ada").await.unwrap().unwrap().seed.as_deref(), Some("s1.x"));
    let (first, second) = tokio::join!(store.use_recovery(ada.id, "a"), store.use_recovery(ada.id, "a"));
    assert!(first.unwrap() ^ second.unwrap());
    assert_eq!(store.take_second_factor(&enrolled, &hashes(&["x"]), &entry()).await, Ok(Change::Stale));
    assert!(store.use_recovery(ada.id, "b").await.unwrap(), "who came too late changed no code");
    let enrolled = Operator { version: 2, ..enrolled };
    assert_eq!(store.take_second_factor(&enrolled, &hashes(&["b", "c"]), &entry()).await, Ok(Change::Done));
    let taken = entry();
    store.add_operator(&operator(8, "bela", Role::Viewer), &taken).await.unwrap();
    let enrolled = Operator { version: 3, seed: Some("s1.y".to_owned()), ..enrolled };
    assert!(store.take_second_factor(&enrolled, &hashes(&["y"]), &taken).await.is_err(), "the entry's id is taken");
    assert_eq!(store.operator_named("ada").await.unwrap().unwrap().seed.as_deref(), Some("s1.x"), "all or nothing");
    assert!(store.use_recovery(ada.id, "b").await.unwrap(), "and the codes are those of the seed");
    assert!(!store.use_recovery(ada.id, "b").await.unwrap() && store.use_recovery(ada.id, "c").await.unwrap());
}

/// Whoever knows the password must not try codes for ever, five a minute.
#[tokio::test]
async fn i12_an_account_has_so_many_tries_of_codes_an_hour_and_right_ones_are_not_counted() {
    for place in Place::both().await {
        let store = place.open().await.operators;
        let ada = operator(7, "ada", Role::Admin);
        store.add_operator(&ada, &entry()).await.unwrap();
        // The first code of this minute, and of this hour.
        let try_anew = async || {
            place.as_owner("UPDATE operator SET try_minute = 0").await;
            store.try_code(ada.id).await.unwrap()
        };
        assert!(try_anew().await && store.use_code(ada.id, present_step()).await.unwrap());
        let mut tries = 0;
        while try_anew().await {
            tries += 1;
            assert!(tries <= 2 * CODES_AN_HOUR, "tries have no end");
        }
        assert!(tries >= CODES_AN_HOUR, "{tries}");
        place.as_owner("UPDATE operator SET try_hour = try_hour - 1").await;
        assert!(try_anew().await, "another hour");
    }
}

async fn sessions_end_with_their_account(store: Arc<dyn Operators>) {
    let (ada, bela) = (operator(7, "ada", Role::Admin), operator(8, "bela", Role::Viewer));
    for account in [&ada, &bela] {
        store.add_operator(account, &entry()).await.unwrap();
    }
    let (one, two) = (session("1", 8, 0), session("2", 8, 1));
    for open in [&one, &two] {
        store.open_session(open, 1, &entry()).await.unwrap();
    }
    assert_eq!(store.sessions(bela.id, EARLIER, EARLIER).await.unwrap(), [two.clone(), one.clone()]);
    assert_eq!(store.sessions(bela.id, NOW, EARLIER).await.unwrap(), [two.clone()], "what began then is over");
    assert_eq!(store.session("1").await.unwrap(), Some((one, bela.clone())));
    let seen = Timestamp::from_millis(NOW.as_millis() + 60_000);
    store.see_session("1", seen).await.unwrap();
    store.see_session("1", NOW).await.unwrap();
    assert_eq!(store.session("1").await.unwrap().unwrap().0.seen_at, seen, "never earlier");
    let awake = store.sessions(bela.id, EARLIER, Timestamp::from_millis(NOW.as_millis() + 1)).await.unwrap();
    assert_eq!(awake.len(), 1, "the other was last seen at that very instant, and is over");
    assert!(!store.end_session(ada.id, "handle 1", &entry()).await.unwrap(), "it is another's");
    assert!(store.end_session(bela.id, "handle 1", &entry()).await.unwrap());
    assert_eq!(store.session("1").await.unwrap(), None);
    store.change_operator(&bela, true, &entry()).await.unwrap();
    assert_eq!(store.session("2").await.unwrap(), None);
    assert!(!store.open_session(&session("3", 8, 2), 1, &entry()).await.unwrap(), "the account changed meanwhile");
    assert!(store.open_session(&session("3", 8, 2), 2, &entry()).await.unwrap());
    store.add_key(&key("k", 8), &entry()).await.unwrap();
    store.remove_operator(bela.id, 2, &entry()).await.unwrap();
    assert_eq!((store.session("3").await.unwrap(), store.key("k").await.unwrap()), (None, None));
    assert!(store.keys(bela.id).await.unwrap().is_empty());
}

async fn a_new_session_ends_the_oldest_of_too_many(store: Arc<dyn Operators>) {
    store.add_operator(&operator(7, "ada", Role::Admin), &entry()).await.unwrap();
    for number in 0..=KEYS_MAX {
        store.open_session(&session(&number.to_string(), 7, number as i64), 1, &entry()).await.unwrap();
    }
    assert_eq!(store.sessions(OperatorId(7), EARLIER, EARLIER).await.unwrap().len(), KEYS_MAX);
    assert!(store.session("0").await.unwrap().is_none() && store.session("1").await.unwrap().is_some());
}

async fn keys_are_rotated_and_end(store: Arc<dyn Operators>) {
    let ada = operator(7, "ada", Role::Admin);
    store.add_operator(&ada, &entry()).await.unwrap();
    assert_eq!(store.add_key(&key("k", 7), &entry()).await, Ok(Change::Done));
    assert_eq!(store.key("k").await.unwrap(), Some((key("k", 7), ada.clone())));
    assert!(store.rotate_key(ada.id, "k", "two", NOW, &entry()).await.unwrap());
    assert!(!store.rotate_key(OperatorId(8), "k", "three", NOW, &entry()).await.unwrap());
    store.see_key("k", NOW).await.unwrap();
    let rotated = OperatorKey {
        secret: "two".to_owned(),
        old_secret: Some("one".to_owned()),
        old_until: Some(NOW),
        used_at: Some(NOW),
        ..key("k", 7)
    };
    assert_eq!(store.keys(ada.id).await.unwrap(), [rotated]);
    for number in 1..KEYS_MAX {
        assert_eq!(store.add_key(&key(&number.to_string(), 7), &entry()).await, Ok(Change::Done));
    }
    assert_eq!(store.add_key(&key("more", 7), &entry()).await, Ok(Change::Full));
    let later = OperatorKey { created_at: Timestamp::from_millis(NOW.as_millis() + 1000), ..key("later", 7) };
    assert_eq!(store.add_key(&later, &entry()).await, Ok(Change::Done), "by then the others are over");
    assert!(store.remove_key(ada.id, "later", &entry()).await.unwrap());
    assert!(
        store.remove_key(ada.id, "k", &entry()).await.unwrap()
            && !store.remove_key(ada.id, "k", &entry()).await.unwrap()
    );
}

async fn what_is_over_goes(store: Arc<dyn Operators>) {
    store.add_operator(&operator(7, "ada", Role::Admin), &entry()).await.unwrap();
    for (id, at) in [("old", 0), ("idle", 500), ("open", 500)] {
        store.open_session(&session(id, 7, at), 1, &entry()).await.unwrap();
    }
    let at = |ms: i64| Timestamp::from_millis(NOW.as_millis() + ms);
    store.see_session("open", at(900)).await.unwrap();
    store.see_session("old", at(900)).await.unwrap();
    store.add_key(&key("k", 7), &entry()).await.unwrap();
    assert_eq!(store.prune_operators(at(100), at(800), at(1000)).await.unwrap(), 2);
    assert!(store.session("open").await.unwrap().is_some() && store.key("k").await.unwrap().is_some());
    assert_eq!(store.prune_operators(at(100), at(800), at(1001)).await.unwrap(), 1);
}

async fn an_installation_keeps_its_name(store: Arc<dyn Operators>) {
    assert_eq!(store.installation("one").await.unwrap(), "one");
    assert_eq!(store.installation("two").await.unwrap(), "one");
}
