//! Claims about processes that come and go: I4, I6, I8. Part of the testkit.

use std::collections::BTreeSet;

use super::send::{begin, progress, with_messages, with_policy};
use super::turns::conversation;
use super::{Home, Scene};
use crate::domain::commit::operations::{
    AddPause, BeginOrder, Cancel, EndOrder, HandOver, LiftPauses, Migrate, Operation, OrderEnding, Resolve, Retract,
    Say, SetAbsence, SetDelivery, SettleRetraction, TakeOver, TurnEnding, Unclaim,
};
use crate::domain::commit::outcome::{Applied, Refusal};
use crate::domain::ids::{Epoch, MessageId, TelegramChatId};
use crate::domain::operator_order::{OrderId, OrderStep, OrderTarget};
use crate::domain::outbox::{OnUnknown, OutboxState, RESEND_ATTEMPTS_MAX};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::pause::Pause;
use crate::domain::retraction::RetractionEnding;
use crate::domain::roster::DeliveryChoice;
use crate::domain::takeover::{IDLE, Takeover};
use crate::domain::turn::{TURN_ATTEMPTS_MAX, TurnState};
use crate::ports::store::QueueDepths;
use crate::testkit::rows::{advance, at, claim, finish, ingest, message, sent, start, turn, update};

claims! {
    $ __claims_of_tenure of tenure:
    a_stale_epoch_writes_nothing
    an_attempt_is_settled_across_epochs
    what_was_being_sent_is_unknown_after_a_crash
    a_message_to_be_resent_is_due_again_after_a_crash
    a_turn_in_hand_at_a_crash_is_queued_again_until_it_is_dead
    a_reclaimed_bot_gives_back_what_it_had_in_hand
    everything_is_there_after_a_restart
    a_dropped_commit_is_all_or_nothing
    a_store_never_used_is_empty
}

/// I6: whoever has lost a lease is fenced, whatever operation it submits.
pub async fn a_stale_epoch_writes_nothing(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let stale = Epoch(scene.epoch.0);
    let scene = scene.reopen(home).await;
    assert!(scene.epoch > stale, "each tenure raises the epoch");
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let extra = turn(38, chat, 2, bot);
    let queued = crate::domain::commit::operations::Advance {
        entries: vec![],
        handled: vec![],
        turns: vec![extra.clone()],
        ..advance(chat, scene.epoch, 1, 1)
    };
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![update(7, bot, chat, 7)]), Operation::Advance(queued)]).await;
    let before = (scene.store.chat_memory(chat, 9).await.unwrap(), scene.store.depths().await.unwrap());
    let late = Scene { epoch: stale, roster: scene.roster.clone(), store: scene.store.clone(), ..scene };
    let cancel = Cancel { bot, epoch: stale, outbox: messages[0].id, reason: String::new() };
    let step = OrderStep { order: OrderId(1), target: OrderTarget::Bot(bot), node: String::new(), epoch: stale };
    let batch = vec![
        ingest(bot, stale, vec![update(8, bot, chat, 8)]),
        Operation::Advance(advance(chat, stale, 1, 7)),
        claim(&extra, stale),
        finish(&extra, stale, TurnEnding::Expired),
        begin(&late, &messages[0], start(51, at(5))),
        Operation::Cancel(cancel),
        Operation::Unclaim(Unclaim { bot, epoch: stale, turn: extra.id }),
        Operation::AddPause(AddPause { epoch: stale, pause: Pause { bot, chat: None, until: at(99) } }),
        Operation::LiftPauses(LiftPauses { bot, epoch: stale, until: at(1), order: None }),
        Operation::Migrate(Migrate { chat, epoch: stale, to: TelegramChatId(-1_009), at: at(1) }),
        Operation::SetAbsence(SetAbsence { bot, epoch: stale, chat, absent: true }),
        Operation::SetDelivery(SetDelivery { bot, epoch: stale, choice: DeliveryChoice::default(), order: None }),
        Operation::Resolve(Resolve {
            chat,
            epoch: stale,
            outbox: messages[0].id,
            message_id: MessageId(61),
            event: update(9, bot, chat, 9),
        }),
        Operation::BeginOrder(BeginOrder { step: step.clone() }),
        Operation::Say(Say {
            advance: Box::new(advance(chat, stale, 1, 7)),
            bot,
            by: "ayse".to_owned(),
            order: step.clone(),
            now: at(5),
        }),
        Operation::TakeOver(TakeOver {
            takeover: Takeover::begin(chat, bot, "ayse", IDLE, at(5)),
            take: false,
            turns: Vec::new(),
            messages: Vec::new(),
            advance: Box::new(advance(chat, stale, 1, 7)),
            order: step.clone(),
        }),
        Operation::Retract(Retract {
            chat,
            epoch: stale,
            said: Vec::new(),
            by: "ayse".to_owned(),
            order: step.clone(),
            now: at(5),
        }),
        Operation::SettleRetraction(SettleRetraction {
            bot,
            epoch: stale,
            telegram_chat: TelegramChatId(-1),
            message_id: MessageId(1),
            ending: RetractionEnding::Deleted,
        }),
        Operation::EndOrder(EndOrder { step, ending: OrderEnding::Done }),
        Operation::HandOver(HandOver { key: LeaseKey::Bot(bot), epoch: stale, to: Incarnation(77) }),
    ];
    // Every operation of an owner. The others: `Receive`, `SetStop`, `SetRight`, `EndTakeover`, `Redeliver` and the budget's two
    // have no owner, an attempt is settled across epochs, and an audited operation has the owner of the operation.
    let names: BTreeSet<_> = batch.iter().map(Operation::name).collect();
    let unowned = [
        "receive",
        "settle",
        "set_stop",
        "set_right",
        "end_takeover",
        "redeliver",
        "take_allowance",
        "return_allowance",
        "audited",
    ];
    assert_eq!(names.len() + unowned.len(), Operation::NAMES.len(), "{names:?}");
    assert!(Operation::NAMES.iter().all(|name| names.contains(name) != unowned.contains(name)));
    for operation in batch.clone() {
        assert_eq!(late.commit_one(operation.clone()).await, Err(Refusal::Fenced), "{operation:?}");
    }
    assert!(late.commit(batch).await.iter().all(|result| *result == Err(Refusal::Fenced)));
    assert_eq!(late.store.next_offset(bot).await.unwrap(), Some(8));
    assert_eq!((late.store.chat_memory(chat, 9).await.unwrap(), late.store.depths().await.unwrap()), before);
    assert_eq!(late.store.message(messages[0].id).await.unwrap().as_ref(), Some(&messages[0]));
    // A turn claimed under the stale epoch cannot be finished under the new one.
    late.store.commit(vec![claim(&extra, scene.epoch)]).await.unwrap();
    let done = late.commit_one(finish(&extra, stale, TurnEnding::Expired)).await;
    assert_eq!(done, Err(Refusal::Fenced));
}

