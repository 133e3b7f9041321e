//! Orders of operators about the words of bots: to say something, to be taken over, to be deleted. Layer `actors`. Keeps I3,
//! I4, I14.
//!
//! Each of them ends with the commit of its effect in the store. A text that is to be said is sent later, like any other
//! message; Telegram deletes a message later too, and is asked until it answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use ractor::rpc::CallResult;
use tokio::time::Instant;

use super::carry_out::Came;
use super::effects::{ANSWER_WITHIN, LOOK_EVERY, RUNS_WITHIN};
use crate::actors::chat::messages::ChatMsg;
use crate::actors::chat::speech::{Demand, Speech, Spoken, TakingOver};
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{Operation, Retract};
use crate::domain::ids::{BotId, ChatId, OutboxId, TurnId};
use crate::domain::operator_order::OrderStep;
use crate::domain::retraction::{RETRACTED_MAX, Saying};
use crate::domain::takeover::Takeover;
use crate::ports::bus::Hint;
use crate::ports::store::StoreError;

/// Most turns and messages of a bot that are looked through for those of one chat; further ones end when they are begun.
const LOOK_AT: usize = 1_000;

/// Has the chat's actor do something with a bot's words.
pub(super) async fn speak(node: &Node, fleet: &ActorRef<FleetMsg>, chat: ChatId, speech: Speech) -> Came {
    let until = Instant::now() + RUNS_WITHIN;
    let actor = loop {
        match node.directory.chat(chat) {
            Some(handle) => break handle.actor,
            None if Instant::now() < until => {
                let _ = fleet.cast(FleetMsg::WakeChat(chat));
                tokio::time::sleep(LOOK_EVERY).await;
            }
            None => return Came::failed("conflict", "the chat does not run"),
        }
    };
    match actor.call(|reply| ChatMsg::Speak(Box::new(speech), reply), Some(ANSWER_WITHIN)).await {
        Ok(CallResult::Success(Spoken::Committed(result))) => Came::by(result),
        Ok(CallResult::Success(Spoken::Refused(failure))) => Came::failed(&failure.code, failure.detail),
        _ => Came::Again,
    }
}

/// Lets an operator take a bot over in a chat.
pub(super) async fn take_over(
    node: &Node,
    fleet: &ActorRef<FleetMsg>,
    step: &OrderStep,
    (chat, bot): (ChatId, BotId),
    (by, idle, take): (&str, Duration, bool),
) -> Came {
    let Ok((turns, messages)) = in_time(waiting(node, chat, bot)).await else { return Came::Again };
    let takeover = Takeover::begin(chat, bot, by, idle, node.clock.now());
    let demand = Demand::TakeOver(TakingOver { takeover, take, turns, messages });
    speak(node, fleet, chat, Speech { bot, by: by.to_owned(), order: step.clone(), demand }).await
}

/// Returns the bot's own turns and messages that wait in the chat.
async fn waiting(node: &Node, chat: ChatId, bot: BotId) -> Result<(Vec<TurnId>, Vec<OutboxId>), StoreError> {
    let turns = node.store.queued_turns(bot, LOOK_AT).await?;
    let messages = node.store.waiting_messages(bot, LOOK_AT).await?;
    let turns = turns.iter().filter(|turn| turn.chat == chat && turn.yields()).map(|turn| turn.id).collect();
    let messages = messages.iter().filter(|message| message.chat == chat && message.yields());
    Ok((turns, messages.map(|message| message.id).collect()))
}

/// Makes the fleet forget what bots said in a chat, and the bots delete it.
pub(super) async fn retract(node: &Arc<Node>, step: &OrderStep, chat: ChatId, by: &str, saying: Saying) -> Came {
    let Some(profile) = node.directory.chat_profile(chat) else {
        return Came::failed("conflict", "the chat is no longer in the manifest");
    };
    let Ok(said) = in_time(node.store.said(chat, &profile.members, saying, RETRACTED_MAX)).await else {
        return Came::Again;
    };
    if let (Saying::Entry(number), true) = (saying, said.is_empty()) {
        return Came::failed(
            "unknown_message",
            format!("entry {number} is no message of a bot of the chat, or is deleted"),
        );
    }
    let bots: BTreeSet<BotId> = said.iter().map(|one| one.bot).collect();
    let retract =
        Retract { chat, epoch: step.epoch, said, by: by.to_owned(), order: step.clone(), now: node.clock.now() };
    let came = Came::by(node.committer.commit(Operation::Retract(retract)).await);
    // Also when nobody knows whether it is stored: whoever hears of it looks into the store.
    if !matches!(came, Came::Ends(_) | Came::Lost) {
        node.hear(Hint::Interventions);
        node.tell([Hint::Interventions]);
        node.tell(bots.into_iter().map(Hint::Retract));
    }
    came
}
