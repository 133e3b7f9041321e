//! Performs the steps of a scenario on the product and in the world while faults strike. Layer: harness.
//!
//! The harness waits for a start after a kill only until the next step is due, so that kills also strike recoveries. A
//! step that the present state refuses (a bot that was kicked twice, a person without a message) is left out.

use std::time::Duration;

use botfleet_world::checker::Claim;
use botfleet_world::scenario::file::{Action, Step};
use botfleet_world::world::World;
use botfleet_world::world::spec::BotSpec;
use tokio::time::Instant;

use super::claims::sending_in;
use super::wide;
use crate::harness::error::HarnessError;
use crate::harness::operator::Operator;
use crate::harness::product::ProductError;
use crate::harness::stage::Stage;

/// How long a product may take to end by SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How many of a chat's last messages are searched for one by a person.
const LOOKED_THROUGH: usize = 10;

/// The record of the performed steps.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    /// When the product was gone after each kill, on the ledger's clock, in microseconds.
    pub(super) kills_us: Vec<u64>,
    /// The messages that the product was sending at each kill, by its own database.
    pub(super) claims: Vec<Claim>,
    /// The longest that a kill took.
    pub(super) kill_took: Duration,
    /// When the product was paused, on the ledger's clock, in microseconds.
    pub(super) pauses_us: Vec<u64>,
    /// How often the product was ended by SIGTERM.
    pub(super) terminations: u32,
    /// The longest that an end by SIGTERM took.
    pub(super) longest_stop: Duration,
    /// Moves between polling and webhook that the product made.
    pub(super) moves: u32,
    /// Moves that the product refused or did not answer.
    pub(super) moves_failed: u32,
}

/// Performs the steps at their times, and returns at `until`.
///
/// # Errors
/// The product cannot be killed, started or paused, or has ended by itself.
pub(super) async fn perform(
    stage: &mut Stage,
    operator: &Operator<'_>,
    steps: &[Step],
    done: &mut Done,
    until: Instant,
) -> Result<(), HarnessError> {
    let began = Instant::now();
    for step in steps {
        let due = (began + Duration::from_millis(step.at_ms)).min(until);
        wait(stage, due).await?;
        stage.product.ensure_running()?;
        match step.action {
            Action::Kill => kill(stage, done).await?,
            Action::Terminate => terminate(stage, done).await?,
            Action::Pause { for_ms } => {
                done.pauses_us.push(stage.simulation.world.ledger().now_us());
                stage.product.pause(Duration::from_millis(for_ms)).await?;
            }
            Action::ToWebhook { bot } => deliver(stage, operator, bot, "webhook", done).await,
            Action::ToPolling { bot } => deliver(stage, operator, bot, "polling", done).await,
            in_world if wide::is_one(in_world) => wide::perform(&stage.simulation.world, in_world),
            in_world => change(&stage.simulation.world, in_world),
        }
    }
    wait(stage, until).await?;
    Ok(stage.product.ensure_running()?)
}

/// Waits until a time; meanwhile reads the address of a product that is just starting.
async fn wait(stage: &mut Stage, due: Instant) -> Result<(), HarnessError> {
    if stage.product.base_url().is_none()
        && let Ok(bound) = tokio::time::timeout_at(due, stage.product.wait_until_bound()).await
    {
        bound?;
    }
    tokio::time::sleep_until(due).await;
    Ok(())
}

async fn kill(stage: &mut Stage, done: &mut Done) -> Result<(), HarnessError> {
    let ledger = stage.simulation.world.ledger();
    let began_us = ledger.now_us();
    stage.product.kill_9().await?;
    let gone_us = ledger.now_us();
    done.kills_us.push(gone_us);
    done.claims.extend(sending_in(&stage.product.files().database(), gone_us).await?);
    done.kill_took = done.kill_took.max(Duration::from_micros(gone_us.saturating_sub(began_us)));
    Ok(stage.product.spawn()?)
}

async fn terminate(stage: &mut Stage, done: &mut Done) -> Result<(), HarnessError> {
    // A product that does not listen yet may not handle the signal yet.
    if stage.product.base_url().is_none() {
        stage.product.wait_until_bound().await?;
    }
    let began = Instant::now();
    match stage.product.stop(STOP_WITHIN).await {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(ProductError::Ended { status, log: stage.product.log_tail() }.into()),
        Err(error) => return Err(error.into()),
    }
    done.terminations += 1;
    done.longest_stop = done.longest_stop.max(began.elapsed());
    Ok(stage.product.spawn()?)
}

/// Changes a bot's delivery mode; a product that is busy or away just now is no fault of the run.
async fn deliver(stage: &Stage, operator: &Operator<'_>, bot: usize, mode: &str, done: &mut Done) {
    let (Some(_), Some(bot)) = (stage.product.base_url(), bot_at(&stage.simulation.world, bot)) else { return };
    match operator.deliver_by(&bot.username, mode).await {
        Ok(true) => done.moves += 1,
        Ok(false) | Err(_) => done.moves_failed += 1,
    }
}

/// Performs an action in the world; an action that the world refuses is left out.
fn change(world: &World, action: Action) {
    let refused = match action {
        Action::RevokeToken { bot } => bot_at(world, bot).map(|bot| world.revoke_token(bot.id)),
        Action::RestoreToken { bot } => bot_at(world, bot).map(|bot| world.replace_token(bot.id, &bot.token)),
        Action::Kick { bot } => placed(world, bot).map(|(chat, bot)| world.kick_bot(chat, bot)),
        Action::Readd { bot } => placed(world, bot).map(|(chat, bot)| world.add_bot(chat, bot)),
        Action::Edit { chat } => {
            own_message(world, chat).map(|(chat, person, id, text)| world.edit(chat, person, id, &text))
        }
        Action::Delete { chat } => own_message(world, chat).map(|(chat, person, id, _)| world.delete(chat, person, id)),
        _ => None,
    };
    if let Some(Err(error)) = refused {
        tracing::debug!(%error, "a step was left out");
    }
}

/// Restores revoked tokens, and puts every bot back into its chats.
pub(super) fn heal(world: &World) {
    for bot in &world.spec().bots {
        // A bot whose token is good keeps its waiting poll.
        if world.is_revoked(bot.id) {
            let _ = world.replace_token(bot.id, &bot.token);
        }
    }
    for chat in &world.spec().chats {
        for bot in &chat.bots {
            let _ = world.add_bot(chat.id, *bot);
        }
    }
}

fn bot_at(world: &World, place: usize) -> Option<&BotSpec> {
    let bots = &world.spec().bots;
    bots.get(place.checked_rem(bots.len())?)
}

/// Returns the id of a bot's first chat, and the bot's id.
fn placed(world: &World, place: usize) -> Option<(i64, i64)> {
    let bot = bot_at(world, place)?.id;
    world.spec().chats.iter().find(|chat| chat.bots.contains(&bot)).map(|chat| (chat.id, bot))
}

/// Returns the last message of a person in a chat, with a new text that keeps the marker.
fn own_message(world: &World, chat: usize) -> Option<(i64, i64, i64, String)> {
    let chats = &world.spec().chats;
    let chat = chats.get(chat.checked_rem(chats.len())?)?;
    let history = world.history(chat.id, LOOKED_THROUGH);
    let message = history.iter().rev().find(|message| chat.people.contains(&message.author.id))?;
    Some((chat.id, message.author.id, message.message_id, format!("(as I said) {}", message.text)))
}
