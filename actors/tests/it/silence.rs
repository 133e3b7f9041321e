//! A bot that cannot speak is not chosen, and no model is paid for it: I14.

use std::time::Duration;

use botfleet_actors::domain::commit::operations::{LiftPauses, Operation};
use botfleet_actors::domain::incoming::{ChatKind, Event, Incoming};
use botfleet_actors::domain::outbox::OutboxState;
use botfleet_actors::domain::pause::{PAUSE_MAX, Pause};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::silence::Silence;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::{Shut, TelegramError};
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

use crate::decree::bid;

fn refused() -> Step {
    Step::Fail(TelegramError::Unauthorized("Unauthorized".to_owned()))
}

fn shut(place: Shut, description: &str) -> Step {
    Step::Fail(TelegramError::CannotWrite { place, description: description.to_owned() })
}

/// Two bots in a chat where the bot that is mentioned answers.
fn of_mentions() -> Scenery {
    let mut scenery = Scenery::new(2, 1);
    scenery.plan.chats[0].policy = ChatPolicy::Mention;
    scenery
}

/// Lets a person mention the bot at that place; the other bot hears it.
fn mention(stage: &mut Stage, bot: usize) {
    let name = format!("@bot_{}_bot, are you there?", stage.scenery.plan.bots[bot].telegram_id);
    stage.person_says(0, &name, &[1 - bot]);
}

/// Returns why bots could not speak, by the last decision of the first chat.
async fn silences(stage: &Stage) -> Vec<Silence> {
    let query = DecisionQuery { limit: 1, ..DecisionQuery::default() };
    let decisions = stage.store.rows.decisions(stage.chats[0], &query).await.unwrap();
    decisions.last().unwrap().standing.silent.iter().map(|(_, why)| *why).collect()
}

async fn states(stage: &Stage) -> Vec<OutboxState> {
    let outcomes = stage.outcomes().await;
    let messages = outcomes.iter().flat_map(|record| &record.turns).flat_map(|turn| &turn.messages);
    messages.map(|message| message.state).collect()
}

