//! Estimates what the prompt of a turn would hold and cost. Layer `runtime`.
//!
//! Tokens are estimated from the very request that the engine would build. The answer's length is the average of the
//! chat's recorded answers, but at most `max_tokens`, and `max_tokens` where no answer is recorded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use botfleet_actors::actors::provider::price::{TokenCount, cost};
use botfleet_actors::actors::provider::settings::ProviderSettings;
use botfleet_actors::behaviour::context::estimate_tokens;
use botfleet_actors::behaviour::generator::{Generator, Stage};
use botfleet_actors::behaviour::note::Note;
use botfleet_actors::behaviour::replay::Part;
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::domain::turn::{Act, Turn};
use botfleet_actors::ports::llm::CompletionRequest;

use super::report::Spent;
use super::set::Set;

/// Average length of recorded answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    tokens: u64,
    answers: u64,
}

impl Answers {
    pub(super) fn note(&mut self, turn: &Turn) {
        if let Some(usage) = turn.progress.usage.as_ref().filter(|usage| usage.completion_tokens > 0) {
            self.tokens += u64::from(usage.completion_tokens);
            self.answers += 1;
        }
    }

    pub(super) fn average(self) -> Option<u64> {
        self.tokens.checked_div(self.answers)
    }
}

/// Returns whether the act asks a model.
pub(super) fn asks_a_model(part: &Part) -> bool {
    matches!(part.act, Act::Answer | Act::Open { .. })
}

/// Builds requests and estimates their use.
pub(super) struct Estimator {
    generator: Generator,
    providers: BTreeMap<String, ProviderSettings>,
    pub(super) answers: Answers,
}

impl Estimator {
    pub(super) fn new(providers: BTreeMap<String, ProviderSettings>) -> anyhow::Result<Self> {
        Ok(Self { generator: Generator::new()?, providers, answers: Answers::default() })
    }

    /// Builds the request of a part; `None` when the part asks no model, or its bot is not in the set.
    pub(super) fn request(
        &self,
        set: &Set,
        window: &VecDeque<Arc<Note>>,
        part: &Part,
        at: Timestamp,
    ) -> anyhow::Result<Option<CompletionRequest>> {
        let Some(member) = set.member(part.bot).filter(|_| asks_a_model(part)) else { return Ok(None) };
        let Some(model) = member.profile.spec.generation.models.first() else { return Ok(None) };
        let window: Vec<Arc<Note>> = window.iter().cloned().collect();
        let target = part.target.and_then(|number| window.iter().find(|note| note.number == number));
        let stage = Stage {
            bot: &member.profile,
            username: member.username.as_deref(),
            chat: &set.chat,
            cast_names: &set.cast_names,
            target: target.map(|note| &*note.entry),
            window: &window,
            target_bot: target
                .and_then(|note| set.member(note.fleet_bot?))
                .map(|member| member.profile.spec.name.as_str()),
            act: &part.act,
            objections: &[],
            now: at,
        };
        Ok(Some(self.generator.request(&stage, &model.model)?))
    }

    /// Estimates the use of the request of a part.
    pub(super) fn spent(
        &self,
        set: &Set,
        window: &VecDeque<Arc<Note>>,
        part: &Part,
        at: Timestamp,
    ) -> anyhow::Result<Spent> {
        let Some(request) = self.request(set, window, part, at)? else { return Ok(Spent::default()) };
        let prompt: u64 = request.messages.iter().map(|message| u64::from(estimate_tokens(&message.content))).sum();
        let most = u64::from(request.max_tokens);
        let completion = self.answers.average().map_or(most, |average| average.min(most));
        let provider = set
            .member(part.bot)
            .and_then(|member| member.profile.spec.generation.models.first())
            .and_then(|model| self.providers.get(&model.provider));
        let tokens = TokenCount { prompt, completion, cached: 0 };
        let nanos = provider.map_or(0, |settings| cost(settings, &request.model, tokens).nanos);
        Ok(Spent { turns: 1, prompt_tokens: prompt, answer_tokens: completion, nanos })
    }
}
