//! Reads the lines that people say in one language. Layer: world; pure.
//!
//! Slots: `{b}` a bot's name, `{b:e}` `{b:in}` `{b:i}` `{b:den}` the name in a Turkish case, `{@}` the bot's mention,
//! `{p}` another person's name; in `to_either`, `{a}` and `{b}` are the alternatives of the question.

use std::sync::LazyLock;

use crate::texts::lists;

/// The lines in Turkish.
pub(super) static TURKISH: LazyLock<Lines> = LazyLock::new(|| Lines::read(include_str!("turkish.txt")));
/// The lines in English.
pub(super) static ENGLISH: LazyLock<Lines> = LazyLock::new(|| Lines::read(include_str!("english.txt")));

/// The lines that people say about one subject.
#[derive(Debug, Default)]
pub(super) struct Topic {
    /// The subject's key, the same as that of the simulated model.
    pub(super) key: &'static str,
    pub(super) statements: Vec<&'static str>,
    pub(super) questions: Vec<&'static str>,
    /// Answers to a bot that speaks about it.
    pub(super) answers: Vec<&'static str>,
}

/// Lines of several persons, one after another; the persons are numbered from 0.
pub(super) type Scene = Vec<(usize, &'static str)>;

macro_rules! lists {
    ($( $(#[$about:meta])* $name:ident, )*) => {
        /// Everything that people say in one language.
        #[derive(Debug, Default)]
        pub(super) struct Lines {
            pub(super) topics: Vec<Topic>,
            pub(super) scenes: Vec<Scene>,
            $( $(#[$about])* pub(super) $name: Vec<&'static str>, )*
        }

        impl Lines {
            fn list(&mut self, name: &str) -> Option<&mut Vec<&'static str>> {
                match name {
                    $( stringify!($name) => Some(&mut self.$name), )*
                    _ => None,
                }
            }
        }
    };
}

lists! {
    /// Answers to any statement of a bot.
    replies,
    /// Answers to a bot's questions.
    to_either,
    to_yesno,
    to_amount,
    to_open,
    /// Openers of a question or statement to a bot.
    addresses,
    /// Complete messages about a bot.
    about_bots,
    /// Complete messages to the room.
    chatter,
    /// Messages of somebody who leaves, and of somebody who is back.
    leaving,
    returning,
    /// Openers of a message that addresses no bot and replies to none.
    openers,
}

impl Lines {
    fn read(file: &'static str) -> Self {
        let mut lines = Self::default();
        for (name, items) in lists(file) {
            if let Some(key) = name.strip_prefix("topic ") {
                let of = |mark: &str| items.iter().filter_map(|item| item.strip_prefix(mark)).collect();
                let statements = items.iter().copied().filter(|item| !item.starts_with(['?', '>'])).collect();
                lines.topics.push(Topic { key, statements, questions: of("? "), answers: of("> ") });
            } else if name == "scene" {
                lines.scenes.push(items.iter().filter_map(|item| scene_line(item)).collect());
            } else if let Some(list) = lines.list(name) {
                *list = items;
            }
        }
        lines
    }
}

fn scene_line(item: &'static str) -> Option<(usize, &'static str)> {
    let (person, text) = item.split_once(": ")?;
    Some((["a", "b", "c"].iter().position(|name| *name == person)?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_lines_of_every_kind() {
        for lines in [&*TURKISH, &*ENGLISH] {
            assert!(lines.topics.len() >= 12 && lines.scenes.len() >= 10);
            for topic in &lines.topics {
                let least = topic.statements.len().min(topic.questions.len()).min(topic.answers.len());
                assert!(least >= 3, "{}", topic.key);
            }
            let lists = [
                &lines.replies,
                &lines.to_either,
                &lines.to_yesno,
                &lines.to_amount,
                &lines.to_open,
                &lines.addresses,
                &lines.about_bots,
                &lines.chatter,
                &lines.leaving,
                &lines.returning,
                &lines.openers,
            ];
            assert!(lists.iter().all(|list| list.len() >= 4));
        }
    }
}
