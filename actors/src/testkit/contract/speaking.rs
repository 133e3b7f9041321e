//! Claims about operators who speak as bots, take them over, and delete what they said: I4, I14, I16. Part of the testkit.

use std::time::Duration;

use super::send::{begin, progress, with_messages};
use super::{HANDLED_GO, Home, Scene, assert_conflict};
use crate::domain::commit::operations::{
    Advance, Claim, EndTakeover, Operation, Retract, Say, SettleRetraction, TakeOver, TurnEnding,
};
use crate::domain::commit::outcome::{Applied, Refusal, Verdict};
use crate::domain::commit::start::{SendRules, Start};
use crate::domain::decision::Cause;
use crate::domain::ids::{ChatId, DecisionNumber, IdSource, MessageId, Number, OutboxId, TurnId};
use crate::domain::inbox::SentEvent;
use crate::domain::operator_order::{
    OperatorOrder, OrderFruit, OrderId, OrderState, OrderStep, OrderTarget, OrderTask,
};
use crate::domain::outbox::{OutboxMessage, OutboxState};
use crate::domain::retraction::{Retraction, RetractionEnding, RetractionState, Said, Saying};
use crate::domain::takeover::Takeover;
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, Turn, TurnState};
use crate::testkit::rows::{advance, at, claim, decision, finish, message, sent, start, turn};

claims! {
    $ __claims_of_speaking of speaking:
    what_an_operator_says_becomes_one_turn_with_the_end_of_its_order
    i14_who_is_taken_over_does_nothing_of_its_own_and_says_what_the_operator_writes
    a_takeover_ends_by_itself_and_each_message_of_its_holder_puts_that_off
    one_operator_holds_a_bot_and_the_others_are_told_who
    words_that_are_deleted_are_in_no_row_and_their_entry_keeps_its_number
    a_deletion_waits_for_telegram_and_ends_once
    only_what_bots_of_the_chat_said_is_found
    what_is_being_sent_is_told
    i16_takeovers_and_deletions_that_are_over_go
}

const IDLE: Duration = Duration::from_secs(60);

async fn give(scene: &Scene, id: i64, task: OrderTask) -> OrderStep {
    let target = OrderTarget::Chat(scene.chats[0]);
    let order = crate::testkit::rows::order(id, target, task, IDLE);
    scene.store.give_order(&order).await.unwrap().expect("there is room");
    OrderStep { order: OrderId(id), target, node: "here".to_owned(), epoch: scene.epoch }
}

async fn order(scene: &Scene, id: i64) -> OperatorOrder {
    scene.store.operator_order(OrderId(id)).await.unwrap().expect("it is stored")
}

/// Returns an advance that holds a decision and nothing else.
fn deciding(scene: &Scene, number: i64, turns: Vec<Turn>) -> Box<Advance> {
    let chat = scene.chats[0];
    Box::new(Advance {
        entries: Vec::new(),
        handled: Vec::new(),
        decisions: vec![decision(chat, number, Cause::Tick)],
        turns,
        ..advance(chat, scene.epoch, 1, 1)
    })
}

async fn say(scene: &Scene, id: i64, by: &str, now: Timestamp) -> (Operation, Turn) {
    let task = OrderTask::Say { bot: scene.bots[0], text: "Ben buradayım.".to_owned(), reply_to: None };
    let step = give(scene, id, task).await;
    let act = Act::Say { text: "Ben buradayım.".to_owned(), by_operator: true };
    let turn = Turn { act, ..turn(100 + id, scene.chats[0], id, scene.bots[0]) };
    let advance = deciding(scene, id, vec![turn.clone()]);
    (Operation::Say(Say { advance, bot: scene.bots[0], by: by.to_owned(), order: step, now }), turn)
}

async fn take(
    scene: &Scene,
    (id, by): (i64, &str),
    now: Timestamp,
    (turns, messages): (Vec<TurnId>, Vec<OutboxId>),
    take: bool,
) -> Operation {
    let task = OrderTask::TakeOver { bot: scene.bots[0], idle_ms: 60_000, take };
    let order = give(scene, id, task).await;
    let takeover = Takeover::begin(scene.chats[0], scene.bots[0], by, IDLE, now);
    let advance = Box::new(Advance { decisions: Vec::new(), ..*deciding(scene, 9, Vec::new()) });
    Operation::TakeOver(TakeOver { takeover, take, turns, messages, advance, order })
}