/// I6: settling is the exception, since an answer may arrive after the lease has moved.
pub async fn an_attempt_is_settled_across_epochs(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    let scene = scene.reopen(home).await;
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Unknown);
    assert_eq!(scene.commit_one(sent(&messages[0], 51, 601, 61)).await, Ok(Applied::Done));
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Sent);
    assert_eq!(scene.store.unhandled(messages[0].chat, 9).await.unwrap().len(), 1);
}

/// I4: an unknown message is never resent silently.
pub async fn what_was_being_sent_is_unknown_after_a_crash(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let batch = vec![
        begin(&scene, &messages[0], start(51, at(5))),
        begin(&scene, &messages[1], start(52, at(5))),
        sent(&messages[1], 52, 602, 62),
    ];
    scene.commit_all(batch).await;
    drop(scene);
    let store = home.open().await;
    let tenure = store.begin_tenure("here", at(9)).await.unwrap();
    assert_eq!((tenure.sends_unknown, tenure.turns_requeued, tenure.turns_dead), (1, 0, 0));
    let states = [OutboxState::Unknown, OutboxState::Sent, OutboxState::Queued];
    for (message, state) in messages.iter().zip(states) {
        assert_eq!(store.message(message.id).await.unwrap().unwrap().progress.state, state);
    }
    assert_eq!(store.depths().await.unwrap().unknown, 1);
    assert_eq!(store.waiting_messages(messages[0].bot, 9).await.unwrap(), messages[2..]);
}

/// I7: a turn in hand at a crash counts as failed.
pub async fn a_turn_in_hand_at_a_crash_is_queued_again_until_it_is_dead(home: &dyn Home) {
    let mut scene = Scene::open(home).await;
    let turn = turn(31, scene.chats[0], 1, scene.bots[0]);
    scene.commit_all(conversation(&scene, std::slice::from_ref(&turn))).await;
    for attempt in 1..=TURN_ATTEMPTS_MAX {
        scene.commit_all(vec![claim(&turn, scene.epoch)]).await;
        drop(scene);
        let store = home.open().await;
        let tenure = store.begin_tenure("here", at(0)).await.unwrap();
        let last = attempt == TURN_ATTEMPTS_MAX;
        assert_eq!((tenure.turns_requeued, tenure.turns_dead), (u64::from(!last), u64::from(last)));
        let (stored, _) = store.turn(turn.id).await.unwrap().unwrap();
        assert_eq!(stored.progress.state, if last { TurnState::Dead } else { TurnState::Queued });
        assert_eq!((stored.progress.attempts, stored.progress.error.is_some()), (attempt, last));
        drop(store);
        scene = Scene::open(home).await;
    }
    assert_eq!(scene.store.depths().await.unwrap().dead, 1);
}

/// I7: when a bot's actor fails, its turns in hand count as failed; other bots are left alone.
pub async fn a_reclaimed_bot_gives_back_what_it_had_in_hand(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let [one, other] = scene.bots;
    let turns = [turn(31, scene.chats[0], 1, one), turn(32, scene.chats[0], 1, other)];
    scene.commit_all(conversation(&scene, &turns)).await;
    scene.commit_all(vec![claim(&turns[0], scene.epoch), claim(&turns[1], scene.epoch)]).await;
    scene.store.reclaim(one).await.unwrap();
    let mut states = Vec::new();
    for turn in &turns {
        states.push(scene.store.turn(turn.id).await.unwrap().unwrap().0.progress.state);
    }
    assert_eq!(states, [TurnState::Queued, TurnState::Claimed]);
}

