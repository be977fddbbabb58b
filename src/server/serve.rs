//! One connection: TLS, the version of HTTP, hyper, and the handler behind it.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::drain::begun;
use super::handler::{Handler, Peer, guarded};
use super::limit::{close, internal_error, must_close, refuse_head};
use super::strict::HeadGate;
use super::watch::{Activity, Open};
use super::wire::Wire;
use crate::base::Limits;
use crate::proxy::{CutShort, ReplyBody};

/// What all connections of a server share.
pub(super) struct Shared<H> {
    pub(super) handler: H,
    pub(super) limits: Limits,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Exchanges open on all connections.
    pub(super) open: Arc<AtomicUsize>,
}

/// Serves one connection to its end. Returns early when `drain` turns true and nothing is open.
pub(super) async fn connection<H: Handler>(
    shared: Arc<Shared<H>>,
    stream: TcpStream,
    peer: std::net::SocketAddr,
    drain: watch::Receiver<bool>,
) {
    let since = Instant::now();
    let head_time = Duration::from_millis(shared.limits.head_ms);
    let peer = Peer { address: peer, encrypted: shared.tls.is_some() };
    let mut told = drain.clone();
    let opening = async {
        match &shared.tls {
            Some(config) => {
                let tls = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                let version = match tls.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Version::HTTP_2,
                    _ => Version::HTTP_11,
                };
                Ok((Transport::Tls(Box::new(tls)), version, Bytes::new()))
            }
            None => {
                let mut stream = stream;
                let (version, first) = version(&mut stream).await?;
                Ok((Transport::Plain(stream), version, first))
            }
        }
    };
    let opened: Result<io::Result<_>, _> = tokio::select! {
        opened = timeout(head_time, opening) => opened,
        // Nothing was asked yet, so nothing is lost.
        () = begun(&mut told) => return,
    };
    match opened {
        Ok(Ok((Transport::Plain(stream), version, first))) => {
            speak(shared, stream, version, first, peer, since, drain).await
        }
        Ok(Ok((Transport::Tls(stream), version, first))) => {
            speak(shared, stream, version, first, peer, since, drain).await
        }
        Ok(Err(error)) => tracing::debug!(peer = %peer.address, %error, "a connection did not open"),
        Err(_) => tracing::debug!(peer = %peer.address, "a connection did not open in time"),
    }
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

/// Finds out the version by HTTP/2's preface (RFC 9113, 3.4), which no HTTP/1.1 request begins with.
async fn version(stream: &mut TcpStream) -> io::Result<(Version, Bytes)> {
    let mut first = BytesMut::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&first) && first.len() < PREFACE.len() {
        let left = PREFACE.len() - first.len();
        if (&mut *stream).take(u64::try_from(left).unwrap_or(0)).read_buf(&mut first).await? == 0 {
            break;
        }
    }
    let version = if first == PREFACE { Version::HTTP_2 } else { Version::HTTP_11 };
    Ok((version, first.freeze()))
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn speak<H, IO>(
    shared: Arc<Shared<H>>,
    io: IO,
    version: Version,
    first: Bytes,
    peer: Peer,
    since: Instant,
    drain: watch::Receiver<bool>,
) where
    H: Handler,
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = shared.limits.clone();
    let is_h2 = version == Version::HTTP_2;
    let activity = Arc::new(Activity::new(&limits, since, !is_h2, Arc::clone(&shared.open)));
    let gate = (!is_h2).then(HeadGate::new);
    let wire = TokioIo::new(Wire::new(io, first, Arc::clone(&activity), gate));
    let watched = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let open = activity.open(Instant::now());
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request, peer, open).await) }
    });
    let ended = if is_h2 {
        let connection = h2_builder(&limits).serve_connection(wire, service);
        drive(connection, &watched, drain).await
    } else {
        let connection = h1_builder(&limits).serve_connection(wire, service);
        drive(connection, &watched, drain).await
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "a connection ended early");
    }
}

fn h1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Slow heads are cut by the watchman, who tells them from idle connections.
        .header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(HTTP1_BUFFER));
    if limits.header_count != HYPER_HEADERS {
        builder.max_headers(limits.header_count);
    }
    builder
}

fn h2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        // h2 refuses a list that reaches this size, so the limit itself lies one below.
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX).saturating_add(1))
        .max_concurrent_streams(u32::try_from(limits.streams).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits.stream_resets)
        .max_local_error_reset_streams(limits.stream_resets)
        .initial_stream_window_size(HTTP2_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW * 4)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING);
    builder
}

/// Runs a connection, ends it when the server drains, and cuts it when its client is overdue.
async fn drive<C>(connection: C, activity: &Activity, mut drain: watch::Receiver<bool>) -> Result<(), String>
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut connection = std::pin::pin!(connection);
    let mut look = tokio::time::interval(activity.interval());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
            () = begun(&mut drain), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = look.tick() => {
                if let Some(overdue) = activity.overdue(Instant::now()) {
                    if !leaving {
                        // One last chance to say goodbye properly (GOAWAY); it does not block.
                        connection.as_mut().graceful_shutdown();
                        let _ = timeout(GOODBYE, connection.as_mut()).await;
                    }
                    return Err(format!("cut: {overdue:?}"));
                }
            }
        }
    }
}

async fn answer<H: Handler>(
    shared: &Shared<H>,
    mut request: Request<Incoming>,
    peer: Peer,
    open: Open,
) -> Response<Tracked> {
    let response = match refuse_head(&request, &shared.limits) {
        Some(refusal) => refusal,
        None => {
            request.extensions_mut().insert(peer);
            let (head, body) = request.into_parts();
            let must_close = must_close(&head);
            let has_body = head.version < Version::HTTP_2 && !body.is_end_stream();
            match guarded(&shared.handler, Request::from_parts(head, body), peer).await {
                Ok(mut response) => {
                    if must_close || (has_body && is_early(response.status())) {
                        close(&mut response);
                    }
                    response
                }
                Err(_) => {
                    tracing::error!(peer = %peer.address, "a handler panicked; its exchange was answered 500");
                    internal_error()
                }
            }
        }
    };
    response.map(|body| Tracked { body, _open: open })
}

/// True for the statuses with which a request is refused before its body is read. hyper closes the connection then without a
/// word in the head, and a client would send its next request into it.
fn is_early(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 404 | 408 | 413 | 415 | 431 | 503)
}

/// A reply's body, which holds its exchange open until it is written or dropped.
struct Tracked {
    body: ReplyBody,
    _open: Open,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The smallest read buffer for HTTP/1.1; also the most that one body chunk has.
const HTTP1_BUFFER: usize = 64 * 1024;
/// hyper's own bound on header fields, which costs no allocation.
const HYPER_HEADERS: usize = 100;
/// Bytes that a client may send ahead on one HTTP/2 stream; a connection has four times as many.
const HTTP2_WINDOW: u32 = 256 * 1024;
/// Bytes of reply buffered for one HTTP/2 stream.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
/// How often an HTTP/2 client is asked whether it lives, and how long it has to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// How long a connection that is cut has for its last words.
const GOODBYE: Duration = Duration::from_millis(200);
