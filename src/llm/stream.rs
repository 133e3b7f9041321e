//! An answer assembled from its stream. Layer `adapters`.

use async_openai::error::OpenAIError;
use futures::{Stream, StreamExt};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::fault::Fault;
use super::wire::{ChatAnswer, Choice, ChoiceMessage, Content};

/// Most bytes of an assembled text.
const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// Adds up the parts of a stream into the answer that a plain call would have given; its first text must come until
/// `first_until`.
///
/// The SDK ends a stream that was cut without an error, so that one without a reason for its end is refused.
///
/// # Errors
/// The SDK's, or `Malformed` for a cut or overlong stream.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub async fn assemble<S>(mut chunks: S, first_until: Instant) -> Result<ChatAnswer, OpenAIError>
where
    S: Stream<Item = Result<Box<RawValue>, OpenAIError>> + Unpin,
{
    let (mut text, mut refusal) = (String::new(), String::new());
    let (mut finish_reason, mut usage, mut tools) = (None, None, None);
    let (mut thinks, mut begun) = (false, false);
    loop {
        let next = if text.is_empty() && !thinks {
            timeout_at(first_until, chunks.next()).await.map_err(|_| late())?
        } else {
            chunks.next().await
        };
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|error| match error {
            // Read errors and timeouts of a stream under way.
            OpenAIError::StreamError(_) => malformed("stream broke off".to_owned()),
            // The SDK's error quotes the chunk.
            OpenAIError::JSONDeserialize(..) => malformed("stream holds a chunk that is no JSON".to_owned()),
            other => other,
        })?;
        let chunk: ChatAnswer = serde_json::from_str(chunk.get())
            .map_err(|e| malformed(format!("unexpected chunk at column {}", e.column())))?;
        if let Some(error) = &chunk.error {
            // What was said until then is billed; only a refusal that comes first is one.
            return if begun {
                Err(malformed(format!("stream broke off: {}", Fault::embedded(error))))
            } else {
                Ok(chunk)
            };
        }
        usage = chunk.usage.or(usage);
        for choice in chunk.choices.into_iter().flatten().take(1) {
            begun = true;
            finish_reason = choice.finish_reason.or(finish_reason);
            let Some(part) = choice.message else { continue };
            thinks |= part.reasons();
            tools = part.tool_calls.or(tools);
            text.push_str(&part.content.map(Content::into_text).unwrap_or_default());
            refusal.push_str(&part.refusal.unwrap_or_default());
        }
        if text.len() > TEXT_LIMIT_BYTES {
            return Err(malformed(format!("stream of over {TEXT_LIMIT_BYTES} bytes of text")));
        }
    }
    if finish_reason.is_none() {
        return Err(malformed("stream ended without a finish reason".to_owned()));
    }
    let message = ChoiceMessage::of(text, (!refusal.is_empty()).then_some(refusal), tools);
    let choice = Choice { message: Some(message), finish_reason };
    Ok(ChatAnswer { choices: Some(vec![choice]), usage, error: None })
}

/// The provider is too slow to begin.
pub fn late() -> OpenAIError {
    OpenAIError::Boxed(Box::new(Fault::Unreachable("no first token in time".to_owned())))
}

fn malformed(words: String) -> OpenAIError {
    OpenAIError::Boxed(Box::new(Fault::Malformed(words)))
}
