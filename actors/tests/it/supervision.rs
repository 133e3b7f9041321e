//! An actor that hangs, crashes or fails repeatedly harms no other: I7. Also the end of a node.

use std::time::Duration;

use botfleet_actors::actors::bot::messages::BotMsg;
use botfleet_actors::actors::bot::snapshot::BotHealth;
use botfleet_actors::actors::chat::messages::ChatMsg;
use botfleet_actors::actors::fleet::child::Child;
use botfleet_actors::domain::commit::operations::{Operation, Receive, Redeliver};
use botfleet_actors::domain::dead_letter::{DeadLetterId, DeadLetterState};
use botfleet_actors::domain::ids::UpdateId;
use botfleet_actors::domain::inbox::{InboxRow, Source};
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

/// Makes the first bot hang in its next look into the store.
fn hang(stage: &Stage) {
    stage.store.hang(stage.bots[0], true);
    stage.node.directory.bot(stage.bots[0]).unwrap().cast(BotMsg::Reconcile).unwrap();
}

#[tokio::test(start_paused = true)]
async fn i7_a_bot_that_hangs_in_a_handler_is_killed_and_begins_again() {
    let mut scenery = Scenery::new(2, 1);
    scenery.fleet.answer_within = Duration::from_secs(2);
    let mut stage = scenery.raise().await;
    stage.person_says(0, "before", &[0, 1]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    hang(&stage);
    stage.until("it was killed and began again", async |stage| stage.fleet().await.restarts >= 1).await;
    stage.person_says(0, "meanwhile", &[1]);
    stage.until_sent(3).await;
    stage.store.hang(stage.bots[0], false);
    stage.person_says(0, "after", &[0]);
    stage.until_sent(4).await;
    assert_eq!(stage.fleet().await.quarantined.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn i7_an_actor_that_hangs_at_each_start_is_quarantined_with_its_reason() {
    let mut scenery = Scenery::new(2, 1);
    scenery.fleet.answer_within = Duration::from_secs(2);
    let mut stage = scenery.raise().await;
    hang(&stage);
    stage.until("it is quarantined", async |stage| !stage.fleet().await.quarantined.is_empty()).await;
    let quarantined = stage.fleet().await.quarantined.remove(0);
    assert_eq!(quarantined.actor, "bot bot-1");
    assert!(quarantined.reason.contains("did not answer"), "{quarantined:?}");
    assert!(quarantined.since <= stage.node.clock.now());
    stage.person_says(0, "the others go on", &[0, 1]);
    stage.until_sent(1).await;
    stage.store.hang(stage.bots[0], false);
    let child = Child::named(&quarantined.actor, &stage.node.directory).unwrap();
    assert!(stage.release(child).await, "a person releases it by the name that is shown");
    stage.until_sent(2).await;
    assert!(stage.fleet().await.quarantined.is_empty());
}

#[tokio::test(start_paused = true)]
async fn i7_a_turn_in_hand_at_three_crashes_is_a_dead_letter_before_its_bot_is_quarantined() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "poison", &[0]);
    for claims in 1..=3 {
        stage
            .until("the turn is claimed", async |stage| {
                stage.journal().count(|h| *h == Happening::Committed("claim")) == claims
            })
            .await;
        stage.telegram(0).next_poll(Step::Panic);
    }
    stage.until("the turn is dead", async |stage| stage.store.rows.depths().await.unwrap().dead == 1).await;
    stage.llm(0).hold(false);
    let letters = stage.store.rows.dead_letters(None, 10).await.unwrap();
    assert_eq!((letters[0].state, letters[0].attempts), (DeadLetterState::Dead, 3));
    assert!(stage.fleet().await.quarantined.is_empty());
    stage.person_says(0, "both of you go on", &[0, 1]);
    stage.until_sent(2).await;
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn i7_a_poison_update_is_a_dead_letter_and_its_chat_goes_on() {
    let mut stage = Scenery::new(1, 1).raise().await;
    let row = InboxRow {
        id: stage.node.inbox_id(),
        chat: Some(stage.chats[0]),
        bot: stage.bots[0],
        source: Source::Update(UpdateId(1)),
        payload: "what no decoder can read".to_owned(),
        received_at: stage.node.clock.now(),
        outcome: None,
        author: None,
    };
    let poison = row.id;
    stage.node.committer.commit(Operation::Receive(Receive { rows: vec![row] })).await.unwrap();
    stage.person_says(0, "the chat goes on", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    let letters = stage.store.rows.dead_letters(None, 10).await.unwrap();
    assert_eq!((letters[0].id, letters[0].state), (DeadLetterId::Update(poison), DeadLetterState::Dead));
    assert_eq!(stage.fleet().await.restarts, 0, "nobody fails over it");
    let again = Redeliver {
        letter: letters[0].id,
        later_parts: Vec::new(),
        confirm_duplicate: false,
        now: stage.node.clock.now(),
        expires_at: stage.node.clock.now(),
        order: None,
    };
    stage.node.committer.commit(Operation::Redeliver(again)).await.unwrap();
    stage.node.directory.chat(stage.chats[0]).unwrap().actor.cast(ChatMsg::Reload).unwrap();
    stage.until_at_rest().await;
    assert_eq!(stage.store.rows.dead_letters(None, 10).await.unwrap().len(), 1, "handled again, and dead again");
}

#[tokio::test(start_paused = true)]
async fn i7_a_poll_that_never_ends_is_given_up() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.until("it polls", async |stage| !stage.telegram(0).offsets().is_empty()).await;
    stage.telegram(0).next_poll(Step::Hang);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    assert_eq!(stage.fleet().await.restarts, 0, "an expected failure is no crash");
}

#[tokio::test(start_paused = true)]
async fn a_replaced_token_heals_without_a_restart() {
    let scenery = Scenery::new(1, 1);
    let refused = || Some(Step::Fail(TelegramError::Unauthorized("Unauthorized".to_owned())));
    scenery.telegram[0].every_me(refused());
    scenery.telegram[0].every_poll(refused());
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0]);
    stage.let_time_pass().await;
    assert!(matches!(stage.bot(0).await.health, BotHealth::Refused(_)));
    stage.telegram(0).replace_token();
    stage.until_sent(1).await;
    assert!(matches!(stage.bot(0).await.health, BotHealth::Polling));
    stage.telegram(0).every_me(refused());
    stage.telegram(0).every_poll(refused());
    stage.until("it is refused", async |stage| matches!(stage.bot(0).await.health, BotHealth::Refused(_))).await;
    stage.telegram(0).replace_token();
    stage.person_says(0, "and again", &[0]);
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn i8_a_stop_lets_turns_end_and_gives_back_the_rest_without_costing_an_attempt() {
    let mut stage = Scenery::new(2, 1).raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "speak!", &[0, 1]);
    stage
        .until("both turns are claimed", async |stage| {
            stage.journal().count(|h| *h == Happening::Committed("claim")) == 2
        })
        .await;
    let polls = stage.telegram(0).offsets().len();
    stage.quiesce(false);
    stage.person_says(0, "too late", &[0, 1]);
    stage.let_time_pass_briefly().await;
    assert_eq!((stage.bot(0).await.turns_in_flight, stage.telegram(0).offsets().len()), (1, polls));
    stage.quiesce(true);
    stage.until("nothing is in hand", async |stage| stage.bot(0).await.turns_in_flight == 0).await;
    stage.until("nothing is in hand", async |stage| stage.bot(1).await.turns_in_flight == 0).await;
    stage.llm(0).hold(false);
    stage.let_time_pass().await;
    assert_eq!(stage.journal().sent_texts(), [""; 0], "what the model still said came too late");
    let turns: Vec<_> = stage.outcomes().await.into_iter().flat_map(|record| record.turns).collect();
    assert!(turns.iter().all(|turn| turn.state == TurnState::Queued), "{turns:#?}");
    let stage = stage.killed().await.raise().await;
    assert_eq!((stage.tenure.turns_requeued, stage.tenure.turns_dead, stage.tenure.sends_unknown), (0, 0, 0));
    let queued = stage.store.rows.queued_turns(stage.bots[0], 9).await.unwrap();
    assert!(queued.iter().all(|turn| turn.progress.attempts == 0), "{queued:#?}");
    stage.until_sent(4).await;
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_sends_what_is_due() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::Unreachable("refused".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.quiesce(false);
    stage.until_sent(2).await;
    stage.until("it is settled", async |stage| stage.bot(0).await.sends_in_flight == 0).await;
}
