//! Operations on dead letters. Layer `operate`.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::dead_letter::DeadLetterId;
use botfleet_actors::domain::operator_order::OrderTarget;
use serde_json::json;

use super::cursor::Listing;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::orders::Ordered;
use super::permission::{ReadDeadLetters, Redeliver};
use crate::runtime::view::DeadLetterView;

/// Default number of letters on a page, and the largest.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

/// A page of dead letters, oldest first.
#[derive(Clone, Debug)]
pub struct DeadLetterPage {
    /// The letters.
    pub letters: Vec<DeadLetterView>,
    /// The value of `after` for the next page.
    pub next: Option<String>,
}

impl Operations {
    /// Lists turns that failed too often, and messages that Telegram refused or whose fate nobody knows.
    ///
    /// # Errors
    /// `OutOfReach`; `BadRequest` for a cursor of another list, or a page of another size.
    pub async fn dead_letters(
        &self,
        by: &Granted<ReadDeadLetters>,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Result<DeadLetterPage, Failure> {
        by.everything()?;
        let listing = Listing::new("dead_letters, oldest first", &[]);
        let after = listing.read(after, DeadLetterId::parse)?;
        let limit = page_of(limit, PAGE, PAGE_MAX)?;
        let letters = self.fleet.dead_letters(after, limit).await?;
        let next = letters.last().filter(|_| letters.len() == limit).map(|last| listing.after(&last.id));
        Ok(DeadLetterPage { letters, next })
    }

    /// Gives a dead letter another try.
    ///
    /// # Errors
    /// `UnknownDeadLetter`; `MayDuplicate` for a message of unknown fate without `confirm_duplicate` (I4); `Conflict`; those of
    /// [`Operations::ordered`].
    pub async fn redeliver(
        &self,
        by: &Granted<Redeliver>,
        id: &str,
        confirm_duplicate: bool,
    ) -> Result<Ordered, Failure> {
        let letter = letter(id)?;
        let target = self.fleet.target_of_letter(letter).await;
        if target.is_err() {
            // Whoever reaches a part of the fleet alone does not learn which letters exist.
            by.everything()?;
        }
        let target = target?;
        match target {
            OrderTarget::Bot(bot) => drop(by.bot(bot)?),
            OrderTarget::Chat(chat) => drop(by.chat(chat)?),
            OrderTarget::Node(_) => by.everything()?,
        }
        let entry = self.entry(by, Act::Redeliver, AuditObject::new(ObjectKind::DeadLetter, id))?;
        let entry = entry.with_after(json!({ "confirm_duplicate": confirm_duplicate }));
        self.ordered(&self.fleet.redeliver(target, letter, confirm_duplicate, entry).await?)
    }
}

fn letter(id: &str) -> Result<DeadLetterId, Failure> {
    let wrong = || Failure::new(Code::UnknownDeadLetter, format!("{id:?} names no dead letter, as turn-1 would"));
    DeadLetterId::parse(id).ok_or_else(wrong)
}
