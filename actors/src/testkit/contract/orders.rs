//! Claims about webhooks, dead letters and turns that are given back: I1, I2, I4, I7. Part of the testkit.

use super::{Home, Scene, assert_conflict};
use crate::domain::commit::operations::{Operation, Receive, Redeliver, SetDelivery, Settle, TurnEnding, Unclaim};
use crate::domain::commit::outcome::{Applied, Verdict};
use crate::domain::dead_letter::{DeadLetter, DeadLetterId, DeadLetterState};
use crate::domain::decision::Cause;
use crate::domain::ids::{AttemptId, OutboxId, TurnId};
use crate::domain::inbox::{Outcome, OutcomeKind};
use crate::domain::outbox::{OutboxMessage, OutboxState, SendResult};
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::domain::turn::{Turn, TurnState};
use crate::testkit::rows::{advance, at, claim, decision, finish, ingest, message, plan, start, turn, update};

claims! {
    $ __claims_of_orders of orders:
    a_webhooks_rows_are_stored_once_and_the_offset_stays
    a_change_of_delivery_forgets_the_offset
    the_manifests_delivery_counts_when_it_is_news
    an_unclaimed_turn_waits_as_before
    a_dead_turn_is_redelivered_anew
    a_dead_update_is_redelivered_anew
    a_rejected_message_is_redelivered_with_its_later_parts
    a_message_of_unknown_fate_needs_a_confirmation
    dead_letters_come_in_pages
}

fn receive(rows: Vec<crate::domain::inbox::InboxRow>) -> Operation {
    Operation::Receive(Receive { rows })
}

fn webhook() -> DeliveryChoice {
    DeliveryChoice { mode: DeliveryMode::Webhook, webhook_url: Some("https://fleet.example/x".to_owned()) }
}

fn redeliver(letter: DeadLetterId, later_parts: Vec<OutboxId>, confirm_duplicate: bool) -> Operation {
    let (now, expires_at) = (at(50), at(500));
    Operation::Redeliver(Redeliver { letter, later_parts, confirm_duplicate, now, expires_at, order: None })
}

/// Stores a queued turn.
async fn stored_turn(scene: &Scene) -> Turn {
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let turn = turn(900, chat, 1, bot);
    let mut step = advance(chat, scene.epoch, 0, 1);
    step.decisions = vec![decision(chat, 1, Cause::Entry(crate::domain::ids::Number(1)))];
    step.turns = vec![turn.clone()];
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![update(1, bot, chat, 5)]), Operation::Advance(step)]).await;
    turn
}

async fn state_of(scene: &Scene, turn: TurnId) -> (Turn, Vec<OutboxMessage>) {
    scene.store.turn(turn).await.unwrap().expect("the turn is stored")
}

async fn letters(scene: &Scene) -> Vec<DeadLetter> {
    scene.store.dead_letters(None, 100).await.unwrap()
}

/// I1: rows that a webhook brought are stored without a fence and never change the offset.
pub async fn a_webhooks_rows_are_stored_once_and_the_offset_stays(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let done = scene.commit_one(receive(vec![update(1, bot, chat, 70)])).await;
    assert_eq!(done, Ok(Applied::Ingested { already_there: 0 }));
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), None);
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![update(2, bot, chat, 30)])]).await;
    let batch = vec![receive(vec![update(3, bot, chat, 70)]), receive(vec![update(4, bot, chat, 71)])];
    let again = scene.commit_all(batch).await;
    assert_eq!(again, [Applied::Ingested { already_there: 1 }, Applied::Ingested { already_there: 0 }]);
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), Some(31));
    let ids: Vec<i64> = scene.store.unhandled(chat, 10).await.unwrap().iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [1, 2, 4]);
}

/// I1: the first poll after webhooks sends no offset.
pub async fn a_change_of_delivery_forgets_the_offset(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, other], [chat, _]) = (scene.bots, scene.chats);
    assert!(scene.store.delivery(bot).await.unwrap().unwrap_or_default().mode == DeliveryMode::Polling);
    let change = |epoch| Operation::SetDelivery(SetDelivery { bot, epoch, choice: webhook(), order: None });
    let rows = |bot, id| vec![update(id, bot, chat, id)];
    scene.commit_all(vec![ingest(other, scene.epoch, rows(other, 8))]).await;
    scene.commit_all(vec![ingest(bot, scene.epoch, rows(bot, 9)), change(scene.epoch)]).await;
    assert_eq!(scene.store.next_offset(bot).await.unwrap(), None);
    assert_eq!(scene.store.next_offset(other).await.unwrap(), Some(9));
    let stale = scene.epoch;
    let scene = scene.reopen(home).await;
    assert!(scene.commit_one(change(stale)).await.is_err(), "it is an owning write");
    let profile = &scene.roster.bots[&bot];
    assert_eq!((profile.delivery.clone(), profile.next_offset), (webhook(), None));
    assert_eq!(scene.store.delivery(bot).await.unwrap(), Some(webhook()));
}

