//! Puts an answer together from its chunks; a plain answer is one chunk. Layer `adapters`; pure. Keeps I13.
//!
//! Compatible providers leave out, rename and add fields. Each field is read on its own and leniently; fields that say
//! nothing of the answer are not read at all. A chunk of which a part cannot be read ends the reading, since the text
//! would lack that part.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::content::{Content, Units};
use super::ends::End;
use super::fault::{Fault, malformed};
use super::usage::Usage;
use super::wire::{Answer, Reader};

/// Most bytes of a text.
const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// Place of a text in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Delta,
    Message,
    Legacy,
}

/// Reads one answer.
#[derive(Debug, Default)]
pub(super) struct Reading {
    text: Units,
    place: Option<Place>,
    /// Number of the alternative that is read: the first that came.
    index: Option<u64>,
    thinks: bool,
    refused: bool,
    calls_tools: bool,
    end: Option<End>,
    usage: Usage,
}

/// A chunk or a plain answer.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Refusal that some servers put into an answer of status 200.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// Reads `error` with servers whose refusals have no field of their own.
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// One alternative.
#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<Value>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// Text of the API before chats.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    finish_reason: Option<Value>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A message, or the next part of it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    /// Text of servers that name this field as a choice of the older API does.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

impl Reader for Reading {
    fn take(&mut self, chunk: &str) -> Result<(), Fault> {
        let envelope: Envelope<'_> = chunk
            .trim_start()
            .starts_with('{')
            .then(|| serde_json::from_str(chunk).ok())
            .flatten()
            .ok_or_else(|| malformed("a chunk is no JSON object"))?;
        if [envelope.object, envelope.kind].into_iter().flatten().any(|word| word.get() == "\"error\"") {
            return Err(self.refusal(chunk));
        }
        let read = envelope.choices.map_or(Ok(()), |choices| self.take_choices(choices));
        if let Some(error) = envelope.error.filter(|error| says_something(error)) {
            return Err(self.refusal(error.get()));
        }
        if let Some(usage) = envelope.usage.and_then(Usage::read) {
            self.usage = usage;
        }
        read
    }

    fn has_begun(&self) -> bool {
        self.thinks || !self.text.0.is_empty()
    }

    fn into_answer(self: Box<Self>) -> Result<Answer, Fault> {
        Ok(Answer {
            text: self.text.into_text().ok_or_else(|| malformed("the text holds half a character"))?,
            end: self.end,
            refused: self.refused,
            calls_tools: self.calls_tools,
            usage: self.usage,
        })
    }
}

impl Reading {
    fn take_choices(&mut self, choices: &RawValue) -> Result<(), Fault> {
        let choices: Vec<&RawValue> =
            serde_json::from_str(choices.get()).map_err(|_| malformed("choices are no list"))?;
        for choice in choices {
            let choice: Choice<'_> = is_object(choice)
                .then(|| serde_json::from_str(choice.get()).ok())
                .flatten()
                .ok_or_else(|| malformed("a choice is no object"))?;
            let index = choice.index.as_ref().and_then(number).unwrap_or(self.index.unwrap_or(0));
            // Further alternatives were not asked for.
            if *self.index.get_or_insert(index) == index {
                self.take_choice(&choice)?;
            }
        }
        Ok(())
    }

    fn take_choice(&mut self, choice: &Choice<'_>) -> Result<(), Fault> {
        let end = choice.finish_reason.as_ref().and_then(End::read);
        let delta = self.message(choice.delta)?;
        let message = self.message(choice.message)?;
        let legacy = match choice.text {
            Some(text) if delta.is_none() && message.is_none() => self.content(text)?,
            _ => None,
        };
        match (delta, message) {
            (Some(delta), Some(message)) => {
                let same = delta == message;
                self.say(Place::Delta, delta)?;
                // The message beside a part repeats that part, or holds all the text so far.
                if !same && message != self.text {
                    return Err(malformed("a chunk holds two texts"));
                }
            }
            (Some(delta), None) => self.say(Place::Delta, delta)?,
            // A stream may end with the whole text once more.
            (None, Some(message)) if end.is_some() && self.place == Some(Place::Delta) && message == self.text => {}
            (None, Some(message)) => self.say(Place::Message, message)?,
            (None, None) => {}
        }
        if let Some(legacy) = legacy {
            self.say(Place::Legacy, legacy)?;
        }
        self.end = self.end.take().max(end);
        match choice.error.filter(|error| says_something(error)) {
            Some(error) => Err(self.refusal(error.get())),
            None => Ok(()),
        }
    }

    /// Reads a message; returns its text unless that is empty.
    fn message(&mut self, raw: Option<&RawValue>) -> Result<Option<Units>, Fault> {
        let Some(raw) = raw else { return Ok(None) };
        let message: Message<'_> = is_object(raw)
            .then(|| serde_json::from_str(raw.get()).ok())
            .flatten()
            .ok_or_else(|| malformed("a message is no object"))?;
        let has = |field: Option<&RawValue>| field.is_some_and(says_something);
        self.thinks |= has(message.reasoning_content) || has(message.reasoning) || has(message.thinking);
        self.refused |= has(message.refusal);
        self.calls_tools |= has(message.tool_calls) || has(message.function_call);
        let content = message.content.map_or(Ok(None), |content| self.content(content))?;
        let text = message.text.map_or(Ok(None), |text| self.content(text))?;
        match (content, text) {
            (Some(content), Some(text)) if content != text => Err(malformed("a message holds two texts")),
            (content, text) => Ok(content.or(text)),
        }
    }

    fn content(&mut self, raw: &RawValue) -> Result<Option<Units>, Fault> {
        let content = Content::read(raw).map_err(|why| malformed(why.0))?;
        self.refused |= content.refuses;
        Ok(Some(content.text).filter(|text| !text.0.is_empty()))
    }

    fn say(&mut self, place: Place, text: Units) -> Result<(), Fault> {
        if *self.place.get_or_insert(place) != place {
            return Err(malformed("the text stands in two places"));
        }
        if self.text.0.len() + text.0.len() > TEXT_LIMIT_BYTES {
            return Err(malformed("the text is too long"));
        }
        if self.text.0.is_empty() {
            self.text = text;
        } else {
            self.text.0.extend(text.0);
        }
        Ok(())
    }
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// Returns whether a field holds something: null, false, 0 and empty texts, objects and lists do not.
fn says_something(raw: &RawValue) -> bool {
    let bare: String = raw.get().chars().filter(|c| !c.is_whitespace()).take(6).collect();
    !matches!(bare.as_str(), "null" | "\"\"" | "{}" | "[]" | "false" | "0")
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests;
