//! Rows of the outbox. Layer: adapter. The part that changes during a message's life stands last.

use botfleet_actors::domain::commit::rows::OutboxHead;
use botfleet_actors::domain::outbox::{OutboxMessage, SendProgress};

use super::part::columns;

columns! {
    OutboxMessage {
        id, turn, part, parts, bot, chat, telegram_chat, thread, reply_to, text, marks, answers_bot,
        chain_depth, root, expires_at, created_at, on_unknown, by_operator
    } then progress: SendProgress
}

columns!(SendProgress { state, attempts, attempt, claimed_epoch, due_at, message_id, error });

columns!(OutboxHead { bot, chat, chain_depth, expires_at, emptied, progress });
