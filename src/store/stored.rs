//! Reads the stored roster and selects the part in use, for both databases. Layer: adapter.
//!
//! The statements have the same text for both.

use std::collections::BTreeMap;

use botfleet_actors::domain::ids::{BotId, ChatId, ConfigSeq, TelegramChatId};
use botfleet_actors::domain::roster::{
    BotProfile, ChatProfile, ChatSpec, DeliveryChoice, DeliveryMode, Persona, Roster,
};
use botfleet_actors::ports::store::StoreError;
use serde_json::{Value, json};

use super::columns::{Cells, Columns};
use super::loaded::array;
use super::reconcile::{Difference, Stored, StoredBot, StoredChat};

/// Selects the columns that [`stored_bot`] reads.
pub(super) const BOT_ROWS: &str = "SELECT id, spec, persona_revision, token_generation, in_use FROM bot";
/// Selects pairs of chat and bot.
pub(super) const MEMBER_ROWS: &str = "SELECT chat, bot FROM chat_member ORDER BY chat, position";
/// Selects the columns that [`stored_chat`] reads.
pub(super) const CHAT_ROWS: &str = "SELECT id, spec, in_use FROM chat";
/// Selects pairs of Telegram's id of a chat, and chat.
pub(super) const ALIAS_ROWS: &str = "SELECT telegram_chat_id, chat FROM chat_alias";
/// Selects the columns that [`stored_persona`] reads.
pub(super) const PERSONA_ROWS: &str = "SELECT p.name, p.revision, r.body FROM persona p \
     JOIN persona_revision r ON r.persona = p.name AND r.revision = p.revision";
/// Selects the columns that [`delivery_of`] reads.
pub(super) const DELIVERY: &str = "SELECT bot, mode, webhook_url FROM bot_delivery";
/// Selects pairs of bot and offset.
pub(super) const OFFSET_ROWS: &str = "SELECT bot, next_offset FROM bot_cursor";
/// Selects the columns that [`username`] reads.
pub(super) const USERNAME_ROWS: &str = "SELECT id, username FROM bot WHERE username IS NOT NULL";
/// Selects the number of the configuration in force.
pub(super) const CONFIG_SEQ: &str = "SELECT coalesce((SELECT config_seq FROM setting WHERE key = 'roster'), 0)";

/// Reads two numbers.
pub(super) fn pair(row: &dyn Cells) -> Result<(i64, i64), StoreError> {
    let mut columns = Columns::of(row);
    Ok((columns.take()?, columns.take()?))
}

/// Reads a bot, in use or not.
pub(super) fn stored_bot(row: &dyn Cells) -> Result<(BotId, StoredBot), StoreError> {
    let mut columns = Columns::of(row);
    let id = BotId(columns.take()?);
    let bot = StoredBot {
        spec: columns.json()?,
        persona_revision: columns.take()?,
        token_generation: columns.take()?,
        in_use: columns.take()?,
    };
    Ok((id, bot))
}

/// Reads a chat, in use or not, without its members.
pub(super) fn stored_chat(row: &dyn Cells) -> Result<(ChatId, ChatSpec, bool), StoreError> {
    let mut columns = Columns::of(row);
    Ok((ChatId(columns.take()?), columns.json()?, columns.take()?))
}

/// Reads a persona in its latest revision.
pub(super) fn stored_persona(row: &dyn Cells) -> Result<(String, (i64, Persona)), StoreError> {
    let mut columns = Columns::of(row);
    Ok((columns.take()?, (columns.take()?, columns.json()?)))
}

/// Reads a bot's delivery mode and webhook address.
pub(super) fn delivery_of(row: &dyn Cells) -> Result<(BotId, DeliveryChoice), StoreError> {
    let mut columns = Columns::of(row);
    let bot = BotId(columns.take()?);
    Ok((bot, DeliveryChoice { mode: columns.name(DeliveryMode::parse)?, webhook_url: columns.take()? }))
}

/// Reads a bot's username.
pub(super) fn username(row: &dyn Cells) -> Result<(BotId, String), StoreError> {
    let mut columns = Columns::of(row);
    Ok((BotId(columns.take()?), columns.take()?))
}

/// Returns the delivery modes that the manifest changes. A bot whose manifest mode is the same keeps its stored mode,
/// which a person may have changed.
pub(super) fn deliveries(stored: &Stored, difference: &Difference) -> BTreeMap<BotId, DeliveryChoice> {
    let mode = |bot: &StoredBot| bot.spec.delivery;
    let news = difference.bots.iter().filter(|(id, bot)| stored.bots.get(id).map(mode) != Some(mode(bot)));
    news.map(|(id, bot)| {
        let before = stored.deliveries.get(id).cloned().unwrap_or_default();
        (*id, DeliveryChoice { mode: bot.spec.delivery, ..before })
    })
    .collect()
}

