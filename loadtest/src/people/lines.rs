//! The shape of what people say in one language. Layer: load test; data only.
//!
//! Slots: `{b}` a bot's name, `{b:e}` `{b:in}` `{b:i}` `{b:den}` the same in a Turkish case, `{@}` its
//! mention, `{p}` another person's name.

/// Everything that people say in one language.
#[derive(Debug)]
pub(super) struct Lines {
    /// Statements and questions by topic.
    pub(super) topics: &'static [TopicLines],
    /// What opens a message that replies to another.
    pub(super) replies: &'static [&'static str],
    /// What is put before a question or statement to a bot.
    pub(super) addresses: &'static [&'static str],
    /// Whole messages about a bot.
    pub(super) about_bots: &'static [&'static str],
    /// Whole messages of small talk.
    pub(super) chatter: &'static [&'static str],
    /// What may be put before any message.
    pub(super) openers: &'static [&'static str],
}

/// What people say about one topic.
#[derive(Debug)]
pub(super) struct TopicLines {
    pub(super) statements: &'static [&'static str],
    pub(super) questions: &'static [&'static str],
}
