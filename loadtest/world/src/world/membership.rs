//! Changes who is in which chat and which token a bot has, as administrators and `BotFather` do.
//!
//! Layer: world. Each change of a bot's standing is told to that bot (`my_chat_member`).

use serde_json::json;

use super::World;
use super::error::WorldError;
use super::event::{Author, MemberChange, WorldEvent};
use super::publish::{Draft, body_of};
use super::render;
use super::spec::{ChatKind, ChatSpec, SUPERGROUP_BASE};
use super::state::{ChatState, Standing, State, Wake};
use crate::ledger::LedgerEvent;

/// The bots that are told of a migration; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationSeen {
    /// The bots that see `migrate_to_chat_id` in the old group; `None` stands for all.
    pub to: Option<Vec<i64>>,
    /// The bots that see `migrate_from_chat_id` in the new group; `None` stands for all.
    pub from: Option<Vec<i64>>,
}

impl World {
    /// Puts a bot into a chat.
    ///
    /// # Errors
    /// An unknown chat or bot.
    pub fn add_bot(&self, chat: i64, bot: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (author, actor) = subject(&state, chat, bot)?;
        if state.chats.get(&chat).is_some_and(|room| room.is_present(bot)) {
            return Ok(());
        }
        self.set_standing(&mut state, chat, &author, &actor, Standing::Member);
        let user = render::user(&author, None);
        let joined = json!({"new_chat_members": [user], "new_chat_member": user});
        self.publish(&mut state, chat, Draft::service(actor, joined));
        Ok(())
    }

    /// Removes a bot from a chat; the bot cannot come back by itself.
    ///
    /// # Errors
    /// An unknown chat or bot, or a bot that is not in the chat.
    pub fn kick_bot(&self, chat: i64, bot: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (author, actor) = subject(&state, chat, bot)?;
        self.remove(&mut state, chat, &author, &actor, Standing::Kicked)
    }

    /// Lets a bot leave a chat.
    pub(crate) fn leave(&self, chat: i64, bot: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (author, _) = subject(&state, chat, bot)?;
        let actor = author.clone();
        self.remove(&mut state, chat, &author, &actor, Standing::Left)
    }

    fn remove(
        &self,
        state: &mut State,
        chat: i64,
        author: &Author,
        actor: &Author,
        standing: Standing,
    ) -> Result<(), WorldError> {
        if !state.chats.get(&chat).is_some_and(|room| room.is_present(author.id)) {
            return Err(WorldError::NotAMember { chat, member: author.id });
        }
        self.set_standing(state, chat, author, actor, standing);
        let left = json!({"left_chat_member": render::user(author, None)});
        self.publish(state, chat, Draft::service(actor.clone(), left));
        Ok(())
    }

    /// Makes a bot or a person an administrator, or an ordinary member again.
    ///
    /// # Errors
    /// An unknown chat, or a bot or person that is not in the chat.
    pub fn set_admin(&self, chat: i64, member: i64, is_admin: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (author, actor) = subject(&state, chat, member)?;
        if !state.chats.get(&chat).is_some_and(|room| room.is_present(member)) {
            return Err(WorldError::NotAMember { chat, member });
        }
        let standing = if is_admin { Standing::Admin } else { Standing::Member };
        self.set_standing(&mut state, chat, &author, &actor, standing);
        Ok(())
    }

    /// Takes away a bot's right to write in a chat, or gives it back.
    ///
    /// # Errors
    /// An unknown chat or bot, or a bot that is not in the chat.
    pub fn set_restricted(&self, chat: i64, bot: i64, restricted: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let (author, actor) = subject(&state, chat, bot)?;
        if !state.chats.get(&chat).is_some_and(|room| room.is_present(bot)) {
            return Err(WorldError::NotAMember { chat, member: bot });
        }
        let standing = if restricted { Standing::Restricted } else { Standing::Member };
        self.set_standing(&mut state, chat, &author, &actor, standing);
        Ok(())
    }

