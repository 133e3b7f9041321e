//! One LLM provider as an actor: concurrency, rate, breaker. Fallback over providers belongs to the turn.

pub mod actor;
pub mod settings;
