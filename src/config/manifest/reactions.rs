//! Checks the emoji that a persona may react with. Part of `config`.

use crate::config::manifest::checks::Checks;

/// Emoji that Telegram takes as reactions, without variation selectors.
///
/// # Source
/// Bot API, `ReactionTypeEmoji`.
const REACTIONS: &str = "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 \
                         🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ \
                         🤷 🤷‍♀ 😡";

/// Checks a persona's reactions; returns them as Telegram writes them.
pub(super) fn reactions(written: &[String], key: &str, checks: &mut Checks<'_>) -> Vec<String> {
    let mut known = Vec::new();
    for (index, emoji) in written.iter().enumerate() {
        let plain: String = emoji.trim().chars().filter(|c| *c != '\u{fe0f}').collect();
        if REACTIONS.split(' ').any(|reaction| reaction == plain) {
            known.push(plain);
        } else {
            let remedy = "choose one of those under ReactionTypeEmoji in the Bot API, as in 👍, 🔥 or 🤔";
            checks.fault(format!("{key}[{index}]"), format!("{emoji:?} is no reaction of Telegram's"), remedy);
        }
    }
    known
}
