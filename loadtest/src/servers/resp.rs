//! Splits Redis's protocol into frames, as far as a proxy needs that: finds the end of a frame, and recognises
//! published messages. Layer: servers.
//!
//! # Source
//! Redis serialization protocol specification, RESP2 and RESP3.

/// The frames of one direction of one connection, put together from the pieces that arrive.
#[derive(Debug, Default)]
pub struct Frames {
    pending: Vec<u8>,
}

impl Frames {
    /// Takes a piece; returns the complete frames so far without those that carry a published message, and how many
    /// were left out. Bytes that are no RESP pass.
    pub fn without_messages(&mut self, piece: &[u8]) -> (Vec<u8>, u64) {
        self.pending.extend_from_slice(piece);
        let (mut kept, mut dropped, mut at) = (Vec::new(), 0, 0);
        while at < self.pending.len() {
            let rest = &self.pending[at..];
            let Some(length) = frame(rest) else { break };
            let one = &rest[..length];
            if is_message(one) {
                dropped += 1;
            } else {
                kept.extend_from_slice(one);
            }
            at += length;
        }
        self.pending.drain(..at);
        (kept, dropped)
    }

    /// Takes out the bytes of a frame that is not complete yet.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// Returns the length of the first frame; `None` if it is not complete. A line that begins no frame counts as one.
fn frame(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..end - 2]).ok()?.parse::<i64>().ok();
    let nested = match bytes[0] {
        b'$' | b'=' | b'!' => {
            let Some(length) = number().and_then(|length| usize::try_from(length).ok()) else { return Some(end) };
            return (bytes.len() >= end + length + 2).then_some(end + length + 2);
        }
        b'*' | b'>' | b'~' => number().unwrap_or(0).max(0),
        b'%' | b'|' => number().unwrap_or(0).max(0) * 2,
        _ => return Some(end),
    };
    let mut at = end;
    for _ in 0..nested {
        at += frame(&bytes[at..])?;
    }
    Some(at)
}

fn is_message(frame: &[u8]) -> bool {
    if !matches!(frame.first(), Some(b'*' | b'>')) {
        return false;
    }
    let mut lines = frame.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let _ = lines.next();
    let has_length = lines.next().is_some_and(|line| line.first() == Some(&b'$'));
    has_length && lines.next().is_some_and(|line| matches!(line, b"message" | b"pmessage" | b"smessage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\na\r\nb\r\n";
    const SUBSCRIBED: &[u8] = b"*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n";

    #[test]
    fn published_messages_go_and_all_else_stays() {
        let mut frames = Frames::default();
        let stream =
            [b"+OK\r\n", SUBSCRIBED, MESSAGE, b">3\r\n$8\r\npmessage\r\n$1\r\nx\r\n$-1\r\n", b":3\r\n"].concat();
        let (kept, dropped) = frames.without_messages(&stream);
        assert_eq!(kept, [b"+OK\r\n", SUBSCRIBED, b":3\r\n"].concat());
        assert_eq!((dropped, frames.take_rest().len()), (2, 0));
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let stream = [SUBSCRIBED, MESSAGE, b"$5\r\nme\r\ns\r\n%1\r\n+a\r\n:1\r\n"].concat();
        let mut frames = Frames::default();
        let mut kept = Vec::new();
        let mut dropped = 0;
        for byte in &stream {
            let (more, gone) = frames.without_messages(&[*byte]);
            kept.extend(more);
            dropped += gone;
        }
        assert_eq!(kept, [SUBSCRIBED, b"$5\r\nme\r\ns\r\n%1\r\n+a\r\n:1\r\n"].concat());
        assert_eq!(dropped, 1);
    }
}
