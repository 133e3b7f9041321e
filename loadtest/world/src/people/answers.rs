//! Answers a bot: takes up its question, its subject, or agrees, objects and laughs. Layer: world; pure, seeded.

use serde::{Deserialize, Serialize};

use super::lines::{ENGLISH, Lines, TURKISH};
use crate::provider::smalltalk::words::Language;
use crate::provider::smalltalk::{Asks, gist_of};
use crate::texts::varied;

/// The share of answers that take up the subject of a bot's statement.
const ON_SUBJECT: f64 = 0.65;

/// A person's answer, whose words depend on what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The seed of the words.
    pub seed: u64,
    /// The person writes Turkish.
    pub turkish: bool,
}

impl Answer {
    /// Returns the words that answer `said`.
    pub fn to(self, said: &str) -> String {
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let (lines, language): (&Lines, _) =
            if self.turkish { (&TURKISH, Language::Turkish) } else { (&ENGLISH, Language::English) };
        let gist = gist_of(said, language);
        let topic = lines.topics.iter().find(|topic| Some(topic.key) == gist.subject);
        let list = match &gist.asks {
            Asks::Either(..) => &lines.to_either,
            Asks::YesNo => &lines.to_yesno,
            Asks::Amount => &lines.to_amount,
            Asks::Else => &lines.to_open,
            Asks::Nothing => topic.filter(|_| rng.f64() < ON_SUBJECT).map_or(&lines.replies, |topic| &topic.answers),
        };
        let line = rng.choice(list.iter()).copied().unwrap_or_default();
        let text = varied(&mut rng, line);
        match gist.asks {
            Asks::Either(first, second) => {
                let (a, b) = if rng.bool() { (first, second) } else { (second, first) };
                text.replace("{a}", &a).replace("{b}", &b)
            }
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(said: &str, turkish: bool) -> Vec<String> {
        (0..200).map(|seed| Answer { seed, turkish }.to(said)).collect()
    }

    #[test]
    fn a_question_with_alternatives_is_answered_with_one_of_them() {
        for (said, turkish, first, second) in
            [("Milk or lemon?", false, "milk", "lemon"), ("Kâğıt mı, ekran mı?", true, "kâğıt", "ekran")]
        {
            assert!(answers(said, turkish).iter().all(|text| text.contains(first) || text.contains(second)));
        }
    }

    #[test]
    fn most_answers_take_up_the_subject() {
        for (said, turkish, key) in [
            ("Loose leaves ruined tea bags for me.", false, "tea"),
            ("Vapurda okunan kitap daha güzel.", true, "books"),
        ] {
            let lines: &Lines = if turkish { &TURKISH } else { &ENGLISH };
            let topic = lines.topics.iter().find(|topic| topic.key == key);
            let on_it = answers(said, turkish)
                .iter()
                .filter(|text| {
                    topic.is_some_and(|topic| topic.answers.iter().any(|line| line == text || line.contains('[')))
                })
                .count();
            assert!(on_it > 100, "{on_it} of 200");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_words() {
        assert_eq!(answers("What a day.", false), answers("What a day.", false));
    }
}
