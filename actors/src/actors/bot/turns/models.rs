//! Asks the models of a turn: chooses the next one, and judges each answer or failure. Layer `actors`. Keeps I7, I15.
//!
//! This file is the only retry layer. A model whose answer is unusable is asked again (`tries_per_model`), then the
//! next model of the chain. When none answers and one may later, the turn keeps its claim and tries the chain again, no
//! sooner than a provider asked for, until the turn is stale. A second text that is kept back ends the turn (I15).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::actors::bot::effect::Effect;
use crate::actors::bot::surroundings::Desk;
use crate::actors::bot::ticket::Ticket;
use crate::actors::bot::turns::Turns;
use crate::actors::bot::turns::acts::gone_from_manifest;
use crate::actors::bot::turns::job::Phase;
use crate::actors::provider::call::{Answered, Ask, Call, CallError, Reply};
use crate::behaviour::cut;
use crate::behaviour::firewall::{self, Speaker};
use crate::behaviour::generator::Stage;
use crate::domain::allowance::{BudgetScope, BudgetUnit};
use crate::domain::commit::operations::TurnEnding;
use crate::domain::ids::TurnId;
use crate::policy::backoff::BackoffSettings;
use crate::ports::bus::Hint;
use crate::ports::llm::{FinishReason, LlmError, RETRY_AFTER_MAX};
use crate::ports::metrics;

/// Waits of a turn between rounds in which its whole chain of models failed.
const MODELS_BACKOFF: BackoffSettings = BackoffSettings { first: Duration::from_secs(1), max: Duration::from_secs(15) };

/// The number of the bot's last texts that it must not repeat word for word.
const RECENT_TEXTS: usize = 20;

/// The number of kept-back texts that ends a turn, whatever models remain.
const KEPT_BACK_MAX: u32 = 2;

impl Turns {
    /// Asks the current model of the turn's chain.
    pub(super) fn ask_model(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        if let Some(why) = self.silenced(turn, desk) {
            return self.hold_tongue(turn, why, desk);
        }
        let site = desk.site();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        let Some(model) = site.profile().spec.generation.models.get(job.model) else {
            return self.models_exhausted(turn, desk);
        };
        let known = site.known();
        let Some(chat) = known.chats.get(&job.given.turn.chat) else {
            return self.finish(turn, gone_from_manifest(), desk);
        };
        let ticket = self.tickets.take();
        job.phase = Phase::Asking(ticket);
        job.tries += 1;
        let cast_names: Vec<String> =
            chat.members.iter().filter_map(|id| known.bots.get(id)).map(|bot| bot.spec.name.clone()).collect();
        let author = job.given.target.as_ref().and_then(|target| target.fleet_bot);
        let target_bot = author.and_then(|bot| known.bots.get(&bot)).map(|bot| bot.spec.name.as_str());
        let stage = Stage {
            bot: site.profile(),
            username: site.username(),
            chat,
            cast_names: &cast_names,
            window: &job.given.window,
            target: job.given.target.as_deref(),
            target_bot,
            act: &job.given.turn.act,
            objections: &job.objections,
            now: site.now(),
        };
        let built = catch_unwind(AssertUnwindSafe(|| site.prompt(&stage, &model.model)));
        let request = match built {
            Ok(Ok(request)) => request,
            Ok(Err(error)) => return self.finish(turn, TurnEnding::Failed(format!("prompt: {error}")), desk),
            Err(_) => return self.finish(turn, TurnEnding::Failed("building the prompt panicked".to_owned()), desk),
        };
        job.request = Some(request.clone());
        let spec = &job.given.turn;
        let left = spec.expires_at.since(site.now());
        let call = Call {
            ask: Ask::Completion(request),
            bot: spec.bot,
            chat: spec.chat,
            priority: spec.priority,
            deadline: tokio::time::Instant::now() + left,
            wanted: job.wanted.clone(),
        };
        desk.ask(Effect::Complete { turn, ticket, provider: model.provider.clone(), call });
    }

