//! Tests people who play their script on a world, directly and over the control API.

use std::future::pending;
use std::time::Duration;

use botfleet_world::people::{Action, PeopleScript, PeopleSpec, PersonAction, ReplyTo, drive, drive_http};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::World;
use botfleet_world::world::spec::WorldSpec;

/// Returns the beginning of a script of a world, with all times at zero.
fn at_once(world: &WorldSpec, actions: usize) -> impl Iterator<Item = PersonAction> + use<> {
    PeopleScript::new(7, PeopleSpec::of_world(world))
        .take(actions)
        .map(|action| PersonAction { after: Duration::ZERO, ..action })
}

#[tokio::test]
async fn a_script_is_played_on_a_world() {
    let spec = WorldSpec::demo(1);
    let world = World::new(spec.clone()).unwrap();
    let summary = drive(&world, at_once(&spec, 200), pending()).await;
    assert_eq!(summary.refused, 0);
    assert_eq!(summary.posts + summary.reactions + summary.skipped, 200);
    // People reply to bots, of whom none speaks here; and few of their lines call one.
    assert!((3..=70).contains(&summary.mentions) && summary.reactions > 3, "{summary:?}");
    let posted: usize = spec.chats.iter().map(|chat| world.history(chat.id, 1000).len()).sum();
    assert!(posted as u64 >= summary.posts);
}

#[tokio::test]
async fn a_drive_ends_when_it_is_told_to() {
    let spec = WorldSpec::demo(1);
    let world = World::new(spec.clone()).unwrap();
    let late = at_once(&spec, 10).map(|action| PersonAction { after: Duration::from_hours(1), ..action });
    let summary = drive(&world, late, std::future::ready(())).await;
    assert_eq!(summary.posts, 0);
}

#[tokio::test]
async fn a_script_is_played_over_http_and_replies_to_the_message_meant() {
    let simulation = Simulation::start(SimulationSpec::of(WorldSpec::demo(1))).await.unwrap();
    let chat = simulation.world.spec().chats[0].clone();
    let say = |text: &str, reply| PersonAction {
        after: Duration::ZERO,
        chat: chat.id,
        person: chat.people[0],
        action: Action::Post { text: text.into(), reply, mentions: None },
    };
    let react = PersonAction { action: Action::React { emoji: "👍".into() }, ..say("", None) };
    let script = vec![say("one", None), say("two", None), say("three", Some(ReplyTo::Last(2))), react];
    let summary = drive_http(&simulation.base_url(), script, pending()).await.unwrap();
    assert_eq!((summary.posts, summary.replies, summary.reactions, summary.refused), (3, 1, 1, 0));
    let history = simulation.world.history(chat.id, 3);
    assert_eq!(history[2].reply_to, Some(history[0].message_id));
    simulation.stop().await;
}
