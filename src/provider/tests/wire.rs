//! Versions, pooling, TLS, and what stands in a head.

use std::sync::atomic::Ordering;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{
    Auth, Cleared, KEY, Limits, MockConfig, MockProvider, OutboundHead, PROMPT, Provider, ProviderClient, Secret, body,
    client, client_of, mock, patient, raw, read, send, tls,
};
use crate::provider::Media;

#[tokio::test]
async fn a_request_arrives_as_it_was_cleared() {
    let mock = mock(MockConfig::default()).await;
    let client = client(&mock, &Limits::default());
    let mut from_client = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer client"),
        ("accept", "application/json"),
        ("accept-encoding", "br"),
        ("content-encoding", "gzip"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", "7"),
        ("host", "elsewhere"),
        ("connection", "keep-alive, x-listed"),
        ("x-listed", "1"),
        ("cookie", "a=b"),
        ("te", "trailers"),
        ("trailer", "x-late"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-portcullis-policy", "off"),
        ("x-stainless-os", "x"),
        ("user-agent", "OpenAI/Python"),
    ] {
        from_client.append(name, HeaderValue::from_static(value));
    }
    let head = OutboundHead::from_client(&from_client).unwrap();
    let sent = body(false).into_bytes();
    let reply = patient(client.send("/chat/completions", &head, Cleared::mint_for_test(sent.clone()))).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.media), (200, Some(Media::Json)));
    assert!(read(reply).await.unwrap().contains("Portcullis mock provider"));

    let seen = mock.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.version, Version::HTTP_11);
    assert_eq!(seen.authority.unwrap(), mock.addr().to_string());
    assert_eq!(seen.body, sent);
    assert!(seen.trailers.is_none());
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected =
        ["accept", "accept-encoding", "authorization", "content-length", "content-type", "host", "user-agent"];
    assert_eq!(names, expected);
    assert_eq!(seen.headers[AUTHORIZATION], format!("Bearer {KEY}"));
    assert_eq!(seen.headers[ACCEPT_ENCODING], "identity");
    assert_eq!(seen.headers[CONTENT_TYPE], "application/json");
    assert_eq!(seen.headers[CONTENT_LENGTH], sent.len().to_string());
}

#[tokio::test]
async fn models_are_fetched_without_a_body() {
    let mock = mock(MockConfig::default()).await;
    let client = client_of(&format!("http://{}/v1/", mock.addr()), Auth::PassThrough, &Limits::default());
    let mut from_client = HeaderMap::new();
    from_client.insert(AUTHORIZATION, HeaderValue::from_static("Bearer own"));
    let head = OutboundHead::from_client(&from_client).unwrap();
    let reply = patient(client.fetch("/models", &head)).await.unwrap();
    assert!(read(reply).await.unwrap().contains("\"demo\""));
    let seen = mock.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(seen.headers[AUTHORIZATION], "Bearer own");
    assert!(seen.body.is_empty() && !seen.headers.contains_key(CONTENT_TYPE));
}

#[tokio::test]
async fn http1_connections_are_pooled() {
    let mock = mock(MockConfig::default()).await;
    let client = client(&mock, &Limits::default());
    for _ in 0..5 {
        read(send(&client, false).await.unwrap()).await.unwrap();
        read(send(&client, true).await.unwrap()).await.unwrap();
    }
    assert_eq!((mock.requests(), mock.connections(), mock.dropped()), (10, 1, 0));
}

#[tokio::test]
async fn http2_is_chosen_by_alpn_and_shared() {
    let (pem, config) = tls(&[b"h2", b"http/1.1"]);
    let mock = MockProvider::start_tls(
        ([127, 0, 0, 1], 0).into(),
        MockConfig { keep_seen: 16, ..MockConfig::default() },
        config,
    )
    .await
    .unwrap();
    let base_url = format!("https://localhost:{}/v1", mock.addr().port());
    let auth = Auth::Held(Secret::new(KEY.to_owned()));
    let provider = Provider::new("p", &base_url, auth, &[], false).unwrap().with_extra_roots(pem.into_bytes());
    let client = ProviderClient::new(provider, &Limits::default()).unwrap();
    read(send(&client, false).await.unwrap()).await.unwrap();
    let (one, two, three) = tokio::join!(send(&client, true), send(&client, true), send(&client, false));
    for reply in [one, two, three] {
        assert!(read(reply.unwrap()).await.unwrap().contains("mock"));
    }
    assert_eq!((mock.requests(), mock.connections()), (4, 1));
    let seen = mock.seen().pop().unwrap();
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.authority.unwrap(), format!("localhost:{}", mock.addr().port()));
    assert!(!seen.headers.contains_key("host"));
}

