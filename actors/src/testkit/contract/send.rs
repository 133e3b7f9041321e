//! Claims about sending: the checks sit in the transaction that commits `sending`. I4, I6, I9, I11. Part of the
//! testkit.

use std::time::Duration;

use super::turns::conversation;
use super::{Home, Scene, assert_conflict};
use crate::domain::commit::operations::{
    Advance, Begin, Cancel, Migrate, Operation, Resolve, SetStop, Settle, TurnEnding,
};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::Start;
use crate::domain::control::{DoubtedStop, Rank, Stop, StopOrder, StopScope};
use crate::domain::ids::{AttemptId, Epoch, MessageId, Number, TelegramChatId, TelegramUserId, TurnId};
use crate::domain::inbox::Source;
use crate::domain::outbox::{OnUnknown, OutboxMessage, OutboxState, SendProgress, SendResult};
use crate::domain::pause::Pause;
use crate::domain::turn::{Turn, TurnState};
use crate::domain::window::WindowKey;
use crate::testkit::rows::{advance, at, claim, finish, message, person, sent, start, start_within, turn};

claims! {
    $ __claims_of_send of send:
    a_message_that_may_go_is_sending_at_once
    a_full_window_makes_the_message_wait
    windows_survive_a_restart
    what_was_certainly_not_sent_uses_up_no_window
    a_chain_too_deep_is_cancelled
    a_stop_cancels_and_lifting_it_lets_go
    a_timed_stop_ends_by_itself
    a_doubted_stop_changes_none_in_force
    a_stop_is_lifted_by_no_lower_rank_and_no_older_word
    a_stale_message_is_cancelled
    a_stop_in_the_same_batch_already_counts
    a_settled_attempt_cannot_settle_again
    another_attempt_cannot_settle
    a_definite_non_send_is_due_again
    a_cancelled_message_cannot_begin
    a_pause_makes_other_messages_of_its_place_wait
    a_pause_survives_a_restart_until_it_is_over
    evidence_resolves_an_unknown_message_once
    what_a_bot_said_lately_is_what_it_certainly_sent
    a_stop_drops_a_turn_instead_of_its_claim
    a_migrated_chat_keeps_its_messages_and_its_history
    absences_survive_a_restart
}

const MINUTE: Duration = Duration::from_mins(1);

/// Opens a scene with this many waiting messages, each of a turn of its own.
pub(super) async fn with_messages(home: &dyn Home, count: u32) -> (Scene, Vec<OutboxMessage>) {
    waiting(home, count, OnUnknown::Report).await
}

/// Opens a scene with one message under that policy.
pub(super) async fn with_policy(home: &dyn Home, on_unknown: OnUnknown) -> (Scene, Vec<OutboxMessage>) {
    waiting(home, 1, on_unknown).await
}

async fn waiting(home: &dyn Home, count: u32, on_unknown: OnUnknown) -> (Scene, Vec<OutboxMessage>) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let turns: Vec<Turn> = (0..count)
        .map(|ordinal| Turn { id: TurnId(31 + i64::from(ordinal)), ordinal, ..turn(0, chat, 1, bot) })
        .collect();
    let messages: Vec<OutboxMessage> = turns
        .iter()
        .map(|turn| OutboxMessage { on_unknown, text: format!("Selam {}", turn.id), ..message(turn.id.0 + 10, turn) })
        .collect();
    let mut batch = conversation(&scene, &turns);
    for (turn, message) in turns.iter().zip(&messages) {
        let said = TurnEnding::Said { messages: vec![message.clone()], begin: None };
        batch.extend([claim(turn, scene.epoch), finish(turn, scene.epoch, said)]);
    }
    scene.commit_all(batch).await;
    (scene, messages)
}

pub(super) fn begin(scene: &Scene, message: &OutboxMessage, start: Start) -> Operation {
    Operation::Begin(Begin { bot: message.bot, epoch: scene.epoch, outbox: message.id, start })
}

pub(super) async fn progress(scene: &Scene, message: &OutboxMessage) -> SendProgress {
    scene.store.message(message.id).await.unwrap().expect("stored").progress
}

