//! Asks each model that a bot names for one tiny completion, with each key of its provider. Part of `online`.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::ports::llm::{CompletionRequest, KeyIndex, LlmError, PromptMessage, Role};
use futures::StreamExt;

use super::Finding;
use crate::config::manifest::LoadedManifest;
use crate::runtime::starting::provider;

/// Most completions under way at a time: a local server has few slots.
const AT_ONCE: usize = 4;

/// Most tokens of an answer: room for a model that thinks before a short one.
const TOKENS_MAX: u32 = 64;

/// Asks each model, once with each key of its provider.
///
/// # Errors
/// When a provider cannot be built.
pub(super) async fn look(manifest: LoadedManifest) -> anyhow::Result<Vec<Finding>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for model in manifest.plan.bots.iter().flat_map(|bot| &bot.generation.models) {
        wanted.entry(model.provider.clone()).or_default().insert(model.model.clone());
    }
    let mut findings = Vec::new();
    let mut questions = Vec::new();
    for entry in manifest.providers {
        let name = entry.name.clone();
        let Some(models) = wanted.remove(&name) else {
            let what = "no bot names it";
            findings.push(Finding::warning("model", name, what, "remove it, or name it in a bot's models"));
            continue;
        };
        let setup = provider(&entry)?;
        for model in models {
            for key in 0..setup.llm.keys() {
                questions.push((name.clone(), model.clone(), key, setup.llm.clone()));
            }
        }
    }
    let asked = futures::stream::iter(questions).map(|(name, model, key, llm)| async move {
        let subject =
            if llm.keys() > 1 { format!("{name}/{model}, key {}", key + 1) } else { format!("{name}/{model}") };
        let started = std::time::Instant::now();
        let answer = llm.complete(KeyIndex(key), question(&model)).await;
        let millis = started.elapsed().as_millis();
        match answer {
            Ok(answer) if answer.text.trim().is_empty() => {
                Finding::warning("model", subject, "answers with nothing", "try another model")
            }
            Ok(_) => Finding::sound("model", subject, format!("answers, after {millis} ms")),
            Err(error) => Finding::fault("model", subject, error.to_string(), remedy(&error)),
        }
    });
    findings.extend(asked.buffered(AT_ONCE).collect::<Vec<_>>().await);
    Ok(findings)
}

fn question(model: &str) -> CompletionRequest {
    let message = |role, content: &str| PromptMessage { role, content: content.to_owned() };
    CompletionRequest {
        model: model.to_owned(),
        messages: vec![
            message(Role::System, "You answer with one word."),
            message(Role::User, "Which colour is snow?"),
        ],
        temperature: 0.7,
        max_tokens: TOKENS_MAX,
        schema: None,
    }
}

/// Returns what a person can do about an error.
fn remedy(error: &LlmError) -> &'static str {
    match error {
        LlmError::RateLimited { .. } => "wait, or raise the limit at the provider; then check again",
        LlmError::Unreachable(_) => "check base_url, that the server runs, and that this machine may reach it",
        LlmError::Unavailable(_) => "check the server's own log; base_url ends with the version, as in /v1",
        LlmError::KeyRefused(_) => "make a new key at the provider and put it where api_key points",
        LlmError::QuotaExhausted(_) => "pay, or give another key",
        LlmError::ModelRefused(_) => "correct the model's name, or let the key use it",
        LlmError::Rejected(_) => "see what the provider says of the request",
        LlmError::Garbage(_) => "base_url may lead to another kind of server; it ends with the version, as in /v1",
    }
}
