//! A connection that ends when its peer stops reading. Layer `http`. Keeps I9.
//!
//! Whoever opens a stream and reads none of it would hold a place, a socket and the system's buffers for ever: a server that
//! waits to write polls nothing else. So a write that makes no progress for [`STALLED_FOR`] fails, and the connection ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The longest time for a peer to take anything of what is written to it.
pub(super) const STALLED_FOR: Duration = Duration::from_secs(20);

/// A connection whose peer must go on reading.
pub(super) struct Impatient<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, stalled: None }
    }

    /// Passes on the result of a write, or ends the wait for it.
    fn waited<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED_FOR)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.waited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.waited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.waited(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_stops_reading_is_cut_off() {
        let (near, far) = duplex(8);
        let mut near = Impatient::new(near);
        let begun = Instant::now();
        let cut = near.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((cut.kind(), begun.elapsed() >= STALLED_FOR), (io::ErrorKind::TimedOut, true));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_slowly_is_waited_for() {
        let (near, mut far) = duplex(8);
        let mut near = Impatient::new(near);
        let reads = async {
            let mut read = Vec::new();
            while read.len() < 100 {
                advance(STALLED_FOR.saturating_sub(Duration::from_secs(1))).await;
                let mut some = [0; 8];
                let count = far.read(&mut some).await.unwrap();
                read.extend_from_slice(&some[..count]);
            }
        };
        let (written, ()) = tokio::join!(near.write_all(&[0; 100]), reads);
        written.unwrap();
    }
}
