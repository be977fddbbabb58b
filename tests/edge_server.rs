//! The data port over real sockets: both versions of HTTP, limits at n and n + 1, strict heads, drain.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails may panic")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::base::{Cause, Limits};
use portcullis::proxy::{Piece, ReplyBody, read_body};
use portcullis::server::{Drained, Handler, Peer, Server, ServerConfig, tls_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Only so that a broken build ends; nothing here is about time.
const PATIENCE: Duration = Duration::from_secs(30);

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<Drained>,
}

impl Running {
    async fn start<H: Handler>(limits: Limits, handler: H) -> Self {
        Self::start_with(ServerConfig { limits, tls: None }, handler).await
    }

    async fn start_with<H: Handler>(config: ServerConfig, handler: H) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), config).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(server.run(handler, async move {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), ended }
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn h1<B>(&self) -> http1::SendRequest<B>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(self.raw().await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn h2<B>(&self) -> http2::SendRequest<B>
    where
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let io = TokioIo::new(self.raw().await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

async fn patient<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("took too long")
}

/// Everything until the other side closes; a reset ends it too.
async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = patient(stream.read(&mut buffer)).await {
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads until `mark` was seen.
async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&all).contains(mark) {
        let count = patient(stream.read(&mut buffer)).await.unwrap();
        assert!(count > 0, "closed before {mark:?}: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

async fn hello(request: Request<Incoming>, peer: Peer) -> Response<ReplyBody> {
    assert_eq!(request.extensions().get::<Peer>(), Some(&peer));
    Response::new(ReplyBody::ours(format!("{} {:?} {}", peer.address.port(), request.version(), peer.encrypted)))
}

/// A handler that says "ok" and counts.
fn counting() -> (Arc<AtomicUsize>, impl Handler) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let handler = move |_request: Request<Incoming>, _peer: Peer| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Response::new(ReplyBody::ours("ok")) }
    };
    (count, handler)
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = patient(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "localhost").body(Empty::new()).unwrap()
}

fn get_h2() -> Request<Empty<Bytes>> {
    Request::get("http://localhost/").body(Empty::new()).unwrap()
}

#[tokio::test]
async fn http1_connections_are_kept() {
    let server = Running::start(Limits::default(), hello).await;
    let mut client = server.h1().await;
    let first = text(patient(client.send_request(get("/"))).await.unwrap()).await;
    let second = text(patient(client.send_request(get("/"))).await.unwrap()).await;
    assert_eq!(first, second, "the same port, so the same connection");
    assert!(first.ends_with("HTTP/1.1 false"), "{first}");
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = Running::start(Limits::default(), hello).await;
    let mut client = server.h2().await;
    let (one, two) = (client.send_request(get_h2()), client.send_request(get_h2()));
    let (one, two) = patient(async { tokio::join!(one, two) }).await;
    let (one, two) = (text(one.unwrap()).await, text(two.unwrap()).await);
    assert_eq!(one, two);
    assert!(one.ends_with("HTTP/2.0 false"), "{one}");
}

#[tokio::test]
async fn a_preface_may_come_byte_by_byte() {
    let server = Running::start(Limits::default(), hello).await;
    let mut stream = server.raw().await;
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let mut frame = [0; 9];
    patient(stream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame[3], 4, "a SETTINGS frame");
    // A method that begins as the preface does is no preface.
    let mut stream = server.raw().await;
    stream.write_all(b"PR").await.unwrap();
    stream.write_all(b"OPFIND / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn tls_offers_both_versions() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = tls_config(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let server = Running::start_with(ServerConfig { limits: Limits::default(), tls: Some(tls) }, hello).await;
    for (alpn, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = patient(TlsConnector::from(Arc::new(config)).connect(name, server.raw().await)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
        let io = TokioIo::new(stream);
        let response = if version == Version::HTTP_2 {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            patient(sender.send_request(get_h2())).await.unwrap()
        } else {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            patient(sender.send_request(get("/"))).await.unwrap()
        };
        assert_eq!(response.version(), version);
        assert!(text(response).await.ends_with("true"));
    }
}

#[tokio::test]
async fn bad_tls_files_are_explained() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    assert!(tls_config(b"", key.as_bytes()).unwrap_err().contains("BEGIN CERTIFICATE"));
    assert!(tls_config(pem.as_bytes(), b"").unwrap_err().contains("BEGIN PRIVATE KEY"));
    let wrong = other.signing_key.serialize_pem();
    assert!(tls_config(pem.as_bytes(), wrong.as_bytes()).unwrap_err().contains("together"));
}

#[tokio::test]
async fn http1_head_bytes_hold_at_n_and_n_plus_1() {
    for header_bytes in [500, 20_000] {
        let (count, handler) = counting();
        let server = Running::start(Limits { header_bytes, ..Limits::default() }, handler).await;
        let head = |length: usize| {
            let frame = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(length - frame))
        };
        let mut stream = server.raw().await;
        stream.write_all(head(header_bytes).as_bytes()).await.unwrap();
        assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 200"), "{header_bytes}");
        let mut stream = server.raw().await;
        stream.write_all(head(header_bytes + 1).as_bytes()).await.unwrap();
        assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 431"), "{header_bytes}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn header_counts_hold_at_n_and_n_plus_1() {
    for header_count in [5, 100] {
        let (_count, handler) = counting();
        let server = Running::start(Limits { header_count, ..Limits::default() }, handler).await;
        for (fields, status) in [(header_count, 200), (header_count + 1, 431)] {
            let mut head = String::from("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
            for n in 2..fields {
                head.push_str(&format!("X-{n}: 1\r\n"));
            }
            let mut stream = server.raw().await;
            stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
            let reply = read_to_close(&mut stream).await;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{fields} fields: {reply}");

            let mut request = get_h2();
            for n in 0..fields {
                request
                    .headers_mut()
                    .insert(format!("x-{n}").parse::<http::HeaderName>().unwrap(), "1".parse().unwrap());
            }
            let mut client = server.h2().await;
            let response = patient(client.send_request(request)).await.unwrap();
            assert_eq!(response.status(), status, "{fields} fields over HTTP/2");
        }
    }
}

#[tokio::test]
async fn http2_header_lists_are_bounded() {
    let (_count, handler) = counting();
    let header_bytes = 2000;
    let server = Running::start(Limits { header_bytes, ..Limits::default() }, handler).await;
    // RFC 9113, 6.5.2: names and values and 32 for each field.
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")];
    let rest: usize = pseudo.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    let fits = header_bytes - rest - 1 - 32;
    for (length, status) in [(fits, 200), (fits + 1, 431)] {
        let mut request = get_h2();
        request.headers_mut().insert("x", "a".repeat(length).parse().unwrap());
        let mut client = server.h2().await;
        // The client must not keep the server's setting for it: it sends before it has seen it.
        match patient(client.send_request(request)).await {
            Ok(response) => assert_eq!(response.status(), status, "{length}"),
            Err(error) => assert_eq!(status, 431, "{length}: {error}"),
        }
    }
}

#[tokio::test]
async fn slow_heads_are_cut() {
    let (count, handler) = counting();
    let server = Running::start(Limits { head_ms: 100, ..Limits::default() }, handler).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = server.raw().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        assert_eq!(read_to_close(&mut stream).await, "", "after {start:?}");
    }
    // Dripping buys no time: the connection ends while the client still writes.
    let (mut reader, mut writer) = server.raw().await.into_split();
    let dripping = tokio::spawn(async move {
        let _ = writer.write_all(b"GET / HTTP/1.1\r\n").await;
        while writer.write_all(b"X: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut rest = Vec::new();
    let _ = patient(reader.read_to_end(&mut rest)).await;
    patient(dripping).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn slow_handshakes_are_cut() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = tls_config(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let limits = Limits { head_ms: 100, ..Limits::default() };
    let server = Running::start_with(ServerConfig { limits, tls: Some(tls) }, hello).await;
    for start in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = server.raw().await;
        stream.write_all(start).await.unwrap();
        assert_eq!(read_to_close(&mut stream).await, "");
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let (_count, handler) = counting();
    let server = Running::start(Limits { idle_ms: 100, ..Limits::default() }, handler).await;
    let mut stream = server.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read_to_close(&mut stream).await.ends_with("ok"));

    let io = TokioIo::new(server.raw().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    assert_eq!(text(patient(sender.send_request(get_h2())).await.unwrap()).await, "ok");
    patient(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_are_limited() {
    let (count, handler) = counting();
    let server = Running::start(Limits { connections: 2, ..Limits::default() }, handler).await;
    let mut first = server.h1().await;
    let mut second = server.h1().await;
    for client in [&mut first, &mut second] {
        assert_eq!(text(patient(client.send_request(get("/"))).await.unwrap()).await, "ok");
    }
    let mut third = server.raw().await;
    third.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(200), third.read(&mut byte)).await.is_err(), "a third one is served");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    drop(first);
    assert!(read_to_close(&mut third).await.ends_with("ok"));
}

#[tokio::test]
async fn http2_streams_are_limited() {
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&open), Arc::clone(&most));
    let handler = move |_request: Request<Incoming>, _peer: Peer| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Response::new(ReplyBody::ours("ok"))
        }
    };
    let server = Running::start(Limits { streams: 3, ..Limits::default() }, handler).await;
    let mut client = server.h2().await;
    // The first exchange brings the server's settings.
    patient(client.send_request(get_h2())).await.unwrap();
    let sent: Vec<_> = (0..20).map(|_| client.send_request(get_h2())).collect();
    for response in sent {
        assert_eq!(text(patient(response).await.unwrap()).await, "ok");
    }
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?}");
}

/// Frames of HTTP/2 by hand: requests that are reset at once.
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let (count, handler) = counting();
    let server = Running::start(Limits { stream_resets: 8, ..Limits::default() }, handler).await;
    let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..4000_u32).step_by(2) {
        wire.extend_from_slice(&[0, 0, 3, 1, 5]);
        wire.extend_from_slice(&stream.to_be_bytes());
        wire.extend_from_slice(&[0x82, 0x86, 0x84]);
        wire.extend_from_slice(&[0, 0, 4, 3, 0]);
        wire.extend_from_slice(&stream.to_be_bytes());
        wire.extend_from_slice(&[0, 0, 0, 8]);
    }
    let (mut reader, mut writer) = server.raw().await.into_split();
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(&wire).await;
        writer
    });
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = patient(reader.read(&mut buffer)).await {
        all.extend_from_slice(&buffer[..count]);
    }
    drop(patient(writing).await.unwrap());
    assert!(count.load(Ordering::SeqCst) < 1000, "{count:?} of 2000 reset requests were worked on");
    // A GOAWAY (type 7) with ENHANCE_YOUR_CALM (11) is among the frames.
    let mut rest = &all[..];
    let mut calm = false;
    while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, next) = tail.split_at(length.min(tail.len()));
        calm |= *kind == 7 && payload.get(4..8) == Some(&[0, 0, 0, 11]);
        rest = next;
    }
    assert!(calm, "{all:?}");
}

