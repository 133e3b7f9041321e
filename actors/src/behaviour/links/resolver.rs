//! Resolves reply links: which earlier message a message answers, with a probability, and the rule that turns
//! probabilities into links. Layer `behaviour`; pure.

use std::sync::LazyLock;

use super::features::rows;
use super::model::{Model, WeightsError};
use super::utterance::Utterance;

/// The committed weights.
const WEIGHTS: &str = include_str!("weights.txt");
/// Most candidates in a result.
const TOLD: usize = 5;
/// Probability from which a second link is predicted. A link that is right with probability p raises F when p is above
/// half of F; the trainer reports F by this threshold.
pub const SECOND_LINK: f64 = 0.32;

/// Messages that a message may answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Links {
    /// Index into the earlier messages and probability, best first; at most five.
    pub candidates: Vec<(usize, f64)>,
    /// Probability that the message opens a thread.
    pub opens: f64,
}

impl Links {
    /// Returns the predicted links, best first: the likeliest answer, and a second one where that is likely too. `None`
    /// stands for opening a thread.
    pub fn chosen(&self) -> Vec<Option<usize>> {
        self.chosen_above(SECOND_LINK)
    }

    /// Returns the predicted links with another threshold for the second one.
    pub fn chosen_above(&self, second: f64) -> Vec<Option<usize>> {
        let mut all: Vec<(Option<usize>, f64)> =
            self.candidates.iter().map(|(at, probability)| (Some(*at), *probability)).collect();
        all.push((None, self.opens));
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        all.truncate(2);
        all.into_iter()
            .enumerate()
            .filter(|(rank, link)| *rank == 0 || link.1 >= second)
            .map(|(_, link)| link.0)
            .collect()
    }
}

/// Resolves reply links.
#[derive(Clone, Debug)]
pub struct Resolver {
    model: Model,
}

impl Resolver {
    /// Returns the resolver with the committed weights.
    pub fn standard() -> &'static Self {
        // A test parses the committed file; without trees every candidate would be alike.
        static STANDARD: LazyLock<Resolver> =
            LazyLock::new(|| Resolver::with_weights(WEIGHTS).unwrap_or_else(|_| Resolver { model: Model::default() }));
        &STANDARD
    }

    /// Creates a resolver with the weights of a file.
    ///
    /// # Errors
    /// When the weights are of another format, for other numbers, or damaged.
    pub fn with_weights(text: &str) -> Result<Self, WeightsError> {
        Ok(Self { model: Model::parse(text)? })
    }

    /// Returns the number of trees in the weights.
    pub fn trees(&self) -> usize {
        self.model.trees()
    }

    /// Resolves the links of `now`. `earlier` is oldest first. The latest `HISTORY` messages that people or bots said
    /// tell who spoke to whom; the last `WINDOW` of them are the candidates.
    pub fn resolve(&self, earlier: &[&Utterance], now: &Utterance) -> Links {
        if now.system {
            return Links { candidates: Vec::new(), opens: 1.0 };
        }
        let made = rows(earlier, now);
        let scores = self.model.scores(&made.rows);
        let best = scores.iter().copied().fold(f32::MIN, f32::max);
        let weights: Vec<f64> = scores.iter().map(|score| f64::from(score - best).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut candidates: Vec<(usize, f64)> =
            made.candidates.iter().zip(&weights[1..]).map(|(at, weight)| (*at, weight / total)).collect();
        candidates.sort_by(|one, other| other.1.total_cmp(&one.1));
        candidates.truncate(TOLD);
        Links { candidates, opens: weights[0] / total }
    }
}
