//! The gateway: which model is called when, with which key, and how a failure affects other calls.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use botfleet_actors::actors::provider::call::{Answer, Answered, Ask, Call, CallError, Reply, Wanted};
use botfleet_actors::actors::provider::consult::{Consult, Terms};
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::actors::provider::snapshot::KeyState;
use botfleet_actors::domain::allowance::{BudgetOwner, BudgetPeriod, BudgetSpec, BudgetUnit};
use botfleet_actors::domain::ids::ChatId;
use botfleet_actors::domain::roster::ModelRef;
use botfleet_actors::policy::breaker::BreakerState;
use botfleet_actors::ports::llm::{AnswerSchema, CompletionRequest, LlmError, PromptMessage, Role};
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::{ScriptedLlm, Thought};
use botfleet_actors::testkit::stage::{Scenery, Stage};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::Instant;

type Outcome = oneshot::Receiver<Result<Answered, CallError>>;

const LONG: Duration = Duration::from_secs(3_600);

fn call(stage: &Stage, text: &str, priority: u8) -> Call {
    let content = text.to_owned();
    let request = CompletionRequest {
        model: "small".to_owned(),
        messages: vec![PromptMessage { role: Role::User, content }],
        temperature: 1.0,
        max_tokens: 100,
        schema: None,
    };
    let (bot, chat) = (stage.bots[0], stage.chats[0]);
    let wanted = Wanted::default();
    Call { ask: Ask::Completion(request), bot, chat, priority, deadline: Instant::now() + LONG, wanted }
}

/// Makes a call to the first provider; the caller is content with any answer.
fn ask(stage: &Stage, call: Call) -> Outcome {
    let (sender, receiver) = oneshot::channel();
    let answer = Answer::new(move |result| drop(sender.send(result)));
    stage.node.directory.provider("sim").unwrap().cast(ProviderMsg::Make(call, answer)).unwrap();
    receiver
}

async fn said(outcome: Outcome) -> Result<String, CallError> {
    let Answered { reply, worth } = outcome.await.unwrap()?;
    worth.succeeded();
    let Reply::Completion(completion) = reply else { panic!("no completion") };
    Ok(completion.text)
}

/// One provider with this many keys.
fn with_keys(keys: usize) -> Scenery {
    let mut scenery = Scenery::new(1, 1);
    scenery.llms = vec![Arc::new(ScriptedLlm::new("sim", scenery.journal.clone()).with_keys(keys))];
    scenery
}

/// Returns the prompts of the provider's calls, in order.
fn asked(stage: &Stage) -> Vec<String> {
    stage.llm(0).calls().into_iter().map(|(_, request)| request.messages[0].content.clone()).collect()
}

fn keys(stage: &Stage) -> Vec<usize> {
    stage.llm(0).calls().into_iter().map(|(key, _)| key.0).collect()
}

