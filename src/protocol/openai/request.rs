//! `POST /v1/chat/completions`: the request body, its passages, and the few fields that steer the appliance.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Edit, Encode, Opaque, OpaqueKind, Subject};
use crate::protocol::json::{Document, Kind, Replacement, Value, quoted, splice};
use crate::text::{Passage, Role};

use super::edits::replacements;
use super::lift::{Lift, Lifted};
use super::strip;
use super::tools::{self, Calls};
use super::words::{is_plain_name, same_folded};

/// Fields that steer us as well as the provider. A provider that ignores the case of keys would read `Stream` as `stream`
/// where we do not, so their case variants are refused.
const STEERING: &[&str] = &["max_completion_tokens", "max_tokens", "model", "n", "stream", "stream_options"];

/// Root fields that hand the conversation over to something kept at the provider.
const STORED: &[&str] = &["conversation", "conversation_id", "previous_response_id"];

/// Root fields that let the provider reach out by itself.
const REMOTE: &[&str] = &["data_sources", "mcp_servers", "plugins", "web_search", "web_search_options"];

/// Bytes of a model's name.
const MODEL_BYTES: usize = 256;

/// A chat request.
#[derive(Debug)]
pub struct ChatRequest {
    document: Document,
    lifted: Lifted,
    model: String,
    provider_model: Option<String>,
    stream: bool,
    include_usage: bool,
    choices: u64,
    tokens_max: Option<u64>,
    /// What a verdict takes out.
    removals: Vec<Replacement>,
}

impl ChatRequest {
    /// Reads a body. Every fault is the client's and names the field.
    pub fn parse(body: Bytes, limits: &Limits) -> Result<Self, Fault> {
        if body.len() > limits.body_bytes {
            let detail = format!("the body has {} bytes; at most {} are taken", body.len(), limits.body_bytes);
            return Err(Fault::client(Cause::Oversize, detail));
        }
        let document =
            Document::parse(body, limits).map_err(|error| Fault::client(error.cause(), error.to_string()))?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(unparsable("the body must be a JSON object"));
        }
        refuse_variants(root)?;
        let model = match field(root, "model").and_then(Value::as_str) {
            Some(model) if !model.is_empty() => model.into_owned(),
            _ => return Err(unparsable("/model must be a non-empty string")),
        };
        if model.len() > MODEL_BYTES {
            let detail = format!("/model has {} bytes; at most {MODEL_BYTES} are taken", model.len());
            return Err(Fault::client(Cause::Oversize, detail));
        }
        let messages = field(root, "messages").filter(|messages| messages.kind() == Kind::Array);
        let Some(messages) = messages else {
            return Err(unparsable("/messages must be an array of objects"));
        };
        if let Some(at) = messages.elements().position(|message| message.kind() != Kind::Object) {
            return Err(unparsable(format!("/messages/{at} must be an object")));
        }
        let stream = boolean(root, "stream", "/stream")?;
        let options = field(root, "stream_options");
        if options.is_some_and(|options| options.kind() != Kind::Object) {
            return Err(unparsable("/stream_options must be an object"));
        }
        let include_usage = match options {
            Some(options) => boolean(options, "include_usage", "/stream_options/include_usage")?,
            None => false,
        };
        let choices = whole(root, "n", "/n")?.unwrap_or(1);
        let completion = whole(root, "max_completion_tokens", "/max_completion_tokens")?;
        let tokens = whole(root, "max_tokens", "/max_tokens")?;
        let lifted = lift(root, limits)?;
        Ok(Self {
            lifted,
            model,
            provider_model: None,
            stream,
            include_usage,
            choices,
            tokens_max: completion.or(tokens),
            removals: Vec::new(),
            document,
        })
    }

    /// The model that the client named.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The same request for a model of another name, for routes that rename it.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        self.provider_model = Some(model.to_owned());
        self
    }

    /// True when the client asked for a stream.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// True when the client asked for usage in the stream's last chunk.
    pub fn include_usage(&self) -> bool {
        self.include_usage
    }

    /// The number of choices asked for (`n`, 1 by default).
    pub fn choices(&self) -> u64 {
        self.choices
    }

    /// The client's bound on tokens to generate: `max_completion_tokens`, else `max_tokens`.
    pub fn tokens_max(&self) -> Option<u64> {
        self.tokens_max
    }

    /// The size of the body as it came, in bytes.
    pub fn size(&self) -> usize {
        self.document.bytes().len()
    }
}

