//! Puts a reply together: address, answer, thought, closing question. Layer: world; pure, seeded.
//!
//! A reply has 4-40 words. A sentence said lately, here or in the prompt, is repeated only when no other is left. Of
//! several tries the one is taken that is least like earlier texts.

use std::collections::{HashMap, VecDeque};

use super::intent::{Asks, Intent, Language, fold, intent_of};
use super::memory::{Memory, Sentences};
use super::phrases::Phrases;
use super::prompt::Prompt;
use super::sentences::{Composer, Slots, capitalised};
use super::subject::{Subject, subject};

/// The largest number of tries for a fresh text.
const TRIES: usize = 16;
/// The largest share of letters that a fresh text has in common with any earlier text.
const FRESH: f64 = 0.3;
/// The number of texts whose repetitions are counted.
const MEMORY: usize = 2000;

/// Writes replies, and remembers them.
#[derive(Debug)]
pub(in crate::provider) struct SmallTalk {
    rng: fastrand::Rng,
    said: VecDeque<String>,
    times: HashMap<String, u32>,
    memory: Memory,
}

impl SmallTalk {
    /// Makes a talker whose texts depend on the seed and the prompts alone.
    pub(in crate::provider) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed ^ 0x7461_6c6b),
            said: VecDeque::new(),
            times: HashMap::new(),
            memory: Memory::default(),
        }
    }

    /// Replies to a prompt.
    pub(in crate::provider) fn reply(&mut self, prompt: &Prompt) -> String {
        let phrases = Phrases::of(prompt.language);
        let heard: Vec<String> = prompt.recent.iter().map(|text| fold(text)).collect();
        let persona = prompt.persona.as_deref().unwrap_or_default();
        let mut best: Option<(f64, String, Sentences)> = None;
        for _ in 0..TRIES {
            let text = compose(&mut self.rng, phrases, prompt, &heard);
            let sentences = Sentences::of(&text, prompt);
            let times = self.times.get(&text).copied().unwrap_or(0);
            let staleness = self.memory.likest(persona, &sentences) + f64::from(times);
            if best.as_ref().is_none_or(|(least, ..)| staleness < *least) {
                best = Some((staleness, text, sentences));
            }
            if staleness <= FRESH {
                break;
            }
        }
        let Some((_, text, sentences)) = best else {
            return String::new();
        };
        self.remember(&text);
        self.memory.remember(persona, sentences);
        text
    }

    fn remember(&mut self, text: &str) {
        *self.times.entry(text.to_owned()).or_default() += 1;
        self.said.push_back(text.to_owned());
        if self.said.len() > MEMORY
            && let Some(oldest) = self.said.pop_front()
            && let Some(times) = self.times.get_mut(&oldest)
        {
            *times -= 1;
            if *times == 0 {
                self.times.remove(&oldest);
            }
        }
    }
}

