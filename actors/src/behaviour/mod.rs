//! Conversation engine. Layer `behaviour`; imports `domain`, and the prompt types of `ports::llm`. Pure: event in,
//! effects out; time and randomness are arguments, so that decisions can be replayed and tested by the million.
//!
//! | part | decides |
//! |---|---|
//! | `director` | which bots speak, to which message, or nobody, and why |
//! | `context` | which messages a prompt holds |
//! | `prompt` | how messages are written for the model |
//! | `generator` | the whole request to a model |
//! | `freshness` | when a message is too old to be answered |
//! | `firewall` | whether an answer may reach a chat |
//! | `identity` | whether a text claims that the bot is a person |
//! | `conduct` | whether a text holds what no bot may write |
//! | `cut` | where to cut a text that broke off |
//! | `links` | which earlier message a message answers |
//! | `novelty` | whether a text repeats a former one |
//! | `stances` | which opinions matter, and whether a text contradicts one |
//! | `interruption` | whether newer messages make an answer pointless |
//! | `style` | how far apart two ways of writing are |
//! | `notes` | the part of a prompt for one message alone |
//! | `review` | whether a text is said: the guards, in order |
//! | `objection` | the verdict of a guard, for which a model is asked again |
//! | `linked` | whether Telegram draws a link to what a message answers |
//! | `pacing`, `job` | how long a bot types, and which messages its text makes |
//! | `explain` | the reasons of a recorded decision, in plain words |
//! | `replay` | whether a recorded decision comes out the same again |
//! | `salutation` | whether a reply begins with the name of the one it answers |
//! | `physics` | the limits that a send must keep, and when a chat calms down |
//! | `topics`, `rhythm` | the subject that a quiet chat takes up, and the time |
//! | `local` | the local time of a chat |
//! | `command`, `notices` | what people order, and what the fleet says of itself |
//! | `scene`, `window`, `note` | the input of a director, and what is computed for each entry |

pub mod command;
pub mod conduct;
pub mod context;
pub mod cut;
pub mod director;
pub mod explain;
pub mod firewall;
pub mod freshness;
pub mod generator;
pub mod identity;
pub mod interruption;
pub mod job;
pub mod linked;
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
pub mod review;
pub mod rhythm;
pub mod salutation;
#[cfg(test)]
mod samples;
pub mod scene;
pub mod stances;
pub mod style;
pub mod topics;
pub mod window;