impl Subject for ChatRequest {
    fn passages(&self) -> &[Passage<'static>] {
        &self.lifted.passages
    }

    fn opaque(&self) -> &[Opaque] {
        &self.lifted.opaque
    }

    fn strip(&mut self, passages: &[usize]) -> Option<BTreeSet<usize>> {
        let cut = strip::cut(&self.document, &self.lifted, passages)?;
        self.removals = cut.removals;
        Some(cut.gone)
    }
}

impl Encode for ChatRequest {
    fn encode(&self, edits: &[Edit]) -> Bytes {
        let mut made = replacements(&self.document, &self.lifted.passages, &self.lifted.slots, edits);
        if let (Some(model), Some(value)) = (&self.provider_model, self.document.root().get("model")) {
            made.retain(|replacement| replacement.span != value.span());
            made.push(Replacement { span: value.span(), with: quoted(model) });
        }
        made.extend(self.removals.iter().cloned());
        splice(self.document.bytes(), made)
    }

    fn ask_model(&mut self, model: &str) {
        self.provider_model = Some(model.to_owned());
    }
}

fn lift(root: Value<'_>, limits: &Limits) -> Result<Lifted, Fault> {
    let mut lift = Lift::new(limits);
    lift.members(root, Role::Unknown, |lift, key, value| match key {
        "model" if value.as_str().is_some_and(|model| is_plain_name(&model)) => {}
        "messages" => {
            let calls = Calls::of(value);
            lift.each(value, |lift, one| message(lift, one, &calls));
        }
        "tools" if value.kind() == Kind::Array => lift.each(value, tool),
        "tools" if !value.is_null() => tool(lift, value),
        "functions" if value.kind() == Kind::Array => lift.each(value, |lift, function| {
            lift.of_tool(tools::name(function), |lift| lift.tree("functions", function, Role::ToolDefinition));
        }),
        "functions" | "response_format" => lift.tree(key, value, Role::ToolDefinition),
        "metadata" => lift.tree(key, value, Role::Unknown),
        _ => {
            if !value.is_null() && names(STORED, key) {
                lift.opaque(OpaqueKind::StoredConversation);
            }
            if !value.is_null() && names(REMOTE, key) {
                lift.opaque(OpaqueKind::RemoteTool);
            }
            lift.content(key, value, Role::Unknown);
        }
    });
    lift.finish()
}

fn message(lift: &mut Lift, message: Value<'_>, calls: &Calls) {
    let role = match message.get("role").and_then(Value::as_str).as_deref() {
        Some("assistant") => Role::Assistant,
        Some("developer" | "system") => Role::System,
        Some("function" | "tool") => Role::ToolResult,
        Some("user") => Role::User,
        _ => Role::Unknown,
    };
    let tool = (role == Role::ToolResult).then(|| calls.answered(message)).flatten();
    lift.of_tool(tool, |lift| lift_message(lift, message, role));
}

fn lift_message(lift: &mut Lift, message: Value<'_>, role: Role) {
    lift.members(message, Role::Unknown, |lift, key, value| match key {
        "content" => match value.kind() {
            Kind::String => lift.text(value, role, None),
            Kind::Array => {
                let group = lift.group();
                lift.each(value, |lift, part| content_part(lift, part, role, group));
            }
            _ => lift.content(key, value, Role::Unknown),
        },
        "reasoning" | "reasoning_content" | "refusal" if value.kind() == Kind::String => lift.text(value, role, None),
        "function_call" | "tool_calls" => tool_call(lift, key, value),
        "audio" => {
            if value.get("id").is_some() {
                lift.opaque(OpaqueKind::StoredConversation);
            }
            lift.content(key, value, Role::Unknown);
        }
        _ => lift.content(key, value, Role::Unknown),
    });
}

