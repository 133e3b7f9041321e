//! Budgets: the most that a provider may bill is reserved before each call, so no budget is ever exceeded.

use std::time::Duration;

use botfleet_actors::actors::provider::call::Ask;
use botfleet_actors::actors::provider::price;
use botfleet_actors::actors::provider::settings::Price;
use botfleet_actors::domain::allowance::{BudgetOwner, BudgetPeriod, BudgetSpec, BudgetUnit};
use botfleet_actors::domain::roster::ChatPolicy;
use botfleet_actors::domain::turn::TurnState;
use botfleet_actors::ports::llm::LlmError;
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::journal::Happening;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::stage::{Scenery, Stage};

fn tokens(owner: BudgetOwner, per: BudgetPeriod, limit: i64) -> BudgetSpec {
    BudgetSpec { owner, unit: BudgetUnit::Tokens, per, limit }
}

fn fleet(limit: i64) -> BudgetSpec {
    tokens(BudgetOwner::Fleet, BudgetPeriod::Day, limit)
}

/// Returns the most that all calls so far can be billed.
fn bound_of_all(stage: &Stage) -> i64 {
    let calls = (0..stage.scenery.llms.len()).flat_map(|at| stage.llm(at).calls());
    calls.map(|(_, request)| price::bound(&Ask::Completion(request)).total() as i64).sum()
}

async fn used(stage: &Stage) -> f64 {
    let stored = stage.store.rows.allowances().await.unwrap();
    stage.node.treasury.snapshot(&stored, stage.node.clock.now())[0].used
}

