//! Asks the manifest's own models for new texts of turns that differ. Layer `runtime`.
//!
//! Calls go straight through the adapters, one after another, until their number is used up: no lane, no allowance, no
//! send. Each is paid for like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use botfleet_actors::ports::llm::{CompletionRequest, KeyIndex, LlmProvider};

use super::report::NewText;
use crate::config::manifest::entry::ProviderEntry;
use crate::runtime::starting::provider;

/// Models that may be asked for a number of texts.
pub struct Models {
    providers: BTreeMap<String, Arc<dyn LlmProvider>>,
    left: u32,
    made: u32,
}

impl Models {
    /// Makes the providers of a manifest, for so many calls.
    ///
    /// # Errors
    /// When an adapter cannot be built.
    pub fn of(entries: Vec<ProviderEntry>, most: u32) -> anyhow::Result<Self> {
        let built = entries.into_iter().map(|entry| provider(&entry).map(|setup| (setup.name, setup.llm)));
        Ok(Self { providers: built.collect::<anyhow::Result<_>>()?, left: most, made: 0 })
    }

    /// Returns the number of calls that were made.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Asks for the text of a bot's turn; returns `None` when no call is left.
    pub(super) async fn text(&mut self, bot: String, at: &str, request: CompletionRequest) -> Option<NewText> {
        self.left = self.left.checked_sub(1)?;
        let Some(provider) = self.providers.get(at) else {
            let error = format!("the manifest has no provider {at:?}");
            return Some(NewText { bot, text: None, error: Some(error) });
        };
        self.made += 1;
        Some(match provider.complete(KeyIndex(0), request).await {
            Ok(completion) => NewText { bot, text: Some(completion.text.trim().to_owned()), error: None },
            Err(error) => NewText { bot, text: None, error: Some(error.to_string()) },
        })
    }
}
