//! How a conversation is put to a model. Layer `behaviour`; pure.
//!
//! What people and bots wrote goes into user messages only, "Name: text" each; names are the one untrusted thing in
//! the system prompt, stripped of line breaks and cut.

use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, context};

use crate::domain::roster::{BotProfile, ChatProfile, Language};

/// Longest name in a prompt, in characters.
const NAME_CHARS_MAX: usize = 64;

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
        Ok(Self(environment))
    }

    /// Renders the system prompt of a bot in a chat.
    ///
    /// # Errors
    /// When a template asks for what is not there.
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
            username => username,
            voice => &persona.voice,
            style => &persona.style,
            interests => &persona.interests,
            examples => &persona.examples,
            chat => clean_name(&chat.spec.name),
            others => &others,
            language => language,
        })?;
        Ok(rendered.into())
    }
}

/// A name as it may stand in a prompt.
pub fn clean_name(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

/// The request to open a topic, for a bot that speaks unasked.
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