async fn dropped(stage: &Stage) -> usize {
    let outcomes = stage.outcomes().await;
    outcomes.iter().flat_map(|record| &record.turns).filter(|turn| turn.state == TurnState::Dropped).count()
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_for_calls_side_by_side() {
    let mut scenery = Scenery::new(8, 1);
    scenery.budgets = vec![fleet(3_000)];
    let mut stage = scenery.raise().await;
    stage.llm(0).hold(true);
    stage.person_says(0, "hello", &[0, 1, 2, 3, 4, 5, 6, 7]);
    stage.until("the budget is reserved", async |stage| stage.llm(0).asked() >= 2).await;
    stage.let_time_pass_briefly().await;
    assert!(bound_of_all(&stage) <= 3_000, "{} could be billed", bound_of_all(&stage));
    let (asked, waiting) = (stage.llm(0).asked(), stage.provider(0).await.waiting);
    assert_eq!((asked + waiting, dropped(&stage).await), (8, 0), "calls under way may give some back");
    stage.llm(0).hold(false);
    stage.until_sent(8).await;
    assert!(bound_of_all(&stage) > 3_000);
    stage.until_at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_beyond_its_budget_is_given_up_and_says_why() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![tokens(BudgetOwner::Bot(None), BudgetPeriod::Hour, 10)];
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0]);
    stage.until("it is given up", async |stage| dropped(stage).await == 1).await;
    assert_eq!(stage.llm(0).asked(), 0);
    let outcomes = stage.outcomes().await;
    let id = outcomes.iter().flat_map(|record| &record.turns).next().unwrap().id.parse().unwrap();
    let (turn, _) = stage.store.rows.turn(botfleet_actors::domain::ids::TurnId(id)).await.unwrap().unwrap();
    let why = turn.progress.error.unwrap();
    assert!(why.starts_with("budget exhausted: bot ") && why.ends_with(", tokens per hour"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_is_spent_by_later_calls() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet(5_000)];
    let mut stage = scenery.raise().await;
    for round in 1..=20 {
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(round).await;
    }
    assert!(bound_of_all(&stage) > 5_000);
    assert!((used(&stage).await - 300.0).abs() < 0.1, "15 tokens a call, {}", used(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_billed_stays_spent_and_what_was_refused_does_not() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet(100_000)];
    let mut stage = scenery.raise().await;
    for error in [LlmError::RateLimited { retry_after: None }, LlmError::Unreachable("refused".to_owned())] {
        stage.llm(0).next(Thought::Fail(error));
    }
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    assert!((used(&stage).await - 15.0).abs() < 0.1, "{}", used(&stage).await);
    stage.llm(0).next(Thought::Fail(LlmError::Unavailable("reset".to_owned())));
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(2).await;
    let calls = stage.llm(0).calls();
    let lost = price::bound(&Ask::Completion(calls[calls.len() - 2].1.clone())).total() as f64;
    assert!((used(&stage).await - 30.0 - lost).abs() < 0.1, "{} with {lost} lost", used(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_over_crashes_and_fallbacks() {
    let mut scenery = Scenery::new(2, 1).with_provider("second");
    scenery.budgets = vec![fleet(20_000)];
    let mut billed = 0;
    for process in 0..6 {
        let mut stage = scenery.raise().await;
        stage.llm(0).every(Some(Thought::Fail(LlmError::Unavailable("status 500".to_owned()))));
        stage.llm(1).reports(None);
        for round in 0..4 {
            stage.person_says(0, &format!("line {round}"), &[0, 1]);
            let before = stage.llm(1).asked();
            let done = async |stage: &Stage| stage.llm(1).asked() > before || dropped(stage).await > 0;
            stage.until("a turn is over", done).await;
        }
        stage.llm(1).hold(process % 2 == 0);
        stage.person_says(0, "and killed in the middle", &[0, 1]);
        stage.let_time_pass_briefly().await;
        billed = bound_of_all(&stage);
        scenery = stage.killed().await;
        scenery.llms.iter().for_each(|llm| llm.hold(false));
    }
    assert!(billed > 10_000, "{billed}: the budget is used");
    assert!(billed <= 20_000, "{billed} could be billed");
}

#[tokio::test(start_paused = true)]
async fn a_budget_begins_anew_with_its_hour() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![tokens(BudgetOwner::Chat(Some("chat-1".to_owned())), BudgetPeriod::Hour, 1_500)];
    let mut stage = scenery.raise().await;
    stage.llm(0).reports(None);
    stage.person_says(0, "one", &[0]);
    stage.person_says(0, "two", &[0]);
    stage.until("one is given up", async |stage| dropped(stage).await == 1).await;
    stage.until_sent(1).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    stage.person_says(0, "three", &[0]);
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_model_takes_over_when_the_money_is_short() {
    let mut scenery = Scenery::new(1, 1).with_provider("second");
    scenery.plan.bots[0].generation.models[1].model = "cheap".to_owned();
    scenery.providers.price = Some(Price { prompt: 1_000.0, completion: 1_000.0, cached: None });
    scenery.providers.prices.insert("cheap".to_owned(), Price { prompt: 0.1, completion: 0.1, cached: None });
    let limit = 100_000_000;
    scenery.budgets =
        vec![BudgetSpec { owner: BudgetOwner::Fleet, unit: BudgetUnit::Money, per: BudgetPeriod::Total, limit }];
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    assert_eq!((stage.llm(0).asked(), stage.llm(1).asked()), (0, 1));
    let provider = stage.provider(1).await;
    assert!((provider.models[0].cost - 15.0 * 0.1 / 1e6).abs() < 1e-9, "{}", provider.models[0].cost);
}

#[tokio::test(start_paused = true)]
async fn blocks_keep_commits_off_the_way_to_the_model() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet(10_000_000)];
    let mut stage = scenery.raise().await;
    for round in 1..=50 {
        stage.person_says(0, "hello", &[0]);
        stage.until_sent(round).await;
    }
    let taken = stage.journal().count(|h| *h == Happening::Committed("take_allowance"));
    assert!(taken <= 2, "{taken} commits for 50 calls");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_good_order_gives_back_what_was_not_spent() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet(100_000)];
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(1).await;
    stage.until_at_rest().await;
    stage.node.return_allowances().await;
    assert_eq!(stage.store.rows.allowances().await.unwrap()[0].1, 15);
    stage.person_says(0, "hello", &[0]);
    stage.until_sent(2).await;
}

#[tokio::test(start_paused = true)]
async fn many_allowances_are_given_back_in_one_commit() {
    let mut scenery = Scenery::new(40, 1);
    scenery.budgets = vec![tokens(BudgetOwner::Bot(None), BudgetPeriod::Day, 100_000)];
    let mut stage = scenery.raise().await;
    stage.person_says(0, "hello", &(0..40).collect::<Vec<_>>());
    stage.until_sent(40).await;
    stage.until_at_rest().await;
    let begun = tokio::time::Instant::now();
    stage.node.return_allowances().await;
    assert!(begun.elapsed() < Duration::from_millis(20), "{:?} for a commit of 2 ms", begun.elapsed());
    let stored = stage.store.rows.allowances().await.unwrap();
    assert_eq!(stored.iter().map(|(_, granted)| granted).sum::<i64>(), 40 * 15);
}

#[tokio::test(start_paused = true)]
async fn i11_a_chat_that_finds_no_budget_left_calms_down() {
    let mut scenery = Scenery::new(1, 1);
    scenery.budgets = vec![fleet(10)];
    scenery.plan.bots[0].persona.active_hours = None;
    let chat = &mut scenery.plan.chats[0];
    chat.policy = ChatPolicy::Natural;
    chat.strategy.named_by_person = 1.0;
    chat.physics.cool_down = Duration::from_secs(600);
    let name = scenery.plan.bots[0].name.clone();
    let mut stage = scenery.raise().await;
    stage.person_says(0, &format!("{name}, hello"), &[0]);
    stage.until("it is given up", async |stage| dropped(stage).await == 1).await;
    let calm = async |stage: &Stage| stage.store.rows.chat_memory(stage.chats[0], 1).await.unwrap().calm_until;
    stage.until("the calm is stored", async |stage| calm(stage).await.is_some()).await;
    assert!(calm(&stage).await.unwrap() > stage.node.clock.now() + Duration::from_secs(500));
}
