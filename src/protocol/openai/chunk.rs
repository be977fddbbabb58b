//! One frame of a streamed chat completion.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Edit, Encode, Frame, Opaque, Subject};
use crate::protocol::json::{Document, Kind, splice};
use crate::protocol::sse;
use crate::text::{Channel, Passage};

use super::edits::{edited, replacements};
use super::error::error_member;
use super::lift::Lifted;
use super::made::Made;
use super::pieces::{lift_pieces, role_of};
use super::provider_fault;
use super::template::Template;
use super::usage::Usage;

/// The data that end a stream.
const DONE: &[u8] = b"[DONE]";

/// A frame: a chunk, an error object or `[DONE]`.
#[derive(Clone, Debug)]
pub struct ChatChunk {
    body: Body,
    template: Arc<Template>,
    lifted: Lifted,
    ends: Vec<u64>,
    is_only_channels: bool,
    usage: Option<Usage>,
    error: Option<String>,
}

#[derive(Clone, Debug)]
enum Body {
    /// `[DONE]`.
    Done,
    /// Made by us.
    Made(Made),
    /// The provider's.
    Parsed(Document),
}

impl ChatChunk {
    /// Reads the data of one event. Every fault is the provider's.
    pub fn parse(data: Bytes, template: &Arc<Template>, limits: &Limits) -> Result<Self, Fault> {
        if data.trim_ascii() == DONE {
            return Ok(Self::done(template));
        }
        let document =
            Document::parse(data, limits).map_err(|error| provider_fault(error.cause(), error.to_string()))?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(provider_fault(Cause::Unparsable, "a chunk of the stream is not a JSON object"));
        }
        let pieces = lift_pieces(root, limits)?;
        let has_error = root.get("error").is_some_and(|error| !error.is_null());
        let error = has_error.then(|| error_member(root, "message").unwrap_or_default());
        Ok(Self {
            template: Arc::clone(template),
            lifted: pieces.lifted,
            ends: pieces.ends,
            is_only_channels: pieces.is_only_channels,
            usage: Usage::read(root),
            error,
            body: Body::Parsed(document),
        })
    }

    /// The frame that ends a stream.
    pub fn done(template: &Arc<Template>) -> Self {
        Self::made(Body::Done, template, Lifted::default())
    }

    /// True for `[DONE]`.
    pub fn is_done(&self) -> bool {
        matches!(self.body, Body::Done)
    }

    /// The provider's `id` and `created`, if it has them.
    pub(super) fn identity(&self) -> Option<(String, u64)> {
        let Body::Parsed(document) = &self.body else { return None };
        let root = document.root();
        let id = root.get("id")?.as_str()?;
        Some((id.into_owned(), root.get("created")?.as_u64()?))
    }

    /// The same with another template for the frames that are made from it.
    pub(super) fn with_template(self, template: &Arc<Template>) -> Self {
        Self { template: Arc::clone(template), ..self }
    }

    /// Token counts, in the chunk that has them (the last before `[DONE]`, when they were asked for).
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The message of an error that the provider sent inside the stream.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn made(body: Body, template: &Arc<Template>, lifted: Lifted) -> Self {
        Self {
            body,
            template: Arc::clone(template),
            lifted,
            ends: Vec::new(),
            is_only_channels: false,
            usage: None,
            error: None,
        }
    }
}

impl Subject for ChatChunk {
    fn passages(&self) -> &[Passage<'static>] {
        &self.lifted.passages
    }

    fn opaque(&self) -> &[Opaque] {
        &self.lifted.opaque
    }
}

impl Encode for ChatChunk {
    fn encode(&self, edits: &[Edit]) -> Bytes {
        match &self.body {
            Body::Done => sse::encode(DONE),
            Body::Made(made) => {
                // A made frame has one passage, empty to begin with: its text is what the edits put there.
                let edits: Vec<&Edit> = edits.iter().filter(|edit| edit.passage == 0).collect();
                sse::encode(made.json(&edited("", &edits)).as_bytes())
            }
            Body::Parsed(document) => {
                let made = replacements(document, &self.lifted.passages, &self.lifted.slots, edits);
                sse::encode(&splice(document.bytes(), made))
            }
        }
    }
}

impl Frame for ChatChunk {
    fn ends(&self) -> &[u64] {
        &self.ends
    }

    fn is_last(&self) -> bool {
        self.is_done()
    }

    fn is_only_channels(&self) -> bool {
        self.is_only_channels
    }

    fn carrier(&self, channel: &Channel) -> Self {
        let mut passage = Passage::new(role_of(channel.kind), channel.to_string(), "");
        passage.channel = Some(channel.clone());
        let lifted = Lifted { passages: vec![passage], ..Lifted::default() };
        let made = Made::carrier(&self.template, channel);
        Self { is_only_channels: true, ..Self::made(Body::Made(made), &self.template, lifted) }
    }

    fn cut(&self, choice: u64) -> Self {
        let made = Made::cut(&self.template, choice);
        Self { ends: vec![choice], ..Self::made(Body::Made(made), &self.template, Lifted::default()) }
    }

    fn last(&self) -> Self {
        Self::done(&self.template)
    }
}
