//! Runs the contract of the stored configuration on both databases (I8, I10).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use botfleet::store::settings::StoreSettings;
use botfleet::store::sqlite::SqliteStore;
use botfleet_actors::domain::audit::{
    Act, AuditEntry, AuditId, AuditObject, AuditPrincipal, ObjectKind, Origin, Phase, PrincipalKind,
};
use botfleet_actors::domain::configuration::{
    Configured, Keys, NewConfiguration, Override, Resource, ResourceChange, ResourceId, ResourceKind, ResourceOrigin,
    STEPS_KEPT,
};
use botfleet_actors::domain::roster::{Persona, RosterPlan};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::audit::AuditLog;
use botfleet_actors::ports::configurations::Configurations;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::rows::plan;
use serde_json::json;

use super::postgres::{database, store};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A store with all ports that the claims ask.
trait Whole: Store + Configurations + AuditLog {}

impl<T: Store + Configurations + AuditLog> Whole for T {}

fn thing(limit: i64) -> Resource {
    let change = Override { value: json!(limit + 1), by: "çiğdem".to_owned(), at: NOW };
    Resource {
        origin: ResourceOrigin::Api,
        keys: Keys::from([("limit".to_owned(), json!(limit)), ("note".to_owned(), json!("günaydın 💾"))]),
        overrides: BTreeMap::from([("limit".to_owned(), change)]),
        telegram_id: Some(7),
        by: "çiğdem".to_owned(),
        at: NOW,
        ..Resource::default()
    }
}

fn change(name: &str, before: Option<Resource>, after: Option<Resource>) -> ResourceChange {
    ResourceChange { id: ResourceId::new(ResourceKind::Budget, name), before, after }
}

fn new(on: i64, changes: Vec<ResourceChange>) -> NewConfiguration {
    NewConfiguration { on, changes, by: "çiğdem".to_owned(), ..NewConfiguration::default() }
}

fn number(configured: &Configured) -> i64 {
    match configured {
        Configured::InForce(_, number) => *number,
        Configured::Moved(by) => panic!("moved to {by}"),
    }
}

fn entry(id: u128) -> AuditEntry {
    AuditEntry {
        id: AuditId(id),
        at: NOW,
        act: Act::ChangeResource,
        phase: Phase::Act,
        principal: AuditPrincipal { kind: PrincipalKind::Local, id: None, name: "local".to_owned() },
        object: AuditObject::new(ObjectKind::Resource, "budget a"),
        before: None,
        after: None,
        origin: Origin::default(),
    }
}

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
    i8_what_is_said_of_things_is_stored_with_its_number
    of_two_changes_of_one_configuration_the_first_is_made
    i16_the_last_thirty_numbers_are_kept
    i10_bots_and_personas_follow_in_the_same_transaction
}

