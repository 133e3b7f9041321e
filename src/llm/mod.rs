//! The LLM adapter: OpenAI-compatible providers through async-openai. Layer `adapters`, over `ports`. Keeps I12.
//!
//! | file | role |
//! |---|---|
//! | `settings` | what an operator may set per provider |
//! | `provider` | `LlmProvider` for one provider |
//! | `transport` | the HTTP service under the SDK: one attempt, faults with status and pause |
//! | `fault` | a provider's refusal, read and classified |
//! | `vendor` | what differs between providers, one file each |
//! | `wire` | requests, and answers read leniently |
//! | `stream` | an answer assembled from its stream |
//! | `embeddings` | embeddings asked for, and read |

mod embeddings;
pub mod fault;
pub mod provider;
pub mod settings;
pub mod stream;
pub mod transport;
pub mod vendor;
pub mod wire;
