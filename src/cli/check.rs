//! `botfleet check`: reads configuration and manifest and shows the result. Layer `cli`.
//!
//! Without `--online` the command asks neither Telegram nor a provider; no secret is shown (I12).

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use botfleet_actors::domain::hours::Hours;
use botfleet_actors::domain::roster::{BotSpec, ChatSpec};
use clap::Args;
use serde_json::{Value, json};

use super::inputs::Inputs;
use super::online::{self, OnlineArgs};
use crate::config::manifest::entry::ProviderEntry;
use crate::config::manifest::{LoadedManifest, strategies};
use crate::config::secret::ProcessSecrets;
use crate::config::settings::Config;
use crate::outbound::special::private_host;

/// The bytes that an entry takes with its indexes: a message of a hundred characters, as `botfleet eval age` measures.
const ENTRY_BYTES: u64 = 330;

/// Arguments of `botfleet check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  botfleet check --manifest fleet.toml
  botfleet check --profile production --json
  botfleet check --online                            asks Telegram, models and servers; sends nothing
  botfleet check --online --chat lab --try           sends into a private group of your own, and takes it back")]
pub struct CheckArgs {
    /// Configuration and manifest.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Writes one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Options of the online check.
    #[command(flatten)]
    pub online: OnlineArgs,
}

/// Runs the command.
///
/// # Errors
/// The faults of configuration and manifest, or a closed stdout.
pub async fn execute(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (config, manifest) = args.inputs.load()?;
    let connections = config.connections(&ProcessSecrets)?;
    config.alert_secret(&ProcessSecrets).map_err(anyhow::Error::msg)?;
    if args.online.online {
        return online::execute(&args.online, args.json, &config, &connections, manifest).await;
    }
    let text = if args.json { format!("{:#}\n", as_json(&config, &manifest)) } else { as_text(&config, &manifest) };
    stdout().lock().write_all(text.as_bytes()).context("stdout cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(config: &Config, manifest: &LoadedManifest) -> String {
    let plan = &manifest.plan;
    let mut text = String::from("Configuration and manifest are sound.\n\n");
    text.push_str(&table(
        "Settings",
        &["section", "value"],
        &[
            vec!["server".into(), server(config)],
            vec!["store".into(), store(config)],
            vec!["redis".into(), redis(config).to_owned()],
            vec!["cluster".into(), cluster(config)],
            vec!["telegram".into(), config.telegram.api_url.clone()],
            vec!["audit".into(), config.audit_is_signed().to_owned()],
            vec!["secrets".into(), config.secrets_are_sealed()],
            vec!["log".into(), config.log.level.clone()],
        ],
    ));
    let rows: Vec<_> = plan.bots.iter().map(bot_row).collect();
    text.push_str(&table("Bots", &["name", "Telegram id", "persona", "models", "an hour", "token"], &rows));
    let rows: Vec<_> = plan.chats.iter().map(chat_row).collect();
    text.push_str(&table("Chats", &["name", "Telegram id", "policy", "time zone", "bots"], &rows));
    let rows: Vec<_> = plan.chats.iter().map(conversation_row).collect();
    let heads = ["chat", "strategy", "quiet hours", "novelty", "stances", "calms down"];
    text.push_str(&table("Conversations", &heads, &rows));
    let rows: Vec<_> = plan.chats.iter().filter_map(|chat| for_ever_row(chat, &plan.bots)).collect();
    if !rows.is_empty() {
        let heads = ["chat", "a message an hour", "its bots say at most", "a year of that"];
        text.push_str(&table("Transcripts that are kept for ever (retention_days = 0)", &heads, &rows));
    }
    let rows: Vec<_> = plan.bots.iter().map(character_row).collect();
    let heads = ["bot", "stances", "active hours", "reactions", "close to"];
    text.push_str(&table("Characters", &heads, &rows));
    let rows: Vec<_> = manifest.providers.iter().map(provider_row).collect();
    text.push_str(&table("Providers", &["name", "kind", "address", "model", "key"], &rows));
    let rows: Vec<_> = private_addresses(config, manifest).into_iter().map(|(place, host)| vec![place, host]).collect();
    if !rows.is_empty() {
        text.push_str(&table("Addresses of private networks, used as they are written", &["place", "host"], &rows));
    }
    text
}

/// Returns the places of settings and manifest whose address leads to a private network, with the host.
fn private_addresses(config: &Config, manifest: &LoadedManifest) -> Vec<(String, String)> {
    let settings = [
        ("telegram.api_url".to_owned(), Some(config.telegram.api_url.as_str())),
        ("alerts.webhook_url".to_owned(), config.alerts.webhook_url.as_deref()),
    ];
    let providers = manifest.providers.iter().map(|provider| {
        let address = provider.base_url.as_deref().or(provider.kind.default_base_url());
        (format!("providers {:?}", provider.name), address)
    });
    let private = |(place, address): (String, Option<&str>)| Some((place, private_host(address?)?));
    settings.into_iter().chain(providers).filter_map(private).collect()
}

fn server(config: &Config) -> String {
    let server = &config.server;
    let tls = if server.tls.cert.is_some() { " by TLS" } else { "" };
    let observe = server.observe.map(|address| format!("; health and metrics on {address}")).unwrap_or_default();
    format!("listens on {}{tls}{observe}", server.listen)
}

/// Names the database without its address, which may hold a password.
fn store(config: &Config) -> String {
    if config.many_nodes() {
        return "PostgreSQL, the address is set".to_owned();
    }
    config.store.path.display().to_string()
}

fn redis(config: &Config) -> &'static str {
    match (&config.redis.url, config.many_nodes()) {
        (Some(_), true) => "the address is set",
        (Some(_), false) => "not used with SQLite",
        (None, _) => "none",
    }
}

