//! Stops of the whole fleet, of one chat, of one bot. Layer `domain`. The `sending` transaction checks them.
//!
//! The rank of the person who orders a stop is not always known at once. A stop by somebody who may order it is firm. A
//! stop by somebody of unknown rank is unverified: it is kept beside the firm one, silences its scope as well, and is
//! removed without a trace when its author turns out not to be allowed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, TelegramUserId};
use super::names::kinds;
use super::time::Timestamp;

/// Most unverified stops of one scope; further ones are ignored.
const DOUBTS_MAX: usize = 256;

/// The fleet, chat or bot that a stop silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "id")]
pub enum StopScope {
    /// Everything: the kill switch.
    Fleet,
    /// One chat.
    Chat(ChatId),
    /// One bot.
    Bot(BotId),
}

kinds! { StopScope { (Fleet) = "fleet", Chat(ChatId) = "chat", Bot(BotId) = "bot" } }

/// Rank of a person who may order stops, the lower rank first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// An administrator of the chat.
    Administrator,
    /// A person who runs the fleet.
    Operator,
}

/// Order of a person about a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOrder {
    /// Stops the scope, by order of somebody who may.
    Set {
        /// Time at which the stop ends by itself; `None` is until somebody lifts it.
        until: Option<Timestamp>,
        /// Rank of the author.
        rank: Rank,
    },
    /// Stops the scope, by order of somebody of unknown rank: an unverified stop.
    Doubt {
        /// Time at which the stop ends by itself; `None` is until somebody lifts it.
        until: Option<Timestamp>,
        /// Telegram's id of the author.
        author: TelegramUserId,
    },
    /// Settles the unverified stop of an author whose rank has become known.
    Settle {
        /// Telegram's id of the author.
        author: TelegramUserId,
        /// The author may order stops: the unverified stop becomes firm. Else it is removed.
        may: bool,
    },
    /// Lifts the stop, by order of somebody who may.
    Lift {
        /// Rank of the author.
        rank: Rank,
    },
}

/// A stop by somebody who may order it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmStop {
    /// Time at which the stop ends by itself; `None` is until somebody lifts it.
    pub until: Option<Timestamp>,
    /// Rank of the author.
    pub rank: Rank,
    /// Time of the last order.
    pub at: Timestamp,
}

/// An unverified stop: its author's rank is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtedStop {
    /// Telegram's id of the author.
    pub author: TelegramUserId,
    /// Time at which the stop ends by itself; `None` is until somebody lifts it.
    pub until: Option<Timestamp>,
    /// Time of the last order.
    pub at: Timestamp,
}

/// Stops of one scope: a firm one, unverified ones, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The firm stop.
    pub firm: Option<FirmStop>,
    /// Unverified stops, one of each author.
    #[serde(default)]
    pub doubts: Vec<DoubtedStop>,
}

fn ended(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| until <= now)
}

/// Returns the later end; `None` (no end) is the latest.
fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.zip(b).map(|(a, b)| a.max(b))
}

impl Stop {
    /// Creates a firm stop.
    pub fn firm(until: Option<Timestamp>, rank: Rank, at: Timestamp) -> Self {
        Self { firm: Some(FirmStop { until, rank, at }), doubts: Vec::new() }
    }

    /// Returns the time at which the last of the stops ends by itself; `None` is until somebody lifts it.
    pub fn until(&self) -> Option<Timestamp> {
        let ends = self.firm.iter().map(|firm| firm.until).chain(self.doubts.iter().map(|doubt| doubt.until));
        ends.reduce(later).unwrap_or(Some(Timestamp::from_millis(0)))
    }