fn settle(message: &OutboxMessage, attempt: i64, result: SendResult) -> Operation {
    Operation::Settle(Settle {
        outbox: message.id,
        attempt: AttemptId(attempt),
        result,
        event: None,
        pauses: Vec::new(),
        unsent: None,
    })
}

fn set(until: Option<u64>, rank: Rank) -> StopOrder {
    StopOrder::Set { until: until.map(at), rank }
}

fn order_at(scope: StopScope, order: StopOrder, second: u64) -> Operation {
    Operation::SetStop(SetStop { scope, order, by: "somebody".to_owned(), at: at(second) })
}

fn stop(scope: StopScope, stopped: bool) -> Operation {
    let order = if stopped { set(None, Rank::Operator) } else { StopOrder::Lift { rank: Rank::Operator } };
    order_at(scope, order, 5)
}

/// I4: the intent is committed before the effect.
pub async fn a_message_that_may_go_is_sending_at_once(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let done = scene.commit_one(begin(&scene, &messages[0], start(51, at(5)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Send)));
    let progress = progress(&scene, &messages[0]).await;
    assert_eq!((progress.state, progress.attempts, progress.attempt), (OutboxState::Sending, 1, Some(AttemptId(51))));
    assert_eq!(progress.claimed_epoch, Some(scene.epoch));
    assert_conflict(&scene.commit_one(begin(&scene, &messages[0], start(52, at(5)))).await);
    assert!(scene.store.waiting_messages(messages[0].bot, 9).await.unwrap().is_empty());
}

/// I11: rate limits hold whatever the model says.
pub async fn a_full_window_makes_the_message_wait(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let key = WindowKey::pair(messages[0].chat, scene.bots[1], scene.bots[0]);
    let within = |attempt: i64| start_within(attempt, at(5), key, 2, MINUTE);
    let done =
        scene.commit_all(vec![begin(&scene, &messages[0], within(51)), begin(&scene, &messages[1], within(52))]).await;
    assert_eq!(done, [Applied::Begun(Verdict::Send), Applied::Begun(Verdict::Send)]);
    let Ok(Applied::Begun(Verdict::Wait(until))) = scene.commit_one(begin(&scene, &messages[2], within(53))).await
    else {
        panic!("the window is full")
    };
    assert!(until > at(5) && until <= at(5) + MINUTE + Duration::from_secs(2), "{until:?}");
    let waiting = progress(&scene, &messages[2]).await;
    assert_eq!((waiting.state, waiting.due_at, waiting.attempts), (OutboxState::Queued, until, 0));
    assert!(scene.store.backlog(at(5)).await.unwrap().bots.is_empty());
    assert_eq!(scene.store.backlog(until).await.unwrap().bots, [messages[2].bot]);
    let later = start_within(54, until, key, 2, MINUTE);
    let done = scene.commit_one(begin(&scene, &messages[2], later)).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Send)));
}

/// I11: rate limits hold after a restart too.
pub async fn windows_survive_a_restart(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let within = |attempt: i64| start_within(attempt, at(5), WindowKey::Bot(messages[0].bot), 1, MINUTE);
    scene.commit_all(vec![begin(&scene, &messages[0], within(51))]).await;
    let scene = scene.reopen(home).await;
    let done = scene.commit_one(begin(&scene, &messages[1], within(52))).await;
    assert!(matches!(done, Ok(Applied::Begun(Verdict::Wait(_)))), "{done:?}");
}

