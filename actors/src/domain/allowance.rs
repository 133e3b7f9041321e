//! Budgets, and the allowances that nodes take from them in blocks. Layer `domain`.
//!
//! A node takes a block by a committed operation, spends it in memory and forfeits the rest of it in a crash. So nodes
//! never spend more than they took, and never take more than the limit. Amounts are whole: tokens, or billionths of the
//! unit of money. Hours and days are those of UTC.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId};
use super::keys::choice::choices;
use super::names::{kinds, names};
use super::time::Timestamp;

/// Billionths in one unit of money.
pub const NANOS_PER_UNIT: f64 = 1e9;

choices! { BudgetUnit BudgetPeriod }

/// Number of blocks at the end of a budget that are taken call by call.
const LAST_BLOCKS: i64 = 4;

/// Number of blocks in a budget.
const BLOCKS_PER_BUDGET: i64 = 64;

/// The bot, chat or fleet whose spending is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "id")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BudgetScope {
    /// The whole fleet.
    Fleet,
    /// One bot.
    Bot(BotId),
    /// One chat.
    Chat(ChatId),
}

kinds! { BudgetScope { (Fleet) = "fleet", Bot(BotId) = "bot", Chat(ChatId) = "chat" } }

/// Unit that a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BudgetUnit {
    /// Tokens of prompts and answers.
    Tokens,
    /// Billionths of the unit that prices are in.
    Money,
}

names! { BudgetUnit { Tokens = "tokens", Money = "money" } }

impl BudgetUnit {
    /// An amount as people write it: tokens, or units of money.
    pub fn shown(self, amount: i64) -> f64 {
        match self {
            Self::Tokens => amount as f64,
            Self::Money => amount as f64 / NANOS_PER_UNIT,
        }
    }
}

/// Period after which a budget begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum BudgetPeriod {
    /// Every hour.
    Hour,
    /// Every day at midnight UTC.
    Day,
    /// Never.
    Total,
}

names! { BudgetPeriod { Hour = "hour", Day = "day", Total = "total" } }

impl BudgetPeriod {
    /// Returns the length of the period; `None` when it never ends.
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::Hour => Some(Duration::from_secs(3_600)),
            Self::Day => Some(Duration::from_secs(86_400)),
            Self::Total => None,
        }
    }

    /// Returns the start of the period that `now` lies in.
    pub fn start(self, now: Timestamp) -> Timestamp {
        let Some(length) = self.length() else {
            return Timestamp::from_millis(0);
        };
        Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(length.as_millis() as i64))
    }
}

/// A budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BudgetKey {
    /// Scope of the budget.
    #[serde(flatten)]
    pub scope: BudgetScope,
    /// Unit of the budget.
    pub unit: BudgetUnit,
    /// Period of the budget.
    pub per: BudgetPeriod,
}

impl fmt::Display for BudgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            BudgetScope::Fleet => f.write_str("fleet")?,
            scope => write!(f, "{} {}", scope.kind(), scope.id())?,
        }
        write!(f, ", {} per {}", self.unit.as_str(), self.per.as_str())
    }
}

/// One period of a budget: a row of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AllowanceKey {
    /// The budget.
    pub budget: BudgetKey,
    /// When the period began.
    pub start: Timestamp,
}

impl AllowanceKey {
    /// Returns the period of `budget` that `now` lies in.
    pub fn at(budget: BudgetKey, now: Timestamp) -> Self {
        Self { budget, start: budget.per.start(now) }
    }
}

/// A budget with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The budget.
    pub key: BudgetKey,
    /// Most that may be spent in a period.
    pub limit: i64,
}

impl Budget {
    /// Returns the amount that a node takes at a time while there is plenty.
    pub fn block(&self) -> i64 {
        (self.limit / BLOCKS_PER_BUDGET).max(1)
    }
}

/// Owner of a budget in the manifest. A budget without a name is one for each bot or chat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetOwner {
    /// The fleet.
    Fleet,
    /// The bot of that name, or each bot.
    Bot(Option<String>),
    /// The chat of that name, or each chat.
    Chat(Option<String>),
}

/// A budget as the manifest gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetSpec {
    /// Owner of the budget.
    pub owner: BudgetOwner,
    /// Unit of the budget.
    pub unit: BudgetUnit,
    /// Period of the budget.
    pub per: BudgetPeriod,
    /// Most that may be spent in a period.
    pub limit: i64,
}

/// Returns the amount granted to a node that needs `need`, from a budget of which `granted` was granted before; `None`
/// is nothing. A `need` of zero is a look ahead: a block is granted while there are plenty, else nothing.
pub fn grant(limit: i64, granted: i64, need: i64, block: i64) -> Option<i64> {
    let left = limit.saturating_sub(granted);
    let plenty = left >= block.saturating_mul(LAST_BLOCKS);
    let amount = if plenty { block.max(need) } else { need };
    (amount > 0 && amount <= left).then_some(amount)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn grants_never_exceed_the_limit(limit in 0i64..10_000, needs in prop::collection::vec(0i64..900, 1..200)) {
            let block = Budget {
                key: BudgetKey { scope: BudgetScope::Fleet, unit: BudgetUnit::Tokens, per: BudgetPeriod::Day }, limit
            }.block();
            let mut granted = 0;
            for need in needs {
                if let Some(amount) = grant(limit, granted, need, block) {
                    prop_assert!(amount >= need);
                    granted += amount;
                }
            }
            prop_assert!(granted <= limit);
        }
    }

    #[test]
    fn the_last_blocks_are_single_calls_and_no_look_ahead_takes_them() {
        assert_eq!(grant(1_000, 0, 10, 100), Some(100));
        assert_eq!(grant(1_000, 0, 0, 100), Some(100));
        assert_eq!(grant(1_000, 0, 250, 100), Some(250));
        assert_eq!(grant(1_000, 700, 10, 100), Some(10));
        assert_eq!(grant(1_000, 700, 0, 100), None);
        assert_eq!(grant(1_000, 995, 10, 100), None);
    }

    #[test]
    fn a_period_begins_at_its_full_hour_or_day() {
        let now = Timestamp::from_secs(86_400 * 3 + 3_600 * 5 + 17);
        assert_eq!(BudgetPeriod::Hour.start(now), Timestamp::from_secs(86_400 * 3 + 3_600 * 5));
        assert_eq!(BudgetPeriod::Day.start(now), Timestamp::from_secs(86_400 * 3));
        assert_eq!(BudgetPeriod::Total.start(now), Timestamp::from_secs(0));
    }
}
