//! Builds the sentences of one reply: address, answer, thought, closing question. Layer: world; pure, seeded.

use super::intent::{Asks, Intent, fold};
use super::phrases::Phrases;
use super::prompt::Prompt;
use super::subject::Subject;

/// The bounds of a reply, in words.
pub(super) const FEWEST_WORDS: usize = 4;
pub(super) const MOST_WORDS: usize = 40;

/// The persona's attitude towards a message.
#[derive(Debug, Clone, Copy)]
enum Stance {
    Agree,
    Disagree,
    Add,
}

/// The names that slots are filled with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) speaker: Option<&'a str>,
    pub(super) other: Option<&'a str>,
    pub(super) topic: Option<&'a str>,
}

/// Gathers the sentences of one reply.
pub(super) struct Composer<'a> {
    pub(super) rng: &'a mut fastrand::Rng,
    pub(super) phrases: &'static Phrases,
    pub(super) slots: Slots<'a>,
    pub(super) heard: &'a [String],
    pub(super) sentences: Vec<String>,
}

impl Composer<'_> {
    pub(super) fn say(&mut self, list: &[&str]) {
        if let Some(sentence) = self.pick(list) {
            self.sentences.push(sentence);
        }
    }

    /// Picks a phrase whose slots can be filled; one that nobody said lately, if there is one.
    fn pick(&mut self, list: &[&str]) -> Option<String> {
        let filled: Vec<String> = list.iter().filter_map(|phrase| fill(phrase, self.slots)).collect();
        let fresh: Vec<&String> = filled.iter().filter(|text| !self.was_heard(text)).collect();
        match self.rng.choice(fresh) {
            Some(text) => Some(text.clone()),
            None => self.rng.choice(&filled).cloned(),
        }
    }

    fn was_heard(&self, sentence: &str) -> bool {
        let folded = fold(sentence);
        let core = folded.trim_end_matches(['.', '?', '!']);
        self.heard.iter().any(|text| text.contains(core))
    }

    pub(super) fn answer(&mut self, asks: Asks, subject: Subject<'_>, prompt: &Prompt) {
        let phrases = self.phrases;
        let list = match asks {
            Asks::YesNo if prompt.ways.contrary => &phrases.no,
            Asks::YesNo if self.rng.f64() < 0.6 => &phrases.yes,
            Asks::YesNo => &phrases.no,
            Asks::Why => &phrases.why,
            Asks::Who => &phrases.who,
            Asks::When => &phrases.when,
            Asks::Place => &phrases.place,
            Asks::How => &phrases.how,
            Asks::What => &phrases.what,
        };
        self.say(list);
        if self.rng.f64() < 0.7 && !prompt.ways.terse {
            self.think(subject, Stance::Add);
        }
    }

    pub(super) fn comment(&mut self, subject: Subject<'_>, prompt: &Prompt) {
        let stance = self.stance(prompt);
        let phrases = self.phrases;
        if self.rng.f64() < 0.7 {
            self.say(match stance {
                Stance::Agree => &phrases.agree,
                Stance::Disagree => &phrases.disagree,
                Stance::Add => &phrases.add,
            });
        }
        if self.rng.f64() < 0.12 && !prompt.ways.terse {
            self.digress();
        } else {
            self.think(subject, stance);
        }
    }

    fn stance(&mut self, prompt: &Prompt) -> Stance {
        let (agree, disagree) = match (prompt.ways.contrary, prompt.ways.warm) {
            (true, false) => (0.1, 0.7),
            (false, true) => (0.6, 0.08),
            _ => (0.4, 0.22),
        };
        let drawn = self.rng.f64();
        if drawn < agree {
            Stance::Agree
        } else if drawn < agree + disagree {
            Stance::Disagree
        } else {
            Stance::Add
        }
    }

    fn think(&mut self, subject: Subject<'_>, stance: Stance) {
        let phrases = self.phrases;
        let general = match stance {
            Stance::Agree => &phrases.agreeing,
            Stance::Disagree => &phrases.disagreeing,
            Stance::Add => &phrases.adding,
        };
        let drawn = self.rng.f64();
        match subject {
            Subject::Topic(topic) if drawn < 0.5 => self.say(&topic.facts),
            Subject::Topic(_) if drawn < 0.8 => self.say(&phrases.about),
            Subject::Word(_) if drawn < 0.5 => self.say(&phrases.word),
            _ => self.say(general),
        }
    }

    fn digress(&mut self) {
        let topics = &self.phrases.topics;
        let lead = self.pick(&self.phrases.digress);
        let fact = self.rng.choice(topics).and_then(|topic| self.pick(&topic.facts));
        if let (Some(lead), Some(fact)) = (lead, fact) {
            self.sentences.push(format!("{lead} {fact}"));
        }
    }

    /// Adds a closing question, often enough that a conversation goes on and seldom enough that it ends.
    pub(super) fn close(&mut self, intent: Intent, subject: Subject<'_>, prompt: &Prompt) {
        let chance = match (intent, prompt.ways.curious, prompt.ways.terse) {
            (Intent::Thanks, ..) => 0.1,
            (_, _, true) => 0.25,
            (_, true, _) => 0.75,
            _ => 0.55,
        };
        let too_short = self.sentences.iter().map(|s| s.split_whitespace().count()).sum::<usize>() < FEWEST_WORDS;
        if self.rng.f64() >= chance && !too_short {
            return;
        }
        let about = match subject {
            Subject::Topic(topic) if matches!(intent, Intent::Statement | Intent::Question(_)) => Some(topic),
            _ => None,
        };
        let to_another = self.slots.other.filter(|_| self.rng.f64() < 0.7);
        match (to_another, about) {
            (Some(other), Some(topic)) if self.rng.bool() => {
                if let Some(question) = self.pick(&topic.asks) {
                    self.sentences.push(format!("{other}, {question}"));
                }
            }
            (Some(_), _) => self.say(&self.phrases.ask_other),
            (None, Some(topic)) if self.rng.bool() => self.say(&topic.asks),
            (None, _) => self.say(&self.phrases.ask_back),
        }
    }

    /// Joins the sentences, sometimes addresses the speaker, and keeps within the bounds.
    pub(super) fn finish(mut self, prompt: &Prompt) -> String {
        let count = |sentences: &[String]| sentences.iter().map(|s| s.split_whitespace().count()).sum::<usize>();
        while count(&self.sentences) < FEWEST_WORDS && self.sentences.len() < 4 {
            let before = self.sentences.len();
            self.say(&self.phrases.adding);
            if self.sentences.len() == before {
                break;
            }
        }
        while count(&self.sentences) >= MOST_WORDS && self.sentences.len() > 1 {
            self.sentences.remove(0);
        }
        if let (Some(speaker), Some(first)) = (prompt.speaker.as_deref(), self.sentences.first_mut())
            && self.rng.f64() < 0.45
            && !first.contains(speaker)
        {
            *first = format!("{speaker}, {first}");
        }
        self.sentences.join(" ")
    }
}

/// Fills a phrase's slots; `None` when a slot has no value.
fn fill(phrase: &str, slots: Slots<'_>) -> Option<String> {
    let mut text = phrase.to_owned();
    for (slot, value) in [("{n}", slots.speaker), ("{o}", slots.other), ("{t}", slots.topic)] {
        if text.contains(slot) {
            text = text.replace(slot, value?);
        }
    }
    Some(text)
}

/// Raises the first letter of every sentence; in Turkish, i becomes İ.
pub(super) fn capitalised(text: &str, turkish: bool) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut opens = true;
    for c in text.chars() {
        if opens && c.is_alphabetic() {
            match c {
                'i' if turkish => out.push('İ'),
                _ => out.extend(c.to_uppercase()),
            }
            opens = false;
        } else {
            out.push(c);
            if matches!(c, '.' | '?' | '!') {
                opens = true;
            } else if !c.is_whitespace() {
                opens = false;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turkish_sentence_opens_with_a_dotted_capital() {
        assert_eq!(capitalised("iyiyim. ılık bir gün!", true), "İyiyim. Ilık bir gün!");
        assert_eq!(capitalised("it is so. fine?", false), "It is so. Fine?");
    }
}
