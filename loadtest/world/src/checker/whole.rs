//! Finds texts that differ from what the provider said, answers that come hours too late, and chats that bots left.
//! Layer: world; pure (I13, I14).
//!
//! Texts are compared by their letters and digits alone. The product may drop white space, marks of emphasis,
//! quotation marks and a name in front, and may cut a text into parts or at a sentence. A hole in the middle of a text
//! is a breach.

use std::collections::HashMap;
use std::ops::Range;

use super::report::Report;
use crate::ledger::{LedgerEvent, LedgerRecord};
use crate::provider::calls::CallRecord;

/// Returns the letters and digits of a text, in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Compares sent texts with the provider's texts. The numbers in `old` are markers of messages too old to be answered.
pub fn check(ledger: &[LedgerRecord], calls: &[CallRecord], old: Range<u64>, report: &mut Report) {
    let mut said: HashMap<&str, Vec<String>> = HashMap::new();
    for call in calls {
        if let Some(marker) = &call.marker {
            said.entry(marker).or_default().push(letters(&call.text));
        }
    }
    for record in ledger {
        match &record.event {
            LedgerEvent::SendAccepted { bot, chat, text, marker: Some(marker), .. } => {
                let number = marker.trim_start_matches("#m").parse::<u64>().ok();
                if number.is_some_and(|number| old.contains(&number)) {
                    report.breaches.stale_answers += 1;
                    report.example(|| format!("bot {bot} answered {marker} in chat {chat}, which was hours old"));
                }
                let sent = letters(text);
                let texts = said.get(marker.as_str());
                if texts.is_some_and(|texts| !texts.iter().any(|said| said.contains(&sent))) {
                    report.breaches.mangled_texts += 1;
                    report.example(|| {
                        format!("bot {bot} sent {text:?} in chat {chat}, and no answer to {marker} says so")
                    });
                }
            }
            LedgerEvent::OtherCall { bot, method, status: 200 } if method.eq_ignore_ascii_case("leavechat") => {
                report.breaches.left_chats += 1;
                report.example(|| format!("bot {bot} left a chat of its manifest"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(marker: &str, text: &str) -> LedgerRecord {
        let event = LedgerEvent::SendAccepted {
            send: 1,
            bot: 5,
            chat: -7,
            message_id: 9,
            text: format!("{text} {marker}"),
            marker: Some(marker.to_owned()),
            reply_to: None,
            thread: None,
        };
        LedgerRecord { at_us: 0, event }
    }

    fn call(marker: &str, text: &str) -> CallRecord {
        CallRecord {
            call: 1,
            at_us: 0,
            model: String::new(),
            prompt_tokens: 1,
            cached_tokens: 0,
            completion_tokens: 1,
            text: format!("{text} {marker}"),
            streamed: false,
            marker: Some(marker.to_owned()),
            answered: true,
            ended_us: None,
            key: String::new(),
            fault: None,
        }
    }

    fn found(ledger: &[LedgerRecord], calls: &[CallRecord]) -> (u64, u64, u64) {
        let mut report = Report::default();
        check(ledger, calls, 100..200, &mut report);
        (report.breaches.mangled_texts, report.breaches.stale_answers, report.breaches.left_chats)
    }

    #[test]
    fn a_hole_in_the_middle_is_found_and_what_the_firewall_may_do_is_not() {
        let said = [call("#m1", "Ada: The **bridge** is not open today.")];
        assert_eq!(found(&[sent("#m1", "The bridge open today.")], &said), (1, 0, 0));
        assert_eq!(found(&[sent("#m1", "The bridge is not open today.")], &said), (0, 0, 0));
        assert_eq!(found(&[sent("#m2", "no call is known for it")], &said), (0, 0, 0));
    }

    #[test]
    fn an_answer_to_what_is_hours_old_and_a_chat_that_was_left_are_found() {
        assert_eq!(found(&[sent("#m150", "hello")], &[]), (0, 1, 0));
        let left = |status| LedgerRecord {
            at_us: 0,
            event: LedgerEvent::OtherCall { bot: 1, method: "leaveChat".to_owned(), status },
        };
        assert_eq!(found(&[left(200), left(400)], &[]), (0, 0, 1));
    }
}