/// A person's change of the delivery mode outlives a restart; the manifest's mode counts only when it changes.
pub async fn the_manifests_delivery_counts_when_it_is_news(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _], epoch) = (scene.bots, scene.chats, scene.epoch);
    scene.commit_all(vec![Operation::SetDelivery(SetDelivery { bot, epoch, choice: webhook(), order: None })]).await;
    let mut news = plan(2, 2);
    let same = scene.store.apply_roster(&news, at(1)).await.unwrap();
    assert_eq!(same.bots[&bot].delivery, webhook());
    news.bots[0].delivery = DeliveryMode::Webhook;
    news.bots[1].delivery = DeliveryMode::Webhook;
    scene.commit_all(vec![ingest(scene.bots[1], epoch, vec![update(1, scene.bots[1], chat, 5)])]).await;
    let roster = scene.store.apply_roster(&news, at(1)).await.unwrap();
    let other = &roster.bots[&scene.bots[1]];
    assert_eq!((other.delivery.mode, other.next_offset), (DeliveryMode::Webhook, None), "no offset either");
    news.bots[0].delivery = DeliveryMode::Polling;
    let roster = scene.store.apply_roster(&news, at(1)).await.unwrap();
    let choice = DeliveryChoice { mode: DeliveryMode::Polling, ..webhook() };
    assert_eq!(roster.bots[&bot].delivery, choice, "a webhook of our own is known by its address");
}

/// I8: a turn that is given back at a stop of the process has not failed.
pub async fn an_unclaimed_turn_waits_as_before(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let turn = stored_turn(&scene).await;
    let back = |epoch| Operation::Unclaim(Unclaim { bot: turn.bot, epoch, turn: turn.id });
    assert_conflict(&scene.commit_one(back(scene.epoch)).await);
    scene.commit_all(vec![claim(&turn, scene.epoch), back(scene.epoch)]).await;
    assert_eq!(state_of(&scene, turn.id).await.0.progress, turn.progress);
    scene.commit_all(vec![claim(&turn, scene.epoch)]).await;
    assert_eq!(state_of(&scene, turn.id).await.0.progress.attempts, 1);
}

/// I7: a person can start a dead turn again.
pub async fn a_dead_turn_is_redelivered_anew(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let turn = stored_turn(&scene).await;
    let letter = DeadLetterId::Turn(turn.id);
    for _ in 0..3 {
        assert_conflict(&scene.commit_one(redeliver(letter, vec![], false)).await);
        let failed = finish(&turn, scene.epoch, TurnEnding::Failed("no usable answer".to_owned()));
        scene.commit_all(vec![claim(&turn, scene.epoch), failed]).await;
    }
    let found = letters(&scene).await;
    let expected = DeadLetter {
        id: letter,
        state: DeadLetterState::Dead,
        reason: Some("no usable answer".to_owned()),
        bot: turn.bot,
        chat: Some(turn.chat),
        attempts: 3,
        created_at: turn.created_at,
    };
    assert_eq!(found, [expected]);
    scene.commit_all(vec![redeliver(letter, vec![], false)]).await;
    let (again, _) = state_of(&scene, turn.id).await;
    assert_eq!((again.progress.state, again.progress.attempts), (TurnState::Queued, 0));
    assert_eq!((again.due_at, again.expires_at), (at(50), at(500)));
    assert_eq!(letters(&scene).await, []);
    assert_eq!(scene.store.queued_turns(turn.bot, 9).await.unwrap().len(), 1);
}

/// I7: an update whose handling panicked is shown, and a person can have it handled again.
pub async fn a_dead_update_is_redelivered_anew(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let ([bot, _], [chat, _]) = (scene.bots, scene.chats);
    let row = update(1, bot, chat, 5);
    let letter = DeadLetterId::Update(row.id);
    scene.commit_all(vec![ingest(bot, scene.epoch, vec![row.clone()])]).await;
    assert_conflict(&scene.commit_one(redeliver(letter, vec![], false)).await);
    let mut step = advance(chat, scene.epoch, 0, 1);
    step.handled[0].outcome = Outcome::because(OutcomeKind::Dead, "reading it panicked");
    (step.handled[0].number, step.entries) = (None, Vec::new());
    scene.commit_all(vec![Operation::Advance(step)]).await;
    let found = letters(&scene).await;
    assert_eq!((found[0].id, found[0].chat, found.len()), (letter, Some(chat), 1));
    assert_eq!(found[0].reason.as_deref(), Some("reading it panicked"));
    scene.commit_all(vec![redeliver(letter, vec![], false)]).await;
    assert_eq!(scene.store.unhandled(chat, 9).await.unwrap(), [row]);
    assert_eq!(letters(&scene).await, []);
}

