//! Tests the machine by claim. Layer `policy`.

use std::time::Duration;

use super::super::event::{Effect, Event};
use super::super::samples::{bot, lease, ms, node, picture, wish};
use super::super::settings::OwnershipSettings;
use super::Ownership;
use crate::domain::ids::Epoch;
use crate::domain::ownership::{Incarnation, Lease, NodeState, Picture};

const ME: Incarnation = Incarnation(1);
const OTHER: Incarnation = Incarnation(2);

fn beaten(sent_at: u64) -> Event {
    Event::Beaten { sent_at: ms(sent_at), state: Some(NodeState::Alive) }
}

fn read(asked_at: u64, picture: &Picture) -> Event {
    Event::Read { asked_at: ms(asked_at), picture: Some(picture.clone()) }
}

/// Returns a machine that has beaten and may act, with nothing under way except what it is told.
fn acting() -> Ownership {
    let mut machine = Ownership::new(ME, OwnershipSettings::default());
    machine.handle(ms(0), Event::Tick);
    machine.handle(ms(1), Event::Read { asked_at: ms(0), picture: None });
    assert_eq!(machine.handle(ms(10), beaten(0)), [Effect::Resume, Effect::Read]);
    machine
}

/// Returns the effects that concern leases.
fn about_leases(effects: Vec<Effect>) -> Vec<Effect> {
    let errand = |effect: &Effect| matches!(effect, Effect::Beat | Effect::Observe | Effect::Read | Effect::Plan);
    effects.into_iter().filter(|effect| !errand(effect)).collect()
}

fn with(leases: &[Lease]) -> Picture {
    Picture { leases: leases.to_vec(), ..picture(2, 0) }
}

fn owned(epoch: i64) -> Picture {
    with(&[lease(1, Some(1), epoch), lease(2, Some(2), 1)])
}

/// Returns a machine that holds bot 1 under epoch 5.
fn holding() -> Ownership {
    let mut machine = acting();
    assert_eq!(about_leases(machine.handle(ms(20), read(10, &owned(5)))), [Effect::Start(bot(1), Epoch(5))]);
    machine
}

#[test]
fn nothing_is_started_before_the_first_beat() {
    let mut machine = Ownership::new(ME, OwnershipSettings::default());
    assert_eq!(machine.handle(ms(0), Event::Tick), [Effect::Beat, Effect::Observe, Effect::Read]);
    assert_eq!(about_leases(machine.handle(ms(5), read(0, &owned(5)))), []);
    let mut wished = owned(5);
    wished.leases[0].owner = None;
    wished.leases[0].desired = Some(ME);
    assert_eq!(about_leases(machine.handle(ms(6), read(0, &wished))), []);
}

#[test]
fn i5_effects_end_in_time_after_the_last_good_beat_was_sent() {
    let mut machine = holding();
    machine.handle(ms(700), Event::Beaten { sent_at: ms(500), state: None });
    assert!(machine.next_due() <= ms(2_000));
    assert!(!machine.handle(ms(1_999), Event::Tick).contains(&Effect::Suspend));
    assert_eq!(machine.handle(ms(2_000), Event::Tick)[0], Effect::Suspend);
    assert!(machine.is_suspended());
}

#[test]
fn i5_a_beat_counts_from_when_it_was_sent_not_from_when_it_was_answered() {
    let mut machine = holding();
    machine.handle(ms(1_900), beaten(500));
    assert_eq!(machine.acts_until(), ms(2_500));
    assert_eq!(machine.handle(ms(2_500), Event::Hinted)[0], Effect::Suspend);
    assert!(!machine.handle(ms(4_800), beaten(2_700)).contains(&Effect::Resume), "its time was over when it came");
    assert!(machine.handle(ms(4_900), beaten(4_800)).contains(&Effect::Resume));
}

