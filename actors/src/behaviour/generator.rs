//! Builds the whole request to a model. Layer `behaviour`; pure but for a cache of rendered system prompts.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{choose, estimate_tokens};
use super::note::Note;
use super::notes::{Notes, relationship};
use super::objection::Objection;
use super::prompt::{Templates, clean_name, line_of, opener, quotation, recall};
use super::stances::choice::{Moment, relevant};
use crate::domain::ids::{BotId, ChatId};
use crate::domain::incoming::Quoted;
use crate::domain::roster::{BotProfile, ChatProfile, Language};
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKind, TranscriptEntry};
use crate::domain::turn::Act;
use crate::ports::llm::{CompletionRequest, PromptMessage, Role};

/// Most rendered system prompts that are kept; when there are more, all are forgotten.
const CACHED_MAX: usize = 4096;

/// Everything that a turn's prompt depends on.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The bot that speaks.
    pub bot: &'a BotProfile,
    /// Username of the bot, once known.
    pub username: Option<&'a str>,
    /// The chat.
    pub chat: &'a ChatProfile,
    /// Names of the chat's bots.
    pub cast_names: &'a [String],
    /// The end of the transcript at the time of the decision, oldest first.
    pub window: &'a [Arc<Note>],
    /// The entry to answer; `None` when the bot speaks unasked.
    pub target: Option<&'a TranscriptEntry>,
    /// Name in the manifest of the target's author, when the author is a bot of the fleet.
    pub target_bot: Option<&'a str>,
    /// The act asked of the bot.
    pub act: &'a Act,
    /// Objections for which the model is asked again, if it is.
    pub objections: &'a [Objection],
    /// Current time.
    pub now: Timestamp,
}

/// Key of a system prompt: bot, revision of its persona, chat.
type SystemKey = (BotId, i64, ChatId);

/// A rendered system prompt.
struct System {
    /// Fingerprint of the names in the prompt, which may change under the same key.
    names: u64,
    text: Arc<str>,
}

/// Builds requests.
pub struct Generator {
    templates: Templates,
    systems: Mutex<HashMap<SystemKey, System>>,
}

impl Generator {
    /// Creates a generator with the built-in templates.
    ///
    /// # Errors
    /// When a template is malformed.
    pub fn new() -> Result<Self, minijinja::Error> {
        Ok(Self { templates: Templates::new()?, systems: Mutex::default() })
    }

