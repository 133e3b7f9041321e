//! Novelty guard: compares a text with recent ones of the bot, its chat and the fleet. Layer `behaviour`; pure.

use std::sync::Arc;

use super::sketch::{LETTERS_MIN, Sketch};
use super::trigrams::Trigrams;
use crate::behaviour::note::Note;
use crate::domain::ids::BotId;
use crate::domain::names::names;
use crate::domain::strategy::Novelty;
use crate::domain::transcript::EntryKind;

/// Number of a bot's last texts that must equal a short text for that to be a repetition.
const SAME_IN_A_ROW: usize = 2;

/// Share of the limit from which a sketch leaves it open whether two texts of a bot are alike.
const LEFT_OPEN: f64 = 0.5;

/// A text that was said, with its sketch.
#[derive(Clone, Debug)]
pub struct Said {
    /// The text.
    pub text: Arc<str>,
    /// Sketch of the text.
    pub sketch: Arc<Sketch>,
}

impl Said {
    /// Creates the record of a text that was said.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), sketch: Arc::new(Sketch::of(text)) }
    }
}

/// Place where a text was said already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// By the bot itself.
    Own,
    /// In the chat.
    Chat,
    /// By another bot of the fleet, in any chat.
    Fleet,
}

names! { Where { Own = "own", Chat = "chat", Fleet = "fleet" } }

/// Finding that a text repeats a former one, which is not named: it may be of another chat, or a person's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repeat {
    /// Place where the former text was said.
    pub place: Where,
    /// Likeness of both texts, 0 to 1.
    pub likeness: f64,
}

/// Recent texts that a text is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Lately<'a> {
    /// The bot that is about to speak.
    pub bot: BotId,
    /// Texts of the bot, oldest first.
    pub own: &'a [Said],
    /// The end of the chat's transcript, oldest first.
    pub chat: &'a [Arc<Note>],
    /// Texts of the fleet with their bots, oldest first.
    pub fleet: &'a [(BotId, Said)],
}

/// Compares texts under a chat's rules.
#[derive(Clone, Copy, Debug)]
pub struct NoveltyGuard<'a>(pub &'a Novelty);

impl NoveltyGuard<'_> {
    /// Checks that `text` is new.
    ///
    /// # Errors
    /// The most alike of the former texts whose likeness reaches the limit.
    pub fn check(&self, text: &str, lately: &Lately<'_>) -> Result<(), Repeat> {
        let Novelty { enabled, limit, own, chat } = *self.0;
        if !enabled {
            return Ok(());
        }
        let sketch = Sketch::of(text);
        let said_by_itself = &lately.own[lately.own.len().saturating_sub(own)..];
        if sketch.letters() < LETTERS_MIN {
            return without_end(&sketch, said_by_itself);
        }
        let mut nearest: Option<Repeat> = None;
        let mut see = |likeness: f64, place: Where| {
            if likeness >= limit && nearest.is_none_or(|best| likeness > best.likeness) {
                nearest = Some(Repeat { place, likeness });
            }
        };
        let mut exact = None;
        for said in said_by_itself {
            let mut likeness = sketch.likeness(&said.sketch);
            // A sketch errs by some hundredths, and is lenient with short texts, which others may say as well.
            if likeness < limit && sketch.estimate(&said.sketch) >= limit * LEFT_OPEN {
                let own = exact.get_or_insert_with(|| Trigrams::of(text));
                likeness = likeness.max(own.likeness(&Trigrams::of(&said.text)));
            }
            see(likeness, Where::Own);
        }
        let messages = lately.chat.iter().rev().filter(|note| note.kind == EntryKind::Message).take(chat);
        for note in messages.filter(|note| note.text.is_some()) {
            see(sketch.likeness(note.sketch()), Where::Chat);
        }
        for (_, said) in lately.fleet.iter().filter(|(bot, _)| *bot != lately.bot) {
            see(sketch.likeness(&said.sketch), Where::Fleet);
        }
        nearest.map_or(Ok(()), Err)
    }
}

