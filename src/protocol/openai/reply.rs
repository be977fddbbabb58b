//! A plain (not streamed) chat completion: its passages, its usage, and the reply that stands in for a blocked one.

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Edit, Encode, Opaque, Subject};
use crate::protocol::json::{Document, Kind, Value, quote, splice};
use crate::text::{Passage, Role};

use super::edits::replacements;
use super::error::error_member;
use super::lift::{Lift, Lifted};
use super::logprobs::lift_logprobs;
use super::numbers::is_small;
use super::provider_fault;
use super::request::tool_call;
use super::template::Template;
use super::unseen::Unseen;
use super::usage::Usage;

/// A chat completion, or the error object that some providers send in its place.
#[derive(Debug)]
pub struct ChatReply {
    body: Body,
    lifted: Lifted,
    choices: Vec<u64>,
    finish_reasons: Vec<Option<String>>,
    usage: Option<Usage>,
}

#[derive(Debug)]
enum Body {
    /// Made by us.
    Made(Bytes),
    /// The provider's.
    Parsed(Document),
}

impl ChatReply {
    /// Reads a body. Every fault is the provider's.
    pub fn parse(body: Bytes, limits: &Limits) -> Result<Self, Fault> {
        if body.len() > limits.reply_bytes {
            let detail = format!("the reply has {} bytes; at most {} are taken", body.len(), limits.reply_bytes);
            return Err(provider_fault(Cause::Oversize, detail));
        }
        let document =
            Document::parse(body, limits).map_err(|error| provider_fault(error.cause(), error.to_string()))?;
        let root = document.root();
        let list = root.get("choices").filter(|choices| choices.kind() == Kind::Array);
        let is_error = root.get("error").is_some_and(|error| !error.is_null());
        if list.is_none() && !is_error {
            return Err(provider_fault(Cause::Unparsable, "the reply has neither /choices nor /error"));
        }
        let (mut choices, mut finish_reasons) = (Vec::new(), Vec::new());
        for (at, choice) in list.into_iter().flat_map(Value::elements).enumerate() {
            if choice.kind() != Kind::Object {
                return Err(provider_fault(Cause::Unparsable, format!("/choices/{at} is not an object")));
            }
            choices.push(
                choice.get("index").and_then(Value::as_u64).filter(|index| is_small(*index)).unwrap_or(at as u64),
            );
            finish_reasons.push(choice.get("finish_reason").and_then(Value::as_str).map(Into::into));
        }
        let lifted = lift(root, limits)?;
        Ok(Self { lifted, choices, finish_reasons, usage: Usage::read(root), body: Body::Parsed(document) })
    }

    /// The reply to send in place of this one when a verdict blocks it: as many choices, all empty, all ended by
    /// `content_filter`, and the same token counts. No string of the provider's is in it.
    #[must_use]
    pub fn cut(&self, template: &Template) -> Self {
        let mut out = String::from("{\"id\":");
        quote(&template.id, &mut out);
        out.push_str(",\"object\":\"chat.completion\",\"created\":");
        out.push_str(&template.created.to_string());
        out.push_str(",\"model\":");
        quote(&template.model, &mut out);
        out.push_str(",\"choices\":[");
        let choices = if self.choices.is_empty() { &[0][..] } else { &self.choices };
        for (at, choice) in choices.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&format!(
                "{{\"index\":{choice},\"message\":{{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}},\
                 \"logprobs\":null,\"finish_reason\":\"content_filter\"}}"
            ));
        }
        out.push(']');
        if let Some(usage) = self.usage {
            out.push_str(",\"usage\":");
            out.push_str(&usage.json());
        }
        out.push('}');
        Self {
            body: Body::Made(Bytes::from(out)),
            lifted: Lifted::default(),
            choices: choices.to_vec(),
            finish_reasons: vec![Some("content_filter".to_owned()); choices.len()],
            usage: self.usage,
        }
    }

    /// The `index` of each choice, in order.
    pub fn choices(&self) -> &[u64] {
        &self.choices
    }

    /// The `finish_reason` of each choice, in order.
    pub fn finish_reasons(&self) -> &[Option<String>] {
        &self.finish_reasons
    }

    /// Token counts, where the provider gave them.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The message of the error object that came in place of an answer.
    pub fn error(&self) -> Option<String> {
        match &self.body {
            Body::Parsed(document) => {
                let root = document.root();
                root.get("error").filter(|error| !error.is_null())?;
                error_member(root, "message")
            }
            Body::Made(_) => None,
        }
    }
}

impl Subject for ChatReply {
    fn passages(&self) -> &[Passage<'static>] {
        &self.lifted.passages
    }

    fn opaque(&self) -> &[Opaque] {
        &self.lifted.opaque
    }
}

impl Encode for ChatReply {
    fn encode(&self, edits: &[Edit]) -> Bytes {
        match &self.body {
            Body::Made(bytes) => bytes.clone(),
            Body::Parsed(document) => {
                splice(document.bytes(), replacements(document, &self.lifted.passages, &self.lifted.slots, edits))
            }
        }
    }
}

fn lift(root: Value<'_>, limits: &Limits) -> Result<Lifted, Fault> {
    let mut lift = Lift::new(limits);
    if root.kind() != Kind::Object {
        lift.content("", root, Role::Unknown);
    }
    lift.members(root, Role::Unknown, |lift, key, value| match key {
        "choices" if value.kind() == Kind::Array => lift.each(value, choice),
        _ => lift.content(key, value, Role::Unknown),
    });
    lift.finish().map_err(|fault| provider_fault(fault.cause, fault.detail))
}

fn choice(lift: &mut Lift, choice: Value<'_>) {
    lift.members(choice, Role::Unknown, |lift, key, value| match key {
        "message" if value.kind() == Kind::Object => message(lift, value),
        "logprobs" if value.kind() == Kind::Object => lift_logprobs(lift, value, Role::Assistant, &|_| None),
        "text" if value.kind() == Kind::String => lift.text(value, Role::Assistant, None),
        _ => lift.content(key, value, Role::Unknown),
    });
}

fn message(lift: &mut Lift, message: Value<'_>) {
    lift.members(message, Role::Unknown, |lift, key, value| match key {
        "content" | "reasoning" | "reasoning_content" | "refusal" if value.kind() == Kind::Array => {
            lift.parts(key, value, Role::Assistant);
        }
        "content" | "reasoning" | "reasoning_content" | "refusal" => lift.content(key, value, Role::Assistant),
        "annotations" => lift.content(key, value, Role::Assistant),
        "audio" if value.kind() == Kind::Object => lift.members(value, Role::Unknown, |lift, key, value| match key {
            "data" => lift.unseen(Unseen::Audio, value, Role::Unknown),
            "transcript" => lift.content(key, value, Role::Assistant),
            _ => lift.content(key, value, Role::Unknown),
        }),
        "function_call" | "tool_calls" => tool_call(lift, key, value),
        _ => lift.content(key, value, Role::Unknown),
    });
}