/// Makes a turn of two parts, the first of which ended with `result`.
async fn ended(scene: &Scene, result: SendResult) -> (Turn, [OutboxMessage; 2]) {
    let turn = stored_turn(scene).await;
    let mut parts = [message(910, &turn), message(911, &turn)];
    (parts[0].parts, parts[1].parts, parts[1].part) = (2, 2, 1);
    let ending = TurnEnding::Said { messages: parts.to_vec(), begin: Some(start(7, at(3))) };
    let said = scene.commit_all(vec![claim(&turn, scene.epoch), finish(&turn, scene.epoch, ending)]).await;
    assert_eq!(said[1], Applied::Said(Some(Verdict::Send)));
    let settle =
        Settle { outbox: parts[0].id, attempt: AttemptId(7), result, event: None, pauses: Vec::new(), unsent: None };
    let cancel = crate::domain::commit::operations::Cancel {
        bot: turn.bot,
        epoch: scene.epoch,
        outbox: parts[1].id,
        reason: "the part before it was not sent".to_owned(),
    };
    scene.commit_all(vec![Operation::Settle(settle), Operation::Cancel(cancel)]).await;
    (turn, parts)
}

/// A rejected message is queued again together with its later parts.
pub async fn a_rejected_message_is_redelivered_with_its_later_parts(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (turn, parts) = ended(&scene, SendResult::Rejected("forbidden: kicked".to_owned())).await;
    let letter = DeadLetterId::Message(parts[0].id);
    let found = letters(&scene).await;
    assert_eq!((found[0].id, found[0].state, found.len()), (letter, DeadLetterState::Rejected, 1));
    assert_eq!(found[0].reason.as_deref(), Some("forbidden: kicked"));
    scene.commit_all(vec![redeliver(letter, vec![parts[1].id], false)]).await;
    for message in state_of(&scene, turn.id).await.1 {
        assert_eq!((message.progress.state, message.progress.attempts), (OutboxState::Queued, 0));
        assert_eq!((message.progress.due_at, message.expires_at), (at(50), at(500)));
    }
    assert_conflict(&scene.commit_one(redeliver(letter, vec![], true)).await);
    assert_eq!(letters(&scene).await, []);
}

/// I4: a message that may have been sent is sent again only when a person accepts that it may show up twice.
pub async fn a_message_of_unknown_fate_needs_a_confirmation(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (turn, parts) = ended(&scene, SendResult::Unknown("reset".to_owned())).await;
    let letter = DeadLetterId::Message(parts[0].id);
    assert_conflict(&scene.commit_one(redeliver(letter, vec![], false)).await);
    assert_eq!(letters(&scene).await[0].state, DeadLetterState::Unknown);
    scene.commit_all(vec![redeliver(letter, vec![], true)]).await;
    let messages = state_of(&scene, turn.id).await.1;
    assert_eq!(messages[0].progress.state, OutboxState::Queued);
    assert_eq!(messages[1].progress.state, OutboxState::Cancelled, "nobody named the later part");
}

/// Pages follow one another without gap or overlap.
pub async fn dead_letters_come_in_pages(home: &dyn Home) {
    let scene = Scene::open(home).await;
    let (turn, parts) = ended(&scene, SendResult::Rejected("no".to_owned())).await;
    let mut other = super::super::rows::turn(905, turn.chat, 1, scene.bots[1]);
    other.ordinal = 1;
    let mut step = advance(turn.chat, scene.epoch, 1, 2);
    step.turns = vec![other.clone()];
    let row = update(2, turn.bot, turn.chat, 6);
    scene.commit_all(vec![ingest(turn.bot, scene.epoch, vec![row]), Operation::Advance(step)]).await;
    for _ in 0..3 {
        let failed = finish(&other, scene.epoch, TurnEnding::Failed("no".to_owned()));
        scene.commit_all(vec![claim(&other, scene.epoch), failed]).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = scene.store.dead_letters(after, 1).await.unwrap();
        let Some(letter) = page.first() else { break };
        after = Some(letter.id);
        seen.push(letter.id);
    }
    assert_eq!(seen, [DeadLetterId::Turn(other.id), DeadLetterId::Message(parts[0].id)]);
}
