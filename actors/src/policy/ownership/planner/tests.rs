//! Tests the planner, by claim and by property. Layer `policy`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::samples::{fulfil, lease, node, picture, wish};
use super::super::settings::OwnershipSettings;
use super::{plan, rebalance, shares};
use crate::domain::ids::ChatId;
use crate::domain::ownership::{Incarnation, Lease, LeaseKey, NodeReport, NodeRole, NodeState, Picture};

fn settings() -> OwnershipSettings {
    OwnershipSettings::default()
}

/// Plans and moves until nothing is left to do. Returns how many leases of living owners moved, and in how many waves.
/// Checks on the way the properties that every wave must have.
fn settle(picture: &mut Picture) -> (usize, usize) {
    let (mut moved, mut waves) = (0, 0);
    loop {
        let wishes = plan(picture, &settings());
        if wishes.is_empty() {
            return (moved, waves);
        }
        wish(picture, &wishes);
        assert!(plan(picture, &settings()).is_empty(), "planning twice changes nothing");
        wave_is_sound(picture);
        moved += fulfil(picture);
        waves += 1;
        assert!(waves < 100, "it never comes to rest");
    }
}

fn wave_is_sound(picture: &Picture) {
    let mut giving: BTreeMap<Incarnation, usize> = BTreeMap::new();
    let mut going: BTreeMap<Incarnation, usize> = BTreeMap::new();
    let bots = || picture.leases.iter().filter(|lease| lease.key.kind() == "bot");
    for lease in bots() {
        *going.entry(lease.desired.or(lease.owner).unwrap()).or_default() += 1;
        if let (Some(owner), Some(desired)) = (lease.owner, lease.desired)
            && picture.lives(owner)
        {
            assert_ne!(owner, desired);
            *giving.entry(owner).or_default() += 1;
        }
    }
    let held = held(picture);
    let owning = picture.nodes.iter().filter(|node| node.state != NodeState::Dead).count();
    for (node, giving) in giving {
        assert!(giving <= held[&node].max(picture.leases.len() / owning).div_ceil(4), "{node} gives {giving}");
    }
    for (node, share) in shares(picture, "bot") {
        let receives = bots().any(|lease| lease.desired == Some(node));
        assert!(!receives || going.get(&node).copied().unwrap_or(0) <= share, "{node} is to have more than its quota");
    }
}

fn held(picture: &Picture) -> BTreeMap<Incarnation, usize> {
    let mut held: BTreeMap<Incarnation, usize> = picture.nodes.iter().map(|node| (node.incarnation, 0)).collect();
    for owner in picture.leases.iter().filter_map(|lease| lease.owner) {
        *held.entry(owner).or_default() += 1;
    }
    held
}

/// Returns the difference between the most and the fewest leases on nodes that may own any.
fn spread(picture: &Picture) -> usize {
    let held = held(picture);
    let takers = || picture.nodes.iter().filter(|node| node.takes_leases()).map(|node| held[&node.incarnation]);
    takers().max().unwrap() - takers().min().unwrap()
}

fn kill(picture: &mut Picture, incarnation: i64) {
    let node = picture.nodes.iter_mut().find(|node| node.incarnation == Incarnation(incarnation)).unwrap();
    node.state = NodeState::Dead;
}

fn bury_for_good(picture: &mut Picture) {
    picture.nodes.retain(|node| node.state != NodeState::Dead);
}

#[test]
fn two_hundred_bots_on_four_to_eight_nodes_spread_by_one_at_most() {
    for nodes in 4..=8 {
        let mut picture = picture(nodes, 200);
        assert_eq!(settle(&mut picture), (0, 1), "free leases are wished for at once");
        assert!(spread(&picture) <= 1);
    }
}

