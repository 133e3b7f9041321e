//! Coherence: the share of the bots' replies that the link resolver attaches to the message that they were meant to
//! answer. Layer `cli`.
//!
//! The resolver sees what people see without Telegram's own link: names, texts, times. What a bot's reply was meant to
//! answer is what it is linked to in Telegram; that link is kept from the resolver.

use std::collections::HashMap;
use std::sync::Arc;

use botfleet_actors::behaviour::links::features::WINDOW;
use botfleet_actors::behaviour::links::resolver::Resolver;
use botfleet_actors::behaviour::links::utterance::Utterance;
use botfleet_actors::domain::ids::MessageId;
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};

/// How many replies were looked at, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coherence {
    /// Replies of bots whose target is within the resolver's window.
    pub replies: u64,
    /// Those that the resolver attached to their target.
    pub attached: u64,
    /// Those whose target it thought likeliest of all.
    pub first: u64,
    /// Replies whose target is further back than the resolver looks: they count as not attached.
    pub out_of_sight: u64,
}

impl Coherence {
    /// The share attached, in percent; 100 when there was nothing to attach.
    pub fn percent(&self) -> f64 {
        let all = self.replies + self.out_of_sight;
        if all == 0 { 100.0 } else { (self.attached as f64 * 10_000.0 / all as f64).round() / 100.0 }
    }

    /// Takes another chat's figures in.
    pub fn add(&mut self, other: &Self) {
        self.replies += other.replies;
        self.attached += other.attached;
        self.first += other.first;
        self.out_of_sight += other.out_of_sight;
    }
}

/// Measures one chat's transcript, oldest first.
pub fn coherence_of(transcript: &[Arc<TranscriptEntry>]) -> Coherence {
    let resolver = Resolver::standard();
    let posts: Vec<&TranscriptEntry> =
        transcript.iter().map(|entry| &**entry).filter(|entry| entry.kind == EntryKind::Message).collect();
    let utterances: Vec<Utterance> = posts
        .iter()
        .map(|entry| {
            let text = entry.text.as_deref().unwrap_or_default();
            Utterance::new(&entry.author.name, entry.author.username.as_deref(), text, entry.date, false)
        })
        .collect();
    let places: HashMap<MessageId, usize> =
        posts.iter().enumerate().map(|(place, entry)| (entry.message_id, place)).collect();
    let mut coherence = Coherence::default();
    for (place, entry) in posts.iter().enumerate() {
        let target = entry.reply_to.and_then(|message| places.get(&message)).filter(|target| **target < place);
        let (Some(_), Some(&target)) = (entry.fleet_bot, target) else {
            continue;
        };
        let from = place.saturating_sub(2 * WINDOW);
        if place - target > WINDOW {
            coherence.out_of_sight += 1;
            continue;
        }
        let earlier: Vec<&Utterance> = utterances[from..place].iter().collect();
        let chosen = resolver.resolve(&earlier, &utterances[place]).chosen();
        coherence.replies += 1;
        coherence.first += u64::from(chosen.first() == Some(&Some(target - from)));
        coherence.attached += u64::from(chosen.contains(&Some(target - from)));
    }
    coherence
}
