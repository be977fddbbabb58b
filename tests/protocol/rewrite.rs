//! Writing out: unedited messages byte for byte; edited ones parse again with the same passages but for the edit.

use bytes::Bytes;
use portcullis::base::{Limits, Span};
use portcullis::inspect::{Edit, Encode, Subject};
use portcullis::protocol::json::Document;
use portcullis::protocol::openai::{ChatReply, ChatRequest};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::support::{at, data_of, frame, frames, index_of, replace, sample, samples, template};

fn request(body: impl Into<Bytes>) -> ChatRequest {
    ChatRequest::parse(body.into(), &Limits::default()).unwrap()
}

fn reply(body: impl Into<Bytes>) -> ChatReply {
    ChatReply::parse(body.into(), &Limits::default()).unwrap()
}

fn texts(subject: &impl Subject) -> Vec<(String, String)> {
    subject.passages().iter().map(|passage| (passage.place.to_string(), passage.text.to_string())).collect()
}

#[test]
fn unedited_messages_arrive_byte_for_byte() {
    for (path, body) in samples("request", "json") {
        assert_eq!(request(body.clone()).encode(&[]), body, "{}", path.display());
    }
    for (path, body) in samples("reply", "json") {
        assert_eq!(reply(body.clone()).encode(&[]), body, "{}", path.display());
    }
}

#[test]
fn unedited_frames_keep_their_data() {
    let stream = sample("stream/plain.sse");
    let expected: Vec<&str> = std::str::from_utf8(&stream)
        .unwrap()
        .split("\n\n")
        .filter(|event| !event.contains("event: ping") && !event.contains("after"))
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let found: Vec<Bytes> = frames([&stream[..]]).iter().map(|frame| data_of(&frame.encode(&[]))).collect();
    assert_eq!(found, expected);
}

/// Edits each passage in turn and reads the result again.
fn every_edit<S: Encode>(subject: &S, parse: impl Fn(Bytes) -> S) {
    let before = texts(subject);
    for number in 0..before.len() {
        let with = "[\"RED\u{1}ACTED\u{2028}\\]";
        let bytes = subject.encode(&[replace(subject, number, with)]);
        let again = parse(bytes);
        let after = texts(&again);
        let place = &before[number].0;
        if place.contains("/logprobs/") && !after.iter().any(|(other, _)| other == place) {
            // Joined tokens: all of `logprobs` is gone with them.
            continue;
        }
        assert_eq!(after.len(), before.len(), "after an edit of {place}");
        assert_eq!(after[number].1, with, "{place}");
        for (other, (text, expected)) in after.iter().zip(&before).enumerate() {
            assert!(other == number || text.1 == expected.1, "{} changed with {place}", expected.0);
        }
    }
}

#[test]
fn an_edited_request_reads_back_with_the_edit() {
    for (_, body) in samples("request", "json") {
        every_edit(&request(body), request);
    }
}

#[test]
fn an_edited_reply_reads_back_with_the_edit() {
    for (_, body) in samples("reply", "json") {
        every_edit(&reply(body), reply);
    }
}

#[test]
fn an_edited_frame_reads_back_with_the_edit() {
    for (_, body) in samples("stream", "sse") {
        for chunk in frames([&body[..]]) {
            let parse = |bytes: Bytes| frame(std::str::from_utf8(&data_of(&bytes)).unwrap());
            every_edit(&chunk, parse);
        }
    }
}

#[test]
fn all_passages_edited_at_once() {
    let rich = request(sample("request/rich.json"));
    let edits: Vec<Edit> = (0..rich.passages().len()).map(|number| replace(&rich, number, "x")).collect();
    let again = request(rich.encode(&edits));
    assert_eq!(again.passages().len(), rich.passages().len());
    assert!(again.passages().iter().all(|passage| passage.text.starts_with('x')));
}

