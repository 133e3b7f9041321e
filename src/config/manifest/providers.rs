//! Reads the providers of the manifest. Part of `config`.

use std::collections::BTreeMap;

use botfleet_actors::domain::roster::ModelRef;
use secrecy::{ExposeSecret, SecretString};
use toml::Table;

use crate::config::manifest::checks::Checks;
use crate::config::manifest::entry::ProviderEntry;
use crate::config::reader::Found;
use crate::config::table;
use crate::llm::address::BaseUrl;
use crate::llm::settings::ProviderKind;

/// The sound providers, and the names of all.
pub(super) struct Providers {
    pub entries: Vec<ProviderEntry>,
    /// Default model by provider; faulty providers are included, so that one fault is not told twice.
    models: BTreeMap<String, Option<String>>,
}

/// Checks `[[providers]]`.
pub(super) fn check(tables: Vec<Table>, checks: &mut Checks<'_>) -> Providers {
    let mut seen = BTreeMap::new();
    let mut providers = Providers { entries: Vec::new(), models: BTreeMap::new() };
    for (index, table) in tables.into_iter().enumerate() {
        let place = format!("providers[{index}]");
        let (entry, found) = checks.file().take::<ProviderEntry>(table, &place, None);
        let name = checks.name(&place, &entry.name, &found, &mut seen);
        let name = name.filter(|name| {
            let plain = !name.contains('/');
            if !plain {
                checks.fault(table::join(&place, "name"), "holds a /", "a / parts provider and model; choose another");
            }
            plain
        });
        if let Some(name) = &name {
            providers.models.insert(name.clone(), entry.model.clone());
        }
        let entry = complete(entry, &found, &place, checks);
        providers.entries.extend(entry.filter(|_| name.is_some()));
    }
    providers
}

/// Resolves address and keys of a provider, and checks what its kind needs.
fn complete(mut entry: ProviderEntry, found: &Found, place: &str, checks: &mut Checks<'_>) -> Option<ProviderEntry> {
    let has_key = found.place("api_key").is_some() || found.place("keys").is_some();
    entry.base_url = entry.base_url.as_deref().map(|url| base_url(url, has_key, place, checks));
    entry.api_keys = keys(&entry, place, checks);
    found.place("kind")?;
    check_kind(entry.kind, entry.base_url.is_some(), has_key, place, checks);
    Some(entry)
}

/// Returns the keys; a key that stands twice is a fault.
fn keys(raw: &ProviderEntry, place: &str, checks: &mut Checks<'_>) -> Vec<SecretString> {
    if raw.api_key.is_some() && raw.keys.is_some() {
        let remedy = "write one key as api_key, several as keys";
        checks.fault(format!("{place}.keys"), "stands beside api_key", remedy);
        return Vec::new();
    }
    if raw.keys.as_ref().is_some_and(Vec::is_empty) {
        checks.fault(format!("{place}.keys"), "is empty", "write keys = [\"env:NAME\", ...], or remove it");
    }
    let single = raw.api_key.iter().map(|reference| (format!("{place}.api_key"), reference));
    let pool = raw.keys.iter().flatten().enumerate();
    let pool = pool.map(|(index, reference)| (format!("{place}.keys[{index}]"), reference));
    let mut keys: Vec<SecretString> = Vec::new();
    for (key, reference) in single.chain(pool) {
        let Some(secret) = checks.secret(&key, reference) else { continue };
        if keys.iter().any(|other| other.expose_secret() == secret.expose_secret()) {
            checks.fault(key, "leads to the same key as one before it", "name each key once");
        } else {
            keys.push(secret);
        }
    }
    keys
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
        let key = format!("{place}.api_key");
        // What is made by API may get its key by API too, once it is there.
        if checks.stored.is_some() {
            checks.warn(key, "is not named", "give the key itself: botfleet secrets provider-key NAME");
        } else {
            checks.missing(&key, "write \"env:NAME\" or \"file:PATH\"");
        }
    }
}

/// Returns the address to use; a faulty address as it was written.
fn base_url(text: &str, has_key: bool, place: &str, checks: &mut Checks<'_>) -> String {
    let key = format!("{place}.base_url");
    let read = match BaseUrl::read(text) {
        Ok(read) => read,
        Err((what, remedy)) => {
            checks.fault(key, what, remedy);
            return text.to_owned();
        }
    };
    let authority = read.url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or(rest));
    if authority.is_some_and(|authority| has_key && !is_local(authority)) {
        checks.warn(key.clone(), "the key travels unencrypted to another machine", "use https");
    }
    if let Some((what, remedy)) = read.warning {
        checks.warn(key, what, remedy);
    }
    read.url
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
