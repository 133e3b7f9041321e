//! Claims about the outcomes: I2, I3. Part of the testkit.

use super::send::{begin, with_messages};
use super::{HANDLED_GO, Home, Scene};
use crate::domain::commit::operations::{Advance, Operation};
use crate::domain::decision::Cause;
use crate::domain::ids::{DecisionNumber, MessageId, Number, TelegramChatId, TelegramUserId};
use crate::domain::outbox::OutboxState;
use crate::domain::turn::TurnState;
use crate::ports::outcomes::{OutcomeCursor, OutcomeRecord};
use crate::ports::store::QueueDepths;
use crate::testkit::rows::{advance, at, decision, ingest, sent, start, turn, update};

claims! {
    $ __claims_of_outcomes of outcomes:
    every_row_is_one_line_with_what_became_of_it
    pages_end_and_ticks_come_last
    handled_rows_are_pruned_by_age_and_waiting_ones_are_not
}

/// Reads all pages, each of at most `limit` lines.
async fn lines(scene: &Scene, limit: usize) -> Vec<OutcomeRecord> {
    let (mut all, mut cursor) = (Vec::new(), OutcomeCursor::default());
    for _ in 0..100 {
        let (page, next) = scene.store.outcomes(cursor, limit).await.unwrap();
        if page.is_empty() {
            return all;
        }
        assert!(page.len() <= limit);
        all.extend(page);
        cursor = next;
    }
    panic!("the pages do not end")
}

/// I3: each row is one line, with its decision's turns and their messages.
pub async fn every_row_is_one_line_with_what_became_of_it(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    scene
        .commit_all(vec![
            begin(&scene, &messages[0], start(51, at(5))),
            sent(&messages[0], 51, 601, 61),
            ingest(bot, scene.epoch, vec![update(70, bot, chat, 7)]),
        ])
        .await;
    let lines = lines(&scene, 10).await;
    assert_eq!(lines.len(), 3);

    let first = &lines[0];
    assert_eq!((first.source.as_str(), first.update_id, first.bot_id), ("update", Some(1), Some(TelegramUserId(1001))));
    assert_eq!((first.chat_id, first.message_id), (Some(TelegramChatId(-2001)), Some(MessageId(501))));
    assert_eq!(
        (first.outcome.as_str(), first.number, first.decision),
        ("appended", Some(Number(1)), Some(DecisionNumber(1)))
    );
    assert_eq!(first.turns.len(), 2);
    let turn = &first.turns[0];
    assert_eq!((turn.id.as_str(), turn.bot_id, turn.state), ("31", TelegramUserId(1001), TurnState::Done));
    let message = &turn.messages[0];
    assert_eq!((message.id.as_str(), message.part, message.state), ("41", 0, OutboxState::Sent));
    assert_eq!((message.chat_id, message.message_id), (TelegramChatId(-2001), Some(MessageId(601))));
    assert_eq!(first.turns[1].messages[0].state, OutboxState::Queued);

    let event = &lines[1];
    assert_eq!((event.source.as_str(), event.update_id, event.bot_id), ("sent", None, Some(TelegramUserId(1001))));
    assert_eq!((event.chat_id, event.message_id), (Some(TelegramChatId(-2001)), Some(MessageId(601))));
    assert_eq!((event.outcome.as_str(), event.number), ("pending", None));
    assert_eq!((lines[2].outcome.as_str(), lines[2].update_id, lines[2].turns.len()), ("pending", Some(7), 0));
}

/// Every line comes once, whatever the size of the pages.
pub async fn pages_end_and_ticks_come_last(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], chats) = (scene.bots, scene.chats);
    let rows = (1..=5).map(|n| update(n, bot, chats[0], n)).collect();
    let tick = |chat, number: i64, turns| {
        Operation::Advance(Advance {
            entries: vec![],
            handled: vec![],
            decisions: vec![decision(chat, number, Cause::Tick)],
            turns,
            ..advance(chat, scene.epoch, 0, 1)
        })
    };
    let batch = vec![
        ingest(bot, scene.epoch, rows),
        tick(chats[1], 1, vec![turn(31, chats[1], 1, bot)]),
        tick(chats[0], 1, vec![]),
        tick(chats[0], 2, vec![]),
    ];
    scene.commit_all(batch).await;
    let all = lines(&scene, 100).await;
    for limit in [1, 2, 3] {
        assert_eq!(lines(&scene, limit).await, all);
    }
    let updates: Vec<_> = all.iter().filter_map(|line| line.update_id).collect();
    assert_eq!(updates, [1, 2, 3, 4, 5]);
    let ticks: Vec<_> = all[5..].iter().map(|line| (line.source.as_str(), line.chat_id, line.decision)).collect();
    let line = |chat: i64, number: i64| ("tick", Some(TelegramChatId(chat)), Some(DecisionNumber(number)));
    assert_eq!(ticks, [line(-2001, 1), line(-2001, 2), line(-2002, 1)]);
    assert_eq!((all[7].outcome.as_str(), all[7].reason.as_deref()), ("speak", Some("asked by name")));
    assert_eq!(all[7].turns.len(), 1);
}

/// I2: a handled update that cannot come again need not be kept.
pub async fn handled_rows_are_pruned_by_age_and_waiting_ones_are_not(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let mut rows: Vec<_> = (1..=3).map(|n| update(n, bot, chat, n)).collect();
    rows[1].received_at = at(50);
    scene
        .commit_all(vec![
            ingest(bot, scene.epoch, rows),
            Operation::Advance(advance(chat, scene.epoch, 0, 1)),
            Operation::Advance(advance(chat, scene.epoch, 1, 2)),
        ])
        .await;
    assert_eq!(scene.store.prune(at(0), &HANDLED_GO).await.unwrap(), 0);
    assert_eq!(scene.store.prune(at(50), &HANDLED_GO).await.unwrap(), 1);
    let left: Vec<_> = lines(&scene, 9).await.iter().filter_map(|line| line.update_id).collect();
    assert_eq!(left, [2, 3]);
    assert_eq!(scene.store.depths().await.unwrap(), QueueDepths { inbox: 1, ..QueueDepths::default() });
    assert_eq!(scene.store.transcript(chat, Number(9), 9).await.unwrap().len(), 2);
}
