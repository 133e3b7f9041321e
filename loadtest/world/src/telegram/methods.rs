//! Maps method names, in lower case, to functions. Layer: telegram.

use super::call::Call;
use super::reply::Answer;
use super::{chats, files, messages, profile, updates, webhook};
use crate::world::error::ApiError;

/// Returns whether a method writes richer records of its own.
pub(crate) fn has_own_record(method: &str) -> bool {
    matches!(method, "getupdates" | "sendmessage" | "sendphoto")
}

/// Calls a method.
pub(crate) async fn call(call: &Call) -> Answer {
    match call.method.as_str() {
        "getupdates" => updates::get_updates(call).await,
        "sendmessage" => messages::send_message(call),
        "sendphoto" => messages::send_photo(call),
        "setwebhook" => webhook::set_webhook(call),
        "deletewebhook" => webhook::delete_webhook(call),
        "getwebhookinfo" => webhook::get_webhook_info(call),
        "editmessagetext" => messages::edit_message_text(call),
        "deletemessage" => messages::delete_message(call),
        "setmessagereaction" => messages::set_message_reaction(call),
        "sendchataction" => messages::send_chat_action(call),
        "answercallbackquery" => messages::answer_callback_query(call),
        "getchat" => chats::get_chat(call),
        "getchatmember" => chats::get_chat_member(call),
        "getchatmembercount" | "getchatmemberscount" => chats::get_chat_member_count(call),
        "getchatadministrators" => chats::get_chat_administrators(call),
        "leavechat" => chats::leave_chat(call),
        "getme" => profile::get_me(call),
        "getmycommands" => profile::get_my_commands(call),
        "setmycommands" => profile::set_my_commands(call),
        "deletemycommands" => profile::delete_my_commands(call),
        "setmydescription" => profile::set_my_description(call),
        "getmydescription" => profile::get_my_description(call),
        "logout" => profile::log_out(call),
        "close" => profile::close(call),
        "getfile" => files::get_file(call),
        _ => Err(ApiError::new(404, "Not Found: method not found")),
    }
}
