//! Reads and evaluates boosted trees over rows of small numbers. Layer `behaviour`; pure.
//!
//! The file is text: `#` lines tell where the weights come from, and `features` names the numbers of a row in their
//! order. Each further line is a tree in preorder: `number<value` for a split (left when smaller) and a plain number
//! for a leaf, in thousandths.

use std::fmt::Write as _;

use thiserror::Error;

use super::features::{NAMES, Row};

/// First line of the file.
const HEADING: &str = "botfleet reply links 1";
/// Divisor of a leaf's number in the file.
const LEAF_UNIT: f32 = 1000.0;
/// Number of trees between two searches for hopeless rows.
const TRIAL: usize = 32;
/// Distance behind the best score from which a row is hopeless: its share is below a thousandth.
const HOPELESS: f32 = 7.0;

/// Reason why a file holds no weights for this program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// Another format, or other numbers in a row.
    #[error("line {line}: expected {expected:?}")]
    Foreign {
        /// Line number, from 1; 0 at the end of the file.
        line: usize,
        /// Expected line.
        expected: String,
    },
    /// A line that is no tree.
    #[error("line {line}: not a tree in preorder")]
    Malformed {
        /// Line number, from 1.
        line: usize,
    },
}

/// A split, or a leaf that leads to itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    feature: u8,
    bin: u8,
    left: u16,
    right: u16,
    leaf: f32,
}

/// A tree as the trainer makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A value to add.
    Leaf(f32),
    /// `numbers[feature] < bin` goes left.
    Split {
        /// Index of the compared number.
        feature: u8,
        /// The first value that goes right.
        bin: u8,
        /// Tree for values below `bin`.
        left: Box<Tree>,
        /// Tree for values of at least `bin`.
        right: Box<Tree>,
    },
}

/// Model: the trees as flat nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    nodes: Vec<Node>,
    /// First node and depth of each tree.
    trees: Vec<(u16, u8)>,
}

impl Model {
    /// Parses a weights file.
    ///
    /// # Errors
    /// When the file is of another format, for other numbers, or damaged.
    pub fn parse(text: &str) -> Result<Self, WeightsError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
        for expected in [HEADING.to_owned(), features_line()] {
            match lines.next() {
                Some((_, line)) if line == expected => {}
                other => return Err(WeightsError::Foreign { line: other.map_or(0, |(at, _)| at + 1), expected }),
            }
        }
        let mut model = Self::default();
        for (at, line) in lines {
            let mut words = line.split(' ');
            let tree = tree_of(&mut words).filter(|_| words.next().is_none());
            tree.filter(|tree| model.add(tree)).ok_or(WeightsError::Malformed { line: at + 1 })?;
        }
        Ok(model)
    }

    /// Adds a tree; returns false when the tree is too large.
    pub fn add(&mut self, tree: &Tree) -> bool {
        let first = self.nodes.len();
        let Ok(start) = u16::try_from(first) else {
            return false;
        };
        let depth = self.flatten(tree);
        self.trees.push((start, depth));
        depth < 64 && u16::try_from(self.nodes.len()).is_ok()
    }

    fn flatten(&mut self, tree: &Tree) -> u8 {
        let at = self.nodes.len();
        let here = at as u16;
        self.nodes.push(Node { feature: 0, bin: 0, left: here, right: here, leaf: 0.0 });
        match tree {
            Tree::Leaf(value) => {
                self.nodes[at].leaf = *value;
                0
            }
            Tree::Split { feature, bin, left, right } => {
                let left_depth = self.flatten(left);
                let right_at = self.nodes.len() as u16;
                let right_depth = self.flatten(right);
                self.nodes[at] = Node { feature: *feature, bin: *bin, left: here + 1, right: right_at, leaf: 0.0 };
                1 + left_depth.max(right_depth)
            }
        }
    }

    /// Returns the number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Returns the score of each row. Rows that have become hopeless are not scored further.
    pub fn scores(&self, rows: &[Row]) -> Vec<f32> {
        let mut scores = vec![0.0_f32; rows.len()];
        let mut hopeful: Vec<usize> = (0..rows.len()).collect();
        for trees in self.trees.chunks(TRIAL) {
            for (start, depth) in trees {
                for at in &hopeful {
                    scores[*at] += self.leaf(*start, *depth, &rows[*at]);
                }
            }
            let best = hopeful.iter().map(|at| scores[*at]).fold(f32::MIN, f32::max);
            hopeful.retain(|at| scores[*at] > best - HOPELESS);
        }
        scores
    }

    fn leaf(&self, start: u16, depth: u8, row: &Row) -> f32 {
        let mut node = &self.nodes[usize::from(start)];
        for _ in 0..depth {
            let next = if row[usize::from(node.feature)] < node.bin { node.left } else { node.right };
            node = &self.nodes[usize::from(next)];
        }
        node.leaf
    }
}

/// Writes a file of weights: `provenance` as `#` lines, then the trees.
pub fn write(provenance: &[String], trees: &[Tree]) -> String {
    let mut text = format!("{HEADING}\n");
    for line in provenance {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(text, "{}", features_line());
    for tree in trees {
        let mut words = Vec::new();
        put(tree, &mut words);
        let _ = writeln!(text, "{}", words.join(" "));
    }
    text
}

fn features_line() -> String {
    format!("features {}", NAMES.join(" "))
}

fn put(tree: &Tree, words: &mut Vec<String>) {
    match tree {
        Tree::Leaf(value) => words.push(format!("{}", (value * LEAF_UNIT).round())),
        Tree::Split { feature, bin, left, right } => {
            words.push(format!("{feature}<{bin}"));
            put(left, words);
            put(right, words);
        }
    }
}

fn tree_of<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Tree> {
    subtree_of(words, 0)
}

fn subtree_of<'a>(words: &mut impl Iterator<Item = &'a str>, depth: usize) -> Option<Tree> {
    let word = words.next().filter(|_| depth < 64)?;
    let Some((feature, bin)) = word.split_once('<') else {
        return word.parse::<i16>().ok().map(|leaf| Tree::Leaf(f32::from(leaf) / LEAF_UNIT));
    };
    let feature: u8 = feature.parse().ok().filter(|feature| usize::from(*feature) < NAMES.len())?;
    Some(Tree::Split {
        feature,
        bin: bin.parse().ok()?,
        left: Box::new(subtree_of(words, depth + 1)?),
        right: Box::new(subtree_of(words, depth + 1)?),
    })
}