/// I11: a window counts every message that was or may have been sent. An attempt that certainly sent nothing gives its
/// place back in the transaction that ends it. A message of unknown fate keeps its place, also when it is sent again.
pub async fn what_was_certainly_not_sent_uses_up_no_window(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let begun = |attempt: i64| start_within(attempt, at(5), WindowKey::Bot(messages[0].bot), 1, MINUTE);
    let again = |why: &str| SendResult::RetryAt(at(6), why.to_owned());
    let refused = Settle::unsent(messages[0].id, &begun(51), again("unreachable"));
    scene.commit_all(vec![begin(&scene, &messages[0], begun(51)), Operation::Settle(refused)]).await;
    let rejected = Settle::unsent(messages[1].id, &begun(52), SendResult::Rejected("chat not found".to_owned()));
    let done =
        scene.commit_all(vec![begin(&scene, &messages[1], begun(52)), Operation::Settle(rejected.clone())]).await;
    assert_eq!(done[0], Applied::Begun(Verdict::Send), "the first attempt used up nothing");
    assert_conflict(&scene.commit_one(Operation::Settle(rejected)).await);
    let resent = settle(&messages[2], 53, again("reset; sent again"));
    let done = scene.commit_all(vec![begin(&scene, &messages[2], begun(53)), resent]).await;
    assert_eq!(done[0], Applied::Begun(Verdict::Send), "nor did the second, which ended once");
    let scene = scene.reopen(home).await;
    let done = scene.commit_one(begin(&scene, &messages[0], begun(54))).await;
    assert!(matches!(done, Ok(Applied::Begun(Verdict::Wait(_)))), "what may have been sent counts: {done:?}");
}

