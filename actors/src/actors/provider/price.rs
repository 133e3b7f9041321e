//! Computes the bound on the cost of a call, and its cost. Layer `actors`; pure.
//!
//! The bound holds for every tokenizer that makes at most one token of a byte, as byte-level and sentence-piece
//! vocabularies do, and covers the templates that servers put around messages.

use super::call::{Ask, Reply};
use super::settings::ProviderSettings;
use crate::domain::names::names;
use crate::policy::treasury::Cost;

/// Most tokens that a server's template adds to a message: role and marks.
const TOKENS_PER_MESSAGE: u64 = 16;

/// Most tokens that a server's template adds to a prompt: date and instructions of its own.
const TOKENS_PER_PROMPT: u64 = 160;

/// Usage up to this many times the bound is believed.
const OVERRUN_MAX: u64 = 4;

/// Billionths of the money's unit for a token whose price per million is 1.
const NANOS_PER_TOKEN: f64 = 1_000.0;

/// Numbers of tokens in prompt and answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCount {
    /// Tokens in the prompt.
    pub prompt: u64,
    /// Tokens in the answer.
    pub completion: u64,
    /// Tokens in the prompt that the provider had kept from an earlier one: a part of `prompt`.
    pub cached: u64,
}

impl TokenCount {
    /// Returns the sum of prompt and answer.
    pub fn total(self) -> u64 {
        self.prompt + self.completion
    }
}

/// Returns the most tokens that a provider can bill for the request.
pub fn bound(ask: &Ask) -> TokenCount {
    match ask {
        Ask::Completion(request) => {
            let text: usize = request.messages.iter().map(|message| message.content.len()).sum();
            let schema =
                request.schema.as_ref().map_or(0, |schema| schema.schema.to_string().len() + schema.name.len());
            let around = TOKENS_PER_PROMPT + TOKENS_PER_MESSAGE * request.messages.len() as u64;
            TokenCount { prompt: (text + schema) as u64 + around, completion: u64::from(request.max_tokens), cached: 0 }
        }
        Ask::Embeddings(request) => {
            let text: usize = request.texts.iter().map(String::len).sum();
            let prompt = text as u64 + TOKENS_PER_MESSAGE * request.texts.len() as u64;
            TokenCount { prompt, ..TokenCount::default() }
        }
    }
}

/// Why a provider's report of its usage is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A number is missing.
    Missing,
    /// A number is zero although words were sent or received.
    Zero,
    /// A number is far beyond what the call can take.
    BeyondBound,
}

names! { Doubt { Missing = "missing", Zero = "zero", BeyondBound = "beyond_bound" } }

/// Returns the usage that the provider reports.
///
/// # Errors
/// The reason why the report is not believed. `bound` is the most tokens that the call may use. Some servers do not count
/// a model's reasoning against that limit, and some ignore the limit: up to `OVERRUN_MAX` times `bound` is believed, since
/// it will be billed. Of the prompt, no more than all of it counts as kept.
pub fn used(reply: &Reply, bound: TokenCount) -> Result<TokenCount, Doubt> {
    let (prompt, completion, cached, says_words) = match reply {
        Reply::Completion(completion) => {
            let says_words = !completion.text.trim().is_empty();
            (completion.prompt_tokens, completion.completion_tokens, completion.cached_tokens, says_words)
        }
        Reply::Embeddings(embeddings) => (embeddings.tokens, Some(0), None, false),
    };
    let (Some(prompt), Some(completion)) = (prompt, completion) else { return Err(Doubt::Missing) };
    if prompt == 0 || (completion == 0 && says_words) {
        return Err(Doubt::Zero);
    }
    let cached = cached.unwrap_or(0).min(prompt);
    let used = TokenCount { prompt: prompt.into(), completion: completion.into(), cached: cached.into() };
    let is_beyond = |used: u64, bound: u64| used > bound.saturating_mul(OVERRUN_MAX);
    if is_beyond(used.prompt, bound.prompt) || is_beyond(used.completion, bound.completion) {
        return Err(Doubt::BeyondBound);
    }
    Ok(used)
}

