//! Lifting: every string of a document becomes a passage once, with a slot that says how an edit of it is written back.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Edit, Opaque, OpaqueKind};
use crate::protocol::json::{Document, Kind, Place, Replacement, Value, quoted};
use crate::text::{Channel, Passage, Role};

use super::words::{is_key, is_word, same_folded};

/// How an edit of a passage is written back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// A key at a tape position, in the object at another.
    Key { key: usize, object: usize },
    /// The string at a tape position.
    Text(usize),
    /// A joined passage: any edit makes the whole value at a tape position `null`.
    Void(usize),
}

/// What was lifted from one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifted {
    pub(super) passages: Vec<Passage<'static>>,
    pub(super) slots: Vec<Slot>,
    pub(super) opaque: Vec<Opaque>,
}

/// A walk over a document.
#[derive(Debug)]
pub(super) struct Lift {
    pub(super) place: Place,
    out: Lifted,
    passages_max: usize,
    is_full: bool,
}

impl Lift {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { place: Place::default(), out: Lifted::default(), passages_max: limits.passages, is_full: false }
    }

    /// What was lifted; the fault is the client's to begin with.
    pub(super) fn finish(self) -> Result<Lifted, Fault> {
        if self.is_full {
            let detail = format!("the body holds more than {} texts", self.passages_max);
            return Err(Fault::client(Cause::Oversize, detail));
        }
        Ok(self.out)
    }

    /// Does `step` one level down, at the member `key`.
    pub(super) fn at_key(&mut self, key: &str, step: impl FnOnce(&mut Self)) {
        let mark = self.place.key(key);
        step(self);
        self.place.back(mark);
    }

    /// Does `step` one level down, at the element `index`.
    pub(super) fn at_index(&mut self, index: u64, step: impl FnOnce(&mut Self)) {
        let mark = self.place.index(index);
        step(self);
        self.place.back(mark);
    }

    /// Does `step` for every element of an array.
    pub(super) fn each<'a>(&mut self, array: Value<'a>, mut step: impl FnMut(&mut Self, Value<'a>)) {
        for (index, element) in array.elements().enumerate() {
            self.at_index(index as u64, |lift| step(lift, element));
        }
    }

    /// Does `step` for every member of an object with its key. A key outside the dialect becomes a passage of `role`.
    pub(super) fn members<'a>(
        &mut self,
        object: Value<'a>,
        role: Role,
        mut step: impl FnMut(&mut Self, &str, Value<'a>),
    ) {
        for (key, value) in object.members() {
            let Some(name) = key.as_str() else { continue };
            let mark = self.place.key(&name);
            self.unknown_key(object, key, &name, role);
            step(self, &name, value);
            self.place.back(mark);
        }
    }

    /// The string `value` as a passage of `role`, where it is one.
    pub(super) fn text(&mut self, value: Value<'_>, role: Role, channel: Option<Channel>) {
        if let Some(text) = value.as_str() {
            self.push(role, text.into_owned(), Slot::Text(value.id()), channel);
        }
    }

    /// Everything below `value`: strings and unknown keys as passages of `role`. `key` names the member that `value` is,
    /// for its enumerated words.
    pub(super) fn tree(&mut self, key: &str, value: Value<'_>, role: Role) {
        match value.kind() {
            Kind::String => self.word_or_text(key, value, role),
            Kind::Array => self.each(value, |lift, element| lift.tree(key, element, role)),
            Kind::Object => self.members(value, role, |lift, name, member| lift.tree(name, member, role)),
            Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// As [`Lift::tree`], and what cannot be seen (images, audio, files) is noted by kind.
    pub(super) fn content(&mut self, key: &str, value: Value<'_>, role: Role) {
        if let Some(kind) = Unseen::of(key) {
            return self.unseen(kind, value, role);
        }
        match value.kind() {
            Kind::String => {
                self.note_data_url(value);
                self.word_or_text(key, value, role);
            }
            Kind::Array => self.each(value, |lift, element| lift.content(key, element, role)),
            Kind::Object if has_media_type(value) => self.unseen(Unseen::FileData, value, role),
            Kind::Object => self.members(value, role, |lift, name, member| lift.content(name, member, role)),
            Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// A data URL is content that cannot be seen, under whatever key; it stays a text too.
    fn note_data_url(&mut self, value: Value<'_>) {
        let Some(text) = value.as_str().filter(|text| is_base64_data_url(text)) else { return };
        let media = text.get(5..).unwrap_or_default();
        let is = |prefix: &str| media.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        self.opaque(match () {
            () if is("audio/") => OpaqueKind::Audio,
            () if is("image/") => OpaqueKind::ImageData,
            () => OpaqueKind::FileData,
        });
    }

    /// Notes content that cannot be seen at the present place.
    pub(super) fn opaque(&mut self, kind: OpaqueKind) {
        self.out.opaque.push(Opaque { kind, place: self.place.as_str().to_owned() });
    }

    /// A passage put together from many strings of the value `void`.
    pub(super) fn joined(&mut self, text: String, role: Role, void: Value<'_>, channel: Option<Channel>) {
        self.push(role, text, Slot::Void(void.id()), channel);
    }

    /// The string `value`, unless it is one of the words enumerated for `key`.
    pub(super) fn word_or_text(&mut self, key: &str, value: Value<'_>, role: Role) {
        if value.as_str().is_some_and(|text| !is_word(key, &text)) {
            self.text(value, role, None);
        }
    }

    /// The key at the present place as a passage of `role`, unless the dialect knows it.
    pub(super) fn unknown_key(&mut self, object: Value<'_>, key: Value<'_>, name: &str, role: Role) {
        if is_key(name) {
            return;
        }
        let place = format!("{}/~key", self.place.as_str());
        self.push_at(place, role, name.to_owned(), Slot::Key { key: key.id(), object: object.id() }, None);
    }

    /// Everything below `value`, which holds what cannot be seen.
    pub(super) fn unseen(&mut self, unseen: Unseen, value: Value<'_>, role: Role) {
        match value.kind() {
            Kind::String => {
                if !self.is_payload(unseen, value) {
                    self.text(value, role, None);
                }
            }
            Kind::Array => self.each(value, |lift, element| lift.unseen(unseen, element, role)),
            Kind::Object => self.members(value, role, |lift, name, member| {
                if unseen.is_beside(name) {
                    lift.content(name, member, role);
                } else {
                    lift.unseen(Unseen::of(name).unwrap_or(unseen), member, role);
                }
            }),
            Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// Notes the string `value` as content that cannot be seen; true when it is that content itself (base64) and not also a
    /// text, such as a URL or an id.
    pub(super) fn is_payload(&mut self, unseen: Unseen, value: Value<'_>) -> bool {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return false };
        let is_data_url = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        let kind = match unseen {
            Unseen::Audio => OpaqueKind::Audio,
            Unseen::FileData => OpaqueKind::FileData,
            Unseen::FileId => OpaqueKind::FileId,
            Unseen::Image if is_data_url || !text.contains("://") => OpaqueKind::ImageData,
            Unseen::Image => OpaqueKind::ImageUrl,
        };
        self.opaque(kind);
        match kind {
            OpaqueKind::ImageData => is_base64_data_url(&text),
            OpaqueKind::Audio | OpaqueKind::FileData => is_base64_data_url(&text) || is_base64(&text),
            _ => false,
        }
    }

    fn push(&mut self, role: Role, text: String, slot: Slot, channel: Option<Channel>) {
        let place = self.place.as_str().to_owned();
        self.push_at(place, role, text, slot, channel);
    }

    fn push_at(&mut self, place: String, role: Role, text: String, slot: Slot, channel: Option<Channel>) {
        if self.out.passages.len() >= self.passages_max {
            self.is_full = true;
            return;
        }
        let mut passage = Passage::new(role, place, text);
        passage.channel = channel;
        self.out.passages.push(passage);
        self.out.slots.push(slot);
    }
}

/// Content that cannot be seen, by the key that holds it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unseen {
    Audio,
    FileData,
    FileId,
    Image,
}

impl Unseen {
    /// What a key's value hides. Compared without case: providers that ignore case would find the content there too.
    pub(super) fn of(key: &str) -> Option<Self> {
        const KEYS: &[(&str, Unseen)] = &[
            ("audio_embeds", Unseen::Audio),
            ("audio_url", Unseen::Audio),
            ("b64_json", Unseen::Image),
            ("file_data", Unseen::FileData),
            ("file_id", Unseen::FileId),
            ("file_ids", Unseen::FileId),
            ("file_url", Unseen::FileId),
            ("image", Unseen::Image),
            ("image_data", Unseen::Image),
            ("image_embeds", Unseen::Image),
            ("image_url", Unseen::Image),
            ("images", Unseen::Image),
            ("inline_data", Unseen::FileData),
            ("inlinedata", Unseen::FileData),
            ("input_audio", Unseen::Audio),
            ("input_image", Unseen::Image),
            ("multi_modal_data", Unseen::FileData),
            ("prompt_embeds", Unseen::FileData),
            ("video", Unseen::Image),
            ("video_url", Unseen::Image),
        ];
        KEYS.iter().find(|(name, _)| same_folded(key, name)).map(|&(_, unseen)| unseen)
    }

    /// True for members that stand beside the content and are texts or words like any other.
    fn is_beside(self, key: &str) -> bool {
        ["detail", "filename", "format", "media_type", "mime_type", "mimetype", "name", "type"]
            .iter()
            .any(|name| same_folded(key, name))
    }
}

/// True for an object that names the media type of what it holds, as other dialects' images and documents do.
fn has_media_type(object: Value<'_>) -> bool {
    const KEYS: [&str; 3] = ["media_type", "mime_type", "mimetype"];
    let is_media_type =
        |key: Value<'_>| key.as_str().is_some_and(|key| KEYS.iter().any(|name| same_folded(&key, name)));
    object.members().any(|(key, _)| is_media_type(key))
}

/// True for `data:…;base64,…` with a short, plain media type and nothing but base64 after the comma.
fn is_base64_data_url(text: &str) -> bool {
    let Some((head, payload)) = text.split_once(',') else { return false };
    let head = head.to_ascii_lowercase();
    let Some(media) = head.strip_prefix("data:").and_then(|head| head.strip_suffix(";base64")) else { return false };
    media.len() <= 64
        && media.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+-.;=_".contains(&byte))
        && is_base64(payload)
}

/// True when every byte belongs to the base64 alphabets (RFC 4648) or is a line end. Words without blanks look the same:
/// that is why what holds it is a named opaque kind.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte))
}

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
