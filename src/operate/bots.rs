//! Operations on bots. Layer `operate`.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::roster::DeliveryMode;
use serde_json::json;

use super::failure::Failure;
use super::grant::Granted;
use super::operations::Operations;
use super::orders::Ordered;
use super::permission::{ChangeDelivery, Release};

impl Operations {
    /// Changes a bot's delivery mode. The change is durable when the call returns; the bot then calls Telegram until
    /// Telegram agrees.
    ///
    /// # Errors
    /// `UnknownName`; `Conflict` when the bot does not run, is busy with another change, or webhooks are off; those of
    /// [`Operations::ordered`].
    pub async fn set_delivery(
        &self,
        by: &Granted<ChangeDelivery>,
        bot: &str,
        mode: DeliveryMode,
    ) -> Result<Ordered, Failure> {
        let id = by.bot(self.bot_named(bot)?)?;
        let entry = self.entry(by, Act::SetDelivery, AuditObject::new(ObjectKind::Bot, id).called(bot))?;
        let entry = entry.with_after(json!({ "mode": mode }));
        self.ordered(&self.fleet.set_delivery(id, mode, entry).await?)
    }

    /// Ends the pauses that Telegram asked a bot for.
    ///
    /// # Errors
    /// `UnknownName`; those of [`Operations::ordered`].
    pub async fn lift_pauses(&self, by: &Granted<Release>, bot: &str) -> Result<Ordered, Failure> {
        let id = by.bot(self.bot_named(bot)?)?;
        let entry = self.entry(by, Act::LiftPauses, AuditObject::new(ObjectKind::Bot, id).called(bot))?;
        self.ordered(&self.fleet.lift_pauses(id, entry).await?)
    }
}
