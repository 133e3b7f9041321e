//! A provider, ready for its actor. Layer `actors`.

use std::sync::Arc;

use crate::actors::provider::settings::ProviderSettings;
use crate::ports::llm::LlmProvider;

/// A provider as the runtime has set it up.
#[derive(Clone)]
pub struct ProviderSetup {
    /// The provider's name in the manifest.
    pub name: String,
    /// The adapter.
    pub llm: Arc<dyn LlmProvider>,
    /// The provider's settings: limits, pauses, breakers.
    pub settings: ProviderSettings,
}
