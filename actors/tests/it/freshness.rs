//! Freshness: a message that is read too late is history, whatever the machine's clock shows. Keeps I14.

use std::time::Duration;

use botfleet_actors::domain::control::StopScope;
use botfleet_actors::domain::decision::{Decision, Verdict};
use botfleet_actors::domain::ids::MessageId;
use botfleet_actors::domain::incoming::{AuthorKind, Event, Incoming};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::archive::{Archive, DecisionQuery};
use botfleet_actors::ports::store::Store;
use botfleet_actors::ports::telegram::TelegramError;
use botfleet_actors::testkit::scripted_telegram::Step;
use botfleet_actors::testkit::stage::{Scenery, Stage};

const HOUR: Duration = Duration::from_hours(1);

fn said(scenery: &Scenery, id: i64, text: &str, person: i64, ago: Duration) -> Incoming {
    let mut incoming = scenery.spoken(0, MessageId(id), text);
    let Event::Message(message) = &mut incoming.event else { unreachable!() };
    message.author.id.0 = person;
    message.date = message.date - ago;
    incoming
}

/// Adds texts that waited at Telegram while nobody read them, each with its person and its age.
fn waited(scenery: &Scenery, texts: &[(&str, i64, Duration)]) {
    for (id, (text, person, ago)) in (1..).zip(texts) {
        scenery.telegram[0].receive(500 + id, said(scenery, 5_000 + id, text, *person, *ago));
    }
}

