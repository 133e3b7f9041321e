//! Keeps the beginnings of prompts, as providers do that bill a known beginning less. Layer: world; pure, time is an
//! argument.
//!
//! A beginning is known when an earlier prompt of the same key and model had the same roles and texts up to there. A
//! beginning that nobody used for ten minutes is forgotten.
//!
//! # Source
//! `OpenAI`, "Prompt caching": beginnings of 1,024 tokens and more, in steps of 128; kept for 5 to 10 minutes without use.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::wire::{CHARS_PER_TOKEN, ChatRequest, TOKENS_PER_MESSAGE};

/// The shortest beginning that is kept.
const LEAST_TOKENS: u32 = 1_024;
/// The step by which longer beginnings are kept.
const STEP_TOKENS: u32 = 128;
/// How long an unused beginning is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// The largest number of beginnings.
const MOST: usize = 200_000;

/// The beginnings of prompts, as fingerprints, with the times of their last use.
#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<u64, Duration>);

impl Kept {
    /// Keeps the beginnings of a prompt; returns the number of its tokens that were kept already.
    pub(super) fn read(&mut self, request: &ChatRequest, key: &str, now: Duration) -> u32 {
        if self.0.len() > MOST {
            self.0.retain(|_, used| now.saturating_sub(*used) < KEPT_FOR);
        }
        let mut walk = Walk { kept: &mut self.0, hasher: DefaultHasher::new(), now, tokens: 0, known: 0 };
        (key, &request.model).hash(&mut walk.hasher);
        for message in &request.messages {
            message.role.hash(&mut walk.hasher);
            (0..TOKENS_PER_MESSAGE).for_each(|_| walk.token());
            let (text, mut chars) = (message.text(), 0);
            for char in text.chars() {
                walk.hasher.write_u32(char.into());
                chars += 1;
                if chars == CHARS_PER_TOKEN {
                    walk.token();
                    chars = 0;
                }
            }
            if chars > 0 {
                walk.token();
            }
        }
        walk.known
    }
}

/// A way through a prompt, token by token.
struct Walk<'a> {
    kept: &'a mut HashMap<u64, Duration>,
    hasher: DefaultHasher,
    now: Duration,
    tokens: u32,
    known: u32,
}

impl Walk<'_> {
    fn token(&mut self) {
        self.tokens = self.tokens.saturating_add(1);
        if self.tokens < LEAST_TOKENS || !self.tokens.is_multiple_of(STEP_TOKENS) {
            return;
        }
        let used = self.kept.insert(self.hasher.finish(), self.now);
        if used.is_some_and(|used| self.now.saturating_sub(used) < KEPT_FOR) {
            self.known = self.tokens;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// Returns a prompt of one instruction of `tokens` tokens, and the words of a user.
    fn prompt(tokens: u32, words: &str) -> ChatRequest {
        let instruction = "tea ".repeat(usize::try_from(tokens - TOKENS_PER_MESSAGE).unwrap());
        let messages = json!([{"role": "system", "content": instruction}, {"role": "user", "content": words}]);
        serde_json::from_value(json!({"model": "m", "messages": messages})).unwrap()
    }

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn what_a_prompt_shares_with_an_earlier_one_is_known_in_steps() {
        let mut kept = Kept::default();
        assert_eq!(kept.read(&prompt(1_300, "one"), "a", NOW), 0);
        assert_eq!(kept.read(&prompt(1_300, "two"), "a", NOW), 1_280);
        assert_eq!(kept.read(&prompt(1_200, "two"), "a", NOW), 1_152, "the instructions begin alike");
        assert_eq!(kept.read(&prompt(1_023, "other words"), "a", NOW), 0, "the 1,024th token differs");
        assert_eq!(kept.read(&prompt(1_300, "one"), "b", NOW), 0, "another key");
    }

    #[test]
    fn a_short_beginning_is_not_kept_and_an_unused_one_is_forgotten() {
        let mut kept = Kept::default();
        assert_eq!((kept.read(&prompt(900, "one"), "a", NOW), kept.read(&prompt(900, "one"), "a", NOW)), (0, 0));
        let at = |minutes| NOW + Duration::from_mins(minutes);
        let known = [0, 9, 18, 28].map(|minutes| kept.read(&prompt(1_300, "one"), "a", at(minutes)));
        assert_eq!(known, [0, 1_280, 1_280, 0]);
    }
}
