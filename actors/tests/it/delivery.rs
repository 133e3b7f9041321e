//! The fate of messages when Telegram limits, migrates, removes or does not answer: I4, I9.

use std::collections::HashMap;
use std::time::Duration;

use botfleet_actors::domain::commit::operations::{Claim, Operation, SetStop};
use botfleet_actors::domain::control::{Rank, StopOrder, StopScope};
use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId, TurnId};
use botfleet_actors::domain::incoming::{
    Author, AuthorKind, ChatKind, Entity, EntityKind, Event, Incoming, Message, Quoted,
};
use botfleet_actors::domain::outbox::{OnUnknown, OutboxState};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::rows::person;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

async fn states(stage: &Stage) -> Vec<OutboxState> {
    let outcomes = stage.outcomes().await;
    let messages = outcomes.iter().flat_map(|record| &record.turns).flat_map(|turn| &turn.messages);
    messages.map(|message| message.state).collect()
}

fn limited(seconds: u64) -> Step {
    Step::Fail(TelegramError::RateLimited { retry_after: Duration::from_secs(seconds) })
}

fn message(incoming: &mut Incoming) -> &mut Message {
    match &mut incoming.event {
        Event::Message(message) => message,
        other => panic!("no message: {other:?}"),
    }
}

fn into(stage: &Stage, chat: TelegramChatId) -> usize {
    stage.journal().count(|h| matches!(h, Happening::Sent { chat: to, .. } if *to == chat))
}

