//! Bounds of what a call may cost, and what it cost. Layer `actors`; pure.
//!
//! The bound holds for every tokenizer that gives at most one token for a byte, which byte-level and sentence-piece
//! vocabularies do, and for the templates that servers put around messages.

use super::call::{Ask, Reply};
use super::settings::{Price, ProviderSettings};
use crate::policy::treasury::Cost;

/// Most tokens that a server's template adds to a message: its role and marks.
const TOKENS_PER_MESSAGE: u64 = 16;

/// Most tokens that a server's template adds to a prompt: its date, its own instructions.
const TOKENS_PER_PROMPT: u64 = 160;

/// Billionths of the money's unit for a token whose price per million is 1.
const NANOS_PER_TOKEN: f64 = 1_000.0;

/// Tokens of prompt and answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCount {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the answer.
    pub completion: u64,
}

impl TokenCount {
    /// Both.
    pub fn total(self) -> u64 {
        self.prompt + self.completion
    }
}

/// The most tokens that a provider can bill for it.
pub fn bound(ask: &Ask) -> TokenCount {
    match ask {
        Ask::Completion(request) => {
            let text: usize = request.messages.iter().map(|message| message.content.len()).sum();
            let schema =
                request.schema.as_ref().map_or(0, |schema| schema.schema.to_string().len() + schema.name.len());
            let around = TOKENS_PER_PROMPT + TOKENS_PER_MESSAGE * request.messages.len() as u64;
            TokenCount { prompt: (text + schema) as u64 + around, completion: u64::from(request.max_tokens) }
        }
        Ask::Embeddings(request) => {
            let text: usize = request.texts.iter().map(String::len).sum();
            TokenCount { prompt: text as u64 + TOKENS_PER_MESSAGE * request.texts.len() as u64, completion: 0 }
        }
    }
}

/// What the provider says that was used; `None` when it does not say all.
pub fn used(reply: &Reply) -> Option<TokenCount> {
    match reply {
        Reply::Completion(completion) => Some(TokenCount {
            prompt: completion.prompt_tokens?.into(),
            completion: completion.completion_tokens?.into(),
        }),
        Reply::Embeddings(embeddings) => Some(TokenCount { prompt: embeddings.tokens?.into(), completion: 0 }),
    }
}

/// What tokens of `model` cost.
pub fn cost(settings: &ProviderSettings, model: &str, tokens: TokenCount) -> Cost {
    let Price { prompt, completion } = settings.prices.get(model).copied().or(settings.price).unwrap_or_default();
    let nanos = (tokens.prompt as f64 * prompt + tokens.completion as f64 * completion) * NANOS_PER_TOKEN;
    Cost { tokens: tokens.total() as i64, nanos: nanos.ceil() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

    #[test]
    fn a_price_is_per_million_tokens_and_a_models_own_goes_first() {
        let mut settings =
            ProviderSettings { price: Some(Price { prompt: 0.15, completion: 0.6 }), ..ProviderSettings::default() };
        settings.prices.insert("large".to_owned(), Price { prompt: 10.0, completion: 30.0 });
        let million = TokenCount { prompt: 1_000_000, completion: 1_000_000 };
        assert_eq!(cost(&settings, "small", million), Cost { tokens: 2_000_000, nanos: 750_000_000 });
        assert_eq!(cost(&settings, "large", million).nanos, 40_000_000_000);
        assert_eq!(cost(&ProviderSettings::default(), "small", million).nanos, 0);
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