#[tokio::test]
async fn tls_without_http2_falls_back() {
    let (pem, config) = tls(&[b"http/1.1"]);
    let mock = MockProvider::start_tls(
        ([127, 0, 0, 1], 0).into(),
        MockConfig { keep_seen: 1, ..MockConfig::default() },
        config,
    )
    .await
    .unwrap();
    let base_url = format!("https://localhost:{}/v1", mock.addr().port());
    let provider = Provider::new("p", &base_url, Auth::None, &[], false).unwrap().with_extra_roots(pem.into_bytes());
    let client = ProviderClient::new(provider, &Limits::default()).unwrap();
    read(send(&client, true).await.unwrap()).await.unwrap();
    assert_eq!(mock.seen()[0].version, Version::HTTP_11);
}

#[tokio::test]
async fn an_unknown_certificate_is_refused() {
    let (_pem, config) = tls(&[b"h2"]);
    let (other, _) = tls(&[b"h2"]);
    let mock = MockProvider::start_tls(([127, 0, 0, 1], 0).into(), MockConfig::default(), config).await.unwrap();
    let base_url = format!("https://localhost:{}/v1", mock.addr().port());
    for roots in [Vec::new(), other.into_bytes()] {
        let provider = Provider::new("p", &base_url, Auth::None, &[], false).unwrap().with_extra_roots(roots);
        let client = ProviderClient::new(provider, &Limits::default()).unwrap();
        let fault = send(&client, false).await.unwrap_err();
        assert!(fault.detail.contains("no connection") && fault.detail.contains("certificate"), "{fault}");
    }
    assert_eq!(mock.requests(), 0);
}

#[test]
fn unusable_roots_are_explained() {
    for roots in [&b"nonsense"[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let provider = Provider::new("p", "https://localhost", Auth::None, &[], false).unwrap();
        let problem = ProviderClient::new(provider.with_extra_roots(roots.to_vec()), &Limits::default()).unwrap_err();
        assert!(problem.starts_with("provider p: extra CA file:"), "{problem}");
    }
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_is_replaced() {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let (base_url, count) = raw(reply).await;
    let client = client_of(&base_url, Auth::None, &Limits::default());
    for _ in 0..3 {
        assert_eq!(read(send(&client, false).await.unwrap()).await.unwrap(), "{}");
        // The pool learns of the close when its connection task runs.
        while count.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_was_sent_is_not_sent_again() {
    // First a good exchange, then the pooled connection takes the second request and dies: it may have been worked on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()), Auth::None, &Limits::default());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        for round in 1..=2 {
            while String::from_utf8_lossy(&all).matches(PROMPT).count() < round {
                let count = stream.read(&mut buffer).await.unwrap();
                all.extend_from_slice(&buffer[..count]);
            }
            if round == 1 {
                let reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(reply).await.unwrap();
            }
        }
        drop(stream);
        listener
    });
    read(send(&client, false).await.unwrap()).await.unwrap();
    let fault = send(&client, false).await.unwrap_err();
    assert!(fault.detail.contains("no reply"), "{fault}");
    let listener = server.await.unwrap();
    let again = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
    assert!(again.is_err(), "the request was sent a second time");
}

#[tokio::test]
async fn an_exchange_ends_at_the_provider_when_it_is_dropped() {
    for fault in ["silence", "hang"] {
        let mock = mock(MockConfig { fault: Some(fault.parse().unwrap()), ..MockConfig::default() }).await;
        let client = client(&mock, &Limits::default());
        if fault == "silence" {
            let mut reply = send(&client, true).await.unwrap();
            assert!(patient(reply.body.next_chunk()).await.unwrap().is_ok());
        } else {
            let head = OutboundHead::default();
            let sending = client.send("/chat/completions", &head, body(true));
            assert!(tokio::time::timeout(std::time::Duration::from_millis(100), sending).await.is_err());
        }
        patient(async {
            while mock.dropped() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
