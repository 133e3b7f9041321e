//! Arranges messages as a server takes them. Layer `adapters`; pure.
//!
//! A prompt is one system message, then the conversation of a group: several people in a row, the bot now and then.
//! Many templates know two speakers only, who take turns. For them, neighbours of one role become one message with a
//! line for each, as each line names its speaker anyway.
//!
//! # Source
//! The chat templates of Mistral and Gemma; Perplexity and `DeepSeek`, "Create chat completion", `messages`.

use std::borrow::Cow;

use botfleet_actors::ports::llm::Role;
use serde::Serialize;

use super::settings::Roles;

/// Stands for all that was said before, when the conversation begins with a message of the bot.
const BEFORE: &str = "…";

/// A message as it is sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ChatMessage<'a> {
    role: &'static str,
    content: Cow<'a, str>,
}

/// Arranges messages.
pub(super) fn arranged<'a>(messages: impl Iterator<Item = (Role, Cow<'a, str>)>, roles: Roles) -> Vec<ChatMessage<'a>> {
    if roles == Roles::Free {
        return messages.map(|(role, content)| ChatMessage { role: name(role), content }).collect();
    }
    let mut arranged: Vec<(Role, Cow<'a, str>)> = Vec::new();
    for (role, content) in messages {
        let speaks_first = arranged.iter().all(|(role, _)| *role == Role::System);
        // An instruction amid the conversation becomes a message of the user.
        let is_instruction = role == Role::System && speaks_first && roles == Roles::Alternating;
        let role = if role == Role::System && !is_instruction { Role::User } else { role };
        if role == Role::Assistant && speaks_first {
            arranged.push((Role::User, Cow::Borrowed(BEFORE)));
        }
        match arranged.last_mut() {
            Some((last, text)) if *last == role => {
                let text = text.to_mut();
                text.push_str(if role == Role::System { "\n\n" } else { "\n" });
                text.push_str(&content);
            }
            _ => arranged.push((role, content)),
        }
    }
    arranged.into_iter().map(|(role, content)| ChatMessage { role: name(role), content }).collect()
}

fn name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles_of(messages: &[(Role, &'static str)], roles: Roles) -> Vec<(&'static str, String)> {
        let messages = messages.iter().map(|(role, text)| (*role, Cow::Borrowed(*text)));
        arranged(messages, roles).into_iter().map(|m| (m.role, m.content.into_owned())).collect()
    }

    fn told(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        pairs.iter().map(|(role, text)| (*role, (*text).to_owned())).collect()
    }

    #[test]
    fn neighbours_of_one_role_become_one_message() {
        use Role::{Assistant, System, User};
        let group =
            [(System, "You are Ada."), (User, "Tom: hi"), (User, "Ann: tea?"), (Assistant, "Yes."), (User, "Tom: !")];
        let free = roles_of(&group, Roles::Free);
        assert_eq!(free.len(), 5);
        let turns = [("user", "Tom: hi\nAnn: tea?"), ("assistant", "Yes."), ("user", "Tom: !")];
        let alternating: Vec<_> = [("system", "You are Ada.")].into_iter().chain(turns).collect();
        assert_eq!(roles_of(&group, Roles::Alternating), told(&alternating));
        let without = [("user", "You are Ada.\nTom: hi\nAnn: tea?"), turns[1], turns[2]];
        assert_eq!(roles_of(&group, Roles::AlternatingWithoutSystem), told(&without));
    }

    #[test]
    fn a_user_begins_and_ends_whatever_the_window_holds() {
        use Role::{Assistant, System, User};
        let group = [(System, "You are Ada."), (Assistant, "Hello."), (User, "Tom: hi"), (System, "Answer in JSON.")];
        let expected =
            [("system", "You are Ada."), ("user", "…"), ("assistant", "Hello."), ("user", "Tom: hi\nAnswer in JSON.")];
        assert_eq!(roles_of(&group, Roles::Alternating), told(&expected));
        let expected = [("user", "You are Ada."), ("assistant", "Hello."), ("user", "Tom: hi\nAnswer in JSON.")];
        assert_eq!(roles_of(&group, Roles::AlternatingWithoutSystem), told(&expected));
    }
}
