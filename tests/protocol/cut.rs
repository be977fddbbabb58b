//! What Portcullis makes itself: carriers of released text, ended choices, replies in place of blocked ones.

use bytes::Bytes;
use portcullis::base::{Limits, Span};
use portcullis::inspect::{Edit, Encode, Frame, Subject};
use portcullis::protocol::openai::{ChatChunk, ChatReply};
use portcullis::text::Channel;
use serde_json::{Value, json};

use crate::support::{data_of, frame, frames, sample, template};

fn json_of(frame: &ChatChunk, edits: &[Edit]) -> Value {
    serde_json::from_slice(&data_of(&frame.encode(edits))).unwrap()
}

fn carried(frame: &ChatChunk, channel: &Channel, text: &str) -> Value {
    let carrier = frame.carrier(channel);
    assert_eq!(carrier.passages().len(), 1);
    assert_eq!(carrier.passages()[0].text, "");
    assert_eq!(carrier.passages()[0].channel.as_ref(), Some(channel));
    assert!(carrier.is_only_channels() && !carrier.is_last() && carrier.ends().is_empty());
    json_of(&carrier, &[Edit { passage: 0, span: Span::new(0, 0), with: text.to_owned() }])
}

#[test]
fn a_carrier_holds_the_text_where_the_channel_had_it() {
    let chunk = frame(r#"{"choices":[{"index":3,"delta":{"tool_calls":[{"index":7,"function":{"arguments":"x"}}]}}]}"#);
    let channel = chunk.passages()[0].channel.clone().unwrap();
    let value = carried(&chunk, &channel, "released \"text\"\n");
    assert_eq!(
        value,
        json!({
            "id": template().id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "asked-model",
            "choices": [{"index": 3, "finish_reason": null, "delta": {"tool_calls": [{"index": 7, "function": {"arguments": "released \"text\"\n"}}]}}],
        })
    );
}

#[test]
fn every_channel_of_the_samples_can_be_carried() {
    let mut count = 0;
    for name in ["stream/rich.sse", "stream/plain.sse", "stream/line_ends.sse"] {
        for chunk in frames([&sample(name)[..]]) {
            for passage in chunk.passages() {
                let Some(channel) = &passage.channel else { continue };
                let value = carried(&chunk, channel, "released");
                let again = frame(&value.to_string());
                let found = again.passages().iter().find(|passage| passage.channel.is_some());
                if passage.place.contains("/logprobs/") {
                    assert!(found.is_none());
                    assert!(value["choices"][0]["logprobs"].is_null());
                } else if channel.to_string().ends_with("/vendor/list/1") {
                    // Elements without an index of their own come alone.
                    assert_eq!(found.unwrap().text, "released");
                } else {
                    let found = found.unwrap();
                    assert_eq!((&*found.text, found.channel.as_ref()), ("released", Some(channel)));
                    assert!(again.is_only_channels());
                }
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} channels");
}

#[test]
fn a_carrier_can_be_made_from_the_last_frame() {
    let all = frames([&sample("stream/plain.sse")[..]]);
    let channel = all[1].passages().iter().find_map(|passage| passage.channel.clone()).unwrap();
    let value = carried(all.last().unwrap(), &channel, "tail");
    assert_eq!(value["choices"][0]["delta"]["content"], "tail");
}

#[test]
fn a_cut_ends_the_choice_in_the_dialects_words() {
    let chunk =
        frame(r#"{"id":"secret id","model":"secret model","choices":[{"index":1,"delta":{"content":"secret"}}]}"#);
    let cut = chunk.cut(1);
    assert_eq!((cut.ends(), cut.is_last(), cut.passages().len()), (&[1][..], false, 0));
    let value = json_of(&cut, &[]);
    assert_eq!(
        value["choices"],
        json!([{"index": 1, "delta": {}, "logprobs": null, "finish_reason": "content_filter"}])
    );
    assert_eq!(value["object"], "chat.completion.chunk");
    assert!(!value.to_string().contains("secret"));
    assert_eq!(frame(&value.to_string()).ends(), [1]);
}

#[test]
fn the_end_of_a_stream() {
    let done = ChatChunk::done(&template().into());
    assert_eq!(done.encode(&[]), "data: [DONE]\n\n");
    assert!(done.is_last() && done.passages().is_empty());
}

#[test]
fn a_cut_reply_has_as_many_empty_choices_and_no_word_of_the_provider() {
    let rich = ChatReply::parse(sample("reply/rich.json"), &Limits::default()).unwrap();
    let cut = rich.cut(&template());
    let value: Value = serde_json::from_slice(&cut.encode(&[])).unwrap();
    assert_eq!(value["id"], template().id);
    assert_eq!(value["model"], "asked-model");
    assert_eq!(value["choices"].as_array().unwrap().len(), 2);
    for (index, choice) in value["choices"].as_array().unwrap().iter().enumerate() {
        assert_eq!(choice["index"], index);
        assert_eq!(choice["message"], json!({"role": "assistant", "content": "", "refusal": null}));
        assert_eq!(choice["finish_reason"], "content_filter");
    }
    assert_eq!(value["usage"]["total_tokens"], 3);
    let text = value.to_string();
    for passage in rich.passages() {
        assert!(passage.text.len() < 4 || !text.contains(&*passage.text), "{} is still there", passage.place);
    }
    let again = ChatReply::parse(cut.encode(&[]), &Limits::default()).unwrap();
    assert_eq!((again.choices(), again.finish_reasons()), (cut.choices(), cut.finish_reasons()));
}

#[test]
fn a_reply_without_choices_is_cut_to_one() {
    let empty = ChatReply::parse(Bytes::from(r#"{"choices":[]}"#), &Limits::default()).unwrap();
    assert_eq!(empty.cut(&template()).choices(), [0]);
}
