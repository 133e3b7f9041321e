//! Tests the checker on clean histories, and on the same histories with one fault planted.

use botfleet_world::checker::outcome::{MessageState, Outcome, OutcomeLine, Source};
use botfleet_world::checker::report::Breaches;
use botfleet_world::checker::{Policy, check_with};
use botfleet_world::ledger::{LedgerEvent, PollEnd};

use crate::checker_history::{
    BOTS, CHATS, History, SEEDS, accepted, any_line, any_send, clean, found, look, message_of, opened, push, tick,
};

#[test]
fn a_clean_history_passes_and_is_counted() {
    found(|_, _| {}, Breaches::default());
    let history = clean(1);
    let totals = look(&history).totals;
    assert_eq!(totals.people_messages * 3, totals.sends_accepted);
    assert_eq!(totals.updates_queued, totals.updates_confirmed);
    assert_eq!((totals.turns, totals.llm_calls), (totals.sends_accepted, totals.sends_accepted));
    assert_eq!(totals.polls, totals.updates_queued);
}

#[test]
fn a_lost_update_is_found() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |line| line.outcome == Outcome::Duplicate);
        history.outcomes.remove(index);
    };
    found(plant, Breaches { lost: 1, ..Breaches::default() });
}

#[test]
fn an_update_that_is_still_pending_is_lost() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |line| line.outcome == Outcome::Duplicate);
        history.outcomes[index].outcome = Outcome::Pending;
    };
    found(plant, Breaches { lost: 1, ..Breaches::default() });
}

#[test]
fn an_unconfirmed_update_may_have_no_outcome() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        push(
            history,
            LedgerEvent::UpdateQueued {
                bot: 10,
                update_id: 9999,
                chat: None,
                message_id: None,
                update_kind: "my_chat_member".into(),
            },
        );
    };
    found(plant, Breaches::default());
}

#[test]
fn an_update_handled_twice_is_found() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |_| true);
        let mut again = history.outcomes[index].clone();
        again.number = None;
        history.outcomes.push(again);
    };
    found(plant, Breaches { handled_twice: 1, ..Breaches::default() });
}

#[test]
fn a_message_sent_again_is_found() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let (_, bot, chat, _, text) = any_send(history, rng);
        push(history, accepted(900, bot, chat, 9000, &text));
    };
    found(plant, Breaches { duplicate_sends: 1, uncaused_sends: 1, ..Breaches::default() });
}

#[test]
fn a_text_sent_by_another_bot_again_is_found_though_an_outcome_stands_for_it() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        for call in &mut history.calls {
            call.text = call.text.replace("#m", "nr ");
        }
        for record in &mut history.ledger {
            if let LedgerEvent::SendAccepted { text, marker, .. } = &mut record.event {
                *text = text.replace("#m", "nr ");
                *marker = None;
            }
        }
        let (_, bot, chat, _, text) = any_send(history, rng);
        let other = BOTS.into_iter().find(|other| *other != bot).unwrap();
        push(history, accepted(900, other, chat, 9000, &text));
        history.outcomes.push(tick(other, chat, 9000));
    };
    found(plant, Breaches { duplicate_sends: 1, ..Breaches::default() });
}

#[test]
fn one_message_of_the_outbox_with_two_sends_is_found() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        for message_id in [9000, 9001] {
            push(history, accepted(message_id, 10, CHATS[0], message_id as i64, "a notice"));
            history.outcomes.push(tick(10, CHATS[0], message_id as i64));
        }
        let last = history.outcomes.len() - 1;
        history.outcomes[last].turns[0].messages[0].id = history.outcomes[last - 1].turns[0].messages[0].id.clone();
    };
    found(plant, Breaches { duplicate_sends: 1, ..Breaches::default() });
}

#[test]
fn the_same_notice_may_be_sent_to_two_chats() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        for (send, chat) in (9000_u64..).zip(CHATS) {
            push(history, accepted(send, 10, chat, send as i64, "I am a bot."));
            let notice = OutcomeLine { source: Source::Notice, ..tick(10, chat, send as i64) };
            history.outcomes.push(notice);
        }
    };
    found(plant, Breaches::default());
}

#[test]
fn an_uncaused_send_is_found() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        push(history, accepted(900, 10, CHATS[0], 9000, "out of nowhere"));
    };
    found(plant, Breaches { uncaused_sends: 1, ..Breaches::default() });
}

#[test]
fn an_unknown_message_stands_for_one_send_of_its_bot_and_chat() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let (_, _, _, message_id, _) = any_send(history, rng);
        let message = message_of(history, message_id);
        message.state = MessageState::Unknown;
        message.message_id = None;
    };
    found(plant, Breaches { unknown: 1, ..Breaches::default() });
    let plant_second = |history: &mut History, rng: &mut fastrand::Rng| {
        plant(history, rng);
        let unknown = history.outcomes.iter().flat_map(|line| &line.turns).find_map(|turn| {
            let message = turn.messages.iter().find(|m| m.state == MessageState::Unknown)?;
            Some((turn.bot_id, message.chat_id))
        });
        let (bot, chat) = unknown.unwrap();
        push(history, accepted(900, bot, chat, 9000, "one too many"));
    };
    found(plant_second, Breaches { unknown: 1, uncaused_sends: 1, ..Breaches::default() });
}