#[test]
fn a_node_that_the_store_calls_dead_does_nothing_ever_after() {
    for event in [
        Event::Beaten { sent_at: ms(500), state: Some(NodeState::Dead) },
        read(20, &Picture { nodes: vec![node(2, "b")], ..picture(0, 0) }),
    ] {
        let mut machine = holding();
        assert_eq!(machine.handle(ms(510), event), [Effect::Suspend, Effect::Superseded]);
        assert_eq!(machine.handle(ms(600), beaten(600)), []);
        assert_eq!((machine.next_due(), machine.is_suspended()), (Duration::MAX, true));
    }
}

#[test]
fn a_free_lease_that_is_wished_for_me_is_taken_once() {
    let mut machine = acting();
    let mut picture = with(&[lease(1, None, 3), lease(2, Some(2), 1)]);
    assert!(machine.handle(ms(15), read(10, &picture)).contains(&Effect::Plan), "nobody has it, nobody is wished for");
    assert!(machine.handle(ms(16), Event::Planned).contains(&Effect::Read));
    picture.leases[0].desired = Some(ME);
    assert_eq!(about_leases(machine.handle(ms(20), read(16, &picture))), [Effect::Take(vec![bot(1)])]);
    assert_eq!(about_leases(machine.handle(ms(21), read(20, &picture))), []);
    let taken = Event::Taken { asked: vec![bot(1)], taken: vec![(bot(1), Epoch(4))] };
    assert_eq!(about_leases(machine.handle(ms(25), taken)), [Effect::Start(bot(1), Epoch(4))]);
    assert_eq!(machine.epoch_of(bot(1)), Some(Epoch(4)));
}

#[test]
fn what_is_taken_while_suspended_starts_when_the_node_may_act() {
    let mut machine = acting();
    let mut picture = with(&[lease(1, None, 3), lease(2, Some(2), 1)]);
    picture.leases[0].desired = Some(ME);
    machine.handle(ms(20), read(10, &picture));
    let taken = Event::Taken { asked: vec![bot(1)], taken: vec![(bot(1), Epoch(4))] };
    assert_eq!(about_leases(machine.handle(ms(2_100), taken)), [Effect::Suspend]);
    let mine = with(&[lease(1, Some(1), 4), lease(2, Some(2), 1)]);
    assert_eq!(about_leases(machine.handle(ms(2_200), read(2_100, &mine))), []);
    assert!(machine.handle(ms(2_300), beaten(2_200)).contains(&Effect::Read));
    assert_eq!(about_leases(machine.handle(ms(2_310), read(2_300, &mine))), [Effect::Start(bot(1), Epoch(4))]);
}

#[test]
fn a_lease_of_another_is_warmed_for_and_started_when_it_comes() {
    let mut machine = acting();
    let mut picture = with(&[lease(1, Some(2), 3), lease(2, Some(2), 1)]);
    picture.leases[0].desired = Some(ME);
    assert_eq!(about_leases(machine.handle(ms(20), read(10, &picture))), [Effect::Warm(bot(1))]);
    assert_eq!(about_leases(machine.handle(ms(21), read(20, &picture))), [], "it is warming");
    machine.handle(ms(22), Event::NotWarmed(bot(1)));
    assert_eq!(about_leases(machine.handle(ms(23), read(22, &picture))), [Effect::Warm(bot(1))]);
    machine.handle(ms(30), Event::Warmed(bot(1)));
    assert_eq!(about_leases(machine.handle(ms(31), read(29, &picture))), [], "asked before it was told");
    assert_eq!(
        about_leases(machine.handle(ms(33), read(32, &picture))),
        [Effect::Warm(bot(1))],
        "the wish was made anew"
    );
    picture.leases[0] = lease(1, Some(1), 4);
    assert_eq!(about_leases(machine.handle(ms(40), read(39, &picture))), [Effect::Start(bot(1), Epoch(4))]);
}

