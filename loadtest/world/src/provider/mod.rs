//! Simulates the LLM provider: an `OpenAI`-compatible server as an axum router. Layer: world, reached over HTTP
//! only.
//!
//! - `spec`: the description of a provider (seed, latency, mode, key, models)
//! - `wire`: the parts of the `OpenAI` API that the server reads and writes, and its errors
//! - `decide`: the only place where a response is decided
//! - `faults`: faults by rules; `limits`: calls and tokens a minute; `refusal`: refusals and broken answers
//! - `shapes`: answers in the odd formats of real servers; `dialect`: servers that refuse roles and parameters
//! - `obedient`: a model that does whatever a message tells it
//! - `echo`, `smalltalk`: the sources of the texts
//! - `kept`: the beginnings of prompts that the provider knows from earlier ones
//! - `calls`: the record of requests and answers, the provider's part of the oracle
//! - `embedding`: deterministic vectors
//! - `router`: paths, authorisation, plain answers; `stream`: answers as server-sent events
//!
//! The three re-exports below are the folder's public interface, which the simulation uses.

pub mod calls;
pub mod decide;
pub mod embedding;
pub mod faults;
pub mod limits;
pub mod obedient;
pub mod router;
pub mod smalltalk;
pub mod spec;
pub mod wire;

mod dialect;
mod echo;
mod kept;
mod refusal;
mod shapes;
mod stream;

pub use decide::Provider;
pub use router::router;
pub use spec::ProviderSpec;
