//! What `inspect` asks of a message: its passages, and how to write it out again with some of them changed.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::Span;
use crate::text::{Channel, Passage};

/// A kind of content that cannot be seen here. Policy waives or refuses each by name, and both are counted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpaqueKind {
    /// Audio as base64.
    Audio,
    /// A file's bytes as base64.
    FileData,
    /// A file stored at the provider, named by id.
    FileId,
    /// An image as a data URL.
    ImageData,
    /// An image named by URL.
    ImageUrl,
    /// A tool that runs at the provider or elsewhere (web search, remote MCP …).
    RemoteTool,
    /// An earlier conversation kept at the provider.
    StoredConversation,
}

impl OpaqueKind {
    /// All kinds, for configuration and metrics.
    pub const ALL: [Self; 7] = [
        Self::Audio,
        Self::FileData,
        Self::FileId,
        Self::ImageData,
        Self::ImageUrl,
        Self::RemoteTool,
        Self::StoredConversation,
    ];

    /// The name used in policy, metrics and the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::FileData => "file_data",
            Self::FileId => "file_id",
            Self::ImageData => "image_data",
            Self::ImageUrl => "image_url",
            Self::RemoteTool => "remote_tool",
            Self::StoredConversation => "stored_conversation",
        }
    }
}

/// One piece of unseen content.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Opaque {
    /// Its kind.
    pub kind: OpaqueKind,
    /// Its place (JSON Pointer).
    pub place: String,
}

/// A replacement inside one passage, in bytes of that passage's original text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// Index into [`Subject::passages`].
    pub passage: usize,
    /// What is replaced; edits of one passage never overlap and come in order.
    pub span: Span,
    /// What stands there instead.
    pub with: String,
}

/// A message that can be inspected: everything in it that is text, and a list of what is not.
pub trait Subject {
    /// Every text in the message, in order of place. The order and number are stable: an [`Edit`] points into it.
    fn passages(&self) -> &[Passage<'static>];

    /// Everything that cannot be seen.
    fn opaque(&self) -> &[Opaque] {
        &[]
    }

    /// Takes these passages out of the message, each with the field or the element that holds it, and gives all passages
    /// that went with them. `None`: the message would not be one any more, and stays as it is.
    fn strip(&mut self, passages: &[usize]) -> Option<BTreeSet<usize>> {
        let _ = passages;
        None
    }
}

/// A message that can be written to the wire. Called through [`super::Cleared::encode`] only.
pub trait Encode: Subject {
    /// The bytes to send: the message as it came, byte for byte, but for the edited passages.
    fn encode(&self, edits: &[Edit]) -> Bytes;

    /// Asks another model than the message came for, where it asks one.
    fn ask_model(&mut self, model: &str) {
        let _ = model;
    }
}

/// One frame of a stream. Its passages that carry a channel are pieces of running text; the others are whole.
pub trait Frame: Clone + Encode + Sized {
    /// Choices that end with this frame (their `finish_reason` is set).
    fn ends(&self) -> &[u64];

    /// True for the frame that ends the whole stream (`[DONE]`).
    fn is_last(&self) -> bool;

    /// True when the frame says nothing once every channel piece in it is empty, so that it need not be sent.
    fn is_only_channels(&self) -> bool;

    /// A new frame of the same stream that carries one empty piece of `channel` and nothing else, so that held text can be
    /// released without a frame of the provider's at hand.
    fn carrier(&self, channel: &Channel) -> Self;

    /// A new frame of the same stream that ends `choice` with the dialect's word for "stopped by a content filter".
    fn cut(&self, choice: u64) -> Self;

    /// The frame that ends the whole stream.
    fn last(&self) -> Self;
}