#[test]
fn a_lease_is_handed_over_when_the_one_who_waits_is_ready() {
    let mut machine = holding();
    let mut picture = owned(5);
    picture.leases[0].desired = Some(OTHER);
    assert_eq!(about_leases(machine.handle(ms(30), read(21, &picture))), []);
    picture.leases[0].ready = true;
    let hand_over = [Effect::HandOver(bot(1), Epoch(5), OTHER)];
    assert_eq!(about_leases(machine.handle(ms(31), read(30, &picture))), hand_over);
    assert_eq!(about_leases(machine.handle(ms(32), read(31, &picture))), [], "it is on its way");
    machine.handle(ms(33), Event::NotHandedOver(bot(1)));
    assert_eq!(about_leases(machine.handle(ms(34), read(33, &picture))), hand_over);
    machine.handle(ms(35), Event::HandedOver(bot(1)));
    assert_eq!((machine.held().count(), machine.owner_of(bot(1))), (0, Some(OTHER)));
}

#[test]
fn what_is_being_handed_over_is_not_stopped_when_the_picture_comes_first() {
    let mut machine = holding();
    let mut picture = owned(5);
    (picture.leases[0].desired, picture.leases[0].ready) = (Some(OTHER), true);
    machine.handle(ms(31), read(30, &picture));
    let over = with(&[lease(1, Some(2), 6), lease(2, Some(2), 1)]);
    assert_eq!(about_leases(machine.handle(ms(32), read(31, &over))), [], "it still settles what it was sending");
    machine.handle(ms(33), Event::HandedOver(bot(1)));
    assert_eq!(machine.held().count(), 0);
}

#[test]
fn i6_a_picture_read_before_a_hand_over_never_restarts_the_actor() {
    let mut machine = holding();
    let mut picture = owned(5);
    (picture.leases[0].desired, picture.leases[0].ready) = (Some(OTHER), true);
    machine.handle(ms(31), read(30, &picture));
    machine.handle(ms(33), Event::HandedOver(bot(1)));
    assert_eq!(about_leases(machine.handle(ms(34), read(32, &picture))), []);
    assert_eq!(about_leases(machine.handle(ms(36), read(35, &owned(7)))), [Effect::Start(bot(1), Epoch(7))]);
}

#[test]
fn i6_a_picture_read_before_a_fence_never_restarts_the_actor() {
    let mut machine = holding();
    machine.handle(ms(30), Event::Fenced(bot(1), Epoch(5)));
    assert_eq!(about_leases(machine.handle(ms(31), read(29, &owned(5)))), []);
    assert_eq!(machine.held().count(), 0);
}

#[test]
fn a_fence_under_an_older_epoch_leaves_the_actor_alone() {
    let mut machine = holding();
    machine.handle(ms(30), Event::Fenced(bot(1), Epoch(4)));
    assert_eq!(machine.epoch_of(bot(1)), Some(Epoch(5)));
}

#[test]
fn i6_what_another_owns_is_stopped() {
    let mut machine = holding();
    let over = with(&[lease(1, Some(2), 6), lease(2, Some(2), 1)]);
    assert_eq!(about_leases(machine.handle(ms(30), read(21, &over))), [Effect::Stop(bot(1), Epoch(5))]);
    let mut machine = holding();
    let gone = with(&[lease(2, Some(2), 1)]);
    assert_eq!(about_leases(machine.handle(ms(30), read(21, &gone))), [Effect::Stop(bot(1), Epoch(5))]);
    let mut machine = holding();
    assert_eq!(
        about_leases(machine.handle(ms(30), read(21, &owned(7)))),
        [Effect::Stop(bot(1), Epoch(5)), Effect::Start(bot(1), Epoch(7))]
    );
}

#[test]
fn one_errand_of_a_kind_is_under_way_at_a_time() {
    let mut machine = Ownership::new(ME, OwnershipSettings::default());
    machine.handle(ms(0), Event::Tick);
    assert_eq!(machine.handle(ms(5_000), Event::Hinted), []);
    assert_eq!(machine.handle(ms(5_001), Event::Beaten { sent_at: ms(0), state: None }), [Effect::Beat]);
    let again = machine.handle(ms(5_002), Event::Read { asked_at: ms(0), picture: None });
    assert_eq!(again, [Effect::Read], "hinted while a read was under way");
}

