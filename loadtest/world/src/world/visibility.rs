//! Decides which messages a bot sees, by privacy mode, administrators, replies, commands and bot-to-bot mode.
//!
//! Layer: world; pure. One function decides for one message and one bot.
//!
//! # Source
//! core.telegram.org: bots/features (privacy mode) and api/bots/bot-to-bot.

use super::text::{Entity, covered};

/// The bot that may see a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiver<'w> {
    pub(crate) id: i64,
    pub(crate) username: &'w str,
    /// True when privacy mode is off or the bot is an administrator.
    pub(crate) hears_all: bool,
    pub(crate) bot_to_bot: bool,
}

/// The kind of author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A person, also an anonymous administrator.
    Person,
    /// A bot, and whether its bot-to-bot mode is on.
    Bot { id: i64, bot_to_bot: bool },
    /// Telegram itself: joins, topics, migration.
    Service,
}

/// The parts of a message that decide which bots see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'w> {
    pub(crate) origin: Origin,
    pub(crate) text: &'w str,
    pub(crate) entities: &'w [Entity],
    /// The author of the message that this one replies to.
    pub(crate) reply_to_author: Option<i64>,
    /// The bot that wrote last in the chat; a bare command is for this bot.
    pub(crate) last_bot: Option<i64>,
}

/// Returns whether a bot gets a message.
pub(crate) fn sees(bot: Receiver<'_>, message: Seen<'_>) -> bool {
    let is_reply = message.reply_to_author == Some(bot.id);
    match message.origin {
        Origin::Service => true,
        Origin::Bot { id, .. } if id == bot.id => false,
        Origin::Person => bot.hears_all || is_reply || is_commanded(bot, message),
        Origin::Bot { bot_to_bot, .. } => {
            let addressed = is_reply || has_command_to(bot, message);
            (bot.bot_to_bot && bot.hears_all) || ((bot.bot_to_bot || bot_to_bot) && addressed)
        }
    }
}

fn commands(message: Seen<'_>) -> impl Iterator<Item = (usize, &str)> {
    message
        .entities
        .iter()
        .filter(|entity| entity.kind == "bot_command")
        .map(move |entity| (entity.offset, covered(message.text, entity)))
}

fn has_command_to(bot: Receiver<'_>, message: Seen<'_>) -> bool {
    commands(message)
        .any(|(_, command)| command.split_once('@').is_some_and(|(_, to)| to.eq_ignore_ascii_case(bot.username)))
}

/// Returns whether a command is for the bot. A bare command is for the bot that wrote last, or for all if none has
/// written.
fn is_commanded(bot: Receiver<'_>, message: Seen<'_>) -> bool {
    let bare = || commands(message).any(|(offset, command)| offset == 0 && !command.contains('@'));
    has_command_to(bot, message) || (message.last_bot.is_none_or(|last| last == bot.id) && bare())
}

#[cfg(test)]
mod tests {
    use super::super::text::detect;
    use super::*;

    const PRIVATE: Receiver<'static> = Receiver { id: 1, username: "deniz_bot", hears_all: false, bot_to_bot: false };

    fn seen(bot: Receiver<'_>, origin: Origin, text: &str, reply: Option<i64>, last: Option<i64>) -> bool {
        let entities = detect(text);
        sees(bot, Seen { origin, text, entities: &entities, reply_to_author: reply, last_bot: last })
    }

    #[test]
    fn privacy_mode_lets_through_commands_replies_and_service_messages_only() {
        let person = Origin::Person;
        assert!(!seen(PRIVATE, person, "merhaba @deniz_bot", None, None));
        assert!(seen(PRIVATE, person, "/stop@Deniz_Bot", None, Some(2)));
        assert!(!seen(PRIVATE, person, "/stop@ayse_bot", None, None));
        assert!(seen(PRIVATE, person, "evet", Some(1), None));
        assert!(!seen(PRIVATE, person, "evet", Some(2), None));
        assert!(seen(PRIVATE, Origin::Service, "", None, None));
        assert!(seen(Receiver { hears_all: true, ..PRIVATE }, person, "x", None, None));
    }

    #[test]
    fn a_bare_command_reaches_the_bot_that_wrote_last() {
        assert!(seen(PRIVATE, Origin::Person, "/stop", None, None));
        assert!(seen(PRIVATE, Origin::Person, "/stop", None, Some(1)));
        assert!(!seen(PRIVATE, Origin::Person, "/stop", None, Some(2)));
    }

    #[test]
    fn bots_hear_bots_by_mode_standing_and_address() {
        let off = Origin::Bot { id: 2, bot_to_bot: false };
        let on = Origin::Bot { id: 2, bot_to_bot: true };
        let all = Receiver { hears_all: true, ..PRIVATE };
        let mode = Receiver { bot_to_bot: true, ..PRIVATE };
        let both = Receiver { hears_all: true, ..mode };
        for (bot, origin, text, reply, expected) in [
            (PRIVATE, off, "/x@deniz_bot", Some(1), false),
            (all, off, "hi", None, false),
            (all, on, "hi", None, false),
            (PRIVATE, on, "/x@deniz_bot", None, true),
            (PRIVATE, on, "hi", Some(1), true),
            (PRIVATE, on, "hi", None, false),
            (mode, off, "hi", Some(1), true),
            (mode, off, "hi", None, false),
            (mode, off, "/x", None, false),
            (both, off, "hi", None, true),
        ] {
            assert_eq!(seen(bot, origin, text, reply, None), expected, "{bot:?} {origin:?} {text}");
        }
        let own = Origin::Bot { id: 1, bot_to_bot: true };
        assert!(!seen(both, own, "hi", Some(1), None));
    }
}
