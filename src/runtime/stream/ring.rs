//! The last frames of this node, numbered. Layer `runtime`. Keeps I9: bounded by number and by bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::Frame;

/// Most frames.
const FRAMES_MAX: usize = 4_096;

/// Most bytes of all frames; the last frame stays in any case.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The last frames.
#[derive(Debug, Default)]
pub(super) struct Ring {
    frames: VecDeque<Arc<Frame>>,
    /// Number of the first of them.
    first: u64,
    bytes: usize,
}

impl Ring {
    /// Returns the number that the next frame gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Adds a frame; the oldest go.
    pub(super) fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.size();
        self.frames.push_back(frame);
        while self.frames.len() > FRAMES_MAX || (self.bytes > BYTES_MAX && self.frames.len() > 1) {
            if let Some(gone) = self.frames.pop_front() {
                self.bytes -= gone.size();
                self.first += 1;
            }
        }
    }

    /// Returns at most `most` frames from a number on.
    ///
    /// # Errors
    /// The number of frames between, when some are gone already.
    pub(super) fn since(&self, number: u64, most: usize) -> Result<Vec<Arc<Frame>>, u64> {
        let Some(from) = number.checked_sub(self.first) else {
            return Err(self.end() - number);
        };
        Ok(self.frames.iter().skip(from as usize).take(most).cloned().collect())
    }

    /// Returns all frames.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Arc<Frame>> {
        self.frames.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::frame::Source;
    use super::*;

    fn frame(bytes: usize) -> Arc<Frame> {
        Arc::new(Frame::plain("x", Source::Fleet, &"y".repeat(bytes)).unwrap())
    }

    #[test]
    fn a_ring_is_bounded_and_says_who_is_too_late() {
        let mut ring = Ring::default();
        (0..FRAMES_MAX + 10).for_each(|_| ring.push(frame(1)));
        assert_eq!((ring.frames.len(), ring.end()), (FRAMES_MAX, FRAMES_MAX as u64 + 10));
        assert_eq!(ring.since(9, 5).unwrap_err(), FRAMES_MAX as u64 + 1);
        assert_eq!(ring.since(10, 5).unwrap().len(), 5);
        assert!(ring.since(ring.end(), 5).unwrap().is_empty());
        (0..10).for_each(|_| ring.push(frame(BYTES_MAX / 4)));
        assert!(ring.frames.len() <= 4 && ring.bytes <= BYTES_MAX);
        ring.push(frame(2 * BYTES_MAX));
        assert_eq!(ring.frames.len(), 1, "the last one stays");
    }
}