#[test]
fn planning_that_changes_nothing_does_not_turn_in_circles() {
    let mut machine = acting();
    let free = with(&[lease(1, None, 3)]);
    assert!(machine.handle(ms(20), read(10, &free)).contains(&Effect::Plan));
    assert!(machine.handle(ms(21), Event::Planned).contains(&Effect::Read));
    assert!(!machine.handle(ms(22), read(21, &free)).contains(&Effect::Plan));
    assert_eq!(machine.next_due(), ms(120));
    assert!(machine.handle(ms(120), Event::Tick).contains(&Effect::Read));
    assert!(machine.handle(ms(121), read(120, &free)).contains(&Effect::Plan));
}

#[test]
fn a_drained_node_waits_until_all_is_handed_over() {
    let mut machine = holding();
    assert_eq!(machine.handle(ms(30), Event::Drain), [Effect::Drain, Effect::Read]);
    let mut picture = owned(5);
    assert_eq!(about_leases(machine.handle(ms(31), read(30, &picture))), []);
    picture.nodes[0].state = NodeState::Draining;
    (picture.leases[0].desired, picture.leases[0].ready) = (Some(OTHER), true);
    machine.handle(ms(32), Event::Hinted);
    let hand_over = [Effect::HandOver(bot(1), Epoch(5), OTHER)];
    assert_eq!(about_leases(machine.handle(ms(33), read(32, &picture))), hand_over);
    assert!(!machine.handle(ms(34), Event::HandedOver(bot(1))).contains(&Effect::Drained));
    picture.leases[0] = lease(1, Some(2), 6);
    assert_eq!(about_leases(machine.handle(ms(35), read(34, &picture))), [Effect::Drained]);
}

#[test]
fn a_drained_node_with_nobody_to_take_over_ends_at_once() {
    let mut machine = holding();
    machine.handle(ms(30), Event::Drain);
    let mut alone = owned(5);
    alone.nodes.truncate(1);
    assert_eq!(about_leases(machine.handle(ms(31), read(30, &alone))), [Effect::Drained]);
}

#[test]
fn a_drain_that_the_store_did_not_hear_is_told_again() {
    let mut machine = holding();
    machine.handle(ms(30), Event::Drain);
    assert!(machine.handle(ms(510), beaten(500)).contains(&Effect::Drain));
    let draining = Event::Beaten { sent_at: ms(1_000), state: Some(NodeState::Draining) };
    assert!(!machine.handle(ms(1_010), draining).contains(&Effect::Drain));
}

#[test]
fn a_silent_node_is_buried_and_its_leases_are_looked_at() {
    let mut machine = acting();
    let nodes = picture(2, 0).nodes;
    let mut buried = None;
    for at in (1..=20).map(|n| n * 250) {
        machine.handle(ms(at), beaten(at));
        let effects = machine.handle(ms(at), Event::Observed { asked_at: ms(at), nodes: Some(nodes.clone()) });
        if effects.contains(&Effect::Bury(vec![(OTHER, 1)])) {
            buried = buried.or(Some(at));
        }
    }
    assert_eq!(buried, Some(3_250));
    machine.handle(ms(5_001), Event::Read { asked_at: ms(5_000), picture: None });
    machine.handle(ms(5_002), Event::Read { asked_at: ms(5_001), picture: None });
    assert!(machine.handle(ms(5_003), Event::Buried).contains(&Effect::Read));
}

#[test]
fn a_wish_called_off_is_no_longer_warmed_for() {
    let mut machine = acting();
    let mut picture = with(&[lease(1, Some(2), 3), lease(2, Some(2), 1)]);
    wish(&mut picture, &[crate::domain::ownership::Wish { key: bot(1), desired: Some(ME) }]);
    machine.handle(ms(20), read(10, &picture));
    machine.handle(ms(21), Event::Warmed(bot(1)));
    picture.leases[0].desired = None;
    machine.handle(ms(23), read(22, &picture));
    picture.leases[0].desired = Some(ME);
    assert_eq!(about_leases(machine.handle(ms(25), read(24, &picture))), [Effect::Warm(bot(1))]);
}
