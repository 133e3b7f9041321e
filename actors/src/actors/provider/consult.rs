//! Asks models for embeddings and classifier answers, with a cache. Layer `actors`.
//!
//! Answers are cached by model and hash of the whole request. Chat replies never pass here, since a cached reply would
//! be a repetition. An answer that does not fit its schema is sent back once with the reason, and is garbage the second
//! time. Bounded: each cache holds `CACHED_MAX` answers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use moka::sync::Cache;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::call::{Answer, Answered, Ask, Call, CallError, Reply, Wanted};
use crate::actors::node::directory::Directory;
use crate::actors::provider::messages::ProviderMsg;
use crate::domain::ids::{BotId, ChatId};
use crate::domain::roster::ModelRef;
use crate::domain::schema::fits;
use crate::ports::llm::{AnswerSchema, CompletionRequest, EmbeddingRequest, LlmError, PromptMessage, Role};
use crate::ports::metrics;

/// Number of answers that each cache holds.
const CACHED_MAX: u64 = 20_000;

/// The terms on which a question is asked.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The bot that asks, for budgets.
    pub bot: BotId,
    /// The chat that the question is for, for budgets and fairness.
    pub chat: ChatId,
    /// 0 for people who wait, 1 for bots, 2 for talk that nobody asked for.
    pub priority: u8,
    /// The answer is of no use after this.
    pub deadline: Instant,
}

/// Model and hash of the request.
type Key = (ModelRef, u128);

/// Caches in front of the providers.
pub struct Consult {
    vectors: Cache<Key, Arc<[f32]>>,
    verdicts: Cache<Key, Arc<Value>>,
}

impl Default for Consult {
    fn default() -> Self {
        Self { vectors: Cache::new(CACHED_MAX), verdicts: Cache::new(CACHED_MAX) }
    }
}

impl Consult {
    /// Returns the vectors of `texts`, in their order. Only texts that are not cached are asked for, each once.
    ///
    /// # Errors
    /// The errors of a call; `Garbage` when vectors are missing.
    pub async fn embed(
        &self,
        directory: &Directory,
        model: &ModelRef,
        texts: &[String],
        terms: Terms,
    ) -> Result<Vec<Arc<[f32]>>, CallError> {
        let keys: Vec<Key> = texts.iter().map(|text| (model.clone(), hash(text))).collect();
        let mut found: HashMap<u128, Arc<[f32]>> = HashMap::new();
        let mut missing: Vec<(u128, String)> = Vec::new();
        for (key, text) in keys.iter().zip(texts) {
            let cached = self.vectors.get(key);
            count("embedding", cached.is_some());
            match cached {
                Some(vector) => drop(found.insert(key.1, vector)),
                None if missing.iter().all(|(other, _)| *other != key.1) => missing.push((key.1, text.clone())),
                None => {}
            }
        }
        if !missing.is_empty() {
            let texts = missing.iter().map(|(_, text)| text.clone()).collect();
            let ask = Ask::Embeddings(EmbeddingRequest { model: model.model.clone(), texts });
            let Answered { reply: Reply::Embeddings(embeddings), worth } =
                call(directory, &model.provider, ask, terms).await?
            else {
                return Err(garbage("no embeddings"));
            };
            worth.succeeded();
            for ((hash, _), vector) in missing.into_iter().zip(embeddings.vectors) {
                let vector: Arc<[f32]> = vector.into();
                self.vectors.insert((model.clone(), hash), Arc::clone(&vector));
                found.insert(hash, vector);
            }
        }
        let vectors: Option<Vec<_>> = keys.iter().map(|key| found.get(&key.1).cloned()).collect();
        vectors.ok_or_else(|| garbage("fewer embeddings than texts"))
    }

