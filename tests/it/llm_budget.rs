//! Tests budgets of the real program, as the simulated provider counts: over kill -9 and fallbacks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::Duration;

use botfleet_world::checker::outcome::TurnState;
use serde_json::Value;

use crate::fleet_stage::{DEADLINE, FleetStage, options};

const LIMIT: u64 = 30_000;

/// Starts a stage with a budget, and with a provider that nothing listens at ahead of the simulated one.
async fn stage_with_budget(bots: usize) -> FleetStage {
    let mut stage = FleetStage::start(bots, 1, options()).await;
    stage.product.stop(DEADLINE).await.unwrap();
    let path = stage.product.files().manifest();
    let manifest = fs::read_to_string(&path).unwrap();
    let manifest = manifest.replace("models = [\"sim\"]", "models = [\"dead\", \"sim\"]");
    let more = format!(
        "[[providers]]\nname = \"dead\"\nkind = \"compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n\
         price = {{ prompt = 1.0, completion = 2.0 }}\n\n\
         [[budgets]]\nscope = \"fleet\"\nunit = \"tokens\"\nper = \"total\"\nlimit = {LIMIT}\n\n\
         [[budgets]]\nscope = \"bot\"\nunit = \"money\"\nper = \"day\"\nlimit = 0.5\n"
    );
    fs::write(&path, format!("{manifest}\n{more}")).unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    stage
}

/// Returns the tokens that the provider counted, even for answers that were not heard.
fn billed(stage: &FleetStage) -> u64 {
    let calls = stage.simulation.provider.ledger();
    calls.iter().map(|call| u64::from(call.prompt_tokens) + u64::from(call.completion_tokens)).sum()
}

fn fleet_budget(view: &Value) -> &Value {
    view["budgets"].as_array().unwrap().iter().find(|budget| budget["scope"] == "fleet").unwrap()
}

#[tokio::test]
async fn a_budget_of_tokens_is_never_exceeded_over_kills_and_fallbacks() {
    let mut stage = stage_with_budget(3).await;
    for round in 0..3 {
        for line in 0..2 {
            stage.say(0, &format!("What do you think of line {line} in round {round}?"));
        }
        let calls = stage.simulation.provider.call_count();
        let (provider, deadline) = (&stage.simulation.provider, tokio::time::Instant::now() + DEADLINE);
        while provider.call_count() < calls + 2 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stage.product.kill_9().await.unwrap();
        stage.product.restart().await.unwrap();
        stage.until_polling().await;
    }
    let mut outcomes = stage.settle().await;
    // Only a few at a time: calls under way hold their bounds, and on a slow machine a hundred would hold the whole
    // budget.
    for line in 0..100 {
        stage.say(0, &format!("And of number {line}, which nobody has seen for a long time?"));
        if line % 10 == 9 {
            outcomes = stage.settle().await;
        }
    }
    let dropped = outcomes.iter().flat_map(|line| &line.turns).filter(|turn| turn.state == TurnState::Dropped).count();
    assert!(dropped > 0, "the budget runs out");
    let billed = billed(&stage);
    assert!(billed <= LIMIT, "{billed} of {LIMIT} tokens");
    // Each call holds room for a long answer, and each kill forfeits what was held.
    assert!(billed >= LIMIT / 16, "{billed} of {LIMIT} tokens: the budget is of use");
    let view = stage.json("/api/v1/fleet").await;
    let budget = fleet_budget(&view);
    let used = budget["used"].as_f64().unwrap();
    assert!(used >= billed as f64 && used <= LIMIT as f64, "{budget}");
    assert_eq!((budget["unit"].as_str(), budget["per"].as_str()), (Some("tokens"), Some("total")));
    let metrics = stage.get("/metrics").await.text().await.unwrap();
    assert!(
        metrics.contains("botfleet_budget_exhausted_total{scope=\"fleet\",unit=\"tokens\",per=\"total\"}"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_stop_in_good_order_forfeits_nothing() {
    let mut stage = stage_with_budget(1).await;
    stage.say(0, "One line?");
    stage.settle().await;
    stage.product.stop(DEADLINE).await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    let view = stage.json("/api/v1/fleet").await;
    assert!((fleet_budget(&view)["used"].as_f64().unwrap() - billed(&stage) as f64).abs() < 0.1, "{view}");
    let bots: Vec<_> = view["budgets"].as_array().unwrap().iter().filter(|budget| budget["scope"] == "bot").collect();
    assert_eq!((bots.len(), bots[0]["name"].as_str()), (1, Some("fleet_1_bot")), "{view}");
}

/// A prompt begins as the last one of the bot in the chat did, so a provider that keeps beginnings bills it less.
#[tokio::test]
async fn what_a_provider_had_kept_of_a_prompt_is_counted_stored_and_billed_at_its_price() {
    let mut stage = FleetStage::start(1, 1, options()).await;
    stage.product.stop(DEADLINE).await.unwrap();
    let path = stage.product.files().manifest();
    let mut manifest = fs::read_to_string(&path).unwrap();
    let voice = format!("You are a friendly member. {}", "You like tea and long walks by the sea. ".repeat(150));
    for (old, new) in [
        ("You are a friendly member of this group and answer in one short sentence.", voice.trim()),
        ("name = \"sim\"", "name = \"sim\"\nprice = { prompt = 1.0, cached = 0.1, completion = 2.0 }"),
    ] {
        assert_eq!(manifest.matches(old).count(), 1, "{old:?} in {manifest}");
        manifest = manifest.replace(old, new);
    }
    fs::write(&path, manifest).unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    for line in ["Is the tea ready?", "And the cake?"] {
        stage.say(0, line);
        stage.settle().await;
    }
    let calls = stage.simulation.provider.ledger();
    let kept: Vec<u64> = calls.iter().map(|call| call.cached_tokens.into()).collect();
    assert!(kept.len() == 2 && kept[0] == 0 && kept[1] >= 1_536, "{kept:?}");
    let view = stage.json("/api/v1/fleet").await;
    let model = &view["providers"][0]["models"][0];
    assert_eq!(model["cached_tokens"], kept[1], "{model}");
    let cost: f64 = calls
        .iter()
        .map(|call| {
            let (prompt, cached) = (f64::from(call.prompt_tokens), f64::from(call.cached_tokens));
            ((prompt - cached) + 0.1 * cached + 2.0 * f64::from(call.completion_tokens)) / 1e6
        })
        .sum();
    assert!((model["cost"].as_f64().unwrap() - cost).abs() < 1e-8, "{model}, not {cost}");
    let chat = view["chats"][0]["name"].as_str().unwrap().replace(' ', "%20");
    let page = stage.json(&format!("/api/v1/chats/{chat}/decisions?turns=true&limit=50")).await;
    let turns = page["decisions"].as_array().unwrap().iter().filter_map(|decision| decision["turns"].as_array());
    let told: Vec<u64> = turns.flatten().filter_map(|turn| turn["cached_tokens"].as_u64()).collect();
    assert_eq!(told, [kept[1], kept[0]], "{page}");
    let metrics = stage.get("/metrics").await.text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("botfleet_llm_cached_tokens_total{"));
    assert!(line.is_some_and(|line| line.ends_with(&format!(" {}", kept[1]))), "{line:?}");
}
