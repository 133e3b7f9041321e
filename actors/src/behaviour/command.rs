//! Reads commands of people from messages in chats. Layer `behaviour`; pure.
//!
//! A command is at the very beginning of a message and ends where Telegram's entity does, whatever follows; `/x@name`
//! is for the bot of that name alone. Each command has a Turkish name beside the English one.

use std::time::Duration;

use super::local::next_showing;
use crate::domain::incoming::{AuthorKind, Message, command_word};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;

/// The longest time for which an administrator quiets a chat by `/quiet`.
const QUIET_MAX: Duration = Duration::from_hours(24 * 7);

/// Time for which a chat is quiet when nobody says how long.
const QUIET_DEFAULT: Duration = Duration::from_hours(1);

/// Command of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Asks for the disclosure of the bots.
    Ai,
    /// Asks how the fleet treats messages.
    Privacy,
    /// Orders that nothing that the author says is stored.
    OptOut,
    /// Orders that the author's words are stored again.
    OptIn,
    /// Orders that the author's stored words are removed.
    Forget,
    /// Asks for a summary of the data stored about the author.
    MyData,
    /// Administrators: silence until somebody starts the bots again.
    Stop,
    /// Administrators: end of a silence.
    Start,
    /// Administrators: silence for a while.
    Quiet(Quiet),
}

/// Length of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quiet {
    /// For this time.
    For(Duration),
    /// Until this minute of the day, by the chat's clock.
    Until(u16),
}

/// A command and its addressee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The command.
    pub command: Command,
    /// Username of the bot that the command names, folded; `None` when any bot may take it.
    pub to: Option<String>,
}

impl Command {
    /// Returns the name, for records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ai => "ai",
            Self::Privacy => "privacy",
            Self::OptOut => "optout",
            Self::OptIn => "optin",
            Self::Forget => "forgetme",
            Self::MyData => "mydata",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Quiet(_) => "quiet",
        }
    }

    /// Returns whether only administrators may give the command.
    pub fn is_for_administrators(self) -> bool {
        matches!(self, Self::Stop | Self::Start | Self::Quiet(_))
    }

    fn read(name: &str, rest: &str) -> Option<Self> {
        Some(match name {
            "ai" | "yapayzeka" => Self::Ai,
            "privacy" | "gizlilik" => Self::Privacy,
            "optout" | "cik" => Self::OptOut,
            "optin" | "katil" => Self::OptIn,
            "forgetme" | "beniunut" => Self::Forget,
            "mydata" | "verilerim" => Self::MyData,
            "stop" | "dur" => Self::Stop,
            "start" | "basla" => Self::Start,
            "quiet" | "sessiz" => Self::Quiet(Quiet::read(rest)),
            _ => return None,
        })
    }
}

impl Quiet {
    /// Returns the end of a silence that was ordered at `said`, by the clock of `time_zone`.
    pub fn end(self, said: Timestamp, time_zone: &str) -> Timestamp {
        match self {
            Self::For(length) => said + length,
            Self::Until(minute) => next_showing(time_zone, minute, said),
        }
    }

    /// Reads `30m`, `2h`, `2 saat`, `until 08:00`, `08:00`; an hour when the text tells no time. A bare `s` is no unit:
    /// it may mean seconds as well as `saat`, hours.
    fn read(rest: &str) -> Self {
        let bare = rest.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        let words: Vec<&str> = bare.filter(|word| !word.is_empty()).collect();
        let clock = words.iter().take(2).find_map(|word| {
            let (hours, minutes) = word.split_once(':')?;
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        });
        if let Some(minute) = clock {
            return Self::Until(minute);
        }
        let length = words.first().and_then(|word| {
            let digits = word.bytes().take_while(u8::is_ascii_digit).count();
            let (count, unit) = word.split_at(digits);
            let unit = if unit.is_empty() { words.get(1).copied().unwrap_or_default() } else { unit };
            let count = count.parse::<u64>().ok().filter(|count| *count > 0)?;
            let unit = match fold(unit).as_str() {
                "m" | "min" | "dk" | "dakika" => 60,
                "h" | "sa" | "saat" => 3_600,
                "d" | "g" => 86_400,
                _ => return None,
            };
            Some(Duration::from_secs(count.checked_mul(unit)?))
        });
        Self::For(length.unwrap_or(QUIET_DEFAULT).min(QUIET_MAX))
    }
}