/// Checks a short text: a repetition only when the bot's very last texts were the same.
fn without_end(sketch: &Sketch, own: &[Said]) -> Result<(), Repeat> {
    if own.len() >= SAME_IN_A_ROW && own.iter().rev().take(SAME_IN_A_ROW).all(|said| said.sketch.is_same(sketch)) {
        return Err(Repeat { place: Where::Own, likeness: 1.0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::samples::{bot, noted, says};

    const TEA: &str = "Bence akşam yemeğinden sonra demli bir çay her şeye iyi gelir.";
    const TEA_AGAIN: &str = "Demli bir çay, akşam yemeğinden sonra her şeye iyi gelir bence.";

    fn check(text: &str, own: &[&str], chat: &[&str], fleet: &[(i64, &str)]) -> Option<Where> {
        let own: Vec<Said> = own.iter().copied().map(Said::new).collect();
        let other = bot(2, "Nora");
        let note = |(at, text): (usize, &&str)| Arc::new(noted(&says(at as i64 + 1, Some(&other), text, 0)));
        let chat: Vec<Arc<Note>> = chat.iter().enumerate().map(note).collect();
        let fleet: Vec<_> = fleet.iter().map(|(bot, text)| (BotId(*bot), Said::new(text))).collect();
        let lately = Lately { bot: BotId(1), own: &own, chat: &chat, fleet: &fleet };
        NoveltyGuard(&Novelty::default()).check(text, &lately).err().map(|repeat| repeat.place)
    }

    #[test]
    fn a_text_is_compared_with_the_bots_own_the_chats_and_the_fleets() {
        assert_eq!(check(TEA, &[], &[], &[]), None);
        assert_eq!(check(TEA, &["selam", TEA_AGAIN], &[], &[]), Some(Where::Own));
        assert_eq!(check(TEA, &[], &[TEA_AGAIN, "peki"], &[]), Some(Where::Chat));
        assert_eq!(check(TEA, &[], &[], &[(3, TEA_AGAIN)]), Some(Where::Fleet));
        assert_eq!(
            check(TEA, &[], &[], &[(1, TEA_AGAIN)]),
            None,
            "its own in the fleet's is among its own, or too old"
        );
    }

    #[test]
    fn the_limits_of_the_chat_hold() {
        let own: Vec<Said> = [TEA].into_iter().chain(["a"; 9]).map(Said::new).collect();
        let lately = Lately { bot: BotId(1), own: &own, chat: &[], fleet: &[] };
        let check = |novelty: Novelty| NoveltyGuard(&novelty).check(TEA, &lately).is_ok();
        assert!(!check(Novelty { own: 10, ..Novelty::default() }));
        assert!(check(Novelty { own: 9, ..Novelty::default() }), "too long ago");
        assert!(check(Novelty { enabled: false, ..Novelty::default() }));
    }

    #[test]
    fn a_short_text_may_come_again_but_not_without_end() {
        assert_eq!(check("Teşekkürler!", &["teşekkürler", "Başka bir şey."], &["teşekkürler"], &[]), None);
        assert_eq!(check("ok", &["ok"], &[], &[]), None);
        assert_eq!(check("ok", &["ok", "OK."], &[], &[]), Some(Where::Own));
    }

    #[test]
    fn a_bots_own_texts_are_compared_letter_for_letter_where_sketches_leave_it_open() {
        let (one, other) =
            ("Dersun, I doubt it, it is harder than it looks.", "I doubt it, it is harder than it looks.");
        assert!(Sketch::of(one).likeness(&Sketch::of(other)) < 0.9, "by sketch it is short and doubtful");
        let own = [Said::new(other)];
        let lately = Lately { bot: BotId(1), own: &own, chat: &[], fleet: &[] };
        let strict = Novelty { limit: 0.8, ..Novelty::default() };
        let repeat = NoveltyGuard(&strict).check(one, &lately).expect_err("said before");
        assert!((repeat.likeness - Trigrams::of(one).likeness(&Trigrams::of(other))).abs() < 1e-9);
    }

    #[test]
    fn the_nearest_of_the_former_texts_counts() {
        let near = "Bence akşam yemeğinden sonra demli bir çay insana da iyi gelir.";
        let own = [Said::new(TEA_AGAIN), Said::new(near)];
        let lately = Lately { bot: BotId(1), own: &own, chat: &[], fleet: &[] };
        let repeat = NoveltyGuard(&Novelty::default()).check(TEA, &lately).expect_err("said before");
        let likeness = |other: &str| Sketch::of(TEA).likeness(&Sketch::of(other));
        assert!(likeness(TEA_AGAIN) > likeness(near));
        assert!((repeat.likeness - likeness(TEA_AGAIN)).abs() < 1e-9, "{repeat:?}");
    }
}
