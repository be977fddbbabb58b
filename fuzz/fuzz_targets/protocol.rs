//! What comes over the wire: JSON bodies, requests, replies, and streams of events cut anywhere. What our JSON reader takes,
//! serde_json reads the same way, and what it calls wrong serde_json refuses; a stream in pieces gives the frames of the whole;
//! an edited message is a message again, with the edit.
//!
//! Input: a body or a stream of events, and a line `%%% 3 1 17` with sizes of pieces. The first size also bounds an event.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::base::{Limits, Span};
use portcullis::inspect::{Edit, Encode, Frame, Subject};
use portcullis::protocol::json::{Document, JsonErrorKind, Kind, Value};
use portcullis::protocol::openai::{ChatChunk, ChatReply, ChatRequest, ChatStream, ErrorReply, ModelList, Template};
use portcullis::protocol::sse::{self, Decoder, Event, SseError};

#[path = "shared/pieces.rs"]
mod pieces;

fuzz_target!(|data: &[u8]| -> Corpus {
    let (data, sizes) = pieces::sized(data);
    let body = Bytes::copy_from_slice(data);
    json(&body);
    events(data, &sizes);
    frames(data, &sizes);
    let limits = Limits::default();
    if let Ok(request) = ChatRequest::parse(body.clone(), &limits) {
        message(&request, &body, |body| ChatRequest::parse(body, &limits).ok());
        stripped(&body);
    }
    if let Ok(reply) = ChatReply::parse(body.clone(), &limits) {
        message(&reply, &body, |body| ChatReply::parse(body, &limits).ok());
    }
    if let Ok(list) = ModelList::parse(body.clone(), &limits) {
        assert!(list.ids().len() <= body.len());
    }
    if let Ok(error) = ErrorReply::parse(body, &limits) {
        let _ = (error.message(), error.kind(), error.code());
    }
    Corpus::Keep
});

/// Our reader beside another.
fn json(body: &Bytes) {
    let other = serde_json::from_slice::<serde_json::Value>(body);
    match Document::parse(body.clone(), &Limits::default()) {
        Ok(document) => {
            let other = other.unwrap_or_else(|error| panic!("taken, where serde_json says {error}: {body:?}"));
            same(document.root(), &other);
        }
        Err(error) => {
            assert!(error.offset <= body.len() && error.line >= 1 && error.column >= 1, "{error}");
            let is_syntax = matches!(
                error.kind,
                JsonErrorKind::ControlCharacter
                    | JsonErrorKind::Escape
                    | JsonErrorKind::LoneSurrogate
                    | JsonErrorKind::Number
                    | JsonErrorKind::Syntax(_)
                    | JsonErrorKind::Trailing
                    | JsonErrorKind::Truncated
                    | JsonErrorKind::Utf8
            );
            assert!(!is_syntax || other.is_err(), "refused ({error}), where serde_json takes it: {body:?}");
        }
    }
}

fn same(ours: Value<'_>, theirs: &serde_json::Value) {
    match (ours.kind(), theirs) {
        (Kind::Array, serde_json::Value::Array(list)) => {
            assert_eq!(ours.elements().count(), list.len());
            ours.elements().zip(list).for_each(|(ours, theirs)| same(ours, theirs));
        }
        (Kind::Object, serde_json::Value::Object(map)) => {
            assert_eq!(ours.members().count(), map.len());
            for ((key, value), (name, theirs)) in ours.members().zip(map) {
                assert_eq!(key.as_str().as_deref(), Some(name.as_str()));
                same(value, theirs);
            }
        }
        (Kind::String, serde_json::Value::String(text)) => assert_eq!(ours.as_str().as_deref(), Some(text.as_str())),
        (Kind::Number, serde_json::Value::Number(number)) => {
            let raw: f64 = ours.raw().parse().expect("a JSON number is one in Rust");
            // serde_json rounds the last bit as it likes.
            let near = |number: f64| (number - raw).abs() <= raw.abs() * f64::EPSILON * 4.0;
            assert!(number.as_f64().is_some_and(near), "{raw} {number}");
            assert_eq!(ours.as_u64().filter(|_| number.is_u64()), number.as_u64());
        }
        (Kind::True, serde_json::Value::Bool(true))
        | (Kind::False, serde_json::Value::Bool(false))
        | (Kind::Null, serde_json::Value::Null) => {}
        (kind, other) => panic!("{kind:?} here, {other:?} there"),
    }
}

fn events(data: &[u8], sizes: &[usize]) {
    // A byte order mark has three bytes: a smaller bound is met before the mark is seen.
    let tight = Limits { event_bytes: sizes[0].max(3), ..Limits::default() };
    for limits in [Limits::default(), tight] {
        let whole = decoded([data], &limits);
        assert_eq!(decoded(cut(data, sizes), &limits), whole, "in pieces of {sizes:?}");
        for event in whole.0 {
            let again = decoded([&sse::encode(&event.data)[..]], &Limits::default());
            assert_eq!(again.0.first().map(|event| &event.data), Some(&event.data), "encoded and read again");
            assert!(again.0.len() == 1 && again.1.is_none());
        }
    }
}

