//! A provider that follows a script, and otherwise answers with a sentence that it never said before. Part of the
//! testkit.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use super::journal::{Happening, Journal};
use crate::ports::llm::{
    Completion, CompletionRequest, EmbeddingRequest, Embeddings, FinishReason, KeyIndex, LlmError, LlmProvider,
};

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// The provider answers with this text.
    Say(String),
    /// The call fails.
    Fail(LlmError),
    /// The client panics.
    Panic,
}

/// A scripted provider.
pub struct ScriptedLlm {
    name: String,
    journal: Journal,
    next: Mutex<VecDeque<Thought>>,
    every: Mutex<Option<Thought>>,
    held: watch::Sender<bool>,
    said: AtomicU64,
    keys: usize,
    calls: Mutex<Vec<(KeyIndex, CompletionRequest)>>,
    usage: Mutex<Option<(u32, u32)>>,
}

impl ScriptedLlm {
    /// A provider of that name.
    pub fn new(name: &str, journal: Journal) -> Self {
        Self {
            name: name.to_owned(),
            journal,
            next: Mutex::default(),
            every: Mutex::default(),
            held: watch::Sender::new(false),
            said: AtomicU64::new(0),
            keys: 1,
            calls: Mutex::default(),
            usage: Mutex::new(Some((10, 5))),
        }
    }

    /// Gives the provider this many keys.
    #[must_use]
    pub fn with_keys(self, keys: usize) -> Self {
        Self { keys, ..self }
    }

    /// Sets the usage that each call reports: tokens of the prompt and of the answer.
    pub fn reports(&self, usage: Option<(u32, u32)>) {
        *self.usage.lock().unwrap() = usage;
    }

    /// Returns every call for a completion so far, with its key.
    pub fn calls(&self) -> Vec<(KeyIndex, CompletionRequest)> {
        self.calls.lock().unwrap().clone()
    }

    /// Appends the outcome of one call; outcomes are used up in this order.
    pub fn next(&self, thought: Thought) {
        self.next.lock().unwrap().push_back(thought);
    }

    /// Sets the outcome of all calls without an outcome of their own; `None` lets the provider make up sentences.
    pub fn every(&self, thought: Option<Thought>) {
        *self.every.lock().unwrap() = thought;
    }

    /// Holds all calls, or lets them go on.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Returns how often the provider was called.
    pub fn asked(&self) -> usize {
        self.journal.count(|happening| matches!(happening, Happening::Asked { provider } if *provider == self.name))
    }
}

#[async_trait]
impl LlmProvider for ScriptedLlm {
    fn keys(&self) -> usize {
        self.keys
    }

    async fn embed(&self, _: KeyIndex, request: EmbeddingRequest) -> Result<Embeddings, LlmError> {
        self.journal.note(Happening::Asked { provider: self.name.clone() });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        if let Some(Thought::Fail(error)) = self.next.lock().unwrap().pop_front() {
            return Err(error);
        }
        let vectors = request.texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect();
        Ok(Embeddings { vectors, tokens: Some(3) })
    }

    async fn complete(&self, key: KeyIndex, request: CompletionRequest) -> Result<Completion, LlmError> {
        self.calls.lock().unwrap().push((key, request));
        self.journal.note(Happening::Asked { provider: self.name.clone() });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let next = self.next.lock().unwrap().pop_front();
        let text = match next.or_else(|| self.every.lock().unwrap().clone()) {
            Some(Thought::Say(text)) => text,
            Some(Thought::Fail(error)) => return Err(error),
            Some(Thought::Panic) => panic!("the client of provider {} panics", self.name),
            None => format!("{} says thing number {}.", self.name, self.said.fetch_add(1, Ordering::SeqCst)),
        };
        let usage = *self.usage.lock().unwrap();
        let (prompt_tokens, completion_tokens) = (usage.map(|usage| usage.0), usage.map(|usage| usage.1));
        let cached_tokens = prompt_tokens.map(|tokens| tokens / 2);
        Ok(Completion { text, finish_reason: FinishReason::Stop, prompt_tokens, completion_tokens, cached_tokens })
    }

    async fn probe(&self) -> Result<(), LlmError> {
        Ok(())
    }
}