async fn reasons(stage: &Stage) -> Vec<String> {
    stage.outcomes().await.into_iter().filter_map(|outcome| outcome.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn hours_old_calls_are_history_and_their_outcome_says_so() {
    for policy in [ChatPolicy::Every, ChatPolicy::Mention, ChatPolicy::Natural] {
        let mut scenery = Scenery::new(1, 1);
        scenery.plan.chats[0].policy = policy;
        scenery.plan.chats[0].pacing.quiet_tick = None;
        scenery.plan.chats[0].strategy.addressed_by_person = 1.0;
        let call = format!("@bot_{}_bot are you there?", scenery.plan.bots[0].telegram_id);
        let ages = [8 * HOUR, 3 * HOUR, Duration::from_mins(5), Duration::from_secs(14)];
        let texts: Vec<_> = ages.iter().zip(70..).map(|(ago, person)| (call.as_str(), person, *ago)).collect();
        waited(&scenery, &texts);
        let stage = scenery.raise().await;
        stage.until_sent(1).await;
        stage.until_at_rest().await;
        assert_eq!(stage.llm(0).asked(), 1, "{policy:?}: the young call alone is answered");
        let old =
            reasons(&stage).await.into_iter().filter(|reason| reason.starts_with("too old to be answered")).count();
        assert_eq!(old, 3, "{policy:?}: {:?}", reasons(&stage).await);
        let transcript = stage.transcript(0).await;
        assert_eq!(transcript.len(), 5, "{policy:?}: all are read as context, and one answer");
        let query = DecisionQuery { limit: 10, ..DecisionQuery::default() };
        let decisions = stage.store.rows.decisions(stage.chats[0], &query).await.unwrap();
        let judged = |decision: &&Decision| {
            let Decision { verdict, inputs, standing, .. } = decision;
            *verdict == Verdict::Silent && inputs["gate"] == "too_old" && standing.ahead_ms == Some(0)
        };
        assert_eq!(decisions.iter().filter(judged).count(), 3, "{policy:?}: the record says what it judged by");
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_the_newest_call_of_each_person_is_answered() {
    let scenery = Scenery::new(1, 1);
    let seconds = Duration::from_secs;
    waited(
        &scenery,
        &[
            ("one", 70, seconds(100)),
            ("two", 71, seconds(90)),
            ("three", 70, seconds(80)),
            ("four", 70, seconds(30)),
            ("five", 71, seconds(20)),
        ],
    );
    let stage = scenery.raise().await;
    stage.until_sent(2).await;
    stage.until_at_rest().await;
    assert_eq!(stage.llm(0).asked(), 2);
    let late = reasons(&stage).await.into_iter().filter(|reason| reason.contains("called again since")).count();
    assert_eq!(late, 3, "{:?}", reasons(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_wrong_answers_and_is_muted_by_nothing_when_it_is_set_right() {
    for wrong in [600_000, -600_000] {
        let mut scenery = Scenery::new(1, 1);
        scenery.plan.chats[0].physics.chat_per_minute = Some(2);
        scenery.plan.bots[0].hourly_cap = Some(3);
        scenery.clock_is_ahead(wrong);
        let mut stage = scenery.raise().await;
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(1).await;
        stage.until_at_rest().await;
        // The clock is set right, and the process starts again.
        let scenery = stage.killed().await;
        scenery.clock_is_ahead(0);
        stage = scenery.raise().await;
        stage.person_says(0, "and now?", &[0]);
        stage.until_sent(2).await;
        stage.until_at_rest().await;
        // The clock is set ahead while the process runs.
        stage.scenery.clock_is_ahead(600_000);
        stage.let_time_pass().await;
        stage.person_says(0, "still there?", &[0]);
        stage.until_sent(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_that_is_over_does_nothing_and_a_stop_is_obeyed_however_old() {
    let scenery = Scenery::new(1, 1);
    scenery.telegram[0].every_poll(Some(Step::Hang));
    let stage = scenery.raise().await;
    let order = |id: i64, text: &str, ago: Duration| {
        let mut incoming = said(&stage.scenery, 900 + id, text, 70, ago);
        let Event::Message(message) = &mut incoming.event else { unreachable!() };
        message.author.kind = AuthorKind::Anonymous;
        stage.telegram(0).receive(700 + id, incoming);
    };
    order(1, "/quiet 30m", 5 * HOUR);
    stage.telegram(0).every_poll(None);
    stage.until("it is read", async |stage| reasons(stage).await.iter().any(|reason| reason.contains("quiet"))).await;
    stage.let_time_pass_briefly().await;
    assert!(stage.store.rows.stops().await.unwrap().0.is_empty(), "it was over long ago");
    assert_eq!(reasons(&stage).await, ["command /quiet, over before it was read"]);
    order(2, "/quiet 6h", 5 * HOUR);
    let scope = StopScope::Chat(stage.chats[0]);
    stage
        .until("the chat is quiet", async |stage| stage.store.rows.stops().await.unwrap().0.contains_key(&scope))
        .await;
    let until = stage.store.rows.stops().await.unwrap().0[&scope].until().unwrap();
    let left = until.since(stage.node.clock.now());
    assert!(
        left <= HOUR && left > HOUR.checked_sub(Duration::from_mins(5)).unwrap(),
        "it counts from when it was said: {left:?}"
    );
    order(3, "/stop", 4 * HOUR);
    stage
        .until("it stops for good", async |stage| stage.store.rows.stops().await.unwrap().0[&scope].until().is_none())
        .await;
    stage.let_time_pass_briefly().await;
    assert!(stage.journal().sent_texts().is_empty(), "none of it is answered hours later");
}

#[tokio::test(start_paused = true)]
async fn no_jump_of_the_clock_shortens_a_pause_over_a_restart_neither() {
    let mut scenery = Scenery::new(1, 1);
    scenery.plan.chats[0].pacing.stale_after = HOUR;
    let mut stage = scenery.raise().await;
    let pause = Duration::from_secs(290);
    stage.telegram(0).next_send(Step::Fail(TelegramError::RateLimited { retry_after: pause }));
    stage.person_says(0, "hello", &[0]);
    let stored = async |stage: &Stage| -> Option<Timestamp> {
        let tenure = stage.store.rows.pauses(stage.bots[0]).await.unwrap();
        tenure.iter().map(|pause| pause.until).max()
    };
    stage.until("the pause is stored", async |stage| stored(stage).await.is_some()).await;
    let begun = tokio::time::Instant::now();
    stage.scenery.clock_is_ahead(600_000);
    let due = async |stage: &Stage| {
        stored(stage).await.is_some_and(|until| until.since(stage.node.clock.now()) > Duration::from_secs(280))
    };
    stage.until("the pause is stored anew", due).await;
    let stage = stage.killed().await.raise().await;
    stage.until("it is paused again", async |stage| stage.bot(0).await.paused_chats == 1).await;
    stage.until_sent(2).await;
    assert!(begun.elapsed() >= pause, "the pause was cut short: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_is_hours_late_is_planned_anew() {
    let mut scenery = Scenery::new(1, 1);
    let chat = &mut scenery.plan.chats[0];
    chat.policy = ChatPolicy::Natural;
    chat.pacing.quiet_tick = Some(Duration::from_mins(10));
    scenery.plan.bots[0].persona.active_hours = None;
    let mut stage = scenery.raise().await;
    stage.person_says(0, "good night", &[0]);
    stage
        .until("a tick is planned", async |stage| {
            stage.store.rows.chat_memory(stage.chats[0], 10).await.unwrap().next_tick_at.is_some()
        })
        .await;
    stage.until_at_rest().await;
    let scenery = stage.killed().await;
    let before = scenery.llms[0].asked();
    tokio::time::sleep(24 * HOUR).await;
    let stage = scenery.raise().await;
    let planned = async |stage: &Stage| {
        let tick = stage.store.rows.chat_memory(stage.chats[0], 10).await.unwrap().next_tick_at;
        tick.is_some_and(|tick| tick > stage.node.clock.now())
    };
    stage.until("another tick is planned", planned).await;
    assert_eq!(stage.llm(0).asked(), before, "nobody opens a topic that was due yesterday");
}
