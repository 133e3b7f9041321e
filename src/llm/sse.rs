//! Reads server-sent events from bytes as they come. Layer `adapters`; pure. Keeps I13.
//!
//! The reader takes what servers send beside the standard's letter: any end of line, comments, events without data, a
//! last event without its blank line. A line that is no field ends the reading, since its content would be missing.
//!
//! # Source
//! WHATWG HTML, "Server-sent events", "Interpreting an event stream".

/// The mark of an end that `OpenAI` set.
const DONE: &str = "[DONE]";

/// One event with data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Data, its lines joined.
    Data(String),
    /// Data of an event that is called `error`.
    Error(String),
    /// The end of all events.
    Done,
}

/// A line that no reader understands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Reads events from pieces of a stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// Set when the last line ended with a carriage return: a line feed right after it ends no other line.
    returned: bool,
    data: Option<String>,
    is_error: bool,
}

impl Events {
    /// Reads a piece, and gives `each` every event that ends in it.
    ///
    /// # Errors
    /// `Unreadable` for a line that is no field, or no UTF-8; otherwise the error of `each`.
    pub(super) fn read<E: From<Unreadable>>(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.returned && !piece.is_empty() {
            self.returned = false;
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(end) = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = piece.split_at(end);
            self.line.extend_from_slice(line);
            if let Some(event) = self.end_line()? {
                each(event)?;
            }
            piece = &rest[1..];
            if rest[0] == b'\r' {
                self.returned = piece.is_empty();
                piece = piece.strip_prefix(b"\n").unwrap_or(piece);
            }
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    /// Ends the stream; returns its last event, which may lack the blank line.
    ///
    /// # Errors
    /// The same as of `read`.
    pub(super) fn end(mut self) -> Result<Option<Event>, Unreadable> {
        let event = self.end_line()?;
        Ok(if event.is_some() { event } else { self.event() })
    }

    /// Reads the finished line; a blank one ends an event.
    fn end_line(&mut self) -> Result<Option<Event>, Unreadable> {
        if self.line.is_empty() {
            return Ok(self.event());
        }
        let line = std::str::from_utf8(&self.line).map_err(|_| Unreadable)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => self.is_error = value.eq_ignore_ascii_case("error"),
            // A comment has an empty name; unknown fields are ignored.
            _ if field.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) => {}
            _ if line.trim().is_empty() => {}
            _ => return Err(Unreadable),
        }
        self.line.clear();
        Ok(None)
    }

    fn event(&mut self) -> Option<Event> {
        let is_error = std::mem::take(&mut self.is_error);
        let data = self.data.take().filter(|data| !data.trim().is_empty())?;
        Some(if data.trim() == DONE {
            Event::Done
        } else if is_error {
            Event::Error(data)
        } else {
            Event::Data(data)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, Unreadable> {
        let (mut events, mut found) = (Events::default(), Vec::new());
        for piece in pieces {
            events.read(piece, |event| {
                found.push(event);
                Ok::<_, Unreadable>(())
            })?;
        }
        found.extend(events.end()?);
        Ok(found)
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut_and_lines_end() {
        let stream =
            ": hello\n\ndata: {\"a\":\ndata: \"ğ\"}\n\nevent: ping\ndata:\n\nid: 7\ndata:x\n\ndata: [DONE]\n\n";
        let expected = ["{\"a\":\n\"ğ\"}", "x"].map(|data| Event::Data(data.to_owned()));
        let expected: Vec<_> = expected.into_iter().chain([Event::Done]).collect();
        for end in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', end);
            for size in 1..stream.len() {
                let pieces: Vec<_> = stream.as_bytes().chunks(size).collect();
                assert_eq!(read(&pieces).as_ref(), Ok(&expected), "{end:?} {size}");
            }
            let bare = stream.trim_end();
            assert_eq!(read(&[bare.as_bytes()]).as_ref(), Ok(&expected), "without the last blank line");
        }
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_reading() {
        assert_eq!(read(&[b"data: a\n\n{\"error\": 1}\n\n"]), Err(Unreadable));
        assert_eq!(read(&[b"data: \xff\n\n"]), Err(Unreadable));
        assert_eq!(read(&[b"event: error\ndata: busy\n\n"]), Ok(vec![Event::Error("busy".to_owned())]));
    }
}