/// Returns the order in a message, if a person gave one: bots and foreign channels order nothing.
pub fn order_in(message: &Message) -> Option<Order> {
    if matches!(message.author.kind, AuthorKind::Bot | AuthorKind::Guest | AuthorKind::Channel) {
        return None;
    }
    let text = message.text.as_deref()?;
    let word = command_word(text, &message.entities)?;
    let rest = &text[word.len()..];
    let (name, to) = word.split_once('@').map_or((word, None), |(name, to)| (name, Some(to)));
    let command = Command::read(&name.strip_prefix('/')?.to_lowercase(), rest)?;
    Some(Order { command, to: to.map(fold) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{MessageId, TelegramUserId};
    use crate::domain::incoming::{Author, Entity, EntityKind};
    use crate::testkit::rows::at;

    fn said(text: &str, kind: AuthorKind) -> Option<Order> {
        let of_command = |c: char| c.is_ascii_alphanumeric() || "/_@".contains(c);
        let length = text.find(|c| !of_command(c)).unwrap_or(text.len());
        order_in(&Message {
            message_id: MessageId(1),
            date: at(0),
            revision: 0,
            thread: None,
            reply_to: None,
            quoted: None,
            author: Author { id: TelegramUserId(1), name: "Ayşe".to_owned(), username: None, kind },
            text: Some(text.to_owned()),
            entities: vec![Entity { kind: EntityKind::BotCommand, offset: 0, length }],
            media: None,
            service: false,
        })
    }

    #[test]
    fn commands_are_read_in_both_languages_and_for_one_bot() {
        let order = |text| said(text, AuthorKind::Person);
        assert_eq!(order("/optout"), Some(Order { command: Command::OptOut, to: None }));
        assert_eq!(order("/BeniUnut lütfen").map(|order| order.command), Some(Command::Forget));
        let named = order("/mydata@Ada_Bot").unwrap();
        assert_eq!((named.command, named.to.as_deref()), (Command::MyData, Some("ada_bot")));
        assert_eq!(order("/weather"), None);
        for (text, command) in [
            ("/optout.", Command::OptOut),
            ("/stop!", Command::Stop),
            ("/forgetme, please", Command::Forget),
            ("/katil…", Command::OptIn),
        ] {
            assert_eq!(order(text), Some(Order { command, to: None }), "{text}");
        }
        assert_eq!(order("/stop@ada_bot,").unwrap().to.as_deref(), Some("ada_bot"));
        assert_eq!(said("/stop", AuthorKind::Bot), None);
        assert!(said("/stop", AuthorKind::Anonymous).is_some());
    }

    #[test]
    fn quiet_knows_lengths_and_hours() {
        let quiet = |text| said(text, AuthorKind::Person).map(|order| order.command);
        let minutes = |minutes| Some(Command::Quiet(Quiet::For(Duration::from_mins(minutes))));
        assert_eq!(quiet("/quiet"), minutes(60));
        assert_eq!(quiet("/quiet 30m"), minutes(30));
        assert_eq!(quiet("/sessiz 2sa"), minutes(120));
        assert_eq!(quiet("/sessiz 3saat"), minutes(180));
        assert_eq!(quiet("/sessiz 2 Saat"), minutes(120));
        assert_eq!(quiet("/sessiz 20dakika"), minutes(20));
        assert_eq!(quiet("/sessiz 30s"), minutes(60), "not thirty hours");
        assert_eq!(quiet("/quiet until 08:00"), Some(Command::Quiet(Quiet::Until(480))));
        assert_eq!(quiet("/quiet 99999999999h"), minutes(7 * 24 * 60));
        assert_eq!(quiet("/quiet 25:00"), minutes(60));
        assert_eq!(quiet("/quiet, 30m."), minutes(30));
        assert_eq!(quiet("/quiet: until 08:00!"), Some(Command::Quiet(Quiet::Until(480))));
    }
}
