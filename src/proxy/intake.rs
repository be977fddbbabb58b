//! A request's body, read whole: bounded in size after decompression and in time, and only of a kind that can be inspected.

use std::fmt::Display;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::base::{Cause, Fault, Limits};
use crate::provider::{Coding, CodingError, Decoder, Media};

/// Reads the JSON body of a request. Trailers are dropped.
///
/// # Errors
/// All are the client's: `unsupported_media` for another content type, charset or coding; `oversize` over
/// [`Limits::body_bytes`], counted after decompression; `timeout` after [`Limits::body_ms`]; `unparsable` for a body that breaks
/// off or does not decompress.
pub async fn read_body<B>(body: B, headers: &HeaderMap, limits: &Limits) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    match Media::of(headers) {
        Ok(Media::Json) => {}
        Ok(Media::EventStream) => {
            return Err(Fault::client(
                Cause::UnsupportedMedia,
                "Content-Type text/event-stream; send application/json",
            ));
        }
        Err(what) => {
            return Err(Fault::client(Cause::UnsupportedMedia, format!("{what}; send application/json in UTF-8")));
        }
    }
    let coding = Coding::of(headers).map_err(refused)?;
    let wire_limit = wire_limit(coding, limits.body_bytes);
    if declared_length(headers)?.is_some_and(|length| length > u64::try_from(wire_limit).unwrap_or(u64::MAX)) {
        return Err(refused(CodingError::Oversize(limits.body_bytes)));
    }
    let reading = read_all(body, Decoder::new(coding, limits.body_bytes), wire_limit, limits.body_bytes);
    match timeout(Duration::from_millis(limits.body_ms), reading).await {
        Ok(result) => result,
        Err(_) => Err(Fault::client(
            Cause::Timeout,
            format!("the request body did not arrive within {} ms; send it faster", limits.body_ms),
        )),
    }
}

async fn read_all<B>(body: B, mut decoder: Decoder, wire_limit: usize, limit: usize) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    let mut body = std::pin::pin!(body);
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut wire = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Fault::client(Cause::Unparsable, format!("the request body broke off before its end ({error})"))
        })?;
        let Ok(mut data) = frame.into_data() else { continue };
        wire = wire.saturating_add(data.len());
        if wire > wire_limit {
            return Err(refused(CodingError::Oversize(limit)));
        }
        while !data.is_empty() {
            let step = if decoder.is_identity() { data.len() } else { data.len().min(INFLATE_STEP) };
            let piece = decoder.feed(data.split_to(step)).map_err(refused)?;
            if !piece.is_empty() {
                pieces.push(piece);
            }
            if !decoder.is_identity() {
                // A small input can be much work: let the other tasks of this thread in between.
                tokio::task::yield_now().await;
            }
        }
    }
    let rest = decoder.finish().map_err(refused)?;
    if !rest.is_empty() {
        pieces.push(rest);
    }
    Ok(join(pieces))
}

fn join(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}

/// How many bytes may arrive for `limit` bytes of content. Compressed data may be a little longer than the content (stored
/// blocks, headers); without a bound of their own, empty gzip members could go on for ever.
fn wire_limit(coding: Coding, limit: usize) -> usize {
    match coding {
        Coding::Identity => limit,
        Coding::Gzip | Coding::Deflate => limit.saturating_add(limit / 512).saturating_add(1024),
    }
}

/// The length that the head declares; the server has refused contradictions, what is left is checked again.
fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let mut declared = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let length = value
            .to_str()
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(|| Fault::client(Cause::Unparsable, "a Content-Length that is not a number"))?;
        if declared.is_some_and(|earlier| earlier != length) {
            return Err(Fault::client(Cause::Unparsable, "two Content-Lengths that differ"));
        }
        declared = Some(length);
    }
    Ok(declared)
}

fn refused(error: CodingError) -> Fault {
    let cause = match &error {
        CodingError::Corrupt(_) => Cause::Unparsable,
        CodingError::Oversize(_) => Cause::Oversize,
        CodingError::Unsupported(_) => Cause::UnsupportedMedia,
    };
    let detail = match &error {
        CodingError::Unsupported(what) => what.clone(),
        CodingError::Corrupt(_) | CodingError::Oversize(_) => format!("the request body {}", error.detail()),
    };
    Fault::client(cause, detail)
}

