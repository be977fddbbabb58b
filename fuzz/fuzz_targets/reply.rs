//! Made-up rules over a streamed reply, in several channels: what leaves is what the whole reply would say, however it is cut into
//! frames, and where a redaction shows at the end only, with more masks in a row at the most; no byte of what is redacted leaves,
//! and nothing from a blocked text on; what is cut ends well-formed.
//!
//! Input: as that of `stream`.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::base::{ExchangeId, FaultAction, FaultPolicy, Limits, Span};
use portcullis::inspect::{Answer, BlockEnd, OpaqueAction, OpaqueKind, Outcome, ReplyStream, Snapshot, Step};
use portcullis::protocol::openai::{ChatChunk, ChatReply, Template};
use portcullis::rules::Facts;
use portcullis::scan::Scanner;
use portcullis::text::Direction;
use portcullis::verdict::{Action, Layer, Levels, ModelLevels, ModelThresholds, Policy, Source, Thresholds};
use serde_json::{Value, json};

#[path = "shared/agreement.rs"]
mod agreement;
#[path = "shared/draw.rs"]
mod draw;
#[path = "shared/rule_lines.rs"]
mod rule_lines;

/// Texts made of each input.
const TEXTS: usize = 6;

/// Findings of a rule that are listed: of more, not all are known here.
const LISTED: usize = 8;

/// Where a reply's text stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Content,
    Refusal,
    Arguments,
}

const PLACES: [Place; 3] = [Place::Content, Place::Refusal, Place::Arguments];

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = String::from_utf8_lossy(data).replace(rule_lines::MASK, "");
    let Some((lines, text)) = input.split_once("\n\n") else { return Corpus::Reject };
    let Some(scanner) = rule_lines::kept(lines) else { return Corpus::Reject };
    let [hold, release] = [BlockEnd::Hold, BlockEnd::Release].map(|block_end| snapshot(&scanner, block_end));
    let mut draw = draw::Draw::new(data);
    let pieces: Vec<&str> = text.split('`').collect();
    judge(&hold, &release, PLACES[draw.below(PLACES.len())], &pieces);
    let source: Vec<char> = text.chars().chain(lines.chars()).filter(|c| *c != '`').collect();
    for _ in 0..TEXTS {
        let pieces = draw.pieces(&source);
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        judge(&hold, &release, PLACES[draw.below(PLACES.len())], &pieces);
    }
    Corpus::Keep
});

fn snapshot(scanner: &Scanner, block_end: BlockEnd) -> Arc<Snapshot> {
    // Only what a rule demands by itself blocks: a sum of points is no property of one text.
    let levels = Levels { flag: 2, block: None };
    let off = ModelLevels { flag: None, block: None };
    Arc::new(Snapshot {
        scanner: scanner.clone(),
        policy: Policy {
            score: Thresholds { operator: levels, user: levels, untrusted: levels, provider: levels },
            model: ModelThresholds { operator: off, user: off, untrusted: off, provider: off },
        },
        faults: FaultPolicy::from_names(|_| FaultAction::Block),
        opaque: OpaqueKind::ALL.map(|kind| (kind, OpaqueAction::Refuse)).into_iter().collect(),
        block_end,
        limits: Arc::new(Limits::default()),
        version: "fuzz".to_owned(),
    })
}

/// What inspection of the whole reply comes to.
#[derive(Debug)]
struct Whole {
    /// What is left of it; `None`: it is blocked or refused.
    text: Option<String>,
    action: Action,
    /// Something is redacted that a stream shows at its end only.
    shows_late: bool,
}

/// What a client has at the end of a stream.
#[derive(Debug, Default)]
struct Client {
    text: String,
    finish: Option<String>,
    is_done: bool,
    is_cut: bool,
    action: Option<Action>,
}

fn judge(hold: &Arc<Snapshot>, release: &Arc<Snapshot>, place: Place, pieces: &[&str]) {
    let text = pieces.concat();
    let whole = whole(release, place, &text);
    let reach = Reach::of(&release.scanner, &text, whole.shows_late);
    let by_character: Vec<&str> = text.split_inclusive(|_| true).collect();
    for pieces in [pieces, &by_character[..], &[text.as_str()]] {
        let client = streamed(hold, place, pieces, |client| assert_eq!(client.text, "", "held, and something left"));
        assert_eq!(client.is_cut, whole.text.is_none(), "held, in pieces {pieces:?}: {client:?}, {whole:?}");
        ends(&client, &whole, pieces, false);
        let client = streamed(release, place, pieces, |client| reach.admits(&client.text, pieces));
        reach.admits(&client.text, pieces);
        if whole.text.is_none() {
            assert!(client.is_cut, "blocked as a whole, and not in pieces {pieces:?}: {client:?}");
        } else {
            assert!(!client.is_cut || whole.shows_late, "cut in pieces {pieces:?}: {client:?}, {whole:?}");
        }
        ends(&client, &whole, pieces, whole.shows_late);
    }
}

