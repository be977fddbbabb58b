//! The bytes of one connection on their way to and from hyper: watched, and on HTTP/1.1 checked and closed with patience.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::strict::HeadGate;
use super::watch::Activity;

/// Wraps a connection.
#[derive(Debug)]
pub(super) struct Wire<IO> {
    inner: IO,
    /// Bytes that hyper gets before those of the wire: what was read while the version was found out.
    first: Bytes,
    activity: Arc<Activity>,
    /// On HTTP/1.1 only.
    gate: Option<HeadGate>,
    lingered: usize,
    write_closed: bool,
}

impl<IO> Wire<IO> {
    pub(super) fn new(inner: IO, first: Bytes, activity: Arc<Activity>, gate: Option<HeadGate>) -> Self {
        Self { inner, first, activity, gate, lingered: 0, write_closed: false }
    }

    fn note_write<T>(&self, poll: &Poll<io::Result<T>>) {
        if poll.is_pending() {
            self.activity.write_blocked(Instant::now());
        } else {
            self.activity.write_moved();
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Wire<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let refused = self.gate.as_ref().is_some_and(HeadGate::has_refused);
        if !self.first.is_empty() {
            let count = self.first.len().min(buf.remaining());
            buf.put_slice(self.first.get(..count).unwrap_or_default());
            self.first.advance(count);
        } else if !refused {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        }
        if refused {
            // Nothing more is read from this client: hyper gets the end of the head, then the end of the stream.
            return Poll::Ready(Ok(()));
        }
        if let Some(new) = buf.filled_mut().get_mut(before..)
            && !new.is_empty()
        {
            self.activity.bytes_came(Instant::now());
            if let Some(gate) = &mut self.gate {
                let kept = gate.check(new);
                let refuses = gate.has_refused();
                buf.set_filled(before + kept);
                if refuses {
                    // hyper parses again only once it sees a head's end, and only then comes upon the NUL.
                    self.first = Bytes::from_static(b"\r\n\r\n");
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note_write(&poll);
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note_write(&poll);
        poll
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.note_write(&poll);
        poll
    }

    /// Says goodbye, then reads for a moment what the client still sends (RFC 9112, 9.6): closing with unread bytes resets the
    /// connection, and a reset may take our last words (a 413, a 431) from the client before it read them.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.write_closed {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            self.write_closed = true;
            self.activity.closing(Instant::now());
        }
        // Nothing is on its way, or HTTP/2 has said it in a GOAWAY.
        if self.gate.as_ref().is_none_or(HeadGate::is_between_requests) {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0_u8; 16 * 1024];
        while self.lingered < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.lingered += buf.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Bytes read and thrown away from a client that we have said goodbye to; the watchman bounds the time.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