#[tokio::test(start_paused = true)]
async fn i14_whose_token_is_refused_is_not_chosen_until_it_is_accepted_again() {
    let mut stage = of_mentions().raise().await;
    stage.telegram(0).every_me(Some(refused()));
    stage.telegram(0).every_poll(Some(refused()));
    stage.until("it is refused", async |stage| stage.bot(0).await.cannot_speak.is_some()).await;
    mention(&mut stage, 0);
    stage.until_at_rest().await;
    assert_eq!((stage.llm(0).asked(), silences(&stage).await), (0, vec![Silence::Refused]));
    stage.telegram(0).replace_token();
    stage.until("it is accepted", async |stage| stage.bot(0).await.cannot_speak.is_none()).await;
    mention(&mut stage, 0);
    stage.until_sent(1).await;
    assert!(silences(&stage).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn i14_a_turn_that_waits_while_the_token_is_refused_pays_no_model() {
    let stage = of_mentions().raise().await;
    stage.telegram(0).every_me(Some(refused()));
    stage.telegram(0).every_poll(Some(refused()));
    stage.until("it is refused", async |stage| stage.bot(0).await.cannot_speak.is_some()).await;
    let now = stage.node.clock.now();
    let turn = bid(&stage, |turn| turn.expires_at = now + Duration::from_secs(90)).await;
    stage.until("it is stale", async |stage| stage.store.rows.depths().await.unwrap().turns == 0).await;
    let (turn, _) = stage.store.rows.turn(turn).await.unwrap().unwrap();
    assert_eq!((turn.progress.state, stage.llm(0).asked()), (TurnState::Expired, 0));
}

#[tokio::test(start_paused = true)]
async fn i14_a_quarantined_bot_is_not_chosen_and_its_turns_shed_nobodys() {
    let mut scenery = of_mentions();
    scenery.chats.turns_open_max = std::num::NonZeroU64::new(3).unwrap();
    let mut stage = scenery.raise().await;
    stage.telegram(0).every_poll(Some(Step::Panic));
    stage.until("it is quarantined", async |stage| !stage.fleet().await.quarantined.is_empty()).await;
    for _ in 0..3 {
        bid(&stage, |_| {}).await;
    }
    mention(&mut stage, 0);
    stage.until("that is decided", async |stage| stage.transcript(0).await.len() == 1).await;
    assert_eq!((stage.llm(0).asked(), silences(&stage).await), (0, vec![Silence::Quarantined]));
    stage.until("turns that nobody takes end", async |stage| stage.store.rows.depths().await.unwrap().turns == 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let name = format!("@bot_{}_bot, and you?", stage.scenery.plan.bots[1].telegram_id);
    stage.person_says(0, &name, &[1]);
    stage.until_sent(1).await;
}

#[tokio::test(start_paused = true)]
async fn i14_turns_and_messages_of_a_bot_that_left_the_manifest_end() {
    let stage = of_mentions().raise().await;
    stage.telegram(0).out_of_reach(true);
    let now = stage.node.clock.now();
    bid(&stage, |_| {}).await;
    stage.until("it has a message", async |stage| stage.store.rows.depths().await.unwrap().outbox == 1).await;
    bid(&stage, |turn| turn.due_at = now + Duration::from_secs(15)).await;
    let mut plan = stage.scenery.plan.clone();
    plan.bots.remove(0);
    for chat in &mut plan.chats {
        chat.bots.retain(|bot| *bot != stage.scenery.plan.bots[0].name);
    }
    stage.store.rows.apply_roster(&plan, now).await.unwrap();
    stage.read_roster();
    stage
        .until("nothing of it is open", async |stage| {
            let depths = stage.store.rows.depths().await.unwrap();
            depths.turns + depths.outbox == 0
        })
        .await;
    assert_eq!(stage.journal().sent_texts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn i14_a_pause_beyond_staleness_pays_no_model_and_a_person_lifts_it() {
    let mut stage = of_mentions().raise().await;
    let forever = Duration::from_secs(999_999_999);
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: forever }));
    mention(&mut stage, 0);
    stage.until_sent(1).await;
    stage.let_time_pass().await;
    let asked = stage.llm(0).asked();
    bid(&stage, |_| {}).await;
    mention(&mut stage, 0);
    stage.let_time_pass().await;
    assert_eq!(stage.llm(0).asked(), asked, "what cannot be sent in time is not asked for");
    assert!(matches!(silences(&stage).await[..], [Silence::Paused(_)]));
    assert_eq!(stage.bot(0).await.paused_chats, 1);
    let pauses = stage.store.rows.pauses(stage.bots[0]).await.unwrap();
    assert!(pauses[0].until.since(stage.node.clock.now()) <= PAUSE_MAX, "no longer than a day is believed");
    assert!(stage.lift_pauses(0).await);
    mention(&mut stage, 0);
    stage.until_sent(2).await;
    let stage = stage.killed().await.raise().await;
    assert_eq!(stage.bot(0).await.paused_chats, 0, "nor after a restart");
}

#[tokio::test(start_paused = true)]
async fn a_stored_pause_of_years_is_shortened_to_a_day_and_polls_go_on_after_it() {
    let stage = Scenery::new(1, 1).raise().await;
    let (bot, now) = (stage.bots[0], stage.node.clock.now());
    let pause = Pause { bot, chat: None, until: now + Duration::from_secs(1_000_000_000) };
    let paused = botfleet_actors::domain::commit::operations::AddPause { epoch: stage.tenure.epoch, pause };
    let operation = botfleet_actors::domain::commit::operations::Operation::AddPause(paused);
    stage.store.rows.commit(vec![operation]).await.unwrap()[0].as_ref().unwrap();
    let stage = stage.killed().await.raise().await;
    stage
        .until("it is shortened", async |stage| {
            let stored = stage.store.rows.pauses(bot).await.unwrap();
            stored.iter().all(|pause| pause.until.since(stage.node.clock.now()) <= PAUSE_MAX)
        })
        .await;
    let polls = stage.telegram(0).offsets().len();
    tokio::time::sleep(PAUSE_MAX).await;
    stage.until("it polls", async |stage| stage.telegram(0).offsets().len() > polls).await;
}

#[tokio::test(start_paused = true)]
async fn i14_a_chat_that_is_shut_to_a_bot_is_tried_now_and_then_and_pays_no_model() {
    let mut stage = of_mentions().raise().await;
    let words = "Bad Request: not enough rights to send text messages to the chat";
    stage.telegram(0).next_send(shut(Shut::Muted, words));
    stage.telegram(0).every_typing(Some(shut(Shut::Muted, words)));
    mention(&mut stage, 0);
    stage.until("it is absent", async |stage| states(stage).await == [OutboxState::Rejected]).await;
    stage.let_time_pass_briefly().await;
    for _ in 0..30 {
        mention(&mut stage, 0);
        stage.let_time_pass().await;
    }
    assert_eq!((stage.llm(0).asked(), states(&stage).await), (1, vec![OutboxState::Rejected]));
    let mut stage = stage.killed().await.raise().await;
    mention(&mut stage, 0);
    stage.let_time_pass().await;
    assert_eq!(stage.llm(0).asked(), 1, "nor after a restart");
    stage.telegram(0).every_typing(None);
    for _ in 0..90 {
        mention(&mut stage, 0);
        stage.let_time_pass().await;
    }
    assert!(stage.journal().sent_texts().len() > 1, "it found out by itself that it may write again");
    let rejected = states(&stage).await.into_iter().filter(|state| *state == OutboxState::Rejected).count();
    assert_eq!(rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn i14_who_is_let_in_again_is_chosen_at_once() {
    let mut stage = of_mentions().raise().await;
    stage.telegram(0).next_send(shut(Shut::Outside, "Forbidden: bot is not a member of the supergroup chat"));
    mention(&mut stage, 0);
    stage.until("it is absent", async |stage| states(stage).await == [OutboxState::Rejected]).await;
    stage.let_time_pass_briefly().await;
    let event = Event::Membership { can_post: true, is_admin: false };
    let chat = Some(stage.telegram_chat(0));
    stage.telegram(0).receive(8_001, Incoming { chat, chat_kind: ChatKind::Supergroup, event });
    stage.until_at_rest().await;
    mention(&mut stage, 0);
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn i14_messages_that_wait_for_a_shut_chat_are_given_up_and_are_no_dead_letters() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).out_of_reach(true);
    stage.person_says(0, "one", &[0]);
    stage.person_says(0, "two", &[0]);
    stage.until("both wait", async |stage| stage.store.rows.depths().await.unwrap().outbox == 2).await;
    stage.telegram(0).next_send(shut(Shut::Gone, "Bad Request: chat not found"));
    stage.telegram(0).out_of_reach(false);
    stage.until_at_rest().await;
    let mut ends = states(&stage).await;
    ends.sort_by_key(|state| state.as_str());
    assert_eq!(ends, [OutboxState::Cancelled, OutboxState::Rejected]);
    assert_eq!(stage.journal().sent_texts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn i14_a_message_that_waits_for_a_shut_chat_finds_out_by_itself_that_it_is_open_again() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.node.voices.try_first_after(Duration::from_secs(5));
    stage.telegram(0).out_of_reach(true);
    stage.person_says(0, "one", &[0]);
    stage.person_says(0, "two", &[0]);
    stage.until("both wait", async |stage| stage.store.rows.depths().await.unwrap().outbox == 2).await;
    stage.telegram(0).next_send(shut(Shut::Muted, "Bad Request: not enough rights to send text messages to the chat"));
    stage.telegram(0).out_of_reach(false);
    stage.until_at_rest().await;
    let mut ends = states(&stage).await;
    ends.sort_by_key(|state| state.as_str());
    assert_eq!(ends, [OutboxState::Rejected, OutboxState::Sent]);
}

/// Makes two messages wait for a pause of a day: one met the pause, one came after it.
async fn behind_a_pause() -> Stage {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).out_of_reach(true);
    stage.person_says(0, "one", &[0]);
    stage.person_says(0, "two", &[0]);
    stage.until("both wait", async |stage| stage.store.rows.depths().await.unwrap().outbox == 2).await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: PAUSE_MAX }));
    stage.telegram(0).out_of_reach(false);
    stage.until("the bot pauses", async |stage| stage.bot(0).await.paused_chats == 1).await;
    stage.let_time_pass_briefly().await;
    assert_eq!(stage.store.rows.depths().await.unwrap().outbox, 2);
    stage
}