/// `masks_left`: masks have left before it was seen that a later one takes in what is between them.
fn ends(client: &Client, whole: &Whole, pieces: &[&str], masks_left: bool) {
    assert!(client.is_done, "without its last frame, in pieces {pieces:?}: {client:?}");
    if client.is_cut {
        assert_eq!(client.finish.as_deref(), Some("content_filter"), "in pieces {pieces:?}");
        return;
    }
    assert_eq!(client.finish.as_deref(), Some("stop"), "in pieces {pieces:?}");
    if masks_left {
        let said = whole.text.as_deref().unwrap_or_default();
        assert_eq!(one_mask(&client.text), one_mask(said), "in pieces {pieces:?}");
        // One mask may stand for several that have left, never the other way round.
        assert!(is_part(said, &client.text), "{:?} left and not {said:?}, in pieces {pieces:?}", client.text);
    } else {
        assert_eq!(Some(&client.text), whole.text.as_ref(), "in pieces {pieces:?}");
    }
    assert_eq!(client.action, Some(whole.action), "in pieces {pieces:?}");
}

/// A text with one mask for masks in a row.
fn one_mask(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| {
        if c != rule_lines::MASK || !out.ends_with(rule_lines::MASK) {
            out.push(c);
        }
    });
    out
}

/// How much of a text may leave a stream, by the matches alone.
struct Reach {
    /// The text without what is redacted or blocked.
    left: String,
    /// Bytes of it before the first text that is blocked.
    until: usize,
    /// What is redacted at the end only, if nothing of it has left, is a mask as well: then something may be missing.
    may_lack: bool,
}

impl Reach {
    fn of(scanner: &Scanner, text: &str, may_lack: bool) -> Self {
        let mut covered = vec![false; text.len()];
        let mut blocked = text.len();
        for (action, span) in flowing(scanner, text) {
            covered[span.range()].fill(true);
            if action == Action::Block {
                blocked = blocked.min(span.start);
            }
        }
        let left = |until: usize| -> String {
            text.char_indices().filter(|(at, _)| *at < until && !covered[*at]).map(|(_, c)| c).collect()
        };
        Self { left: left(text.len()), until: left(blocked).len(), may_lack }
    }

    fn admits(&self, seen: &str, pieces: &[&str]) {
        let seen = seen.replace(rule_lines::MASK, "");
        let is_left = self.left.starts_with(&seen) || (self.may_lack && is_part(&seen, &self.left));
        assert!(
            seen.len() <= self.until && is_left,
            "{seen:?} left, of which {:?} may, up to {}, in pieces {pieces:?}",
            self.left,
            self.until
        );
    }
}

/// What rules that redact or block find while the text flows: others of theirs are judged when it has left.
fn flowing(scanner: &Scanner, text: &str) -> Vec<(Action, Span)> {
    let found = agreement::whole(scanner, text, false).into_iter();
    let acting = found.filter_map(|(rule, _, span, _)| {
        let rule = scanner.rules().rule(rule).expect("a rule that was found");
        let action = rule.action.filter(|action| matches!(action, Action::Redact | Action::Block))?;
        (!rule.block_end).then_some((action, span))
    });
    acting.collect()
}

/// What leaves as one mask each: what is redacted while the text flows, together where it overlaps.
fn masked(scanner: &Scanner, text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = flowing(scanner, text)
        .into_iter()
        .filter(|(action, _)| *action == Action::Redact)
        .map(|(_, span)| span)
        .collect();
    spans.sort_unstable();
    let mut masks: Vec<Span> = Vec::new();
    for span in spans {
        match masks.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => masks.push(span),
        }
    }
    masks
}

/// True when a text is another with some of its characters left out.
fn is_part(part: &str, of: &str) -> bool {
    let mut rest = of.chars();
    part.chars().all(|c| rest.any(|other| other == c))
}

fn message(place: Place, text: &str) -> Value {
    match place {
        Place::Content => json!({ "content": text }),
        Place::Refusal => json!({ "refusal": text }),
        Place::Arguments => json!({ "tool_calls": [{ "index": 0, "function": { "arguments": text } }] }),
    }
}

