//! Chooses topics by words: of the chat and of the bot, but none spoken of lately. Layer `behaviour`; pure.

use super::selector::{QuietRoom, TopicSelector};
use crate::domain::text::fold;

/// Weights of a topic of the chat, and of an interest of the bot.
const TOPIC: f64 = 1.0;
const INTEREST: f64 = 0.5;

/// Extra weight of a chat's topic that touches an interest of the bot.
const LIKED: f64 = 1.5;

/// Share of a topic's words from which the topic was spoken of lately.
const SPOKEN_OF: f64 = 0.5;

/// Letters of a word that are compared, since endings vary, in Turkish much.
const STEM_CHARS: usize = 5;
/// Fewest letters of a word that counts: shorter words say little of a topic.
const WORD_CHARS_MIN: usize = 3;

/// Chooses by lexical similarity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyword;

impl TopicSelector for Keyword {
    fn select(&self, room: &QuietRoom<'_>, seed: u64) -> Option<String> {
        let interests: Vec<String> = room.interests.iter().flat_map(|interest| stems(&fold(interest))).collect();
        let lately: Vec<String> = room.lately.iter().flat_map(|text| stems(text)).collect();
        let fresh = |topic: &&String| share(&stems(&fold(topic)), &lately) < SPOKEN_OF;
        let of_chat = room.topics.iter().filter(fresh).map(|topic| {
            let liked = share(&stems(&fold(topic)), &interests);
            (topic, TOPIC + if liked > 0.0 { LIKED } else { 0.0 })
        });
        let of_bot = room.interests.iter().filter(fresh).map(|interest| (interest, INTEREST));
        let candidates: Vec<(&String, f64)> = of_chat.chain(of_bot).collect();
        let mut left = fastrand::Rng::with_seed(seed).f64() * candidates.iter().map(|(_, weight)| weight).sum::<f64>();
        let drawn = candidates.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        drawn.or(candidates.last()).map(|(topic, _)| (*topic).clone())
    }
}

/// Returns the beginnings of a folded text's words.
fn stems(folded: &str) -> Vec<String> {
    let words = folded.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| word.chars().count() >= WORD_CHARS_MIN)
        .map(|word| word.chars().take(STEM_CHARS).collect())
        .collect()
}

/// Returns the share of `words` that are among `others`.
fn share(words: &[String], others: &[String]) -> f64 {
    let common = words.iter().filter(|word| others.contains(word)).count();
    if words.is_empty() { 0.0 } else { common as f64 / words.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(topics: &[&str], interests: &[&str], lately: &[&str], wanted: &str) -> usize {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (topics, interests) = (own(topics), own(interests));
        let room = QuietRoom { topics: &topics, interests: &interests, lately };
        (0..300).filter(|seed| Keyword.select(&room, *seed).as_deref() == Some(wanted)).count()
    }

    #[test]
    fn a_topic_that_the_bot_likes_comes_up_more_often() {
        let topics = ["the music of the seventies", "what makes a city walkable"];
        let liked = counts(&topics, &["music"], &[], topics[0]);
        let other = counts(&topics, &["music"], &[], topics[1]);
        assert!(liked > other * 3 / 2 && other > 20, "{liked} {other}");
    }

    #[test]
    fn what_was_spoken_of_lately_does_not_come_up_again_whatever_its_endings() {
        let topics = ["mahalle kahvaltısı", "yıldız gözlemi"];
        let lately = [&*fold("dünkü mahallede kahvaltıya gelen var mıydı?")];
        assert_eq!(counts(&topics, &[], &lately, topics[0]), 0);
        assert_eq!(counts(&topics, &[], &lately, topics[1]), 300);
    }

    #[test]
    fn without_anything_new_the_bot_is_left_to_itself() {
        let room = QuietRoom { topics: &[], interests: &["tea".to_owned()], lately: &["more tea"] };
        assert_eq!(Keyword.select(&room, 1), None);
    }
}