/// I11: the length of a chain of bot messages is limited.
pub async fn a_chain_too_deep_is_cancelled(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let mut deep = start(51, at(5));
    deep.rules.chain_depth_max = Some(0);
    let done = scene.commit_one(begin(&scene, &messages[0], deep)).await;
    assert!(matches!(done, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{done:?}");
    let progress = progress(&scene, &messages[0]).await;
    assert_eq!((progress.state, progress.attempt), (OutboxState::Cancelled, None));
    assert!(progress.error.is_some_and(|why| why.contains("deep")));
}

/// I9: a stop of any scope cancels messages; a stop of another scope does not matter.
pub async fn a_stop_cancels_and_lifting_it_lets_go(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 4).await;
    let (bot, chat) = (messages[0].bot, messages[0].chat);
    let scopes = [StopScope::Fleet, StopScope::Chat(chat), StopScope::Bot(bot)];
    for (scope, message) in scopes.into_iter().zip(&messages) {
        scene.commit_all(vec![stop(scope, true), stop(StopScope::Bot(scene.bots[1]), true)]).await;
        assert!(scene.store.stops().await.unwrap().0.contains_key(&scope));
        let done = scene.commit_one(begin(&scene, message, start(51, at(5)))).await;
        assert!(matches!(done, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{scope:?}: {done:?}");
        scene.commit_all(vec![stop(scope, false)]).await;
    }
    assert_eq!(scene.store.stops().await.unwrap().0.into_keys().collect::<Vec<_>>(), [StopScope::Bot(scene.bots[1])]);
    let done = scene.commit_one(begin(&scene, &messages[3], start(54, at(5)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Send)), "stops of others do not matter");
}

/// A stop with an end holds until then, also over a restart, and not longer.
pub async fn a_timed_stop_ends_by_itself(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let scope = StopScope::Chat(messages[0].chat);
    scene.commit_all(vec![order_at(scope, set(Some(60), Rank::Administrator), 5)]).await;
    let scene = scene.reopen(home).await;
    let timed = Stop::firm(Some(at(60)), Rank::Administrator, at(5));
    assert_eq!(scene.store.stops().await.unwrap().0.get(&scope), Some(&timed));
    let done = scene.commit_one(begin(&scene, &messages[0], start(51, at(59)))).await;
    assert!(matches!(done, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{done:?}");
    let done = scene.commit_one(begin(&scene, &messages[1], start(52, at(60)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Send)));
}

/// I9: an unverified stop is noted beside the firm one, survives a restart, and leaves nothing behind when its author
/// has no right to it.
pub async fn a_doubted_stop_changes_none_in_force(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let scope = StopScope::Chat(messages[0].chat);
    let author = TelegramUserId(77);
    let doubt = |until: Option<u64>| StopOrder::Doubt { until: until.map(at), author };
    let quiet = order_at(scope, set(Some(60), Rank::Administrator), 5);
    scene.commit_all(vec![quiet, order_at(scope, doubt(None), 6)]).await;
    let scene = scene.reopen(home).await;
    let stored = scene.store.stops().await.unwrap();
    assert!(stored.holds(scope, at(1_000)), "anybody's word silences while nobody knows better");
    assert_eq!(stored.0[&scope].doubts, [DoubtedStop { author, until: None, at: at(6) }]);
    let may_not = StopOrder::Settle { author, may: false };
    let firm = Stop::firm(Some(at(60)), Rank::Administrator, at(5));
    assert_eq!(scene.commit_one(order_at(scope, may_not, 6)).await, Ok(Applied::StopSet(Some(firm))));

    let endless = order_at(scope, set(None, Rank::Operator), 7);
    scene.commit_all(vec![endless, order_at(scope, doubt(Some(20)), 8)]).await;
    let scene = scene.reopen(home).await;
    assert!(scene.store.stops().await.unwrap().holds(scope, at(1_000)), "a wish for a minute shortens no stop");
    let may = order_at(scope, StopOrder::Settle { author, may: true }, 8);
    let operators = Stop::firm(None, Rank::Operator, at(7));
    assert_eq!(scene.commit_one(may).await, Ok(Applied::StopSet(Some(operators))));
}

/// I9: nobody lifts a stop of a higher rank, and an earlier order does not lift a later stop.
pub async fn a_stop_is_lifted_by_no_lower_rank_and_no_older_word(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let scope = StopScope::Chat(messages[0].chat);
    let lift = |second| order_at(scope, StopOrder::Lift { rank: Rank::Administrator }, second);
    let stands = async |scene: &Scene| scene.store.stops().await.unwrap().0.contains_key(&scope);
    scene.commit_all(vec![stop(scope, true), lift(9)]).await;
    assert!(stands(&scene).await, "an operator's");
    scene.commit_all(vec![stop(scope, false)]).await;
    assert!(!stands(&scene).await);
    scene.commit_all(vec![order_at(scope, set(None, Rank::Administrator), 20), lift(19)]).await;
    let scene = scene.reopen(home).await;
    assert!(stands(&scene).await, "a late copy");
    scene.commit_all(vec![order_at(scope, set(Some(60), Rank::Administrator), 21)]).await;
    assert!(scene.store.stops().await.unwrap().holds(scope, at(1_000)), "a wish for quiet shortens no stop");
    scene.commit_all(vec![lift(21)]).await;
    assert!(!stands(&scene).await);
    let doubted = StopOrder::Doubt { until: None, author: TelegramUserId(77) };
    scene.commit_all(vec![order_at(scope, doubted, 30), order_at(scope, set(Some(99), Rank::Administrator), 31)]).await;
    scene.commit_all(vec![order_at(scope, StopOrder::Settle { author: TelegramUserId(77), may: true }, 30)]).await;
    assert!(scene.store.stops().await.unwrap().holds(scope, at(1_000)), "who stopped it may: it stays so");
}

/// A message that comes too late is not sent.
pub async fn a_stale_message_is_cancelled(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let done = scene.commit_one(begin(&scene, &messages[0], start(51, messages[0].expires_at))).await;
    assert!(matches!(done, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{done:?}");
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Cancelled);
}

/// I9: no `sending` is committed behind a stop, not even in the stop's own batch.
pub async fn a_stop_in_the_same_batch_already_counts(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let batch = vec![
        begin(&scene, &messages[0], start(51, at(5))),
        stop(StopScope::Fleet, true),
        begin(&scene, &messages[1], start(52, at(5))),
    ];
    let done = scene.commit_all(batch).await;
    assert_eq!(done[0], Applied::Begun(Verdict::Send));
    assert!(matches!(done[2], Applied::Begun(Verdict::Cancelled(_))), "{done:?}");
    let scene = scene.reopen(home).await;
    assert!(scene.store.stops().await.unwrap().0.contains_key(&StopScope::Fleet), "a stop survives a restart");
}

/// I4: an attempt ends once, and its event enters the inbox once.
pub async fn a_settled_attempt_cannot_settle_again(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let settled = sent(&messages[0], 51, 601, 61);
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5))), settled.clone()]).await;
    let stored = progress(&scene, &messages[0]).await;
    assert_eq!((stored.state, stored.message_id), (OutboxState::Sent, Some(MessageId(601))));
    assert_conflict(&scene.commit_one(settled).await);
    assert_conflict(&scene.commit_one(settle(&messages[0], 51, SendResult::Unknown("late".to_owned()))).await);
    let events = scene.store.unhandled(messages[0].chat, 9).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].source, Source::Sent(messages[0].id));
    assert_eq!(scene.store.depths().await.unwrap().outbox, 0);
}

