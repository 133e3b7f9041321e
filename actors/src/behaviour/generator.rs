//! The whole request to a model. Layer `behaviour`; pure but for a cache of rendered system prompts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{choose, estimate_tokens};
use super::prompt::{Templates, clean_name, opener};
use crate::domain::ids::{BotId, ChatId};
use crate::domain::roster::{BotProfile, ChatProfile};
use crate::domain::transcript::TranscriptEntry;
use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

/// Rendered system prompts kept; when there are more, all are forgotten.
const CACHED_MAX: usize = 4096;

/// Everything that a turn's prompt depends on.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The bot that speaks.
    pub bot: &'a BotProfile,
    /// Its username, once known.
    pub username: Option<&'a str>,
    /// The chat.
    pub chat: &'a ChatProfile,
    /// Names of the chat's bots.
    pub cast_names: &'a [String],
    /// The end of the transcript at the time of the decision, oldest first.
    pub window: &'a [Arc<TranscriptEntry>],
    /// The entry to answer; `None` when it speaks unasked.
    pub target: Option<&'a TranscriptEntry>,
    /// Seed of what is left to chance.
    pub seed: u64,
}

type SystemKey = (BotId, i64, ChatId, bool);

/// Builds requests.
pub struct Generator {
    templates: Templates,
    systems: Mutex<HashMap<SystemKey, Arc<str>>>,
}

impl Generator {
    /// A generator with the built-in templates.
    ///
    /// # Errors
    /// When a template is malformed.
    pub fn new() -> Result<Self, minijinja::Error> {
        Ok(Self { templates: Templates::new()?, systems: Mutex::default() })
    }

    /// The request for one turn. Its last message is of role `User` and ends with the target's text.
    ///
    /// # Errors
    /// When a template asks for what is not there.
    pub fn request(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, minijinja::Error> {
        let generation = &stage.bot.spec.generation;
        let system = self.system(stage)?;
        let last = match stage.target {
            Some(target) => line_of(target),
            None => opener(stage.bot.spec.persona.language, topic(stage)),
        };
        let spent = estimate_tokens(&system) + estimate_tokens(&last);
        let left = generation.context_tokens.saturating_sub(spent);
        let chosen = choose(stage.window, stage.target, generation.context_messages, left);
        let mut messages = Vec::with_capacity(chosen.len() + 2);
        messages.push(PromptMessage { role: Role::System, content: system.as_ref().to_owned() });
        for entry in chosen {
            let own = entry.fleet_bot == Some(stage.bot.id);
            let (role, content) = if own {
                (Role::Assistant, entry.text.clone().unwrap_or_default())
            } else {
                (Role::User, line_of(entry))
            };
            messages.push(PromptMessage { role, content });
        }
        messages.push(PromptMessage { role: Role::User, content: last });
        Ok(CompletionRequest {
            model: model.to_owned(),
            messages,
            temperature: generation.temperature,
            max_tokens: generation.max_tokens,
        })
    }

    fn system(&self, stage: &Stage<'_>) -> Result<Arc<str>, minijinja::Error> {
        let key = (stage.bot.id, stage.bot.persona_revision, stage.chat.id, stage.username.is_some());
        if let Some(system) = self.systems.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(system));
        }
        let system = self.templates.system(stage.bot, stage.username, stage.chat, stage.cast_names)?;
        let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
        if systems.len() >= CACHED_MAX {
            systems.clear();
        }
        systems.insert(key, Arc::clone(&system));
        Ok(system)
    }
}

/// "Name: text".
fn line_of(entry: &TranscriptEntry) -> String {
    let what = match (&entry.text, &entry.media) {
        (Some(text), _) => text.as_str(),
        (None, Some(media)) => media.kind.as_str(),
        (None, None) => "",
    };
    format!("{}: {what}", clean_name(&entry.author.name))
}

/// A topic of the chat, or an interest of the bot, by chance.
fn topic<'a>(stage: &Stage<'a>) -> Option<&'a str> {
    let topics: Vec<&str> =
        stage.chat.spec.topics.iter().chain(&stage.bot.spec.persona.interests).map(String::as_str).collect();
    if topics.is_empty() {
        return None;
    }
    Some(topics[fastrand::Rng::with_seed(stage.seed).usize(..topics.len())])
}
