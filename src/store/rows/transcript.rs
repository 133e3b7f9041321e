//! Rows of the transcript. Layer: adapter.

use botfleet_actors::domain::transcript::{EntryKey, TranscriptEntry};

use super::part::columns;

columns! {
    TranscriptEntry {
        chat, number, kind, revision, telegram_chat, message_id, thread, reply_to, author, fleet_bot, text,
        entities, media, date, inbox, chain_depth, root, by_operator, deleted_at
    }
}

columns!(EntryKey { telegram_chat, message_id, kind, revision });
