//! Lifting: every string of a document becomes a passage once, with a slot that says how an edit of it is written back.

use std::sync::Arc;

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Opaque, OpaqueKind};
use crate::protocol::json::{Kind, Place, Value};
use crate::text::{Channel, Passage, Role};

use super::numbers::{is_time, long_number};
use super::unseen::{Unseen, has_media_type};
use super::words::{is_key, is_word};

/// How an edit of a passage is written back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// A key at a tape position, in the object at another.
    Key { key: usize, object: usize },
    /// The string, or the long number, at a tape position.
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
    groups: u32,
    /// The tool whose text is being lifted.
    tool: Option<Arc<str>>,
}

impl Lift {
    pub(super) fn new(limits: &Limits) -> Self {
        let (place, out) = (Place::default(), Lifted::default());
        Self { place, out, passages_max: limits.passages, is_full: false, groups: 0, tool: None }
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

    /// Does `step` for every element of an array. Only for what is known to be one: anything else has no elements, and would
    /// pass unseen.
    pub(super) fn each<'a>(&mut self, array: Value<'a>, mut step: impl FnMut(&mut Self, Value<'a>)) {
        for (index, element) in array.elements().enumerate() {
            self.at_index(index as u64, |lift| step(lift, element));
        }
    }

    /// Does `step` for every member of what is known to be an object, with its key. A key outside the dialect becomes a passage of `role`.
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

    /// A number that is long enough to be a card's, a phone's or an account's is a text too. An edit makes it a string.
    pub(super) fn number(&mut self, key: &str, value: Value<'_>) {
        if let Some(text) = long_number(value.raw()).filter(|text| !is_time(key, text)) {
            self.push(Role::Unknown, text, Slot::Text(value.id()), None);
        }
    }

    /// Does `step` for what belongs to a tool, if it is told which.
    pub(super) fn of_tool(&mut self, tool: Option<Arc<str>>, step: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.tool, tool);
        step(self);
        self.tool = outer;
    }

    /// A number of its own for texts that a reader puts together.
    pub(super) fn group(&mut self) -> u32 {
        self.groups += 1;
        self.groups
    }

    /// As [`Lift::text`], for one of several texts that a reader puts together.
    pub(super) fn part(&mut self, value: Value<'_>, role: Role, group: u32) {
        let known = self.out.passages.len();
        self.text(value, role, None);
        self.out.passages.iter_mut().skip(known).for_each(|passage| passage.group = Some(group));
    }

    /// The parts of a content in an array: their texts belong together, all else is as [`Lift::content`] takes it.
    pub(super) fn parts(&mut self, key: &str, array: Value<'_>, role: Role) {
        let group = self.group();
        let text = |lift: &mut Self, value| {
            lift.note_data_url(value);
            lift.part(value, role, group);
        };
        self.each(array, |lift, part| match part.kind() {
            Kind::String => text(lift, part),
            Kind::Object if !has_media_type(part) => lift.members(part, role, |lift, name, member| {
                if matches!(name, "refusal" | "text") && member.kind() == Kind::String {
                    text(lift, member);
                } else {
                    lift.content(name, member, role);
                }
            }),
            _ => lift.content(key, part, role),
        });
    }

    /// Everything below `value`: strings and unknown keys as passages of `role`. `key` names the member that `value` is,
    /// for its enumerated words.
    pub(super) fn tree(&mut self, key: &str, value: Value<'_>, role: Role) {
        match value.kind() {
            Kind::String => self.word_or_text(key, value, role),
            Kind::Array => self.each(value, |lift, element| lift.tree(key, element, role)),
            Kind::Object => self.members(value, role, |lift, name, member| lift.tree(name, member, role)),
            Kind::Number => self.number(key, value),
            Kind::True | Kind::False | Kind::Null => {}
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
            Kind::Number => self.number(key, value),
            Kind::True | Kind::False | Kind::Null => {}
        }
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
        passage.tool.clone_from(&self.tool);
        self.out.passages.push(passage);
        self.out.slots.push(slot);
    }
}
