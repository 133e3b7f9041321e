//! Holds updates back before they are queued, and keeps the latest queued ones for copies. Layer: world.

use std::collections::VecDeque;

use super::state::Body;

/// The number of updates that are remembered; older ones cannot be copied any more.
const REMEMBERED: usize = 20_000;

/// One update as it was queued.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) bot: i64,
    pub(super) update_id: i64,
    pub(super) kind: String,
    pub(super) body: Body,
    pub(super) about: Option<(i64, i64)>,
}

/// Words in the content that tell the sorts of `message` updates apart.
const SORTS: [&str; 5] =
    ["new_chat_members", "left_chat_member", "forum_topic", "new_chat_title", "\"type\":\"bot_command\""];

impl Past {
    /// Returns the update's kind, or the sort of message that the update holds.
    pub(super) fn sort(&self) -> &str {
        SORTS.into_iter().find(|sort| self.body.contains(sort)).unwrap_or(&self.kind)
    }
}

/// The updates that are held back, and those that were queued.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(super) past: VecDeque<Past>,
    /// Bots whose updates are held back, each with the chat concerned; `None` stands for all chats.
    pub(super) holds: Vec<(i64, Option<i64>)>,
    pub(super) held: Vec<Past>,
}

impl Late {
    /// Holds an update back if its bot's updates are held; returns whether it did.
    pub(super) fn hold(&mut self, bot: i64, kind: &str, body: &Body, about: Option<(i64, i64)>) -> bool {
        let chat = about.map(|(chat, _)| chat);
        let holds = self.holds.iter().any(|(whose, of)| *whose == bot && (of.is_none() || *of == chat));
        if holds {
            self.held.push(Past { bot, update_id: 0, kind: kind.to_owned(), body: body.clone(), about });
        }
        holds
    }

    pub(super) fn remember(&mut self, bot: i64, update_id: i64, kind: &str, body: &Body, about: Option<(i64, i64)>) {
        self.past.push_back(Past { bot, update_id, kind: kind.to_owned(), body: body.clone(), about });
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
    }
}
