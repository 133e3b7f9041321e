//! Reads a request's parameters in all of their encodings. Layer: telegram.
//!
//! Query, JSON, urlencoded and multipart are read into one map. Forms carry numbers and JSON as text, so every reader
//! accepts both.

use std::collections::HashMap;

use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::header;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::world::error::ApiError;

/// The largest request that is read: a photo of 10 MB with its form (Bot API, sendPhoto).
pub(crate) const MAX_BODY_BYTES: usize = 12 * 1024 * 1024;

/// The parameters of one call.
#[derive(Debug, Default)]
pub(crate) struct Params {
    values: Map<String, Value>,
    files: HashMap<String, Bytes>,
}

impl Params {
    /// Reads the query and the body of a request.
    pub(crate) async fn read(request: Request) -> Result<Self, ApiError> {
        let mut params = Self::default();
        params.take_form(request.uri().query().unwrap_or_default().as_bytes());
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if kind.starts_with("multipart/form-data") {
            params.take_multipart(request).await?;
            return Ok(params);
        }
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES)
            .await
            .map_err(|_| ApiError::new(413, "Request Entity Too Large"))?;
        if kind.starts_with("application/json") {
            if !body.is_empty() {
                let Ok(Value::Object(values)) = serde_json::from_slice(&body) else {
                    return Err(ApiError::bad("object expected as request body"));
                };
                params.values.extend(values);
            }
        } else {
            params.take_form(&body);
        }
        Ok(params)
    }

    /// Makes the parameters of a call that came as an object.
    pub(crate) fn of(values: Map<String, Value>) -> Self {
        Self { values, files: HashMap::new() }
    }

    fn take_form(&mut self, form: &[u8]) {
        for (name, value) in form_pairs(form) {
            self.values.insert(name, Value::String(value));
        }
    }

    async fn take_multipart(&mut self, request: Request) -> Result<(), ApiError> {
        let broken = || ApiError::bad("can't parse multipart form data");
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
        while let Some(field) = form.next_field().await.map_err(|_| broken())? {
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                let bytes = field.bytes().await.map_err(|_| broken())?;
                self.files.insert(name, bytes);
            } else {
                let text = field.text().await.map_err(|_| broken())?;
                self.values.insert(name, Value::String(text));
            }
        }
        Ok(())
    }

    /// Returns a text; a number or a truth value is returned as written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Returns a whole number.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        integer(self.values.get(name)?)
    }

    /// Returns a truth value; a missing one is false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(truth)
    }

    /// Returns an object or a list, also from JSON text.
    pub(crate) fn json(&self, name: &str) -> Option<Value> {
        match self.values.get(name)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or(Value::Null)),
            value => Some(value.clone()),
        }
    }

    /// Returns an uploaded file, by its field or by `attach://<field>`.
    pub(crate) fn file(&self, name: &str) -> Option<Bytes> {
        if let Some(bytes) = self.files.get(name) {
            return Some(bytes.clone());
        }
        let reference = self.text(name)?;
        self.files.get(reference.strip_prefix("attach://")?).cloned()
    }

    /// Returns the chat that a call is about.
    pub(crate) fn chat_id(&self) -> Result<i64, ApiError> {
        match self.text("chat_id").as_deref().map(str::trim) {
            None | Some("") => Err(ApiError::bad("chat_id is empty")),
            Some(text) => text.parse().map_err(|_| ApiError::bad("chat not found")),
        }
    }

    /// Refuses texts with markup, which this simulation does not parse, because the product sends entities.
    pub(crate) fn refuse_parse_mode(&self) -> Result<(), ApiError> {
        match self.text("parse_mode").as_deref() {
            None | Some("") => Ok(()),
            Some(_) => Err(ApiError::bad("unsupported parse_mode")),
        }
    }
}

/// Reads a whole number, also from text.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}

/// Reads a truth value, also from text: "true", "yes" and "1" are true.
pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => ["true", "yes", "1"].iter().any(|yes| text.eq_ignore_ascii_case(yes)),
        _ => false,
    }
}

fn form_pairs(form: &[u8]) -> impl Iterator<Item = (String, String)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let value = pair.get(at + 1..).unwrap_or_default();
        (decode(&pair[..at]), decode(value))
    })
}

/// Decodes the percent encoding of a form or a path.
pub(crate) fn decode(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', ..) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_as_utf8() {
        let pairs: Vec<_> = form_pairs("text=%C3%A7ay+i%C3%A7&n=5&empty=".as_bytes()).collect();
        assert_eq!(pairs[0], ("text".into(), "çay iç".into()));
        assert_eq!(pairs[1], ("n".into(), "5".into()));
        assert_eq!(pairs[2], ("empty".into(), String::new()));
        assert_eq!(decode(b"100%"), "100%");
    }
}
