//! A provider as a manifest describes it. Layer: configuration.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use botfleet_actors::actors::provider::settings::{Price, ProviderSettings};
use botfleet_actors::domain::keys::choice::choices;
use botfleet_actors::domain::keys::rule::{group, key, no_key};
use botfleet_actors::domain::keys::{keyed, keys_of};
use botfleet_actors::policy::breaker::BreakerSettings;
use secrecy::SecretString;

use crate::llm::settings::{LlmProviderSettings, Parameter, ProviderKind, Roles};

choices! { ProviderKind Roles Parameter }

fn usual() -> LlmProviderSettings {
    LlmProviderSettings::default()
}

keyed! {
    /// A provider of models.
    #[derive(Debug)]
    pub struct ProviderEntry {
        /// Name in the manifest; it holds no slash.
        pub name: String = key(String::new()).required("give it a name").tidy();
        /// API that the provider speaks. A compatible provider needs a `base_url`.
        pub kind: ProviderKind = key(ProviderKind::Compatible)
            .required("openai, gemini, groq, anthropic, ollama, llama_cpp or compatible");
        /// Address up to and with the version.
        pub base_url: Option<String> = key(None).unset("the kind's usual one")
            .example("\"http://127.0.0.1:11434/v1\"");
        /// The one key: `env:NAME` or `file:PATH`.
        pub(super) api_key: Option<String> = key(None).unset("none").secret();
        /// Several keys instead of `api_key`: they take turns, and one that is revoked or used up is left alone.
        pub(super) keys: Option<Vec<String>> = key(None).unset("none").secret()
            .example("[\"env:KEY_A\", \"env:KEY_B\"]");
        /// Keys, as their references lead to them.
        pub api_keys: Vec<SecretString> = no_key(Vec::new());
        /// Set when the address is not the word of whoever owns the machine.
        pub guarded: bool = no_key(false);
        /// The model of bots that name the provider alone.
        pub model: Option<String> = key(None).unset("none");
        /// Answers are streamed.
        pub stream: bool = key(false);
        /// Roles that the models take: in any order (free), by turns, so that neighbours of one role are merged
        /// (alternating), or by turns with the instructions in the first message (`alternating_without_system`). Learned from
        /// refusals too, until the process ends.
        pub roles: Roles = key(Roles::Free);
        /// Parameters that are never sent to the provider. Learned from refusals too, until the process ends.
        pub omit: Vec<Parameter> = key(Vec::new());
        /// Most time to connect: DNS, TCP and TLS together.
        pub connect_timeout: Duration = key(usual().connect_timeout).not_zero();
        /// Most time until the first part of a streamed answer.
        pub first_token_timeout: Duration = key(usual().first_token_timeout).not_zero();
        /// Settings of the provider's actor, such as its limits.
        pub settings: ProviderSettings = group::<ProviderKeys>().flat();
    }
}

impl ProviderEntry {
    /// Returns the reference of the first key.
    pub fn first_reference(&self) -> Option<&str> {
        self.api_key.as_deref().or_else(|| self.keys.as_ref()?.first().map(String::as_str))
    }
}

keys_of! {
    /// Limits and prices of one provider.
    pub(super) ProviderKeys of ProviderSettings as usual {
        /// For each model: calls at the same time.
        concurrency: NonZeroUsize = key(usual.concurrency);
        /// With each key: most calls at the same time.
        concurrency_per_key: Option<NonZeroUsize> = key(usual.concurrency_per_key).or_zero();
        /// For each model: calls that may wait. People who wait go before bots, bots before talk that nobody asked for;
        /// when too many wait, the least urgent is given up.
        waiting: NonZeroUsize = key(usual.waiting);
        /// With each key: most calls a minute. Write what the provider grants: botfleet stays just under it.
        requests_per_minute: Option<NonZeroU32> = key(usual.requests_per_minute).or_zero();
        /// With each key: most tokens a minute.
        tokens_per_minute: Option<NonZeroU32> = key(usual.tokens_per_minute).or_zero();
        /// Most time for the whole call, without the wait before it.
        timeout: Duration = key(usual.timeout).not_zero();
        /// Time for which a key that the provider refuses is left alone.
        refused_key_pause: Duration = key(usual.refused_key_pause).not_zero();
        /// So many failures of a model in a row stop its calls for a while; the next model in the chain takes over. An
        /// answer that must not reach a chat is a failure too.
        breaker: BreakerSettings = group::<BreakerSettings>();
        /// Price of tokens: money per million tokens; budgets and costs are in the same money. Without it calls are free.
        price: Option<Price> = group::<PriceKeys>().optional();
        /// Prices of single models, which go before `price`.
        prices: BTreeMap<String, Price> = group::<PriceKeys>().named();
    }
}

keys_of! {
    /// Money per million tokens.
    pub(super) PriceKeys of Price as free {
        /// Price of prompt tokens.
        prompt: f64 = key(free.prompt).within(0.0..=1_000_000.0);
        /// Price of prompt tokens that the provider had kept from an earlier prompt.
        cached: Option<f64> = key(free.cached).within(0.0..=1_000_000.0).unset("the price of prompt tokens");
        /// Price of answer tokens.
        completion: f64 = key(free.completion).within(0.0..=1_000_000.0);
    }
}

impl ProviderEntry {
    /// Returns whether the provider has references to keys, and this node finds none of them.
    pub fn lacks_keys(&self) -> bool {
        self.api_keys.is_empty() && (self.api_key.is_some() || self.keys.is_some())
    }
}
