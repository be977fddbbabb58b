//! Frames of our own making: the one that carries released text, the one that ends a choice, and the one with token counts.

use crate::protocol::json::quote;
use crate::text::{Channel, PathSegment};

use super::pieces::BESIDE_DELTA;
use super::template::Template;
use super::usage::Usage;

/// JSON around the one text of a made frame.
#[derive(Clone, Debug)]
pub(super) struct Made {
    head: String,
    tail: String,
    /// False where the text has no place in the frame: tokens of `logprobs` mean nothing without their numbers.
    has_text: bool,
}

impl Made {
    /// A chunk with one empty string where `channel` has its text.
    pub(super) fn carrier(template: &Template, channel: &Channel) -> Self {
        let mut head = open(template);
        let mut tail = String::new();
        let Some(choice) = channel.choice else {
            head.push_str(",\"choices\":[],");
            nest_members(&channel.path, &mut head, &mut tail);
            tail.push('}');
            return Self { head, tail, has_text: true };
        };
        head.push_str(&format!(",\"choices\":[{{\"index\":{choice},"));
        let beside = match channel.path.split_first() {
            Some((PathSegment::Key(key), path)) if **key == *BESIDE_DELTA => Some(path),
            _ => None,
        };
        let is_logprobs =
            matches!(beside.and_then(<[PathSegment]>::first), Some(PathSegment::Key(key)) if **key == *"logprobs");
        match beside {
            _ if is_logprobs => head.push_str("\"delta\":{},\"logprobs\":null"),
            Some(path) => {
                // Clients read `delta` of every choice.
                head.push_str("\"delta\":{},");
                nest_members(path, &mut head, &mut tail);
            }
            None => {
                head.push_str("\"delta\":");
                nest(&channel.path, &mut head, &mut tail);
            }
        }
        tail.push_str(",\"finish_reason\":null}]}");
        Self { head, tail, has_text: !is_logprobs }
    }

    /// A chunk that ends `choice` by `content_filter`.
    pub(super) fn cut(template: &Template, choice: u64) -> Self {
        let mut head = open(template);
        head.push_str(&format!(
            ",\"choices\":[{{\"index\":{choice},\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"content_filter\"}}]}}"
        ));
        Self { head, tail: String::new(), has_text: false }
    }

    /// A chunk with the token counts of the whole stream, as `stream_options.include_usage` asks for.
    pub(super) fn usage(template: &Template, usage: Usage) -> Self {
        let mut head = open(template);
        head.push_str(&format!(",\"choices\":[],\"usage\":{}}}", usage.json()));
        Self { head, tail: String::new(), has_text: false }
    }

    /// The frame's JSON with that text in it.
    pub(super) fn json(&self, text: &str) -> String {
        let mut out = self.head.clone();
        if self.has_text {
            quote(text, &mut out);
        }
        out.push_str(&self.tail);
        out
    }
}

fn open(template: &Template) -> String {
    let mut out = String::from("{\"id\":");
    quote(&template.id, &mut out);
    out.push_str(&format!(",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":", template.created));
    quote(&template.model, &mut out);
    out
}

/// Opens objects and arrays along `path` in `head`, and closes them in `tail`.
fn nest(path: &[PathSegment], head: &mut String, tail: &mut String) {
    match path.first() {
        None => {}
        Some(PathSegment::Key(_)) => {
            head.push('{');
            nest_members(path, head, tail);
            tail.push('}');
        }
        Some(PathSegment::Index(index)) => {
            let rest = path.get(1..).unwrap_or_default();
            head.push('[');
            if matches!(rest.first(), Some(PathSegment::Key(_))) {
                head.push_str(&format!("{{\"index\":{index},"));
                nest_members(rest, head, tail);
                tail.push('}');
            } else {
                nest(rest, head, tail);
            }
            tail.push(']');
        }
    }
}

/// As [`nest`], inside an object that is open already.
fn nest_members(path: &[PathSegment], head: &mut String, tail: &mut String) {
    if let Some((PathSegment::Key(key), rest)) = path.split_first() {
        quote(key, head);
        head.push(':');
        nest(rest, head, tail);
    }
}