    /// Builds the request for one turn. Its first message depends on bot and chat alone; its last message is of role
    /// `User` and ends with the target's text.
    ///
    /// # Errors
    /// When a template uses a value that is missing.
    pub fn request(&self, stage: &Stage<'_>, model: &str) -> Result<CompletionRequest, minijinja::Error> {
        let generation = &stage.bot.spec.generation;
        let standing = self.system(stage)?;
        let notes = self.templates.notes(stage.bot.spec.persona.language, &notes_of(stage))?;
        let notes = Some(notes).filter(|notes| !notes.is_empty());
        let language = stage.bot.spec.persona.language;
        let replied = stage.target.and_then(|target| Replied::of(target, stage.window));
        let quotation = replied.map(|replied| replied.quotation(language));
        let last_line = |quotation: Option<&str>| match stage.target {
            Some(target) => line_of(&target.author.name, target.text.as_deref(), target.media.as_ref(), quotation),
            None => opening(language, stage),
        };
        let mut last = last_line(quotation.as_deref());
        let spent = estimate_tokens(&standing).saturating_add(estimate_tokens(&last));
        let spent = spent.saturating_add(notes.as_deref().map_or(0, estimate_tokens));
        let left = generation.context_tokens.saturating_sub(spent);
        let room = generation.context_messages.saturating_sub(usize::from(stage.target.is_some()));
        let chosen = choose(stage.window, stage.target, room, left);
        let stands_there = |number| chosen.iter().any(|line| line.entry.number == number);
        if let Some(Replied::Held(note)) = replied
            && stands_there(note.number)
        {
            last = last_line(None);
        }
        let mut messages = Vec::with_capacity(chosen.len() + 3);
        messages.push(PromptMessage { role: Role::System, content: standing.as_ref().to_owned() });
        messages.extend(chosen.into_iter().map(|line| {
            let own = line.entry.fleet_bot == Some(stage.bot.id);
            match line.text {
                Some(text) if own => PromptMessage { role: Role::Assistant, content: text.to_owned() },
                text => {
                    let shown = line.quoted.map(|quoted| Replied::Shown(quoted).quotation(language));
                    let media = line.entry.media.as_ref();
                    let content = line_of(&line.entry.author.name, text, media, shown.as_deref());
                    PromptMessage { role: Role::User, content }
                }
            }
        }));
        messages.extend(notes.map(|content| PromptMessage { role: Role::System, content }));
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

/// Returns the fingerprint of everything in a system prompt that its key does not tell.
fn fingerprint(stage: &Stage<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&stage.bot.spec.name, stage.username, &stage.chat.spec.name, stage.cast_names).hash(&mut hasher);
    hasher.finish()
}

/// The message that another one replies to.
#[derive(Clone, Copy)]
enum Replied<'a> {
    /// Telegram's excerpt of the message.
    Shown(&'a Quoted),
    /// The message itself, which the window holds.
    Held(&'a Note),
}

impl<'a> Replied<'a> {
    fn of(target: &TranscriptEntry, window: &'a [Arc<Note>]) -> Option<Self> {
        let shown = window.iter().rev().find(|note| note.number == target.number).and_then(|note| note.quoted());
        if let Some(quoted) = shown {
            return Some(Self::Shown(quoted));
        }
        let message = target.reply_to?;
        let is_it = |note: &&Arc<Note>| {
            let same = note.message_id == message && note.telegram_chat == target.telegram_chat;
            same && note.kind == EntryKind::Message && !note.is_notice()
        };
        window.iter().rev().find(is_it).map(|note| Self::Held(note))
    }

    fn quotation(self, language: Language) -> String {
        match self {
            Self::Shown(quoted) => {
                let words = quoted.part.as_deref().or(quoted.text.as_deref());
                quotation(language, quoted.name.as_deref(), words, quoted.media.as_deref())
            }
            Self::Held(note) => {
                let media = note.media.as_ref().map(|media| media.kind.as_str());
                quotation(language, Some(&note.author.name), note.text.as_deref(), media)
            }
        }
    }
}

/// Returns the request to speak unasked: to come back to what was said, while it is there, or to bring something up.
fn opening(language: Language, stage: &Stage<'_>) -> String {
    let recalled = match stage.act {
        Act::Open { recalls: Some(number), .. } => stage.window.iter().find(|note| note.number == *number),
        _ => None,
    };
    let told = recalled.and_then(|note| {
        let is_edit = |other: &&Arc<Note>| {
            let same = (other.telegram_chat, other.message_id) == (note.telegram_chat, note.message_id);
            same && other.kind == EntryKind::Edit
        };
        let edit = stage.window.iter().rev().find(is_edit).and_then(|edit| edit.text.as_deref());
        Some(recall(language, &note.author.name, edit.or(note.text.as_deref())?))
    });
    told.unwrap_or_else(|| opener(language, topic(stage.act)))
}

/// Returns the topic to bring up.
fn topic(act: &Act) -> Option<&str> {
    match act {
        Act::Open { topic, .. } => topic.as_deref(),
        _ => None,
    }
}

/// Gathers the notes for this message alone.
fn notes_of<'a>(stage: &Stage<'a>) -> Notes<'a> {
    let relation = stage.target.and_then(|target| {
        let relation = relationship(stage.bot, target, stage.target_bot)?;
        Some((relation, clean_name(&target.author.name)))
    });
    let moment = Moment {
        bot: stage.bot.id,
        target: stage.target.and_then(|target| target.text.as_deref()),
        topic: topic(stage.act),
        window: stage.window,
        now: stage.now,
    };
    let stances = relevant(&stage.bot.spec.persona.stances, &moment);
    Notes { relation, stances, objections: stage.objections }
}

#[cfg(test)]
mod tests;
