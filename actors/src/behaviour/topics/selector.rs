//! The question that every strategy of topics answers. Layer `behaviour`; pure.

/// A quiet room and the bot that is about to bring something up.
#[derive(Clone, Copy, Debug)]
pub struct QuietRoom<'a> {
    /// What the chat is there for.
    pub topics: &'a [String],
    /// What the bot likes to talk about.
    pub interests: &'a [String],
    /// The latest messages, folded.
    pub lately: &'a [&'a str],
}

/// Chooses what a quiet chat talks about next.
pub trait TopicSelector {
    /// A topic; `None` leaves it to the bot. The same room and seed give the same topic.
    fn select(&self, room: &QuietRoom<'_>, seed: u64) -> Option<String>;
}