#[tokio::test]
async fn heads_that_two_parsers_read_differently_are_refused() {
    let (count, handler) = counting();
    let server = Running::start(Limits::default(), handler).await;
    for head in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    ] {
        for whole in [true, false] {
            let mut stream = server.raw().await;
            stream.set_nodelay(true).unwrap();
            if whole {
                stream.write_all(head.as_bytes()).await.unwrap();
            } else {
                for byte in head.as_bytes() {
                    // The refusal may come before the last byte.
                    if stream.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                }
            }
            let reply = read_to_close(&mut stream).await;
            assert!(reply.starts_with("HTTP/1.1 400"), "{head:?}: {reply:?}");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_second_request_on_a_connection_is_held_to_the_same() {
    let (count, handler) = counting();
    let server = Running::start(Limits::default(), handler).await;
    let mut stream = server.raw().await;
    let good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\n\n";
    let bad = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(format!("{good}{good}{bad}{good}").as_bytes()).await.unwrap();
    let reply = read_to_close(&mut stream).await;
    assert_eq!(reply.matches("HTTP/1.1 200").count(), 2, "{reply}");
    assert_eq!(reply.matches("HTTP/1.1 400").count(), 1, "{reply}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

async fn read_json(request: Request<Incoming>, limits: Limits) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(ReplyBody::empty());
    match read_body(body, &head.headers, &limits).await {
        Ok(body) => *response.body_mut() = ReplyBody::ours(format!("read {}", body.len())),
        Err(fault) => {
            *response.status_mut() = match fault.cause {
                Cause::Oversize => StatusCode::PAYLOAD_TOO_LARGE,
                Cause::Timeout => StatusCode::REQUEST_TIMEOUT,
                _ => StatusCode::BAD_REQUEST,
            };
        }
    }
    response
}

fn reading(limits: &Limits) -> impl Handler {
    let limits = limits.clone();
    move |request: Request<Incoming>, _peer: Peer| read_json(request, limits.clone())
}

#[tokio::test]
async fn bodies_hold_at_n_and_n_plus_1_in_both_framings() {
    let limits = Limits { body_bytes: 100_000, ..Limits::default() };
    let server = Running::start(limits.clone(), reading(&limits)).await;
    for (length, status) in [(limits.body_bytes, "200"), (limits.body_bytes + 1, "413")] {
        let body = " ".repeat(length);
        for head in [
            format!("Content-Length: {length}\r\n\r\n{body}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nX-Late: 1\r\n\r\n"),
        ] {
            let mut stream = server.raw().await;
            let request =
                format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n{head}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let reply = read_to_close(&mut stream).await;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{length}: {reply}");
        }
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let mut client = server.h2().await;
        let response = patient(client.send_request(request)).await.unwrap();
        assert_eq!(response.status().as_str(), status);
    }
}

#[tokio::test]
async fn a_client_that_still_sends_gets_to_read_its_413() {
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let server = Running::start(limits.clone(), reading(&limits)).await;
    let mut stream = server.raw().await;
    // More than the kernel's buffers take: somebody has to read it, or the client's writing fails.
    let length = 20_000_000;
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; length]).await.unwrap();
    let reply = read_to_close(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
}

#[tokio::test]
async fn slow_bodies_are_cut() {
    let limits = Limits { body_ms: 50, ..Limits::default() };
    let server = Running::start(limits.clone(), reading(&limits)).await;
    let mut stream = server.raw().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn chunked_requests_end_their_connection() {
    let limits = Limits::default();
    let server = Running::start(limits.clone(), reading(&limits)).await;
    let mut stream = server.raw().await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    // What follows a chunked body is not looked at any more, so it is not answered either.
    stream.write_all(format!("{request}{request}").as_bytes()).await.unwrap();
    let reply = read_to_close(&mut stream).await;
    assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
    assert!(reply.contains("connection: close") && reply.ends_with("read 2"), "{reply}");
}

#[tokio::test]
async fn an_expectation_is_met() {
    let limits = Limits::default();
    let server = Running::start(limits.clone(), reading(&limits)).await;
    let mut stream = server.raw().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"{}").await.unwrap();
    assert!(read_until(&mut stream, "read 2").await.starts_with("HTTP/1.1 200"));
}

/// A handler that streams what the test sends, and hands out the sender once it was called.
fn streaming() -> (mpsc::UnboundedReceiver<mpsc::Sender<Piece>>, impl Handler) {
    let (hand_out, senders) = mpsc::unbounded_channel();
    let handler = move |_request: Request<Incoming>, _peer: Peer| {
        let (sender, pieces) = mpsc::channel(4);
        hand_out.send(sender).unwrap();
        async move { Response::new(ReplyBody::stream(pieces)) }
    };
    (senders, handler)
}

fn words(text: &'static str) -> Piece {
    Piece::Ours(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_drain_lets_running_streams_end_and_takes_no_new_ones() {
    let (mut senders, handler) = streaming();
    let mut server = Running::start(Limits::default(), handler).await;
    let mut h1 = server.h1().await;
    let mut h2 = server.h2().await;
    let mut idle = server.raw().await;
    let mut bodies = Vec::new();
    let mut open = Vec::new();
    for response in [patient(h1.send_request(get("/"))).await, patient(h2.send_request(get_h2())).await] {
        let sender = senders.recv().await.unwrap();
        sender.send(words("one ")).await.unwrap();
        let mut body = response.unwrap().into_body();
        assert_eq!(patient(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "one ");
        bodies.push(body);
        open.push(sender);
    }
    server.stop();
    assert_eq!(read_to_close(&mut idle).await, "", "an idle connection is closed");
    patient(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!server.ended.is_finished());
    for sender in open {
        sender.send(words("two")).await.unwrap();
    }
    for body in bodies {
        assert_eq!(patient(body.collect()).await.unwrap().to_bytes(), "two");
    }
    assert_eq!(patient(server.ended).await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_does_not_wait_for_idle_clients() {
    let (_count, handler) = counting();
    let mut server = Running::start(Limits { drain_ms: 3_600_000, ..Limits::default() }, handler).await;
    let fresh = server.raw().await;
    let mut used = server.raw().await;
    used.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut used, "ok").await;
    let mut h2 = server.h2().await;
    assert_eq!(text(patient(h2.send_request(get_h2())).await.unwrap()).await, "ok");
    server.stop();
    assert_eq!(patient(server.ended).await.unwrap(), Drained { cut: 0 });
    drop((fresh, used, h2));
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let (mut senders, handler) = streaming();
    let mut server = Running::start(Limits { drain_ms: 50, ..Limits::default() }, handler).await;
    let mut h1 = server.h1().await;
    let mut h2 = server.h2().await;
    let first = patient(h1.send_request(get("/"))).await.unwrap();
    let second = patient(h2.send_request(get_h2())).await.unwrap();
    let senders = [senders.recv().await.unwrap(), senders.recv().await.unwrap()];
    server.stop();
    assert_eq!(patient(server.ended).await.unwrap(), Drained { cut: 2 });
    for response in [first, second] {
        assert!(patient(response.into_body().collect()).await.is_err(), "a cut stream must not look whole");
    }
    for sender in senders {
        patient(sender.closed()).await;
    }
}

#[tokio::test]
async fn the_sender_notices_that_the_client_went() {
    let (mut senders, handler) = streaming();
    let server = Running::start(Limits::default(), handler).await;
    let mut h1 = server.h1().await;
    let response = patient(h1.send_request(get("/"))).await.unwrap();
    let sender = senders.recv().await.unwrap();
    assert!(!sender.is_closed());
    drop((response, h1));
    patient(sender.closed()).await;

    let mut h2 = server.h2().await;
    let gone = patient(h2.send_request(get_h2())).await.unwrap();
    let stays = patient(h2.send_request(get_h2())).await.unwrap();
    let (left, kept) = (senders.recv().await.unwrap(), senders.recv().await.unwrap());
    drop(gone);
    patient(left.closed()).await;
    assert!(!kept.is_closed(), "the other stream of the connection lives on");
    kept.send(words("x")).await.unwrap();
    drop(kept);
    assert_eq!(text(stays).await, "x");
}

#[tokio::test]
async fn a_waiting_handler_is_dropped_with_its_client() {
    struct Flag(Arc<AtomicUsize>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (called, mut calls) = mpsc::unbounded_channel();
    let counted = Arc::clone(&dropped);
    let handler = move |_request: Request<Incoming>, _peer: Peer| {
        let flag = Flag(Arc::clone(&counted));
        called.send(()).unwrap();
        async move {
            std::future::pending::<()>().await;
            drop(flag);
            Response::new(ReplyBody::empty())
        }
    };
    let server = Running::start(Limits::default(), handler).await;
    let mut stream = server.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    calls.recv().await.unwrap();
    drop(stream);
    let mut h2 = server.h2().await;
    let waiting = tokio::spawn(h2.send_request(get_h2()));
    calls.recv().await.unwrap();
    waiting.abort();
    patient(async {
        while dropped.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_cut_reply_does_not_look_whole() {
    let (mut senders, handler) = streaming();
    let server = Running::start(Limits::default(), handler).await;
    let mut h1 = server.h1().await;
    let mut h2 = server.h2().await;
    for response in [patient(h1.send_request(get("/"))).await, patient(h2.send_request(get_h2())).await] {
        let sender = senders.recv().await.unwrap();
        sender.send(words("part")).await.unwrap();
        sender.send(Piece::Cut).await.unwrap();
        assert!(patient(response.unwrap().into_body().collect()).await.is_err());
    }
}

#[tokio::test]
async fn a_reply_that_nobody_reads_is_given_up() {
    let (mut senders, handler) = streaming();
    let server = Running::start(Limits { idle_ms: 100, ..Limits::default() }, handler).await;
    let mut stream = server.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let sender = senders.recv().await.unwrap();
    let block = Bytes::from(vec![b'a'; 256 * 1024]);
    patient(async { while sender.send(Piece::Ours(block.clone())).await.is_ok() {} }).await;
    drop(stream);
}

#[tokio::test]
async fn a_panic_costs_one_exchange() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    let early = Arc::new(AtomicBool::new(true));
    let handler = move |request: Request<Incoming>, _peer: Peer| {
        noted.lock().unwrap().push(request.uri().path().to_owned());
        if request.uri().path() == "/panic-early" && early.load(Ordering::SeqCst) {
            panic!("before the future");
        }
        async move {
            tokio::task::yield_now().await;
            assert_ne!(request.uri().path(), "/panic", "inside the future");
            Response::new(ReplyBody::ours("ok"))
        }
    };
    let server = Running::start(Limits::default(), handler).await;
    let mut h1 = server.h1().await;
    let mut h2 = server.h2().await;
    for path in ["/panic", "/panic-early"] {
        let response = patient(h1.send_request(get(path))).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let reply = text(response).await;
        assert!(reply.contains("Internal error") && !reply.contains("future"), "{reply}");
        assert_eq!(text(patient(h1.send_request(get("/"))).await.unwrap()).await, "ok");

        let request = Request::get(format!("http://localhost{path}")).body(Empty::<Bytes>::new()).unwrap();
        let response = patient(h2.send_request(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(text(patient(h2.send_request(get_h2())).await.unwrap()).await, "ok");
    }
    assert_eq!(calls.lock().unwrap().len(), 8);
}

#[tokio::test]
async fn trailers_of_a_request_do_not_become_headers() {
    let (seen, mut heads) = mpsc::unbounded_channel::<HeaderMap>();
    let handler = move |request: Request<Incoming>, _peer: Peer| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            read_body(body, &head.headers, &Limits::default()).await.unwrap();
            seen.send(head.headers).unwrap();
            Response::new(ReplyBody::ours("ok"))
        }
    };
    let server = Running::start(Limits::default(), handler).await;
    let mut stream = server.raw().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTrailer: X-Late\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Late: 1\r\n\r\n")
        .await
        .unwrap();
    assert!(read_to_close(&mut stream).await.ends_with("ok"));
    assert!(!heads.recv().await.unwrap().contains_key("x-late"));
}
