//! Gradient-boosted trees over rows of small numbers, grown leaf by leaf on histograms.
//!
//! The loss is that of a choice: the rows of one message share a softmax, its links share the target. Most rows are
//! hopeless after a few trees and say little; a tree is grown on a sample in which a row is as likely as its gradient is
//! large, and weighs as much less. Deterministic under a seed.

use std::thread;

use botfleet_actors::behaviour::links::features::{BINS, COUNT, Row};
use botfleet_actors::behaviour::links::model::Tree;

/// Rows of many messages.
#[derive(Default)]
pub(crate) struct Sheet {
    /// All rows.
    pub(crate) rows: Vec<Row>,
    /// Share of the target per row; sums to 1 over a message.
    pub(crate) targets: Vec<f32>,
    /// First row of each message, and the end.
    pub(crate) starts: Vec<usize>,
}

/// How trees are grown.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) trees: usize,
    pub(crate) rate: f32,
    pub(crate) leaves: usize,
    /// Splits on the way to a leaf: what a look at the tree costs.
    pub(crate) depth: usize,
    pub(crate) leaf_weight_min: f32,
    pub(crate) ridge: f32,
    /// Share of the numbers that a tree may use.
    pub(crate) columns: f32,
    /// Gradient from which on a row is always in the sample.
    pub(crate) sure: f32,
    pub(crate) seed: u64,
}

type Histogram = Vec<[f32; 2]>;

/// A leaf while its tree grows.
struct Leaf {
    rows: Vec<u32>,
    histogram: Histogram,
    best: Option<Cut>,
    /// Its node, and splits above it.
    place: usize,
    depth: usize,
}

#[derive(Clone, Copy)]
struct Cut {
    gain: f32,
    column: usize,
    bin: usize,
}

/// A tree while it grows.
enum Grown {
    Leaf(f32),
    Split { feature: usize, bin: usize, left: usize, right: usize },
}

/// What a tree is grown on.
struct Sample {
    rows: Vec<Row>,
    slopes: Vec<[f32; 2]>,
}

/// Trees in the making.
pub(crate) struct Booster {
    settings: Settings,
    rng: fastrand::Rng,
    /// Gain per number so far.
    pub(crate) gains: [f64; COUNT],
}

impl Booster {
    pub(crate) fn new(settings: Settings) -> Self {
        let rng = fastrand::Rng::with_seed(settings.seed);
        Self { settings, rng, gains: [0.0; COUNT] }
    }

    /// Grows the next tree for the scores so far.
    pub(crate) fn grow(&mut self, sheet: &Sheet, scores: &[f32]) -> Tree {
        let sample = self.sample(sheet, scores);
        let mut columns: Vec<usize> = (0..COUNT).collect();
        self.rng.shuffle(&mut columns);
        columns.truncate(((COUNT as f32 * self.settings.columns) as usize).max(1));
        columns.sort_unstable();
        let mut nodes = vec![Grown::Leaf(0.0)];
        let all: Vec<u32> = (0..sample.rows.len() as u32).collect();
        let histogram = histogram(&sample, &all, &columns);
        let mut leaves = vec![self.leaf(all, histogram, &columns, (0, 0))];
        while leaves.len() < self.settings.leaves {
            let gain = |leaf: &Leaf| leaf.best.map_or(0.0, |cut| cut.gain);
            let Some(at) = (0..leaves.len()).max_by(|a, b| gain(&leaves[*a]).total_cmp(&gain(&leaves[*b]))) else {
                break;
            };
            let Some(cut) = leaves[at].best else {
                break;
            };
            let leaf = leaves.swap_remove(at);
            self.gains[columns[cut.column]] += f64::from(cut.gain);
            let (left, right) = self.split(&sample, &leaf, cut, &columns, &mut nodes);
            leaves.push(left);
            leaves.push(right);
        }
        for leaf in &leaves {
            let total = total(&leaf.histogram);
            nodes[leaf.place] = Grown::Leaf(-total[0] / (total[1] + self.settings.ridge) * self.settings.rate);
        }
        tree(&nodes, 0)
    }

    fn sample(&mut self, sheet: &Sheet, scores: &[f32]) -> Sample {
        let mut sample = Sample { rows: Vec::new(), slopes: Vec::new() };
        let mut shares = Vec::new();
        for range in sheet.starts.windows(2) {
            softmax(&scores[range[0]..range[1]], &mut shares);
            for (at, share) in (range[0]..range[1]).zip(&shares) {
                let slope = share - sheet.targets[at];
                let chance = slope.abs().max(0.002) / self.settings.sure;
                if chance >= 1.0 || self.rng.f32() < chance {
                    let weight = 1.0 / chance.min(1.0);
                    sample.rows.push(sheet.rows[at]);
                    sample.slopes.push([slope * weight, (share * (1.0 - share)).max(1e-6) * weight]);
                }
            }
        }
        sample
    }

    fn leaf(&self, rows: Vec<u32>, histogram: Histogram, columns: &[usize], (place, depth): (usize, usize)) -> Leaf {
        let best = if depth < self.settings.depth { self.best(&histogram, columns.len()) } else { None };
        Leaf { rows, histogram, best, place, depth }
    }

