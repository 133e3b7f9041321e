//! Stances and relationships: what a persona holds, and how it stands to others. Layer `domain`.
//!
//! Both are given in the manifest. A stance changes only by a recorded event: another revision of the persona.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An opinion with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stance {
    /// What it is about, in a few words.
    pub topic: String,
    /// Words that show that a message is about it, besides those of `topic`.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// What the persona holds, as one sentence.
    pub position: String,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// Why it holds it.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// What somebody who holds it would never say: words or phrases that contradict it.
    #[serde(default)]
    pub denials: Vec<String>,
    /// From 1; rises with each change.
    pub version: u32,
    /// After the persona argued for it, it does not bring it up by itself for this long.
    #[serde(with = "humantime_serde")]
    pub cool_down: Duration,
}

/// How a bot stands to another bot, or to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relationship {
    /// The bot's name, or the person's username with `@`.
    pub to: String,
    /// -1 (cannot stand) to 1 (very close).
    pub affinity: f64,
    /// What they are to one another, in a few words for the prompt.
    #[serde(default)]
    pub note: Option<String>,
}
