//! The figures of a bot in a chat. Part of `cli`.

use std::collections::{BTreeMap, HashSet};

use botfleet_actors::behaviour::style::Style;
use botfleet_actors::domain::text::fold;
use serde::Serialize;

use super::marks::{Marked, words};

/// Number of words among which distinct ones are counted: shares over texts of different lengths do not compare.
const VARIETY_WORDS: usize = 100;

/// The figures of one bot in one chat. Shares are 0 to 1; `None` where there was nothing to count.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    pub bot: String,
    pub texts: usize,
    pub begins_with_name: Option<f64>,
    pub asks: Option<f64>,
    /// The commonest first two words, and the share of texts that open with them.
    pub opening: Option<String>,
    pub opening_share: Option<f64>,
    /// Answers of which it can be told whether they share a subject with what they answer.
    pub answers: usize,
    pub without_subject: Option<f64>,
    /// Characters of a text: the tenth, fiftieth and ninetieth of a hundred by length.
    pub lengths: Option<[usize; 3]>,
    /// Distinct words among a hundred in a row, on average.
    pub variety: Option<f64>,
    /// Distance of style to the nearest other bot of the chat, to the other bots on average, and to the people.
    pub nearest: Option<String>,
    pub nearest_bot: Option<f64>,
    pub other_bots: Option<f64>,
    pub people: Option<f64>,
}

/// Returns the figures of a chat's bots, by name.
pub(super) fn figures(texts: &[Marked]) -> Vec<Figures> {
    let mut by_bot: BTreeMap<&str, Vec<&Marked>> = BTreeMap::new();
    for text in texts.iter().filter(|text| text.is_bot) {
        by_bot.entry(&text.author).or_default().push(text);
    }
    let style = |texts: &[&Marked]| Style::of(&texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>());
    let people: Vec<&Marked> = texts.iter().filter(|text| !text.is_bot).collect();
    let people = style(&people);
    let styles: BTreeMap<&str, Style> =
        by_bot.iter().filter_map(|(name, texts)| Some((*name, style(texts)?))).collect();
    let of_bot = |(name, texts): (&&str, &Vec<&Marked>)| {
        let own = styles.get(name);
        let others = styles.iter().filter(|(other, _)| *other != name);
        let mut far: Vec<(f64, &str)> =
            own.map_or_else(Vec::new, |own| others.map(|(other, style)| (own.distance(style), *other)).collect());
        far.sort_by(|one, other| one.0.total_cmp(&other.0));
        let sum: f64 = far.iter().map(|(distance, _)| distance).sum();
        Figures {
            nearest: far.first().map(|(_, other)| (*other).to_owned()),
            nearest_bot: far.first().map(|(distance, _)| *distance),
            other_bots: (!far.is_empty()).then(|| sum / far.len() as f64),
            people: own.zip(people.as_ref()).map(|(own, people)| own.distance(people)),
            ..of_texts(name, texts)
        }
    };
    by_bot.iter().map(of_bot).collect()
}

/// Returns the figures that the bot's texts tell by themselves.
fn of_texts(bot: &str, texts: &[&Marked]) -> Figures {
    let share = |is: &dyn Fn(&Marked) -> bool| {
        let count = texts.iter().filter(|text| is(text)).count();
        (!texts.is_empty()).then(|| count as f64 / texts.len() as f64)
    };
    let mut openings: BTreeMap<&str, usize> = BTreeMap::new();
    for opening in texts.iter().filter_map(|text| text.opening.as_deref()) {
        *openings.entry(opening).or_default() += 1;
    }
    // Of two that are as common, the first by the alphabet.
    let opening = openings.iter().rev().max_by_key(|(_, count)| **count);
    let answers: Vec<bool> = texts.iter().filter_map(|text| text.answers.as_ref()?.1).collect();
    let without = answers.iter().filter(|shares| !**shares).count();
    Figures {
        bot: bot.to_owned(),
        texts: texts.len(),
        begins_with_name: share(&|text| text.begins_with_name),
        asks: share(&|text| text.asks),
        opening: opening.map(|(opening, _)| (*opening).to_owned()),
        opening_share: opening.map(|(_, count)| *count as f64 / texts.len() as f64),
        answers: answers.len(),
        without_subject: (!answers.is_empty()).then(|| without as f64 / answers.len() as f64),
        lengths: lengths(texts),
        variety: variety(texts),
        nearest: None,
        nearest_bot: None,
        other_bots: None,
        people: None,
    }
}

fn lengths(texts: &[&Marked]) -> Option<[usize; 3]> {
    let mut lengths: Vec<usize> = texts.iter().map(|text| text.text.chars().count()).collect();
    lengths.sort_unstable();
    let last = lengths.len().checked_sub(1)?;
    Some([10, 50, 90].map(|percent| lengths[(last * percent + 50) / 100]))
}

fn variety(texts: &[&Marked]) -> Option<f64> {
    let folded: Vec<String> = texts.iter().map(|text| fold(&text.text)).collect();
    let said: Vec<&str> = folded.iter().flat_map(|text| words(text)).collect();
    let share = |words: &[&str]| words.iter().collect::<HashSet<_>>().len() as f64 / words.len() as f64;
    let whole = said.chunks_exact(VARIETY_WORDS);
    let shares: Vec<f64> = whole.map(share).collect();
    match shares.len() {
        0 => (!said.is_empty()).then(|| share(&said)),
        count => Some(shares.iter().sum::<f64>() / count as f64),
    }
}
