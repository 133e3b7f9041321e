//! The Telegram adapter: the Bot API over our own transport. Layer `adapters`, over `ports`. Keeps I1, I4, I12.
//!
//! | file | role |
//! |---|---|
//! | `settings` | the settings of the adapter |
//! | `client` | the shared HTTP client: one attempt of one call |
//! | `breaker` | stops the sends while Telegram cannot be reached; polls probe it |
//! | `answer` | reads and classifies an HTTP answer |
//! | `bot` | `BotApi` for one token |
//! | `secret` | the secret that Telegram must show with an update that it brings |
//! | `wire` | the parts of an update's JSON that the fleet reads |
//! | `decode` | decodes an update's JSON into `Incoming` |
//! | `inquiry` | calls whose answer a person wants to see |
//! | `lenient` | reads JSON of which some parts cannot be read |
//! | `rich` | the words of a rich message |
//! | `redact` | takes people who do not want to be in it out of an update |
//!
//! Requests are teloxide's payloads. ADR 0003 says why teloxide's client and its incoming types are not used.

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
