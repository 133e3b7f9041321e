//! Finds the LLM calls that led to an answer: a guard, or news in the chat, may have a text made anew. Layer: harness;
//! pure.
//!
//! A call names the message that its prompt ends with, and not its bot. Where only one bot answers a message, all calls
//! for that message up to the one that the sent text names count; elsewhere only the named one does.

use std::collections::HashMap;

use botfleet_world::provider::calls::CallRecord;

use super::answers::{Account, Answer};
use crate::harness::measure::marker_number;

/// The calls for each message.
#[derive(Debug, Default)]
pub struct Thoughts {
    /// The numbers of the calls by the index of their message.
    by_arrival: HashMap<usize, Vec<u64>>,
    /// How many answers each message got.
    answers: HashMap<usize, usize>,
}

impl Thoughts {
    /// Sorts the calls by their messages.
    pub fn of(calls: &[CallRecord], account: &Account) -> Self {
        let mut thoughts = Self::default();
        for call in calls {
            let number = call.marker.as_deref().and_then(marker_number);
            if let Some(index) = number.and_then(|number| usize::try_from(number.checked_sub(1)?).ok()) {
                thoughts.by_arrival.entry(index).or_default().push(call.call);
            }
        }
        for answer in &account.answers {
            *thoughts.answers.entry(answer.arrival).or_default() += 1;
        }
        thoughts
    }

    /// Returns the numbers of the calls that led to an answer, in order; none if the sent text names no call.
    pub fn behind(&self, answer: &Answer) -> Vec<u64> {
        let Some(last) = answer.send.and_then(|send| send.call) else { return Vec::new() };
        let is_sole = self.answers.get(&answer.arrival) == Some(&1);
        let all = self.by_arrival.get(&answer.arrival).filter(|_| is_sole);
        let earlier = all.into_iter().flatten().copied().filter(|call| *call < last);
        earlier.chain([last]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::run::answers::Sent;

    fn call(call: u64, marker: &str) -> CallRecord {
        CallRecord {
            call,
            at_us: 0,
            model: String::new(),
            prompt_tokens: 0,
            cached_tokens: 0,
            completion_tokens: 0,
            text: String::new(),
            streamed: false,
            marker: Some(marker.to_owned()),
            answered: true,
            ended_us: None,
            key: String::new(),
            fault: None,
        }
    }

    fn answer(arrival: usize, bot: i64, call: u64) -> Answer {
        let send = Sent { received_us: 0, answered_us: None, chat: -1, message_id: 1, call: Some(call) };
        Answer { arrival, bot: Some(bot), send: Some(send) }
    }

    #[test]
    fn a_text_that_was_made_anew_has_both_calls_unless_other_bots_answer_too() {
        let calls = [call(1, "#m1"), call(2, "#m2"), call(3, "#m1"), call(4, "#m2"), call(5, "#m1")];
        let answers = vec![answer(0, 7, 3), answer(1, 7, 2), answer(1, 8, 4)];
        let thoughts = Thoughts::of(&calls, &Account { answers: answers.clone(), ..Account::default() });
        let behind: Vec<Vec<u64>> = answers.iter().map(|one| thoughts.behind(one)).collect();
        assert_eq!(behind, [vec![1, 3], vec![2], vec![4]]);
    }
}
