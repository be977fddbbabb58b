//! Every fault of the mock, and what the client makes of it.

use std::time::Duration;

use super::{
    Fault, Limits, MockConfig, MockFault, ProviderReply, assert_quiet, client, client_of, faulty, mock, patient, raw,
    read, send,
};
use crate::base::{Blame, Cause};
use crate::provider::{Auth, Media};

fn limits() -> Limits {
    Limits { first_byte_ms: 200, silence_ms: 200, ..Limits::default() }
}

fn assert_upstream(fault: &Fault, word: &str) {
    assert_quiet(fault);
    assert_eq!((fault.cause, fault.blame), (Cause::Upstream, Blame::Provider), "{fault}");
    assert!(fault.detail.contains(word), "{fault}");
}

async fn both(fault: MockFault) -> Vec<Result<ProviderReply, Fault>> {
    let config = MockConfig { fault: Some(fault), reply: Some("Well.".to_owned()), ..MockConfig::default() };
    let mock = mock(config).await;
    let client = client(&mock, &limits());
    let replies = vec![send(&client, false).await, send(&client, true).await];
    assert_eq!(mock.requests(), 2, "{fault}: one request each, no retry, no redirect followed");
    // The mock lives until the bodies are read.
    tokio::spawn(async move {
        let _mock = mock;
        std::future::pending::<()>().await;
    });
    replies
}

#[tokio::test]
async fn every_fault_is_seen_for_what_it_is() {
    let all = MockFault::ALL.into_iter().chain([MockFault::Status(429), MockFault::Status(503)]);
    let mut count = 0;
    for fault in all {
        for (index, reply) in both(fault).await.into_iter().enumerate() {
            let streamed = index == 1;
            check(fault, streamed, reply).await;
            count += 1;
        }
    }
    assert_eq!(count, 46);
}

async fn check(fault: MockFault, streamed: bool, reply: Result<ProviderReply, Fault>) {
    let expected = if streamed { Media::EventStream } else { Media::Json };
    match fault {
        // No reply at all.
        MockFault::Brotli => assert_upstream(&reply.unwrap_err(), "Content-Encoding \"br\""),
        MockFault::Hang => assert_upstream(&reply.unwrap_err(), "no reply within 200 ms"),
        MockFault::HugeHead | MockFault::Reset => assert_upstream(&reply.unwrap_err(), "no reply"),
        MockFault::Redirect => assert_upstream(&reply.unwrap_err(), "redirects are never followed"),
        // A head that tells.
        MockFault::Charset | MockFault::ContentType => assert_eq!(reply.unwrap().media, None),
        MockFault::Status(status) => {
            let reply = reply.unwrap();
            assert_eq!((reply.status.as_u16(), reply.media), (status, Some(Media::Json)));
            assert!(read(reply).await.unwrap().contains("\"error\""));
        }
        MockFault::Trailers => {
            let reply = reply.unwrap();
            let names: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
            assert_eq!(names, ["x-upstream-request-id"]);
            assert!(read(reply).await.unwrap().contains("mock-"));
        }
        // A body that goes wrong on the way.
        MockFault::Cut => assert_upstream(&read(reply.unwrap()).await.unwrap_err(), "broke off"),
        MockFault::GzipCut => assert_upstream(&read(reply.unwrap()).await.unwrap_err(), "cannot be decompressed"),
        MockFault::Silence => assert_upstream(&read(reply.unwrap()).await.unwrap_err(), "silent for 200 ms"),
        // A body that arrives; whether it says what it should is for the dialect to see.
        MockFault::Bom => assert!(read(reply.unwrap()).await.unwrap().starts_with('\u{feff}')),
        MockFault::Crlf => assert_eq!(read(reply.unwrap()).await.unwrap().contains("\r\n\r\n"), streamed),
        MockFault::DuplicateKeys => assert!(read(reply.unwrap()).await.unwrap().contains("\"object\":\"first\"")),
        MockFault::Garbage => assert!(read(reply.unwrap()).await.unwrap().contains("this is no JSON")),
        MockFault::Gzip | MockFault::SlowDrip => {
            let reply = reply.unwrap();
            assert_eq!(reply.media, Some(expected));
            let text = read(reply).await.unwrap();
            let whole = if streamed { text.ends_with("data: [DONE]\n\n") } else { text.ends_with('}') };
            assert!(whole && text.contains("mock-"), "{text}");
        }
        MockFault::HugeEvent => assert!(read(reply.unwrap()).await.unwrap().len() > 2 * 1024 * 1024),
        MockFault::InvalidUtf8 => assert!(read(reply.unwrap()).await.unwrap().contains("\u{fffd}\u{fffd}")),
        MockFault::LoneSurrogate => assert!(read(reply.unwrap()).await.unwrap().contains("\\ud800")),
        MockFault::NoDone => assert!(!read(reply.unwrap()).await.unwrap().contains("[DONE]")),
    }
}