#[test]
fn several_edits_of_one_text_in_any_order() {
    let message = request(r#"{"model":"m","messages":[{"role":"user","content":"one \u0074wo three"}]}"#);
    let edit = |start, end, with: &str| Edit { passage: 0, span: Span::new(start, end), with: with.to_owned() };
    let bytes = message.encode(&[edit(8, 13, "3"), edit(0, 3, "1"), edit(4, 4, "+")]);
    assert_eq!(bytes, r#"{"model":"m","messages":[{"role":"user","content":"1 +two 3"}]}"#);
}

#[test]
fn an_edit_never_splits_a_character() {
    let message = request(r#"{"model":"m","messages":[{"role":"user","content":"aéb"}]}"#);
    let bytes = message.encode(&[Edit { passage: 0, span: Span::new(2, 2), with: "-".to_owned() }]);
    let text = at(&request(bytes), "/messages/0/content").text.to_string();
    assert_eq!(text, "a-b");
}

#[test]
fn edited_keys_stay_apart() {
    let body = r#"{"model":"m","messages":[],"secret one":1,"secret two":2,"x":3}"#;
    let message = request(body);
    let edits = [replace(&message, 0, "x"), replace(&message, 1, "x")];
    let bytes = message.encode(&edits);
    assert_eq!(bytes, r#"{"model":"m","messages":[],"x~2":1,"x~3":2,"x":3}"#);
    assert!(Document::parse(bytes, &Limits::default()).is_ok());
}

#[test]
fn many_edited_keys_take_no_more_than_linear_work() {
    let members: Vec<String> = (0..4000).map(|number| format!("\"k {number}\":0")).collect();
    let message = request(format!(r#"{{"model":"m","messages":[],{}}}"#, members.join(",")));
    let edits: Vec<Edit> = (0..4000).map(|number| replace(&message, number, "x")).collect();
    assert_eq!(request(message.encode(&edits)).passages().len(), 4000);
}

#[test]
fn numbers_blanks_and_order_survive_an_edit() {
    let body =
        "{ \"z\" : 1.50e+1,\n\t\"model\":\"m\", \"messages\" : [ {\"content\":\"a\",\"role\":\"user\"} ] ,\"a\":-0 }";
    let message = request(body);
    let bytes = message.encode(&[replace(&message, index_of(&message, "/messages/0/content"), "b")]);
    assert_eq!(bytes, body.replace("\"a\",\"role\"", "\"b\",\"role\""));
}

#[test]
fn a_model_is_renamed_without_other_changes() {
    let body = sample("request/rich.json");
    let renamed = request(body.clone()).with_model("other \"model\"").encode(&[]);
    let expected = std::str::from_utf8(&body).unwrap().replace("\"vendor/model-1.2:latest\"", r#""other \"model\"""#);
    assert_eq!(renamed, expected);
    assert_eq!(request(renamed).model(), "other \"model\"");
}

#[test]
fn renaming_wins_over_an_edit_of_the_model() {
    let message = request(r#"{"model":"a b","messages":[]}"#);
    let edit = replace(&message, 0, "redacted");
    assert_eq!(message.with_model("c").encode(&[edit]), r#"{"model":"c","messages":[]}"#);
}

#[test]
fn an_edit_of_a_token_blanks_the_logprobs() {
    let body = sample("reply/rich.json");
    let message = reply(body);
    let number = index_of(&message, "/choices/0/logprobs/content");
    assert_eq!(message.passages()[number].text, "sk-1");
    let edit = Edit { passage: number, span: Span::new(0, 1), with: String::new() };
    let value: serde_json::Value = serde_json::from_slice(&message.encode(&[edit])).unwrap();
    assert!(value["choices"][0]["logprobs"].is_null());
    assert_eq!(value["choices"][0]["message"]["content"], "The key is sk-1.");
}

#[test]
fn a_made_error_body_parses_as_one() {
    let incident = "018bcfe5-6800-7000-8000-000000000001".parse().unwrap();
    let body = portcullis::protocol::openai::PublicError::blocked(None).body(incident);
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["error"]["code"], "content_filter");
    assert_eq!(value["error"]["type"], "invalid_request_error");
    assert!(value["error"]["param"].is_null());
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("Incident 018bcfe5-6800-7000-8000-000000000001."), "{message}");
    assert!(template().id.ends_with("018bcfe5-6800-7000-8000-000000000001"));
}

proptest! {
    #[test]
    fn any_edits_leave_strict_json_with_as_many_passages(
        drawn in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..40, 0usize..40, any::<String>()), 0..20),
    ) {
        let rich = request(sample("request/rich.json"));
        let count = rich.passages().len();
        let edits: Vec<Edit> = drawn
            .into_iter()
            .map(|(index, start, length, with)| Edit { passage: index.index(count), span: Span::new(start, start + length), with })
            .collect();
        let bytes = rich.encode(&edits);
        prop_assert!(Document::parse(bytes.clone(), &Limits::default()).is_ok());
        // An edit may turn an unknown value into a word of the dialect or back, but no place without an edit changes.
        let again = ChatRequest::parse(bytes, &Limits::default()).unwrap();
        for (number, passage) in rich.passages().iter().enumerate() {
            if edits.iter().all(|edit| edit.passage != number) && !passage.place.ends_with("~key") {
                let same = again.passages().iter().filter(|other| other.text == passage.text).count();
                prop_assert!(same > 0, "{} is gone", passage.place);
            }
        }
        if edits.is_empty() {
            prop_assert_eq!(again.passages().len(), count);
        }
    }
}