/// Compressed bytes given to the decoder at once; at deflate's best ratio (1032:1) some 4 MB of content.
const INFLATE_STEP: usize = 4096;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use tokio::sync::mpsc;

    use super::*;

    fn head(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    async fn read(fields: &[(&'static str, &str)], body: &[u8], limits: &Limits) -> Result<Bytes, Fault> {
        read_body(Full::new(Bytes::copy_from_slice(body)), &head(fields), limits).await
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn limit(body_bytes: usize) -> Limits {
        Limits { body_bytes, ..Limits::default() }
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[tokio::test]
    async fn a_plain_body_is_bounded_at_n_and_n_plus_1() {
        assert_eq!(read(&[JSON], b"12345", &limit(5)).await.unwrap(), "12345");
        assert_eq!(read(&[JSON], b"123456", &limit(5)).await.unwrap_err().cause, Cause::Oversize);
    }

    #[tokio::test]
    async fn a_declared_length_is_refused_before_the_body_is_read() {
        // This body would never end: the refusal has to come from the head alone.
        let (_sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|frame| (frame, receiver))
        });
        let fault = read_body(StreamBody::new(stream), &head(&[JSON, ("content-length", "6")]), &limit(5)).await;
        assert_eq!(fault.unwrap_err().cause, Cause::Oversize);
    }

    #[tokio::test]
    async fn a_slow_body_is_cut() {
        let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        sender.send(Ok(Frame::data(Bytes::from_static(b"{")))).await.unwrap();
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|frame| (frame, receiver))
        });
        let limits = Limits { body_ms: 20, ..Limits::default() };
        let fault = read_body(StreamBody::new(stream), &head(&[JSON]), &limits).await.unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Timeout, crate::base::Blame::Client));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_clients_fault() {
        let stream = futures_util::stream::iter([
            Ok(Frame::data(Bytes::from_static(b"{"))),
            Err(std::io::Error::other("connection reset")),
        ]);
        let fault = read_body(StreamBody::new(stream), &head(&[JSON]), &Limits::default()).await.unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Unparsable, crate::base::Blame::Client));
    }

    #[tokio::test]
    async fn trailers_are_dropped() {
        let stream = futures_util::stream::iter([
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{}"))),
            Ok(Frame::trailers(head(&[("x-late", "1")]))),
        ]);
        assert_eq!(read_body(StreamBody::new(stream), &head(&[JSON]), &Limits::default()).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn compressed_bodies_are_bounded_after_decompression() {
        let fields = [JSON, ("content-encoding", "gzip")];
        let wire = gzip(&[b' '; 1000]);
        assert_eq!(read(&fields, &wire, &limit(1000)).await.unwrap().len(), 1000);
        assert_eq!(read(&fields, &wire, &limit(999)).await.unwrap_err().cause, Cause::Oversize);

        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&[b' '; 1000]).unwrap();
        let wire = encoder.finish().unwrap();
        let fields = [JSON, ("content-encoding", "deflate")];
        assert_eq!(read(&fields, &wire, &limit(1000)).await.unwrap().len(), 1000);
        assert_eq!(read(&fields, &wire, &limit(999)).await.unwrap_err().cause, Cause::Oversize);
    }

    #[tokio::test]
    async fn a_bomb_stops_at_the_limit() {
        let wire = gzip(&vec![0; 64 * 1024 * 1024]);
        assert!(wire.len() < 100_000);
        let fault = read(&[JSON, ("content-encoding", "gzip")], &wire, &limit(1024 * 1024)).await.unwrap_err();
        assert_eq!(fault.cause, Cause::Oversize);
    }

    #[tokio::test]
    async fn empty_gzip_members_do_not_go_on_for_ever() {
        let fields = [JSON, ("content-encoding", "gzip")];
        let member = gzip(b"");
        let fits = member.repeat((1024 + 10) / member.len());
        assert_eq!(read(&fields, &fits, &limit(10)).await.unwrap(), "");
        let over = member.repeat((1024 + 10) / member.len() + 1);
        assert_eq!(read(&fields, &over, &limit(10)).await.unwrap_err().cause, Cause::Oversize);
    }

    #[tokio::test]
    async fn what_cannot_be_read_one_way_only_is_refused() {
        let limits = Limits::default();
        for fields in [
            &[][..],
            &[("content-type", "text/plain")],
            &[("content-type", "text/event-stream")],
            &[("content-type", "application/json; charset=utf-16")],
            &[JSON, JSON],
            &[JSON, ("content-encoding", "br")],
            &[JSON, ("content-encoding", "gzip, gzip")],
            &[JSON, ("content-encoding", "gzip"), ("content-encoding", "gzip")],
        ] {
            let fault = read(fields, b"{}", &limits).await.unwrap_err();
            assert_eq!(fault.cause, Cause::UnsupportedMedia, "{fields:?}");
        }
        for fields in [
            &[JSON, ("content-length", "+2")][..],
            &[JSON, ("content-length", "2"), ("content-length", "3")],
            &[JSON, ("content-length", "2, 2")],
            &[JSON, ("content-length", "")],
        ] {
            assert_eq!(read(fields, b"{}", &limits).await.unwrap_err().cause, Cause::Unparsable, "{fields:?}");
        }
        let wire = [gzip(b"{}"), b"x".to_vec()].concat();
        let fault = read(&[JSON, ("content-encoding", "gzip")], &wire, &limits).await.unwrap_err();
        assert_eq!(fault.cause, Cause::Unparsable);
        let whole = gzip(b"{}");
        let fault = read(&[JSON, ("content-encoding", "gzip")], &whole[..whole.len() - 1], &limits).await.unwrap_err();
        assert_eq!(fault.cause, Cause::Unparsable);
    }
}