#[tokio::test]
async fn nothing_more_comes_after_an_error() {
    for fault in [MockFault::Cut, MockFault::GzipCut, MockFault::Silence] {
        let mock = faulty(fault).await;
        let mut reply = send(&client(&mock, &limits()), true).await.unwrap();
        while patient(reply.body.next_chunk()).await.unwrap().is_ok() {}
        assert!(patient(reply.body.next_chunk()).await.is_none(), "{fault}");
    }
}

#[tokio::test]
async fn silence_counts_on_when_the_waiting_is_broken_off() {
    let mock = faulty(MockFault::Silence).await;
    let mut reply = send(&client(&mock, &limits()), true).await.unwrap();
    let fault = patient(async {
        loop {
            let waited = tokio::time::timeout(Duration::from_millis(10), reply.body.next_chunk()).await;
            if let Ok(Some(Err(fault))) = waited {
                return fault;
            }
        }
    })
    .await;
    assert_upstream(&fault, "silent for 200 ms");
}

#[tokio::test]
async fn no_byte_is_lost_when_the_waiting_is_broken_off() {
    let config = MockConfig { reply: Some("0123456789".to_owned()), chunk_bytes: 1, ..MockConfig::default() };
    let mock = mock(MockConfig { chunk_delay_ms: 5, ..config }).await;
    let mut reply = send(&client(&mock, &Limits::default()), true).await.unwrap();
    let mut all = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(1), reply.body.next_chunk()).await {
            Ok(None) => break,
            Ok(Some(chunk)) => all.extend_from_slice(&chunk.unwrap()),
            Err(_) => {}
        }
    }
    let all = String::from_utf8(all).unwrap();
    assert!(all.ends_with("data: [DONE]\n\n"));
    for digit in 0..10 {
        assert!(all.contains(&format!("\"content\":\"{digit}\"")), "{digit} of {all}");
    }
}

#[tokio::test]
async fn one_request_may_carry_its_own_fault() {
    let mock = mock(MockConfig::default()).await;
    let client = client(&mock, &limits());
    let control = serde_json::json!({
        "model": "demo", "messages": [{ "role": "user", "content": "x [[mock {\"fault\":\"status:418\"}]]" }]
    });
    let body = crate::inspect::Cleared::mint_for_test(bytes::Bytes::from(control.to_string()));
    let reply = patient(client.send("/chat/completions", &super::OutboundHead::default(), body)).await.unwrap();
    assert_eq!(reply.status.as_u16(), 418);
    assert_eq!(send(&client, false).await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn a_dead_port_is_no_connection() {
    let mock = mock(MockConfig::default()).await;
    let client = client(&mock, &limits());
    mock.stop().await;
    assert_upstream(&send(&client, false).await.unwrap_err(), "no connection");
}

#[tokio::test]
async fn connecting_has_its_own_time() {
    // Accepts, and never says a word of TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let client = client_of(&base_url, Auth::None, &Limits { connect_ms: 100, ..Limits::default() });
    assert_upstream(&send(&client, false).await.unwrap_err(), "no connection within 100 ms");
}

#[tokio::test]
async fn heads_that_lie_about_the_body_are_refused() {
    for (reply, word) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "no reply"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "no reply"),
        ("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\nContent-Length: 2\r\n\r\n{}", "no reply"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "101"),
        ("SSH-2.0-OpenSSH\r\n", "no reply"),
        ("", "no reply"),
        ("HTTP/1.1 200", "no reply"),
    ] {
        let (base_url, _count) = raw(reply.as_bytes().to_vec()).await;
        let client = client_of(&base_url, Auth::None, &limits());
        assert_upstream(&send(&client, false).await.expect_err(reply), word);
    }
}

#[tokio::test]
async fn bodies_that_break_off_are_noticed() {
    for reply in [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
    ] {
        let (base_url, _count) = raw(reply.as_bytes().to_vec()).await;
        let client = client_of(&base_url, Auth::None, &limits());
        let fault = read(send(&client, false).await.unwrap()).await.expect_err(reply);
        assert_upstream(&fault, "broke off");
    }
}

#[tokio::test]
async fn interim_replies_are_skipped() {
    let reply = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let (base_url, _count) = raw(reply.as_bytes().to_vec()).await;
    let client = client_of(&base_url, Auth::None, &limits());
    let reply = send(&client, false).await.unwrap();
    assert!(reply.headers.is_empty());
    assert_eq!(read(reply).await.unwrap(), "{}");
}
