//! Makes texts that are never alike, of seeded words.

/// Makes a text of so many words that nobody said before.
pub(super) fn sentence(seed: u64, words: usize) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = String::new();
    for place in 0..words {
        if place > 0 {
            text.push(' ');
        }
        for _ in 0..random.usize(3..8) {
            text.push(random.lowercase());
        }
    }
    text.push('.');
    text
}
