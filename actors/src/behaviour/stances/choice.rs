//! Tells what a text is about, and chooses the stances that a prompt carries. Layer `behaviour`; pure.
//!
//! A stance that the answered message is about is always carried. A stance that merely lies near - in the conversation
//! around, in a topic to open - is left out while the bot argued for it lately: nobody likes one who always comes back
//! to the same thing.

use std::sync::Arc;

use super::lexical::{find_phrase, words};
use crate::behaviour::note::Note;
use crate::domain::ids::BotId;
use crate::domain::stance::Stance;
use crate::domain::text::fold;
use crate::domain::time::Timestamp;

/// Most stances in one prompt.
pub const CARRIED_MAX: usize = 3;

/// Number of latest messages of the chat whose subject counts as that of the conversation.
const TALK: usize = 6;

/// Returns whether `text` is about the stance.
pub fn about(text: &str, stance: &Stance) -> bool {
    about_folded(&fold(text), stance)
}

/// Returns whether a folded text is about the stance: its topic or one of its keywords is in the text.
pub fn about_folded(folded: &str, stance: &Stance) -> bool {
    let text = words(folded);
    std::iter::once(&stance.topic).chain(&stance.keywords).any(|subject| {
        let subject = fold(subject);
        let subject = words(&subject);
        find_phrase(&text, &subject).is_some()
    })
}

/// A moment at which a bot may show its opinions.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The bot.
    pub bot: BotId,
    /// Text that the bot answers.
    pub target: Option<&'a str>,
    /// Topic that the bot is to bring up.
    pub topic: Option<&'a str>,
    /// The end of the chat's transcript, oldest first.
    pub window: &'a [Arc<Note>],
    /// Current time.
    pub now: Timestamp,
}

/// Returns the stances that matter, those that the target is about first; at most [`CARRIED_MAX`].
pub fn relevant<'a>(stances: &'a [Stance], moment: &Moment<'_>) -> Vec<&'a Stance> {
    if stances.is_empty() {
        return Vec::new();
    }
    let target = moment.target.map(fold).unwrap_or_default();
    let topic = moment.topic.map(fold).unwrap_or_default();
    let (asked, rest): (Vec<_>, Vec<_>) = stances.iter().partition(|stance| about_folded(&target, stance));
    let near = rest.into_iter().filter(|stance| {
        let talk = moment.window.iter().rev().take(TALK);
        let talk = || talk.clone().any(|note| about_folded(note.folded(), stance));
        (about_folded(&topic, stance) || talk()) && !argued_lately(stance, moment)
    });
    asked.into_iter().chain(near).take(CARRIED_MAX).collect()
}

/// Returns whether the bot spoke about the stance within its cool-down, as far as the window tells.
fn argued_lately(stance: &Stance, moment: &Moment<'_>) -> bool {
    let since = moment.now - stance.cool_down;
    // An operator's words are no opinion of the bot.
    let own = moment.window.iter().rev().filter(|note| note.fleet_bot == Some(moment.bot) && !note.by_operator);
    own.take_while(|note| note.date > since).any(|note| about_folded(note.folded(), stance))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::behaviour::samples::{bot, noted, says};

    pub(crate) fn stance(topic: &str, position: &str, denials: &[&str]) -> Stance {
        Stance {
            topic: topic.to_owned(),
            position: position.to_owned(),
            confidence: 0.8,
            reasons: vec!["öyle".to_owned()],
            denials: denials.iter().map(|&denial| denial.to_owned()).collect(),
            cool_down: Duration::from_hours(1),
            ..Stance::default()
        }
    }

    #[test]
    fn a_text_is_about_a_topic_in_any_form_of_its_words() {
        let tea = Stance { keywords: vec!["demleme".to_owned()], ..stance("çay", "Çay kahveden iyidir.", &[]) };
        assert!(about("ÇAYLARI kim yaptı?", &tea) && about("Demlemeyi unutma", &tea));
        assert!(!about("çayır çimen", &tea) && !about("kahve", &tea));
        assert!(about("I love old films so much", &stance("old film", "x", &[])));
    }

    #[test]
    fn what_was_asked_comes_before_what_lies_near_and_three_are_enough() {
        let stances: Vec<_> = ["tea", "cats", "trains", "rain"].map(|topic| stance(topic, "x", &[])).into();
        let window: Vec<_> =
            (1..4).map(|n| Arc::new(noted(&says(n, None, "rain and trains and cats and tea", 0)))).collect();
        let moment =
            Moment { bot: BotId(1), target: Some("rain?"), topic: None, window: &window, now: Timestamp::from_secs(9) };
        let topics: Vec<_> = relevant(&stances, &moment).into_iter().map(|stance| stance.topic.as_str()).collect();
        assert_eq!(topics, ["rain", "tea", "cats"]);
    }

    #[test]
    fn nobody_comes_back_to_the_same_thing_unasked() {
        let (own, stances) = (bot(1, "Deniz"), [stance("tea", "x", &[])]);
        let window = [Arc::new(noted(&says(100, Some(&own), "tea it is", 0)))];
        let carried = |target, now| {
            let moment = Moment {
                bot: BotId(1),
                target,
                topic: Some("tea time"),
                window: &window,
                now: Timestamp::from_secs(now),
            };
            relevant(&stances, &moment).len()
        };
        assert_eq!(carried(None, 200), 0, "an hour must pass");
        assert_eq!(carried(Some("what about tea?"), 200), 1, "who is asked answers");
        assert_eq!(carried(None, 4000), 1);
    }
}
