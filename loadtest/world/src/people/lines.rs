//! Reads the lines that people say in one language. Layer: world; pure.
//!
//! Slots: `{b}` a bot's name, `{b:e}` `{b:in}` `{b:i}` `{b:den}` the name in a Turkish case, `{@}` the bot's mention,
//! `{p}` another person's name.

use std::sync::LazyLock;

use crate::texts::{lists, statements_and_questions};

/// The lines in Turkish.
pub(super) static TURKISH: LazyLock<Lines> = LazyLock::new(|| Lines::read(include_str!("turkish.txt")));
/// The lines in English.
pub(super) static ENGLISH: LazyLock<Lines> = LazyLock::new(|| Lines::read(include_str!("english.txt")));

/// Everything that people say in one language.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Statements and questions by topic.
    pub(super) topics: Vec<(Vec<&'static str>, Vec<&'static str>)>,
    /// Openers of a message that replies to another.
    pub(super) replies: Vec<&'static str>,
    /// Openers of a question or statement to a bot.
    pub(super) addresses: Vec<&'static str>,
    /// Complete messages about a bot.
    pub(super) about_bots: Vec<&'static str>,
    /// Complete messages of small talk.
    pub(super) chatter: Vec<&'static str>,
    /// Openers of a message that addresses no bot and replies to none.
    pub(super) openers: Vec<&'static str>,
}

impl Lines {
    fn read(file: &'static str) -> Self {
        let mut lines = Self::default();
        for (name, items) in lists(file) {
            match name {
                "topic" => lines.topics.push(statements_and_questions(items)),
                "replies" => lines.replies = items,
                "addresses" => lines.addresses = items,
                "about_bots" => lines.about_bots = items,
                "chatter" => lines.chatter = items,
                _ => lines.openers = items,
            }
        }
        lines
    }
}
