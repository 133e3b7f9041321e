//! Knows how each model has to be asked, and learns that from refusals. Layer `adapters`; pure but for the memory.
//!
//! A refusal that names a parameter, or the order of roles, is a lesson: the call is made once more in that other way.
//! When that call is not refused, the lesson is kept for the model until the process ends. Each lesson leaves something
//! out or renames it once, so that lessons end.
//!
//! # Source
//! The error texts of `OpenAI`, Gemini, Groq, Mistral, Perplexity, `DeepSeek`, vLLM and llama.cpp.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use botfleet_actors::domain::names::names;
use botfleet_actors::ports::llm::CompletionRequest;

use super::settings::{Parameter, Roles};
use crate::llm::vendor::facts::{BoundField, SchemaMode, Vendor};

names! { Parameter {
    Temperature = "temperature", MaxTokens = "max_tokens", ResponseFormat = "response_format",
    StreamOptions = "stream_options", Stream = "stream",
} }

impl Parameter {
    /// Returns the names that refusals give the parameter, in lower case.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Temperature => &["temperature"],
            Self::MaxTokens => &["max_tokens", "max_completion_tokens", "max_output_tokens", "maxoutputtokens"],
            Self::ResponseFormat => &["response_format", "json_schema", "json_object", "response_schema"],
            Self::StreamOptions => &["stream_options", "include_usage"],
            Self::Stream => &["stream", "streaming"],
        }
    }
}

/// The way to ask a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one parameter of the wire, sent or not")]
pub(super) struct Dialect {
    pub(super) roles: Roles,
    pub(super) temperature: bool,
    pub(super) bound: Option<BoundField>,
    pub(super) schema: SchemaMode,
    pub(super) stream: bool,
    pub(super) stream_usage: bool,
    /// Set when the bound goes by its second name already.
    renamed: bool,
}

/// The change that a refusal teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Send other roles.
    Roles(Roles),
    /// Leave a parameter out.
    Without(Parameter),
    /// Send the bound under its other name.
    Bound(BoundField),
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles(Roles::Free) => f.write_str("roles in any order"),
            Self::Roles(Roles::Alternating) => f.write_str("roles = \"alternating\""),
            Self::Roles(Roles::AlternatingWithoutSystem) => f.write_str("roles = \"alternating_without_system\""),
            Self::Without(parameter) => write!(f, "omit = [\"{}\"]", parameter.as_str()),
            Self::Bound(BoundField::MaxTokens) => f.write_str("max_completion_tokens as max_tokens"),
            Self::Bound(BoundField::MaxCompletionTokens) => f.write_str("max_tokens as max_completion_tokens"),
        }
    }
}

/// A refusal that may teach something. Its message may quote people: a lesson from their words is kept only if it
/// helps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'a> {
    pub(super) status: u16,
    pub(super) message: &'a str,
    pub(super) param: Option<&'a str>,
}

impl Dialect {
    /// Returns the way to ask the vendor's models before any of them refused.
    pub(super) fn new(vendor: &Vendor, roles: Roles, stream: bool, omit: &[Parameter]) -> Self {
        let first = Self {
            roles,
            temperature: true,
            bound: Some(vendor.bound),
            schema: vendor.schema,
            stream,
            stream_usage: vendor.stream_usage,
            renamed: false,
        };
        omit.iter().fold(first, |dialect, parameter| dialect.after(Lesson::Without(*parameter)))
    }

    /// Returns the dialect with one more lesson.
    #[must_use]
    pub(super) fn after(mut self, lesson: Lesson) -> Self {
        match lesson {
            Lesson::Roles(roles) => self.roles = self.roles.max(roles),
            Lesson::Bound(field) => (self.bound, self.renamed) = (self.bound.and(Some(field)), true),
            Lesson::Without(Parameter::Temperature) => self.temperature = false,
            Lesson::Without(Parameter::MaxTokens) => self.bound = None,
            Lesson::Without(Parameter::ResponseFormat) => self.schema = SchemaMode::Prompt,
            Lesson::Without(Parameter::StreamOptions) => self.stream_usage = false,
            Lesson::Without(Parameter::Stream) => self.stream = false,
        }
        self
    }

    /// Returns the lesson of a refusal of `request`, which was asked in this dialect.
    pub(super) fn lesson(self, request: &CompletionRequest, refused: Refused<'_>) -> Option<Lesson> {
        let said = refused.message.to_lowercase();
        let is_of_the_request = matches!(refused.status, 400 | 422);
        // A template that fails on the server's side gives a 500.
        if !is_of_the_request && refused.status != 500 {
            return None;
        }
        // Too long a prompt is no fault of a parameter that the refusal names beside it.
        if said.contains("context") && ["length", "window", "size"].iter().any(|word| said.contains(word)) {
            return None;
        }
        if let Some(roles) = self.roles_taught(&said, refused.param) {
            return Some(Lesson::Roles(roles));
        }
        let parameter = is_of_the_request.then(|| self.parameter_taught(request, &said, refused.param)).flatten()?;
        if parameter == Parameter::MaxTokens && !self.renamed {
            return Some(Lesson::Bound(match self.bound? {
                BoundField::MaxTokens => BoundField::MaxCompletionTokens,
                BoundField::MaxCompletionTokens => BoundField::MaxTokens,
            }));
        }
        Some(Lesson::Without(parameter))
    }