/// I6: a settlement must name the current attempt.
pub async fn another_attempt_cannot_settle(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    assert_conflict(&scene.commit_one(sent(&messages[0], 51, 601, 61)).await);
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    assert_conflict(&scene.commit_one(sent(&messages[0], 50, 601, 61)).await);
    assert!(scene.store.unhandled(messages[0].chat, 9).await.unwrap().is_empty());
    scene.commit_all(vec![settle(&messages[0], 51, SendResult::Unknown("reset".to_owned()))]).await;
    assert_eq!(scene.store.depths().await.unwrap().unknown, 1);
    scene.commit_all(vec![sent(&messages[0], 51, 601, 61)]).await;
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Sent);
}

/// I4: 429 and refused connections are definite non-sends.
pub async fn a_definite_non_send_is_due_again(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let again = settle(&messages[0], 51, SendResult::RetryAt(at(40), "429".to_owned()));
    let never = settle(&messages[1], 52, SendResult::Rejected("chat not found".to_owned()));
    let begun = |n: usize, attempt: i64, seconds: u64| begin(&scene, &messages[n], start(attempt, at(seconds)));
    scene.commit_all(vec![begun(0, 51, 5), again, begun(1, 52, 5), never]).await;
    let stored = progress(&scene, &messages[0]).await;
    assert_eq!((stored.state, stored.due_at, stored.error.as_deref()), (OutboxState::RetryAt, at(40), Some("429")));
    assert_eq!(progress(&scene, &messages[1]).await.state, OutboxState::Rejected);
    assert_eq!(scene.store.waiting_messages(messages[0].bot, 9).await.unwrap().len(), 1);
    assert!(scene.store.backlog(at(39)).await.unwrap().bots.is_empty());
    assert_eq!(scene.store.backlog(at(40)).await.unwrap().bots, [messages[0].bot]);
    scene.commit_all(vec![begun(0, 53, 40)]).await;
    assert_eq!(progress(&scene, &messages[0]).await.attempts, 2);
}

/// A message that was given up is not sent.
pub async fn a_cancelled_message_cannot_begin(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let cancel = || {
        Operation::Cancel(Cancel {
            bot: messages[0].bot,
            epoch: scene.epoch,
            outbox: messages[0].id,
            reason: "why".to_owned(),
        })
    };
    scene.commit_all(vec![cancel()]).await;
    let stored = progress(&scene, &messages[0]).await;
    assert_eq!((stored.state, stored.error.as_deref()), (OutboxState::Cancelled, Some("why")));
    assert_conflict(&scene.commit_one(begin(&scene, &messages[0], start(51, at(5)))).await);
    assert_conflict(&scene.commit_one(cancel()).await);
}

/// I4: a pause after a 429 is a row, and the transaction that commits `sending` obeys it.
pub async fn a_pause_makes_other_messages_of_its_place_wait(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let (bot, chat) = (messages[0].bot, messages[0].chat);
    let pause = |chat, until| Pause { bot, chat, until };
    let limited = |message: &OutboxMessage, attempt, pauses| {
        let result = SendResult::RetryAt(at(40), "429".to_owned());
        let settle =
            Settle { outbox: message.id, attempt: AttemptId(attempt), result, event: None, pauses, unsent: None };
        vec![begin(&scene, message, start(attempt, at(5))), Operation::Settle(settle)]
    };
    scene.commit_all(limited(&messages[0], 51, vec![pause(Some(chat), at(40)), pause(Some(chat), at(20))])).await;
    let done = scene.commit_one(begin(&scene, &messages[1], start(52, at(6)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Wait(at(40)))), "the longer one counts");
    assert_eq!(scene.store.pauses(bot).await.unwrap(), [pause(Some(chat), at(40))]);
    assert_eq!(scene.store.pauses(scene.bots[1]).await.unwrap(), []);
    let done = scene.commit_one(begin(&scene, &messages[1], start(54, at(40)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Send)), "it is over");
    let everywhere = Settle {
        outbox: messages[1].id,
        attempt: AttemptId(54),
        result: SendResult::RetryAt(at(90), "429".to_owned()),
        event: None,
        pauses: vec![pause(None, at(90))],
        unsent: None,
    };
    scene.commit_all(vec![Operation::Settle(everywhere)]).await;
    let done = scene.commit_one(begin(&scene, &messages[2], start(55, at(60)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Wait(at(90)))), "a pause of the whole bot holds in every chat");
}

