//! Stances (opinions of a persona) and relationships (its attitude to others). Layer `domain`.
//!
//! Both are given in the manifest. A stance changes only by a recorded event: another revision of the persona.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys::keyed;
use super::keys::rule::key;

keyed! {
    /// An opinion with its reasons.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Stance {
        /// Subject of the opinion, in a few words.
        pub topic: String = key(String::new()).required("say in a few words what it is about").tidy();
        /// Words besides those of `topic` that show that a message is about the subject.
        pub keywords: Vec<String> = key(Vec::new()).tidy();
        /// Opinion of the persona, as one sentence.
        pub position: String = key(String::new()).required("say in one sentence what the persona holds").tidy();
        /// How sure the persona is; from 0.75 on it holds the opinion firmly.
        pub confidence: f64 = key(0.7).within(0.0..=1.0);
        /// Reasons for the opinion.
        pub reasons: Vec<String> = key(Vec::new()).tidy();
        /// Words or phrases that contradict the position: the bot disagrees with others who say them, and does not say
        /// them itself.
        pub denials: Vec<String> = key(Vec::new()).tidy();
        /// Version of the stance; raise it with each change.
        pub version: u32 = key(1).within(1..=u32::MAX);
        /// Time for which the persona does not bring the subject up by itself after it argued for the stance.
        #[serde(with = "humantime_serde")]
        pub cool_down: Duration = key(Duration::from_mins(30));
    }
}

keyed! {
    /// Attitude of a bot to another bot or to a person. It weighs who answers whom, and stands in the prompt.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Relationship {
        /// The bot's name, or the person's username with `@`.
        pub to: String = key(String::new()).required("name a bot, or a person by username, as in \"@ayse\"").tidy();
        /// Closeness: -1 cannot stand the other, 1 is very close.
        pub affinity: f64 = key(0.0).within(-1.0..=1.0).required("from -1.0 (cannot stand) to 1.0 (very close)");
        /// Description of the relationship in a few words, for the prompt.
        pub note: Option<String> = key(None).tidy();
    }
}

impl Relationship {
    /// Creates a relationship without a note.
    pub fn with(to: &str, affinity: f64) -> Self {
        Self { to: to.to_owned(), affinity, ..Self::default() }
    }
}