fn decoded<'d>(pieces: impl IntoIterator<Item = &'d [u8]>, limits: &Limits) -> (Vec<Event>, Option<SseError>) {
    let mut decoder = Decoder::new(limits);
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            return (events, Some(error));
        }
    }
    match decoder.finish() {
        Ok(last) => events.extend(last),
        Err(error) => return (events, Some(error)),
    }
    (events, None)
}

fn cut<'d>(data: &'d [u8], sizes: &[usize]) -> Vec<&'d [u8]> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for end in pieces::ends(sizes, data.len()) {
        pieces.push(&data[start..end]);
        start = end;
    }
    pieces
}

fn frames(data: &[u8], sizes: &[usize]) {
    let (whole, fault) = streamed([data]);
    let (pieces, other) = streamed(cut(data, sizes));
    assert_eq!(pieces.iter().map(said).collect::<Vec<_>>(), whole.iter().map(said).collect::<Vec<_>>());
    assert_eq!(fault, other);
    for frame in &whole {
        let again = streamed([&frame.encode(&[])[..]]);
        assert_eq!(again.0.iter().map(said).collect::<Vec<_>>(), [said(frame)], "a frame as it is sent on");
        if !frame.is_done() {
            message(frame, &Bytes::new(), |event| streamed([&event[..]]).0.pop());
        }
        for channel in frame.passages().iter().filter_map(|passage| passage.channel.as_ref()) {
            let carrier = frame.carrier(channel);
            assert_eq!((carrier.passages().len(), carrier.is_last()), (1, false));
            assert_eq!(carrier.passages()[0].channel.as_ref(), Some(channel));
        }
    }
}

fn streamed<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> (Vec<ChatChunk>, Option<String>) {
    let id = "018bcfe5-6800-7000-8000-000000000001".parse().expect("an id");
    let mut stream = ChatStream::new(Template::new(id, "asked"), &Limits::default());
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(fault) = stream.push(piece, &mut out) {
            return (out, Some(format!("{fault:?}")));
        }
    }
    let fault = stream.finish(&mut out).err().map(|fault| format!("{fault:?}"));
    (out, fault)
}

fn said(frame: &ChatChunk) -> (Bytes, Vec<String>, Vec<u64>) {
    (frame.encode(&[]), texts(frame), frame.ends().to_vec())
}

fn texts(subject: &impl Subject) -> Vec<String> {
    subject
        .passages()
        .iter()
        .map(|passage| format!("{} {:?} {}", passage.place, passage.channel, passage.text))
        .collect()
}

/// Passages edited one by one, up to some: each edit costs two parses.
const EDITS_MAX: usize = 8;

/// What a verdict puts in a passage's place: nothing in it can end a string or an event.
const WITH: &str = "[\"RED\u{1}ACTED\u{2028}\\]\r\n\ndata: x";

fn message<S: Encode>(subject: &S, body: &Bytes, parse: impl Fn(Bytes) -> Option<S>) {
    if !body.is_empty() {
        assert_eq!(subject.encode(&[]), body, "unedited, it is as it came");
    }
    let before = subject.passages().len();
    for passage in (0..before).take(EDITS_MAX) {
        let edited = &subject.passages()[passage];
        let edit = Edit { passage, span: Span::new(0, edited.text.len()), with: WITH.to_owned() };
        let bytes = subject.encode(&[edit]);
        let Some(again) = parse(bytes.clone()) else { panic!("edited at {}, it is none: {bytes:?}", edited.place) };
        let shown = again.passages().iter().any(|passage| passage.text.contains("ACTED"));
        // Joined tokens go with all of `logprobs`.
        assert!(shown || edited.place.contains("/logprobs"), "the edit at {} is not there: {bytes:?}", edited.place);
    }
    let every = (0..before).map(|passage| {
        let span = Span::new(0, subject.passages()[passage].text.len());
        Edit { passage, span, with: "x".to_owned() }
    });
    let bytes = subject.encode(&every.collect::<Vec<_>>());
    assert!(parse(bytes.clone()).is_some(), "edited everywhere, it is none: {bytes:?}");
}

/// A field or an element taken out: a message again, without the passages that went.
fn stripped(body: &Bytes) {
    let limits = Limits::default();
    let parse = |body: &Bytes| ChatRequest::parse(body.clone(), &limits).ok();
    let Some(count) = parse(body).map(|request| request.passages().len()) else { return };
    for passage in (0..count).take(EDITS_MAX) {
        let Some(mut request) = parse(body) else { return };
        let Some(gone) = request.strip(&[passage]) else { continue };
        assert!(gone.contains(&passage) && gone.iter().all(|gone| *gone < count));
        let bytes = request.encode(&[]);
        let Some(again) = parse(&bytes) else { panic!("stripped, it is none: {bytes:?}") };
        assert!(again.passages().len() < count, "nothing is gone: {bytes:?}");
    }
}
