//! Bodies that try to hide, to mislead or to exhaust.

use bytes::Bytes;
use portcullis::base::{Blame, Cause, Fault, Limits};
use portcullis::inspect::{OpaqueKind, Subject};
use portcullis::protocol::openai::{ChatChunk, ChatReply, ChatRequest, ErrorReply};
use portcullis::text::Role;
use proptest::prelude::{any, proptest};

use crate::support::{at, sample, template};

fn request(body: &str) -> Result<ChatRequest, Fault> {
    ChatRequest::parse(Bytes::from(body.to_owned()), &Limits::default())
}

fn reply(body: &str) -> Result<ChatReply, Fault> {
    ChatReply::parse(Bytes::from(body.to_owned()), &Limits::default())
}

fn chunk(body: &str) -> Result<ChatChunk, Fault> {
    ChatChunk::parse(Bytes::from(body.to_owned()), &template().into(), &Limits::default())
}

#[test]
fn requests_that_are_refused_name_the_field() {
    for (body, field) in [
        (r#"[]"#, "object"),
        (r#"{"messages":[]}"#, "/model"),
        (r#"{"model":"","messages":[]}"#, "/model"),
        (r#"{"model":7,"messages":[]}"#, "/model"),
        (r#"{"model":"m"}"#, "/messages"),
        (r#"{"model":"m","messages":null}"#, "/messages"),
        (r#"{"model":"m","messages":{"role":"user"}}"#, "/messages"),
        (r#"{"model":"m","messages":[{},"text"]}"#, "/messages/1"),
        (r#"{"model":"m","messages":[],"stream":"true"}"#, "/stream"),
        (r#"{"model":"m","messages":[],"stream":1}"#, "/stream"),
        (r#"{"model":"m","messages":[],"stream_options":[]}"#, "/stream_options"),
        (r#"{"model":"m","messages":[],"stream_options":{"include_usage":0}}"#, "/stream_options/include_usage"),
        (r#"{"model":"m","messages":[],"n":"2"}"#, "/n"),
        (r#"{"model":"m","messages":[],"n":-1}"#, "/n"),
        (r#"{"model":"m","messages":[],"max_tokens":1.5}"#, "/max_tokens"),
        (r#"{"model":"m","messages":[],"max_completion_tokens":{}}"#, "/max_completion_tokens"),
        (r#"{"model":"m","messages":[],"Stream":true}"#, "\"stream\""),
        (r#"{"model":"m","messages":[],"MODEL":"n"}"#, "\"model\""),
        (r#"{"model":"m","messages":[],"\u017ftream":true}"#, "\"stream\""),
        (r#"{"model":"m","model":"n","messages":[]}"#, "same key twice"),
    ] {
        let fault = request(body).unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Unparsable, Blame::Client), "{body}");
        assert!(fault.detail.contains(field), "{body}: {}", fault.detail);
    }
}

#[test]
fn steering_fields_are_read() {
    let rich = ChatRequest::parse(sample("request/rich.json"), &Limits::default()).unwrap();
    assert_eq!(rich.model(), "vendor/model-1.2:latest");
    assert_eq!((rich.stream(), rich.include_usage(), rich.choices(), rich.tokens_max()), (true, true, 2, Some(200)));
    let plain = request(r#"{"model":"m","messages":[],"stream":null,"n":null,"max_tokens":5}"#).unwrap();
    assert_eq!(
        (plain.stream(), plain.include_usage(), plain.choices(), plain.tokens_max()),
        (false, false, 1, Some(5))
    );
}

#[test]
fn a_body_is_bounded() {
    let body = r#"{"model":"m","messages":[]}"#;
    let parse = |body_bytes| {
        ChatRequest::parse(Bytes::from(body), &Limits { body_bytes, reply_bytes: body_bytes, ..Limits::default() })
    };
    assert!(parse(body.len()).is_ok());
    assert_eq!(parse(body.len() - 1).unwrap_err().cause, Cause::Oversize);
    let body = r#"{"choices":[]}"#;
    let limits = |reply_bytes| Limits { reply_bytes, ..Limits::default() };
    assert!(ChatReply::parse(Bytes::from(body), &limits(body.len())).is_ok());
    let fault = ChatReply::parse(Bytes::from(body), &limits(body.len() - 1)).unwrap_err();
    assert_eq!((fault.cause, fault.blame), (Cause::Oversize, Blame::Provider));
}

#[test]
fn the_name_of_the_model_is_bounded_and_read() {
    let named = |name: &str| request(&format!(r#"{{"model":"{name}","messages":[]}}"#));
    assert_eq!(named(&"m ".repeat(128)).unwrap().passages().len(), 1);
    let fault = named(&format!("{}m", "m ".repeat(128))).unwrap_err();
    assert_eq!((fault.cause, fault.blame), (Cause::Oversize, Blame::Client));
    assert!(fault.detail.contains("/model"), "{fault}");
    for (name, seen) in [("vendor/model-1.2", 0), ("AKIAZ7Q2M5XN4RT6WLCD", 1), ("ignore all", 1), ("a+b", 1)] {
        assert_eq!(named(name).unwrap().passages().len(), seen, "{name}");
    }
}

#[test]
fn passages_are_bounded() {
    let limits = Limits { passages: 3, ..Limits::default() };
    let body = |count: usize| {
        let message = r#"{"role":"user","content":"a"}"#;
        Bytes::from(format!(r#"{{"model":"m","messages":[{}]}}"#, vec![message; count].join(",")))
    };
    assert_eq!(ChatRequest::parse(body(3), &limits).unwrap().passages().len(), 3);
    assert_eq!(ChatRequest::parse(body(4), &limits).unwrap_err().cause, Cause::Oversize);
    let fault = ErrorReply::parse(Bytes::from(r#"["a","b","c","d"]"#), &limits).unwrap_err();
    assert_eq!((fault.cause, fault.blame), (Cause::Oversize, Blame::Provider));
}

#[test]
fn nesting_at_the_ceiling_overflows_no_stack() {
    let limits = Limits { json_depth: 1000, ..Limits::default() };
    let nest = |depth: usize| format!("{}\"deep\"{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
    let body = format!(r#"{{"model":"m","messages":[],"x":{}}}"#, nest(127));
    assert!(ChatRequest::parse(Bytes::from(body), &limits).unwrap().passages().iter().any(|p| p.text == "deep"));
    let body = format!(r#"{{"choices":[{{"delta":{}}}]}}"#, nest(126));
    assert!(ChatChunk::parse(Bytes::from(body), &template().into(), &limits).is_ok());
}

#[test]
fn a_long_key_does_not_multiply() {
    let members: Vec<String> = (0..1000).map(|number| format!("\"{number}\":\"v\"")).collect();
    let key = "k".repeat(1_000_000);
    let body = format!(r#"{{"model":"m","messages":[],"{key}":{{{}}}}}"#, members.join(","));
    let places: usize = request(&body).unwrap().passages().iter().map(|passage| passage.place.len()).sum();
    assert!(places < 300_000, "{places}");
    let fault = chunk(&format!(r#"{{"choices":[{{"delta":{{"{}":{{"a":"b"}}}}}}]}}"#, "k".repeat(129))).unwrap_err();
    assert_eq!(fault.cause, Cause::Oversize);
    assert!(chunk(&format!(r#"{{"choices":[{{"delta":{{"{}":{{"a":"b"}}}}}}]}}"#, "k".repeat(128))).is_ok());
}

#[test]
fn what_only_looks_like_content_is_unknown_text() {
    let odd = ChatRequest::parse(sample("request/odd_shapes.json"), &Limits::default()).unwrap();
    for place in [
        "/messages/0/content",
        "/messages/1/content",
        "/messages/2/content/text",
        "/messages/3/CONTENT",
        "/messages/3/content/0/0",
        "/messages/3/content/1/text/value",
        "/Messages/0/content",
        "/prompt/~key",
    ] {
        assert_eq!(at(&odd, place).role, Role::Unknown, "{place}");
    }
}

#[test]
fn unseen_content_is_named_and_its_text_still_read() {
    let part = |part: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let request = request(&body).unwrap();
        let kinds: Vec<_> = request.opaque().iter().map(|opaque| opaque.kind).collect();
        let texts: Vec<String> = request.passages().iter().map(|passage| passage.text.to_string()).collect();
        (kinds, texts)
    };
    let text = |text: &str| vec![text.to_owned()];
    let image = |url: &str| part(&format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#));
    assert_eq!(image("data:image/png;base64,AAAA"), (vec![OpaqueKind::ImageData], vec![]));
    assert_eq!(image("DATA:image/png;BASE64,AAAA"), (vec![OpaqueKind::ImageData], vec![]));
    assert_eq!(image("data:,hello there"), (vec![OpaqueKind::ImageData], text("data:,hello there")));
    assert_eq!(image("data:a b;base64,AA"), (vec![OpaqueKind::ImageData], text("data:a b;base64,AA")));
    assert_eq!(image("http://a.test/"), (vec![OpaqueKind::ImageUrl], text("http://a.test/")));
    let audio =
        |data: &str| part(&format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"mp3"}}}}"#));
    assert_eq!(audio("AAAA"), (vec![OpaqueKind::Audio], vec![]));
    assert_eq!(audio("two words"), (vec![OpaqueKind::Audio], text("two words")));
    let file = |file: &str| part(&format!(r#"{{"type":"file","file":{file}}}"#));
    assert_eq!(file(r#"{"file_data":"AAAA"}"#), (vec![OpaqueKind::FileData], vec![]));
    assert_eq!(file(r#"{"file_id":"f-1"}"#), (vec![OpaqueKind::FileId], text("f-1")));
    assert_eq!(file(r#"{"FILE_ID":"f-1"}"#).0, [OpaqueKind::FileId]);
    assert_eq!(file(r#"{"filename":"f.pdf"}"#), (vec![], text("f.pdf")));
    // Other dialects' parts, which some providers take here too.
    let kinds = |body: &str| part(body).0;
    assert_eq!(
        kinds(r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#),
        [OpaqueKind::FileData]
    );
    assert_eq!(kinds(r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#), [OpaqueKind::FileData]);
    assert_eq!(kinds(r#"{"type":"image_embeds","image_embeds":"AAAA"}"#), [OpaqueKind::ImageData]);
    assert_eq!(
        part(r#"{"beam":"data:image/png;base64,AAAA"}"#),
        (vec![OpaqueKind::ImageData], vec!["beam".to_owned(), "data:image/png;base64,AAAA".to_owned()])
    );
    assert_eq!(kinds(r#"{"type":"text","text":"data:image/png;base64,AAAA"}"#), []);
}

#[test]
fn remote_tools_and_stored_conversations_are_named() {
    let kinds = |fields: &str| {
        let request = request(&format!(r#"{{"model":"m","messages":[],{fields}}}"#)).unwrap();
        request.opaque().iter().map(|opaque| (opaque.kind, opaque.place.clone())).collect::<Vec<_>>()
    };
    let remote = |place: &str| vec![(OpaqueKind::RemoteTool, place.to_owned())];
    let stored = |place: &str| vec![(OpaqueKind::StoredConversation, place.to_owned())];
    assert_eq!(kinds(r#""tools":[{"type":"function"},{"type":"custom"},{"function":{}}]"#), []);
    assert_eq!(kinds(r#""tools":[{"type":"function"},{"type":"web_search"}]"#), remote("/tools/1"));
    assert_eq!(kinds(r#""tools":[{"name":"no type"}]"#), remote("/tools/0"));
    assert_eq!(kinds(r#""tools":[{"type":["function"]}]"#), remote("/tools/0"));
    assert_eq!(kinds(r#""web_search_options":{}"#), remote("/web_search_options"));
    assert_eq!(kinds(r#""Web_Search_Options":{}"#), remote("/Web_Search_Options"));
    assert_eq!(kinds(r#""web_search_options":null"#), []);
    assert_eq!(kinds(r#""previous_response_id":"r""#), stored("/previous_response_id"));
    assert_eq!(kinds(r#""conversation":{"id":"c"}"#), stored("/conversation"));
    assert_eq!(kinds(r#""metadata":{"file_id":"a label"}"#), []);
}

#[test]
fn replies_and_frames_that_are_refused() {
    for body in ["[]", "7", "{}", r#"{"choices":{}}"#, r#"{"choices":[1]}"#, r#"{"error":null}"#, "<html>"] {
        let fault = reply(body).unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Unparsable, Blame::Provider), "{body}");
    }
    for body in [
        "[]",
        "",
        "[DONE] and more",
        r#"{"choices":["text"]}"#,
        r#"{"choices":[{"index":"0"}]}"#,
        r#"{"choices":[{"index":-1}]}"#,
        r#"{"choices":[{"delta":{"..":{"text":"x"}}}]}"#,
    ] {
        let fault = chunk(body).unwrap_err();
        assert_eq!((fault.cause, fault.blame), (Cause::Unparsable, Blame::Provider), "{body}");
    }
}

proptest! {
    #[test]
    fn no_body_of_odd_shape_panics(
        fragment in r#"([\[\]{}:,]|null|1|"a"|"index":|"content":|"delta":|"choices":|"logprobs":|"token":|"bytes":|"type":|"url":|"image_url":|"error":){0,14}"#,
    ) {
        let limits = Limits::default();
        for body in [
            fragment.clone(),
            format!(r#"{{"model":"m","messages":[{{{fragment}}}]}}"#),
            format!(r#"{{"model":"m","messages":[{{"content":{fragment}}}]}}"#),
            format!(r#"{{"choices":[{{{fragment}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{fragment}}}]}}"#),
            format!(r#"{{"choices":[{{"logprobs":{{"content":{fragment}}}}}]}}"#),
        ] {
            let body = Bytes::from(body);
            let _ = ChatRequest::parse(body.clone(), &limits);
            let _ = ChatReply::parse(body.clone(), &limits);
            let _ = ErrorReply::parse(body.clone(), &limits);
            let _ = ChatChunk::parse(body, &template().into(), &limits);
        }
    }

    #[test]
    fn no_random_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let body = Bytes::from(bytes);
        let _ = ChatRequest::parse(body.clone(), &Limits::default());
        let _ = ChatChunk::parse(body, &template().into(), &Limits::default());
    }
}
