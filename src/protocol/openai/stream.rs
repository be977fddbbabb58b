//! A streamed reply: bytes in, frames out.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};
use crate::protocol::sse::{self, Decoder, Event};

use super::chunk::ChatChunk;
use super::made::Made;
use super::provider_fault;
use super::template::Template;
use super::usage::Usage;

/// Event names whose data are chunks. Data under other names are dropped: a client would not take them for chunks either.
const NAMES: &[&str] = &["chunk", "completion", "error", "message"];

/// Reads one streamed reply. Only what it parses into frames can be sent on.
#[derive(Debug)]
pub struct ChatStream {
    decoder: Decoder,
    events: Vec<Event>,
    template: Arc<Template>,
    limits: Limits,
    size: usize,
    is_over: bool,
    dropped: u64,
    /// The provider's `id` and `created` are known: frames that we make have the same.
    is_identified: bool,
}

impl ChatStream {
    /// A reader for one stream; the template is for the frames that we make ourselves.
    pub fn new(template: Template, limits: &Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            events: Vec::new(),
            template: Arc::new(template),
            limits: limits.clone(),
            size: 0,
            is_over: false,
            dropped: 0,
            is_identified: false,
        }
    }

    /// Takes the next bytes. Frames that they complete are appended to `out`, also those before an error. What follows
    /// `[DONE]` is dropped.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<ChatChunk>) -> Result<(), Fault> {
        self.size = self.size.saturating_add(bytes.len());
        if self.size > self.limits.stream_bytes {
            let detail = format!("the streamed reply is larger than {} bytes", self.limits.stream_bytes);
            return Err(provider_fault(Cause::Oversize, detail));
        }
        let decoded = self.decoder.push(bytes, &mut self.events);
        for event in std::mem::take(&mut self.events) {
            self.frame(event, out)?;
        }
        Ok(decoded?)
    }

    /// The provider has closed the stream: the last event, if its blank line is missing.
    pub fn finish(&mut self, out: &mut Vec<ChatChunk>) -> Result<(), Fault> {
        if let Some(event) = self.decoder.finish()? {
            self.frame(event, out)?;
        }
        Ok(())
    }

    /// True once `[DONE]` has come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Events dropped so far: unknown names, and what followed the end.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A frame of our own with the provider's token counts, for a stream whose own one does not reach the client; `None` when
    /// the client did not ask for them.
    pub fn usage_frame(&self, usage: Usage) -> Option<Bytes> {
        let is_wanted = self.template.include_usage;
        is_wanted.then(|| sse::encode(Made::usage(&self.template, usage).json("").as_bytes()))
    }

    /// The template of frames that we make.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    fn frame(&mut self, event: Event, out: &mut Vec<ChatChunk>) -> Result<(), Fault> {
        let is_known = event.name.as_deref().is_none_or(|name| NAMES.contains(&name));
        if self.is_over || !is_known {
            self.dropped += 1;
            return Ok(());
        }
        let mut chunk = ChatChunk::parse(event.data, &self.template, &self.limits)?;
        if !self.is_identified
            && let Some((id, created)) = chunk.identity()
        {
            self.is_identified = true;
            self.template = Arc::new(self.template.identified(id, created));
            chunk = chunk.with_template(&self.template);
        }
        self.is_over = chunk.is_done();
        out.push(chunk);
        Ok(())
    }
}
