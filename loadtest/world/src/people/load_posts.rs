//! Generates marked messages for load tests; chats and their people take turns. Layer: world; pure.

use super::spec::PeopleSpec;

/// The sentences before the markers, used in turn.
const SENTENCES: [&str; 8] = [
    "what do you think about tea in the morning?",
    "bugün hava nasıl olacak sence?",
    "tell me something about your day",
    "dünkü maçı konuşalım mı?",
    "which book would you take to an island?",
    "akşama ne pişirsem bilemedim",
    "is Rust worth the trouble?",
    "hafta sonu için bir önerin var mı?",
];

/// One marked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPost {
    /// The marker's number, unique in the run.
    pub number: u64,
    /// The chat.
    pub chat: i64,
    /// The author.
    pub person: i64,
    /// The text, which ends with `#m<number>`.
    pub text: String,
}

/// An endless sequence of marked messages; it is empty when no chat has people.
#[derive(Debug, Clone)]
pub struct LoadPosts {
    chats: Vec<(i64, Vec<i64>)>,
    made: u64,
    first: u64,
}

impl LoadPosts {
    /// Makes a sequence that goes round the chats, and round the people of each; markers count up from `first`.
    pub fn new(chats: Vec<(i64, Vec<i64>)>, first: u64) -> Self {
        let chats = chats.into_iter().filter(|(_, people)| !people.is_empty()).collect();
        Self { chats, made: 0, first }
    }

    /// Returns the number of chats that the sequence goes round.
    pub fn chats(&self) -> usize {
        self.chats.len()
    }

    /// Makes a sequence that goes round the chats and people of a spec; markers count up from 1.
    pub fn of_people(spec: &PeopleSpec) -> Self {
        let people = |chat: &super::spec::PeopleChat| chat.people.iter().map(|person| person.id).collect();
        Self::new(spec.chats.iter().map(|chat| (chat.chat, people(chat))).collect(), 1)
    }
}

impl Iterator for LoadPosts {
    type Item = LoadPost;

    fn next(&mut self) -> Option<LoadPost> {
        let round = self.made.checked_div(self.chats.len() as u64)?;
        let (chat, people) = &self.chats[wrap(self.made, self.chats.len())];
        let number = self.first + self.made;
        let sentence = SENTENCES[wrap(number, SENTENCES.len())];
        self.made += 1;
        Some(LoadPost {
            number,
            chat: *chat,
            person: people[wrap(round, people.len())],
            text: format!("{sentence} #m{number}"),
        })
    }
}

/// Wraps a number into an index; `length` is at least 1.
fn wrap(number: u64, length: usize) -> usize {
    usize::try_from(number % length as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::marker_of;

    #[test]
    fn every_post_has_its_own_marker_and_chats_take_turns() {
        let posts: Vec<_> = LoadPosts::new(vec![(-1, vec![10, 11]), (-2, vec![20]), (-3, vec![])], 5).take(6).collect();
        assert_eq!(posts.iter().map(|post| post.chat).collect::<Vec<_>>(), [-1, -2, -1, -2, -1, -2]);
        assert_eq!(posts.iter().map(|post| post.person).collect::<Vec<_>>(), [10, 20, 11, 20, 10, 20]);
        for (post, number) in posts.iter().zip(5..) {
            assert_eq!(post.number, number);
            assert_eq!(marker_of(&post.text), Some(format!("#m{number}").as_str()));
        }
    }

    #[test]
    fn nobody_posts_without_people() {
        assert_eq!(LoadPosts::new(vec![(-1, vec![])], 1).next(), None);
    }
}