fn cluster(config: &Config) -> String {
    if config.many_nodes() {
        format!("node {}, role {}", config.cluster.node_name(), config.cluster.role.as_str())
    } else {
        "one node".to_owned()
    }
}

fn bot_row(bot: &BotSpec) -> Vec<String> {
    let models = bot.generation.models.iter().map(|model| format!("{}/{}", model.provider, model.model));
    vec![
        bot.name.clone(),
        bot.telegram_id.to_string(),
        bot.persona.name.clone(),
        models.collect::<Vec<_>>().join(", "),
        bot.hourly_cap.map_or_else(|| "no cap".to_owned(), |cap| cap.to_string()),
        bot.credential.clone(),
    ]
}

fn chat_row(chat: &ChatSpec) -> Vec<String> {
    vec![
        chat.name.clone(),
        chat.telegram_id.to_string(),
        chat.policy.as_str().to_owned(),
        chat.time_zone.clone(),
        chat.bots.join(", "),
    ]
}

fn conversation_row(chat: &ChatSpec) -> Vec<String> {
    let novelty = &chat.novelty;
    vec![
        chat.name.clone(),
        strategies::label(&chat.strategy).to_owned(),
        hours(chat.quiet_hours, "none"),
        if novelty.enabled { format!("below {} alike", novelty.limit) } else { "not looked at".to_owned() },
        chat.consistency.as_str().to_owned(),
        format!("for {}", humantime(chat.physics.cool_down)),
    ]
}

/// Tells what a year costs in a chat whose transcript never goes.
fn for_ever_row(chat: &ChatSpec, bots: &[BotSpec]) -> Option<Vec<String>> {
    if chat.retention_days > 0 {
        return None;
    }
    let caps = bots.iter().filter(|bot| chat.bots.contains(&bot.name)).map(|bot| bot.hourly_cap);
    let an_hour: Option<u64> = caps.map(|cap| cap.map(u64::from)).sum();
    let year = |an_hour: u64| format!("{:.1} MiB a year", (an_hour * 8_760 * ENTRY_BYTES) as f64 / 1_048_576.0);
    let most = an_hour.map_or_else(|| "no cap".to_owned(), |an_hour| format!("{an_hour} an hour"));
    let cost = an_hour.map_or_else(|| "no bound".to_owned(), year);
    Some(vec![chat.name.clone(), year(1), most, cost])
}