    pub(super) fn on_completed(
        &mut self,
        turn: TurnId,
        ticket: Ticket,
        result: Result<Answered, CallError>,
        desk: &mut Desk<'_, '_>,
    ) {
        let site = desk.site();
        let Some(job) = self.jobs.get_mut(&turn).filter(|job| job.awaits(ticket)) else {
            metrics::completions_stale_total.increment(1);
            if result.is_ok() {
                metrics::completions_wasted_total.increment(1);
            }
            return;
        };
        let (completion, worth) = match result {
            Ok(Answered { reply: Reply::Completion(completion), worth }) => (completion, worth),
            Ok(_) => {
                let garbage = LlmError::Garbage("no completion".to_owned());
                return self.model_failed(turn, &CallError::Llm(garbage), desk);
            }
            Err(error) => return self.model_failed(turn, &error, desk),
        };
        if let Some(model) = site.profile().spec.generation.models.get(job.model) {
            let spent = job.usage.get_or_insert_default();
            spent.provider.clone_from(&model.provider);
            spent.model.clone_from(&model.model);
            spent.prompt_tokens += completion.prompt_tokens.unwrap_or(0);
            spent.completion_tokens += completion.completion_tokens.unwrap_or(0);
            spent.cached_tokens += completion.cached_tokens.unwrap_or(0);
        }
        let Some(request) = &job.request else {
            return;
        };
        // Where the novelty guard compares texts, it handles repeats: the model is asked again and not blamed.
        let compared = site.chat(job.given.turn.chat);
        let compared = compared.is_some_and(|chat| chat.spec.policy.is_guarded() && chat.spec.novelty.enabled);
        let recent = if compared { 0 } else { RECENT_TEXTS };
        let recent: Vec<&str> = self.own.all().iter().rev().take(recent).map(|said| &*said.text).collect();
        let username = site.username();
        let speaker = Speaker { name: &site.profile().spec.name, username };
        let inspect = |text: &str| {
            firewall::inspect(text, request, &recent, speaker)
                .map_err(|breach| (breach.kind.as_str(), breach.kind.is_servers()))
        };
        let inspected = catch_unwind(AssertUnwindSafe(|| {
            let text = cut::before_repetition(&completion.text);
            // What a colon announces did not come.
            let breaks_off = completion.finish_reason == FinishReason::Length || text.trim_end().ends_with(':');
            match completion.finish_reason {
                FinishReason::Stop | FinishReason::Length if breaks_off => {
                    inspect(cut::at_last_sentence(text).ok_or(("cut_short", false))?)
                }
                FinishReason::Stop | FinishReason::Length => inspect(text),
                FinishReason::ContentFilter => Err(("content_filter", false)),
            }
        }));
        let (label, servers) = match inspected {
            Ok(Ok(clean)) => {
                worth.succeeded();
                return self.on_clean(turn, clean, desk);
            }
            Ok(Err(kept_back)) => kept_back,
            Err(_) => ("firewall_panicked", false),
        };
        // The model answered. People can bring a model to write anything, so most breaches do not speak against it. A
        // breach that a broken server explains counts once for each chat.
        if servers {
            worth.failed_before(job.given.turn.chat.0);
        } else {
            worth.succeeded();
        }
        self.keep_back(turn, label, desk);
    }

    /// Keeps back a text that must not reach a chat, and asks the next model, or the same one where there is no other.
    /// The second such text drops the turn, whoever provokes it: claiming the turn again would cost the same.
    fn keep_back(&mut self, turn: TurnId, label: &'static str, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        let place = self.jobs.get(&turn).map_or(0, |job| job.model);
        if let Some(model) = site.profile().spec.generation.models.get(place) {
            metrics::firewall_breaches_total {
                kind: label,
                provider: model.provider.clone(),
                model: model.model.clone(),
            }
            .increment(1);
        }
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        job.kept_back += 1;
        if job.kept_back >= KEPT_BACK_MAX {
            return self.drop_turn(turn, "kept_back", format!("kept back: {label}"), desk);
        }
        if job.model + 1 < site.profile().spec.generation.models.len() {
            job.model += 1;
            job.tries = 0;
        }
        self.ask_model(turn, desk);
    }