    /// Returns the parameter that was sent and is named: by the refusal's own field, else the first in its words.
    fn parameter_taught(self, request: &CompletionRequest, said: &str, param: Option<&str>) -> Option<Parameter> {
        let sent = Parameter::ALL.into_iter().filter(|parameter| self.sends(request, *parameter));
        let sent: Vec<Parameter> = sent.collect();
        let named =
            |parameter: &Parameter, text: &str| parameter.names().iter().filter_map(|name| word_at(text, name)).min();
        let by_field = param.map(str::to_lowercase);
        let by_field = by_field.and_then(|param| sent.iter().copied().find(|one| named(one, &param).is_some()));
        by_field.or_else(|| {
            let by_words = sent.iter().filter_map(|parameter| Some((named(parameter, said)?, *parameter)));
            by_words.min().map(|(_, parameter)| parameter)
        })
    }

    fn sends(self, request: &CompletionRequest, parameter: Parameter) -> bool {
        match parameter {
            Parameter::Temperature => self.temperature,
            Parameter::MaxTokens => self.bound.is_some(),
            Parameter::ResponseFormat => request.schema.is_some() && self.schema != SchemaMode::Prompt,
            Parameter::StreamOptions => self.stream && self.stream_usage,
            Parameter::Stream => self.stream,
        }
    }

    /// Returns the next stricter order of roles, when the refusal speaks of roles.
    fn roles_taught(self, said: &str, param: Option<&str>) -> Option<Roles> {
        const TURNS: [&str; 11] = [
            "alternat",
            "interleav",
            "successive",
            "consecutive",
            "last role",
            "must be a user",
            "should be a user",
            "start with a user",
            "starts with user",
            "at the beginning",
            "be the first",
        ];
        const SYSTEM: [&str; 9] = [
            "system role",
            "role system",
            "system message",
            "system prompt",
            "system instruction",
            "developer instruction",
            "'system'",
            "\"system\"",
            "`system`",
        ];
        const NO: [&str; 7] =
            ["not support", "unsupported", "unexpected", "not allowed", "not enabled", "invalid", "unknown"];
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let wants_turns = has(&TURNS) && (said.contains("role") || said.contains("message"));
        let of_role = param == Some("role") || (said.contains("only user") && said.contains("role"));
        let refuses_system = of_role || (has(&SYSTEM) && has(&NO));
        match self.roles {
            Roles::Free if wants_turns => Some(Roles::Alternating),
            Roles::Free | Roles::Alternating if wants_turns || refuses_system => Some(Roles::AlternatingWithoutSystem),
            _ => None,
        }
    }
}

/// Returns the place at which a word stands in a text, as a word of its own.
fn word_at(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

/// Lessons about a provider's models.
#[derive(Debug)]
pub(super) struct Dialects {
    first: Dialect,
    learned: Mutex<HashMap<String, Learned>>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    dialect: Dialect,
    gives_reasons: bool,
}

impl Dialects {
    /// Starts without any lesson.
    pub(super) fn new(first: Dialect) -> Self {
        Self { first, learned: Mutex::default() }
    }

    /// Returns the way to ask a model.
    pub(super) fn of(&self, model: &str) -> Dialect {
        self.with(|learned| learned.get(model).map_or(self.first, |learned| learned.dialect))
    }

    /// Keeps a lesson; returns whether it is new.
    pub(super) fn keep(&self, model: &str, lesson: Lesson) -> bool {
        self.change(model, |learned| {
            let after = learned.dialect.after(lesson);
            std::mem::replace(&mut learned.dialect, after) != after
        })
    }

    /// Notes that the model gave a reason for the end of an answer, as it will again.
    pub(super) fn gave_reason(&self, model: &str) {
        if !self.gives_reasons(model) {
            self.change(model, |learned| learned.gives_reasons = true);
        }
    }

    /// Returns whether the model ever gave a reason for an end.
    pub(super) fn gives_reasons(&self, model: &str) -> bool {
        self.with(|learned| learned.get(model).is_some_and(|learned| learned.gives_reasons))
    }

    fn change<T>(&self, model: &str, change: impl FnOnce(&mut Learned) -> T) -> T {
        let first = Learned { dialect: self.first, gives_reasons: false };
        self.with(|learned| change(learned.entry(model.to_owned()).or_insert(first)))
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut HashMap<String, Learned>) -> T) -> T {
        use_it(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