/// One part of a message's content: `text` and `refusal` are the speaker's, the rest is unknown or unseen.
/// Their texts are put together by whoever reads them.
fn content_part(lift: &mut Lift, part: Value<'_>, role: Role, group: u32) {
    if part.kind() == Kind::String {
        return lift.part(part, role, group);
    }
    if part.kind() != Kind::Object {
        return lift.content("content", part, Role::Unknown);
    }
    let is_speech = matches!(part.get("type").and_then(Value::as_str).as_deref(), Some("refusal" | "text"));
    lift.members(part, Role::Unknown, |lift, key, value| match key {
        "refusal" | "text" if is_speech && value.kind() == Kind::String => lift.part(value, role, group),
        // A part whose type is missing or unknown: some providers take its text all the same.
        "text" if value.kind() == Kind::String => {
            lift.note_data_url(value);
            lift.part(value, Role::Unknown, group);
        }
        _ => lift.content(key, value, Role::Unknown),
    });
}

/// Calls of tools in an assistant's turn: names, arguments and all that is inside them are arguments, ids are unknown text.
pub(super) fn tool_call(lift: &mut Lift, key: &str, value: Value<'_>) {
    match value.kind() {
        Kind::Array => lift.each(value, |lift, call| tool_call(lift, key, call)),
        Kind::Object => lift.of_tool(tools::name(value), |lift| {
            lift.members(value, Role::ToolArguments, |lift, key, value| match key {
                "call_id" | "id" | "index" | "type" => lift.tree(key, value, Role::Unknown),
                _ => lift.tree(key, value, Role::ToolArguments),
            });
        }),
        _ => lift.tree(key, value, Role::ToolArguments),
    }
}

/// One tool. What the client runs itself is a definition; every other type runs where it cannot be seen.
fn tool(lift: &mut Lift, tool: Value<'_>) {
    let is_ours = match tool.get("type").and_then(Value::as_str).as_deref() {
        Some("custom" | "function") => true,
        Some(_) => false,
        None => tool.get("function").is_some(),
    };
    if !is_ours {
        lift.opaque(OpaqueKind::RemoteTool);
    }
    lift.of_tool(tools::name(tool), |lift| lift.tree("tools", tool, Role::ToolDefinition));
}

fn names(keys: &[&str], key: &str) -> bool {
    keys.iter().any(|name| same_folded(key, name))
}

fn refuse_variants(root: Value<'_>) -> Result<(), Fault> {
    for (key, _) in root.members() {
        let Some(key) = key.as_str() else { continue };
        let variant = STEERING.iter().find(|name| key != **name && same_folded(&key, name));
        if let Some(name) = variant {
            return Err(unparsable(format!("the key {key:?} differs from {name:?} by its case only; write {name:?}")));
        }
    }
    Ok(())
}

/// A member that is there and not `null`.
fn field<'a>(object: Value<'a>, key: &str) -> Option<Value<'a>> {
    object.get(key).filter(|value| !value.is_null())
}

fn boolean(object: Value<'_>, key: &str, place: &str) -> Result<bool, Fault> {
    match field(object, key) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| unparsable(format!("{place} must be true or false"))),
    }
}

fn whole(object: Value<'_>, key: &str, place: &str) -> Result<Option<u64>, Fault> {
    match field(object, key) {
        None => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| unparsable(format!("{place} must be a whole number from 0 up")))
        }
    }
}

fn unparsable(detail: impl Into<String>) -> Fault {
    Fault::client(Cause::Unparsable, detail)
}
