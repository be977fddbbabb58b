//! Hold and release, in process: what a streamed reply says after inspection is what the whole reply would say, however it
//! is cut into frames, and no byte of a match leaves before its verdict.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use portcullis::base::{Blame, Cause, ExchangeId, Limits};
use portcullis::inspect::{Answer, BlockEnd, Outcome, ReplyStream, Snapshot, Step};
use portcullis::protocol::openai::{ChatChunk, ChatReply, ChatStream, Template};
use portcullis::rules::{Facts, Loaded};
use portcullis::text::Direction;
use portcullis::verdict::{Action, Levels, ModelLevels};
use serde_json::{Value, json};
use support::snapshot;

/// A rule of the tests' own that blocks replies.
const BLOCKING: &str = r"
family: leak
rules:
  - id: LEAK-900
    title: Names the project
    severity: critical
    tags: [owasp:LLM02:2025]
    applies: { direction: reply }
    patterns:
      - regex: 'project\s{1,3}nightfall'
    action: block
    examples:
      match: [the project nightfall, the project  Nightfall]
      pass: [the project, nightfall]
";

fn snapshot(block_end: BlockEnd) -> Arc<Snapshot> {
    of(portcullis::rules::load(&[PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules")]).unwrap(), block_end)
}

fn of(rules: Loaded, block_end: BlockEnd) -> Arc<Snapshot> {
    let snapshot = snapshot::of(rules.set, Levels { flag: 2, block: Some(5) });
    Arc::new(Snapshot { block_end, ..snapshot })
}

/// What a client has put together from the frames it got.
#[derive(Debug, Default, PartialEq)]
struct Client {
    text: String,
    finish: Option<String>,
    done: bool,
    cut: bool,
}

impl Client {
    fn take(&mut self, bytes: &Bytes) {
        let text = std::str::from_utf8(bytes).unwrap();
        let data = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n")).unwrap();
        if data == "[DONE]" {
            self.done = true;
            return;
        }
        let frame: Value = serde_json::from_str(data).unwrap();
        for choice in frame["choices"].as_array().unwrap() {
            self.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            if let Some(reason) = choice["finish_reason"].as_str() {
                self.finish = Some(reason.to_owned());
            }
        }
    }
}

fn event(delta: Value, finish: Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let frame = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
    format!("data: {frame}\n\n")
}

/// Sends `pieces` as the content of one streamed reply and says what the client has at the end. `watch` sees the client
/// after every frame of the provider.
fn stream(snapshot: &Arc<Snapshot>, pieces: &[&str], mut watch: impl FnMut(&Client)) -> Client {
    let limits = Limits::default();
    let mut reader = ChatStream::new(Template::new(ExchangeId::new(), "m"), &limits);
    let mut inspected: ReplyStream<ChatChunk> = ReplyStream::new(Arc::clone(snapshot), Arc::default());
    let mut events = vec![event(json!({ "role": "assistant", "content": "" }), Value::Null)];
    events.extend(pieces.iter().map(|piece| event(json!({ "content": piece }), Value::Null)));
    events.push(event(json!({}), json!("stop")));
    events.push("data: [DONE]\n\n".to_owned());
    let mut client = Client::default();
    for event in events {
        let mut frames = Vec::new();
        reader.push(event.as_bytes(), &mut frames).unwrap();
        for frame in frames {
            match inspected.frame(frame).unwrap() {
                Step::Ask(_) => panic!("no model is asked here"),
                Step::Continue(out) => out.into_iter().for_each(|frame| client.take(&frame.encode().into_bytes())),
                Step::Cut(out) => {
                    out.into_iter().for_each(|frame| client.take(&frame.encode().into_bytes()));
                    client.cut = true;
                    return client;
                }
            }
        }
        watch(&client);
    }
    client
}

/// The same text as a whole reply: what is left of it, or `None` when it is blocked.
fn whole(snapshot: &Arc<Snapshot>, text: &str) -> Option<String> {
    let message = json!({ "role": "assistant", "content": text });
    let body = json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
    let reply = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    match snapshot.scan(reply, Direction::Reply, &Facts::default()).judge(Answer::NotAsked).outcome {
        Outcome::Blocked(_) => None,
        Outcome::Refused(_, fault) => panic!("{fault}"),
        Outcome::Cleared(cleared) => {
            let body: Value = serde_json::from_slice(&cleared.encode().into_bytes()).unwrap();
            Some(body["choices"][0]["message"]["content"].as_str().unwrap().to_owned())
        }
    }
}

fn char_splits(text: &str) -> Vec<&str> {
    text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect()
}

#[test]
fn every_redacting_rule_masks_its_examples_alike_in_streams_and_in_whole_replies() {
    let snapshot = snapshot(BlockEnd::Release);
    let rules = Arc::clone(snapshot.scanner.rules());
    let mut ran = 0;
    for (_, rule) in rules.iter() {
        if rule.action != Some(Action::Redact) || !rule.on_reply || rule.block_end {
            continue;
        }
        for example in rule.examples.iter().filter(|example| example.is_match) {
            let text = format!("Here: {} (end)", example.text);
            let expected = whole(&snapshot, &text);
            let mut cuts: Vec<usize> = (1..text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            // Long examples (key files): the ends and every seventh split.
            if cuts.len() > 400 {
                cuts.retain(|at| at % 7 == 0 || *at < 60 || text.len() - at < 60);
            }
            for at in cuts {
                let seen = stream(&snapshot, &[&text[..at], &text[at..]], |_| ());
                assert_eq!(seen.cut, expected.is_none(), "{} cut at {at}: {text}", rule.id);
                if let Some(expected) = &expected {
                    assert_eq!(&seen.text, expected, "{} split at {at}", rule.id);
                    assert!(seen.done && seen.finish.as_deref() == Some("stop"), "{seen:?}");
                }
                ran += 1;
            }
            let by_char = stream(&snapshot, &char_splits(&text), |_| ());
            if let Some(expected) = &expected {
                assert_eq!(&by_char.text, expected, "{} by character", rule.id);
            }
            ran += 1;
        }
    }
    println!("{ran} streams");
    assert!(ran > 2000, "only {ran} streams ran");
}

#[test]
fn no_byte_of_a_secret_leaves_before_its_verdict() {
    let snapshot = snapshot(BlockEnd::Release);
    let secret = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";
    let text = format!("The token is {secret} and that is all.");
    let expected = whole(&snapshot, &text).unwrap();
    assert!(!expected.contains(&secret[..8]), "{expected}");
    let mut most_behind = 0;
    let mut fed = 0;
    let seen = stream(&snapshot, &char_splits(&text), |client| {
        // The client never has more than a prefix of what it will have in the end: nothing is taken back, nothing leaks.
        assert!(expected.starts_with(&client.text), "{:?} is no prefix of {expected:?}", client.text);
        fed += 1;
        most_behind = most_behind.max(fed - client.text.len().min(fed));
    });
    assert_eq!(seen.text, expected);
    assert!(most_behind >= secret.len(), "the secret was held while it grew: {most_behind}");
}

#[test]
fn ordinary_text_is_hardly_held() {
    let snapshot = snapshot(BlockEnd::Release);
    let text = "Bridges carry roads over rivers. The oldest ones were simple beams of wood or stone, laid across a stream. \
                Arches came later, and they are still in use today, two thousand years after they were built.";
    let (mut fed, mut behind) = (0usize, Vec::new());
    let seen = stream(&snapshot, &char_splits(text), |client| {
        // The first event carries the role, the last two end the stream.
        behind.push(fed.min(text.len()).saturating_sub(client.text.len()));
        fed += 1;
    });
    assert_eq!(seen.text, text);
    behind.sort_unstable();
    let median = behind[behind.len() / 2];
    println!("held back: median {median}, most {}", behind[behind.len() - 1]);
    assert!(median <= 24, "median of bytes held back: {median}");
}

#[test]
fn a_blocked_stream_ends_well_formed() {
    let rules = portcullis::rules::from_sources(vec![("leak/project.yaml".into(), BLOCKING.to_owned())]).unwrap();
    let snapshot = of(rules, BlockEnd::Release);
    let offending = "project nightfall";
    let text = format!("Of course. {offending} More text.");
    let seen = stream(&snapshot, &char_splits(&text), |client| {
        assert!(!client.text.contains("project"), "{client:?}");
    });
    assert!(seen.cut && seen.done, "{seen:?}");
    assert_eq!(seen.finish.as_deref(), Some("content_filter"));
    assert_eq!(seen.text, "Of course. ");
}

#[test]
fn with_hold_nothing_leaves_before_the_end_of_the_block() {
    let snapshot = snapshot(BlockEnd::Hold);
    let text = "Bridges carry roads over rivers.";
    let mut fed = 0;
    let seen = stream(&snapshot, &char_splits(text), |client| {
        fed += 1;
        if fed <= text.len() {
            assert_eq!(client.text, "");
        }
    });
    assert_eq!((seen.text.as_str(), seen.done), (text, true));
}

#[test]
fn text_after_the_end_of_a_choice_is_the_providers_fault() {
    let snapshot = snapshot(BlockEnd::Release);
    let mut inspected: ReplyStream<ChatChunk> = ReplyStream::new(snapshot, Arc::default());
    let template = Arc::new(Template::new(ExchangeId::new(), "m"));
    let mut feed = |event: String| {
        let data = event.trim_start_matches("data: ").trim().to_owned();
        inspected.frame(ChatChunk::parse(Bytes::from(data), &template, &Limits::default()).unwrap())
    };
    assert!(feed(event(json!({ "content": "AKIA" }), Value::Null)).is_ok());
    assert!(feed(event(json!({}), json!("stop"))).is_ok());
    assert!(feed(event(json!({ "content": "IOSFODNN7EXAMPLE" }), Value::Null)).is_err());
}

const CARD: &str = "4242 4242 4242 4242";

#[test]
fn many_replacements_of_one_rule_do_not_cut_the_stream() {
    let snapshot = snapshot(BlockEnd::Release);
    let text = format!("{CARD}, ").repeat(40) + "these are all.";
    let seen = stream(&snapshot, &char_splits(&text), |_| ());
    assert_eq!((seen.cut, seen.done), (false, true));
    assert_eq!(seen.text, "[card number], ".repeat(40) + "these are all.");
    assert_eq!(Some(seen.text), whole(&snapshot, &text));
}

#[test]
fn matches_beyond_count_are_all_replaced_and_few_are_listed() {
    let snapshot = snapshot(BlockEnd::Release);
    let count = 60_000;
    let message = json!({ "role": "assistant", "content": format!("{CARD}, ").repeat(count) });
    let body = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
    let reply = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    let judged = snapshot.scan(reply, Direction::Reply, &Facts::default()).judge(Answer::NotAsked);
    assert_eq!(judged.verdict.action, Action::Redact);
    assert!(judged.verdict.findings.len() < 50, "{}", judged.verdict.findings.len());
    let Outcome::Cleared(cleared) = judged.outcome else { panic!("not cleared") };
    let sent = cleared.encode().into_bytes();
    let sent = std::str::from_utf8(&sent).unwrap();
    assert_eq!((sent.matches("[card number]").count(), sent.contains("4242")), (count, false));
}

#[test]
fn a_block_at_the_end_of_a_block_says_why_the_choice_ended() {
    let rules = portcullis::rules::from_sources(vec![("leak/project.yaml".into(), BLOCKING.to_owned())]).unwrap();
    let snapshot = of(rules, BlockEnd::Release);
    // Only the whole text shows what the base64 says.
    let seen = stream(&snapshot, &["It is cHJvamVjdCBuaWdodGZhbGwg", "as asked."], |_| ());
    assert!(seen.cut && seen.done, "{seen:?}");
    assert_eq!(seen.finish.as_deref(), Some("content_filter"));
}

#[test]
fn nothing_is_cleared_on_an_answer_that_does_not_fit_the_questions() {
    let mut snapshot = snapshot(BlockEnd::Release);
    Arc::get_mut(&mut snapshot).unwrap().policy.model.provider = ModelLevels { flag: None, block: Some(0.9) };
    let body = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "A bridge." } }] });
    for answer in [Answer::NotAsked, Answer::Scores(Vec::new())] {
        let reply = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
        let scanned = snapshot.scan(reply, Direction::Reply, &Facts::default());
        assert_eq!(scanned.questions().len(), 1);
        let Outcome::Refused(_, fault) = scanned.judge(answer).outcome else { panic!("not refused") };
        assert_eq!(fault.cause, Cause::Internal);
    }
    for answer in [Answer::NotAsked, Answer::Scores(Vec::new())] {
        let mut inspected: ReplyStream<ChatChunk> = ReplyStream::new(Arc::clone(&snapshot), Arc::default());
        let template = Arc::new(Template::new(ExchangeId::new(), "m"));
        let event = event(json!({ "content": "A bridge." }), json!("stop"));
        let data = event.trim_start_matches("data: ").trim().to_owned();
        let frame = ChatChunk::parse(Bytes::from(data), &template, &Limits::default()).unwrap();
        assert!(matches!(inspected.frame(frame), Ok(Step::Ask(_))));
        assert_eq!(inspected.answer(answer).unwrap_err().cause, Cause::Internal);
    }
}

#[test]
fn what_cannot_be_seen_in_a_reply_is_the_providers_fault() {
    let snapshot = snapshot(BlockEnd::Release);
    let body = json!({ "choices": [], "k\n".repeat(200): { "image_url": "https://example.com/a.png" } });
    let reply = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).unwrap();
    let Outcome::Refused(_, fault) =
        snapshot.scan(reply, Direction::Reply, &Facts::default()).judge(Answer::NotAsked).outcome
    else {
        panic!("not refused")
    };
    assert_eq!((fault.cause, fault.blame), (Cause::Opaque, Blame::Provider));
    // The place is the sender's text: bounded, and on one line.
    assert!(fault.detail.len() < 1000 && !fault.detail.contains('\n'), "{fault}");
}
