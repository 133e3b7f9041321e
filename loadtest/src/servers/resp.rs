//! The frames of Redis's protocol, as far as a proxy needs them: where one ends, and whether it is a published message.
//! Layer: servers.
//!
//! # Source
//! Redis serialization protocol specification, RESP2 and RESP3.

/// Frames of one direction of one connection, from the pieces that arrive.
#[derive(Debug, Default)]
pub struct Frames {
    pending: Vec<u8>,
}

impl Frames {
    /// Takes a piece; gives the whole frames so far without those that carry a published message, and how many of
    /// these were left out. What is no RESP passes.
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

    /// What has arrived of a frame that is not whole yet.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

/// The length of the frame at the start; none when it is not whole. Bytes that begin no frame are one of their own.
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
