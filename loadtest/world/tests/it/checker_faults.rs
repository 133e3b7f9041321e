//! Tests the checker on histories with faults, kills, pauses, migrations and edits.

use std::time::Duration;

use botfleet_world::checker::outcome::MessageState;
use botfleet_world::checker::report::Breaches;
use botfleet_world::checker::{Claim, Policy, Shocks, check_after_shocks};
use botfleet_world::ledger::{LedgerEvent, PostedKind, hash_of};

use crate::checker_history::{BOTS, CHATS, History, accepted, clean, found, look, message_of, push, tick};

const UPGRADED: i64 = -1_000_000_009_999;

fn violated(told_at_us: u64) -> LedgerEvent {
    let method = "sendmessage".to_owned();
    LedgerEvent::LimitViolated { bot: 10, chat: Some(CHATS[0]), method, send: Some(1), told_at_us, left_ms: 9 }
}

fn struck(send: u64, kind: &str) -> LedgerEvent {
    let method = "sendmessage".to_owned();
    LedgerEvent::FaultInjected { bot: 10, method, kind: kind.to_owned(), send: Some(send) }
}

#[test]
fn a_call_during_a_pause_is_a_breach_and_a_refusal_by_429_alone_is_none() {
    found(|history, _| push(history, violated(0)), Breaches { limit_violations: 1, ..Breaches::default() });
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        let description = String::new();
        push(history, LedgerEvent::SendRefused { send: 9, bot: 10, chat: CHATS[0], error_code: 429, description });
    };
    found(plant, Breaches::default());
    let mut history = clean(1);
    plant(&mut history, &mut fastrand::Rng::with_seed(1));
    assert_eq!((look(&history).totals.sends_limited, look(&history).totals.sends_refused), (1, 1));
}

#[test]
fn faults_are_counted_by_kind_and_are_no_breach() {
    let mut history = clean(2);
    for kind in ["reset_after", "reset_after", "stall_before"] {
        push(&mut history, struck(1, kind));
    }
    let report = look(&history);
    assert!(report.is_clean());
    assert_eq!(report.faults.get("reset_after"), Some(&2));
    assert!(report.to_string().contains("fault stall_before"), "{report}");
}

#[test]
fn more_unknown_messages_than_doubtful_sends_are_a_breach() {
    let mut history = clean(3);
    let of: Vec<(u64, i64)> = history
        .ledger
        .iter()
        .filter_map(|record| match record.event {
            LedgerEvent::SendAccepted { send, message_id, .. } => Some((send, message_id)),
            _ => None,
        })
        .take(2)
        .collect();
    for (_, message_id) in &of {
        message_of(&mut history, *message_id).state = MessageState::Unknown;
    }
    push(&mut history, struck(of[0].0, "reset_after"));
    let judge = |history: &History| {
        check_after_shocks(Policy::Every, Shocks::default(), &history.ledger, &history.calls, &history.outcomes)
    };
    let report = judge(&history);
    assert_eq!((report.totals.sends_doubtful, report.breaches.unknown_beyond_doubt), (1, 1));
    assert!(!report.is_clean());
    push(&mut history, LedgerEvent::SendAbandoned { send: of[1].0 });
    assert_eq!(judge(&history).breaches.unknown_beyond_doubt, 0);
}

#[test]
fn a_message_that_the_product_was_about_to_send_when_it_was_killed_may_be_unknown() {
    let mut history = clean(3);
    let sent = history.ledger.iter().find_map(|record| match &record.event {
        LedgerEvent::SendAccepted { bot, message_id, text, .. } => Some((*bot, *message_id, text.clone())),
        _ => None,
    });
    let (bot, message_id, text) = sent.expect("a history with a send");
    let at_us = history.ledger.len() as u64;
    let message = message_of(&mut history, message_id);
    message.state = MessageState::Unknown;
    let claim = Claim { at_us, message: message.id.clone(), bot, text: "never received".to_owned() };
    let received = LedgerEvent::SendReceived {
        send: 77,
        bot,
        chat: CHATS[0],
        method: "sendmessage".to_owned(),
        text_hash: hash_of(&text),
        marker: None,
    };
    push(&mut history, received);
    push(&mut history, LedgerEvent::SendAnswered { send: 77 });
    let beyond = |claims: &[Claim]| {
        let shocks = Shocks { at_us: &[u64::MAX], grace: Duration::ZERO, claims };
        let report = check_after_shocks(Policy::Every, shocks, &history.ledger, &history.calls, &history.outcomes);
        (report.totals.sends_not_begun, report.breaches.unknown_beyond_doubt)
    };
    assert_eq!(beyond(&[]), (0, 1));
    assert_eq!(beyond(&[claim.clone(), claim.clone()]), (1, 0), "killed twice, once unknown");
    assert_eq!(beyond(&[Claim { message: "other".to_owned(), ..claim.clone() }]), (0, 1));
    assert_eq!(beyond(&[Claim { text, ..claim }]), (0, 1), "Telegram received and answered it");
}

#[test]
fn a_pause_that_was_told_as_the_fleet_died_need_not_be_known() {
    let mut history = clean(4);
    push(&mut history, violated(500));
    let judge = |kills: &[u64]| {
        let grace = Duration::from_micros(100);
        let shocks = Shocks { at_us: kills, grace, claims: &[] };
        check_after_shocks(Policy::Every, shocks, &history.ledger, &history.calls, &history.outcomes)
    };
    assert_eq!(judge(&[]).breaches.limit_violations, 1);
    assert!(judge(&[550]).is_clean());
    assert_eq!(judge(&[700]).breaches.limit_violations, 1);
}

#[test]
fn messages_from_before_a_migration_are_claimed_under_the_new_name() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        for outcome in &mut history.outcomes {
            outcome.chat_id = outcome.chat_id.map(|chat| if chat == CHATS[0] { UPGRADED } else { chat });
            for message in outcome.turns.iter_mut().flat_map(|turn| &mut turn.messages) {
                message.chat_id = if message.chat_id == CHATS[0] { UPGRADED } else { message.chat_id };
            }
        }
        push(history, LedgerEvent::ChatMigrated { from: CHATS[0], to: UPGRADED });
    };
    found(plant, Breaches::default());
}

#[test]
fn one_id_in_the_old_and_the_new_chat_is_two_messages_and_each_needs_its_own_cause() {
    let both = |history: &mut History, claims: usize| {
        push(history, accepted(901, BOTS[0], CHATS[0], 7_777, "eski"));
        push(history, LedgerEvent::ChatMigrated { from: CHATS[0], to: UPGRADED });
        push(history, accepted(902, BOTS[0], UPGRADED, 7_777, "yeni"));
        for claim in 0..claims {
            let mut line = tick(BOTS[0], UPGRADED, 7_777);
            for turn in &mut line.turns {
                turn.id = format!("claim{claim}");
                turn.messages[0].id = format!("claim{claim}");
            }
            history.outcomes.push(line);
        }
    };
    let free = |claims| {
        let mut history = History::default();
        both(&mut history, claims);
        look(&history).breaches
    };
    assert_eq!(free(2), Breaches::default());
    assert_eq!(free(1), Breaches { uncaused_sends: 1, ..Breaches::default() });
    assert_eq!(free(3), Breaches { phantom_sends: 1, ..Breaches::default() });
}

#[test]
fn an_edited_message_is_no_second_send() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        push(
            history,
            LedgerEvent::Posted {
                chat: CHATS[0],
                message_id: 1,
                author: BOTS[0],
                author_is_bot: true,
                marker: Some("#m1".into()),
                kind: PostedKind::Edit,
            },
        );
    };
    found(plant, Breaches::default());
}
