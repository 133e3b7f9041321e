//! The whole request to a model. Layer `behaviour`; pure but for a cache of rendered system prompts.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{choose, estimate_tokens};
use super::note::Note;
use super::prompt::{Templates, line_of, opener};
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
    pub window: &'a [Arc<Note>],
    /// The entry to answer; `None` when it speaks unasked.
    pub target: Option<&'a TranscriptEntry>,
    /// Seed of what is left to chance.
    pub seed: u64,
}

/// Bot, revision of its persona, chat.
type SystemKey = (BotId, i64, ChatId);

/// A rendered system prompt.
struct System {
    /// Of the names it was rendered with: they may change under the same key.
    names: u64,
    text: Arc<str>,
}

/// Builds requests.
pub struct Generator {
    templates: Templates,
    systems: Mutex<HashMap<SystemKey, System>>,
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
            Some(target) => line_of(&target.author.name, target.text.as_deref(), target.media.as_ref()),
            None => opener(stage.bot.spec.persona.language, topic(stage)),
        };
        let spent = estimate_tokens(&system).saturating_add(estimate_tokens(&last));
        let left = generation.context_tokens.saturating_sub(spent);
        let room = generation.context_messages.saturating_sub(usize::from(stage.target.is_some()));
        let chosen = choose(stage.window, stage.target, room, left);
        let mut messages = Vec::with_capacity(chosen.len() + 2);
        messages.push(PromptMessage { role: Role::System, content: system.as_ref().to_owned() });
        messages.extend(chosen.into_iter().map(|line| {
            let own = line.entry.fleet_bot == Some(stage.bot.id);
            match line.text {
                Some(text) if own => PromptMessage { role: Role::Assistant, content: text.to_owned() },
                text => {
                    let content = line_of(&line.entry.author.name, text, line.entry.media.as_ref());
                    PromptMessage { role: Role::User, content }
                }
            }
        }));
        messages.push(PromptMessage { role: Role::User, content: last });
        Ok(CompletionRequest {
            model: model.to_owned(),
            messages,
            temperature: generation.temperature,
            max_tokens: generation.max_tokens,
            schema: None,
        })
    }

    fn system(&self, stage: &Stage<'_>) -> Result<Arc<str>, minijinja::Error> {
        let key = (stage.bot.id, stage.bot.persona_revision, stage.chat.id);
        let names = fingerprint(stage);
        let cached = |systems: &HashMap<SystemKey, System>| {
            systems.get(&key).filter(|system| system.names == names).map(|system| Arc::clone(&system.text))
        };
        if let Some(text) = cached(&self.systems.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(text);
        }
        let text = self.templates.system(stage.bot, stage.username, stage.chat, stage.cast_names)?;
        let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
        if systems.len() >= CACHED_MAX {
            systems.clear();
        }
        systems.insert(key, System { names, text: Arc::clone(&text) });
        Ok(text)
    }
}

/// Of all in a system prompt that its key does not tell.
fn fingerprint(stage: &Stage<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&stage.bot.spec.name, stage.username, &stage.chat.spec.name, stage.cast_names).hash(&mut hasher);
    hasher.finish()
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

#[cfg(test)]
mod tests;
