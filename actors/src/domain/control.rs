//! Stops: of the whole fleet, of one chat, of one bot. Layer `domain`. They are part of the `sending` transaction.
//!
//! Who orders a stop is not always known at once. What stands on a word that counts is firm; what somebody of unknown
//! rank asked for is noted beside it, keeps silent as well, and goes without a trace when they may not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, TelegramUserId};
use super::time::Timestamp;

/// Doubts noted at one stop: beyond it nobody's word makes it more silent.
const DOUBTS_MAX: usize = 256;

/// What can be stopped.
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

/// Whose word counts, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// An administrator of the chat.
    Administrator,
    /// Who runs the fleet.
    Operator,
}

/// What a person wants of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOrder {
    /// Silence, by somebody who may.
    Set {
        /// When it ends by itself; `None` is until somebody lifts it.
        until: Option<Timestamp>,
        /// On whose word.
        rank: Rank,
    },
    /// Silence, by somebody of whom nobody knows yet whether they may.
    Doubt {
        /// When it ends by itself.
        until: Option<Timestamp>,
        /// Who.
        author: TelegramUserId,
    },
    /// It is known now whether somebody may.
    Settle {
        /// Who.
        author: TelegramUserId,
        /// Whether.
        may: bool,
    },
    /// An end of it, by somebody who may.
    Lift {
        /// On whose word.
        rank: Rank,
    },
}

/// A stop on a word that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmStop {
    /// When it ends by itself; `None` is until somebody lifts it.
    pub until: Option<Timestamp>,
    /// On whose word.
    pub rank: Rank,
    /// When it was said last.
    pub at: Timestamp,
}

/// A stop on the word of somebody of unknown rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoubtedStop {
    /// Who.
    pub author: TelegramUserId,
    /// When it ends by itself; `None` is until somebody lifts it.
    pub until: Option<Timestamp>,
    /// When it was said last.
    pub at: Timestamp,
}

/// What keeps one scope silent: at least one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// On a word that counts.
    pub firm: Option<FirmStop>,
    /// On words of unknown weight, one of each author.
    #[serde(default)]
    pub doubts: Vec<DoubtedStop>,
}

fn ended(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| until <= now)
}

/// The later end; none at all is the latest.
fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.zip(b).map(|(a, b)| a.max(b))
}

impl Stop {
    /// A stop on a word that counts.
    pub fn firm(until: Option<Timestamp>, rank: Rank, at: Timestamp) -> Self {
        Self { firm: Some(FirmStop { until, rank, at }), doubts: Vec::new() }
    }

    /// When it ends by itself; `None` is until somebody lifts it.
    pub fn until(&self) -> Option<Timestamp> {
        let ends = self.firm.iter().map(|firm| firm.until).chain(self.doubts.iter().map(|doubt| doubt.until));
        ends.reduce(later).unwrap_or(Some(Timestamp::from_millis(0)))
    }

    /// Whether it is in force.
    pub fn holds(&self, now: Timestamp) -> bool {
        !ended(self.until(), now)
    }

    /// Whether somebody who runs the fleet wants it.
    pub fn is_operators(&self) -> bool {
        self.firm.is_some_and(|firm| firm.rank == Rank::Operator)
    }

    /// What the stop is once somebody has said `order`, at `at`. Nobody changes what a higher rank wants, and nothing
    /// that was said earlier ends what was said later; a stop without end is not shortened but by lifting it.
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
    /// The stop that keeps `bot` from speaking in `chat`, widest first.
    pub fn blocking(&self, chat: ChatId, bot: BotId, now: Timestamp) -> Option<StopScope> {
        [StopScope::Fleet, StopScope::Chat(chat), StopScope::Bot(bot)].into_iter().find(|scope| self.holds(*scope, now))
    }

    /// Whether that stop is in force.
    pub fn holds(&self, scope: StopScope, now: Timestamp) -> bool {
        self.0.get(&scope).is_some_and(|stop| stop.holds(now))
    }

    /// Scopes that are stopped now: stops that have ended are kept until somebody speaks of them.
    pub fn in_force(&self, now: Timestamp) -> impl Iterator<Item = StopScope> {
        self.0.iter().filter(move |(_, stop)| stop.holds(now)).map(|(scope, _)| *scope)
    }

    /// Does what somebody said at `at`; what stops the scope then.
    pub fn obey(&mut self, scope: StopScope, order: StopOrder, at: Timestamp) -> Option<Stop> {
        let mut stop = self.0.remove(&scope).unwrap_or_default();
        stop.obey(order, at);
        let stop = (stop != Stop::default()).then_some(stop);
        self.put(scope, stop.clone());
        stop
    }

    /// Takes over what stops the scope.
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
