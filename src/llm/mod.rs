//! The LLM adapter: OpenAI-compatible providers. Layer `adapters`, over `ports`. Keeps I12, I13.
//!
//! | file | role |
//! |---|---|
//! | `settings` | what an operator may set per provider |
//! | `provider` | `LlmProvider` for one provider |
//! | `address` | a base URL as people write it |
//! | `dialect`, `roles` | how a model wants to be asked, and what its refusals teach |
//! | `wire` | requests |
//! | `exchange` | one completion: sent, and its answer read in whatever form it comes |
//! | `sse` | server-sent events |
//! | `reading`, `content`, `ends`, `usage` | an answer put together, each field read on its own |
//! | `transport` | the HTTP service under the SDK, for what is no completion |
//! | `fault`, `redact` | a provider's refusal, read, classified and told |
//! | `vendor` | what differs between providers, one file each |
//! | `embeddings` | embeddings asked for, and read |

pub mod address;
mod content;
mod dialect;
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
pub mod transport;
mod usage;
pub mod vendor;
mod wire;
