//! The health of a provider: failures are reported with their reason, a panic fails one call, impossible usage is not
//! believed.

use std::time::Duration;

use botfleet_actors::actors::provider::call::{Answer, Ask, Call, CallError, Wanted};
use botfleet_actors::actors::provider::messages::ProviderMsg;
use botfleet_actors::actors::provider::snapshot::{KeyState, ModelState};
use botfleet_actors::domain::allowance::{BudgetOwner, BudgetPeriod, BudgetSpec, BudgetUnit};
use botfleet_actors::ports::llm::{CompletionRequest, LlmError, PromptMessage, Role};
use botfleet_actors::ports::store::Store;
use botfleet_actors::testkit::scripted_llm::Thought;
use botfleet_actors::testkit::stage::{Scenery, Stage};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Calls the first provider. Returns whether there was an answer.
async fn ask(stage: &Stage) -> Result<(), CallError> {
    let request = CompletionRequest {
        model: "small".to_owned(),
        messages: vec![PromptMessage { role: Role::User, content: "Tom: hello".to_owned() }],
        temperature: 1.0,
        max_tokens: 100,
        schema: None,
    };
    let (bot, chat, deadline) = (stage.bots[0], stage.chats[0], Instant::now() + Duration::from_secs(600));
    let call = Call { ask: Ask::Completion(request), bot, chat, priority: 0, deadline, wanted: Wanted::default() };
    let (sender, receiver) = oneshot::channel();
    let answer = Answer::new(move |result| drop(sender.send(result.map(|answered| answered.worth.succeeded()))));
    stage.node.directory.provider("sim").unwrap().cast(ProviderMsg::Make(call, answer)).unwrap();
    receiver.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_says_why_until_it_answers() {
    let stage = Scenery::new(1, 1).raise().await;
    assert_eq!(stage.provider(0).await.out_of_order(), None);
    for _ in 0..2 {
        stage.llm(0).next(Thought::Fail(LlmError::Garbage("a page instead of JSON: Sign in".to_owned())));
        ask(&stage).await.unwrap_err();
    }
    let failing = stage.provider(0).await;
    assert_eq!((failing.models[0].state, failing.models[0].failures), (ModelState::Failing, 2));
    assert!(failing.out_of_order().unwrap().contains("Sign in"), "{:?}", failing.out_of_order());
    assert!(failing.last_error.unwrap().reason.contains("Sign in"));
    ask(&stage).await.unwrap();
    let well = stage.provider(0).await;
    assert_eq!((well.models[0].state, well.models[0].failures, well.out_of_order()), (ModelState::Working, 0, None));
    assert!(well.models[0].last_error.is_some(), "the last reason stays to be read");
}

#[tokio::test(start_paused = true)]
async fn a_provider_whose_only_key_is_refused_is_out_of_order() {
    let stage = Scenery::new(1, 1).raise().await;
    for _ in 0..3 {
        stage.llm(0).next(Thought::Fail(LlmError::KeyRefused("status 401 bad key".to_owned())));
    }
    ask(&stage).await.unwrap_err();
    let provider = stage.provider(0).await;
    assert_eq!(provider.keys[0].state, KeyState::Refused);
    assert!(provider.out_of_order().unwrap().contains("bad key"), "{:?}", provider.out_of_order());
}

#[tokio::test(start_paused = true)]
async fn i7_a_client_that_panics_fails_its_call_alone() {
    let stage = Scenery::new(1, 1).raise().await;
    stage.llm(0).next(Thought::Panic);
    let failed = ask(&stage).await.unwrap_err();
    assert!(matches!(&failed, CallError::Llm(LlmError::Unavailable(words)) if words.contains("panicked")), "{failed}");
    ask(&stage).await.unwrap();
    assert_eq!((stage.fleet().await.restarts, stage.provider(0).await.calls), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn usage_that_cannot_be_is_charged_by_the_bound() {
    for usage in [Some((0, 0)), Some((30, 0)), Some((u32::MAX, u32::MAX)), None] {
        let mut scenery = Scenery::new(1, 1);
        let owner = BudgetOwner::Fleet;
        scenery.budgets = vec![BudgetSpec { owner, unit: BudgetUnit::Tokens, per: BudgetPeriod::Day, limit: 100_000 }];
        let stage = scenery.raise().await;
        stage.llm(0).reports(usage);
        ask(&stage).await.unwrap();
        let model = stage.provider(0).await.models.remove(0);
        let charged = model.prompt_tokens + model.completion_tokens;
        // Ten bytes of prompt, 16 for its message, 160 for the prompt, and the answer's limit.
        assert_eq!(charged, 10 + 16 + 160 + 100, "{usage:?}");
        let stored = stage.store.rows.allowances().await.unwrap();
        let used = stage.node.treasury.snapshot(&stored, stage.node.clock.now())[0].used;
        assert!((used - charged as f64).abs() < 0.5, "{usage:?}: {used}");
    }
}