/// I4: a pause survives a restart.
pub async fn a_pause_survives_a_restart_until_it_is_over(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let bot = messages[0].bot;
    let over = Pause { bot, chat: Some(scene.chats[1]), until: at(0) };
    let pause = Pause { bot, chat: Some(messages[0].chat), until: at(40) };
    let settle = Settle {
        outbox: messages[0].id,
        attempt: AttemptId(51),
        result: SendResult::RetryAt(at(40), "429".to_owned()),
        event: None,
        pauses: vec![pause, over],
        unsent: None,
    };
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5))), Operation::Settle(settle)]).await;
    let scene = scene.reopen(home).await;
    assert_eq!(scene.store.pauses(bot).await.unwrap(), [pause]);
    let done = scene.commit_one(begin(&scene, &messages[1], start(52, at(6)))).await;
    assert_eq!(done, Ok(Applied::Begun(Verdict::Wait(at(40)))));
}

fn resolve(scene: &Scene, message: &OutboxMessage, message_id: i64, inbox: i64) -> Operation {
    let Operation::Settle(Settle { event: Some(event), .. }) = sent(message, 0, message_id, inbox) else {
        unreachable!("a sent message has its event")
    };
    let (chat, epoch) = (message.chat, scene.epoch);
    Operation::Resolve(Resolve { chat, epoch, outbox: message.id, message_id: MessageId(message_id), event })
}

/// I4: only evidence resolves an unknown message, and only once.
pub async fn evidence_resolves_an_unknown_message_once(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    assert_conflict(&scene.commit_one(resolve(&scene, &messages[0], 601, 61)).await);
    let unknown = settle(&messages[0], 51, SendResult::Unknown("reset".to_owned()));
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5))), unknown]).await;
    assert_eq!(scene.store.unknown_messages(messages[0].chat).await.unwrap()[0].id, messages[0].id);
    assert!(scene.store.unknown_messages(scene.chats[1]).await.unwrap().is_empty());
    scene.commit_all(vec![resolve(&scene, &messages[0], 601, 61)]).await;
    let stored = progress(&scene, &messages[0]).await;
    assert_eq!((stored.state, stored.message_id), (OutboxState::Sent, Some(MessageId(601))));
    assert_eq!(scene.store.unhandled(messages[0].chat, 9).await.unwrap()[0].source, Source::Sent(messages[0].id));
    assert_conflict(&scene.commit_one(resolve(&scene, &messages[0], 602, 62)).await);
    assert!(scene.store.unknown_messages(messages[0].chat).await.unwrap().is_empty());
}

/// I4: a group that becomes a supergroup keeps its chat's messages and history.
pub async fn a_migrated_chat_keeps_its_messages_and_its_history(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let (chat, to) = (messages[0].chat, TelegramChatId(-1_000_000_000_777));
    let migrate = |epoch| Operation::Migrate(Migrate { chat, epoch, to, at: at(9) });
    assert_eq!(scene.commit_one(migrate(Epoch(scene.epoch.0 + 1))).await, Err(Refusal::Fenced));
    scene.commit_all(vec![migrate(scene.epoch)]).await;
    let waiting = scene.store.waiting_messages(messages[0].bot, 9).await.unwrap();
    assert_eq!((waiting[0].telegram_chat, waiting[0].reply_to), (to, None));
    let before = scene.store.chat_memory(chat, 9).await.unwrap();
    // The manifest still names the old id.
    let scene = scene.reopen(home).await;
    assert_eq!(scene.roster.chats[&chat].spec.telegram_id, to);
    assert_eq!((scene.roster.aliases[&to], scene.roster.aliases.len()), (chat, 3));
    assert_eq!(scene.store.chat_memory(chat, 9).await.unwrap(), before);
}

