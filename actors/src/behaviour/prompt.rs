//! Writes a conversation as messages for a model. Layer `behaviour`; pure.
//!
//! Words of others go into user messages only, "Name: text" each; the bot's own go into assistant messages. Names are
//! the one untrusted thing in the system prompt, stripped of line breaks and cut.
//!
//! A prompt begins with what changes least, since providers keep the beginnings of prompts: persona, rules, the chat's
//! bots. The conversation follows, then the notes for one message, then the message to answer.

use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, context};

use super::notes::{self, Notes};
use crate::domain::incoming::Media;
use crate::domain::roster::{BotProfile, ChatProfile, Language};

/// Longest name in a prompt, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Longest quotation of the message that another one replies to, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// The templates, compiled.
pub struct Templates(Environment<'static>);

impl Templates {
    /// Compiles the templates.
    ///
    /// # Errors
    /// When one of them is malformed.
    pub fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template("en", include_str!("templates/system.en.jinja"))?;
        environment.add_template("tr", include_str!("templates/system.tr.jinja"))?;
        notes::add_templates(&mut environment)?;
        Ok(Self(environment))
    }

    /// Renders the instructions for one message alone; empty when there are none.
    ///
    /// # Errors
    /// When a template uses a value that is missing.
    pub fn notes(&self, language: Language, notes: &Notes<'_>) -> Result<String, minijinja::Error> {
        notes::render(&self.0, language, notes)
    }

    /// Renders the system prompt of a bot in a chat.
    ///
    /// # Errors
    /// When a template uses a value that is missing.
    pub fn system(
        &self,
        bot: &BotProfile,
        username: Option<&str>,
        chat: &ChatProfile,
        cast: &[String],
    ) -> Result<Arc<str>, minijinja::Error> {
        let persona = &bot.spec.persona;
        let (template, language) = match persona.language {
            Language::En => ("en", "English"),
            Language::Tr => ("tr", "Türkçe"),
        };
        let others: Vec<String> =
            cast.iter().filter(|name| **name != bot.spec.name).map(|name| clean_name(name)).collect();
        let rendered = self.0.get_template(template)?.render(context! {
            name => clean_name(&bot.spec.name),
            username => username.map(clean_name),
            voice => &persona.voice,
            style => &persona.style,
            interests => &persona.interests,
            examples => &persona.examples,
            messages => persona.messages,
            markup => persona.markup,
            chat => clean_name(&chat.spec.name),
            others => &others,
            language => language,
        })?;
        Ok(rendered.into())
    }
}

/// Returns a name as it may be in a prompt: one line, no invisible changes of direction, not too long, never empty.
pub fn clean_name(name: &str) -> String {
    let breaks = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String = name.chars().filter(|c| !c.is_control() && !breaks(*c)).take(NAME_CHARS_MAX).collect();
    match kept.trim() {
        "" => "?".to_owned(),
        trimmed if trimmed.len() == kept.len() => kept,
        trimmed => trimmed.to_owned(),
    }
}

/// Formats the message that another one replies to, as part of a line: in brackets, in short.
pub fn quotation(language: Language, name: Option<&str>, words: Option<&str>, media: Option<&str>) -> String {
    let name = name.map(clean_name);
    let words = match (words.map(in_short).filter(|words| !words.is_empty()), media) {
        (Some(words), _) => format!("\"{words}\""),
        (None, Some(media)) => media.to_owned(),
        (None, None) => match language {
            Language::En => "a message".to_owned(),
            Language::Tr => "bir mesaj".to_owned(),
        },
    };
    match (language, name) {
        (Language::En, Some(name)) => format!("[replying to {name}: {words}]"),
        (Language::En, None) => format!("[replying to {words}]"),
        (Language::Tr, Some(name)) => format!("[{name} yanıtlanıyor: {words}]"),
        (Language::Tr, None) => format!("[yanıtlanan: {words}]"),
    }
}

/// Returns a line without the quotation in front of it, which models imitate.
pub fn without_quotation(line: &str) -> &str {
    let Some(inner) = line.strip_prefix('[') else {
        return line;
    };
    // The words may hold brackets; the name may not be known.
    let Some(end) = inner.find("\"]").map(|at| at + 1).or_else(|| inner.find(']')) else {
        return line;
    };
    let head = &inner[..end];
    let quotes =
        head.starts_with("replying to ") || head.starts_with("yanıtlanan: ") || head.contains(" yanıtlanıyor: ");
    if quotes { inner[end + 1..].trim_start() } else { line }
}

/// Returns the beginning of a text, in one line.
fn in_short(text: &str) -> String {
    let mut short = String::new();
    let mut left = QUOTED_CHARS_MAX;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if length > left {
            short.extend(short.is_empty().then(|| word.chars().take(left).collect::<String>()));
            short.push('…');
            break;
        }
        left -= length;
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    short
}

/// Formats a message as others see it: "Name: text", with the replied-to message and the media in brackets before the
/// text. Ends with the text, exactly.
pub fn line_of(author: &str, text: Option<&str>, media: Option<&Media>, quotation: Option<&str>) -> String {
    let mut line = clean_name(author);
    line.push_str(": ");
    if let Some(quotation) = quotation {
        line.push_str(quotation);
        if text.is_some() || media.is_some() {
            line.push(' ');
        }
    }
    if let Some(media) = media {
        line.push('[');
        line.push_str(&media.kind);
        line.push(']');
        if text.is_some() {
            line.push(' ');
        }
    }
    line.push_str(text.unwrap_or_default());
    line
}

/// Returns the request to come back to what somebody said some hours ago.
pub fn recall(language: Language, name: &str, text: &str) -> String {
    let (name, text) = (clean_name(name), in_short(text));
    match language {
        Language::En => {
            format!("(The chat has gone quiet. Come back, in your own way, to what {name} said some hours ago: {text})")
        }
        Language::Tr => {
            format!("(Sohbet sessizleşti. Kendi tarzınla, birkaç saat önce yazılana dön. {name} şunu yazmıştı: {text})")
        }
    }
}

/// Returns the request to open a topic, for a bot that speaks unasked.
pub fn opener(language: Language, topic: Option<&str>) -> String {
    match (language, topic) {
        (Language::En, Some(topic)) => {
            format!("(The chat has gone quiet. Say something about this, in your own way: {topic})")
        }
        (Language::En, None) => "(The chat has gone quiet. Bring up something that interests you.)".to_owned(),
        (Language::Tr, Some(topic)) => format!("(Sohbet sessizleşti. Kendi tarzınla şundan söz aç: {topic})"),
        (Language::Tr, None) => "(Sohbet sessizleşti. Seni ilgilendiren bir konu aç.)".to_owned(),
    }
}
