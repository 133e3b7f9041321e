//! Tells a late answer from a current one. Layer `actors`.
//!
//! Whoever asks takes a ticket and keeps it; the answer brings the ticket back. An answer under another ticket than the
//! one kept is stale: what was asked has been given up meanwhile, or asked again.

/// Names one asking; never given twice by one bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Gives tickets.
#[derive(Debug, Default)]
pub(super) struct Tickets(u64);

impl Tickets {
    /// Returns a ticket that was never given before.
    pub(super) fn take(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}
