//! Implements photos: upload, getFile, download. Layer: telegram.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::call::{Call, authenticate};
use super::reply::{Answer, refuse};
use crate::world::World;
use crate::world::error::ApiError;
use crate::world::state::StoredFile;

/// The largest photo (Bot API, sendPhoto).
const MAX_PHOTO_BYTES: usize = 10 * 1024 * 1024;

/// Stores the photo of a call, or finds the photo that the call names, and returns its sizes.
pub(crate) fn photo_of(call: &Call) -> Result<Value, ApiError> {
    if let Some(bytes) = call.params.file("photo") {
        if bytes.len() > MAX_PHOTO_BYTES {
            return Err(ApiError::bad("file is too big"));
        }
        let Some((width, height)) = dimensions(&bytes) else {
            return Err(ApiError::bad("IMAGE_PROCESS_FAILED"));
        };
        return Ok(store(call, bytes, width, height));
    }
    let reference = call.params.text("photo").unwrap_or_default();
    if reference.is_empty() {
        return Err(ApiError::bad("there is no photo in the request"));
    }
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return Err(ApiError::bad("failed to get HTTP URL content"));
    }
    let state = call.world.lock();
    match state.files.get(&reference) {
        Some(file) if file.owner == call.bot => Ok(file.sizes.clone()),
        _ => Err(ApiError::bad("wrong file identifier/HTTP URL specified")),
    }
}

fn store(call: &Call, bytes: bytes::Bytes, width: u32, height: u32) -> Value {
    let mut state = call.world.lock();
    let number = state.files.len();
    let secret: String = (0..40).map(|_| state.rng.alphanumeric()).collect();
    let file_id = format!("AgAC{secret}");
    let sizes = json!([{
        "file_id": file_id,
        "file_unique_id": format!("AQAD{number:08}"),
        "file_size": bytes.len(),
        "width": width,
        "height": height,
    }]);
    let file = StoredFile { owner: call.bot, path: format!("photos/file_{number}"), bytes, sizes: sizes.clone() };
    state.files.insert(file_id, file);
    sizes
}

pub(crate) fn get_file(call: &Call) -> Answer {
    let file_id = call.params.text("file_id").unwrap_or_default();
    let state = call.world.lock();
    match state.files.get(&file_id) {
        Some(file) if file.owner == call.bot => {
            let mut found = file.sizes[0].clone();
            if let Some(fields) = found.as_object_mut() {
                fields.remove("width");
                fields.remove("height");
                fields.insert("file_path".into(), json!(file.path));
            }
            Ok(found.into())
        }
        _ => Err(ApiError::bad("invalid file_id")),
    }
}

/// Answers `/file/bot<token>/<path>`.
pub(crate) fn download(world: &World, rest: &str) -> Response {
    let (token, path) = rest.split_once('/').unwrap_or((rest, ""));
    let bot = match authenticate(world, token) {
        Ok(bot) => bot,
        Err((_, refusal)) => return refuse(&refusal),
    };
    let state = world.lock();
    let file = state.files.values().find(|file| file.owner == bot && file.path == path);
    match file {
        Some(file) => {
            let mut response = Response::new(Body::from(file.bytes.clone()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            response
        }
        None => refuse(&ApiError::new(404, "Not Found")),
    }
}

/// Reads width and height from a PNG's header or a JPEG's frame.
fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let read = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        return Some((read(16)?, read(20)?));
    }
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let word = |at: usize| {
        let pair: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(u32::from(u16::from_be_bytes(pair)))
    };
    let mut at = 2;
    while *bytes.get(at)? == 0xff {
        let marker = *bytes.get(at + 1)?;
        let is_frame = (0xc0..=0xcf).contains(&marker) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            return Some((word(at + 7)?, word(at + 5)?));
        }
        at += 2 + word(at + 2)? as usize;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_png_and_jpeg_and_from_nothing_else() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend([0, 0, 0, 3, 0, 0, 0, 5]);
        assert_eq!(dimensions(&png), Some((3, 5)));
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc0, 0, 17, 8, 0, 7, 0, 9];
        assert_eq!(dimensions(&jpeg), Some((9, 7)));
        assert_eq!(dimensions(b"GIF89a"), None);
    }
}
