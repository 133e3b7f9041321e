//! The shape of what can be said in one language. Layer: load test; data only.
//!
//! Slots: `{n}` who is answered, `{o}` another participant, `{t}` the topic's name or a word of the
//! message. A phrase whose slot cannot be filled is not used.

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
    /// Short openers by stance.
    pub(super) agree: &'static [&'static str],
    pub(super) disagree: &'static [&'static str],
    pub(super) add: &'static [&'static str],
    /// Whole thoughts by stance, on any subject.
    pub(super) agreeing: &'static [&'static str],
    pub(super) disagreeing: &'static [&'static str],
    pub(super) adding: &'static [&'static str],
    /// Thoughts about a topic by its name.
    pub(super) about: &'static [&'static str],
    /// Thoughts about a bare word of the message; empty where words are inflected.
    pub(super) word: &'static [&'static str],
    /// What leads over to another topic.
    pub(super) digress: &'static [&'static str],
    /// Questions to another participant.
    pub(super) ask_other: &'static [&'static str],
    /// Questions to the one who is answered, or to all.
    pub(super) ask_back: &'static [&'static str],
    pub(super) topics: &'static [Topic],
}

impl Phrases {
    /// Whether a word stands in a phrase, so that repeating it would be an echo.
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

    /// Whether a folded message ends with one of the questions that only pass the word on.
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
    /// What words of this topic begin with, or whole phrases.
    pub(super) stems: &'static [&'static str],
    /// Its name, in the nominative.
    pub(super) noun: &'static str,
    /// What is said about it.
    pub(super) facts: &'static [&'static str],
    /// What is asked about it.
    pub(super) asks: &'static [&'static str],
}