#[test]
fn a_join_moves_the_ideal_number_and_a_leave_moves_what_was_there() {
    for nodes in 1..=8 {
        let mut picture = picture(nodes, 200);
        settle(&mut picture);
        picture.nodes.push(node(100, "newcomer"));
        let (moved, _) = settle(&mut picture);
        assert_eq!((moved, spread(&picture)), (200 / (nodes as usize + 1), usize::from(200 % (nodes + 1) != 0)));
        let had = held(&picture)[&Incarnation(1)];
        picture.nodes[0].state = NodeState::Draining;
        let (moved, waves) = settle(&mut picture);
        assert_eq!((moved, held(&picture)[&Incarnation(1)]), (had, 0));
        assert!((3..=5).contains(&waves), "{waves} waves");
    }
}

#[test]
fn what_moves_at_a_join_is_what_wants_the_newcomer_most() {
    let mut picture = picture(4, 200);
    settle(&mut picture);
    let before = picture.clone();
    picture.nodes.push(node(100, "newcomer"));
    settle(&mut picture);
    let moved = before.leases.iter().zip(&picture.leases).filter(|(before, after)| before.owner != after.owner);
    let names: BTreeMap<_, _> = picture.nodes.iter().map(|node| (node.incarnation, node.name.clone())).collect();
    let (mut first, mut all) = (0, 0);
    for (before, _) in moved {
        let weight = |node: &str| super::super::placement::weight(node, before.key);
        all += 1;
        first += usize::from(weight("newcomer") > weight(&names[&before.owner.unwrap()]));
    }
    assert!(all == 40 && first >= 35, "{first} of {all}");
}

#[test]
fn a_dead_nodes_leases_are_wished_for_at_once_and_nothing_else_moves() {
    let mut picture = picture(5, 200);
    settle(&mut picture);
    kill(&mut picture, 2);
    let wishes = plan(&picture, &settings());
    assert_eq!(wishes.len(), 40);
    assert_eq!(settle(&mut picture), (0, 1));
    assert!(spread(&picture) <= 1);
}

#[test]
fn bots_go_only_where_telegram_is_reached_while_it_is_reached_anywhere() {
    let mut picture = picture(3, 12);
    picture.leases.push(Lease { key: LeaseKey::Chat(ChatId(1)), ..lease(1, None, 0) });
    picture.leases.push(Lease { key: LeaseKey::Chat(ChatId(2)), ..lease(1, None, 0) });
    picture.leases.push(Lease { key: LeaseKey::Chat(ChatId(3)), ..lease(1, None, 0) });
    settle(&mut picture);
    let deaf = NodeReport { telegram: false, ..NodeReport::default() };
    picture.nodes[0].report = deaf;
    settle(&mut picture);
    assert_eq!(held(&picture), BTreeMap::from([(Incarnation(1), 1), (Incarnation(2), 7), (Incarnation(3), 7)]));
    for node in &mut picture.nodes {
        node.report = deaf;
    }
    settle(&mut picture);
    assert_eq!(spread(&picture), 0, "when nobody reaches Telegram, nobody is worse than the others");
}

#[test]
fn nodes_of_the_api_own_nothing() {
    let mut picture = picture(3, 30);
    picture.nodes[1].role = NodeRole::Api;
    settle(&mut picture);
    assert_eq!(held(&picture)[&Incarnation(2)], 0);
    assert!(!shares(&picture, "bot").contains_key(&Incarnation(2)));
}

#[test]
fn with_nobody_to_move_to_everybody_keeps_what_they_have() {
    let mut picture = picture(1, 10);
    settle(&mut picture);
    picture.nodes[0].state = NodeState::Draining;
    assert_eq!(plan(&picture, &settings()), []);
}

#[test]
fn a_drain_taken_back_calls_off_what_has_not_moved() {
    let mut picture = picture(4, 40);
    settle(&mut picture);
    picture.nodes[0].state = NodeState::Draining;
    let wishes = plan(&picture, &settings());
    wish(&mut picture, &wishes);
    picture.nodes[0].state = NodeState::Alive;
    let wishes = plan(&picture, &settings());
    wish(&mut picture, &wishes);
    assert_eq!(picture.leases.iter().filter(|lease| lease.desired.is_some()).count(), 0);
}

