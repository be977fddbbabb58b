//! The dialect's own facts: usage, finish reasons, errors, channels, statuses.

use bytes::Bytes;
use portcullis::base::{Blame, Cause, Fault, Limits};
use portcullis::inspect::{Frame, Subject};
use portcullis::protocol::openai::{ChatReply, ErrorReply, ModelList, PublicError, Usage, models};
use portcullis::text::{ChannelKind, Role};

use crate::support::{frame, frames, sample};

fn reply(path: &str) -> ChatReply {
    ChatReply::parse(sample(path), &Limits::default()).unwrap()
}

#[test]
fn usage_and_finish_reasons_of_a_reply() {
    let plain = reply("reply/plain.json");
    assert_eq!(
        plain.usage(),
        Some(Usage { prompt: Some(9), completion: Some(3), total: Some(12), cached: Some(4), reasoning: None })
    );
    assert_eq!(plain.finish_reasons(), [Some("stop".to_owned())]);
    let rich = reply("reply/rich.json");
    assert_eq!(rich.choices(), [0, 1]);
    assert_eq!(rich.finish_reasons(), [Some("tool_calls".to_owned()), Some("length".to_owned())]);
    assert_eq!(rich.error(), None);
}

#[test]
fn usage_of_a_stream_is_in_its_last_chunk() {
    let frames = frames([&sample("stream/plain.sse")[..]]);
    let usages: Vec<_> = frames.iter().filter_map(|frame| frame.usage()).collect();
    assert_eq!(usages, [Usage { prompt: Some(5), completion: Some(2), total: Some(7), ..Usage::default() }]);
    assert!(frames.last().unwrap().is_last());
}