#[tokio::test(start_paused = true)]
async fn a_lifted_pause_sends_what_came_after_it_too() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.telegram(0).out_of_reach(true);
    stage.person_says(0, "one", &[0]);
    stage.until("the first waits", async |stage| stage.store.rows.depths().await.unwrap().outbox == 1).await;
    stage.llm(0).hold(true);
    let asked = stage.llm(0).asked();
    stage.person_says(0, "two", &[0]);
    stage.until("the model is asked for the second", async |stage| stage.llm(0).asked() > asked).await;
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: PAUSE_MAX }));
    stage.telegram(0).out_of_reach(false);
    stage.until("the bot pauses", async |stage| stage.bot(0).await.paused_chats == 1).await;
    stage.llm(0).hold(false);
    stage.until("the second waits too", async |stage| stage.store.rows.depths().await.unwrap().outbox == 2).await;
    stage.let_time_pass_briefly().await;
    let lifted = tokio::time::Instant::now();
    assert!(stage.lift_pauses(0).await);
    let sent = [OutboxState::Sent, OutboxState::Sent];
    stage.until("both are sent", async |stage| states(stage).await == sent).await;
    assert!(lifted.elapsed() < Duration::from_secs(30), "{:?}", lifted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_time_in_a_pause_ends_then_and_not_after_the_pause() {
    let stage = behind_a_pause().await;
    let life = stage.scenery.plan.chats[0].pacing.stale_after;
    assert!(life * 2 < PAUSE_MAX, "{life:?}");
    tokio::time::sleep(life).await;
    stage.until_at_rest().await;
    assert_eq!(states(&stage).await, [OutboxState::Cancelled, OutboxState::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_was_lifted_before_its_messages_were_read_holds_none_of_them() {
    let stage = behind_a_pause().await;
    let lift = LiftPauses { bot: stage.bots[0], epoch: stage.tenure.epoch, until: stage.node.clock.now(), order: None };
    stage.store.rows.commit(vec![Operation::LiftPauses(lift)]).await.unwrap()[0].as_ref().unwrap();
    let stage = stage.killed().await.raise().await;
    stage.until_at_rest().await;
    assert_eq!(states(&stage).await, [OutboxState::Sent, OutboxState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_lifted_while_a_bot_begins_is_lifted() {
    let stage = behind_a_pause().await.killed().await.raise().await;
    assert!(stage.lift_pauses(0).await);
    stage.until_at_rest().await;
    assert_eq!(states(&stage).await, [OutboxState::Sent, OutboxState::Sent]);
}