fn own(attempt: i64, now: Timestamp) -> Start {
    Start { rules: SendRules { yields: true, ..SendRules::default() }, ..start(attempt, now) }
}

fn claim_at(scene: &Scene, turn: &Turn, yields: bool, now: Timestamp) -> Operation {
    Operation::Claim(Claim { bot: turn.bot, epoch: scene.epoch, turn: turn.id, chat: turn.chat, yields, now })
}

async fn more_turns(scene: &Scene, number: i64, turns: &[Turn]) {
    scene.commit_all(vec![Operation::Advance(*deciding(scene, number, turns.to_vec()))]).await;
}

async fn holder(scene: &Scene) -> Option<Takeover> {
    let takeovers = scene.store.interventions(at(0)).await.unwrap().takeovers;
    takeovers.0.get(&(scene.chats[0], scene.bots[0])).cloned()
}

/// I4: the text is a turn once, or not at all, and no longer stands in the order.
pub async fn what_an_operator_says_becomes_one_turn_with_the_end_of_its_order(home: &dyn Home) {
    let (scene, _) = with_messages(home, 1).await;
    let (operation, turn) = say(&scene, 2, "ayse", at(5)).await;
    assert_eq!(scene.commit_one(operation.clone()).await, Ok(Applied::Done));
    let done = order(&scene, 2).await;
    assert_eq!((done.state, done.fruit()), (OrderState::Done, Some(OrderFruit::Turn(turn.id))));
    assert!(!done.arguments.to_string().contains("buradayım"), "{}", done.arguments);
    assert_eq!(scene.store.queued_turns(turn.bot, 9).await.unwrap(), std::slice::from_ref(&turn));
    assert_conflict(&scene.commit_one(operation).await);
    assert_eq!(scene.store.queued_turns(turn.bot, 9).await.unwrap().len(), 1);
    let said = OutboxMessage { by_operator: true, ..message(71, &turn) };
    let ending = TurnEnding::Said { messages: vec![said.clone()], begin: None };
    scene.commit_all(vec![claim(&turn, scene.epoch), finish(&turn, scene.epoch, ending)]).await;
    scene.commit_all(vec![begin(&scene, &said, start(81, at(6))), sent(&said, 81, 601, 9)]).await;
    assert!(scene.store.message(said.id).await.unwrap().unwrap().by_operator);
    let row = scene.store.unhandled(turn.chat, 9).await.unwrap().into_iter().find(|row| row.id.0 == 9).unwrap();
    assert!(serde_json::from_str::<SentEvent>(&row.payload).unwrap().by_operator);
    assert!(scene.store.said_lately(turn.bot, 9).await.unwrap().is_empty(), "it is no text of the bot's own");
    let entry = TranscriptEntry { by_operator: true, ..advance(turn.chat, scene.epoch, 1, 9).entries.remove(0) };
    let told = Advance { entries: vec![entry.clone()], ..advance(turn.chat, scene.epoch, 1, 9) };
    scene.commit_all(vec![Operation::Advance(told)]).await;
    assert_eq!(*scene.store.transcript(turn.chat, Number(2), 1).await.unwrap()[0], entry);
}

