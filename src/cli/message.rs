//! What the command line was given, as a message that `inspect` can judge: one text, or a whole body.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Failure;
use super::texts::Texts;
use crate::base::{Fault, Limits};
use crate::inspect::{Opaque, Subject};
use crate::protocol::openai::{ChatReply, ChatRequest};
use crate::text::{Direction, Passage};

/// A message as the judges take it.
#[derive(Debug)]
pub(super) enum Message {
    Reply(ChatReply),
    Request(ChatRequest),
    Text(Texts),
}

impl Message {
    /// Reads a body as the inline path does.
    pub(super) fn body(body: Bytes, direction: Direction, limits: &Limits) -> Result<Self, Failure> {
        let refused = |fault: Fault| {
            let what = if direction == Direction::Reply { "reply" } else { "request" };
            Failure::usage(format!(
                "the body is no {what} that could be judged ({}): {}\n  help: write it as the API of chat completions has it{}",
                fault.cause.name(),
                fault.detail,
                if direction == Direction::Reply { "" } else { "; a reply's body is judged with --reply" },
            ))
        };
        match direction {
            Direction::Reply => ChatReply::parse(body, limits).map(Self::Reply).map_err(refused),
            Direction::Request => ChatRequest::parse(body, limits).map(Self::Request).map_err(refused),
        }
    }

    /// The model that it asks, where it says so.
    pub(super) fn model(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(request.model()),
            Self::Reply(_) | Self::Text(_) => None,
        }
    }
}

impl Subject for Message {
    fn passages(&self) -> &[Passage<'static>] {
        match self {
            Self::Reply(reply) => reply.passages(),
            Self::Request(request) => request.passages(),
            Self::Text(texts) => texts.passages(),
        }
    }

    fn opaque(&self) -> &[Opaque] {
        match self {
            Self::Reply(reply) => reply.opaque(),
            Self::Request(request) => request.opaque(),
            Self::Text(texts) => texts.opaque(),
        }
    }

    fn strip(&mut self, passages: &[usize]) -> Option<BTreeSet<usize>> {
        match self {
            Self::Reply(reply) => reply.strip(passages),
            Self::Request(request) => request.strip(passages),
            Self::Text(texts) => texts.strip(passages),
        }
    }
}
