//! Providers of the manifest. Part of `config`.

use std::collections::BTreeMap;

use botfleet_actors::actors::provider::settings::ProviderSettings;
use botfleet_actors::domain::roster::ModelRef;
use toml::{Table, Value};

use super::raw::{PROVIDER_KEYS, RawProvider};
use super::{Checks, ProviderEntry};
use crate::config::table;
use crate::llm::settings::ProviderKind;

/// The providers that were sound, and the names of all.
pub(super) struct Providers {
    pub entries: Vec<ProviderEntry>,
    /// Default model by provider; of faulty providers too, so that one fault is not told twice.
    models: BTreeMap<String, Option<String>>,
}

/// Checks `[[providers]]`.
pub(super) fn check(tables: Vec<Table>, checks: &mut Checks<'_>) -> Providers {
    let mut seen = BTreeMap::new();
    let mut providers = Providers { entries: Vec::new(), models: BTreeMap::new() };
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("providers[{index}]");
        let Some((raw, settings)) = read(table, &place, checks) else { continue };
        let name = checks.name(&place, raw.name.clone(), &mut seen);
        let name = name.filter(|name| {
            let plain = !name.contains('/');
            if !plain {
                checks.fault(table::join(&place, "name"), "holds a /", "a / parts provider and model; choose another");
            }
            plain
        });
        if let Some(name) = &name {
            providers.models.insert(name.clone(), raw.model.clone());
        }
        if let Some(entry) = entry(raw, name, settings, &place, checks) {
            providers.entries.push(entry);
        }
    }
    providers
}

/// Reads the provider's own keys and those of its actor.
fn read(mut table: Table, place: &str, checks: &mut Checks<'_>) -> Option<(RawProvider, ProviderSettings)> {
    let mut own = Table::new();
    for key in PROVIDER_KEYS {
        if let Some(value) = table.remove(key) {
            own.insert(key.to_owned(), value);
        }
    }
    if table.get("requests_per_minute") == Some(&Value::Integer(0)) {
        table.remove("requests_per_minute");
    }
    let first = checks.faults.len();
    let settings: ProviderSettings = checks.read(table, place)?;
    for fault in checks.faults.iter_mut().skip(first).filter(|fault| fault.what == "unknown key") {
        if fault.key.matches('.').count() == 1 {
            fault.remedy = fault.remedy.replace("known keys: ", &format!("known keys: {}, ", PROVIDER_KEYS.join(", ")));
        }
    }
    let raw = checks.read(own, place)?;
    Some((raw, settings))
}

fn entry(
    raw: RawProvider,
    name: Option<String>,
    settings: ProviderSettings,
    place: &str,
    checks: &mut Checks<'_>,
) -> Option<ProviderEntry> {
    if raw.kind.is_none() {
        checks.missing(&format!("{place}.kind"), "openai, gemini, groq, anthropic, ollama or compatible");
    }
    if settings.timeout.is_zero() {
        checks.fault(format!("{place}.timeout"), "is zero", "write it as \"60s\"");
    }
    let base_url = raw.base_url.map(|url| url.trim().trim_end_matches('/').to_owned());
    if let Some(url) = &base_url {
        check_url(url, raw.api_key.is_some(), place, checks);
    }
    let api_key = match &raw.api_key {
        Some(reference) => checks.secret(&format!("{place}.api_key"), reference),
        None => None,
    };
    let kind = raw.kind?;
    check_kind(kind, base_url.is_some(), raw.api_key.is_some(), place, checks);
    Some(ProviderEntry {
        name: name?,
        kind,
        base_url,
        api_key,
        model: raw.model,
        stream: raw.stream.unwrap_or(false),
        settings,
    })
}

fn check_kind(kind: ProviderKind, has_url: bool, has_key: bool, place: &str, checks: &mut Checks<'_>) {
    if has_url {
        return;
    }
    if kind.default_base_url().is_none() {
        let remedy = "a compatible provider has no usual address; write it as https://host/v1";
        checks.missing(&format!("{place}.base_url"), remedy);
    }
    if kind.needs_key() && !has_key {
        checks.missing(&format!("{place}.api_key"), "write \"env:NAME\" or \"file:PATH\"");
    }
}

fn check_url(url: &str, has_key: bool, place: &str, checks: &mut Checks<'_>) {
    let key = format!("{place}.base_url");
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    match authority {
        None | Some("") => {
            checks.fault(key, "is no http or https address", "write it as https://host/v1");
        }
        Some(authority) if authority.contains('@') || url.contains('?') => {
            let remedy = "name the address alone; a key belongs into api_key, as a reference";
            checks.fault(key, "holds credentials or a query", remedy);
        }
        Some(authority) if url.starts_with("http://") && has_key && !is_local(authority) => {
            checks.warn(key, "the key travels unencrypted to another machine", "use https");
        }
        Some(_) => {}
    }
}

fn is_local(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

impl Providers {
    /// Reads `provider` or `provider/model`; model names may hold further slashes.
    pub(super) fn model(&self, text: &str) -> Result<ModelRef, (String, String)> {
        let (provider, model) = match text.split_once('/') {
            Some((provider, model)) => (provider.trim(), Some(model.trim().to_owned())),
            None => (text.trim(), None),
        };
        let Some(default) = self.models.get(provider) else {
            return Err((format!("the provider {provider:?} is unknown"), self.known()));
        };
        match model.or_else(|| default.clone()).filter(|model| !model.is_empty()) {
            Some(model) => Ok(ModelRef { provider: provider.to_owned(), model }),
            None => Err((
                format!("the provider {provider:?} has no default model"),
                format!("write \"{provider}/MODEL\", or give the provider a model"),
            )),
        }
    }

    fn known(&self) -> String {
        let names: Vec<&str> = self.models.keys().map(String::as_str).collect();
        if names.is_empty() { "add it to [[providers]]".to_owned() } else { format!("providers: {}", names.join(", ")) }
    }
}
