//! The built-in mock provider: a stand-in on the loopback for the demo, tests and benches.
//!
//! It speaks the OpenAI chat dialect (plain, streamed, several choices, tool calls, the list of models) and can go wrong in
//! every way that a provider can ([`MockFault`]). It never passes for the real thing: each reply carries
//! `x-portcullis-mock: true`, ids begin with `mock-`, and the text says what it is.

mod config;
mod reply;
mod serve;
mod steps;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use config::{MockConfig, MockFault, MockToolCall};
use steps::Steps;

/// Starts mock providers.
#[derive(Debug)]
pub struct MockProvider;

impl MockProvider {
    /// Starts one on `address` (port 0 takes a free one), plain HTTP/1.1 and HTTP/2.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: SocketAddr, config: MockConfig) -> io::Result<MockHandle> {
        Self::start_with(address, config, None).await
    }

    /// Starts one that speaks TLS.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_tls(address: SocketAddr, config: MockConfig, tls: Arc<ServerConfig>) -> io::Result<MockHandle> {
        Self::start_with(address, config, Some(tls)).await
    }

    async fn start_with(
        address: SocketAddr,
        config: MockConfig,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<MockHandle> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("the mock cannot listen on {address}: {error}")))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            seen: Mutex::new(VecDeque::new()),
            connections: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            dropped: AtomicUsize::new(0),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), tls.map(TlsAcceptor::from), stopped));
        Ok(MockHandle { address, shared, stop, task })
    }
}

/// One request as the mock saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The version of HTTP.
    pub version: Version,
    /// `:authority` (HTTP/2) or `Host`.
    pub authority: Option<String>,
    /// All header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, if any came.
    pub trailers: Option<HeaderMap>,
}

/// A running mock; it stops when this is dropped.
pub struct MockHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl MockHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The last requests, oldest first, as many as [`MockConfig::keep_seen`].
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests answered or dropped so far.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Replies that the other side dropped before their end.
    pub fn dropped(&self) -> usize {
        self.shared.dropped.load(Ordering::SeqCst)
    }

    /// Stops it: no new connections, open ones cut.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.task).await;
    }

    /// Waits until it ends, which it does only on an error of its own.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for MockHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for MockHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Shared {
    config: MockConfig,
    seen: Mutex<VecDeque<Seen>>,
    connections: AtomicUsize,
    requests: AtomicU64,
    dropped: AtomicUsize,
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let stream = tokio::select! {
            () = told(&mut stopped) => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_nodelay(true);
        let (shared, tls, mut stopped) = (Arc::clone(&shared), tls.clone(), stopped.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection(stream, shared, tls) => {}
                () = told(&mut stopped) => {}
            }
        });
    }
}

async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the handle is gone, which is the same.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    match tls {
        None => speak(stream, shared).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                speak(stream, shared).await;
            }
        }
    }
}

async fn speak<IO: AsyncRead + AsyncWrite + Send + Unpin + 'static>(io: IO, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { exchange(&shared, request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    let _ = builder.serve_connection(TokioIo::new(io), service).await;
}

async fn exchange(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Watched>, io::Error> {
    let id = shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
    let mut watch = DropWatch { shared: Arc::clone(shared), whole: false };
    let (head, body) = request.into_parts();
    let collected = Limited::new(body, BODY_BYTES).collect().await.map_err(io::Error::other)?;
    let trailers = collected.trailers().cloned();
    let body = collected.to_bytes();
    let path = head.uri.path().to_owned();
    if shared.config.keep_seen > 0 {
        let host = head.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
        let seen = Seen {
            method: head.method.clone(),
            path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            version: head.version,
            authority: head.uri.authority().map(ToString::to_string).or_else(|| host.map(str::to_owned)),
            headers: head.headers.clone(),
            body: body.clone(),
            trailers,
        };
        let mut kept = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= shared.config.keep_seen {
            kept.pop_front();
        }
        kept.push_back(seen);
    }
    let answered = serve::answer(&shared.config, id, &head.method, &path, &head.headers, &body).await;
    let Ok(mut response) = answered else {
        watch.whole = true;
        return Err(io::Error::other("broken off on purpose"));
    };
    response.headers_mut().insert("x-portcullis-mock", HeaderValue::from_static("true"));
    Ok(response.map(|steps| Watched { steps, watch }))
}

/// A reply's body that notes when the other side drops it before its end.
struct Watched {
    steps: Steps,
    watch: DropWatch,
}

struct DropWatch {
    shared: Arc<Shared>,
    whole: bool,
}

impl Drop for DropWatch {
    fn drop(&mut self) {
        if !self.whole {
            self.shared.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        let polled = std::pin::Pin::new(&mut self.steps).poll_frame(cx);
        if matches!(polled, std::task::Poll::Ready(None | Some(Err(_)))) || self.steps.is_end_stream() {
            self.watch.whole = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.steps.size_hint()
    }
}

/// Bytes of a request that the mock takes; the firewall in front has a limit of its own.
const BODY_BYTES: usize = 64 * 1024 * 1024;
