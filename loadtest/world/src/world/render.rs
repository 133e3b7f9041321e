//! Renders the world's users, chats and messages as the Bot API's JSON objects. Layer: world; pure.

use serde_json::{Map, Value, json};

use super::event::Author;
use super::spec::{BotSpec, ChatKind};
use super::state::{ChatState, Standing, StoredMessage};

/// The account in whose name anonymous administrators post (Bot API, Message `sender_chat`).
pub(crate) const GROUP_ANONYMOUS_BOT: i64 = 1_087_968_824;

/// The fields of a message whose text is a caption (Bot API, Message `caption`).
const MEDIA: [&str; 7] = ["animation", "audio", "document", "photo", "video", "voice", "paid_media"];

pub(crate) fn user(author: &Author, language: Option<&str>) -> Value {
    let mut user = json!({"id": author.id, "is_bot": author.is_bot, "first_name": author.name});
    if let Some(name) = &author.username {
        user["username"] = json!(name);
    }
    if let Some(language) = language {
        user["language_code"] = json!(language);
    }
    user
}

pub(crate) fn me(bot: &BotSpec) -> Value {
    json!({
        "id": bot.id,
        "is_bot": true,
        "first_name": bot.first_name,
        "username": bot.username,
        "can_join_groups": true,
        "can_read_all_group_messages": bot.can_read_all_group_messages,
        "supports_inline_queries": false,
        "can_connect_to_business": false,
        "has_main_web_app": false,
    })
}

pub(crate) fn chat(chat: &ChatState) -> Value {
    let mut value = json!({
        "id": chat.id,
        "title": chat.title,
        "type": if chat.kind == ChatKind::Basic { "group" } else { "supergroup" },
    });
    match chat.kind {
        ChatKind::Forum => value["is_forum"] = json!(true),
        ChatKind::Basic => value["all_members_are_administrators"] = json!(false),
        ChatKind::Supergroup => {}
    }
    value
}

fn group_anonymous_bot() -> Value {
    json!({
        "id": GROUP_ANONYMOUS_BOT,
        "is_bot": true,
        "first_name": "Group",
        "username": "GroupAnonymousBot",
    })
}

/// Renders a message; `id_of` returns the reader's own id of a message.
pub(crate) fn message(chat_state: &ChatState, stored: &StoredMessage, id_of: &mut dyn FnMut(i64) -> i64) -> Value {
    let mut value = bare_message(chat_state, stored, id_of);
    if let Some(original) = stored.reply_to.and_then(|id| chat_state.messages.get(&id)) {
        let original = bare_message(chat_state, original, id_of);
        value.insert("reply_to_message".into(), original.into());
        if let Some(quote) = &stored.quote {
            let quote = json!({"text": quote.text, "position": quote.position, "is_manual": true});
            value.insert("quote".into(), quote);
        }
    }
    value.into()
}

fn bare_message(
    chat_state: &ChatState,
    stored: &StoredMessage,
    id_of: &mut dyn FnMut(i64) -> i64,
) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("message_id".into(), json!(if stored.odd.unnumbered { 0 } else { id_of(stored.id) }));
    if stored.anonymous {
        value.insert("from".into(), group_anonymous_bot());
        value.insert("sender_chat".into(), chat(chat_state));
    } else {
        value.insert("from".into(), user(&stored.author, stored.language.as_deref()));
    }
    value.insert("chat".into(), chat(chat_state));
    value.insert("date".into(), json!(stored.at_ms / 1000));
    if let Some(topic) = stored.topic {
        value.insert("message_thread_id".into(), json!(topic));
        value.insert("is_topic_message".into(), json!(true));
    } else if let Some(root) = stored.thread_root
        && chat_state.kind == ChatKind::Supergroup
    {
        value.insert("message_thread_id".into(), json!(id_of(root)));
    }
    if let Some(edited) = stored.edited_ms {
        value.insert("edit_date".into(), json!(edited / 1000));
    }
    if let Some(service) = &stored.service {
        value.extend(service.clone());
        return value;
    }
    if let Some(photo) = &stored.photo {
        value.insert("photo".into(), photo.clone());
    }
    let is_caption = stored.photo.is_some() || MEDIA.iter().any(|medium| stored.odd.extra.contains_key(*medium));
    let (text, entities) = if is_caption { ("caption", "caption_entities") } else { ("text", "entities") };
    if !stored.body.text.is_empty() {
        value.insert(text.into(), json!(stored.body.text));
    }
    if !stored.body.entities.is_empty() {
        value.insert(entities.into(), json!(stored.body.entities));
    }
    value.extend(stored.odd.extra.clone());
    for field in &stored.odd.without {
        value.remove(field);
    }
    value
}

/// Renders a `ChatMember`.
pub(crate) fn member(author: &Author, standing: Standing) -> Value {
    let user = user(author, None);
    match standing {
        Standing::Creator => json!({"status": "creator", "user": user, "is_anonymous": false}),
        Standing::Member => json!({"status": "member", "user": user}),
        Standing::Restricted => json!({
            "status": "restricted",
            "user": user,
            "is_member": true,
            "can_send_messages": false,
            "can_send_photos": false,
            "can_send_polls": false,
            "can_send_other_messages": false,
            "can_add_web_page_previews": false,
            "until_date": 0,
        }),
        Standing::Left => json!({"status": "left", "user": user}),
        Standing::Kicked => json!({"status": "kicked", "user": user, "until_date": 0}),
        Standing::Admin => json!({
            "status": "administrator",
            "user": user,
            "can_be_edited": false,
            "is_anonymous": false,
            "can_manage_chat": true,
            "can_change_info": true,
            "can_delete_messages": true,
            "can_invite_users": true,
            "can_restrict_members": true,
            "can_pin_messages": true,
            "can_promote_members": false,
            "can_manage_video_chats": true,
            "can_manage_topics": true,
            "can_post_stories": false,
            "can_edit_stories": false,
            "can_delete_stories": false,
        }),
    }
}

/// Renders a `ChatFullInfo`.
pub(crate) fn full_chat(chat_state: &ChatState) -> Value {
    let mut value = chat(chat_state);
    value["accent_color_id"] = json!(0);
    value["max_reaction_count"] = json!(11);
    value["permissions"] = json!({
        "can_send_messages": chat_state.shut.is_none(),
        "can_send_audios": true,
        "can_send_documents": true,
        "can_send_photos": true,
        "can_send_videos": true,
        "can_send_video_notes": true,
        "can_send_voice_notes": true,
        "can_send_polls": true,
        "can_send_other_messages": true,
        "can_add_web_page_previews": true,
        "can_change_info": false,
        "can_invite_users": true,
        "can_pin_messages": false,
        "can_manage_topics": false,
    });
    value["accepted_gift_types"] = json!({
        "unlimited_gifts": false,
        "limited_gifts": false,
        "unique_gifts": false,
        "premium_subscription": false,
        "gifts_from_channels": false,
    });
    value
}

/// Renders a list of reactions: none, or one emoji.
pub(crate) fn reactions(emoji: Option<&str>) -> Value {
    emoji.map(|emoji| json!({"type": "emoji", "emoji": emoji})).into_iter().collect()
}
