//! Reads waiting work from the store that no hint announced, or a hint without its rows. Layer `actors`. Keeps I8.
//!
//! A turn that was decided on another node costs one statement on PostgreSQL, which reads the queued turns with the ends
//! of their chats' transcripts; elsewhere these are read one by one. Another one reads the message that a target replies
//! to before that end.

use std::sync::Arc;

use crate::actors::bot::state::BotState;
use crate::actors::node::Node;
use crate::actors::node::deadline::in_time;
use crate::behaviour::job::TurnJob;
use crate::behaviour::note::Note;
use crate::domain::ids::Number;
use crate::domain::incoming::Quoted;
use crate::domain::outbox::OutboxMessage;
use crate::domain::transcript::TranscriptEntry;
use crate::ports::store::QueuedTalk;

/// Returns the message that a target replies to, when the transcript holds that message before the window.
async fn replied_to(node: &Node, target: Option<&TranscriptEntry>, window: &[Arc<TranscriptEntry>]) -> Option<Quoted> {
    let target = target.filter(|target| window.last().is_some_and(|last| last.number == target.number))?;
    let message = target.reply_to?;
    if window.iter().any(|entry| entry.message_id == message && entry.telegram_chat == target.telegram_chat) {
        return None;
    }
    let found = in_time(node.store.find_messages(target.telegram_chat, &[message])).await.ok()?;
    let entry = found.first().filter(|entry| entry.chat == target.chat)?;
    Some(Quoted {
        author: Some(entry.author.id),
        name: Some(entry.author.name.clone()),
        text: entry.text.clone(),
        media: entry.media.as_ref().map(|media| media.kind.clone()),
        part: None,
    })
}

impl BotState {
    /// Reads turns and messages that wait in the store.
    pub(super) async fn on_reconcile(&mut self) {
        if self.is_gone() {
            return;
        }
        let node = Arc::clone(&self.node);
        self.retract();
        self.read_turns().await;
        let limit = self.turns.room(&self.identity.settings);
        match in_time(node.store.waiting_messages(self.identity.profile.id, limit.max(1))).await {
            Ok(messages) => self.take_stored_messages(messages).await,
            Err(error) => {
                node.committer.signs.waits("messages", &error);
            }
        }
    }

    /// Forgets words that were removed, or are about to be, and reads the waiting turns again.
    pub(super) async fn on_words_removed(&mut self) {
        let (rights, interventions) = (self.node.people.rights(), self.node.steering.all());
        self.turns(|turns, desk| turns.words_removed(&rights, &interventions.deleted, desk));
        self.read_turns().await;
    }

    /// Reads the queued turns from the store, and for each the end of its chat's transcript.
    pub(super) async fn read_turns(&mut self) {
        if self.is_closing() {
            return;
        }
        let node = Arc::clone(&self.node);
        let (bot, room, known) =
            (self.identity.profile.id, self.turns.room(&self.identity.settings), self.turns.known());
        match in_time(node.store.queued_talk(bot, room, self.window_wanted(), &known)).await {
            Ok(turns) => self.take_stored_turns(turns).await,
            Err(error) => node.committer.signs.waits("turns", &error),
        }
    }

    /// Returns how many messages of a conversation the bot's turns need, by the chat that wants most.
    fn window_wanted(&self) -> usize {
        let known = self.node.directory.known();
        let chats = known.chats_of(self.identity.profile.id).iter().filter_map(|chat| known.chats.get(chat));
        let compared = chats.map(|chat| chat.spec.novelty.chat).max().unwrap_or(0);
        compared.max(self.identity.profile.spec.generation.context_messages + 1)
    }

    async fn take_stored_turns(&mut self, turns: Vec<QueuedTalk>) {
        let wanted = self.window_wanted();
        for (turn, talk) in turns {
            if self.turns.knows(turn.id) {
                continue;
            }
            let window = if let Some(window) = talk {
                window
            } else {
                let upto = turn.target.or(turn.root).unwrap_or(Number(i64::MAX));
                let Ok(window) = in_time(self.node.store.conversation(turn.chat, upto, wanted)).await else {
                    return;
                };
                window
            };
            let target = turn.target.and_then(|number| window.iter().find(|entry| entry.number == number).cloned());
            let thread = target.as_ref().map_or_else(|| turn.act.thread(), |target| target.thread);
            let window: Vec<_> = window.into_iter().filter(|entry| entry.thread == thread).collect();
            let replied = replied_to(&self.node, target.as_deref(), &window).await;
            let mut window: Vec<_> = window.into_iter().map(|entry| Arc::new(Note::new(entry))).collect();
            if let (Some(last), Some(quoted)) = (window.last_mut(), replied) {
                *last = Arc::new(Note::quoting(Arc::clone(&last.entry), Some(quoted)));
            }
            let job = TurnJob { turn, window, target };
            self.turns(|turns, desk| turns.take(vec![job], desk));
        }
    }

    async fn take_stored_messages(&mut self, messages: Vec<OutboxMessage>) {
        for message in messages {
            if self.outbox.knows(message.id) {
                continue;
            }
            if message.part > 0 && !self.outbox.knows_turn(message.turn) {
                match in_time(self.node.store.turn(message.turn)).await {
                    Ok(Some((_, parts))) => self.outbox(|outbox, step| outbox.resume_part(message, &parts, step)),
                    _ => return,
                }
            } else {
                self.outbox(|outbox, step| outbox.queue(message, step));
            }
        }
    }
}
