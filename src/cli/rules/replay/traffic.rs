//! One recorded text or message, ready to be judged any number of times.

use bytes::Bytes;

use crate::base::{Fault, Limits};
use crate::protocol::openai::{ChatReply, ChatRequest};
use crate::text::{Direction, Passage};

/// What was recorded.
pub(super) enum Traffic {
    /// A whole body.
    Body(Bytes),
    /// Texts alone.
    Texts(Vec<Passage<'static>>),
}

/// The same as the judges take it.
pub(super) enum Said {
    Request(ChatRequest),
    Reply(ChatReply),
    Texts(Vec<Passage<'static>>),
}

impl Traffic {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Body(body) => body.len(),
            Self::Texts(texts) => texts.iter().map(|passage| passage.text.len()).sum(),
        }
    }

    /// The error: why the inline path would refuse it unjudged.
    pub(super) fn said(&self, direction: Direction, limits: &Limits) -> Result<Said, Fault> {
        Ok(match (self, direction) {
            (Self::Texts(texts), _) => Said::Texts(texts.clone()),
            (Self::Body(body), Direction::Request) => Said::Request(ChatRequest::parse(body.clone(), limits)?),
            (Self::Body(body), Direction::Reply) => Said::Reply(ChatReply::parse(body.clone(), limits)?),
        })
    }
}