/// A bot that cannot post in a chat stays noted until it can again.
pub async fn absences_survive_a_restart(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 1).await;
    let (bot, chat) = (messages[0].bot, messages[0].chat);
    let moved = |scene: &Scene, absences| {
        let base = Number(1);
        let nothing = advance(chat, scene.epoch, 1, 0);
        Operation::Advance(Advance { base, entries: Vec::new(), handled: Vec::new(), absences, ..nothing })
    };
    scene.commit_all(vec![moved(&scene, vec![(bot, true), (scene.bots[1], true)])]).await;
    let scene = scene.reopen(home).await;
    assert_eq!(scene.store.chat_memory(chat, 1).await.unwrap().absent.len(), 2);
    assert!(scene.store.chat_memory(scene.chats[1], 1).await.unwrap().absent.is_empty());
    scene.commit_all(vec![moved(&scene, vec![(bot, false)])]).await;
    assert_eq!(scene.store.chat_memory(chat, 1).await.unwrap().absent, [scene.bots[1]]);
}

/// The texts that a bot should not repeat are those that Telegram accepted: the latest, oldest first.
pub async fn what_a_bot_said_lately_is_what_it_certainly_sent(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 4).await;
    let bot = messages[0].bot;
    assert!(scene.store.said_lately(bot, 9).await.unwrap().is_empty(), "what waits is not said");
    for (place, message) in messages.iter().take(3).enumerate() {
        let attempt = 51 + place as i64;
        let settled = if place == 1 {
            settle(message, attempt, SendResult::Unknown("reset".to_owned()))
        } else {
            sent(message, attempt, 601 + place as i64, 61 + place as i64)
        };
        scene.commit_all(vec![begin(&scene, message, start(attempt, at(5))), settled]).await;
    }
    let texts = vec![messages[0].text.clone(), messages[2].text.clone()];
    assert_eq!(scene.store.said_lately(bot, 9).await.unwrap(), texts);
    assert_eq!(scene.store.said_lately(bot, 1).await.unwrap(), texts[1..]);
    assert!(scene.store.said_lately(scene.bots[1], 9).await.unwrap().is_empty());
    scene.store.forget(person().id, None, &|_| None).await.unwrap();
    assert!(scene.store.said_lately(bot, 9).await.unwrap().is_empty(), "what was removed was not said");
}

/// I9: while a stop is in force no turn is claimed, whatever its act; a claimed turn stays claimed.
pub async fn a_stop_drops_a_turn_instead_of_its_claim(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (bot, chat) = (scene.bots[0], scene.chats[0]);
    let turns: Vec<Turn> = (0..3u32)
        .map(|ordinal| Turn { id: TurnId(31 + i64::from(ordinal)), ordinal, ..turn(0, chat, 1, bot) })
        .collect();
    let mut batch = conversation(&scene, &turns);
    batch.push(claim(&turns[0], scene.epoch));
    scene.commit_all(batch).await;
    let scope = StopScope::Chat(chat);
    scene.commit_all(vec![stop(scope, true)]).await;
    let dropped = scene.commit_all(vec![claim(&turns[1], scene.epoch)]).await;
    assert_eq!(dropped, [Applied::Stopped(scope)]);
    let (stored, _) = scene.store.turn(turns[1].id).await.unwrap().expect("stored");
    assert_eq!(stored.progress.state, TurnState::Dropped);
    assert!(stored.progress.error.is_some_and(|error| error.starts_with("stopped")));
    let (stored, _) = scene.store.turn(turns[0].id).await.unwrap().expect("stored");
    assert_eq!(stored.progress.state, TurnState::Claimed);
    assert_conflict(&scene.commit_one(claim(&turns[1], scene.epoch)).await);
    scene.commit_all(vec![stop(scope, false), claim(&turns[2], scene.epoch)]).await;
    let acted = finish(&turns[2], scene.epoch, TurnEnding::Acted);
    scene.commit_all(vec![acted]).await;
    let (stored, messages) = scene.store.turn(turns[2].id).await.unwrap().expect("stored");
    assert_eq!((stored.progress.state, messages.len()), (TurnState::Done, 0));
}
