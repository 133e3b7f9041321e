//! A turn with its context, and what its bot makes of them: the news that count, the time of typing, the messages. Layer
//! `behaviour`; pure, for bots and the soak alike.

use std::sync::Arc;
use std::time::Duration;

use super::firewall::Span;
use super::interruption::Pending;
use super::note::Note;
use super::pacing::typing_time;
use crate::domain::ids::{OutboxId, TelegramChatId};
use crate::domain::incoming::{Entity, EntityKind};
use crate::domain::outbox::{OutboxMessage, SendProgress};
use crate::domain::roster::{BotProfile, ChatProfile, Language};
use crate::domain::text::{MESSAGE_UNITS_MAX, split_lines, split_message};
use crate::domain::time::Timestamp;
use crate::domain::transcript::TranscriptEntry;
use crate::domain::turn::{Act, Turn};

/// The least time between the due time of a paced message and its turn's end: it is still to be begun.
const BEFORE_STALE: Duration = Duration::from_millis(500);

/// A turn with the context that its bot needs.
#[derive(Clone, Debug)]
pub struct TurnJob {
    /// The turn.
    pub turn: Turn,
    /// The end of the transcript at the time of the decision, oldest first.
    pub window: Vec<Arc<Note>>,
    /// The entry to answer.
    pub target: Option<Arc<TranscriptEntry>>,
}

impl TurnJob {
    /// Returns the facts about the turn's answer, by which the answer is reconsidered. `spoken` is the chat's language.
    pub fn pending(&self, bot: &BotProfile, username: Option<&str>, spoken: Language) -> Pending {
        let known = self.turn.target.or(self.turn.root);
        let pending = Pending::of(bot, username, spoken, self.target.clone(), &self.window, known);
        let thread = pending.thread.or(self.turn.act.thread());
        Pending { after_others: self.turn.ordinal > 0, thread, ..pending }
    }

    /// Returns the time that the bot types. Typing fits into the turn's time, and does not lengthen it: a late reply is
    /// stale however slowly it is typed.
    pub fn typing(&self, text: &str, bot: &BotProfile, chat: &ChatProfile, now: Timestamp) -> Duration {
        if let Act::Say { .. } = self.turn.act {
            return Duration::ZERO;
        }
        let speed = bot.spec.persona.chars_per_second;
        let full = typing_time(text, &chat.spec.pacing, speed, self.turn.id.0 as u64);
        full.min(self.turn.expires_at.since(now).saturating_sub(BEFORE_STALE))
    }

    /// Returns the messages that the text makes, each due once it is typed; `spans` are the text's marked parts.
    /// `telegram_chat` is the chat's present id.
    pub fn messages(
        &self,
        (text, spans): (&str, &[Span]),
        bot: &BotProfile,
        chat: &ChatProfile,
        telegram_chat: TelegramChatId,
        (now, typing): (Timestamp, Duration),
        mut id: impl FnMut() -> OutboxId,
    ) -> Vec<OutboxMessage> {
        let turn = &self.turn;
        // An operator's text is one message, as written; a persona may say its own in several.
        let most = if turn.act.is_operators() { 1 } else { bot.spec.persona.messages };
        let texts: Vec<String> =
            split_lines(text, most).iter().flat_map(|lines| split_message(lines, MESSAGE_UNITS_MAX)).collect();
        let parts = texts.len() as u32;
        let letters = texts.iter().map(String::len).sum::<usize>().max(1);
        let mut marks = marks(text, &texts, spans).into_iter();
        let mut typed = 0;
        // A message from before a group became a supergroup cannot be replied to.
        let target = self.target.as_deref().filter(|target| target.telegram_chat == telegram_chat);
        // Without pacing a message has a time of its own to wait for limits.
        let unpaced = turn.expires_at.max(now + chat.spec.pacing.stale_after);
        let of_part = |(part, text): (usize, String)| OutboxMessage {
            progress: SendProgress::queued(
                now + {
                    typed += text.len();
                    typing.mul_f64(typed as f64 / letters as f64)
                },
            ),
            id: id(),
            turn: turn.id,
            part: part as u32,
            parts,
            bot: turn.bot,
            chat: turn.chat,
            telegram_chat,
            thread: target.map_or_else(|| turn.act.thread(), |target| target.thread),
            reply_to: target.filter(|_| part == 0).map(|target| target.message_id).filter(|id| id.is_of_one()),
            text,
            marks: marks.next().unwrap_or_default(),
            answers_bot: turn.answers_bot,
            chain_depth: turn.chain_depth,
            root: turn.root,
            expires_at: if chat.spec.pacing.enabled { turn.expires_at } else { unpaced },
            created_at: now,
            on_unknown: chat.spec.on_unknown,
            by_operator: turn.act.is_operators(),
        };
        texts.into_iter().enumerate().map(of_part).collect()
    }
}

/// Returns the spans of a text that were found in `said`, when `text` ends with it: a name may have been put in front.
pub fn spans_after_review(text: &str, said: &str, spans: &[Span]) -> Vec<Span> {
    let Some(before) = text.strip_suffix(said) else { return Vec::new() };
    spans.iter().map(|(bytes, kind)| (bytes.start + before.len()..bytes.end + before.len(), *kind)).collect()
}

/// Returns the marked parts of each message of a text, in UTF-16 units.
fn marks(text: &str, messages: &[String], spans: &[Span]) -> Vec<Vec<Entity>> {
    if spans.is_empty() {
        return Vec::new();
    }
    let units = |text: &str| text.encode_utf16().count();
    let mut from = 0;
    let of_message = |message: &String| {
        let at = text[from..].find(message.as_str()).map_or(from, |at| from + at);
        from = at + message.len();
        let within = spans.iter().filter_map(|(bytes, kind)| {
            let (start, end) = (bytes.start.max(at) - at, bytes.end.min(from).checked_sub(at)?);
            let part = message.get(start..end).filter(|part| !part.is_empty())?;
            let kind = EntityKind::Other((*kind).to_owned());
            Some(Entity { kind, offset: units(&message[..start]), length: units(part) })
        });
        within.collect()
    };
    messages.iter().map(of_message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_keep_their_place_behind_a_name_and_in_each_message() {
        let said = "🙂 çok güzel\nkahve iç";
        let span = |word: &str, kind| {
            let at = said.find(word).expect("a word");
            (at..at + word.len(), kind)
        };
        let spans = [span("güzel", "bold"), span("kahve", "italic"), span("güzel\nkahve", "underline")];
        let text = format!("Ayşe, {said}");
        let moved = spans_after_review(&text, said, &spans);
        let messages = ["Ayşe, 🙂 çok güzel".to_owned(), "kahve iç".to_owned()];
        let told: Vec<Vec<(EntityKind, usize, usize)>> = marks(&text, &messages, &moved)
            .into_iter()
            .map(|marks| marks.into_iter().map(|mark| (mark.kind, mark.offset, mark.length)).collect())
            .collect();
        let kind = |kind: &str| EntityKind::Other(kind.to_owned());
        assert_eq!(told[0], [(kind("bold"), 13, 5), (kind("underline"), 13, 5)]);
        assert_eq!(told[1], [(kind("italic"), 0, 5), (kind("underline"), 0, 5)]);
        assert!(spans_after_review("other words", said, &spans).is_empty());
    }
}
