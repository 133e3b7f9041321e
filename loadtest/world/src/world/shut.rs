//! The refusal of bots that may not write in a chat or topic. Layer: world.

use super::error::ApiError;
use super::spec::ChatKind;

/// The reason why bots cannot write in a chat or topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// The `error_code` of the refusal.
    pub code: u16,
    /// The description of the refusal.
    pub description: String,
    /// True when the chat or topic was deleted, so that bots cannot even ask for information about it.
    pub gone: bool,
}

impl Shut {
    /// Closes with the given code and description of the refusal.
    pub fn closed(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), gone: false }
    }

    /// Closes to all but administrators.
    pub fn without_rights() -> Self {
        Self::closed(400, "Bad Request: not enough rights to send text messages to the chat")
    }

    pub(super) fn deleted(kind: ChatKind) -> Self {
        let (code, why) = match kind {
            ChatKind::Basic => (403, "Forbidden: the group chat was deleted"),
            ChatKind::Supergroup | ChatKind::Forum => (400, "Bad Request: chat not found"),
        };
        Self { code, description: why.to_owned(), gone: true }
    }

    pub(crate) fn refusal(&self) -> ApiError {
        ApiError::new(self.code, self.description.clone())
    }
}
