//! Names of tools: of a call, of a definition, and of the call that a result answers.

use std::collections::HashMap;
use std::sync::Arc;

use crate::protocol::json::{Kind, Value};
use crate::text::Passage;

/// The name that a call or a definition has itself, or in what it wraps (`function`, `custom`).
pub(super) fn name(tool: Value<'_>) -> Option<Arc<str>> {
    let wrapped = ["function", "custom"].into_iter().filter_map(|key| tool.get(key)?.get("name"));
    let mut names = wrapped.chain(tool.get("name"));
    let name = names.next()?;
    // Two names in one call name nothing: who reads the other one would run another tool.
    if names.next().is_some() {
        return None;
    }
    name.as_str().filter(|name| name.len() <= Passage::TOOL_BYTES).map(|name| name.as_ref().into())
}

/// The tools of a conversation by the ids of their calls.
#[derive(Debug, Default)]
pub(super) struct Calls(HashMap<String, Option<Arc<str>>>);

impl Calls {
    /// The calls in a request's messages. An id that stands for two tools stands for none.
    pub(super) fn of(messages: Value<'_>) -> Self {
        let mut calls = Self::default();
        for list in messages.elements().filter_map(|message| message.get("tool_calls")) {
            for call in list.elements().filter(|call| call.kind() == Kind::Object) {
                let Some(id) = call.get("id").and_then(Value::as_str) else { continue };
                let name = name(call);
                let known = calls.0.entry(id.into_owned()).or_insert_with(|| name.clone());
                if *known != name {
                    *known = None;
                }
            }
        }
        calls
    }

    /// The tool that a message's text is the result of.
    pub(super) fn answered(&self, message: Value<'_>) -> Option<Arc<str>> {
        match message.get("tool_call_id").and_then(Value::as_str) {
            Some(id) => self.0.get(id.as_ref()).cloned().flatten(),
            None => name(message),
        }
    }
}