#[test]
fn a_phantom_send_is_found() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        history.outcomes.push(tick(10, CHATS[0], 9000));
    };
    found(plant, Breaches { phantom_sends: 1, ..Breaches::default() });
    let nameless = |history: &mut History, _: &mut fastrand::Rng| {
        let mut line = tick(10, CHATS[0], 9000);
        line.turns[0].messages[0].message_id = None;
        history.outcomes.push(line);
    };
    found(nameless, Breaches { phantom_sends: 1, ..Breaches::default() });
}

#[test]
fn a_transcript_out_of_order_is_found() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |line| line.outcome == Outcome::Appended);
        let line = history.outcomes[index].clone();
        // The same bot's next update has the number before this one's.
        let mut next = line.clone();
        next.update_id = Some(99_999);
        next.message_id = None;
        next.number = line.number.map(|number| number - 1);
        next.turns = Vec::new();
        history
            .outcomes
            .retain(|other| other.bot_id != line.bot_id || other.number.is_none() || other.number <= line.number);
        for other in &mut history.outcomes {
            if other.bot_id == line.bot_id && other.chat_id == line.chat_id && *other != line {
                other.number = None;
            }
        }
        history.outcomes.push(next);
    };
    for seed in SEEDS {
        let mut history = clean(seed);
        plant(&mut history, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(look(&history).breaches.order, 1, "seed {seed}");
    }
}

#[test]
fn parts_out_of_order_are_found() {
    let plant = |history: &mut History, _: &mut fastrand::Rng| {
        let mut line = tick(10, CHATS[0], 9001);
        let mut second = line.turns[0].messages[0].clone();
        second.id = "second".into();
        second.part = 1;
        second.message_id = Some(9000);
        line.turns[0].messages.push(second);
        history.outcomes.push(line);
        push(history, accepted(900, 10, CHATS[0], 9000, "part two"));
        push(history, accepted(901, 10, CHATS[0], 9001, "part one"));
    };
    found(plant, Breaches { order: 1, ..Breaches::default() });
}

#[test]
fn overlapping_polls_are_found_and_a_client_that_had_gone_is_none() {
    let overlap = |how: PollEnd| {
        move |history: &mut History, _: &mut fastrand::Rng| {
            push(history, opened(10, 9000));
            push(history, opened(10, 9001));
            for (poll, how) in [(9000, how), (9001, PollEnd::Answered)] {
                push(history, LedgerEvent::PollClosed { bot: 10, poll, delivered: Vec::new(), how });
            }
        }
    };
    let one = Breaches { overlapping_polls: 1, ..Breaches::default() };
    found(overlap(PollEnd::Conflict), one);
    found(overlap(PollEnd::Answered), one);
    found(overlap(PollEnd::ClientGone), Breaches::default());
    let gone_late = |history: &mut History, rng: &mut fastrand::Rng| {
        overlap(PollEnd::ClientGone)(history, rng);
        let last = history.ledger.len() - 2;
        for record in &mut history.ledger[last..] {
            record.at_us += 5_000_000;
        }
    };
    found(gone_late, one);
    let two_bots = |history: &mut History, _: &mut fastrand::Rng| {
        push(history, opened(10, 9000));
        push(history, opened(11, 9001));
    };
    found(two_bots, Breaches::default());
}

#[test]
fn silence_is_a_breach_only_where_every_message_must_be_answered() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |line| line.outcome == Outcome::Appended);
        let turn = history.outcomes[index].turns.pop().unwrap();
        let sent = turn.messages[0].message_id;
        history.ledger.retain(|record| match &record.event {
            LedgerEvent::SendAccepted { message_id, .. } => Some(*message_id) != sent,
            _ => true,
        });
    };
    found(plant, Breaches { unanswered: 1, ..Breaches::default() });
    let mut history = clean(3);
    plant(&mut history, &mut fastrand::Rng::with_seed(3));
    let free = check_with(Policy::Free, &history.ledger, &history.calls, &history.outcomes);
    assert!(free.is_clean(), "{free}");
}

#[test]
fn a_second_answer_to_one_message_is_found() {
    let plant = |history: &mut History, rng: &mut fastrand::Rng| {
        let index = any_line(history, rng, |line| line.outcome == Outcome::Appended);
        let bot = history.outcomes[index].turns[0].bot_id;
        let chat = history.outcomes[index].chat_id.unwrap();
        push(history, accepted(900, bot, chat, 9000, "and another thing"));
        let turn = tick(bot, chat, 9000).turns.remove(0);
        history.outcomes[index].turns.push(turn);
    };
    found(plant, Breaches { unanswered: 1, ..Breaches::default() });
}
