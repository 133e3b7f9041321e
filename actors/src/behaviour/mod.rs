//! Behaviour: the conversation engine. Pure: event in, effects out; time and randomness are arguments, so that it can
//! be replayed and tested by the million. Layer `behaviour`; imports `domain`, and the prompt types of `ports::llm`.
//!
//! | part | decides |
//! |---|---|
//! | `director` | who speaks, to which message, or nobody, and why |
//! | `context` | which messages a prompt holds |
//! | `prompt` | how they are put to the model |
//! | `generator` | the whole request |
//! | `firewall` | whether an answer may reach a chat |
//! | `pacing` | how long a bot types |
//! | `physics` | the limits with authority over a send |
//! | `scene`, `note` | what a director looks at, and what was understood of each entry |

pub mod command;
pub mod context;
pub mod director;
pub mod firewall;
pub mod generator;
pub mod note;
pub mod notices;
pub mod pacing;
pub mod physics;
pub mod prompt;
#[cfg(test)]
mod samples;
pub mod scene;