/// I8: nothing lives only in memory.
pub async fn everything_is_there_after_a_restart(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let ([_, other], [chat, second]) = (scene.bots, scene.chats);
    scene
        .commit_all(vec![
            begin(&scene, &messages[0], start(51, at(5))),
            sent(&messages[0], 51, 601, 61),
            ingest(other, scene.epoch, vec![update(9, other, second, 40)]),
        ])
        .await;
    let before = (scene.store.chat_memory(chat, 9).await.unwrap(), scene.store.depths().await.unwrap());
    let backlog = scene.store.backlog(at(9)).await.unwrap();
    let roster = scene.roster.clone();
    let scene = scene.reopen(home).await;
    assert_eq!((scene.store.chat_memory(chat, 9).await.unwrap(), scene.store.depths().await.unwrap()), before);
    assert_eq!(scene.store.backlog(at(9)).await.unwrap(), backlog);
    assert_eq!(scene.store.next_offset(other).await.unwrap(), Some(41));
    assert_eq!(scene.roster.chats, roster.chats);
    assert_eq!((scene.roster.aliases, scene.roster.config_seq), (roster.aliases, roster.config_seq));
    assert_eq!(scene.roster.bots[&other].next_offset, Some(41));
    assert_eq!(scene.store.message(messages[1].id).await.unwrap().as_ref(), Some(&messages[1]));
}

/// I8: a process killed or a future dropped in the middle of a commit has stored all of it or nothing.
pub async fn a_dropped_commit_is_all_or_nothing(home: &dyn Home) {
    let mut scene = Scene::open(home).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    for polls in 0..12 {
        let id = 100 + 10 * polls;
        let rows = |bot, first: i64| (first..first + 4).map(|n| update(n, bot, chat, n)).collect::<Vec<_>>();
        let batch = vec![ingest(bot, scene.epoch, rows(bot, id)), ingest(other, scene.epoch, rows(other, id + 4))];
        {
            let commit = scene.store.commit(batch);
            let mut commit = std::pin::pin!(commit);
            for _ in 0..polls {
                if futures::poll!(commit.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        if polls % 3 == 2 {
            scene = scene.reopen(home).await;
        }
        // The store is usable at once, and takes the next batch.
        scene.commit_all(vec![ingest(bot, scene.epoch, vec![update(id + 8, bot, chat, id + 8)])]).await;
        let stored = scene.store.unhandled(chat, 9_999).await.unwrap();
        let of_batch = stored.iter().filter(|row| (id..id + 8).contains(&row.id.0)).count();
        assert!(of_batch == 0 || of_batch == 8, "{of_batch} rows of 8 are stored");
        let offset = scene.store.next_offset(other).await.unwrap();
        assert_eq!(offset == Some(id + 8), of_batch == 8, "the offset goes with its rows");
    }
}

/// A new store answers every query.
pub async fn a_store_never_used_is_empty(home: &dyn Home) {
    let store = home.open().await;
    let tenure = store.begin_tenure("here", at(0)).await.unwrap();
    assert_eq!((tenure.turns_requeued, tenure.turns_dead, tenure.sends_unknown), (0, 0, 0));
    assert_eq!(store.depths().await.unwrap(), QueueDepths::default());
    assert_eq!(store.backlog(at(0)).await.unwrap(), crate::ports::store::Backlog::default());
    assert_eq!(store.commit(vec![]).await.unwrap(), []);
    store.check().await.unwrap();
    let nobody = turn(1, crate::domain::ids::ChatId(9), 1, crate::domain::ids::BotId(9));
    assert_eq!(store.turn(nobody.id).await.unwrap(), None);
    assert_eq!(store.message(message(2, &nobody).id).await.unwrap(), None);
    let results = store.commit(vec![claim(&nobody, tenure.epoch)]).await.unwrap();
    assert_eq!(results, [Err(Refusal::Fenced)]);
}

/// I4: a message's policy for an unknown fate applies after a crash as well, up to a number of attempts.
pub async fn a_message_to_be_resent_is_due_again_after_a_crash(home: &dyn Home) {
    let (mut scene, messages) = with_policy(home, OnUnknown::Resend).await;
    for attempt in 1..RESEND_ATTEMPTS_MAX {
        scene.commit_all(vec![begin(&scene, &messages[0], start(50 + i64::from(attempt), at(5)))]).await;
        scene = scene.reopen(home).await;
        let stored = progress(&scene, &messages[0]).await;
        assert_eq!((stored.state, stored.attempts), (OutboxState::RetryAt, attempt));
    }
    scene.commit_all(vec![begin(&scene, &messages[0], start(59, at(5)))]).await;
    let scene = scene.reopen(home).await;
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Unknown);
}
