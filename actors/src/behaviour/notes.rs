//! Notes of a prompt: the part for one message alone, about the author, the bot's stances and a guard's verdict. Layer
//! `behaviour`; pure.
//!
//! The notes are an instruction of their own behind the conversation, so that all before them stays the same from one
//! turn to the next. The firewall searches for no echoes of them, since a bot may well say an opinion that it is told to
//! hold.

use minijinja::{Environment, Error, ErrorKind, Value, context};

use super::objection::Objection;
use crate::domain::roster::{BotProfile, Language};
use crate::domain::stance::{Relationship, Stance};
use crate::domain::text::fold;
use crate::domain::transcript::TranscriptEntry;

/// Longest quotation in a note, in characters.
const QUOTED_CHARS_MAX: usize = 400;

/// Confidence from which a position is held firmly.
const SURE: f64 = 0.75;

/// Affinity from which somebody is liked, and loved; the same below zero.
const LIKED: f64 = 0.2;
const LOVED: f64 = 0.6;

/// Facts that the notes of one message depend on.
#[derive(Clone, Debug, Default)]
pub struct Notes<'a> {
    /// Relationship of the bot to the author that it answers, and the author's name.
    pub relation: Option<(&'a Relationship, String)>,
    /// Stances that matter for the message.
    pub stances: Vec<&'a Stance>,
    /// Objections for which the model is asked again.
    pub objections: &'a [Objection],
}

impl Notes<'_> {
    /// Returns whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.relation.is_none() && self.stances.is_empty() && self.objections.is_empty()
    }
}

/// Adds the templates of notes, with the function by which they refuse an objection of a kind that they have no note for.
pub(super) fn add_templates(environment: &mut Environment<'static>) -> Result<(), Error> {
    environment.add_function("no_note_for", |kind: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, format!("no note for the objection {kind:?}")))
    });
    environment.add_template("notes.en", include_str!("templates/notes.en.jinja"))?;
    environment.add_template("notes.tr", include_str!("templates/notes.tr.jinja"))
}

/// Renders the notes; empty when there are none.
pub(super) fn render(
    environment: &Environment<'static>,
    language: Language,
    notes: &Notes<'_>,
) -> Result<String, Error> {
    if notes.is_empty() {
        return Ok(String::new());
    }
    let template = match language {
        Language::En => "notes.en",
        Language::Tr => "notes.tr",
    };
    let relation = notes.relation.as_ref().map(|(relation, name)| {
        context! { name, note => &relation.note, warmth => warmth(relation.affinity, language) }
    });
    let stance = |stance: &&Stance| {
        context! {
            topic => &stance.topic,
            position => as_sentence(&stance.position),
            reasons => &stance.reasons,
            sure => stance.confidence >= SURE,
        }
    };
    let stances: Vec<Value> = notes.stances.iter().map(stance).collect();
    let objections: Vec<Value> = notes.objections.iter().map(line).collect();
    environment.get_template(template)?.render(context! { relation, stances, objections })
}

fn line(objection: &Objection) -> Value {
    let text = match objection {
        Objection::Repeat { of } => of.split_whitespace().collect::<Vec<_>>().join(" "),
        Objection::Contradiction { position } => as_sentence(position),
        Objection::Conduct { of } => of.as_str().to_owned(),
        Objection::News | Objection::Claim | Objection::Assistant => String::new(),
    };
    let text: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    context! { kind => objection.label(), text }
}

fn as_sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// Returns the bot's feeling about somebody, in words.
fn warmth(affinity: f64, language: Language) -> &'static str {
    let words = match affinity {
        a if a >= LOVED => ("you are very close", "çok yakınsınız"),
        a if a >= LIKED => ("you like them", "onu seversin"),
        a if a > -LIKED => ("you neither like nor dislike them", "ona karşı ne sıcak ne soğuksun"),
        a if a > -LOVED => ("you are cool towards them", "ona mesafelisin"),
        _ => ("you cannot stand them, but stay civil", "ondan hiç hoşlanmazsın ama nazik kalırsın"),
    };
    if language == Language::Tr { words.1 } else { words.0 }
}

