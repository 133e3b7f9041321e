//! `botfleet demo`: a simulated Telegram and LLM, a dozen personas in three chats, before your eyes. Layer `cli`.
//!
//! | file | holds |
//! |---|---|
//! | `stage` | the simulated world, the product on top of it, the people who write |
//! | `layout` | the columns of the conversation, wrapped |
//! | `screen` | what a person sees: lines, a status line, what they type |
//! | `story` | counts what happened, for the summary |

mod layout;
mod screen;
mod stage;
mod story;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::broadcast::error::RecvError;

use self::screen::{Key, Screen};
use self::stage::Stage;
use self::story::Story;

/// Most time for a whole run to come to rest.
const REST_DEADLINE: Duration = Duration::from_secs(20);

/// Time within which the demo tells that no provider answers.
const MUTE_WITHIN: Duration = Duration::from_secs(8);

/// Interval at which the status line is redrawn.
const REDRAW: Duration = Duration::from_millis(250);

/// Arguments of `botfleet demo`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "\
Examples:
  botfleet demo                        until Ctrl-C
  botfleet demo --seconds 30 --json    30 seconds, then one JSON object
  botfleet demo --seed 7               other people, other words")]
pub struct DemoArgs {
    /// End by itself after so many seconds; without it, Ctrl-C ends the demo.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub seconds: Option<u64>,
    /// Print one JSON object at the end instead of the conversation.
    #[arg(long)]
    pub json: bool,
    /// Seed of the simulated world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keep the database in this folder; without it, it is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Another OpenAI-compatible endpoint up to and with its version, in place of the simulated one: for example
    /// `http://127.0.0.1:8090/v1` for a llama.cpp server.
    #[arg(long, value_name = "URL", requires = "llm_model")]
    pub llm_base_url: Option<String>,
    /// The model to ask there.
    #[arg(long, value_name = "MODEL", requires = "llm_base_url")]
    pub llm_model: Option<String>,
    /// Messages of people a minute and chat.
    #[arg(long, default_value_t = 9.0)]
    pub people_rate: f64,
}

/// Runs the demo.
///
/// # Errors
/// When the world or the fleet cannot start.
pub async fn execute(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let stage = Stage::start(args).await?;
    let mut story = Story::new(stage.world_spec());
    let interactive = !args.json && std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let mut screen = Screen::open(stage.world_spec(), stage.notices(), interactive, args.json)?;
    let ended = match screen.welcome(stage.address(), stage.socket(), args.seconds) {
        Ok(()) => converse(args, &stage, &mut story, &mut screen).await,
        Err(error) => Err(error.into()),
    };
    let closed = screen.close();
    // A reader that has seen enough (`botfleet demo | head`) ends the demo as Ctrl-C does.
    unless_reader_left(ended)?;
    unless_reader_left(closed.map_err(Into::into))?;

    let report = stage.finish(REST_DEADLINE, &mut story).await?;
    let summary = if args.json { format!("{}\n", story.to_json(&report)) } else { story.to_table(&report).clone() };
    unless_reader_left(write_out(&summary).map_err(Into::into))?;
    Ok(if report.is_clean() && !story.is_mute() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Turns an end that came because nobody reads stdout any more into a good one.
fn unless_reader_left(ended: anyhow::Result<()>) -> anyhow::Result<()> {
    let left = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    match ended {
        Err(error) if left(&error) => Ok(()),
        ended => ended,
    }
}

/// Shows events, and posts what the person types, until the end.
async fn converse(args: &DemoArgs, stage: &Stage, story: &mut Story, screen: &mut Screen) -> anyhow::Result<()> {
    let mut events = stage.events();
    let until = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut redraw = tokio::time::interval(REDRAW);
    let people = stage.people_write(args.seed, args.people_rate);
    let (mute, mut told) = (stage.mute(MUTE_WITHIN), false);
    tokio::pin!(people, mute);
    loop {
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(());
        }
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    story.note(&event);
                    screen.show(&event)?;
                }
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "events were missed"),
                Err(RecvError::Closed) => return Ok(()),
            },
            key = screen.key() => match key? {
                Key::Quit => return Ok(()),
                Key::Say(chat, text) => if let Err(error) = stage.say(chat, &text) {
                    screen.note(&format!("not posted: {error}"))?;
                },
                Key::Other => {}
            },
            reason = &mut mute, if !told => {
                told = true;
                if let Some(reason) = reason {
                    let why = format!("nobody can speak: {reason}");
                    tracing::warn!("{why}");
                    screen.note(&why)?;
                }
            }
            () = &mut people => return Ok(()),
            _ = redraw.tick() => screen.status(&story.status(stage.llm_calls()))?,
        }
    }
}
