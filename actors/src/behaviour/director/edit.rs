//! Edits that call a bot. Layer `behaviour`; pure.
//!
//! Somebody who forgot a mention adds it by an edit, and waits for an answer as after a new message. An edit calls once
//! in a message's life: when the message called somebody before, or was answered, its edit calls nobody.

use super::address::{Address, addressed};
use crate::behaviour::director::direction::has_text;
use crate::behaviour::note::Note;
use crate::behaviour::scene::Scene;
use crate::domain::transcript::EntryKind;

/// Returns whether `edit` turns to a bot by a mention or a name, while its message called nobody before. Returns false
/// when the window does not hold the message.
pub(super) fn adds_call(scene: &Scene<'_>, edit: &Note) -> bool {
    let lively = edit.kind == EntryKind::Edit && edit.fleet_bot.is_none() && edit.author.kind.is_person();
    if !lively || !has_text(edit) || scene.now.since(scene.standing.when(edit)) > scene.chat.spec.pacing.stale_after {
        return false;
    }
    let calls = |note: &Note| !addressed(scene, note).is_empty();
    if !addressed(scene, edit).iter().any(|(_, how)| matches!(how, Address::Mention | Address::Name)) {
        return false;
    }
    let mut post_is_there = false;
    for note in scene.window.iter().filter(|note| note.number < edit.number && note.telegram_chat == edit.telegram_chat)
    {
        let of_it = note.message_id == edit.message_id;
        post_is_there |= of_it && note.kind == EntryKind::Message;
        let said_before = of_it && matches!(note.kind, EntryKind::Message | EntryKind::Edit) && calls(note);
        let answers = note.fleet_bot.is_some() && note.reply_to == Some(edit.message_id);
        let awaited = of_it && scene.standing.open.iter().any(|turn| turn.target == Some(note.number));
        if said_before || answers || awaited {
            return false;
        }
    }
    post_is_there && edit.message_id.is_of_one()
}