#[tokio::test(start_paused = true)]
async fn i4_a_429_holds_every_message_of_its_chat_also_after_a_restart() {
    let mut stage = Scenery::new(1, 2).raise().await;
    stage.telegram(0).next_send(limited(600));
    stage.person_says(0, "hello", &[0]);
    stage.until("the pause is stored", async |stage| states(stage).await == [OutboxState::RetryAt]).await;
    let begun = tokio::time::Instant::now();
    let mut stage = stage.killed().await.raise().await;
    stage.person_says(0, "another message", &[0]);
    stage.person_says(1, "another chat", &[0]);
    stage.until_sent(2).await;
    assert_eq!(into(&stage, stage.telegram_chat(1)), 1, "the other chat does not wait");
    tokio::time::sleep(Duration::from_secs(110)).await;
    assert_eq!(into(&stage, stage.telegram_chat(0)), 1, "a message made after the restart waits as well");
    tokio::time::sleep(Duration::from_secs(600)).await;
    stage.person_says(0, "and now", &[0]);
    stage.until_sent(3).await;
    assert!(begun.elapsed() > Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn two_chats_limited_together_hold_the_whole_bot_and_no_other() {
    let mut stage = Scenery::new(2, 3).raise().await;
    stage.telegram(0).next_send(limited(60));
    stage.person_says(0, "one", &[0]);
    stage.until_sent(1).await;
    stage.telegram(0).next_send(limited(30));
    stage.person_says(1, "two", &[0]);
    stage.until_sent(2).await;
    let third = stage.telegram_chat(2);
    stage.person_says(2, "three", &[0]);
    stage.person_says(2, "four", &[1]);
    stage.until_sent(3).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(into(&stage, third), 1, "the other bot alone");
    stage.until("the pause of the bot ends", async |stage| into(stage, third) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn i4_a_copy_that_another_bot_receives_resolves_an_unknown_message() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unknown("reset".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until("it is unknown", async |stage| stage.store.rows.depths().await.unwrap().unknown == 1).await;
    let text = stage.journal().sent_texts().remove(0);
    let mut other = stage.spoken(0, MessageId(900), "another text of that bot");
    let author = Author { id: stage.scenery.plan.bots[0].telegram_id, kind: AuthorKind::Bot, ..person() };
    message(&mut other).author = author.clone();
    stage.telegram(1).receive(7001, other);
    stage.let_time_pass_briefly().await;
    assert_eq!(states(&stage).await, [OutboxState::Unknown], "another text is no evidence");
    let mut copy = stage.spoken(0, MessageId(901), &text);
    message(&mut copy).author = author;
    stage.telegram(1).receive(7002, copy);
    stage.until("the doubt ends", async |stage| states(stage).await == [OutboxState::Sent]).await;
    stage.until_at_rest().await;
    let transcript = stage.transcript(0).await;
    let last = transcript.last().unwrap();
    assert_eq!(
        (last.message_id, last.fleet_bot, last.text.as_deref()),
        (MessageId(901), Some(stage.bots[0]), Some(text.as_str()))
    );
    assert_eq!(stage.journal().sent_texts().len(), 1, "nothing was sent again");
}

#[tokio::test(start_paused = true)]
async fn i4_a_reply_resolves_an_unknown_message_which_stands_before_it() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Hang);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    let mut stage = stage.killed().await.raise().await;
    let text = stage.journal().sent_texts().remove(0);
    let mut reply = stage.spoken(0, MessageId(901), "is that so?");
    message(&mut reply).reply_to = Some(MessageId(900));
    message(&mut reply).quoted = Some(Quoted {
        author: Some(stage.scenery.plan.bots[0].telegram_id),
        text: Some(text.clone()),
        ..Quoted::default()
    });
    stage.telegram(0).receive(7001, reply);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    let ids: Vec<_> = stage.transcript(0).await.iter().map(|entry| entry.message_id).collect();
    assert_eq!(ids[1..3], [MessageId(900), MessageId(901)], "what was replied to stands before the reply");
    assert_eq!(states(&stage).await, [OutboxState::Sent, OutboxState::Sent]);
    stage.person_says(0, "go on", &[0]);
    stage.until_sent(3).await;
}

#[tokio::test(start_paused = true)]
async fn i4_an_unknown_message_is_sent_again_only_where_its_policy_says_so() {
    let mut scenery = Scenery::new(1, 2);
    scenery.plan.chats[1].on_unknown = OnUnknown::Resend;
    let mut stage = scenery.raise().await;
    for chat in [0, 1] {
        stage.telegram(0).next_send(Step::Fail(TelegramError::Unknown("reset".to_owned())));
        stage.person_says(chat, "hello", &[0]);
        stage.until_sent(1 + chat).await;
    }
    stage.until_sent(3).await;
    stage.let_time_pass().await;
    assert_eq!((into(&stage, stage.telegram_chat(0)), into(&stage, stage.telegram_chat(1))), (1, 2));
    assert_eq!(states(&stage).await, [OutboxState::Unknown, OutboxState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_loses_no_message() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unauthorized("revoked".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(states(&stage).await, [OutboxState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_became_a_supergroup_goes_on_under_its_new_id() {
    let mut stage = Scenery::new(1, 1).raise().await;
    let (old, new) = (stage.telegram_chat(0), TelegramChatId(-1_000_000_009_999));
    stage.telegram(0).next_send(Step::Fail(TelegramError::Migrated(new)));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!((into(&stage, old), into(&stage, new)), (1, 1));
    let stage = stage.killed().await.raise().await;
    let event = Event::MigratedTo { to: new };
    stage.telegram(0).receive(7000, Incoming { chat: Some(old), chat_kind: ChatKind::Group, event });
    let mut said = stage.spoken(0, MessageId(950), "still here?");
    said.chat = Some(new);
    stage.telegram(0).receive(7001, said);
    stage.until_sent(3).await;
    stage.until_at_rest().await;
    assert_eq!(into(&stage, new), 2, "the manifest still has the old id");
    assert_eq!(stage.transcript(0).await.len(), 4, "the history is one");
}

#[tokio::test(start_paused = true)]
async fn a_kicked_bot_is_not_asked_until_it_is_back() {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Natural;
    let mut stage = scenery.raise().await;
    let membership = |can_post| Event::Membership { can_post, is_admin: false };
    let chat = stage.telegram_chat(0);
    let update = |event| Incoming { chat: Some(chat), chat_kind: ChatKind::Supergroup, event };
    stage.telegram(0).receive(7001, update(membership(false)));
    stage.until_at_rest().await;
    stage.person_says(0, "bot-1, are you here?", &[1]);
    stage.let_time_pass().await;
    let mut stage = stage.killed().await.raise().await;
    stage.person_says(0, "bot-1, and now?", &[1]);
    stage.let_time_pass().await;
    let kicked = stage.scenery.plan.bots[0].telegram_id;
    assert_eq!(stage.journal().count(|h| matches!(h, Happening::Sent { bot, .. } if *bot == kicked)), 0);
    stage.telegram(0).receive(7002, update(membership(true)));
    stage.until_at_rest().await;
    stage.person_says(0, "bot-1, welcome back", &[0, 1]);
    stage
        .until("it answers", async |stage| {
            stage.journal().count(|h| matches!(h, Happening::Sent { bot, .. } if *bot == kicked)) > 0
        })
        .await;
}

/// Builds a `/stop` of an author of that kind.
fn order(stage: &Stage, id: i64, kind: AuthorKind) -> Incoming {
    let mut order = stage.spoken(0, MessageId(id), "/stop please");
    message(&mut order).author.kind = kind;
    message(&mut order).entities = vec![Entity { kind: EntityKind::BotCommand, offset: 0, length: 5 }];
    order
}

async fn is_stopped(stage: &Stage) -> bool {
    !stage.store.rows.stops().await.unwrap().0.is_empty()
}

fn ranks(admin: bool) -> HashMap<TelegramUserId, bool> {
    HashMap::from([(person().id, admin)])
}

#[tokio::test(start_paused = true)]
async fn i9_an_administrators_stop_silences_the_chat_and_acts_once() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).ranks(Ok(ranks(true)));
    stage.telegram(1).ranks(Ok(ranks(true)));
    let order = order(&stage, 900, AuthorKind::Person);
    for bot in [0, 1] {
        stage.telegram(bot).receive(7001, order.clone());
    }
    stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
    stage.let_time_pass().await;
    assert!(is_stopped(&stage).await);
    let orders = stage.journal().count(|h| *h == Happening::Committed("set_stop"));
    assert_eq!(orders, 2, "noted once, and confirmed once");
    let before = stage.journal().sent_texts().len();
    stage.person_says(0, "anyone?", &[0, 1]);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts().len(), before);
}

#[tokio::test(start_paused = true)]
async fn i9_a_strangers_stop_holds_until_telegram_says_that_they_may_not() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).ranks(Err(TelegramError::Unreachable("refused".to_owned())));
    stage.telegram(0).receive(7001, order(&stage, 900, AuthorKind::Person));
    stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
    stage.let_time_pass().await;
    assert!(is_stopped(&stage).await, "while nobody can be verified the chat stays silent");
    stage.telegram(0).ranks(Ok(ranks(false)));
    stage.until("the stop is lifted", async |stage| !is_stopped(stage).await).await;
}

#[tokio::test(start_paused = true)]
async fn i9_two_strangers_silence_no_chat_and_an_administrator_among_them_does() {
    let stage = Scenery::new(1, 1).raise().await;
    for (admin, ids) in [(false, [900, 901]), (true, [910, 911])] {
        stage.telegram(0).ranks(Err(TelegramError::Unreachable("refused".to_owned())));
        for id in ids {
            let mut order = order(&stage, id, AuthorKind::Person);
            if id == 911 {
                message(&mut order).author.id = TelegramUserId(4711);
            }
            stage.telegram(0).receive(7000 + id, order);
        }
        stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
        stage.until_at_rest().await;
        stage.telegram(0).ranks(Ok(HashMap::from([(person().id, false), (TelegramUserId(4711), admin)])));
        stage.let_time_pass().await;
        stage.let_time_pass().await;
        assert_eq!(is_stopped(&stage).await, admin);
    }
}

#[tokio::test(start_paused = true)]
async fn i9_a_stranger_cannot_lift_an_operators_stop() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).ranks(Err(TelegramError::Unreachable("refused".to_owned())));
    stage.telegram(0).receive(7001, order(&stage, 900, AuthorKind::Person));
    stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
    let scope = StopScope::Chat(stage.chats[0]);
    let order = StopOrder::Set { until: None, rank: Rank::Operator };
    let stop = SetStop { scope, order, by: "operator".to_owned(), at: stage.node.clock.now() };
    stage.node.committer.commit(Operation::SetStop(stop)).await.unwrap();
    stage.telegram(0).ranks(Ok(ranks(false)));
    stage.let_time_pass().await;
    stage.let_time_pass().await;
    assert!(is_stopped(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn i4_a_copy_that_came_before_the_doubt_resolves_it() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.store.fail("settle", 3);
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unknown("timeout".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    let mut copy = stage.spoken(0, MessageId(901), &stage.journal().sent_texts()[0]);
    message(&mut copy).author =
        Author { id: stage.scenery.plan.bots[0].telegram_id, kind: AuthorKind::Bot, ..person() };
    stage.telegram(1).receive(7002, copy);
    stage.until("the copy is handled", async |stage| stage.telegram(1).unconfirmed() == 0).await;
    assert_eq!(states(&stage).await, [OutboxState::Sending]);
    stage.until("the doubt ends", async |stage| states(stage).await == [OutboxState::Sent]).await;
    stage.until_at_rest().await;
    assert_eq!(stage.transcript(0).await.last().unwrap().message_id, MessageId(901));
}

#[tokio::test(start_paused = true)]
async fn i4_a_pause_asked_for_while_sending_is_committed_holds_the_message() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(limited(30));
    stage.person_says(0, "one", &[0]);
    stage.until_sent(1).await;
    stage.person_says(0, "two", &[0]);
    let begun = tokio::time::Instant::now();
    stage.until_sent(2).await;
    assert!(begun.elapsed() > Duration::from_secs(28), "{:?}", begun.elapsed());
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn i4_a_begin_whose_answer_got_lost_leaves_no_message_behind() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unreachable("refused".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.store.lose_answer("begin");
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(states(&stage).await, [OutboxState::Sent]);
    assert_eq!(stage.journal().sent_texts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn i9_anonymous_administrators_are_obeyed_and_bots_are_not() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).receive(7001, order(&stage, 900, AuthorKind::Bot));
    stage.telegram(0).receive(7003, order(&stage, 902, AuthorKind::Channel));
    stage.let_time_pass().await;
    assert!(!is_stopped(&stage).await);
    stage.telegram(0).ranks(Ok(ranks(false)));
    stage.telegram(0).receive(7002, order(&stage, 901, AuthorKind::Anonymous));
    stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
    stage.let_time_pass().await;
    assert!(is_stopped(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_overtakes_all_work_that_is_queued() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.let_time_pass_briefly().await;
    stage.store.hold(true);
    let (bot, epoch, chat, now) = (stage.bots[0], stage.tenure.epoch, stage.chats[0], stage.node.clock.now());
    for turn in 0..2_000 {
        let claim = Claim { bot, epoch, turn: TurnId(turn), chat, yields: true, now };
        stage.node.committer.submit(Operation::Claim(claim), |_| {});
    }
    let stop = SetStop {
        scope: StopScope::Fleet,
        order: StopOrder::Set { until: None, rank: Rank::Operator },
        by: "test".to_owned(),
        at: stage.node.clock.now(),
    };
    stage.node.committer.submit(Operation::SetStop(stop), |_| {});
    stage.let_time_pass_briefly().await;
    stage.store.hold(false);
    let refused = |happening: &Happening| matches!(happening, Happening::Refused("claim", _));
    stage.until("all work is judged", async |stage| stage.journal().count(refused) == 2_000).await;
    let all = stage.journal().all();
    let stopped = all.iter().position(|happening| *happening == Happening::Committed("set_stop")).unwrap();
    let before = all[..stopped].iter().filter(|happening| refused(happening)).count();
    assert!(before <= 512, "{before} operations went before the stop: more than the batch that was under way");
}

#[tokio::test(start_paused = true)]
async fn i9_turns_are_shed_when_too_many_are_open_and_their_decisions_say_so() {
    let mut scenery = Scenery::new(1, 1);
    scenery.chats.turns_open_max = std::num::NonZeroU64::new(3).unwrap();
    let mut stage = scenery.raise().await;
    stage.llm(0).hold(true);
    for message in 0..6 {
        stage.person_says(0, &format!("message {message}"), &[0]);
    }
    stage.until("all is decided", async |stage| stage.store.rows.depths().await.unwrap().inbox == 0).await;
    stage.llm(0).hold(false);
    stage.until_at_rest().await;
    let outcomes = stage.outcomes().await;
    let turns: Vec<_> = outcomes.iter().flat_map(|record| &record.turns).map(|turn| turn.state).collect();
    assert_eq!(turns.iter().filter(|state| **state == TurnState::Done).count(), 3, "{turns:?}");
    assert_eq!(turns.iter().filter(|state| **state == TurnState::Dropped).count(), 3, "{turns:?}");
    stage.let_time_pass().await;
    stage.person_says(0, "is there room again?", &[0]);
    stage.until_sent(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_429_of_a_poll_holds_the_bot_also_after_a_restart() {
    let stage = Scenery::new(2, 1).raise().await;
    stage.telegram(0).next_poll(limited(120));
    stage
        .until("the pause is stored", async |stage| {
            stage.journal().count(|h| *h == Happening::Committed("add_pause")) == 1
        })
        .await;
    let paused = tokio::time::Instant::now();
    let polls = stage.telegram(0).offsets().len();
    let stage = stage.killed().await.raise().await;
    stage.until("the other bot polls", async |stage| stage.telegram(1).offsets().len() > 4).await;
    assert_eq!(stage.telegram(0).offsets().len(), polls);
    stage.until("it polls again", async |stage| stage.telegram(0).offsets().len() > polls).await;
    assert!(paused.elapsed() >= Duration::from_secs(119), "{:?}", paused.elapsed());
}

#[tokio::test(start_paused = true)]
async fn i9_a_busy_chat_does_not_keep_a_bot_from_the_others() {
    let mut scenery = Scenery::new(1, 2);
    scenery.bots.turns_in_flight = std::num::NonZeroUsize::MIN;
    let mut stage = scenery.raise().await;
    stage.llm(0).hold(true);
    for message in 0..20 {
        stage.person_says(0, &format!("busy {message}"), &[0]);
    }
    stage.until("all is decided", async |stage| stage.store.rows.depths().await.unwrap().turns == 20).await;
    stage.person_says(1, "may I ask something?", &[0]);
    stage.until("all is decided", async |stage| stage.store.rows.depths().await.unwrap().turns == 21).await;
    stage.llm(0).hold(false);
    stage.until("the quiet chat is answered", async |stage| into(stage, stage.telegram_chat(1)) == 1).await;
    let busy = into(&stage, stage.telegram_chat(0));
    assert!(busy <= 3, "{busy} answers went to the busy chat before");
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn i8_a_turn_goes_on_whichever_answer_of_the_store_got_lost() {
    for operation in ["claim", "finish"] {
        let mut stage = Scenery::new(1, 1).raise().await;
        stage.store.lose_answer(operation);
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(1).await;
        stage.until_at_rest().await;
        stage.let_time_pass().await;
        assert_eq!(states(&stage).await, [OutboxState::Sent], "{operation}");
        assert_eq!(stage.journal().sent_texts().len(), 1, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn i9_a_stop_outlives_an_outage_of_the_store() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("set_stop", 5);
    stage.telegram(0).receive(7001, order(&stage, 900, AuthorKind::Anonymous));
    stage.until("the chat is stopped", async |stage| is_stopped(stage).await).await;
    assert_eq!(stage.journal().count(|h| *h == Happening::Failed("set_stop")), 5);
}

#[tokio::test(start_paused = true)]
async fn two_chats_limited_for_hours_leave_a_restarted_bot_its_ears() {
    let mut stage = Scenery::new(1, 2).raise().await;
    for chat in [0, 1] {
        stage.telegram(0).next_send(limited(10_000));
        stage.person_says(chat, "hello", &[0]);
        stage.until_sent(1 + chat).await;
    }
    stage
        .until("both pauses are stored", async |stage| stage.store.rows.pauses(stage.bots[0]).await.unwrap().len() == 3)
        .await;
    let mut stage = stage.killed().await.raise().await;
    let heard = stage.transcript(0).await.len();
    stage.person_says(0, "do you hear me?", &[0]);
    stage.until("it hears", async |stage| stage.transcript(0).await.len() > heard).await;
    assert_eq!(stage.journal().sent_texts().len(), 2, "and says nothing");
}
