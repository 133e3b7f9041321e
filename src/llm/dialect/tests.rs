//! Tests the lessons of refusals, in the words of those who refuse.

use botfleet_actors::ports::llm::AnswerSchema;
use serde_json::json;

use super::*;
use crate::llm::settings::ProviderKind;

fn dialect() -> Dialect {
    Dialect::new(Vendor::of(ProviderKind::Compatible), Roles::Free, true, &[])
}

fn request() -> CompletionRequest {
    let schema = Some(AnswerSchema { name: "x".to_owned(), schema: json!({}) });
    CompletionRequest { model: "m".to_owned(), messages: Vec::new(), temperature: 1.0, max_tokens: 9, schema }
}

fn taught(status: u16, message: &str, param: Option<&str>) -> Option<Lesson> {
    dialect().lesson(&request(), Refused { status, message, param })
}

#[test]
fn a_refusal_that_names_a_parameter_is_understood_in_many_words() {
    use Parameter::{ResponseFormat, Stream, StreamOptions, Temperature};
    let renamed = Some(Lesson::Bound(BoundField::MaxCompletionTokens));
    let without = |parameter| Some(Lesson::Without(parameter));
    let table = [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Some("max_tokens"), renamed),
        ("'max_tokens' is not supported", None, renamed),
        ("'temperature' does not support 0.5 with this model.", Some("temperature"), without(Temperature)),
        ("`temperature` is deprecated for this model", None, without(Temperature)),
        ("Extra inputs are not permitted", Some("stream_options"), without(StreamOptions)),
        ("Unknown name \"stream_options\": Cannot find field.", None, without(StreamOptions)),
        ("property 'response_format' is unsupported", None, without(ResponseFormat)),
        ("Streaming is not supported for this model", None, without(Stream)),
        ("This model's maximum context length is 8192 tokens; max_tokens is too large", None, None),
        ("no such thing", None, None),
        ("max_tokens_to_sample: field required", None, None),
    ];
    for (message, param, lesson) in table {
        assert_eq!(taught(400, message, param), lesson, "{message}");
        assert_eq!(taught(422, message, param), lesson, "{message}");
    }
    assert_eq!(taught(500, "'temperature' does not support 0.5", None), None);
    assert_eq!(taught(429, "max_tokens per minute", None), None);
}

#[test]
fn a_refusal_of_roles_is_understood_in_many_words() {
    let turns = Some(Lesson::Roles(Roles::Alternating));
    let no_system = Some(Lesson::Roles(Roles::AlternatingWithoutSystem));
    let table = [
        (400, "Conversation roles must alternate user/assistant/user/assistant/...", turns),
        (500, "Jinja Exception: After the optional system message, conversation roles must alternate", turns),
        (400, "After the (optional) system message(s), user message(s) should alternate with assistant", turns),
        (400, "deepseek-reasoner does not support successive user or assistant messages", turns),
        (400, "Expected last role User or Tool for serving but got system", turns),
        (400, "System message must be at the beginning.", turns),
        (500, "Jinja Exception: System message must be at the beginning.", turns),
        (400, "System role not supported", no_system),
        (500, "System role not supported", no_system),
        (400, "Developer instruction is not enabled for models/gemma-3-1b-it", no_system),
        (400, "Only user, assistant and tool roles are supported!", no_system),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model.", no_system),
        (500, "The system met an unexpected error", None),
        (503, "System role not supported", None),
    ];
    for (status, message, lesson) in table {
        assert_eq!(taught(status, message, None), lesson, "{message}");
    }
    assert_eq!(taught(422, "Input should be 'user' or 'assistant'", Some("role")), no_system);
    let alternating = dialect().after(Lesson::Roles(Roles::Alternating));
    let again = Refused { status: 400, message: "roles must alternate", param: None };
    assert_eq!(alternating.lesson(&request(), again), no_system);
}

#[test]
fn lessons_end() {
    let (mut dialect, mut lessons) = (dialect(), 0);
    let refused = |message| Refused { status: 400, message, param: None };
    let all = "temperature, max_tokens, response_format, stream_options, stream, roles must alternate";
    while let Some(lesson) = dialect.lesson(&request(), refused(all)) {
        dialect = dialect.after(lesson);
        lessons += 1;
    }
    assert_eq!(lessons, 8);
}

#[test]
fn what_is_learned_of_one_model_holds_for_it_alone() {
    let dialects = Dialects::new(dialect());
    let lesson = Lesson::Without(Parameter::Temperature);
    assert!(dialects.keep("a", lesson) && !dialects.keep("a", lesson));
    dialects.gave_reason("b");
    assert_eq!((dialects.of("a").temperature, dialects.of("b").temperature), (false, true));
    assert_eq!((dialects.gives_reasons("a"), dialects.gives_reasons("b")), (false, true));
}
