//! A provider that answers by script, and otherwise with a sentence that it never said before. Part of the testkit.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use super::journal::{Happening, Journal};
use crate::ports::llm::{Completion, CompletionRequest, FinishReason, LlmError, LlmProvider};

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// It says this.
    Say(String),
    /// It fails.
    Fail(LlmError),
    /// The client panics.
    Panic,
}

/// One provider.
pub struct ScriptedLlm {
    name: String,
    journal: Journal,
    next: Mutex<VecDeque<Thought>>,
    every: Mutex<Option<Thought>>,
    held: watch::Sender<bool>,
    said: AtomicU64,
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
        }
    }

    /// What becomes of the next call that nothing was said of yet.
    pub fn next(&self, thought: Thought) {
        self.next.lock().unwrap().push_back(thought);
    }

    /// What becomes of every other call; `None` lets it find its own words.
    pub fn every(&self, thought: Option<Thought>) {
        *self.every.lock().unwrap() = thought;
    }

    /// Keeps all calls waiting, or lets them go on.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.journal.count(|happening| matches!(happening, Happening::Asked { provider } if *provider == self.name))
    }
}

#[async_trait]
impl LlmProvider for ScriptedLlm {
    async fn complete(&self, _: CompletionRequest) -> Result<Completion, LlmError> {
        self.journal.note(Happening::Asked { provider: self.name.clone() });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let next = self.next.lock().unwrap().pop_front();
        let text = match next.or_else(|| self.every.lock().unwrap().clone()) {
            Some(Thought::Say(text)) => text,
            Some(Thought::Fail(error)) => return Err(error),
            Some(Thought::Panic) => panic!("the client of provider {} panics", self.name),
            None => format!("{} says thing number {}.", self.name, self.said.fetch_add(1, Ordering::SeqCst)),
        };
        Ok(Completion { text, finish_reason: FinishReason::Stop, prompt_tokens: Some(10), completion_tokens: Some(5) })
    }

    async fn probe(&self) -> Result<(), LlmError> {
        Ok(())
    }
}
