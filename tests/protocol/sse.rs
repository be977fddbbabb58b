//! Event streams: any split gives the same events; the format's own corners.

use bytes::Bytes;
use portcullis::base::{Cause, Fault, Limits};
use portcullis::inspect::{Encode, Subject};
use portcullis::protocol::openai::{ChatChunk, ChatStream};
use portcullis::protocol::sse::{Decoder, Event, SseError, encode};
use proptest::prelude::{any, prop_assert_eq, proptest};

use crate::support::{data_of, frames, samples, template};

fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, SseError> {
    let mut decoder = Decoder::new(&Limits { event_bytes: 64, ..Limits::default() });
    let mut out = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut out)?;
    }
    out.extend(decoder.finish()?);
    Ok(out)
}

fn event(name: Option<&str>, data: &str) -> Event {
    Event { name: name.map(str::to_owned), data: Bytes::from(data.to_owned()) }
}

#[test]
fn every_split_of_a_stream_gives_the_same_frames() {
    for (path, body) in samples("stream", "sse") {
        let show = |frames: Vec<ChatChunk>| -> Vec<(Bytes, String)> {
            frames.iter().map(|frame| (frame.encode(&[]), format!("{:?}", frame.passages()))).collect()
        };
        let whole = show(frames([&body[..]]));
        assert!(whole.len() > 1);
        assert_eq!(show(frames(body.chunks(1))), whole, "{} byte by byte", path.display());
        for split in 0..=body.len() {
            let (head, tail) = body.split_at(split);
            assert_eq!(show(frames([head, tail])), whole, "{} split at {split}", path.display());
        }
    }
}

#[test]
fn the_corners_of_the_format() {
    for (stream, expected) in [
        ("data: a\n\n", vec![event(None, "a")]),
        ("data:a\r\rdata: b\r\n\r\n", vec![event(None, "a"), event(None, "b")]),
        ("data:  a\n\n", vec![event(None, " a")]),
        ("data: a\ndata:\ndata: b\n\n", vec![event(None, "a\n\nb")]),
        ("data: a", vec![event(None, "a")]),
        ("data: a\n", vec![event(None, "a")]),
        (": data: a\n\n", vec![]),
        ("data\n\ndata:\n\n\n\n", vec![]),
        ("event: x\n\ndata: a\n\n", vec![event(None, "a")]),
        ("event: x\nid: 1\nretry: 5\nfoo: bar\ndata: a\n\n", vec![event(Some("x"), "a")]),
        ("event:\ndata: a\n\n", vec![event(None, "a")]),
        ("Data: a\n data: b\n\n", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(events([stream.as_bytes()]).unwrap(), expected, "{stream:?}");
        assert_eq!(events(stream.as_bytes().chunks(1)).unwrap(), expected, "{stream:?}");
    }
}

#[test]
fn a_byte_order_mark_is_refused_at_the_start_only() {
    assert_eq!(events(["\u{FEFF}data: a\n\n".as_bytes()]), Err(SseError::Bom));
    assert_eq!(events("\u{FEFF}data: a\n\n".as_bytes().chunks(1)), Err(SseError::Bom));
    assert_eq!(events(["data: \u{FEFF}\n\n".as_bytes()]).unwrap(), [event(None, "\u{FEFF}")]);
}

#[test]
fn what_is_wrong_does_not_depend_on_the_cuts() {
    let stream = "\u{FEFF}data: more than the limit\n\n".as_bytes();
    for size in 1..=stream.len() {
        let mut decoder = Decoder::new(&Limits { event_bytes: 3, ..Limits::default() });
        let mut pieces = stream.chunks(size);
        let error = pieces.find_map(|piece| decoder.push(piece, &mut Vec::new()).err());
        assert_eq!(error, Some(SseError::Bom), "in pieces of {size}");
    }
}

#[test]
fn an_event_name_that_is_not_utf8_is_refused() {
    assert_eq!(events([&b"event: \xFF\n\n"[..]]), Err(SseError::Name));
}

#[test]
fn events_are_bounded_at_64_bytes_here() {
    let stream = |length: usize| format!("data: {}\n\n", "a".repeat(length));
    assert_eq!(events([stream(58).as_bytes()]).unwrap().len(), 1);
    assert_eq!(events([stream(59).as_bytes()]), Err(SseError::Size(64)));
    assert_eq!(events(stream(59).as_bytes().chunks(1)), Err(SseError::Size(64)));
    let many = "data: aaaaaaaaaa\n".repeat(10);
    assert_eq!(events([many.as_bytes()]), Err(SseError::Size(64)));
    let comments = ": aaaaaaaaaaaaaaaaaaaa\n".repeat(100);
    assert_eq!(events([comments.as_bytes()]), Ok(vec![]));
}

#[test]
fn a_stream_is_bounded_in_all() {
    let limits = Limits { stream_bytes: 100, ..Limits::default() };
    let mut stream = ChatStream::new(template(), &limits);
    let mut out = Vec::new();
    assert!(stream.push(&[b'\n'; 100], &mut out).is_ok());
    let fault = stream.push(b"\n", &mut out).unwrap_err();
    assert_eq!(fault.cause, Cause::Oversize);
}

#[test]
fn frames_before_an_error_are_not_lost() {
    let mut stream = ChatStream::new(template(), &Limits::default());
    let mut out = Vec::new();
    let fault: Fault = stream.push(b"data: {\"choices\":[]}\n\ndata: {oops}\n\n", &mut out).unwrap_err();
    assert_eq!(fault.cause, Cause::Unparsable);
    assert_eq!(out.len(), 1);
}

#[test]
fn unknown_events_and_what_follows_the_end_are_dropped_and_counted() {
    let mut stream = ChatStream::new(template(), &Limits::default());
    let mut out = Vec::new();
    stream.push(b"event: ping\ndata: {}\n\ndata: [DONE]\n\ndata: {}\n\ndata: garbage\n\n", &mut out).unwrap();
    assert_eq!((out.len(), stream.dropped(), stream.is_over()), (1, 3, true));
}

#[test]
fn data_with_line_ends_stays_one_event() {
    for data in ["{\n}", "{\r}", "{\r\n}", "{\n\n}", "{}\n"] {
        let encoded = encode(data.as_bytes());
        let expected = data.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(events([&encoded[..]]).unwrap(), [event(None, &expected)], "{data:?}");
        assert_eq!(data_of(&encoded), expected);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_splits_agree(bytes in proptest::collection::vec(any::<u8>(), 0..200), split in 0usize..200) {
        let (head, tail) = bytes.split_at(split.min(bytes.len()));
        prop_assert_eq!(events([&bytes[..]]), events([head, tail]));
    }

    #[test]
    fn random_lines_split_alike(text in "(data|event|:|: |\r|\n|\r\n|a|é){0,40}", split in 0usize..100) {
        let bytes = text.as_bytes();
        let (head, tail) = bytes.split_at(split.min(bytes.len()));
        let whole = events([bytes]);
        prop_assert_eq!(&whole, &events([head, tail]));
        prop_assert_eq!(&whole, &events(bytes.chunks(1)));
    }
}
