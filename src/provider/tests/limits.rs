//! Bounds on replies, at n and n + 1.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Auth, Limits, client_of, patient, raw, send};
use crate::base::{Blame, Cause};

fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn whole_replies_hold_at_n_and_n_plus_1() {
    for length in [5, 300_000] {
        let (base_url, _count) = raw(reply("", &vec![b' '; length])).await;
        let client = client_of(&base_url, Auth::None, &Limits::default());
        let fits = send(&client, false).await.unwrap();
        assert_eq!(patient(fits.body.read_all(length)).await.unwrap().len(), length);
        let over = send(&client, false).await.unwrap();
        let fault = patient(over.body.read_all(length - 1)).await.unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Oversize, Blame::Provider));
    }
}

#[tokio::test]
async fn compressed_replies_are_bounded_after_decompression() {
    let length = 100_000;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&vec![b' '; length]).unwrap();
    let wire = reply("Content-Encoding: gzip\r\n", &encoder.finish().unwrap());
    let (base_url, _count) = raw(wire).await;
    for (stream_bytes, fits) in [(length, true), (length - 1, false)] {
        let client = client_of(&base_url, Auth::None, &Limits { stream_bytes, ..Limits::default() });
        let read = patient(send(&client, false).await.unwrap().body.read_all(usize::MAX)).await;
        match read {
            Ok(bytes) => assert!(fits && bytes.len() == length),
            Err(fault) => assert!(!fits && fault.cause == Cause::Oversize, "{fault}"),
        }
    }
}

#[tokio::test]
async fn streams_in_chunks_hold_at_n_and_n_plus_1() {
    let length = 100_000;
    let (base_url, _count) = raw(reply("", &vec![b' '; length])).await;
    for (stream_bytes, fits) in [(length, true), (length - 1, false)] {
        let client = client_of(&base_url, Auth::None, &Limits { stream_bytes, ..Limits::default() });
        let mut body = send(&client, false).await.unwrap().body;
        let mut total = 0;
        let mut fault = None;
        while let Some(chunk) = patient(body.next_chunk()).await {
            match chunk {
                Ok(chunk) => total += chunk.len(),
                Err(error) => fault = Some(error),
            }
        }
        assert!(total <= stream_bytes);
        assert_eq!(fault.map(|fault| fault.cause), (!fits).then_some(Cause::Oversize));
    }
}

#[tokio::test]
async fn reply_heads_are_bounded() {
    // hyper reads a head into a buffer of this size; a head that fills it without ending is refused.
    let limits = Limits { header_bytes: 16 * 1024, header_count: 50, ..Limits::default() };
    let padded = |length: usize| {
        let empty = reply("X: \r\n", b"").len();
        reply(&format!("X: {}\r\n", "a".repeat(length - empty)), b"")
    };
    for (length, fits) in [(limits.header_bytes, true), (limits.header_bytes + 1, false)] {
        let (base_url, _count) = raw(padded(length)).await;
        let client = client_of(&base_url, Auth::None, &limits);
        assert_eq!(send(&client, false).await.is_ok(), fits, "{length}");
    }
    for (count, fits) in [(50, true), (51, false)] {
        let fields: String = (2..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        let (base_url, _count) = raw(reply(&fields, b"")).await;
        let client = client_of(&base_url, Auth::None, &limits);
        assert_eq!(send(&client, false).await.is_ok(), fits, "{count}");
    }
}