    /// Returns whether the stop is in force at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        !ended(self.until(), now)
    }

    /// Returns whether an operator ordered the stop.
    pub fn is_operators(&self) -> bool {
        self.firm.is_some_and(|firm| firm.rank == Rank::Operator)
    }

    /// Applies `order`, given at `at`. An order changes no firm stop of a higher rank, and the end that was set last
    /// counts, but a stop without end stays so until it is lifted. An administrator's lift spares later orders; an
    /// operator's removes everything.
    fn obey(&mut self, order: StopOrder, at: Timestamp) {
        match order {
            StopOrder::Set { until, rank } => self.set(until, rank, at),
            StopOrder::Doubt { until, author } => {
                if let Some(doubt) = self.doubts.iter_mut().find(|doubt| doubt.author == author) {
                    (doubt.until, doubt.at) = (later(doubt.until, until), doubt.at.max(at));
                } else if self.doubts.len() < DOUBTS_MAX {
                    self.doubts.push(DoubtedStop { author, until, at });
                }
            }
            StopOrder::Settle { author, may } => {
                if let Some(place) = self.doubts.iter().position(|doubt| doubt.author == author) {
                    let doubt = self.doubts.remove(place);
                    if may {
                        self.set(doubt.until, Rank::Administrator, doubt.at);
                    }
                }
            }
            StopOrder::Lift { rank: Rank::Operator } => *self = Self::default(),
            StopOrder::Lift { rank: Rank::Administrator } => {
                self.doubts.retain(|doubt| doubt.at > at);
                self.firm = self.firm.filter(|firm| firm.rank == Rank::Operator || firm.at > at);
            }
        }
        self.doubts.retain(|doubt| !ended(doubt.until, at));
        self.firm = self.firm.filter(|firm| !ended(firm.until, at));
    }

    fn set(&mut self, until: Option<Timestamp>, rank: Rank, at: Timestamp) {
        let said = FirmStop { until, rank, at };
        self.firm = Some(match self.firm.filter(|firm| !ended(firm.until, at)) {
            Some(firm) if firm.rank > rank => firm,
            Some(firm) => {
                let newest = if at >= firm.at { until } else { firm.until };
                FirmStop { until: firm.until.and(until).and(newest), rank, at: firm.at.max(at) }
            }
            None => said,
        });
    }
}

/// All stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops(pub BTreeMap<StopScope, Stop>);

impl Stops {
    /// Returns the scope whose stop keeps `bot` from speaking in `chat`, the widest first.
    pub fn blocking(&self, chat: ChatId, bot: BotId, now: Timestamp) -> Option<StopScope> {
        [StopScope::Fleet, StopScope::Chat(chat), StopScope::Bot(bot)].into_iter().find(|scope| self.holds(*scope, now))
    }

    /// Returns whether the stop of `scope` is in force.
    pub fn holds(&self, scope: StopScope, now: Timestamp) -> bool {
        self.0.get(&scope).is_some_and(|stop| stop.holds(now))
    }

    /// Returns the scopes stopped at `now`; stops that have ended are kept until the next order for their scope.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = StopScope> {
        self.0.iter().filter(move |(_, stop)| stop.holds(now)).map(|(scope, _)| *scope)
    }

    /// Applies an order that was given at `at`; returns the resulting stop of the scope.
    pub fn obey(&mut self, scope: StopScope, order: StopOrder, at: Timestamp) -> Option<Stop> {
        let mut stop = self.0.remove(&scope).unwrap_or_default();
        stop.obey(order, at);
        let stop = (stop != Stop::default()).then_some(stop);
        self.put(scope, stop.clone());
        stop
    }

    /// Replaces the stop of the scope; `None` removes it.
    pub fn put(&mut self, scope: StopScope, stop: Option<Stop>) {
        match stop {
            Some(stop) => self.0.insert(scope, stop),
            None => self.0.remove(&scope),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::rows::at;

    const CHAT: StopScope = StopScope::Chat(ChatId(1));

    #[test]
    fn stops_that_have_ended_are_not_shown() {
        let mut stops = Stops::default();
        stops.obey(CHAT, StopOrder::Set { until: Some(at(60)), rank: Rank::Administrator }, at(0));
        stops.obey(StopScope::Fleet, StopOrder::Set { until: None, rank: Rank::Operator }, at(0));
        assert_eq!(stops.in_force(at(59)).collect::<Vec<_>>(), [StopScope::Fleet, CHAT]);
        assert_eq!(stops.in_force(at(60)).collect::<Vec<_>>(), [StopScope::Fleet]);
    }

    #[test]
    fn an_administrator_may_shorten_a_quiet_and_ends_it_with_the_doubts_that_were_there() {
        let mut stops = Stops::default();
        let quiet = |until| StopOrder::Set { until: Some(at(until)), rank: Rank::Administrator };
        let doubt = |author| StopOrder::Doubt { until: None, author: TelegramUserId(author) };
        stops.obey(CHAT, quiet(3_600), at(0));
        stops.obey(CHAT, quiet(600), at(10));
        assert!(!stops.holds(CHAT, at(600)));
        stops.obey(CHAT, doubt(7), at(20));
        stops.obey(CHAT, doubt(8), at(40));
        let left = stops.obey(CHAT, StopOrder::Lift { rank: Rank::Administrator }, at(30)).expect("one came later");
        assert_eq!((left.firm, left.doubts.len()), (None, 1));
        assert_eq!(stops.obey(CHAT, StopOrder::Lift { rank: Rank::Operator }, at(0)), None);
    }
}
