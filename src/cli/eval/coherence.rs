//! Measures coherence as a reader sees it: the share of the bots' replies that can be attached to the message that they
//! were meant to answer. Layer `cli`.
//!
//! `botfleet eval coherence` measures a recorded store, the soak its own transcripts. A reply that Telegram draws a link
//! for is attached by it. Any other reply stands right below its target. The link resolver, which sees names, texts and
//! times alone, is asked about such a reply: a reader loses it when another's message is likelier than its target. The
//! transcript keeps what each reply was meant to answer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use botfleet_actors::behaviour::linked::is_linked;
use botfleet_actors::behaviour::links::features::WINDOW;
use botfleet_actors::behaviour::links::resolver::Resolver;
use botfleet_actors::behaviour::links::utterance::Utterance;
use botfleet_actors::domain::ids::{ChatId, MessageId, Number};
use botfleet_actors::domain::transcript::{EntryKind, TranscriptEntry};
use botfleet_actors::ports::archive::Archive;
use clap::Args;
use serde_json::json;

use crate::cli::check::table;
use crate::cli::inputs::StoreInputs;
use crate::cli::output::say;
use crate::config::secret::ProcessSecrets;
use crate::runtime::replay::record;

/// Number of entries that are read at once.
const PAGE: usize = 2_000;

/// Arguments of `botfleet eval coherence`.
#[derive(Clone, Debug, Args)]
#[command(
    long_about = "Measures what a fleet has said: of the bots' replies, the share that a reader can attach to the message \
that they answer. Telegram's link attaches a reply that has one; a reply right below its message mostly has none, and is \
attached unless the link resolver, which sees names, texts and times, finds another message likelier. Reads the store of \
the settings, also while a fleet runs on it, and writes nothing.",
    after_help = "\
Examples:
  botfleet eval coherence
  botfleet eval coherence --store backup.db --chat lounge --json"
)]
pub struct CoherenceArgs {
    /// One chat, by its name in the manifest, instead of all.
    #[arg(long, value_name = "NAME")]
    pub chat: Option<String>,
    /// The store that is read.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be read, or has no such chat.
pub async fn execute(args: &CoherenceArgs) -> anyhow::Result<ExitCode> {
    let config = args.inputs.settings.load()?;
    let archive = record::open(&config, args.inputs.store.as_deref(), &ProcessSecrets).await?;
    let roster = archive.recorded_roster().await?;
    let wanted = |name: &str| args.chat.as_deref().is_none_or(|chat| chat == name);
    let mut measured: Vec<(&str, Coherence)> = Vec::new();
    for chat in roster.chats.values().filter(|chat| wanted(&chat.spec.name)) {
        let transcript = transcript(&*archive, chat.id).await?;
        measured.push((&chat.spec.name, coherence_of(&transcript)));
    }
    if measured.is_empty() {
        bail!("the store has no chat of that name (hint: `botfleet check` lists the chats of a manifest)");
    }
    let mut all = Coherence::default();
    for (_, of) in &measured {
        all.add(of);
    }
    say(&if args.inputs.settings.json { as_json(&measured, &all) } else { as_table(&measured, &all) })?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the whole transcript of a chat, oldest first.
pub(super) async fn transcript(archive: &dyn Archive, chat: ChatId) -> anyhow::Result<Vec<Arc<TranscriptEntry>>> {
    let mut transcript: Vec<Arc<TranscriptEntry>> = Vec::new();
    loop {
        let from = transcript.last().map_or(Number(1), |entry| Number(entry.number.0 + 1));
        let page = archive.entries(chat, from, PAGE).await?;
        if page.is_empty() {
            return Ok(transcript);
        }
        transcript.extend(page);
    }
}

fn as_json(measured: &[(&str, Coherence)], all: &Coherence) -> String {
    let figures = |of: &Coherence| {
        json!({
            "coherence_percent": of.percent(),
            "replies": of.replies + of.out_of_sight,
            "attached": of.attached,
            "attached_by_link": of.by_link,
            "attached_by_place": of.by_place,
            "attached_first": of.first,
            "out_of_sight": of.out_of_sight,
        })
    };
    let chats: serde_json::Map<_, _> = measured.iter().map(|(name, of)| ((*name).to_owned(), figures(of))).collect();
    format!("{}\n", json!({ "all": figures(all), "chats": chats }))
}

fn as_table(measured: &[(&str, Coherence)], all: &Coherence) -> String {
    let row = |name: &str, of: &Coherence| {
        let replies = of.replies + of.out_of_sight;
        let by_words = of.attached - of.by_link - of.by_place;
        let counts = [replies, of.by_link, by_words, of.by_place].map(|count| count.to_string());
        [vec![name.to_owned()], counts.to_vec(), vec![format!("{:.1} %", of.percent())]].concat()
    };
    let mut rows: Vec<_> = measured.iter().map(|(name, of)| row(name, of)).collect();
    if measured.len() > 1 {
        rows.push(row("all", all));
    }
    let mut text = table("Coherence", &["chat", "replies", "by link", "by words", "by place", "coherence"], &rows);
    if all.out_of_sight > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} without a link answered what lay further back than the resolver looks.",
            all.out_of_sight
        );
    }
    text
}

