//! A JSON document as a flat tape of spans over its own bytes: no tree, no copies.

use std::borrow::Cow;

use bytes::Bytes;

use crate::base::{Limits, Span};

use super::error::JsonError;
use super::read::read;
use super::text::unescape;

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `[…]`
    Array,
    /// `false`
    False,
    /// `null`
    Null,
    /// A number, kept as it was written.
    Number,
    /// `{…}`
    Object,
    /// `"…"`
    String,
    /// `true`
    True,
}

/// One value or key: 16 bytes. Offsets fit, since the reader refuses texts beyond 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    kind: Kind,
    plain: bool,
    start: u32,
    end: u32,
    /// The entry after this one and all below it.
    next: u32,
}

impl Entry {
    /// An object or array whose end is not known yet.
    pub(super) fn open(kind: Kind, start: usize) -> Self {
        Self { kind, plain: false, start: small(start), end: small(start), next: 0 }
    }

    pub(super) fn scalar(kind: Kind, start: usize, end: usize, next: usize) -> Self {
        Self { kind, plain: false, start: small(start), end: small(end), next: small(next) }
    }

    pub(super) fn string(start: usize, end: usize, plain: bool, next: usize) -> Self {
        Self { kind: Kind::String, plain, start: small(start), end: small(end), next: small(next) }
    }

    pub(super) fn close(&mut self, end: usize, next: usize) {
        self.end = small(end);
        self.next = small(next);
    }

    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    pub(super) fn end(&self) -> usize {
        self.end as usize
    }

    pub(super) fn next(&self) -> usize {
        self.next as usize
    }

    /// True for a string without escapes.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }
}

fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A document that was read in full and found to be strict JSON.
#[derive(Clone, Debug)]
pub struct Document {
    bytes: Bytes,
    tape: Vec<Entry>,
}

impl Document {
    /// Reads a document. Refused: everything outside RFC 8259, a byte order mark, invalid UTF-8, duplicate keys (escapes
    /// undone), lone surrogates, and what exceeds `json_depth`, `json_values` or `json_number_bytes`.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, JsonError> {
        let tape = read(&bytes, limits)?;
        Ok(Self { bytes, tape })
    }

    /// The whole value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, at: 0 }
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The value or key at a tape position that [`Value::id`] gave.
    pub(crate) fn value(&self, id: usize) -> Value<'_> {
        Value { document: self, at: id }
    }

    fn raw(&self, span: Span) -> &str {
        self.bytes.get(span.range()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// One value (or key) of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document,
    at: usize,
}

impl<'a> Value<'a> {
    fn entry(self) -> Option<&'a Entry> {
        self.document.tape.get(self.at)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.entry().map_or(Kind::Null, |entry| entry.kind)
    }

    /// Where it stands in the document's bytes; for a string with its quotes.
    pub fn span(self) -> Span {
        self.entry().map_or(Span::default(), |entry| Span::new(entry.start(), entry.end()))
    }

    /// As it was written.
    pub fn raw(self) -> &'a str {
        self.document.raw(self.span())
    }

    /// Its position on the tape, to find it again with [`Document::value`].
    pub(crate) fn id(self) -> usize {
        self.at
    }

    /// A string's text, escapes undone.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let entry = self.entry().filter(|entry| entry.kind == Kind::String)?;
        let inside = self.document.raw(Span::new(entry.start() + 1, entry.end().saturating_sub(1)));
        Some(if entry.plain { Cow::Borrowed(inside) } else { unescape(inside) })
    }

    /// A whole number without sign, point or exponent.
    pub fn as_u64(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// An object's members in their order; empty for anything else.
    pub fn members(self) -> Members<'a> {
        let (at, end) = match self.entry() {
            Some(entry) if entry.kind == Kind::Object => (self.at + 1, entry.next()),
            _ => (0, 0),
        };
        Members { document: self.document, at, end }
    }

    /// An array's elements in their order; empty for anything else.
    pub fn elements(self) -> Elements<'a> {
        let (at, end) = match self.entry() {
            Some(entry) if entry.kind == Kind::Array => (self.at + 1, entry.next()),
            _ => (0, 0),
        };
        Elements { document: self.document, at, end }
    }

    /// The object member of that name.
    pub fn get(self, key: &str) -> Option<Self> {
        self.members().find(|(name, _)| name.as_str().is_some_and(|name| name == key)).map(|(_, value)| value)
    }
}

/// Members of an object: key and value.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    document: &'a Document,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = Value { document: self.document, at: self.at };
        let value = Value { document: self.document, at: self.at + 1 };
        self.at = value.entry()?.next();
        Some((key, value))
    }
}

/// Elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    document: &'a Document,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { document: self.document, at: self.at };
        self.at = value.entry()?.next();
        Some(value)
    }
}