async fn i8_what_is_said_of_things_is_stored_with_its_number(one: Arc<dyn Whole>, other: Arc<dyn Whole>) {
    let empty = one.configuration().await.unwrap();
    assert_eq!((empty.number, empty.resources.len(), empty.manifest), (0, 0, None));
    let first =
        NewConfiguration { manifest: Some("print".to_owned()), ..new(0, vec![change("a", None, Some(thing(1)))]) };
    let first = number(&one.configure(&first, NOW, Some(&entry(1))).await.unwrap());
    let stored = other.configuration().await.unwrap();
    let a = ResourceId::new(ResourceKind::Budget, "a");
    assert_eq!((stored.number, stored.manifest.as_deref()), (first, Some("print")));
    assert_eq!(stored.resources[&a], Resource { version: first, ..thing(1) });
    let changes = vec![change("a", Some(thing(1)), None), change("b", None, Some(thing(2)))];
    let second = number(&other.configure(&new(first, changes), NOW, None).await.unwrap());
    assert!(second > first);
    let stored = one.configuration().await.unwrap();
    assert_eq!(stored.resources.keys().map(|id| id.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(stored.manifest.as_deref(), Some("print"), "no other manifest was applied");
    let steps = one.config_steps(None, 10).await.unwrap();
    assert_eq!(
        steps.iter().map(|step| (step.number, step.by.as_str())).collect::<Vec<_>>(),
        [(second, "çiğdem"), (first, "çiğdem")]
    );
    assert_eq!(steps[0].changes[0].before, Some(thing(1)));
    assert_eq!(one.config_steps(Some(second), 10).await.unwrap(), steps[1..]);
    assert_eq!(one.config_steps(None, 1).await.unwrap(), steps[..1]);
    let nothing = number(&one.configure(&new(second, Vec::new()), NOW, None).await.unwrap());
    assert_eq!((nothing, one.config_steps(None, 10).await.unwrap().len()), (second, 2), "no change, no number");
}

async fn of_two_changes_of_one_configuration_the_first_is_made(one: Arc<dyn Whole>, other: Arc<dyn Whole>) {
    let changes = |limit| new(0, vec![change("a", None, Some(thing(limit)))]);
    let (changes, entries) = ([changes(1), changes(2)], [entry(1), entry(2)]);
    let (a, b) = tokio::join!(
        one.configure(&changes[0], NOW, Some(&entries[0])),
        other.configure(&changes[1], NOW, Some(&entries[1]))
    );
    let ends = [a.unwrap(), b.unwrap()];
    let moved = ends.iter().filter(|end| matches!(end, Configured::Moved(_))).count();
    assert_eq!(moved, 1, "{ends:?}");
    assert_eq!(one.config_steps(None, 10).await.unwrap().len(), 1);
    let sealed = one.seal(NOW, None).await.unwrap();
    assert_eq!(sealed, 1, "what was not made leaves no entry");
}

async fn i16_the_last_thirty_numbers_are_kept(one: Arc<dyn Whole>, _: Arc<dyn Whole>) {
    let mut on = 0;
    for limit in 0..STEPS_KEPT + 3 {
        on = number(&one.configure(&new(on, vec![change("a", None, Some(thing(limit)))]), NOW, None).await.unwrap());
    }
    let steps = one.config_steps(None, 100).await.unwrap();
    assert_eq!(steps.len() as i64, STEPS_KEPT);
    assert_eq!(steps[0].number, on);
}

async fn i10_bots_and_personas_follow_in_the_same_transaction(one: Arc<dyn Whole>, other: Arc<dyn Whole>) {
    let whole: RosterPlan = plan(2, 1);
    let idle = Persona { name: "idle".to_owned(), voice: "You wait.".to_owned(), ..Persona::default() };
    let first = NewConfiguration { plan: whole.clone(), personas: vec![idle.clone()], ..new(0, Vec::new()) };
    let Configured::InForce(roster, number) = one.configure(&first, NOW, None).await.unwrap() else { panic!("moved") };
    assert_eq!((roster.bots.len(), roster.chats.len(), roster.config_seq.0), (2, 1, number));
    let other_voice = Persona { voice: "You hurry.".to_owned(), ..idle.clone() };
    let changes = vec![change("a", None, Some(thing(1)))];
    let second = NewConfiguration { plan: whole.clone(), personas: vec![other_voice.clone()], ..new(number, changes) };
    let Configured::InForce(_, number) = one.configure(&second, NOW, None).await.unwrap() else { panic!("moved") };
    let revisions = other.persona_revisions("idle", 10).await.unwrap();
    let told: Vec<_> = revisions.into_iter().map(|found| (found.revision, found.at, found.persona)).collect();
    assert_eq!(told, [(2, NOW, other_voice), (1, NOW, idle)]);
    let mut twice = whole;
    let name = twice.bots[0].name.clone();
    twice.bots[1].name = name;
    let refused = NewConfiguration { plan: twice, ..new(number, vec![change("b", None, Some(thing(1)))]) };
    assert!(one.configure(&refused, NOW, Some(&entry(9))).await.is_err());
    assert_eq!(other.configuration().await.unwrap().resources.len(), 1, "nothing of a refused change is stored");
    assert_eq!(other.seal(NOW, None).await.unwrap(), 0);
}
