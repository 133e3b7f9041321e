//! Reads the budgets of the manifest. Part of `config`.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::allowance::{BudgetOwner, BudgetPeriod, BudgetSpec, BudgetUnit, NANOS_PER_UNIT};
use botfleet_actors::domain::keys::choice::choices;
use botfleet_actors::domain::keys::keyed;
use botfleet_actors::domain::keys::rule::key;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::config::manifest::checks::Checks;
use crate::config::manifest::entry::ProviderEntry;
use crate::config::reader::Found;

/// Most units of money in a budget; `TOKENS_MAX` is the most tokens.
const LIMIT_MAX: f64 = 1e9;
const TOKENS_MAX: f64 = 1e15;

/// Kind of a budget's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Fleet,
    Bot,
    Chat,
}

choices! { Scope }

keyed! {
    /// A limit of what may be spent on models. The most that a call can cost is reserved before it is made, so no budget is
    /// exceeded; a turn beyond it is given up.
    #[derive(Clone, Debug)]
    pub(in crate::config) struct Budget {
        /// Kind of the owner.
        scope: Scope = key(Scope::Fleet).required("fleet, bot or chat");
        /// Name of the one bot or chat that is limited.
        name: Option<String> = key(None).unset("each of them");
        /// Unit of the limit; money is that of the providers' prices.
        unit: BudgetUnit = key(BudgetUnit::Tokens).required("tokens or money");
        /// Period after which the budget begins anew; days are those of UTC.
        per: BudgetPeriod = key(BudgetPeriod::Day).required("hour, day or total");
        /// Most that may be spent in a period.
        limit: f64 = key(0.0).required("the most that may be spent");
    }
}

/// Checks `[[budgets]]`.
pub(super) fn check(
    tables: Vec<Table>,
    (bots, chats): (&[BotSpec], &[ChatSpec]),
    providers: &[ProviderEntry],
    checks: &mut Checks<'_>,
) -> Vec<BudgetSpec> {
    let mut seen = BTreeMap::new();
    let mut budgets = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("budgets[{index}]");
        let (budget, found) = checks.file().take::<Budget>(table, &place, None);
        let known = |scope| match scope {
            Scope::Bot => bots.iter().map(|bot| bot.name.as_str()).collect(),
            Scope::Chat => chats.iter().map(|chat| chat.name.as_str()).collect(),
            Scope::Fleet => Vec::new(),
        };
        let owner = owner(&budget, &found, known, checks);
        let limit = limit(&budget, &found, checks);
        let (Some(owner), Some(_), Some(limit)) = (owner, found.place("per"), limit) else { continue };
        let Budget { unit, per, .. } = budget;
        if let Some(first) = seen.insert((owner.clone(), unit, per), place.clone()) {
            let what = format!("limits the {} of the same per {} as {first}", unit.as_str(), per.as_str());
            checks.fault(place, what, "keep one of them");
            continue;
        }
        if unit == BudgetUnit::Money {
            warn_of_free_models(&place, bots, providers, checks);
        }
        budgets.push(BudgetSpec { owner, unit, per, limit });
    }
    budgets
}

fn owner<'a>(
    budget: &Budget,
    found: &Found,
    known: impl Fn(Scope) -> Vec<&'a str>,
    checks: &mut Checks<'_>,
) -> Option<BudgetOwner> {
    found.place("scope")?;
    let scope = budget.scope;
    if let (Some(name), Some(key)) = (&budget.name, found.place("name")) {
        if scope == Scope::Fleet {
            checks.fault(
                key,
                "names something, and there is one fleet only",
                "remove it, or write scope = \"bot\" or \"chat\"",
            );
            return None;
        }
        let known = known(scope);
        // A bot or chat with faults of its own is missing here, and its faults are told elsewhere.
        let told = checks.faults.iter().any(|fault| fault.key.starts_with("bots[") || fault.key.starts_with("chats["));
        if !known.contains(&name.as_str()) && !told {
            let remedy = format!("leave it out for each of them, or name one: {}", known.join(", "));
            checks.fault(key, format!("{name:?} is unknown"), remedy);
            return None;
        }
    }
    Some(match scope {
        Scope::Fleet => BudgetOwner::Fleet,
        Scope::Bot => BudgetOwner::Bot(budget.name.clone()),
        Scope::Chat => BudgetOwner::Chat(budget.name.clone()),
    })
}

fn limit(budget: &Budget, found: &Found, checks: &mut Checks<'_>) -> Option<i64> {
    let key = found.place("limit")?;
    found.place("unit")?;
    let (most, scale) = match budget.unit {
        BudgetUnit::Tokens => (TOKENS_MAX, 1.0),
        BudgetUnit::Money => (LIMIT_MAX, NANOS_PER_UNIT),
    };
    checks.within(key, budget.limit, 0.0..=most, 0.0);
    Some((budget.limit.clamp(0.0, most) * scale) as i64)
}

/// Warns of models in use that cost money, as the provider's key shows, and that have no price.
fn warn_of_free_models(place: &str, bots: &[BotSpec], providers: &[ProviderEntry], checks: &mut Checks<'_>) {
    let mut free = BTreeSet::new();
    for provider in providers.iter().filter(|provider| provider.kind.needs_key() || !provider.api_keys.is_empty()) {
        let chains = bots.iter().flat_map(|bot| &bot.generation.models);
        let asked = chains.filter(|model| model.provider == provider.name).map(|model| &model.model);
        for model in asked.chain(&provider.model) {
            if provider.settings.price.is_none() && !provider.settings.prices.contains_key(model) {
                free.insert(format!("{}/{model}", provider.name));
            }
        }
    }
    if !free.is_empty() {
        let free: Vec<_> = free.into_iter().collect();
        let what = format!("limits money, and calls to {} cost nothing", free.join(", "));
        checks.warn(place, what, "give the provider a price = { prompt = ..., completion = ... } per million tokens");
    }
}