#[test]
fn errors_in_place_of_a_reply() {
    assert_eq!(reply("reply/error.json").error().as_deref(), Some("Rate limit reached for org-1"));
    let parse = |body: &'static str| {
        let error = ErrorReply::parse(Bytes::from(body), &Limits::default()).unwrap();
        (error.message(), error.kind(), error.code())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(parse(r#"{"error":{"message":"m","type":"t","code":"c"}}"#), (some("m"), some("t"), some("c")));
    assert_eq!(parse(r#"{"error":{"message":"m","code":429}}"#), (some("m"), None, some("429")));
    assert_eq!(parse(r#"{"error":"m"}"#), (some("m"), None, None));
    assert_eq!(parse(r#"{"detail":"m"}"#), (some("m"), None, None));
    assert_eq!(parse(r#"{"object":"error","message":"m","type":"t"}"#), (some("m"), some("t"), None));
    assert_eq!(parse("[]"), (None, None, None));
}

#[test]
fn an_error_inside_a_stream() {
    let chunk = frame(r#"{"error":{"message":"Overloaded","type":"server_error"}}"#);
    assert_eq!(chunk.error(), Some("Overloaded"));
    assert!(chunk.passages().iter().any(|passage| passage.text == "Overloaded" && passage.channel.is_none()));
    assert!(!chunk.is_only_channels());
    assert_eq!(frame(r#"{"choices":[],"error":null}"#).error(), None);
}

#[test]
fn what_a_frame_says_besides_its_channels() {
    let only = |json: &str| frame(json).is_only_channels();
    assert!(only(
        r#"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#
    ));
    assert!(only(r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"a"}}]}}]}"#));
    assert!(only(
        r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97]}]}}]}"#
    ));
    assert!(!only(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#));
    assert!(!only(r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#));
    assert!(!only(r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#));
    assert!(!only(r#"{"choices":[{"delta":{"content":"a","flag":true}}]}"#));
    assert!(!only(r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"type":"function","id":"x"}]}}]}"#));
    assert!(!only(r#"{"choices":[{"delta":{"audio":{"data":"AAAA","transcript":"a"}}}]}"#));
    assert!(!only(r#"{"choices":[{"index":0,"delta":{}}]}"#));
    assert!(!only("[DONE]"));
}

#[test]
fn channels_are_named_by_what_they_carry() {
    let kinds = |json: &str| -> Vec<(ChannelKind, String, Role)> {
        let named = frame(json);
        let pieces = named
            .passages()
            .iter()
            .filter_map(|passage| passage.channel.as_ref().map(|channel| (channel, passage.role)));
        pieces.map(|(channel, role)| (channel.kind, channel.to_string(), role)).collect()
    };
    let one = |json: &str| kinds(json).remove(0);
    let name = |kind, channel: &str, role| (kind, channel.to_owned(), role);
    assert_eq!(
        one(r#"{"choices":[{"index":4,"delta":{"content":"a"}}]}"#),
        name(ChannelKind::Text, "/choices/4/delta/content", Role::Assistant)
    );
    assert_eq!(
        one(r#"{"choices":[{"delta":{"tool_calls":[{"index":5,"function":{"arguments":"a"}}]}}]}"#),
        name(ChannelKind::ToolArguments, "/choices/0/delta/tool_calls/5/function/arguments", Role::ToolArguments)
    );
    assert_eq!(
        one(r#"{"choices":[{"delta":{"tool_calls":[{"index":5,"function":{"name":"a"}}]}}]}"#).0,
        ChannelKind::ToolCall
    );
    assert_eq!(one(r#"{"choices":[{"delta":{"function_call":{"arguments":"a"}}}]}"#).0, ChannelKind::ToolArguments);
    assert_eq!(one(r#"{"choices":[{"delta":{"refusal":"a"}}]}"#).0, ChannelKind::Refusal);
    assert_eq!(one(r#"{"choices":[{"delta":{"reasoning_details":[{"text":"a"}]}}]}"#).0, ChannelKind::Reasoning);
    assert_eq!(
        one(r#"{"choices":[{"index":1,"text":"a"}]}"#),
        name(ChannelKind::Text, "/choices/1/delta/../text", Role::Assistant)
    );
    assert_eq!(one(r#"{"choices":[],"x":{"y":["a"]}}"#), name(ChannelKind::Other, "/x/y/0", Role::Unknown));
    // A delta that calls something `logprobs` is not the log probabilities.
    assert_ne!(
        one(r#"{"choices":[{"delta":{"logprobs":{"content":"a"}}}]}"#).1,
        one(r#"{"choices":[{"logprobs":{"content":[{"token":"a"}]}}]}"#).1
    );
}

#[test]
fn ends_are_choices_with_a_finish_reason() {
    assert_eq!(
        frame(r#"{"choices":[{"index":2,"delta":{},"finish_reason":"stop"},{"index":0,"finish_reason":null},{"index":1,"finish_reason":"new word"}]}"#)
            .ends(),
        [2, 1]
    );
    assert!(frame(r#"{"choices":[{"finish_reason":""}]}"#).ends().is_empty());
}

#[test]
fn a_list_of_models_made_and_read() {
    let body = models::body([("demo", "portcullis"), ("a \"b\"", "c")], 5);
    let list = ModelList::parse(body, &Limits::default()).unwrap();
    assert_eq!(list.ids(), ["demo", "a \"b\""]);
    assert_eq!(ModelList::parse(models::body([], 0), &Limits::default()).unwrap().ids(), Vec::<String>::new());
}

const CAUSES: [Cause; 15] = [
    Cause::AuditFull,
    Cause::Internal,
    Cause::NoRoute,
    Cause::ModelMissing,
    Cause::NoSuchModel,
    Cause::Opaque,
    Cause::Overload,
    Cause::Throttled,
    Cause::Oversize,
    Cause::Timeout,
    Cause::Unauthorized,
    Cause::Unjudged,
    Cause::Unparsable,
    Cause::UnsupportedMedia,
    Cause::Upstream,
];

#[test]
fn every_cause_has_a_status_that_fits_its_blame() {
    for cause in CAUSES {
        for blame in [Blame::Client, Blame::Ours, Blame::Provider] {
            let public = PublicError::of(&Fault { cause, blame, detail: "the detail".to_owned() });
            assert!((400..600).contains(&public.status), "{cause:?} {blame:?}");
            assert_eq!(public.message == "the detail", blame == Blame::Client, "{cause:?} {blame:?}");
            // The official clients retry these on their own; others never.
            let retried = matches!(public.status, 408 | 409 | 429 | 500..);
            assert!(retried || !public.retry, "{cause:?} {blame:?}");
        }
        let fault = PublicError::of(&Fault { cause, blame: Blame::Provider, detail: String::new() });
        if matches!(cause, Cause::Oversize | Cause::Unparsable | Cause::Upstream) {
            assert_eq!(fault.status, 502, "{cause:?}: a provider's fault is not the client's");
        }
    }
}

#[test]
fn the_table_of_the_clients_own_faults() {
    let status = |cause| PublicError::of(&Fault::client(cause, "")).status;
    assert_eq!(status(Cause::Unparsable), 400);
    assert_eq!(status(Cause::Unauthorized), 401);
    assert_eq!(status(Cause::NoRoute), 404);
    assert_eq!(status(Cause::Timeout), 408);
    assert_eq!(status(Cause::Oversize), 413);
    assert_eq!(status(Cause::UnsupportedMedia), 415);
    let block = PublicError::blocked(None);
    assert_eq!((block.status, block.code, block.retry), (400, "content_filter", false));
}
