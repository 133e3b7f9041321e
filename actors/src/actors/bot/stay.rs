//! Says where a bot is in its life on this node. Layer `actors`. Keeps I5, I8.

use crate::domain::ownership::Incarnation;

/// Where a bot is in its life on this node. A bot that goes passes these stages in order; a hand-over that could not be
/// committed leads back to `Here`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// The bot lives here, and begins new work as far as `Work` says.
    Here(Work),
    /// The bot closes its poll, then it is handed over to that node.
    Closing(Incarnation, Work),
    /// `HandOver` is being committed.
    Handing(Incarnation, Work),
    /// The bot lives elsewhere, or nowhere; sends under way here are still settled.
    Gone,
}

/// The work that a bot still begins: each stage of its node's stop takes something away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// The bot begins everything.
    All,
    /// The bot takes no updates and begins no turns, and sends what its turns have written.
    Sends,
    /// The bot begins no send either: sends under way are settled, the rest stays in the store.
    Nothing,
}

impl Stay {
    /// Returns the work that the bot still begins.
    fn work(self) -> Work {
        match self {
            Self::Here(work) | Self::Closing(_, work) | Self::Handing(_, work) => work,
            Self::Gone => Work::Nothing,
        }
    }

    /// Narrows the work that the bot begins; nothing ever widens it.
    pub(super) fn narrow(&mut self, to: Work) {
        if let Self::Here(work) | Self::Closing(_, work) | Self::Handing(_, work) = self {
            *work = (*work).max(to);
        }
    }

    /// Returns whether the bot takes no updates and begins no turns.
    pub(super) fn is_closing(self) -> bool {
        self != Self::Here(Work::All)
    }

    /// Returns whether the bot's node stops, so that the bot ends its turns.
    pub(super) fn is_quiescing(self) -> bool {
        self.work() > Work::All
    }

    /// Returns whether the bot begins no send.
    pub(super) fn holds_sends(self) -> bool {
        self.work() == Work::Nothing
    }

    /// Returns whether the bot lives elsewhere, or nowhere.
    pub(super) fn is_gone(self) -> bool {
        self == Self::Gone
    }

    /// Begins the hand-over to that node; returns false when the bot goes already.
    pub(super) fn close(&mut self, to: Incarnation) -> bool {
        let Self::Here(work) = *self else { return false };
        *self = Self::Closing(to, work);
        true
    }

    /// Goes on from `Closing` to `Handing`; returns the node that the bot goes to, when the bot was closing.
    pub(super) fn hand(&mut self) -> Option<Incarnation> {
        let Self::Closing(to, work) = *self else { return None };
        *self = Self::Handing(to, work);
        Some(to)
    }

    /// Returns the node that a committed hand-over gives the bot to.
    pub(super) fn handed_to(self) -> Option<Incarnation> {
        if let Self::Handing(to, _) = self { Some(to) } else { None }
    }

    /// Goes back to `Here`, since the hand-over could not be committed.
    pub(super) fn remain(&mut self) {
        *self = Self::Here(self.work());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Incarnation {
        Incarnation(7)
    }

    #[test]
    fn a_stop_narrows_what_is_begun_and_a_failed_hand_over_does_not_widen_it() {
        let mut stay = Stay::Here(Work::All);
        assert!(!stay.is_closing() && !stay.holds_sends());
        assert!(stay.close(node()) && stay.is_closing() && !stay.is_quiescing());
        assert!(!stay.close(node()), "a bot is handed over once");
        stay.narrow(Work::Nothing);
        stay.narrow(Work::Sends);
        assert!(stay.holds_sends(), "a stage of the stop takes nothing back");
        assert_eq!(stay.handed_to(), None);
        assert_eq!(stay.hand(), Some(node()));
        assert_eq!(stay.handed_to(), Some(node()));
        stay.remain();
        assert_eq!(stay, Stay::Here(Work::Nothing));
    }

    #[test]
    fn who_is_gone_begins_nothing_and_does_not_come_back() {
        let mut stay = Stay::Gone;
        stay.narrow(Work::Sends);
        assert!(stay.is_gone() && stay.is_closing() && stay.holds_sends());
        assert!(!stay.close(node()) && stay.hand().is_none() && stay.handed_to().is_none());
    }
}