    fn best(&self, histogram: &Histogram, columns: usize) -> Option<Cut> {
        let all = total(histogram);
        let ridge = self.settings.ridge;
        let worth = |part: [f32; 2]| part[0] * part[0] / (part[1] + ridge);
        let mut best: Option<Cut> = None;
        for column in 0..columns {
            let mut left = [0.0_f32; 2];
            for bin in 1..BINS {
                let passed = histogram[column * BINS + bin - 1];
                if passed[1] == 0.0 {
                    continue;
                }
                left = [left[0] + passed[0], left[1] + passed[1]];
                let right = [all[0] - left[0], all[1] - left[1]];
                if left[1] < self.settings.leaf_weight_min || right[1] < self.settings.leaf_weight_min {
                    continue;
                }
                let gain = worth(left) + worth(right) - worth(all);
                if gain > best.map_or(1e-3, |best| best.gain) {
                    best = Some(Cut { gain, column, bin });
                }
            }
        }
        best
    }

    fn split(&self, sample: &Sample, leaf: &Leaf, cut: Cut, columns: &[usize], nodes: &mut Vec<Grown>) -> (Leaf, Leaf) {
        let feature = columns[cut.column];
        let (left, right): (Vec<u32>, Vec<u32>) =
            leaf.rows.iter().partition(|row| usize::from(sample.rows[**row as usize][feature]) < cut.bin);
        let places = (nodes.len(), nodes.len() + 1);
        let depth = leaf.depth + 1;
        nodes[leaf.place] = Grown::Split { feature, bin: cut.bin, left: places.0, right: places.1 };
        nodes.extend([Grown::Leaf(0.0), Grown::Leaf(0.0)]);
        let is_left_small = left.len() < right.len();
        let small = histogram(sample, if is_left_small { &left } else { &right }, columns);
        let large: Histogram = leaf
            .histogram
            .iter()
            .zip(&small)
            .map(|(all, part)| [all[0] - part[0], (all[1] - part[1]).max(0.0)])
            .collect();
        let (of_left, of_right) = if is_left_small { (small, large) } else { (large, small) };
        (self.leaf(left, of_left, columns, (places.0, depth)), self.leaf(right, of_right, columns, (places.1, depth)))
    }
}

/// Sums of slope and curvature per column and bin. Two threads take half of the columns each.
fn histogram(sample: &Sample, rows: &[u32], columns: &[usize]) -> Histogram {
    let mut histogram = vec![[0.0_f32; 2]; columns.len() * BINS];
    let middle = columns.len() / 2;
    let (one, other) = histogram.split_at_mut(middle * BINS);
    if rows.len() < 20_000 {
        fill(sample, rows, columns, &mut histogram);
        return histogram;
    }
    thread::scope(|scope| {
        scope.spawn(|| fill(sample, rows, &columns[..middle], one));
        fill(sample, rows, &columns[middle..], other);
    });
    histogram
}

fn fill(sample: &Sample, rows: &[u32], columns: &[usize], histogram: &mut [[f32; 2]]) {
    for row in rows {
        let slope = sample.slopes[*row as usize];
        let numbers = &sample.rows[*row as usize];
        for (place, column) in histogram.chunks_exact_mut(BINS).zip(columns) {
            let bin = &mut place[usize::from(numbers[*column]) % BINS];
            bin[0] += slope[0];
            bin[1] += slope[1];
        }
    }
}

/// Sums over all rows: any one column holds them.
fn total(histogram: &Histogram) -> [f32; 2] {
    histogram[..BINS].iter().fold([0.0; 2], |sum, bin| [sum[0] + bin[0], sum[1] + bin[1]])
}

fn tree(nodes: &[Grown], at: usize) -> Tree {
    match &nodes[at] {
        Grown::Leaf(value) => Tree::Leaf(*value),
        Grown::Split { feature, bin, left, right } => Tree::Split {
            feature: *feature as u8,
            bin: *bin as u8,
            left: Box::new(tree(nodes, *left)),
            right: Box::new(tree(nodes, *right)),
        },
    }
}

/// The shares that scores come to.
pub(crate) fn softmax(scores: &[f32], shares: &mut Vec<f32>) {
    let best = scores.iter().copied().fold(f32::MIN, f32::max);
    shares.clear();
    shares.extend(scores.iter().map(|score| (score - best).exp()));
    let sum: f32 = shares.iter().sum();
    for share in shares {
        *share /= sum;
    }
}

/// Adds what a tree says to the scores.
pub(crate) fn advance(tree: &Tree, rows: &[Row], scores: &mut [f32]) {
    let half = rows.len() / 2;
    let (one, other) = scores.split_at_mut(half);
    thread::scope(|scope| {
        scope.spawn(|| one.iter_mut().zip(&rows[..half]).for_each(|(score, row)| *score += value(tree, row)));
        other.iter_mut().zip(&rows[half..]).for_each(|(score, row)| *score += value(tree, row));
    });
}

fn value(mut tree: &Tree, row: &Row) -> f32 {
    loop {
        match tree {
            Tree::Leaf(value) => return *value,
            Tree::Split { feature, bin, left, right } => {
                tree = if row[usize::from(*feature)] < *bin { left } else { right };
            }
        }
    }
}
