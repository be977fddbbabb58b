//! The strings of one chunk as pieces of channels: by choice and by the way from its `delta`.

use crate::base::{Cause, Fault, Limits};
use crate::protocol::json::{Kind, Value};
use crate::text::{Channel, ChannelKind, PathSegment, Role};

use super::lift::{Lift, Lifted};
use super::logprobs::lift_logprobs;
use super::numbers::is_small;
use super::provider_fault;
use super::unseen::Unseen;
use super::words::is_word;

/// First segment of the path of a channel that sits in a choice beside its `delta`.
pub(super) const BESIDE_DELTA: &str = "..";

/// Bytes of one key on a channel's path. Every piece holds its whole path, and so this bounds what one frame takes.
const PATH_KEY_BYTES: usize = 128;

/// Root fields that are the same in each chunk of a stream; each is a whole text.
const STABLE: &[&str] = &["id", "model", "object", "service_tier", "system_fingerprint"];

/// The strings of one chunk and what else it says.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) lifted: Lifted,
    /// Choices whose `finish_reason` is set.
    pub(super) ends: Vec<u64>,
    /// True when there are channel pieces and the chunk says nothing without them.
    pub(super) is_only_channels: bool,
}

/// Lifts a chunk.
pub(super) fn lift_pieces(root: Value<'_>, limits: &Limits) -> Result<Pieces, Fault> {
    let mut walk = Walk {
        lift: Lift::new(limits),
        path: Vec::new(),
        choice: None,
        ends: Vec::new(),
        says_more: false,
        fault: None,
    };
    walk.root(root);
    if let Some(fault) = walk.fault {
        return Err(fault);
    }
    let lifted = walk.lift.finish().map_err(|fault| provider_fault(fault.cause, fault.detail))?;
    let has_pieces = lifted.passages.iter().any(|passage| passage.channel.is_some());
    let is_only_channels = has_pieces && !walk.says_more && lifted.opaque.is_empty();
    Ok(Pieces { lifted, ends: walk.ends, is_only_channels })
}

struct Walk {
    lift: Lift,
    path: Vec<PathSegment>,
    choice: Option<u64>,
    ends: Vec<u64>,
    says_more: bool,
    /// The first thing that makes the chunk unreadable.
    fault: Option<Fault>,
}

impl Walk {
    fn root(&mut self, root: Value<'_>) {
        self.members(root, |walk, key, value| match key {
            "choices" if value.kind() == Kind::Array => {
                for (at, choice) in value.elements().enumerate() {
                    let mark = walk.lift.place.index(at as u64);
                    walk.choice(at, choice);
                    walk.lift.place.back(mark);
                }
            }
            "error" if !value.is_null() => {
                walk.says_more = true;
                walk.lift.tree(key, value, Role::Unknown);
            }
            "created" if value.kind() == Kind::Number => walk.lift.number(key, value),
            _ if STABLE.contains(&key) && value.kind() == Kind::String => {
                walk.lift.word_or_text(key, value, Role::Unknown);
            }
            _ => walk.step(key, value),
        });
    }

    fn choice(&mut self, at: usize, choice: Value<'_>) {
        if choice.kind() != Kind::Object {
            return self.refuse(Cause::Unparsable, "a choice that is not an object");
        }
        let index = match choice.get("index") {
            None => at as u64,
            // A long number would be a text, and frames of our own repeat the index.
            Some(index) => match index.as_u64().filter(|index| is_small(*index)) {
                Some(index) => index,
                None => return self.refuse(Cause::Unparsable, "a choice whose index is not a small whole number"),
            },
        };
        self.choice = Some(index);
        self.members(choice, |walk, key, value| match key {
            "index" => {}
            "delta" => walk.delta(value),
            // Some providers write an empty reason where there is none yet.
            "finish_reason" if value.is_null() || value.raw() == "\"\"" => {}
            "finish_reason" => {
                walk.ends.push(index);
                walk.says_more = true;
                walk.lift.tree(key, value, Role::Unknown);
            }
            "logprobs" if value.kind() == Kind::Object => {
                lift_logprobs(&mut walk.lift, value, Role::Assistant, &|path| {
                    let start = [BESIDE_DELTA, "logprobs"].map(|key| PathSegment::Key(key.into()));
                    let path = start.into_iter().chain(path.iter().cloned()).collect();
                    Some(Channel { choice: Some(index), kind: ChannelKind::Other, path })
                })
            }
            _ => {
                walk.path.push(PathSegment::Key(BESIDE_DELTA.into()));
                walk.step(key, value);
                walk.path.pop();
            }
        });
        self.choice = None;
    }

    fn delta(&mut self, delta: Value<'_>) {
        if delta.get(BESIDE_DELTA).is_some() {
            return self.refuse(Cause::Unparsable, "a key `..` in a delta");
        }
        self.pieces("delta", delta, None);
    }

