//! Interface of the strategies that choose a topic. Layer `behaviour`; pure.

/// A quiet room and the bot that is about to bring something up.
#[derive(Clone, Copy, Debug)]
pub struct QuietRoom<'a> {
    /// Topics of the chat.
    pub topics: &'a [String],
    /// Interests of the bot.
    pub interests: &'a [String],
    /// The latest messages, folded.
    pub lately: &'a [&'a str],
}

/// Chooses the subject that a quiet chat takes up.
pub trait TopicSelector {
    /// Returns a topic; `None` leaves it to the bot. The same room and seed give the same topic.
    fn select(&self, room: &QuietRoom<'_>, seed: u64) -> Option<String>;
}
