//! Precision, recall and F over links. Layer `behaviour`; pure.
//!
//! # Source
//! Kummerfeld et al., "A Large-Scale Corpus for Conversation Disentanglement", ACL 2019: links are pairs of message and
//! antecedent, a message that starts a conversation links to itself, and all files are pooled.

use std::collections::BTreeSet;

/// A link: the earlier message, the later one; both the same where a thread opens.
pub type Link = (usize, usize);

/// Links counted over any number of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Links that people set.
    pub gold: usize,
    /// Links predicted.
    pub predicted: usize,
    /// Predicted links that people set as well.
    pub right: usize,
}

impl Tally {
    /// Counts the links of one file.
    pub fn add(&mut self, gold: &BTreeSet<Link>, predicted: &BTreeSet<Link>) {
        self.gold += gold.len();
        self.predicted += predicted.len();
        self.right += gold.intersection(predicted).count();
    }

    /// Share of the predicted links that are right, in percent.
    pub fn precision(&self) -> f64 {
        percent(self.right, self.predicted)
    }

    /// Share of the links that were found, in percent.
    pub fn recall(&self) -> f64 {
        percent(self.right, self.gold)
    }

    /// Harmonic mean of precision and recall, in percent.
    pub fn f(&self) -> f64 {
        percent(2 * self.right, self.gold + self.predicted)
    }
}

/// Returns the links that open no thread.
pub fn replies(links: &BTreeSet<Link>) -> BTreeSet<Link> {
    links.iter().copied().filter(|(earlier, later)| earlier != later).collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_is_over_pooled_links_and_self_links_count() {
        let gold = BTreeSet::from([(1, 1), (1, 2), (2, 3), (1, 3)]);
        let predicted = BTreeSet::from([(1, 1), (1, 2), (3, 3)]);
        let mut tally = Tally::default();
        tally.add(&gold, &predicted);
        assert_eq!(tally, Tally { gold: 4, predicted: 3, right: 2 });
        assert!((tally.precision() - 66.666).abs() < 0.01 && (tally.recall() - 50.0).abs() < 0.01);
        assert!((tally.f() - 57.142).abs() < 0.01);
        let mut answers = Tally::default();
        answers.add(&replies(&gold), &replies(&predicted));
        assert_eq!(answers, Tally { gold: 3, predicted: 1, right: 1 });
        assert!(Tally::default().f().abs() < f64::EPSILON);
    }
}