fn said(place: Place, message: &Value) -> &str {
    match place {
        Place::Content => &message["content"],
        Place::Refusal => &message["refusal"],
        Place::Arguments => &message["tool_calls"][0]["function"]["arguments"],
    }
    .as_str()
    .unwrap_or_default()
}

fn whole(snapshot: &Arc<Snapshot>, place: Place, text: &str) -> Whole {
    let body = json!({ "choices": [{ "index": 0, "message": message(place, text), "finish_reason": "stop" }] });
    let reply = ChatReply::parse(Bytes::from(body.to_string()), &Limits::default()).expect("a reply");
    let judged = snapshot.scan(reply, Direction::Reply, &Facts::default()).judge(Answer::NotAsked);
    let redacting = judged.verdict.findings.iter().filter(|finding| finding.action == Some(Action::Redact));
    // What is found in a decoded reading as well is one finding with what it overlaps, of all that both cover: it shows no
    // later where all of it has left as one mask, by what redacts while the text flows.
    let masked = masked(&snapshot.scanner, text);
    let is_masked = |span: Span| masked.iter().any(|mask| mask.start <= span.start && span.end <= mask.end);
    let mut counts = std::collections::BTreeMap::new();
    let shows_late = redacting.fold(false, |late, finding| {
        let Source::Rule { id } = &finding.source else { return late };
        let count = counts.entry(id).or_insert(0);
        *count += 1;
        let block_end = snapshot.scanner.rules().iter().any(|(_, rule)| rule.id == *id && rule.block_end);
        let is_decoded = matches!(finding.layer, Layer::Decoded(_)) || !is_masked(finding.span);
        late || block_end || is_decoded || *count >= LISTED
    });
    let text = match judged.outcome {
        Outcome::Blocked(_) | Outcome::Refused(..) => None,
        Outcome::Cleared(cleared) => {
            let body = cleared.encode().into_bytes();
            let body: Value = serde_json::from_slice(&body).expect("a cleared reply is JSON");
            Some(said(place, &body["choices"][0]["message"]).to_owned())
        }
    };
    Whole { text, action: judged.verdict.action, shows_late }
}

/// Sends the pieces as frames; `watch` sees what has left before the reply's end.
fn streamed(snapshot: &Arc<Snapshot>, place: Place, pieces: &[&str], watch: impl Fn(&Client)) -> Client {
    let limits = Limits::default();
    let id: ExchangeId = "018bcfe5-6800-7000-8000-000000000001".parse().expect("an id");
    let template = Arc::new(Template::new(id, "asked"));
    let mut stream: ReplyStream<ChatChunk> = ReplyStream::new(Arc::clone(snapshot), Arc::default());
    let event = |delta: Value, finish: Value| {
        json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }).to_string()
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| event(message(place, piece), Value::Null)).collect();
    let before_end = events.len();
    events.push(event(json!({}), json!("stop")));
    events.push("[DONE]".to_owned());
    let mut client = Client::default();
    for (number, event) in events.into_iter().enumerate() {
        let frame = ChatChunk::parse(Bytes::from(event), &template, &limits).expect("a frame");
        let frames = match stream.frame(frame) {
            Ok(Step::Ask(_)) => panic!("no model is asked here"),
            Ok(Step::Continue(frames)) => frames,
            Ok(Step::Cut(frames)) => {
                client.is_cut = true;
                frames
            }
            // As the pipeline ends a stream at a fault.
            Err(_) => {
                client.is_cut = true;
                stream.cut()
            }
        };
        for frame in frames {
            client.take(place, &frame.encode().into_bytes());
        }
        if client.is_cut {
            break;
        }
        if number < before_end {
            watch(&client);
        }
    }
    client.action = Some(stream.verdict().action);
    client
}

impl Client {
    fn take(&mut self, place: Place, event: &[u8]) {
        let event = std::str::from_utf8(event).expect("an event is text");
        let data = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n")).expect("an event");
        assert!(!self.is_done, "a frame after the last one");
        if data == "[DONE]" {
            self.is_done = true;
            return;
        }
        let frame: Value = serde_json::from_str(data).expect("a frame is JSON");
        for choice in frame["choices"].as_array().into_iter().flatten() {
            self.text.push_str(said(place, &choice["delta"]));
            if let Some(reason) = choice["finish_reason"].as_str() {
                self.finish = Some(reason.to_owned());
            }
        }
    }
}
