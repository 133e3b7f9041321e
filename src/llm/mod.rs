//! The LLM adapter: providers over HTTP. Layer `adapters`, over `ports`. Keeps I12, I13.
//!
//! | file | role |
//! |---|---|
//! | `settings` | the settings of a provider |
//! | `provider` | `LlmProvider` for one provider |
//! | `door` | the way to call a provider with one of its keys |
//! | `address` | reads a base URL as people write it |
//! | `dialect`, `roles` | the way to ask a model, as its refusals teach it |
//! | `wire` | the seam for wire formats: requests, and readers of answers |
//! | `chat` | the format of `OpenAI` and of all that are compatible |
//! | `exchange` | sends one completion, and reads its answer in whatever form it comes |
//! | `sse` | server-sent events |
//! | `reading`, `content`, `ends`, `usage` | put an answer of `chat` together, each field read on its own |
//! | `transport` | the HTTP service under the SDK, for all calls but completions; failures of HTTP |
//! | `fault`, `redact` | read a provider's refusal, classify it, and make its words fit to be shown |
//! | `vendor` | the differences between providers, one file each |
//! | `embeddings` | requests for embeddings, and their answers |

pub mod address;
mod chat;
mod content;
mod dialect;
mod door;
mod embeddings;
mod ends;
mod exchange;
pub mod fault;
pub mod provider;
mod reading;
mod redact;
mod roles;
pub mod settings;
mod sse;
mod transport;
mod usage;
pub mod vendor;
mod wire;