fn character_row(bot: &BotSpec) -> Vec<String> {
    let persona = &bot.persona;
    let close = bot.relationships.iter().map(|relationship| format!("{} {:+}", relationship.to, relationship.affinity));
    vec![
        bot.name.clone(),
        persona.stances.len().to_string(),
        hours(persona.active_hours, "all"),
        if persona.reactions.is_empty() { "none".to_owned() } else { persona.reactions.join(" ") },
        if bot.relationships.is_empty() { "-".to_owned() } else { close.collect::<Vec<_>>().join(", ") },
    ]
}

fn hours(hours: Option<Hours>, without: &str) -> String {
    hours.map_or_else(|| without.to_owned(), String::from)
}

/// Formats a duration as a manifest writes it.
fn humantime(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (minutes, 0) => format!("{minutes}m"),
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m {seconds}s"),
    }
}

fn provider_row(provider: &ProviderEntry) -> Vec<String> {
    vec![
        provider.name.clone(),
        kind(provider),
        provider.base_url.clone().unwrap_or_else(|| "the usual one".to_owned()),
        provider.model.clone().unwrap_or_else(|| "-".to_owned()),
        match provider.api_keys.len() {
            0 => "none".to_owned(),
            1 => "present".to_owned(),
            keys => format!("{keys} keys"),
        },
    ]
}

fn kind(provider: &ProviderEntry) -> String {
    format!("{:?}", provider.kind).to_lowercase()
}

/// Formats a table of left-aligned columns under a heading with the number of rows.
pub(super) fn table(title: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heads.get(column).map(|head| head.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = format!("{title} ({})\n", rows.len());
    text.push_str(&line(&mut heads.iter().copied()));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text.push('\n');
    text
}

fn as_json(config: &Config, manifest: &LoadedManifest) -> Value {
    let providers = manifest.providers.iter().map(|provider| {
        json!({
            "name": provider.name,
            "kind": kind(provider),
            "base_url": provider.base_url,
            "model": provider.model,
            "has_key": !provider.api_keys.is_empty(),
            "stream": provider.stream,
            "settings": provider.settings,
        })
    });
    let settings = json!({
        "server": { "listen": config.server.listen, "tls": config.server.tls.cert.is_some(), "observe": config.server.observe },
        "store": config.store,
        "redis": { "has_url": config.redis.url.is_some(), "prefix": config.redis.prefix },
        "cluster": { "many_nodes": config.many_nodes(), "role": config.cluster.role, "ownership": config.cluster.ownership() },
        "telegram": { "api_url": config.telegram.api_url },
        "fleet": config.fleet,
        "bots": config.bots,
        "chats": config.chats,
        "secrets": { "sealed": config.secrets.keys.is_some() || !config.many_nodes() },
        "audit": { "signed": config.audit.key.is_some() || !config.many_nodes() },
        "log": { "level": config.log.level },
    });
    json!({
        "sound": true,
        "settings": settings,
        "bots": manifest.plan.bots,
        "chats": manifest.plan.chats,
        "providers": providers.collect::<Vec<_>>(),
        "private_addresses": private_addresses(config, manifest)
            .into_iter()
            .map(|(place, host)| json!({ "place": place, "host": host }))
            .collect::<Vec<_>>(),
        "warnings": manifest.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_that_keeps_its_transcript_is_told_what_a_year_costs() {
        let bots = ["ada", "bob", "eve"].map(|name| BotSpec {
            name: name.to_owned(),
            hourly_cap: Some(30),
            ..BotSpec::default()
        });
        let chat = ChatSpec { bots: vec!["ada".to_owned(), "bob".to_owned()], ..ChatSpec::default() };
        assert_eq!(for_ever_row(&chat, &bots), None);
        let chat = ChatSpec { retention_days: 0, ..chat };
        let row = for_ever_row(&chat, &bots).unwrap_or_default();
        assert_eq!(row[1..], ["2.8 MiB a year", "60 an hour", "165.4 MiB a year"]);
    }

    #[test]
    fn columns_align_by_characters_not_bytes() {
        let rows = [vec!["Çay".to_owned(), "x".to_owned()], vec!["Corner".to_owned(), "y".to_owned()]];
        assert_eq!(table("T", &["name", "v"], &rows), "T (2)\n  name    v\n  Çay     x\n  Corner  y\n\n");
    }
}
