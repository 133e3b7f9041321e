//! The simulated LLM provider: an `OpenAI`-compatible server as an axum router. Layer: load test,
//! reached over HTTP only.
//!
//! - `spec`: what the provider is like (seed, latency, mode, key, models)
//! - `wire`: the shapes of the `OpenAI` API that are read and written, and its errors
//! - `decide`: the one place where a response is decided
//! - `faults`: what goes wrong, by rules; `limits`: calls and tokens a minute; `refusal`: answers that are none
//! - `shapes`: answers in the odd shapes of real servers; `dialect`: servers that refuse roles and parameters
//! - `obedient`: a model that does what members tell it
//! - `echo`, `smalltalk`: where the texts come from
//! - `calls`: what was asked and answered, the provider's part of the oracle
//! - `embedding`: deterministic vectors
//! - `router`: paths, authorisation, plain answers; `stream`: the same as server-sent events
//!
//! The three names below are the folder's face, which the simulation builds on.

pub mod calls;
pub mod decide;
pub mod embedding;
pub mod faults;
pub mod limits;
pub mod router;
pub mod smalltalk;
pub mod spec;
pub mod wire;

mod dialect;
mod echo;
mod obedient;
mod refusal;
mod shapes;
mod stream;

pub use decide::Provider;
pub use router::router;
pub use spec::ProviderSpec;