    /// Returns an answer that fits `schema`, cached for the same messages.
    ///
    /// # Errors
    /// The errors of a call; `Garbage` when the answer does not fit even after it was sent back.
    pub async fn classify(
        &self,
        directory: &Directory,
        model: &ModelRef,
        messages: Vec<PromptMessage>,
        schema: AnswerSchema,
        max_tokens: u32,
        terms: Terms,
    ) -> Result<Arc<Value>, CallError> {
        let asked: Vec<_> = messages.iter().map(|message| (message.role as u8, message.content.as_str())).collect();
        let key = (model.clone(), hash(&(asked, schema.schema.to_string())));
        let cached = self.verdicts.get(&key);
        count("classifier", cached.is_some());
        if let Some(verdict) = cached {
            return Ok(verdict);
        }
        let model_name = model.model.clone();
        let mut request = CompletionRequest {
            model: model_name,
            messages,
            temperature: 0.0,
            max_tokens,
            schema: Some(schema.clone()),
        };
        let mut why = String::new();
        for _ in 0..2 {
            let ask = Ask::Completion(request.clone());
            let Answered { reply: Reply::Completion(completion), worth } =
                call(directory, &model.provider, ask, terms).await?
            else {
                return Err(garbage("no completion"));
            };
            match read(&completion.text, &schema.schema) {
                Ok(verdict) => {
                    worth.succeeded();
                    let verdict = Arc::new(verdict);
                    self.verdicts.insert(key, Arc::clone(&verdict));
                    return Ok(verdict);
                }
                Err(reason) => {
                    // The model did answer. A misfit does not count against it: people's words in the prompt can make
                    // it say anything (I15).
                    worth.succeeded();
                    metrics::llm_structured_misfits_total { provider: model.provider.clone() }.increment(1);
                    request.messages.push(PromptMessage { role: Role::Assistant, content: completion.text });
                    let content = format!("That does not fit the schema: {reason}. Answer with the JSON object alone.");
                    request.messages.push(PromptMessage { role: Role::User, content });
                    why = reason;
                }
            }
        }
        Err(garbage(&format!("not the JSON asked for: {why}")))
    }
}

/// Returns the JSON object in an answer, if it fits; the object may be within code marks.
fn read(text: &str, schema: &Value) -> Result<Value, String> {
    let inside = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from..=to));
    let value: Value = serde_json::from_str(inside.ok_or("there is no JSON object in it")?)
        .map_err(|error| format!("no JSON at column {}", error.column()))?;
    fits(schema, &value)?;
    Ok(value)
}

async fn call(directory: &Directory, provider: &str, ask: Ask, terms: Terms) -> Result<Answered, CallError> {
    let Terms { bot, chat, priority, deadline } = terms;
    let provider = directory.provider(provider).ok_or_else(|| CallError::unavailable("no such provider"))?;
    let (sender, receiver) = oneshot::channel();
    let answer = Answer::new(move |result| drop(sender.send(result)));
    let sent = provider
        .cast(ProviderMsg::Make(Call { ask, bot, chat, priority, deadline, wanted: Wanted::default() }, answer));
    sent.map_err(|_| CallError::unavailable("provider actor ended"))?;
    // The provider answers by the deadline, and a dropped answer leads to an error.
    receiver.await.unwrap_or_else(|_| Err(CallError::unavailable("provider actor ended")))
}

fn garbage(words: &str) -> CallError {
    CallError::Llm(LlmError::Garbage(words.to_owned()))
}

fn count(kind: &'static str, hit: bool) {
    let result = if hit { "hit" } else { "miss" };
    metrics::llm_cache_requests_total { kind, result }.increment(1);
}

/// Hashes to 128 bits, so that no two texts collide by chance.
fn hash<T: Hash + ?Sized>(value: &T) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, value).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_found_within_marks_of_code() {
        let schema = json!({"type": "object", "required": ["a"]});
        assert_eq!(read("```json\n{\"a\": 1}\n```", &schema), Ok(json!({"a": 1})));
        assert!(read("I think not.", &schema).is_err() && read("} {", &schema).is_err());
        assert_eq!(read("{\"b\": 1}", &schema), Err("answer: a is missing".to_owned()));
    }
}