#[test]
fn a_move_to_a_node_that_died_is_called_off_or_goes_elsewhere() {
    let mut picture = picture(3, 30);
    settle(&mut picture);
    picture.nodes.push(node(9, "newcomer"));
    let wishes = plan(&picture, &settings());
    wish(&mut picture, &wishes);
    kill(&mut picture, 9);
    let wishes = plan(&picture, &settings());
    wish(&mut picture, &wishes);
    assert!(picture.leases.iter().all(|lease| lease.desired.is_none()));
}

#[test]
fn rebalancing_in_waves_reaches_the_placement_of_hashing_alone_and_planning_leaves_it() {
    let mut grown = picture(2, 200);
    settle(&mut grown);
    for n in 3..=5 {
        grown.nodes.push(node(n, &format!("n{n}")));
        settle(&mut grown);
    }
    let mut waves = 0;
    loop {
        let wishes = rebalance(&grown, &settings());
        if wishes.is_empty() {
            break;
        }
        wish(&mut grown, &wishes);
        assert_eq!(plan(&grown, &settings()), [], "a wave keeps every node within its quota");
        wave_is_sound(&grown);
        fulfil(&mut grown);
        assert!(spread(&grown) <= 1);
        waves += 1;
        assert!(waves < 40);
    }
    let mut fresh = picture(5, 200);
    let wishes = rebalance(&fresh, &settings());
    wish(&mut fresh, &wishes);
    fulfil(&mut fresh);
    let owners = |picture: &Picture| picture.leases.iter().map(|lease| lease.owner).collect::<Vec<_>>();
    assert_eq!(owners(&grown), owners(&fresh));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_history_ends_even_and_moves_no_more_than_it_must(
        bots in 1_i64..220,
        start in 1_i64..7,
        steps in proptest::collection::vec((0_u8..3, 0_usize..8), 1..8),
    ) {
        let mut picture = picture(start, bots);
        settle(&mut picture);
        let mut newest = start;
        for (what, which) in steps {
            let takers = picture.nodes.iter().filter(|node| node.takes_leases()).count();
            let at = which % picture.nodes.len();
            let had = held(&picture)[&picture.nodes[at].incarnation];
            let ideal = match what {
                0 => {
                    newest += 1;
                    picture.nodes.push(node(newest, &format!("n{newest}")));
                    picture.leases.len().div_ceil(takers + 1)
                }
                1 if takers > 1 && picture.nodes[at].takes_leases() => {
                    picture.nodes[at].state = NodeState::Draining;
                    had
                }
                2 if takers > 1 && picture.nodes[at].takes_leases() => {
                    picture.nodes[at].state = NodeState::Dead;
                    0
                }
                _ => continue,
            };
            let (moved, _) = settle(&mut picture);
            bury_for_good(&mut picture);
            prop_assert!(moved <= ideal, "{moved} moved, {ideal} would do");
            prop_assert!(spread(&picture) <= 1);
            let drained = picture.nodes.iter().filter(|node| node.state == NodeState::Draining);
            prop_assert!(drained.into_iter().all(|node| held(&picture)[&node.incarnation] == 0));
            picture.nodes.retain(|node| node.state == NodeState::Alive);
        }
    }

    #[test]
    fn every_node_finds_the_same_plan_whatever_order_it_reads(bots in 1_i64..100, nodes in 1_i64..7, turn in 0_usize..7) {
        let mut picture = picture(nodes, bots);
        settle(&mut picture);
        picture.nodes.push(node(50, "newcomer"));
        let expected = plan(&picture, &settings());
        let by = turn % picture.nodes.len();
        picture.nodes.rotate_left(by);
        prop_assert_eq!(plan(&picture, &settings()), expected);
    }
}
