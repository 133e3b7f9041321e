//! Behaviour: the conversation engine. Pure: event in, effects out; time and randomness are arguments, so that it can
//! be replayed and tested by the million. Layer `behaviour`; imports `domain`, and the prompt types of `ports::llm`.
//!
//! | part | decides |
//! |---|---|
//! | `director` | who speaks, to which message, or nobody, and why |
//! | `context` | which messages a prompt holds |
//! | `prompt` | how they are put to the model |
//! | `generator` | the whole request |
//! | `freshness` | what is too old to be answered |
//! | `firewall` | whether an answer may reach a chat |
//! | `identity` | whether a text claims that the bot is a person |
//! | `cut` | where a text ends that broke off |
//! | `links` | which earlier message a message answers |
//! | `novelty` | whether a text is news |
//! | `stances` | which opinions matter, and whether a text contradicts one |
//! | `interruption` | whether what came meanwhile makes an answer idle |
//! | `style` | how far apart two ways of writing are |
//! | `notes` | what a prompt says for one message alone |
//! | `objection` | why a model is asked again |
//! | `pacing` | how long a bot types |
//! | `explain` | the reason why, of a recorded decision |
//! | `replay` | a recorded decision is made again and compared |
//! | `salutation` | whether a reply names whom it answers |
//! | `physics` | the limits with authority over a send, and when a chat calms down |
//! | `topics`, `rhythm` | what a quiet chat talks about, and when |
//! | `local` | what the clock on the chat's wall shows |
//! | `scene`, `window`, `note` | what a director looks at, and what was understood of each entry |

pub mod command;
pub mod context;
pub mod cut;
pub mod director;
pub mod explain;
pub mod firewall;
pub mod freshness;
pub mod generator;
pub mod identity;
pub mod interruption;
pub mod links;
pub mod local;
pub mod note;
pub mod notes;
pub mod notices;
pub mod novelty;
pub mod objection;
pub mod pacing;
pub mod physics;
pub mod prompt;
pub mod replay;
pub mod rhythm;
pub mod salutation;
#[cfg(test)]
mod samples;
pub mod scene;
pub mod stances;
pub mod style;
pub mod topics;
pub mod window;
