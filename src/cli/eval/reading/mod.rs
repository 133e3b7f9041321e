//! `botfleet eval reading`: shows how a recorded conversation reads, in figures and by the page. Layer `cli`.
//!
//! | file | holds |
//! |---|---|
//! | `marks` | the marks of a single text, and the words that they are found by |
//! | `figures` | the figures of a bot in a chat, made from these marks |
//! | `page` | a page of a transcript with its marks |
//!
//! The figures are hints where to read, not objectives: people, too, begin with names and ask questions.

mod figures;
mod marks;
mod page;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use botfleet_actors::domain::roster::Roster;
use botfleet_actors::domain::transcript::TranscriptEntry;
use clap::Args;
use serde_json::json;

use self::figures::{Figures, figures};
use self::marks::{Marked, marked};
use super::coherence::transcript;
use crate::cli::check::table;
use crate::cli::inputs::StoreInputs;
use crate::cli::output::say;
use crate::config::secret::ProcessSecrets;
use crate::runtime::replay::record;

/// Arguments of `botfleet eval reading`.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Shows how what a fleet has said reads: of each bot in each chat, the share of texts that begin with a \
name, that ask, that open alike, and of answers that share no subject with what they answer; lengths, variety of words, \
and the distance of its style to those of the other bots and of the people. With --page it shows the conversation itself, \
with marks. The figures are hints where to read, not objectives. Reads the store of the settings, also while a fleet runs \
on it, and writes nothing.",
    after_help = "\
Examples:
  botfleet eval reading
  botfleet eval reading --store backup.db --json
  botfleet eval reading --chat lounge --page 1     the latest page; 2 is the one before it"
)]
pub struct ReadingArgs {
    /// One chat, by its name in the manifest, instead of all.
    #[arg(long, value_name = "NAME")]
    pub chat: Option<String>,
    /// Shows this page of the chat instead of figures: 1 is the latest, 40 messages a page.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub page: Option<u32>,
    /// The store that is read.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

/// A chat and its marked texts.
struct Chat<'a> {
    name: &'a str,
    texts: Vec<Marked>,
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be read, has no such chat, or the chat no such page.
pub async fn execute(args: &ReadingArgs) -> anyhow::Result<ExitCode> {
    let config = args.inputs.settings.load()?;
    let archive = record::open(&config, args.inputs.store.as_deref(), &ProcessSecrets).await?;
    let roster = archive.recorded_roster().await?;
    let wanted = |name: &str| args.chat.as_deref().is_none_or(|chat| chat == name);
    let mut chats: Vec<Chat<'_>> = Vec::new();
    for chat in roster.chats.values().filter(|chat| wanted(&chat.spec.name)) {
        let entries = transcript(&*archive, chat.id).await?;
        chats.push(Chat { name: &chat.spec.name, texts: marked(&entries, &names_of(&entries, &roster)) });
    }
    if chats.is_empty() {
        bail!("the store has no chat of that name (hint: `botfleet check` lists the chats of a manifest)");
    }
    let json = args.inputs.settings.json;
    say(&match args.page {
        Some(number) => page_of(&chats, number as usize, json)?,
        None => figures_of(&chats, json),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the names that people and bots of a chat go by.
fn names_of(entries: &[Arc<TranscriptEntry>], roster: &Roster) -> Vec<String> {
    let bots = roster.bots.values().map(|bot| &bot.spec);
    let of_bots = bots.flat_map(|bot| bot.persona.nicknames.iter().chain([&bot.name]).cloned());
    marks::names(entries.iter().map(|entry| entry.author.name.clone()).chain(of_bots))
}

fn page_of(chats: &[Chat<'_>], number: usize, json: bool) -> anyhow::Result<String> {
    let [chat] = chats else {
        let names: Vec<&str> = chats.iter().map(|chat| chat.name).collect();
        bail!("--page shows one chat (hint: add --chat with one of {})", names.join(", "));
    };
    let Some(texts) = page::page(&chat.texts, number) else {
        bail!("the chat {:?} has {} pages", chat.name, page::pages(&chat.texts));
    };
    Ok(if json { page::as_json(texts) } else { page::as_text(texts) })
}

fn figures_of(chats: &[Chat<'_>], json: bool) -> String {
    let read: Vec<(&str, Vec<Figures>)> = chats.iter().map(|chat| (chat.name, figures(&chat.texts))).collect();
    if json {
        let chats: serde_json::Map<_, _> =
            read.iter().map(|(name, bots)| ((*name).to_owned(), json!({ "bots": bots }))).collect();
        return json!({ "chats": chats }).to_string();
    }
    let mut text = String::new();
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let distance = |far: Option<f64>| far.map_or_else(|| "-".to_owned(), |far| format!("{far:.2}"));
    for (name, bots) in &read {
        let row = |bot: &Figures| {
            vec![
                bot.bot.clone(),
                bot.texts.to_string(),
                share(bot.begins_with_name),
                share(bot.asks),
                format!("{} ({})", share(bot.opening_share), bot.opening.as_deref().unwrap_or("-")),
                share(bot.without_subject),
                bot.lengths.map_or_else(|| "-".to_owned(), |[low, middle, high]| format!("{low} / {middle} / {high}")),
                distance(bot.variety),
                format!("{} {}", distance(bot.nearest_bot), bot.nearest.as_deref().unwrap_or_default()),
                distance(bot.people),
            ]
        };
        let rows: Vec<Vec<String>> = bots.iter().map(row).collect();
        let heads = [
            "bot",
            "texts",
            "name first",
            "asks",
            "opens alike",
            "no subject",
            "characters",
            "variety",
            "nearest bot",
            "people",
        ];
        text.push_str(&table(name, &heads, &rows));
    }
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Hints where to read (--chat NAME --page 1), not objectives: see docs/OPERATIONS.md, Conversations."
    );
    text
}

#[cfg(test)]
mod tests;
