//! The provider client against the mock and against hand-made servers, over real sockets.

mod faults;
mod limits;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{
    Auth, MockConfig, MockFault, MockHandle, MockProvider, OutboundHead, Provider, ProviderClient, ProviderReply,
};
use crate::base::{Fault, Limits, Secret};
use crate::inspect::Cleared;

/// Only so that a broken build ends; nothing here is about time.
async fn patient<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(30), future).await.expect("took too long")
}

async fn mock(config: MockConfig) -> MockHandle {
    MockProvider::start(([127, 0, 0, 1], 0).into(), MockConfig { keep_seen: 16, ..config }).await.unwrap()
}

async fn faulty(fault: MockFault) -> MockHandle {
    mock(MockConfig { fault: Some(fault), ..MockConfig::default() }).await
}

fn client_of(base_url: &str, auth: Auth, limits: &Limits) -> ProviderClient {
    let provider = Provider::new("p", base_url, auth, &[], true).unwrap();
    ProviderClient::new(provider, limits).unwrap()
}

fn client(mock: &MockHandle, limits: &Limits) -> ProviderClient {
    client_of(&format!("http://{}/v1", mock.addr()), Auth::Held(Secret::new(KEY.to_owned())), limits)
}

const KEY: &str = "sk-held-secret";
const PROMPT: &str = "a private prompt";

fn body(stream: bool) -> Cleared<Bytes> {
    let body = serde_json::json!({
        "model": "demo", "stream": stream, "messages": [{ "role": "user", "content": PROMPT }]
    });
    Cleared::mint_for_test(Bytes::from(body.to_string()))
}

async fn send(client: &ProviderClient, stream: bool) -> Result<ProviderReply, Fault> {
    let head = OutboundHead::from_client(&HeaderMap::new()).unwrap();
    let result = patient(client.send("/chat/completions", &head, body(stream))).await;
    if let Err(fault) = &result {
        assert_quiet(fault);
    }
    result
}

/// No fault may carry a key or a text.
fn assert_quiet(fault: &Fault) {
    assert!(!fault.detail.contains(KEY) && !fault.detail.contains(PROMPT), "{fault}");
}

async fn read(reply: ProviderReply) -> Result<String, Fault> {
    let whole = patient(reply.body.read_all(usize::MAX)).await.inspect_err(assert_quiet)?;
    Ok(String::from_utf8_lossy(&whole).into_owned())
}

/// A self-signed certificate as PEM, and a server that uses it and offers `alpn`.
fn tls(alpn: &[&[u8]]) -> (String, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (made.cert.pem(), Arc::new(config))
}

/// A server that reads one request a connection, answers `reply` and closes; its base URL. It counts connections.
async fn raw(reply: Vec<u8>) -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&request).contains(PROMPT) {
                match stream.read(&mut buffer).await {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(&reply).await;
            let _ = stream.shutdown().await;
        }
    });
    (base_url, count)
}