    fn set_standing(&self, state: &mut State, chat_id: i64, author: &Author, actor: &Author, new: Standing) {
        let date = self.calendar_ms() / 1000;
        let Some(room) = state.chats.get_mut(&chat_id) else {
            return;
        };
        let old = room.members.insert(author.id, new).unwrap_or(Standing::Left);
        if old == new {
            return;
        }
        let update = json!({
            "chat": render::chat(room),
            "from": render::user(actor, None),
            "date": date,
            "old_chat_member": render::member(author, old),
            "new_chat_member": render::member(author, new),
        });
        self.show(WorldEvent::Member { chat: chat_id, member: author.clone(), change: change(old, new) });
        if author.is_bot {
            let body = body_of("my_chat_member", &update);
            self.enqueue(state, author.id, "my_chat_member", &body, None);
        }
        let body = body_of("chat_member", &update);
        let watching: Vec<i64> = state
            .chats
            .get(&chat_id)
            .map(|room| admins(room).filter(|id| *id != author.id).collect())
            .unwrap_or_default();
        for bot in watching {
            self.enqueue(state, bot, "chat_member", &body, None);
        }
    }

    /// Revokes a bot's token: the bot's calls and its waiting poll are refused with 401. The bot's webhook, which
    /// belonged to the token, is removed; its updates stay.
    ///
    /// # Errors
    /// An unknown bot.
    pub fn revoke_token(&self, bot: i64) -> Result<(), WorldError> {
        let mut state = self.lock();
        state.tokens.retain(|_, owner| *owner != bot);
        let known = state.bots.get_mut(&bot).ok_or(WorldError::UnknownBot(bot))?;
        known.revoked = true;
        known.webhook = None;
        known.wake(Wake::Unauthorized);
        Ok(())
    }

    /// Returns whether a bot's token is revoked.
    pub fn is_revoked(&self, bot: i64) -> bool {
        self.lock().bots.get(&bot).is_some_and(|known| known.revoked)
    }

    /// Gives a bot a new token; the old one is refused from now on.
    ///
    /// # Errors
    /// An unknown bot, or a token that another bot has.
    pub fn replace_token(&self, bot: i64, token: &str) -> Result<(), WorldError> {
        if self.lock().tokens.get(token).is_some_and(|owner| *owner != bot) {
            return Err(WorldError::Invalid("another bot has this token".into()));
        }
        self.revoke_token(bot)?;
        let mut state = self.lock();
        state.tokens.insert(token.to_owned(), bot);
        if let Some(known) = state.bots.get_mut(&bot) {
            known.revoked = false;
            token.clone_into(&mut known.spec.token);
        }
        Ok(())
    }

    /// Makes a random token for a bot.
    pub fn make_token(&self, bot: i64) -> String {
        super::demo::token(bot, &mut self.lock().rng)
    }

    /// Lets a person block a bot, or unblock it. A blocked bot cannot write to that person.
    ///
    /// # Errors
    /// An unknown bot, or a person that does not exist.
    pub fn set_blocked(&self, person: i64, bot: i64, blocked: bool) -> Result<(), WorldError> {
        let mut state = self.lock();
        let bot_author = state.bot_author(bot).ok_or(WorldError::UnknownBot(bot))?;
        let by = state.people.contains_key(&person).then(|| state.author(person)).flatten();
        let by = by.ok_or(WorldError::NotAMember { chat: person, member: person })?;
        let changed = if blocked { state.blocks.insert((person, bot)) } else { state.blocks.remove(&(person, bot)) };
        if !changed {
            return Ok(());
        }
        let (old, new) =
            if blocked { (Standing::Member, Standing::Kicked) } else { (Standing::Kicked, Standing::Member) };
        let mut chat = json!({"id": person, "type": "private", "first_name": by.name});
        if let Some(username) = &by.username {
            chat["username"] = json!(username);
        }
        let update = json!({
            "chat": chat,
            "from": render::user(&by, None),
            "date": self.calendar_ms() / 1000,
            "old_chat_member": render::member(&bot_author, old),
            "new_chat_member": render::member(&bot_author, new),
        });
        let body = body_of("my_chat_member", &update);
        self.enqueue(&mut state, bot, "my_chat_member", &body, None);
        Ok(())
    }

    /// Returns the id of a supergroup that does not exist yet.
    pub fn free_supergroup_id(&self) -> i64 {
        let lowest = self.lock().chats.keys().next().copied().unwrap_or(SUPERGROUP_BASE);
        lowest.min(SUPERGROUP_BASE) - 1
    }

    /// Turns a basic group into a supergroup with the given id; the members move along.
    ///
    /// # Errors
    /// An unknown chat, a chat that is no basic group, or an id that is taken or is not that of a supergroup.
    pub fn migrate_chat(&self, chat: i64, to: i64) -> Result<(), WorldError> {
        self.migrate_chat_seen(chat, to, &MigrationSeen::default())
    }

