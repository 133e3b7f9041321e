//! Stances (opinions of a persona) and relationships (its attitude to others). Layer `domain`.
//!
//! Both are given in the manifest. A stance changes only by a recorded event: another revision of the persona.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An opinion with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    /// Subject of the opinion, in a few words.
    pub topic: String,
    /// Words besides those of `topic` that show that a message is about the subject.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Opinion of the persona, as one sentence.
    pub position: String,
    /// How sure the persona is, 0 to 1.
    pub confidence: f64,
    /// Reasons for the opinion.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Words or phrases that contradict the position: nobody who holds it would say them.
    #[serde(default)]
    pub denials: Vec<String>,
    /// Version from 1; rises with each change.
    pub version: u32,
    /// Time for which the persona does not bring the subject up by itself after it argued for the stance.
    #[serde(with = "humantime_serde")]
    pub cool_down: Duration,
}

/// Attitude of a bot to another bot or to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relationship {
    /// The bot's name, or the person's username with `@`.
    pub to: String,
    /// -1 (cannot stand) to 1 (very close).
    pub affinity: f64,
    /// Description of the relationship in a few words, for the prompt.
    #[serde(default)]
    pub note: Option<String>,
}
