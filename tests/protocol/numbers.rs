//! Long numbers are passages; an edit makes them strings.

use bytes::Bytes;
use portcullis::base::{Cause, Limits};
use portcullis::inspect::{Encode, Subject};
use portcullis::protocol::openai::{ChatChunk, ChatReply, ChatRequest};
use portcullis::text::Role;

use crate::support::{at, data_of, frame, index_of, replace, template};

const CARD: &str = "4242424242424242";

#[test]
fn wherever_they_stand() {
    let places = [
        (r#"{"model":"m","messages":[],"x":{"y":[1,#]}}"#, "/x/y/1"),
        (r#"{"model":"m","messages":[{"role":"user","content":#}]}"#, "/messages/0/content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":#}]}]}"#,
            "/messages/0/content/0/text",
        ),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"parameters":{"const":#}}}]}"#,
            "/tools/0/function/parameters/const",
        ),
        (r#"{"model":"m","messages":[],"image_url":{"x":#}}"#, "/image_url/x"),
        (r#"{"model":"m","messages":[],"max_tokens":#}"#, "/max_tokens"),
        (r#"{"model":"m","messages":[],"created":#}"#, "/created"),
    ];
    for (body, place) in places {
        let request = ChatRequest::parse(Bytes::from(body.replace('#', CARD)), &Limits::default()).unwrap();
        let passage = at(&request, place);
        assert_eq!((&*passage.text, passage.role), (CARD, Role::Unknown), "{body}");
        let edited = request.encode(&[replace(&request, index_of(&request, place), "[card]")]);
        assert_eq!(edited, body.replace('#', "\"[card]\""));
        let short = ChatRequest::parse(Bytes::from(body.replace('#', "12345678")), &Limits::default()).unwrap();
        assert!(short.passages().iter().all(|passage| &*passage.place != place), "{body}");
    }
}

#[test]
fn in_replies() {
    let body = r#"{"created":1700000000,"choices":[{"index":0,"logprobs":{"content":[{"token":"a","bytes":[#]}]},"x":#}],"usage":{"total_tokens":#}}"#;
    let reply = ChatReply::parse(Bytes::from(body.replace('#', CARD)), &Limits::default()).unwrap();
    let places: Vec<&str> =
        reply.passages().iter().filter(|passage| passage.text == CARD).map(|passage| &*passage.place).collect();
    assert_eq!(places, ["/choices/0/logprobs/content/0/bytes/0", "/choices/0/x", "/usage/total_tokens"]);
    assert!(reply.passages().iter().all(|passage| &*passage.place != "/created"));
}

#[test]
fn in_frames_as_whole_texts() {
    let body = r#"{"created":1700000000,"choices":[{"index":0,"delta":{"content":"a","x":#}}],"y":#}"#;
    let chunk = frame(&body.replace('#', CARD));
    for place in ["/choices/0/delta/x", "/y"] {
        let passage = at(&chunk, place);
        assert_eq!((&*passage.text, passage.channel.is_none()), (CARD, true));
    }
    assert!(chunk.passages().iter().all(|passage| &*passage.place != "/created"));
    let edits = ["/choices/0/delta/x", "/y"].map(|place| replace(&chunk, index_of(&chunk, place), "[card]"));
    assert_eq!(data_of(&chunk.encode(&edits)), body.replace('#', "\"[card]\""));
}

#[test]
fn an_index_is_short() {
    let parse = |body: String| ChatChunk::parse(Bytes::from(body), &template().into(), &Limits::default());
    let choice = |index: &str| format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}}}}]}}"#);
    let call = |index: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{index}}}]}}}}]}}"#);
    let bodies: [fn(&str) -> String; 2] = [choice, call];
    for body in bodies {
        assert!(parse(body("99999999")).is_ok());
        assert_eq!(parse(body("100000000")).unwrap_err().cause, Cause::Unparsable);
    }
    let reply = format!(r#"{{"choices":[{{"index":{CARD},"message":{{"content":"a"}}}}]}}"#);
    let cut = ChatReply::parse(Bytes::from(reply), &Limits::default()).unwrap().cut(&template()).encode(&[]);
    assert!(!String::from_utf8_lossy(&cut).contains(CARD));
}