    /// Migrates a chat as [`World::migrate_chat`] does, but tells only the bots that `seen` names.
    ///
    /// # Errors
    /// The same as those of [`World::migrate_chat`].
    pub fn migrate_chat_seen(&self, chat: i64, to: i64, seen: &MigrationSeen) -> Result<(), WorldError> {
        let mut state = self.lock();
        let room = state.chats.get(&chat).ok_or(WorldError::UnknownChat(chat))?;
        if room.kind != ChatKind::Basic || to >= SUPERGROUP_BASE || state.chats.contains_key(&to) {
            return Err(WorldError::Invalid(format!("chat {chat} cannot become {to}")));
        }
        let spec = ChatSpec {
            id: to,
            title: room.title.clone(),
            kind: ChatKind::Supergroup,
            language_code: String::new(),
            bots: Vec::new(),
            people: Vec::new(),
            admins: Vec::new(),
        };
        let mut upgraded = ChatState::new(&spec);
        upgraded.members.clone_from(&room.members);
        let actor = actor_of(&state, room);
        state.chats.insert(to, upgraded);
        let mut moved = Draft::service(actor.clone(), json!({"migrate_to_chat_id": to}));
        moved.odd.only.clone_from(&seen.to);
        self.publish(&mut state, chat, moved);
        if let Some(room) = state.chats.get_mut(&chat) {
            room.migrated_to = Some(to);
        }
        self.ledger().record(LedgerEvent::ChatMigrated { from: chat, to });
        let mut arrived = Draft::service(actor, json!({"migrate_from_chat_id": chat}));
        arrived.odd.only.clone_from(&seen.from);
        self.publish(&mut state, to, arrived);
        Ok(())
    }

    /// Opens a topic in a forum and returns its thread id.
    ///
    /// # Errors
    /// An unknown chat, or a chat that is no forum.
    pub fn create_topic(&self, chat: i64, name: &str) -> Result<i64, WorldError> {
        let mut state = self.lock();
        let room = state.chats.get_mut(&chat).ok_or(WorldError::UnknownChat(chat))?;
        if room.kind != ChatKind::Forum {
            return Err(WorldError::Invalid(format!("chat {chat} has no topics")));
        }
        if room.topics.is_empty() && room.messages.is_empty() {
            // Message id 1 belongs to the topic General; no other topic may have this id.
            room.take_message_id();
        }
        let room = state.chats.get(&chat).ok_or(WorldError::UnknownChat(chat))?;
        let actor = actor_of(&state, room);
        let created = json!({"forum_topic_created": {"name": name, "icon_color": 7_322_096}});
        let draft = Draft::service(actor, created);
        let thread = self.publish(&mut state, chat, draft).ok_or(WorldError::UnknownChat(chat))?;
        if let Some(room) = state.chats.get_mut(&chat) {
            room.topics.insert(thread, name.to_owned());
        }
        Ok(thread)
    }
}

fn change(old: Standing, new: Standing) -> MemberChange {
    match new {
        Standing::Kicked => MemberChange::Kicked,
        Standing::Left => MemberChange::Left,
        Standing::Admin | Standing::Creator => MemberChange::Promoted,
        Standing::Restricted => MemberChange::Demoted,
        Standing::Member if old.is_admin() || old == Standing::Restricted => MemberChange::Demoted,
        Standing::Member => MemberChange::Joined,
    }
}

fn admins(room: &ChatState) -> impl Iterator<Item = i64> {
    room.members.iter().filter(|(_, standing)| standing.is_admin()).map(|(id, _)| *id)
}

/// Returns the author of an action when none is named: the chat's first person who is an administrator, else its first
/// person, else the anonymous group bot.
pub(super) fn actor_of(state: &State, room: &ChatState) -> Author {
    let people = || room.members.iter().filter(|(id, _)| state.people.contains_key(id));
    people()
        .find(|(_, standing)| standing.is_admin())
        .or_else(|| people().next())
        .and_then(|(id, _)| state.author(*id))
        .unwrap_or_else(|| Author {
            id: render::GROUP_ANONYMOUS_BOT,
            name: "Group".into(),
            is_bot: true,
            username: Some("GroupAnonymousBot".into()),
        })
}

fn subject(state: &State, chat: i64, member: i64) -> Result<(Author, Author), WorldError> {
    let room = state.chats.get(&chat).ok_or(WorldError::UnknownChat(chat))?;
    let author = state.author(member).ok_or(WorldError::NotAMember { chat, member })?;
    Ok((author, actor_of(state, room)))
}