#[tokio::test(start_paused = true)]
async fn people_who_wait_are_served_before_bots_and_bots_before_talk() {
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.concurrency = NonZeroUsize::MIN;
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let mut outcomes = vec![ask(&stage, call(&stage, "first", 2))];
    stage.until("it is asked", async |stage| stage.llm(0).asked() == 1).await;
    for (text, priority) in [("talk", 2), ("bot", 1), ("person", 0), ("person too", 0)] {
        outcomes.push(ask(&stage, call(&stage, text, priority)));
    }
    stage.until("four wait", async |stage| stage.provider(0).await.models[0].waiting == [2, 1, 1]).await;
    stage.llm(0).hold(false);
    for outcome in outcomes {
        said(outcome).await.unwrap();
    }
    assert_eq!(asked(&stage), ["first", "person", "person too", "bot", "talk"]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_chat_starves_no_other() {
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.concurrency = NonZeroUsize::MIN;
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let mut outcomes: Vec<_> = (0..50).map(|n| ask(&stage, call(&stage, &format!("busy {n}"), 0))).collect();
    outcomes.push(ask(&stage, Call { chat: ChatId(99), ..call(&stage, "quiet", 0) }));
    stage.until("they wait", async |stage| stage.provider(0).await.waiting == 50).await;
    stage.llm(0).hold(false);
    for outcome in outcomes {
        said(outcome).await.unwrap();
    }
    let place = asked(&stage).iter().position(|text| text == "quiet").unwrap();
    assert!(place <= 2, "asked as number {place}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_sheds_talk_before_people() {
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.concurrency = NonZeroUsize::MIN;
    scenery.providers.waiting = NonZeroUsize::new(2).unwrap();
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let first = ask(&stage, call(&stage, "first", 0));
    stage.until("it is asked", async |stage| stage.llm(0).asked() == 1).await;
    let [old, young] = ["old talk", "young talk"].map(|text| ask(&stage, call(&stage, text, 2)));
    let person = ask(&stage, call(&stage, "person", 0));
    assert_eq!(said(young).await, Err(CallError::Shed));
    stage.llm(0).hold(false);
    for outcome in [first, old, person] {
        said(outcome).await.unwrap();
    }
    assert_eq!(stage.provider(0).await.models[0].shed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_passes_while_it_waits_is_never_made() {
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.concurrency = NonZeroUsize::MIN;
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let first = ask(&stage, call(&stage, "first", 0));
    let begun = Instant::now();
    let late = Call { deadline: begun + Duration::from_secs(5), ..call(&stage, "late", 0) };
    assert_eq!(said(ask(&stage, late)).await, Err(CallError::Late));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let over = Call { deadline: begun, ..call(&stage, "over", 0) };
    assert_eq!(said(ask(&stage, over)).await, Err(CallError::Late));
    stage.llm(0).hold(false);
    said(first).await.unwrap();
    stage.let_time_pass_briefly().await;
    assert_eq!(asked(&stage), ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_cancelled_at_its_deadline() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).hold(true);
    let begun = Instant::now();
    let short = Call { deadline: begun + Duration::from_secs(5), ..call(&stage, "short", 0) };
    assert_eq!(said(ask(&stage, short)).await, Err(CallError::Late));
    assert!(begun.elapsed() < Duration::from_secs(6));
    let provider = stage.provider(0).await;
    assert_eq!((provider.calls, provider.breaker), (1, BreakerState::Closed), "5 s speak against nobody");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_key_refuses_goes_to_another_key() {
    let stage = with_keys(3).raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::RateLimited { retry_after: Some(Duration::from_secs(30)) }));
    stage.llm(0).next(Thought::Fail(LlmError::KeyRefused("status 401".to_owned())));
    for text in ["one", "two", "three"] {
        said(ask(&stage, call(&stage, text, 0))).await.unwrap();
    }
    assert_eq!(keys(&stage), [0, 1, 2, 2, 2]);
    let provider = stage.provider(0).await;
    let states: Vec<_> = provider.keys.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Paused, KeyState::Refused, KeyState::Usable]);
    assert_eq!(provider.breaker, BreakerState::Closed, "the model is well");
    tokio::time::sleep(Duration::from_secs(31)).await;
    said(ask(&stage, call(&stage, "four", 0))).await.unwrap();
    assert_eq!(keys(&stage).last(), Some(&0), "after its pause it is used again");
    tokio::time::sleep(Duration::from_secs(17 * 60)).await;
    said(ask(&stage, call(&stage, "five", 0))).await.unwrap();
    assert_eq!(keys(&stage).last(), Some(&1), "a refused key is tried again after long");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_provider_asks_for_is_kept_by_every_turn() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::RateLimited { retry_after: Some(Duration::from_secs(30)) }));
    stage.person_says(0, "hello", &[0]);
    stage.until("it is limited", async |stage| stage.llm(0).asked() == 1).await;
    stage.person_says(0, "again", &[0]);
    stage.until_sent(2).await;
    let times = stage.journal().times(|h| matches!(h, Happening::Asked { .. }));
    assert_eq!(times.len(), 3);
    assert!(times[1] - times[0] >= Duration::from_secs(30), "{:?}", times[1] - times[0]);
    assert!(times[2] - times[0] < Duration::from_secs(50), "{:?}", times[2] - times[0]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_model_leaves_the_others_alone() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::RateLimited { retry_after: Some(Duration::from_secs(30)) }));
    assert!(said(ask(&stage, call(&stage, "hello", 0))).await.is_err());
    let mut other = call(&stage, "hello", 0);
    if let Ask::Completion(request) = &mut other.ask {
        request.model = "large".to_owned();
    }
    said(ask(&stage, other)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_short_pause_is_waited_for_and_nobody_hears_of_it() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::RateLimited { retry_after: Some(Duration::from_secs(1)) }));
    let begun = Instant::now();
    said(ask(&stage, call(&stage, "hello", 0))).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_usable_keys_gives_its_turns_to_the_next() {
    let mut stage = Scenery::new(1, 1).with_provider("second").raise().await;
    stage.llm(0).next(Thought::Fail(LlmError::QuotaExhausted("pay".to_owned())));
    for round in 1..=4 {
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(round).await;
    }
    assert_eq!((stage.llm(0).asked(), stage.llm(1).asked()), (1, 4));
    assert_eq!(stage.provider(0).await.keys[0].state, KeyState::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_for_its_model_and_no_other() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).every(Some(Thought::Fail(LlmError::Unavailable("status 500".to_owned()))));
    for _ in 0..8 {
        assert!(said(ask(&stage, call(&stage, "hello", 0))).await.is_err());
    }
    assert_eq!(stage.llm(0).asked(), 5);
    stage.llm(0).every(None);
    let mut other = call(&stage, "hello", 0);
    if let Ask::Completion(request) = &mut other.ask {
        request.model = "large".to_owned();
    }
    said(ask(&stage, other)).await.unwrap();
    let provider = stage.provider(0).await;
    let breakers: Vec<_> = provider.models.iter().map(|model| (model.model.as_str(), model.breaker)).collect();
    assert_eq!(breakers, [("large", BreakerState::Closed), ("small", BreakerState::Open)]);
    assert_eq!(provider.breaker, BreakerState::Open, "the worst of them is shown");
}