    /// One member down the path.
    fn step(&mut self, key: &str, value: Value<'_>) {
        self.step_unseen(key, value, None);
    }

    fn step_unseen(&mut self, key: &str, value: Value<'_>, unseen: Option<Unseen>) {
        if matches!(value.kind(), Kind::Null) {
            return;
        }
        if key.len() > PATH_KEY_BYTES {
            return self.refuse(Cause::Oversize, "a key of more than 128 bytes");
        }
        self.path.push(PathSegment::Key(key.into()));
        self.pieces(key, value, unseen);
        self.path.pop();
    }

    /// Everything below `value`: each string is a piece of the channel that its path names.
    fn pieces(&mut self, key: &str, value: Value<'_>, unseen: Option<Unseen>) {
        let unseen = Unseen::of(key).or(unseen);
        match value.kind() {
            Kind::Null => {}
            Kind::Number => {
                self.says_more |= key != "index";
                self.lift.number(key, value);
            }
            Kind::True | Kind::False => self.says_more |= key != "index",
            Kind::String => self.string(key, value, unseen),
            Kind::Array => {
                for (at, element) in value.elements().enumerate() {
                    let own = element.get("index").and_then(Value::as_u64);
                    if own.is_some_and(|index| !is_small(index)) {
                        return self.refuse(Cause::Unparsable, "an element whose index has more than eight digits");
                    }
                    let index = own.unwrap_or(at as u64);
                    let mark = self.lift.place.index(at as u64);
                    self.path.push(PathSegment::Index(index));
                    self.pieces(key, element, unseen);
                    self.path.pop();
                    self.lift.place.back(mark);
                }
            }
            Kind::Object => {
                let is_audio = key == "audio";
                self.members(value, |walk, name, member| {
                    let unseen = if is_audio && name == "data" { Some(Unseen::Audio) } else { unseen };
                    walk.step_unseen(name, member, unseen);
                });
            }
        }
    }

    fn string(&mut self, key: &str, value: Value<'_>, unseen: Option<Unseen>) {
        if value.as_str().is_some_and(|text| is_word(key, &text)) {
            self.says_more = true;
            return;
        }
        if unseen.is_some_and(|unseen| self.lift.is_payload(unseen, value)) {
            return;
        }
        let kind = kind_of(&self.path);
        let channel = Channel { choice: self.choice, kind, path: self.path.clone().into() };
        self.lift.text(value, role_of(kind), Some(channel));
    }

    /// Steps through an object; the lift's own walk cannot be used, since the steps need more than the lift.
    fn members<'a>(&mut self, object: Value<'a>, mut step: impl FnMut(&mut Self, &str, Value<'a>)) {
        for (key, value) in object.members() {
            let Some(name) = key.as_str() else { continue };
            let mark = self.lift.place.key(&name);
            self.lift.unknown_key(object, key, &name, Role::Unknown);
            step(self, &name, value);
            self.lift.place.back(mark);
        }
    }

    fn refuse(&mut self, cause: Cause, what: &str) {
        let place = self.lift.place.as_str();
        self.fault
            .get_or_insert_with(|| provider_fault(cause, format!("a chunk of the stream holds {what} at {place}")));
    }
}

/// What a channel carries, by its path from the delta (or from the choice or the root).
fn kind_of(path: &[PathSegment]) -> ChannelKind {
    let keys: Vec<&str> = path.iter().filter_map(key_of).filter(|key| *key != BESIDE_DELTA).collect();
    let keys = keys.strip_prefix(&["message"]).unwrap_or(&keys);
    match keys {
        [] | ["audio", "transcript"] | ["content" | "text"] | ["content", "text"] => ChannelKind::Text,
        ["refusal"] | ["content", "refusal"] => ChannelKind::Refusal,
        ["function_call" | "tool_calls", below @ ..] => {
            let is_argument = below.iter().any(|key| ["arguments", "input"].contains(key));
            if is_argument { ChannelKind::ToolArguments } else { ChannelKind::ToolCall }
        }
        [first, ..] if first.starts_with("reasoning") => ChannelKind::Reasoning,
        _ => ChannelKind::Other,
    }
}

fn key_of(segment: &PathSegment) -> Option<&str> {
    match segment {
        PathSegment::Key(key) => Some(key),
        PathSegment::Index(_) => None,
    }
}

/// Who speaks in a channel.
pub(super) fn role_of(kind: ChannelKind) -> Role {
    match kind {
        ChannelKind::Reasoning | ChannelKind::Refusal | ChannelKind::Text => Role::Assistant,
        ChannelKind::ToolArguments => Role::ToolArguments,
        ChannelKind::Other | ChannelKind::ToolCall => Role::Unknown,
    }
}
