//! Gives a dead letter another try. Layer `actors`. Keeps I4.

use std::sync::Arc;

use super::carry_out::Came;
use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::domain::commit::operations::{Operation, Redeliver};
use crate::domain::dead_letter::DeadLetterId;
use crate::domain::ids::{ChatId, OutboxId};
use crate::domain::operator_order::{OrderStep, OrderTarget};
use crate::domain::outbox::OutboxState;
use crate::ports::metrics;
use crate::ports::store::StoreError;

/// The part of a dead letter that another try needs.
struct Letter {
    id: DeadLetterId,
    chat: ChatId,
    later_parts: Vec<OutboxId>,
    may_duplicate: bool,
}

/// Queues a dead letter of the order's target anew, in one commit with the order's end, and wakes the actor that takes it.
pub(super) async fn redeliver(node: &Arc<Node>, step: &OrderStep, letter: &str, confirm_duplicate: bool) -> Came {
    let letter = match in_time(look(node, step.target, letter)).await {
        Ok(Some(letter)) => letter,
        Ok(None) => return Came::failed("unknown_dead_letter", format!("{letter} is not stored")),
        Err(_) => return Came::Again,
    };
    if letter.may_duplicate && !confirm_duplicate {
        let detail =
            "the message may have been sent already; send {\"confirm_duplicate\":true} if it may show up twice";
        return Came::failed("may_duplicate", detail);
    }
    let Some(chat) = node.directory.chat_profile(letter.chat) else {
        return Came::failed("conflict", "its chat is no longer in the manifest");
    };
    let now = node.clock.now();
    let again = Redeliver {
        letter: letter.id,
        later_parts: letter.later_parts,
        confirm_duplicate,
        now,
        expires_at: now + chat.spec.pacing.stale_after,
        order: Some(step.clone()),
    };
    let done = node.committer.commit(Operation::Redeliver(again)).await;
    if done.is_ok() {
        metrics::dead_letters_redelivered_total.increment(1);
    }
    // Also when nobody knows whether it is stored: whoever wakes looks into the store.
    wake(node, step.target);
    Came::by(done)
}

async fn look(node: &Node, target: OrderTarget, name: &str) -> Result<Option<Letter>, StoreError> {
    let Some(id) = DeadLetterId::parse(name) else { return Ok(None) };
    let letter = match (id, target) {
        (DeadLetterId::Update(_), OrderTarget::Chat(chat)) => {
            Some(Letter { id, chat, later_parts: Vec::new(), may_duplicate: false })
        }
        (DeadLetterId::Turn(turn), OrderTarget::Bot(bot)) => {
            let turn = node.store.turn(turn).await?.filter(|(turn, _)| turn.bot == bot);
            turn.map(|(turn, _)| Letter { id, chat: turn.chat, later_parts: Vec::new(), may_duplicate: false })
        }
        (DeadLetterId::Message(outbox), OrderTarget::Bot(bot)) => {
            let Some(message) = node.store.message(outbox).await?.filter(|message| message.bot == bot) else {
                return Ok(None);
            };
            let parts = node.store.turn(message.turn).await?.map(|(_, parts)| parts).unwrap_or_default();
            let later = parts.into_iter().filter(|part| part.part > message.part).map(|part| part.id);
            let may_duplicate = message.progress.state == OutboxState::Unknown;
            Some(Letter { id, chat: message.chat, later_parts: later.collect(), may_duplicate })
        }
        _ => None,
    };
    Ok(letter)
}

fn wake(node: &Node, target: OrderTarget) {
    match target {
        // The chat remembers the row as handled, and forgets that when it reads the store again.
        OrderTarget::Chat(chat) => drop(node.directory.chat(chat).map(|chat| chat.actor.cast(ChatMsg::Reload))),
        OrderTarget::Bot(bot) => drop(node.directory.bot(bot).map(|actor| actor.cast(BotMsg::Reconcile))),
        OrderTarget::Node(_) => {}
    }
}
