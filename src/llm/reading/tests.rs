//! Tests shapes of chunks: each is read wholly, or ends the reading.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn read(chunks: &[Value]) -> Result<String, Fault> {
    let mut reading = Box::<Reading>::default();
    for chunk in chunks {
        reading.take(&chunk.to_string())?;
    }
    reading.into_answer().map(|answer| answer.text)
}

#[allow(clippy::needless_pass_by_value, reason = "its callers make it on the spot")]
fn delta(content: Value) -> Value {
    json!({"choices": [{"delta": {"content": content}}]})
}

/// Reads a stream whose middle chunk, which alone holds "not ", is `odd`.
fn around(odd: Value) -> Result<String, Fault> {
    read(&[delta(json!("The bridge is ")), odd, delta(json!("open today."))])
}

#[test]
fn odd_fields_beside_the_text_are_read_past() {
    let odd = [
        json!({"choices": [{"delta": {"content": "not ", "reasoning": "hm", "reasoning_content": "hm"}}]}),
        json!({"choices": [{"delta": {"content": "not "}, "message": null}]}),
        json!({"choices": [{"delta": {"content": "not "}, "message": {"role": "assistant", "content": ""}}]}),
        json!({"choices": [{"delta": {"content": "not "}, "message": {"content": "not "}}]}),
        json!({"choices": [{"delta": {"content": "not "}, "message": {"content": "The bridge is not "}}]}),
        json!({"choices": [{"delta": {"content": [{"type": "text", "text": "no"}, {"type": "text", "text": "t "}]}}]}),
        json!({"choices": [{"delta": {"content": {"type": "text", "text": "not "}, "refusal": null, "tool_calls": []}}]}),
        json!({"choices": [{"index": "0", "delta": {"content": "not "}, "finish_reason": "", "logprobs": [], "x": 1}]}),
        json!({"choices": [{"delta": {"text": "not "}}]}),
        json!({"choices": [{"delta": {"content": "not "}}], "usage": "none", "error": null, "created": "now"}),
        json!({"choices": [{"delta": {"content": "not "}}, {"index": 1, "delta": {"content": "never "}}]}),
    ];
    for odd in odd {
        let told = odd.to_string();
        assert_eq!(around(odd).unwrap(), "The bridge is not open today.", "{told}");
    }
}

#[test]
fn a_chunk_that_cannot_be_read_ends_the_reading() {
    let odd = [
        json!({"choices": [{"delta": {"content": 7}}]}),
        json!({"choices": [{"delta": {"content": true}}]}),
        json!({"choices": [{"delta": "not "}]}),
        json!({"choices": [{"delta": {"content": "not ", "text": "never "}}]}),
        json!({"choices": [{"message": {"content": "not "}}]}),
        json!({"choices": [{"delta": {"content": "not "}, "message": {"content": "never "}}]}),
        json!({"choices": [{"delta": {"content": [{"type": "new_text", "text": "not "}]}}]}),
        json!({"choices": [{"delta": {"content": "not \u{fffd}"}}], "error": {"message": "x"}}),
        json!({"choices": {"delta": {"content": "not "}}}),
        json!({"choices": ["not "]}),
        json!(["not "]),
        json!("not "),
        json!(null),
    ];
    for odd in odd {
        let told = odd.to_string();
        assert!(matches!(around(odd), Err(Fault::Malformed(_))), "{told}");
    }
}

#[test]
fn a_last_chunk_with_the_whole_message_says_nothing_twice() {
    let last = json!({"choices": [{"message": {"content": "Ha! Ha! "}, "finish_reason": "stop"}]});
    assert_eq!(read(&[delta(json!("Ha! ")), delta(json!("Ha! ")), last]).unwrap(), "Ha! Ha! ");
    let part = || json!({"choices": [{"message": {"content": "Ha! "}}]});
    assert_eq!(read(&[part(), part()]).unwrap(), "Ha! Ha! ", "parts in messages are parts");
}

#[test]
fn the_worst_end_counts_whatever_comes_after_it() {
    let ended = |reason: Value| json!({"choices": [{"delta": {}, "finish_reason": reason}]});
    let mut reading = Box::<Reading>::default();
    for chunk in [ended(json!("error")), ended(json!("stop")), ended(Value::Null), ended(json!(""))] {
        reading.take(&chunk.to_string()).unwrap();
    }
    assert_eq!(reading.into_answer().unwrap().end, Some(End::Broken("error".to_owned())));
}

#[test]
fn an_error_that_comes_first_is_a_refusal_in_every_shape() {
    let errors = [
        json!({"error": {"code": 429, "message": "slow"}}),
        json!({"error": {"code": "429", "message": "slow"}, "choices": []}),
        json!({"object": "error", "code": 429, "message": "slow"}),
        json!({"type": "error", "error": {"status": 429, "message": "slow"}}),
        json!({"choices": [{"delta": {"content": ""}, "error": {"code": 429, "message": "slow"}}]}),
    ];
    for error in errors {
        let told = error.to_string();
        let fault = read(&[error]).unwrap_err();
        assert!(matches!(&fault, Fault::Refused { status, .. } if status.as_u16() == 429), "{told}: {fault}");
    }
    for nothing in [json!(null), json!(""), json!({}), json!([]), json!(false), json!(0)] {
        let chunk = json!({"choices": [{"message": {"content": "Selam!"}}], "error": nothing});
        assert_eq!(read(&[chunk]).unwrap(), "Selam!");
    }
}
