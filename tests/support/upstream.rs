//! A provider that answers what a test wrote, byte for byte, in the pieces that the test cut. The script is found by the
//! request's `model`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What is answered to a model's name.
#[derive(Clone, Default)]
pub struct Script {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    pub pieces: Vec<Bytes>,
    /// Waited for before the last piece.
    pub gate: Option<Arc<Notify>>,
    /// `@@` in the pieces becomes the first `[CARD-…]` of the request; the reply is cut into pieces of so many bytes.
    pub echo: Option<usize>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A running upstream; it stops when this is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    seen: Mutex<Vec<Seen>>,
}

impl Script {
    /// Server-sent events, each piece as one write.
    pub fn events(pieces: Vec<Bytes>) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/event-stream")], pieces, gate: None, echo: None }
    }

    /// A JSON body.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json")],
            pieces: vec![body.into()],
            gate: None,
            echo: None,
        }
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, shared, task }
    }

    /// Writes what is answered to a model's name.
    pub fn script(&self, model: &str, script: Script) {
        self.shared.scripts.lock().unwrap().insert(model.to_owned(), script);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let model = asked["model"].as_str().unwrap_or_default();
    let script = shared.scripts.lock().unwrap().get(model).cloned();
    let seen = Seen { path: head.uri.path().to_owned(), headers: head.headers, body: body.clone() };
    shared.seen.lock().unwrap().push(seen);
    let mut script = script.unwrap_or_else(|| Script::json(404, format!("{{\"error\":\"no script for {model}\"}}")));
    if let Some(bytes) = script.echo {
        let asked = String::from_utf8_lossy(&body);
        let token = asked.find("[CARD-").and_then(|at| asked[at..].split_inclusive(']').next()).unwrap_or("no token");
        let whole = String::from_utf8(script.pieces.concat()).unwrap().replace("@@", token);
        script.pieces = whole.into_bytes().chunks(bytes).map(Bytes::copy_from_slice).collect();
    }
    let last = script.pieces.len().saturating_sub(1);
    let state = (script.pieces.into_iter().enumerate(), script.gate);
    let pieces = stream::unfold(state, move |(mut pieces, gate)| async move {
        let (index, piece) = pieces.next()?;
        if let (Some(gate), true) = (&gate, index == last) {
            gate.notified().await;
        }
        // Gives the connection a chance to write each piece by itself.
        tokio::task::yield_now().await;
        Some((Ok::<_, Infallible>(Frame::data(piece)), (pieces, gate)))
    });
    let mut response = Response::builder().status(script.status);
    for (name, value) in script.headers {
        response = response.header(name, value);
    }
    Ok(response.body(StreamBody::new(Box::pin(pieces))).unwrap())
}