#[tokio::test(start_paused = true)]
async fn a_model_whose_texts_are_kept_back_is_asked_on_and_its_breaker_stays_closed() {
    let mut stage = Scenery::new(1, 1).with_provider("second").raise().await;
    stage.llm(0).every(Some(Thought::Say("<think>they must not see this".to_owned())));
    for round in 1..=6 {
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(round).await;
    }
    assert_eq!(stage.llm(0).asked(), 6, "in each turn");
    assert_eq!(stage.provider(0).await.breaker, BreakerState::Closed);
    assert!(stage.journal().sent_texts().iter().all(|text| text.starts_with("second")));
}

#[tokio::test(start_paused = true)]
async fn a_limit_a_minute_is_kept_and_used() {
    const LIMIT: usize = 60;
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.requests_per_minute = NonZeroU32::new(LIMIT as u32);
    let stage = scenery.raise().await;
    let outcomes: Vec<_> = (0..5 * LIMIT).map(|n| ask(&stage, call(&stage, &n.to_string(), 0))).collect();
    for outcome in outcomes {
        said(outcome).await.unwrap();
    }
    let times = stage.journal().times(|h| matches!(h, Happening::Asked { .. }));
    let minute = Duration::from_secs(60);
    let most = times.iter().map(|from| times.iter().filter(|at| **at >= *from && **at - *from <= minute).count()).max();
    assert!(most <= Some(LIMIT), "{most:?} in a minute");
    let lasted = (*times.last().unwrap() - times[0]).as_secs_f64() / 60.0;
    let beyond_the_burst = 5.0 - 0.25;
    assert!(beyond_the_burst / lasted >= 0.9, "{lasted} minutes for five minutes' calls, of which a quarter at once");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_slows_nobody_on_another() {
    let mut scenery = Scenery::new(2, 2).with_provider("second");
    scenery.plan.bots[1].generation.models.remove(0);
    for (chat, bot) in [(0, 0), (1, 1)] {
        scenery.plan.chats[chat].bots = vec![scenery.plan.bots[bot].name.clone()];
    }
    let mut stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let begun = Instant::now();
    for round in 1..=20 {
        stage.person_says(0, "to the slow one", &[0]);
        stage.person_says(1, "to the quick one", &[1]);
        stage.until_sent(round).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

fn terms(stage: &Stage) -> Terms {
    Terms { bot: stage.bots[0], chat: stage.chats[0], priority: 1, deadline: Instant::now() + LONG }
}

fn small() -> ModelRef {
    ModelRef { provider: "sim".to_owned(), model: "small".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn an_embedding_is_asked_for_once() {
    let stage = Scenery::new(1, 1).raise().await;
    let consult = Consult::default();
    let texts = ["çay", "kahve", "çay"].map(str::to_owned);
    let vectors = consult.embed(&stage.node.directory, &small(), &texts, terms(&stage)).await.unwrap();
    assert_eq!(vectors.iter().map(|vector| vector[0] as usize).collect::<Vec<_>>(), [4, 5, 4]);
    assert_eq!(stage.llm(0).asked(), 1);
    assert_eq!(consult.embed(&stage.node.directory, &small(), &texts[1..], terms(&stage)).await.unwrap(), vectors[1..]);
    assert_eq!(stage.llm(0).asked(), 1, "all of it was there");
    let other = ModelRef { model: "large".to_owned(), ..small() };
    consult.embed(&stage.node.directory, &other, &texts[..1], terms(&stage)).await.unwrap();
    assert_eq!(stage.llm(0).asked(), 2, "another model, another vector");
    stage.llm(0).next(Thought::Fail(LlmError::Rejected("no".to_owned())));
    let fresh = ["su".to_owned()];
    assert!(consult.embed(&stage.node.directory, &small(), &fresh, terms(&stage)).await.is_err());
    consult.embed(&stage.node.directory, &small(), &fresh, terms(&stage)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_structured_answer_is_sent_back_once_and_then_kept() {
    let stage = Scenery::new(1, 1).raise().await;
    let consult = Consult::default();
    let schema = AnswerSchema {
        name: "verdict".to_owned(),
        schema: json!({"type": "object", "properties": {"asks": {"type": "boolean"}}, "required": ["asks"]}),
    };
    let classify = async |text: &str| {
        let messages = vec![PromptMessage { role: Role::User, content: text.to_owned() }];
        consult.classify(&stage.node.directory, &small(), messages, schema.clone(), 50, terms(&stage)).await
    };
    for text in ["Well, it asks.", "```json\n{\"asks\": true}\n```"] {
        stage.llm(0).next(Thought::Say(text.to_owned()));
    }
    assert_eq!(*classify("is it raining?").await.unwrap(), json!({"asks": true}));
    let calls = stage.llm(0).calls();
    assert_eq!((calls.len(), calls[1].1.messages.len()), (2, 3), "sent back with the reason");
    assert!(calls[1].1.messages[2].content.contains("no JSON object"));
    classify("is it raining?").await.unwrap();
    assert_eq!(stage.llm(0).asked(), 2, "it is kept");
    stage.llm(0).every(Some(Thought::Say("{\"asks\": 5}".to_owned())));
    let refused = classify("another?").await;
    assert!(matches!(refused, Err(CallError::Llm(LlmError::Garbage(_)))), "{refused:?}");
    assert_eq!(stage.llm(0).asked(), 4, "one repair, no more");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_wants_any_more_is_given_up_or_never_made() {
    let mut scenery = Scenery::new(1, 1);
    scenery.providers.concurrency = NonZeroUsize::MIN;
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let (running, waiting) = (call(&stage, "running", 0), call(&stage, "waiting", 0));
    let withdrawn = [running.wanted.clone(), waiting.wanted.clone()];
    let outcomes = [running, waiting].map(|call| ask(&stage, call));
    stage.until("it is asked", async |stage| stage.llm(0).asked() == 1).await;
    withdrawn.iter().rev().for_each(Wanted::withdraw);
    for outcome in outcomes {
        assert_eq!(said(outcome).await, Err(CallError::Withdrawn));
    }
    assert_eq!(asked(&stage), ["running"]);
    assert_eq!(stage.provider(0).await.in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn while_no_claim_is_committed_models_are_not_asked_over_and_over() {
    let mut stage = Scenery::new(1, 1).raise().await;
    stage.store.fail("claim", u64::MAX);
    stage.llm(0).hold(true);
    stage.person_says(0, "hello", &[0]);
    let failed = |stage: &Stage| stage.journal().count(|happening| *happening == Happening::Failed("claim"));
    stage.until("claims fail", async |stage| failed(stage) >= 1).await;
    stage.let_time_pass_briefly().await;
    assert_eq!(stage.provider(0).await.in_flight, 0, "the call of the failed claim is given up");
    stage.let_time_pass().await;
    assert!(failed(&stage) > 5, "it tries again");
    assert_eq!(stage.llm(0).asked(), 1, "only the first was asked before its claim failed");
    stage.llm(0).hold(false);
    stage.store.fail("claim", 0);
    stage.until_sent(1).await;
    assert_eq!(stage.llm(0).asked(), 2);
}

fn fleet_budget(limit: i64) -> BudgetSpec {
    BudgetSpec { owner: BudgetOwner::Fleet, unit: BudgetUnit::Tokens, per: BudgetPeriod::Day, limit }
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_allowances_count_and_let_people_go_first() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet_budget(400)];
    scenery.providers.waiting = NonZeroUsize::new(2).unwrap();
    let stage = scenery.raise().await;
    stage.llm(0).hold(true);
    let first = ask(&stage, call(&stage, "first", 0));
    stage.until("it is asked", async |stage| stage.llm(0).asked() == 1).await;
    let [talk, bot] = [("talk", 2), ("bot", 1)].map(|(text, priority)| ask(&stage, call(&stage, text, priority)));
    stage.until("they wait for it", async |stage| stage.provider(0).await.models[0].waiting == [0, 1, 1]).await;
    stage.let_time_pass_briefly().await;
    let person = ask(&stage, call(&stage, "person", 0));
    assert_eq!(said(talk).await, Err(CallError::Shed));
    stage.llm(0).hold(false);
    for outcome in [first, bot, person] {
        said(outcome).await.unwrap();
    }
    assert_eq!(asked(&stage), ["first", "person", "bot"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_holds_no_call_beyond_its_deadline() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet_budget(100_000)];
    let stage = scenery.raise().await;
    stage.store.hold(true);
    let begun = Instant::now();
    let short = Call { deadline: begun + Duration::from_secs(5), ..call(&stage, "short", 0) };
    assert_eq!(said(ask(&stage, short)).await, Err(CallError::Late));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    stage.store.hold(false);
    stage.let_time_pass_briefly().await;
    stage.store.hold(true);
    let outcome = tokio::time::timeout(LONG, said(ask(&stage, call(&stage, "next", 0)))).await;
    outcome.expect("what came late was booked").unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_for_allowances_taken_ahead() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet_budget(100_000)];
    let stage = scenery.raise().await;
    said(ask(&stage, call(&stage, "first", 0))).await.unwrap();
    stage.let_time_pass_briefly().await;
    stage.store.hold(true);
    for number in 0..8 {
        let call = Call { deadline: Instant::now() + Duration::from_secs(5), ..call(&stage, "next", 0) };
        let outcome = tokio::time::timeout(LONG, said(ask(&stage, call))).await.expect("it ends");
        assert!(outcome.is_ok() || number > 3, "call {number}: {outcome:?}");
    }
}
