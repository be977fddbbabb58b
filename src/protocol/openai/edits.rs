//! Edits of passages, carried back into the document they were lifted from.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::inspect::Edit;
use crate::protocol::json::{Document, Replacement, Value, quoted};
use crate::text::Passage;

use super::lift::Slot;

/// The replacements that carry `edits` into `document`. Edited keys are kept apart, so that the document stays strict JSON.
pub(super) fn replacements(
    document: &Document,
    passages: &[Passage<'static>],
    slots: &[Slot],
    edits: &[Edit],
) -> Vec<Replacement> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.passage, edit.span.start));
    let mut made = Vec::new();
    let mut keys = FreeKeys::default();
    for group in edits.chunk_by(|left, right| left.passage == right.passage) {
        let Some(index) = group.first().map(|edit| edit.passage) else { continue };
        let (Some(passage), Some(&slot)) = (passages.get(index), slots.get(index)) else { continue };
        match slot {
            Slot::Void(id) => made.push(Replacement { span: document.value(id).span(), with: "null".to_owned() }),
            Slot::Text(id) => {
                let with = quoted(&edited(&passage.text, group));
                made.push(Replacement { span: document.value(id).span(), with });
            }
            Slot::Key { key, object } => {
                let name = keys.take(document.value(object), edited(&passage.text, group));
                made.push(Replacement { span: document.value(key).span(), with: quoted(&name) });
            }
        }
    }
    made
}

/// `text` with edits made, which are in order. An edit that would split a character takes the whole of it.
pub(super) fn edited<'e>(text: &str, edits: impl IntoIterator<Item = &'e &'e Edit>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let mut start = edit.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = edit.span.end.min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push_str(&edit.with);
        at = at.max(end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Names for edited keys that their objects do not have yet.
#[derive(Default)]
struct FreeKeys {
    /// By object: the keys it has, and the last number given.
    objects: HashMap<usize, (HashSet<String>, u64)>,
}

impl FreeKeys {
    /// `name`, with a number after it where the object has that key already.
    fn take(&mut self, object: Value<'_>, name: String) -> String {
        let (keys, number) = self.objects.entry(object.id()).or_insert_with(|| {
            let keys = object.members().filter_map(|(key, _)| key.as_str()).map(Cow::into_owned).collect();
            (keys, 1)
        });
        let mut free = name.clone();
        while !keys.insert(free.clone()) {
            *number += 1;
            free = format!("{name}~{number}");
        }
        free
    }
}
