//! A passage: a text lifted from a body, with its role, its place and, in a stream, its channel.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which way a text travels.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the provider to the client.
    Reply,
    /// From the client to the provider.
    Request,
}

/// Who speaks in a passage, in the field's words.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A model's turn: history in a request, or the reply itself.
    Assistant,
    /// System or developer instructions.
    System,
    /// Arguments of a tool call.
    ToolArguments,
    /// A tool's declaration: name, description, schema.
    ToolDefinition,
    /// What a tool returned.
    ToolResult,
    /// Text in a field we do not know.
    Unknown,
    /// The user's turn.
    User,
}

impl Role {
    /// The trust that a passage of this role has in a request.
    pub fn trust(self) -> Trust {
        match self {
            Self::System | Self::ToolDefinition => Trust::Operator,
            Self::User | Self::Assistant => Trust::User,
            Self::ToolArguments | Self::ToolResult | Self::Unknown => Trust::Untrusted,
        }
    }

    /// The name used in rules, the audit record and JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::ToolArguments => "tool_arguments",
            Self::ToolDefinition => "tool_definition",
            Self::ToolResult => "tool_result",
            Self::Unknown => "unknown",
            Self::User => "user",
        }
    }
}

/// How far the writer of a passage is trusted; thresholds are set by this.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Whoever built the application: system prompt, tool definitions.
    Operator,
    /// The model's own reply.
    Provider,
    /// Anybody at all: documents, tool results, fields we do not know.
    Untrusted,
    /// The person who asks.
    User,
}

/// What a stream's channel carries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A field we do not know.
    Other,
    /// The model's reasoning text.
    Reasoning,
    /// A refusal's text.
    Refusal,
    /// The answer's text.
    Text,
    /// Arguments of one tool call: held until the call is whole.
    ToolArguments,
    /// What else a tool call says of itself, its id and its name: held and sent with its arguments, since clients take all of
    /// it from one frame.
    ToolCall,
}

/// One step of the way from a choice's `delta` to a string in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PathSegment {
    /// An array element, by its own `index` field where it has one, else by position.
    Index(u64),
    /// An object member.
    Key(Box<str>),
}

/// One run of text inside a stream, put together from the same place of successive frames.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Channel {
    /// The choice it belongs to; `None` for text outside every choice.
    pub choice: Option<u64>,
    /// What it carries.
    pub kind: ChannelKind,
    /// Where it sits below the choice's `delta`, or below the frame's root when there is no choice.
    pub path: Box<[PathSegment]>,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(choice) = self.choice {
            write!(f, "/choices/{choice}/delta")?;
        }
        for segment in &self.path {
            match segment {
                PathSegment::Index(index) => write!(f, "/{index}")?,
                PathSegment::Key(key) => write!(f, "/{key}")?,
            }
        }
        Ok(())
    }
}

/// A text lifted from a body.
#[derive(Clone, Debug)]
pub struct Passage<'a> {
    /// Who speaks.
    pub role: Role,
    /// Where it was found: a JSON Pointer (RFC 6901) into the body; object keys are shown as `…/~key`.
    pub place: Box<str>,
    /// The text, JSON escapes undone.
    pub text: Cow<'a, str>,
    /// In a stream: the channel that this piece continues. `None`: the text is whole.
    pub channel: Option<Channel>,
    /// Pieces that a reader puts together, such as the text parts of one message, have the same number here; they are read
    /// together as well as one by one. `None`: the text stands alone.
    pub group: Option<u32>,
    /// The name of the tool whose arguments, result or definition the text belongs to, where the message tells it.
    pub tool: Option<Arc<str>>,
}

impl<'a> Passage<'a> {
    /// Bytes of a tool's name; a longer one names no tool.
    pub const TOOL_BYTES: usize = 256;

    /// A whole passage.
    pub fn new(role: Role, place: impl Into<Box<str>>, text: impl Into<Cow<'a, str>>) -> Self {
        Self { role, place: place.into(), text: text.into(), channel: None, group: None, tool: None }
    }

    /// How far its writer is trusted: as its role says in a request, as the provider is in a reply.
    pub fn trust(&self, direction: Direction) -> Trust {
        match direction {
            Direction::Reply => Trust::Provider,
            Direction::Request => self.role.trust(),
        }
    }

    /// Its place as it would be in a reply that is not streamed: what rules name.
    pub fn field(&self) -> Cow<'_, str> {
        streamed_choice(&self.place).map_or(Cow::Borrowed(&*self.place), |(choice, rest)| {
            match rest.strip_prefix("/..") {
                Some(beside) => Cow::Owned(format!("{choice}{beside}")),
                None => Cow::Owned(format!("{choice}/message{rest}")),
            }
        })
    }
}

/// `/choices/0` and what follows `/delta`, of a place in a stream ([`Channel`] writes them).
fn streamed_choice(place: &str) -> Option<(&str, &str)> {
    let index = place.strip_prefix("/choices/")?;
    let digits = index.bytes().take_while(u8::is_ascii_digit).count();
    let rest = index.get(digits..)?.strip_prefix("/delta")?;
    let is_whole_step = rest.is_empty() || rest.starts_with('/');
    let choice = place.get(.."/choices/".len() + digits)?;
    is_whole_step.then_some((choice, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streamed_places_have_the_names_of_whole_ones() {
        for (place, field) in [
            ("/choices/0/delta/content", "/choices/0/message/content"),
            (
                "/choices/12/delta/tool_calls/0/function/arguments",
                "/choices/12/message/tool_calls/0/function/arguments",
            ),
            ("/choices/0/delta/../stop", "/choices/0/stop"),
            ("/choices/0/deltas", "/choices/0/deltas"),
            ("/choices/0/message/content", "/choices/0/message/content"),
            ("/messages/0/content", "/messages/0/content"),
        ] {
            assert_eq!(Passage::new(Role::Assistant, place, "").field(), field);
        }
    }
}
