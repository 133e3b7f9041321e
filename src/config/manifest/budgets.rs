//! Reads the budgets of the manifest. Part of `config`.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::allowance::{BudgetOwner, BudgetSpec, BudgetUnit, NANOS_PER_UNIT};
use botfleet_actors::domain::roster::{BotSpec, ChatSpec};
use toml::Table;

use super::raw::{BudgetScopeName, RawBudget};
use crate::config::manifest::checks::Checks;
use crate::config::manifest::entry::ProviderEntry;
use crate::config::table;

/// Most units of money in a budget; `TOKENS_MAX` is the most tokens.
const LIMIT_MAX: f64 = 1e9;
const TOKENS_MAX: f64 = 1e15;

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
        let Some(raw) = checks.read::<RawBudget>(table, &place) else { continue };
        let known = |scope| match scope {
            BudgetScopeName::Bot => bots.iter().map(|bot| bot.name.as_str()).collect(),
            BudgetScopeName::Chat => chats.iter().map(|chat| chat.name.as_str()).collect(),
            BudgetScopeName::Fleet => Vec::new(),
        };
        let owner = owner(&raw, &place, known, checks);
        let unit = given(raw.unit, &place, "unit", "tokens or money", checks);
        let per = given(raw.per, &place, "per", "hour, day or total", checks);
        let limit = limit(&raw, unit, &place, checks);
        let (Some(owner), Some(unit), Some(per), Some(limit)) = (owner, unit, per, limit) else { continue };
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
    raw: &RawBudget,
    place: &str,
    known: impl Fn(BudgetScopeName) -> Vec<&'a str>,
    checks: &mut Checks<'_>,
) -> Option<BudgetOwner> {
    let scope = given(raw.scope, place, "scope", "fleet, bot or chat", checks)?;
    let key = table::join(place, "name");
    if let Some(name) = &raw.name {
        if scope == BudgetScopeName::Fleet {
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
        BudgetScopeName::Fleet => BudgetOwner::Fleet,
        BudgetScopeName::Bot => BudgetOwner::Bot(raw.name.clone()),
        BudgetScopeName::Chat => BudgetOwner::Chat(raw.name.clone()),
    })
}

fn limit(raw: &RawBudget, unit: Option<BudgetUnit>, place: &str, checks: &mut Checks<'_>) -> Option<i64> {
    let limit = given(raw.limit, place, "limit", "the most that may be spent", checks)?;
    let key = table::join(place, "limit");
    let (most, scale) = match unit? {
        BudgetUnit::Tokens => (TOKENS_MAX, 1.0),
        BudgetUnit::Money => (LIMIT_MAX, NANOS_PER_UNIT),
    };
    checks.within(&key, limit, 0.0..=most, 0.0);
    Some((limit.clamp(0.0, most) * scale) as i64)
}

fn given<T>(value: Option<T>, place: &str, key: &str, remedy: &str, checks: &mut Checks<'_>) -> Option<T> {
    if value.is_none() {
        checks.missing(&table::join(place, key), remedy);
    }
    value
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