/// Counts of replies that were looked at, by the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coherence {
    /// Replies of bots that Telegram links, or whose target is within the resolver's window.
    pub replies: u64,
    /// Replies that Telegram's link, the resolver or their place attached to their target.
    pub attached: u64,
    /// Replies of these that Telegram links.
    pub by_link: u64,
    /// Replies of these that the resolver takes for a new subject, while no other message is likelier than the target
    /// right above.
    pub by_place: u64,
    /// Replies whose target the resolver thought likeliest of all.
    pub first: u64,
    /// Replies whose target is further back than the resolver looks; they count as not attached.
    pub out_of_sight: u64,
}

impl Coherence {
    /// Returns the share attached, in percent; 100 when there was nothing to attach.
    pub fn percent(&self) -> f64 {
        let all = self.replies + self.out_of_sight;
        if all == 0 { 100.0 } else { (self.attached as f64 * 10_000.0 / all as f64).round() / 100.0 }
    }

    /// Adds another chat's figures.
    pub fn add(&mut self, other: &Self) {
        self.replies += other.replies;
        self.attached += other.attached;
        self.by_link += other.by_link;
        self.by_place += other.by_place;
        self.first += other.first;
        self.out_of_sight += other.out_of_sight;
    }
}

/// Measures one chat's transcript, oldest first.
pub fn coherence_of(transcript: &[Arc<TranscriptEntry>]) -> Coherence {
    let resolver = Resolver::standard();
    let posts: Vec<&TranscriptEntry> =
        transcript.iter().map(|entry| &**entry).filter(|entry| entry.kind == EntryKind::Message).collect();
    let utterances: Vec<Utterance> = posts
        .iter()
        .map(|entry| {
            let text = entry.text.as_deref().unwrap_or_default();
            Utterance::new(&entry.author.name, entry.author.username.as_deref(), text, entry.date, false)
        })
        .collect();
    let places: HashMap<MessageId, usize> =
        posts.iter().enumerate().map(|(place, entry)| (entry.message_id, place)).collect();
    let mut coherence = Coherence::default();
    for (place, entry) in posts.iter().enumerate() {
        let target = entry.reply_to.and_then(|message| places.get(&message)).filter(|target| **target < place);
        let (Some(_), Some(&target)) = (entry.fleet_bot, target) else {
            continue;
        };
        let above = posts[..place].iter().rev().find(|above| above.thread == entry.thread);
        if is_linked(posts[target], above.copied()) {
            coherence.replies += 1;
            coherence.attached += 1;
            coherence.by_link += 1;
            continue;
        }
        let from = place.saturating_sub(2 * WINDOW);
        if place - target > WINDOW {
            coherence.out_of_sight += 1;
            continue;
        }
        let earlier: Vec<&Utterance> = utterances[from..place].iter().collect();
        let links = resolver.resolve(&earlier, &utterances[place]);
        let (chosen, target) = (links.chosen(), target - from);
        // Nobody answers themselves: who speaks again after one other line goes on with that line.
        let of_others = |at: usize| posts[at + from].author.id != entry.author.id;
        let likeliest = links.candidates.iter().map(|(at, _)| *at).find(|at| of_others(*at));
        let by_words = chosen.contains(&Some(target));
        coherence.replies += 1;
        coherence.first += u64::from(chosen.first() == Some(&Some(target)));
        coherence.attached += u64::from(by_words || likeliest == Some(target));
        coherence.by_place += u64::from(!by_words && likeliest == Some(target));
    }
    coherence
}
