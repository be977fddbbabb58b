//! What the server calls for each request, and what it does when that panics.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::proxy::ReplyBody;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The address that the connection came from.
    pub address: SocketAddr,
    /// True when the connection is encrypted.
    pub encrypted: bool,
}

/// Answers requests. A closure `Fn(Request<Incoming>, Peer) -> impl Future<Output = Response<ReplyBody>>` is one.
///
/// The future is dropped when the client goes away (HTTP/1.1: the connection, HTTP/2: the stream), so what must outlive the
/// client has to settle itself when dropped. The [`Peer`] stands in the request's extensions too.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<ReplyBody>> + Send;
}

impl<F, Fut> Handler for F
where
    F: Fn(Request<Incoming>, Peer) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<ReplyBody>> + Send,
{
    fn handle(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<ReplyBody>> + Send {
        self(request, peer)
    }
}

/// A handler panicked; the panic hook has told where.
#[derive(Debug)]
pub(super) struct Panicked;

/// Runs a handler to its end and catches a panic, so that it costs one exchange and not its neighbours on the connection.
pub(super) async fn guarded<H: Handler>(
    handler: &H,
    request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<ReplyBody>, Panicked> {
    let handling = catch_unwind(AssertUnwindSafe(|| Box::pin(handler.handle(request, peer)))).map_err(|_| Panicked)?;
    let mut handling = handling;
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
