//! Defines the lines that people say in one language. Layer: world; data only.
//!
//! Slots: `{b}` a bot's name, `{b:e}` `{b:in}` `{b:i}` `{b:den}` the name in a Turkish case, `{@}` the bot's mention,
//! `{p}` another person's name.

/// Everything that people say in one language.
#[derive(Debug)]
pub(super) struct Lines {
    /// Statements and questions by topic.
    pub(super) topics: &'static [TopicLines],
    /// Openers of a message that replies to another.
    pub(super) replies: &'static [&'static str],
    /// Openers of a question or statement to a bot.
    pub(super) addresses: &'static [&'static str],
    /// Complete messages about a bot.
    pub(super) about_bots: &'static [&'static str],
    /// Complete messages of small talk.
    pub(super) chatter: &'static [&'static str],
    /// Openers of a message that addresses no bot and replies to none.
    pub(super) openers: &'static [&'static str],
}

/// The lines about one topic.
#[derive(Debug)]
pub(super) struct TopicLines {
    pub(super) statements: &'static [&'static str],
    pub(super) questions: &'static [&'static str],
}
