//! The Telegram adapter: the Bot API over our own transport. Layer `adapters`, over `ports`. Keeps I1, I4, I12.
//!
//! | file | role |
//! |---|---|
//! | `settings` | what an operator may set |
//! | `client` | the shared HTTP client: one attempt of one call |
//! | `breaker` | stops the sends while Telegram cannot be reached; polls probe it |
//! | `answer` | an HTTP answer, read and classified |
//! | `bot` | `BotApi` for one token |
//! | `secret` | what Telegram must show with an update that it brings |
//! | `wire` | the parts of an update's JSON that the fleet reads |
//! | `decode` | an update's JSON to `Incoming` |
//! | `inquiry` | calls whose answer a person wants to see |
//! | `lenient` | JSON of which some parts cannot be read |
//! | `rich` | the words of a rich message |
//! | `redact` | an update without people who do not want to be in it |
//!
//! Requests are teloxide's payloads; why its client and its incoming types are not used: ADR 0003.

pub mod answer;
pub mod bot;
pub mod breaker;
pub mod client;
pub mod decode;
pub mod inquiry;
mod lenient;
mod redact;
mod rich;
pub mod secret;
pub mod settings;
pub mod wire;