    /// Handles a failure of a model: asks it again or the next one; after the last one, the turn ends or waits.
    fn model_failed(&mut self, turn: TurnId, error: &CallError, desk: &mut Desk<'_, '_>) {
        let site = desk.site();
        tracing::debug!(bot.id = %site.profile().id, turn.id = %turn, error = %error, "model failed");
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        if let CallError::Llm(LlmError::RateLimited { retry_after: Some(pause) }) = error {
            let pause = (*pause).min(RETRY_AFTER_MAX);
            job.retry_after = Some(job.retry_after.map_or(pause, |other| other.min(pause)));
        }
        job.worth_waiting |= matches!(
            error,
            CallError::Llm(
                LlmError::RateLimited { .. }
                    | LlmError::Unreachable(_)
                    | LlmError::Unavailable(_)
                    | LlmError::KeyRefused(_)
                    | LlmError::QuotaExhausted(_)
                    | LlmError::ModelRefused(_)
            )
        );
        let garbage = matches!(error, CallError::Llm(LlmError::Garbage(_)));
        let again = garbage && job.tries < site.settings().tries_per_model.get();
        if !again {
            job.model += 1;
            job.tries = 0;
        }
        // Token budgets count alike for all models; a budget of money may suffice for a cheaper one.
        let hopeless = matches!(error, CallError::Exhausted(budget) if budget.unit == BudgetUnit::Tokens);
        if job.model < site.profile().spec.generation.models.len() && !hopeless {
            return self.ask_model(turn, desk);
        }
        let waits = job.worth_waiting;
        match error {
            CallError::Late => self.finish(turn, TurnEnding::Expired, desk),
            CallError::Llm(LlmError::Garbage(reason)) => {
                self.finish(turn, TurnEnding::Failed(format!("no usable answer: {reason}")), desk);
            }
            CallError::Llm(LlmError::Rejected(reason)) => {
                self.finish(turn, TurnEnding::Failed(format!("request rejected: {reason}")), desk);
            }
            CallError::Shed | CallError::Exhausted(_) if hopeless || !waits => {
                let reason = if matches!(error, CallError::Shed) { "shed" } else { "budget" };
                metrics::turns_dropped_total { reason }.increment(1);
                let all_are_silent =
                    matches!(error, CallError::Exhausted(budget) if !matches!(budget.scope, BudgetScope::Bot(_)));
                if let Some(job) = self.jobs.get(&turn).filter(|_| all_are_silent) {
                    desk.ask(Effect::Tell(Hint::Spent(job.given.turn.chat)));
                }
                self.finish(turn, TurnEnding::Dropped(error.to_string()), desk);
            }
            _ => self.models_exhausted(turn, desk),
        }
    }

    /// Lets a turn wait with its claim, since no model answers; ends the turn when it would be stale by then.
    fn models_exhausted(&mut self, turn: TurnId, desk: &mut Desk<'_, '_>) {
        if desk.site().stay().is_quiescing() {
            return self.give_back(turn, desk);
        }
        let random = desk.site().random();
        let Some(job) = self.jobs.get_mut(&turn) else {
            return;
        };
        job.rounds += 1;
        let backoff = MODELS_BACKOFF.wait(job.rounds, random);
        // A pause that a provider asked for is kept; a random addition keeps turns that wait for it apart.
        let wait = job.retry_after.take().map_or(backoff, |pause| (pause + backoff.mul_f64(random)).max(backoff));
        (job.model, job.tries, job.worth_waiting) = (0, 0, false);
        self.again_after(turn, wait, desk);
    }
}
