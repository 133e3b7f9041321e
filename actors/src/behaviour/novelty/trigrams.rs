//! Trigrams: the likeness of two texts, letter for letter. Layer `behaviour`; pure.
//!
//! Trigrams are slower than a sketch by far, and exact: used only where sketches leave the likeness open.

/// The runs of three characters of a text: lower case, letters, digits and single spaces only; sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigrams(Vec<[char; 3]>);

impl Trigrams {
    /// Computes the trigrams of `text`.
    pub fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let mut plain: Vec<char> = Vec::with_capacity(lower.len());
        for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.extend(word.chars());
        }
        let mut runs: Vec<[char; 3]> = plain.windows(3).map(|run| [run[0], run[1], run[2]]).collect();
        runs.sort_unstable();
        runs.dedup();
        Self(runs)
    }

    /// Returns Jaccard's index of both sets, 0 to 1; 0 when both are empty.
    pub fn likeness(&self, other: &Self) -> f64 {
        let (mut one, mut two) = (self.0.iter().peekable(), other.0.iter().peekable());
        let (mut common, mut all) = (0u32, 0u32);
        while let (Some(left), Some(right)) = (one.peek(), two.peek()) {
            all += 1;
            match left.cmp(right) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    common += 1;
                    one.next();
                    two.next();
                }
            }
        }
        let all = f64::from(all) + one.count() as f64 + two.count() as f64;
        if all == 0.0 { 0.0 } else { f64::from(common) / all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_the_share_of_runs_in_common() {
        let likeness = |one: &str, other: &str| Trigrams::of(one).likeness(&Trigrams::of(other));
        assert!((likeness("Bence, ÇAY!", "bence çay") - 1.0).abs() < 1e-9);
        // abc bcd | bcd cde
        assert!((likeness("abcd", "bcde") - 1.0 / 3.0).abs() < 1e-9);
        assert!(likeness("", "") == 0.0 && likeness("abc", "") == 0.0 && likeness("🙂", "🙂") == 0.0);
    }
}