fn compose(rng: &mut fastrand::Rng, phrases: &'static Phrases, prompt: &Prompt, heard: &[String]) -> String {
    let subject = subject(rng, phrases, prompt);
    let topic = match subject {
        Subject::Topic(topic) => Some(topic.noun),
        Subject::Word(word) => Some(word),
        Subject::Open => None,
    };
    let other = rng.choice(&prompt.others).map(String::as_str);
    let slots = Slots { speaker: prompt.speaker.as_deref(), other, topic };
    let intent = match intent_of(&prompt.text) {
        // A persona that is only asked to speak says what it thinks.
        Intent::Question(asks) if asks != Asks::YesNo && phrases.only_pass_on(&fold(&prompt.text)) => Intent::Statement,
        intent => intent,
    };
    let mut composer = Composer { rng, phrases, slots, heard, sentences: Vec::new() };
    match intent {
        Intent::Greeting => composer.say(&phrases.greetings),
        Intent::Wellbeing => composer.say(&phrases.wellbeing),
        Intent::Thanks => composer.say(&phrases.thanks),
        Intent::Farewell => composer.say(&phrases.farewells),
        Intent::Question(asks) => composer.answer(asks, subject, prompt),
        Intent::Statement => composer.comment(subject, prompt),
    }
    if intent != Intent::Farewell {
        composer.close(intent, subject, prompt);
    }
    let text = composer.finish(prompt);
    capitalised(&text, prompt.language == Language::Turkish)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use serde_json::json;

    use super::super::sentences::{FEWEST_WORDS, MOST_WORDS};
    use super::*;

    fn prompt(system: &str, user: &[String]) -> Prompt {
        let mut messages = vec![json!({"role": "system", "content": system})];
        messages.extend(user.iter().map(|text| json!({"role": "user", "content": text})));
        Prompt::read(&serde_json::from_value::<Vec<_>>(json!(messages)).unwrap())
    }

    fn varied(turkish: bool) -> Vec<Prompt> {
        let (system, names, texts): (_, [&str; 4], [&str; 12]) = if turkish {
            (
                "Sen Deniz, Türkçe konuşan neşeli bir fırıncısın.",
                ["Ayşe", "Mert", "Zeynep", "Can"],
                [
                    "çay mı kahve mi?",
                    "dünkü maç rezaletti",
                    "bu hafta hangi kitabı okuyorsunuz?",
                    "selam millet",
                    "hava yine bozdu",
                    "neden herkes bu kadar yorgun?",
                    "çok sağ ol",
                    "kedim yine uyutmadı",
                    "Rust öğrenmek zor mu?",
                    "hafta sonu nereye gidelim?",
                    "nasılsın?",
                    "bugün güzel bir gün",
                ],
            )
        } else {
            (
                "You are Grace, an English-speaking skeptic.",
                ["Tom", "Lucy", "Omar", "Ann"],
                [
                    "tea or coffee?",
                    "that match was awful",
                    "which novel are you reading?",
                    "hello everyone",
                    "the weather turned again",
                    "why is everybody so tired?",
                    "thanks a lot",
                    "my cat woke me again",
                    "is Rust hard to learn?",
                    "where should we go on holiday?",
                    "how are you?",
                    "what a lovely day",
                ],
            )
        };
        let mut rng = fastrand::Rng::with_seed(5);
        (0..500)
            .map(|_| {
                let said: Vec<String> =
                    (0..3).map(|_| format!("{}: {}", names[rng.usize(..4)], texts[rng.usize(..12)])).collect();
                prompt(system, &said)
            })
            .collect()
    }

    fn skeletons(phrases: &Phrases) -> HashSet<&'static str> {
        [
            &phrases.greetings,
            &phrases.wellbeing,
            &phrases.thanks,
            &phrases.farewells,
            &phrases.yes,
            &phrases.no,
            &phrases.why,
            &phrases.who,
            &phrases.when,
            &phrases.place,
            &phrases.how,
            &phrases.what,
            &phrases.agreeing,
            &phrases.disagreeing,
            &phrases.adding,
            &phrases.about,
        ]
        .into_iter()
        .flatten()
        .copied()
        .collect()
    }

    #[test]
    fn each_language_has_at_least_sixty_skeletons() {
        for language in [Language::Turkish, Language::English] {
            assert!(skeletons(Phrases::of(language)).len() >= 60);
        }
    }

    #[test]
    fn no_text_comes_more_than_three_times_in_five_hundred() {
        for turkish in [true, false] {
            let mut talk = SmallTalk::new(11);
            let mut times: HashMap<String, u32> = HashMap::new();
            for prompt in varied(turkish) {
                *times.entry(talk.reply(&prompt)).or_default() += 1;
            }
            let most = times.values().max().copied().unwrap();
            assert!(most <= 3 && times.len() > 400, "{most} times, {} texts", times.len());
        }
    }

    #[test]
    fn a_persona_hardly_repeats_itself() {
        for turkish in [true, false] {
            let mut talk = SmallTalk::new(5);
            let texts: Vec<(String, Prompt)> =
                varied(turkish).into_iter().take(100).map(|prompt| (talk.reply(&prompt), prompt)).collect();
            let mut memory = Memory::default();
            let mut repeats = 0;
            for (text, prompt) in &texts {
                let sentences = Sentences::of(text, prompt);
                repeats += u32::from(memory.likest("", &sentences) > 0.6);
                memory.remember("", sentences);
            }
            assert!(repeats <= 3, "{repeats} of 100");
        }
    }

    #[test]
    fn replies_have_four_to_forty_words_and_no_open_slots() {
        for turkish in [true, false] {
            let mut talk = SmallTalk::new(3);
            for prompt in varied(turkish) {
                let text = talk.reply(&prompt);
                let words = text.split_whitespace().count();
                assert!((FEWEST_WORDS..=MOST_WORDS).contains(&words), "{text}");
                assert!(!text.contains(['{', '}', '"', '*', '\n']), "{text}");
                assert!(!text.contains("Deniz") && !text.contains("Grace"), "talks to itself: {text}");
                assert!(text.chars().next().is_some_and(char::is_uppercase), "{text}");
            }
        }
    }

    #[test]
    fn some_replies_pass_the_word_on_and_some_let_the_talk_end() {
        for turkish in [true, false] {
            let mut talk = SmallTalk::new(9);
            let asking = varied(turkish).iter().filter(|prompt| talk.reply(prompt).ends_with('?')).count();
            assert!((150..400).contains(&asking), "{asking} of 500 ask");
        }
    }

    #[test]
    fn a_reply_speaks_about_what_was_said() {
        let mut talk = SmallTalk::new(1);
        let tea = &Phrases::of(Language::English).topics[0];
        let prompt = prompt("", &["Tom: I made a pot of tea this morning".to_owned()]);
        let on_topic = (0..40)
            .filter(|_| {
                let text = fold(&talk.reply(&prompt));
                text.contains("tea") || tea.facts.iter().chain(&tea.asks).any(|said| text.contains(fold(said).as_str()))
            })
            .count();
        assert!(on_topic >= 20, "{on_topic} of 40");
    }
}