/// Returns the bot's relationship to the author of `target`, whose name in the manifest is `fleet_name` if a bot.
pub fn relationship<'a>(
    bot: &'a BotProfile,
    target: &TranscriptEntry,
    fleet_name: Option<&str>,
) -> Option<&'a Relationship> {
    let is_author = |relation: &&Relationship| match relation.to.strip_prefix('@') {
        Some(handle) => target.author.username.as_deref().is_some_and(|name| fold(name) == fold(handle)),
        None => fleet_name == Some(relation.to.as_str()),
    };
    bot.spec.relationships.iter().find(is_author)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::conduct::Misconduct;
    use crate::behaviour::stances::choice::tests::stance;

    fn environment() -> Environment<'static> {
        let mut environment = Environment::new();
        add_templates(&mut environment).expect("sound templates");
        environment
    }

    fn rendered(language: Language, notes: &Notes<'_>) -> String {
        render(&environment(), language, notes).expect("all is there")
    }

    #[test]
    fn notes_say_all_of_it_in_both_languages() {
        let tea = stance("tea", "Tea is better than coffee", &[]);
        let friend = Relationship { note: Some("old friends".to_owned()), ..Relationship::with("Nora", 0.9) };
        let objections = [
            Objection::Repeat { of: "said\nbefore".to_owned() },
            Objection::News,
            Objection::Claim,
            Objection::Assistant,
            Objection::Conduct { of: Misconduct::Link },
        ];
        let notes =
            Notes { relation: Some((&friend, "Nora".to_owned())), stances: vec![&tea], objections: &objections };
        for (language, parts) in [
            (
                Language::En,
                [
                    "old friends; you are very close",
                    "On tea you hold firmly: Tea is better than coffee. Because: öyle.",
                    "\"said before\"",
                    "while you were thinking",
                    "you are human, or no bot",
                    "in your own voice",
                    "an address that nobody here named",
                ],
            ),
            (
                Language::Tr,
                [
                    "old friends; çok yakınsınız",
                    "tea konusunda kesin görüşün",
                    "\"said before\"",
                    "Sen düşünürken",
                    "insan olduğunu ya da bot olmadığını",
                    "Kendi sesinle",
                    "kimsenin anmadığı bir adres",
                ],
            ),
        ] {
            let text = rendered(language, &notes);
            assert!(text.starts_with('('), "{text}");
            for part in parts {
                assert!(text.contains(part), "{part:?} is missing in {text}");
            }
            assert!(!text.contains("\n\n"), "{text}");
        }
        assert_eq!(rendered(Language::En, &Notes::default()), "");
    }

    /// A new guard whose label no template knows must not pass for another one.
    #[test]
    fn an_objection_without_a_note_of_its_own_is_an_error() {
        for template in ["notes.en", "notes.tr"] {
            let objections = [context! { kind => "boredom", text => "" }];
            let nobody: Option<Value> = None;
            let environment = environment();
            let template = environment.get_template(template).expect("a template of that name");
            let note = template.render(context! { relation => nobody, stances => Vec::<Value>::new(), objections });
            let error = note.expect_err("no such note");
            assert!(error.to_string().contains("boredom"), "{error}");
        }
    }

    #[test]
    fn each_objection_has_a_note_of_its_own_in_both_languages() {
        let mut objections = vec![
            Objection::Repeat { of: "tea".to_owned() },
            Objection::Contradiction { position: "tea".to_owned() },
            Objection::News,
            Objection::Claim,
            Objection::Assistant,
        ];
        objections.extend(Misconduct::ALL.map(|of| Objection::Conduct { of }));
        let note = |language, objection: &Objection| {
            rendered(language, &Notes { objections: std::slice::from_ref(objection), ..Notes::default() })
        };
        for language in [Language::En, Language::Tr] {
            let all: std::collections::BTreeSet<_> = objections.iter().map(|it| note(language, it)).collect();
            assert_eq!(all.len(), objections.len(), "{all:?}");
        }
    }
}
