//! What is written to the client: pieces that inspection cleared, and a few words of our own.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::inspect::Cleared;

/// A reply's body. It cannot be made from a provider's bytes: only from what is [`Cleared`] and from what we wrote ourselves.
///
/// When the client goes away the body is dropped; whoever feeds a stream sees its channel closed.
#[derive(Debug)]
pub struct ReplyBody(Source);

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Piece>),
}

/// One piece of a streamed reply.
#[derive(Debug)]
pub enum Piece {
    /// Bytes that inspection let pass.
    Cleared(Cleared<Bytes>),
    /// The stream cannot go on and has no well-formed end: the connection (HTTP/1.1) or the stream (HTTP/2) is broken off, so
    /// that the client knows.
    Cut,
    /// Our own words (a keep-alive comment, an error event). Never anything that came from a provider or a client.
    Ours(Bytes),
}

impl ReplyBody {
    /// A whole body, sent with its Content-Length.
    pub fn full(cleared: Cleared<Bytes>) -> Self {
        Self(Source::Whole(Some(cleared.into_bytes())))
    }

    /// A whole body of our own words. Never anything that came from a provider or a client.
    pub fn ours(words: impl Into<Bytes>) -> Self {
        Self(Source::Whole(Some(words.into())))
    }

    /// No body.
    pub fn empty() -> Self {
        Self(Source::Whole(None))
    }

    /// A body in pieces; it ends well when the sender is dropped.
    pub fn stream(pieces: mpsc::Receiver<Piece>) -> Self {
        Self(Source::Stream(pieces))
    }
}

/// The error of a body that was cut on purpose ([`Piece::Cut`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CutShort;

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reply was cut short")
    }
}

impl std::error::Error for CutShort {}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match &mut self.get_mut().0 {
            Source::Whole(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
            }
            Source::Stream(pieces) => pieces.poll_recv(cx).map(|piece| match piece {
                None => None,
                Some(Piece::Cleared(cleared)) => Some(Ok(Frame::data(cleared.into_bytes()))),
                Some(Piece::Ours(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::Cut) => Some(Err(CutShort)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
            }
            Source::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_whole_body_knows_its_length() {
        let body = ReplyBody::ours("words");
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "words");
        assert!(ReplyBody::empty().is_end_stream());
        assert!(ReplyBody::ours("").is_end_stream());
    }

    #[tokio::test]
    async fn a_stream_ends_when_its_sender_goes() {
        let (sender, receiver) = mpsc::channel(4);
        let body = ReplyBody::stream(receiver);
        sender.send(Piece::Ours(Bytes::from_static(b"a"))).await.unwrap();
        sender.send(Piece::Ours(Bytes::from_static(b"b"))).await.unwrap();
        drop(sender);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
    }

    #[tokio::test]
    async fn a_cut_is_an_error_not_an_end() {
        let (sender, receiver) = mpsc::channel(4);
        let body = ReplyBody::stream(receiver);
        sender.send(Piece::Cut).await.unwrap();
        drop(sender);
        assert_eq!(body.collect().await.unwrap_err(), CutShort);
    }

    #[tokio::test]
    async fn the_sender_sees_the_client_go() {
        let (sender, receiver) = mpsc::channel(4);
        drop(ReplyBody::stream(receiver));
        sender.closed().await;
        assert!(sender.send(Piece::Ours(Bytes::new())).await.is_err());
    }
}
