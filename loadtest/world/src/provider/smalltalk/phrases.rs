//! Defines the phrases of one language. Layer: world; data only.
//!
//! Slots: `{n}` the person who is answered, `{o}` another participant, `{t}` the topic's name or a word of the message.
//! A phrase is not used when one of its slots cannot be filled.

use super::intent::fold;

/// All phrases of one language.
#[derive(Debug)]
pub(super) struct Phrases {
    pub(super) greetings: &'static [&'static str],
    pub(super) wellbeing: &'static [&'static str],
    pub(super) thanks: &'static [&'static str],
    pub(super) farewells: &'static [&'static str],
    pub(super) yes: &'static [&'static str],
    pub(super) no: &'static [&'static str],
    pub(super) why: &'static [&'static str],
    pub(super) who: &'static [&'static str],
    pub(super) when: &'static [&'static str],
    pub(super) place: &'static [&'static str],
    pub(super) how: &'static [&'static str],
    pub(super) what: &'static [&'static str],
    /// Short openers, by stance.
    pub(super) agree: &'static [&'static str],
    pub(super) disagree: &'static [&'static str],
    pub(super) add: &'static [&'static str],
    /// Complete thoughts on any subject, by stance.
    pub(super) agreeing: &'static [&'static str],
    pub(super) disagreeing: &'static [&'static str],
    pub(super) adding: &'static [&'static str],
    /// Thoughts about a topic, by its name.
    pub(super) about: &'static [&'static str],
    /// Thoughts about a bare word of the message; empty for a language that inflects words.
    pub(super) word: &'static [&'static str],
    /// Phrases that lead over to another topic.
    pub(super) digress: &'static [&'static str],
    /// Questions to another participant.
    pub(super) ask_other: &'static [&'static str],
    /// Questions to the person who is answered, or to everybody.
    pub(super) ask_back: &'static [&'static str],
    pub(super) topics: &'static [Topic],
}

impl Phrases {
    /// Returns whether a phrase contains a word, so that repeating the word would be an echo.
    pub(super) fn use_word(&self, word: &str) -> bool {
        let lists = [
            self.greetings,
            self.wellbeing,
            self.thanks,
            self.farewells,
            self.yes,
            self.no,
            self.why,
            self.who,
            self.when,
            self.place,
            self.how,
            self.what,
            self.agree,
            self.disagree,
            self.add,
            self.agreeing,
            self.disagreeing,
            self.adding,
            self.about,
            self.word,
            self.digress,
            self.ask_other,
            self.ask_back,
        ];
        let facts = self.topics.iter().flat_map(|topic| topic.facts.iter().chain(topic.asks));
        lists.into_iter().flatten().chain(facts).any(|phrase| phrase.contains(word))
    }

    /// Returns whether a folded message ends with a question that only invites somebody to speak.
    pub(super) fn only_pass_on(&self, folded: &str) -> bool {
        let asked = folded.trim_end();
        self.ask_other.iter().chain(self.ask_back).any(|phrase| {
            let question = fold(phrase.strip_prefix("{o}, ").unwrap_or(phrase));
            asked.ends_with(question.as_str())
        })
    }
}

/// One topic of one language.
#[derive(Debug)]
pub(super) struct Topic {
    /// The beginnings of words that belong to this topic, or whole phrases.
    pub(super) stems: &'static [&'static str],
    /// The topic's name, in the nominative.
    pub(super) noun: &'static str,
    /// Statements about the topic.
    pub(super) facts: &'static [&'static str],
    /// Questions about the topic.
    pub(super) asks: &'static [&'static str],
}