/// Returns the cost of tokens of `model`.
pub fn cost(settings: &ProviderSettings, model: &str, tokens: TokenCount) -> Cost {
    let price = settings.prices.get(model).copied().or(settings.price).unwrap_or_default();
    let read = tokens.prompt.saturating_sub(tokens.cached);
    let prompt = read as f64 * price.prompt + tokens.cached as f64 * price.cached.unwrap_or(price.prompt);
    let nanos = (prompt + tokens.completion as f64 * price.completion) * NANOS_PER_TOKEN;
    Cost { tokens: tokens.total() as i64, nanos: nanos.ceil() as i64 }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Price;
    use super::*;
    use crate::ports::llm::{Completion, CompletionRequest, FinishReason, PromptMessage, Role};

    fn price(prompt: f64, completion: f64) -> Price {
        Price { prompt, completion, cached: None }
    }

    #[test]
    fn a_price_is_per_million_tokens_and_a_models_own_goes_first() {
        let mut settings = ProviderSettings { price: Some(price(0.15, 0.6)), ..ProviderSettings::default() };
        settings.prices.insert("large".to_owned(), price(10.0, 30.0));
        let million = TokenCount { prompt: 1_000_000, completion: 1_000_000, cached: 0 };
        assert_eq!(cost(&settings, "small", million), Cost { tokens: 2_000_000, nanos: 750_000_000 });
        assert_eq!(cost(&settings, "large", million).nanos, 40_000_000_000);
        assert_eq!(cost(&ProviderSettings::default(), "small", million).nanos, 0);
    }

    #[test]
    fn kept_tokens_have_a_price_of_their_own_or_that_of_the_prompt() {
        let mut settings = ProviderSettings { price: Some(price(1.0, 2.0)), ..ProviderSettings::default() };
        let tokens = TokenCount { prompt: 1_000, completion: 100, cached: 800 };
        assert_eq!(cost(&settings, "m", tokens), Cost { tokens: 1_100, nanos: 1_200_000 });
        settings.price = Some(Price { cached: Some(0.25), ..price(1.0, 2.0) });
        assert_eq!(cost(&settings, "m", tokens), Cost { tokens: 1_100, nanos: 600_000 });
    }

    #[test]
    fn no_more_than_the_whole_prompt_counts_as_kept() {
        let told = |cached_tokens| {
            let completion = Completion {
                text: "Yes.".to_owned(),
                finish_reason: FinishReason::Stop,
                prompt_tokens: Some(300),
                completion_tokens: Some(3),
                cached_tokens,
            };
            let bound = TokenCount { prompt: 1_000, completion: 100, cached: 0 };
            used(&Reply::Completion(completion), bound).map(|used| used.cached)
        };
        assert_eq!((told(None), told(Some(256)), told(Some(10_192))), (Ok(0), Ok(256), Ok(300)));
    }

    #[test]
    fn usage_that_cannot_be_is_not_believed() {
        let count = |prompt, completion| TokenCount { prompt, completion, cached: 0 };
        let bound = count(1_000, 100);
        let used = |text: &str, prompt_tokens, completion_tokens| {
            let (text, finish_reason) = (text.to_owned(), FinishReason::Stop);
            let completion = Completion { text, finish_reason, prompt_tokens, completion_tokens, cached_tokens: None };
            used(&Reply::Completion(completion), bound)
        };
        assert_eq!(used("Yes.", Some(300), Some(3)), Ok(count(300, 3)));
        assert_eq!(used("Yes.", Some(300), Some(350)), Ok(count(300, 350)), "thinking");
        assert_eq!(used("", Some(300), Some(0)), Ok(count(300, 0)), "a filter's silence");
        for (prompt, completion) in [(Some(0), Some(0)), (Some(300), Some(0)), (Some(0), Some(3))] {
            assert_eq!(used("Yes.", prompt, completion), Err(Doubt::Zero));
        }
        for (prompt, completion) in [(None, None), (Some(300), None), (None, Some(3))] {
            assert_eq!(used("Yes.", prompt, completion), Err(Doubt::Missing));
        }
        for (prompt, completion) in [(Some(300), Some(401)), (Some(4_001), Some(3)), (Some(u32::MAX), Some(u32::MAX))] {
            assert_eq!(used("Yes.", prompt, completion), Err(Doubt::BeyondBound));
        }
    }

    #[test]
    fn a_bound_counts_every_byte() {
        let message = PromptMessage { role: Role::User, content: "çay?".to_owned() };
        let request = CompletionRequest {
            model: "m".to_owned(),
            messages: vec![message.clone(), message],
            temperature: 1.0,
            max_tokens: 7,
            schema: None,
        };
        let bound = bound(&Ask::Completion(request));
        assert_eq!((bound.prompt, bound.completion), (10 + 32 + 160, 7));
    }
}