/// I14: from the commit of the take-over on, the bot's own turns are not claimed and its own messages not begun.
pub async fn i14_who_is_taken_over_does_nothing_of_its_own_and_says_what_the_operator_writes(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 3).await;
    let (chat, bot) = (scene.chats[0], scene.bots[0]);
    let made = |id: i64, ordinal: u32| Turn { ordinal, ..turn(id, chat, 2, bot) };
    let turns = [made(61, 0), made(62, 1), made(63, 2)];
    more_turns(&scene, 2, &turns).await;
    scene.commit_all(vec![claim(&turns[1], scene.epoch)]).await;
    let named = (vec![turns[0].id, turns[1].id, TurnId(999)], vec![messages[0].id, OutboxId(999)]);
    let operation = take(&scene, (3, "ayse"), at(10), named, false).await;
    assert_eq!(scene.commit_one(operation.clone()).await, Ok(Applied::Done));
    assert_eq!(order(&scene, 3).await.fruit(), Some(OrderFruit::TakenOver { turns: 2, messages: 1 }));
    assert_conflict(&scene.commit_one(operation).await);
    for turn in &turns[..2] {
        let (stored, _) = scene.store.turn(turn.id).await.unwrap().unwrap();
        assert_eq!(stored.progress.state, TurnState::Dropped);
    }
    assert_eq!(progress(&scene, &messages[0]).await.state, OutboxState::Cancelled);
    assert_eq!(scene.commit_one(claim_at(&scene, &turns[2], true, at(11))).await, Ok(Applied::GaveWay));
    let begun = scene.commit_one(begin(&scene, &messages[1], own(51, at(11)))).await;
    assert!(matches!(begun, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{begun:?}");
    let begun = scene.commit_one(begin(&scene, &messages[2], start(52, at(11)))).await;
    assert_eq!(begun, Ok(Applied::Begun(Verdict::Send)), "what does not yield goes on");
    let (operation, said) = say(&scene, 4, "ayse", at(12)).await;
    let Operation::Say(operation) = operation else { unreachable!("it was just made") };
    let operation =
        Say { advance: deciding(&scene, 3, vec![Turn { decision: DecisionNumber(3), ..said.clone() }]), ..operation };
    scene.commit_all(vec![Operation::Say(operation)]).await;
    assert_eq!(scene.commit_one(claim_at(&scene, &said, said.yields(), at(12))).await, Ok(Applied::Done));
    let other = Turn { bot: scene.bots[1], ..made(65, 3) };
    more_turns(&scene, 4, &[Turn { decision: DecisionNumber(4), ..other.clone() }]).await;
    assert_eq!(scene.commit_one(claim_at(&scene, &other, true, at(12))).await, Ok(Applied::Done), "others speak");
}

/// The end is on the database's clock; nobody needs to be there for it.
pub async fn a_takeover_ends_by_itself_and_each_message_of_its_holder_puts_that_off(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    let operation = take(&scene, (3, "ayse"), at(10), (Vec::new(), Vec::new()), false).await;
    scene.commit_all(vec![operation]).await;
    assert_eq!(holder(&scene).await.unwrap().until, at(70));
    let (operation, _) = say(&scene, 2, "ayse", at(30)).await;
    scene.commit_all(vec![operation]).await;
    let held = holder(&scene).await.unwrap();
    assert_eq!((held.until, held.began_at, held.holder.as_str()), (at(90), at(10), "ayse"));
    let scene = scene.reopen(home).await;
    assert_eq!(holder(&scene).await, Some(held), "it outlives the process");
    let begun = scene.commit_one(begin(&scene, &messages[0], own(51, at(89)))).await;
    assert!(matches!(begun, Ok(Applied::Begun(Verdict::Cancelled(_)))), "{begun:?}");
    let begun = scene.commit_one(begin(&scene, &messages[1], own(52, at(90)))).await;
    assert_eq!(begun, Ok(Applied::Begun(Verdict::Send)));
}

/// A second operator is told who holds the bot; who may take it, takes it.
pub async fn one_operator_holds_a_bot_and_the_others_are_told_who(home: &dyn Home) {
    let (scene, _) = with_messages(home, 1).await;
    let nothing = || (Vec::new(), Vec::new());
    scene.commit_all(vec![take(&scene, (3, "ayse"), at(10), nothing(), false).await]).await;
    let told = |by: &str| Err(Refusal::TakenOver(by.to_owned()));
    let second = take(&scene, (4, "bora"), at(11), nothing(), false).await;
    assert_eq!(scene.commit_one(second).await, told("ayse"));
    assert_eq!(order(&scene, 4).await.state, OrderState::Waiting, "a refused effect ends no order");
    let (operation, said) = say(&scene, 2, "bora", at(11)).await;
    assert_eq!(scene.commit_one(operation).await, told("ayse"));
    assert!(scene.store.turn(said.id).await.unwrap().is_none());
    let again = take(&scene, (5, "ayse"), at(12), nothing(), false).await;
    assert_eq!(scene.commit_one(again).await, Ok(Applied::Done), "the holder may begin anew");
    let by_force = take(&scene, (6, "bora"), at(13), nothing(), true).await;
    assert_eq!(scene.commit_one(by_force).await, Ok(Applied::Done));
    assert_eq!(holder(&scene).await.unwrap().holder, "bora");
    let end = |by: Option<&str>, now| {
        let by = by.map(str::to_owned);
        Operation::EndTakeover(EndTakeover { chat: scene.chats[0], bot: scene.bots[0], by, now })
    };
    assert_eq!(scene.commit_one(end(Some("ayse"), at(14))).await, told("bora"));
    assert_conflict(&scene.commit_one(end(Some("bora"), at(500))).await);
    assert_eq!(scene.commit_one(end(Some("bora"), at(14))).await, Ok(Applied::Done));
    assert_eq!(holder(&scene).await, None);
    assert_conflict(&scene.commit_one(end(None, at(14))).await);
    scene.commit_all(vec![take(&scene, (7, "ayse"), at(15), nothing(), false).await, end(None, at(16))]).await;
    assert_eq!(holder(&scene).await, None);
}

const MARKER: &str = "bergamot";

/// Returns an id as a process makes it at the time of [`message`]: deleted messages are looked for by their time.
fn made(id: i64) -> i64 {
    IdSource::first_at(at(3)) + id
}

/// Sends a message of the first bot, and appends its entry, the second of the chat.
async fn with_entry(home: &dyn Home) -> (Scene, OutboxMessage) {
    let (scene, _) = with_messages(home, 1).await;
    let (chat, bot) = (scene.chats[0], scene.bots[0]);
    let act = Act::Say { text: format!("say {MARKER}"), by_operator: true };
    let said = Turn { act, ..turn(61, chat, 2, bot) };
    more_turns(&scene, 2, std::slice::from_ref(&said)).await;
    let told = OutboxMessage { text: format!("say {MARKER}"), ..message(made(71), &said) };
    let ending = TurnEnding::Said { messages: vec![told.clone()], begin: None };
    scene.commit_all(vec![claim(&said, scene.epoch), finish(&said, scene.epoch, ending)]).await;
    scene.commit_all(vec![begin(&scene, &told, start(81, at(3))), sent(&told, 81, 502, 9)]).await;
    let entry = TranscriptEntry {
        fleet_bot: Some(bot),
        text: Some(told.text.clone()),
        message_id: MessageId(502),
        ..advance(chat, scene.epoch, 1, 9).entries.remove(0)
    };
    let told_of = Advance { entries: vec![entry], ..advance(chat, scene.epoch, 1, 9) };
    scene.commit_all(vec![Operation::Advance(told_of)]).await;
    (scene, told)
}

async fn said(scene: &Scene, saying: Saying) -> Vec<Said> {
    scene.store.said(scene.chats[0], &scene.bots, saying, 9).await.unwrap()
}

async fn retract(scene: &Scene, id: i64, said: Vec<Said>) -> Operation {
    let order = give(scene, id, OrderTask::Delete { number: Number(2) }).await;
    let by = "ayse".to_owned();
    Operation::Retract(Retract { chat: scene.chats[0], epoch: scene.epoch, said, by, order, now: at(20) })
}

/// The words are gone from the transcript, the outbox, the turn and the inbox; number and mark stay.
pub async fn words_that_are_deleted_are_in_no_row_and_their_entry_keeps_its_number(home: &dyn Home) {
    let (scene, told) = with_entry(home).await;
    let found = said(&scene, Saying::Entry(Number(2))).await;
    assert_eq!((found.len(), found[0].outbox, found[0].number), (1, Some(told.id), Some(Number(2))));
    let operation = retract(&scene, 3, found).await;
    assert_eq!(scene.commit_one(operation.clone()).await, Ok(Applied::Done));
    assert_eq!(order(&scene, 3).await.fruit(), Some(OrderFruit::Retracted(1)));
    assert_conflict(&scene.commit_one(operation).await);
    let entries = scene.store.transcript(told.chat, Number(9), 9).await.unwrap();
    let (first, second) = (&entries[0], &entries[1]);
    assert!(first.text.is_some() && first.deleted_at.is_none());
    assert_eq!((second.number, second.deleted_at), (Number(2), Some(at(20))));
    assert_eq!((&second.text, &second.media, second.entities.len()), (&None, &None, 0));
    let (turn, messages) = scene.store.turn(told.turn).await.unwrap().unwrap();
    assert!(!format!("{turn:?} {messages:?}").contains(MARKER));
    assert_eq!(messages[0].progress.state, OutboxState::Sent, "it was sent all the same");
    assert!(scene.store.said_lately(told.bot, 9).await.unwrap().iter().all(|text| !text.contains(MARKER)));
    let lately = scene.store.interventions(at(20)).await.unwrap().deleted;
    assert!(lately.contains(&(told.telegram_chat, MessageId(502))) && lately.len() == 1);
    assert!(scene.store.interventions(at(21)).await.unwrap().deleted.is_empty());
    assert_eq!(said(&scene, Saying::Entry(Number(2))).await, [], "it is deleted once");
    assert_eq!(said(&scene, Saying::Since(None, at(0))).await, []);
}

async fn due(scene: &Scene, now: Timestamp) -> Vec<Retraction> {
    scene.store.retractions_due(scene.bots[0], now, 9).await.unwrap()
}

/// I4: Telegram is asked again until it answers; an answer that comes later changes nothing.
pub async fn a_deletion_waits_for_telegram_and_ends_once(home: &dyn Home) {
    let (scene, told) = with_entry(home).await;
    let found = said(&scene, Saying::Since(Some(told.bot), at(0))).await;
    assert_eq!(found.len(), 1);
    scene.commit_all(vec![retract(&scene, 3, found).await]).await;
    assert_eq!(scene.store.backlog(at(20)).await.unwrap().bots, [told.bot]);
    let [waits] = &due(&scene, at(20)).await[..] else { panic!("one waits") };
    assert_eq!((waits.state, waits.tries, waits.principal.as_str()), (RetractionState::Waiting, 0, "ayse"));
    assert_eq!((waits.bot, waits.chat, waits.created_at), (told.bot, told.chat, at(20)));
    let settle = |ending| {
        let (bot, epoch, telegram_chat) = (told.bot, scene.epoch, told.telegram_chat);
        let message_id = MessageId(502);
        Operation::SettleRetraction(SettleRetraction { bot, epoch, telegram_chat, message_id, ending })
    };
    scene.commit_all(vec![settle(RetractionEnding::Again(at(40), "reset".to_owned()))]).await;
    assert_eq!(due(&scene, at(39)).await, []);
    let [waits] = &due(&scene, at(40)).await[..] else { panic!("one waits") };
    assert_eq!((waits.tries, waits.error.as_deref(), waits.ended_at), (1, Some("reset"), None));
    scene.commit_all(vec![settle(RetractionEnding::Refused("too old".to_owned()))]).await;
    scene.commit_all(vec![settle(RetractionEnding::Deleted)]).await;
    assert_eq!(due(&scene, at(99)).await, []);
    let all = scene.store.retractions(told.chat, 9).await.unwrap();
    assert_eq!((all.len(), all[0].state, all[0].error.as_deref()), (1, RetractionState::Refused, Some("too old")));
    assert!(all[0].ended_at.is_some() && all[0].tries == 2);
    assert!(scene.store.retractions(ChatId(99), 9).await.unwrap().is_empty());
    assert!(scene.store.retractions(told.chat, 0).await.unwrap().is_empty());
}

/// Neither people's messages, nor those of other chats and times, nor notices unless they are named.
pub async fn only_what_bots_of_the_chat_said_is_found(home: &dyn Home) {
    let (scene, told) = with_entry(home).await;
    assert_eq!(said(&scene, Saying::Entry(Number(1))).await, [], "a person said that");
    assert_eq!(said(&scene, Saying::Entry(Number(7))).await, []);
    assert_eq!(said(&scene, Saying::Since(Some(scene.bots[1]), at(0))).await, []);
    assert_eq!(said(&scene, Saying::Since(None, at(4))).await, [], "it was made before");
    let found = said(&scene, Saying::Since(None, at(3))).await;
    assert_eq!((found.len(), found[0].message_id, found[0].number), (1, MessageId(502), Some(Number(2))));
    let others = scene.store.said(scene.chats[1], &scene.bots, Saying::Since(None, at(0)), 9).await.unwrap();
    assert_eq!(others, []);
    let strangers = scene.store.said(told.chat, &[], Saying::Entry(Number(2)), 9).await.unwrap();
    assert_eq!(strangers, [], "the bot has left the chat");
    let notice = Turn { chain_depth: 0, ..turn(64, told.chat, 3, told.bot) };
    more_turns_at(&scene, &notice).await;
    let line = OutboxMessage { chain_depth: 0, ..message(made(74), &notice) };
    let ending = TurnEnding::Said { messages: vec![line.clone()], begin: None };
    scene.commit_all(vec![claim(&notice, scene.epoch), finish(&notice, scene.epoch, ending)]).await;
    scene.commit_all(vec![begin(&scene, &line, start(84, at(3))), sent(&line, 84, 503, 10)]).await;
    assert_eq!(said(&scene, Saying::Since(None, at(0))).await.len(), 1, "a notice stays");
}

async fn more_turns_at(scene: &Scene, turn: &Turn) {
    let advance = Advance { base: Number(2), ..*deciding(scene, 3, vec![turn.clone()]) };
    scene.commit_all(vec![Operation::Advance(advance)]).await;
}

/// A take-over shows what is on its way.
pub async fn what_is_being_sent_is_told(home: &dyn Home) {
    let (scene, messages) = with_messages(home, 2).await;
    assert_eq!(scene.store.sending(scene.bots[0]).await.unwrap(), []);
    scene.commit_all(vec![begin(&scene, &messages[0], start(51, at(5)))]).await;
    let sending = scene.store.sending(scene.bots[0]).await.unwrap();
    assert_eq!(sending.iter().map(|message| message.id).collect::<Vec<_>>(), [messages[0].id]);
    assert_eq!(scene.store.sending(scene.bots[1]).await.unwrap(), []);
    scene.commit_all(vec![sent(&messages[0], 51, 601, 8)]).await;
    assert_eq!(scene.store.sending(scene.bots[0]).await.unwrap(), []);
}

/// I16: a take-over goes with its end, a deletion with the inbox rows of its time.
pub async fn i16_takeovers_and_deletions_that_are_over_go(home: &dyn Home) {
    let (scene, told) = with_entry(home).await;
    let found = said(&scene, Saying::Entry(Number(2))).await;
    scene.commit_all(vec![retract(&scene, 3, found).await]).await;
    let operation = take(&scene, (4, "ayse"), at(20), (Vec::new(), Vec::new()), false).await;
    let Operation::TakeOver(mut operation) = operation else { unreachable!("it was just made") };
    operation.advance.base = Number(2);
    scene.commit_all(vec![Operation::TakeOver(operation)]).await;
    scene.store.prune(at(79), &HANDLED_GO).await.unwrap();
    assert!(holder(&scene).await.is_some());
    assert_eq!(scene.store.retractions(told.chat, 9).await.unwrap().len(), 1, "it waits for Telegram");
    let (bot, epoch, telegram_chat, message_id) = (told.bot, scene.epoch, told.telegram_chat, MessageId(502));
    let ending = RetractionEnding::Deleted;
    let settle = SettleRetraction { bot, epoch, telegram_chat, message_id, ending };
    scene.commit_all(vec![Operation::SettleRetraction(settle)]).await;
    scene.store.prune(at(80), &HANDLED_GO).await.unwrap();
    assert_eq!(holder(&scene).await, None);
    assert!(scene.store.retractions(told.chat, 9).await.unwrap().is_empty());
}