/// A difference as JSON arrays; each value's place is its column in the statements that write it.
pub(super) struct Arrays {
    /// Name, revision, body.
    pub(super) personas: String,
    /// Id, name, Telegram's id, credential, persona, its revision, generation of the token, spec, 1 when in use.
    pub(super) bots: String,
    /// Id, name, Telegram's id, zone, days, spec, 1 when in use, members.
    pub(super) chats: String,
    /// Telegram's id and chat.
    pub(super) aliases: String,
}

impl Arrays {
    /// Builds the arrays of a difference.
    pub(super) fn of(difference: &Difference) -> Self {
        let personas: Vec<Value> =
            difference.personas.iter().map(|(name, (revision, body))| json!([name, revision, body])).collect();
        let bots: Vec<Value> = difference.bots.iter().map(|(id, bot)| bot_array(*id, bot)).collect();
        let chats: Vec<Value> = difference.chats.iter().map(|(id, chat)| chat_array(*id, chat)).collect();
        let aliases: Vec<_> = difference.aliases.iter().collect();
        Self { personas: array(&personas), bots: array(&bots), chats: array(&chats), aliases: array(&aliases) }
    }
}

fn bot_array(id: BotId, bot: &StoredBot) -> Value {
    let StoredBot { spec, persona_revision, token_generation, in_use } = bot;
    let (name, telegram_id, credential, persona) = (&spec.name, spec.telegram_id, &spec.credential, &spec.persona.name);
    json!([id, name, telegram_id, credential, persona, persona_revision, token_generation, spec, u8::from(*in_use)])
}

fn chat_array(id: ChatId, chat: &StoredChat) -> Value {
    let StoredChat { spec, members, in_use } = chat;
    let (name, telegram_id, zone, days) = (&spec.name, spec.telegram_id, &spec.time_zone, spec.retention_days);
    json!([id, name, telegram_id, zone, days, spec, u8::from(*in_use), members])
}

impl Stored {
    /// Builds the stored roster from its rows.
    pub(super) fn of(
        bots: BTreeMap<BotId, StoredBot>,
        members: &[(i64, i64)],
        chats: Vec<(ChatId, ChatSpec, bool)>,
        aliases: &[(i64, i64)],
        personas: BTreeMap<String, (i64, Persona)>,
        deliveries: BTreeMap<BotId, DeliveryChoice>,
    ) -> Self {
        let mut of_chats: BTreeMap<ChatId, Vec<BotId>> = BTreeMap::new();
        for (chat, bot) in members {
            of_chats.entry(ChatId(*chat)).or_default().push(BotId(*bot));
        }
        let chats = chats.into_iter().map(|(id, spec, in_use)| {
            let members = of_chats.remove(&id).unwrap_or_default();
            (id, StoredChat { spec, members, in_use })
        });
        Self {
            chats: chats.collect(),
            aliases: aliases.iter().map(|(telegram, chat)| (TelegramChatId(*telegram), ChatId(*chat))).collect(),
            bots,
            personas,
            deliveries,
        }
    }

    /// Returns the part of the roster that is in use.
    pub(super) fn in_use(
        self,
        offsets: &[(i64, i64)],
        mut deliveries: BTreeMap<BotId, DeliveryChoice>,
        mut usernames: BTreeMap<BotId, String>,
        config_seq: i64,
    ) -> Roster {
        let offsets: BTreeMap<BotId, i64> = offsets.iter().map(|(bot, offset)| (BotId(*bot), *offset)).collect();
        let bots = self.bots.into_iter().filter(|(_, bot)| bot.in_use).map(|(id, bot)| {
            let StoredBot { spec, persona_revision, token_generation, .. } = bot;
            let (next_offset, delivery) = (offsets.get(&id).copied(), deliveries.remove(&id).unwrap_or_default());
            let username = usernames.remove(&id);
            (id, BotProfile { id, spec, persona_revision, token_generation, next_offset, delivery, username })
        });
        let chats: BTreeMap<ChatId, ChatProfile> = self
            .chats
            .into_iter()
            .filter(|(_, chat)| chat.in_use)
            .map(|(id, StoredChat { spec, members, .. })| (id, ChatProfile { id, spec, members }))
            .collect();
        Roster {
            bots: bots.collect(),
            aliases: self.aliases.into_iter().filter(|(_, chat)| chats.contains_key(chat)).collect(),
            chats,
            config_seq: ConfigSeq(config_seq),
        }
    }
}
