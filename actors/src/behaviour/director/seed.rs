//! Makes the chance of a decision repeatable. Layer `behaviour`; pure.

use crate::domain::ids::DecisionNumber;

/// Returns the seed of a decision: the same whenever that decision of that chat is made again. `chat` is the chat's
/// surrogate id, or any number that stands for the chat.
pub fn of(chat: i64, decision: DecisionNumber) -> u64 {
    let mut mixed = (chat as u64).rotate_left(32) ^ (decision.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 31)
}
