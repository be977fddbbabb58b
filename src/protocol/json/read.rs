//! The strict reader: RFC 8259 and nothing beyond it, without recursion, each bound checked as it goes.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::base::Limits;

use super::error::{JsonError, JsonErrorKind};
use super::place::Place;
use super::tape::{Entry, Kind};
use super::text::unescape;

/// Nesting that no configuration can exceed, since those who walk a document recurse.
pub const DEPTH_MAX: usize = 256;

/// Objects with more keys than this are checked for duplicates by hashing, others by comparison.
const COMPARE_MAX: usize = 8;

/// Reads one document onto a tape.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Entry>, JsonError> {
    let fail = |kind, offset| Err(JsonError::new(kind, bytes, offset, String::new()));
    if u32::try_from(bytes.len()).is_err() {
        return fail(JsonErrorKind::Size, 0);
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return fail(JsonErrorKind::Bom, 0);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return fail(JsonErrorKind::Utf8, error.valid_up_to()),
    };
    let mut reader = Reader {
        text,
        bytes,
        at: 0,
        tape: Vec::with_capacity(bytes.len() / 16),
        open: Vec::new(),
        values: 0,
        depth_max: limits.json_depth.min(DEPTH_MAX),
        values_max: limits.json_values,
        number_max: limits.json_number_bytes,
    };
    match reader.document() {
        Ok(()) => Ok(reader.tape),
        Err(Stop { kind, offset }) => Err(JsonError::new(kind, bytes, offset, reader.pointer())),
    }
}

/// Where the reading stands.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) tape: Vec<Entry>,
    open: Vec<Open>,
    values: usize,
    depth_max: usize,
    values_max: usize,
    pub(super) number_max: usize,
}

/// An object or array that has begun and not ended.
struct Open {
    entry: usize,
    is_object: bool,
    /// Members or elements begun so far.
    count: usize,
    /// The tape entry of the key being read.
    key: Option<usize>,
}

/// A refusal without its place.
pub(super) struct Stop {
    kind: JsonErrorKind,
    offset: usize,
}

pub(super) type Step<T> = Result<T, Stop>;

enum Expect {
    Value,
    FirstElement,
    FirstKey,
    Key,
    CommaOrEnd,
}

impl Reader<'_> {
    fn document(&mut self) -> Step<()> {
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            expect = match expect {
                Expect::Value => self.value()?,
                Expect::FirstElement if self.peek() == Some(b']') => self.close()?,
                Expect::FirstElement => {
                    self.count();
                    self.value()?
                }
                Expect::FirstKey if self.peek() == Some(b'}') => self.close()?,
                Expect::FirstKey | Expect::Key => self.key()?,
                Expect::CommaOrEnd => match self.open.last().map(|open| open.is_object) {
                    None => break,
                    Some(is_object) => self.comma_or_end(is_object)?,
                },
            };
        }
        self.skip_space();
        if self.at < self.bytes.len() {
            return self.stop(JsonErrorKind::Trailing);
        }
        Ok(())
    }

    fn value(&mut self) -> Step<Expect> {
        self.values += 1;
        if self.values > self.values_max {
            return self.stop(JsonErrorKind::Values(self.values_max));
        }
        let start = self.at;
        match self.peek() {
            Some(b'{') => return self.begin(true),
            Some(b'[') => return self.begin(false),
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Kind::True)?,
            Some(b'f') => self.word("false", Kind::False)?,
            Some(b'n') => self.word("null", Kind::Null)?,
            Some(_) => return stop_at(JsonErrorKind::Syntax("a value"), start),
            None => return self.stop(JsonErrorKind::Truncated),
        }
        Ok(Expect::CommaOrEnd)
    }

    fn begin(&mut self, is_object: bool) -> Step<Expect> {
        if self.open.len() >= self.depth_max {
            return self.stop(JsonErrorKind::Depth(self.depth_max));
        }
        let kind = if is_object { Kind::Object } else { Kind::Array };
        self.open.push(Open { entry: self.tape.len(), is_object, count: 0, key: None });
        self.tape.push(Entry::open(kind, self.at));
        self.at += 1;
        Ok(if is_object { Expect::FirstKey } else { Expect::FirstElement })
    }

    fn comma_or_end(&mut self, is_object: bool) -> Step<Expect> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                if is_object {
                    return Ok(Expect::Key);
                }
                self.count();
                Ok(Expect::Value)
            }
            Some(b'}') if is_object => self.close(),
            Some(b']') if !is_object => self.close(),
            Some(_) => self.stop(JsonErrorKind::Syntax(if is_object { "`,` or `}`" } else { "`,` or `]`" })),
            None => self.stop(JsonErrorKind::Truncated),
        }
    }

    fn close(&mut self) -> Step<Expect> {
        self.at += 1;
        if let Some(open) = self.open.last_mut() {
            open.key = None;
            let (entry, count) = (open.entry, open.count);
            let next = self.tape.len();
            if open.is_object && count > 1 {
                self.refuse_duplicates(entry, count)?;
            }
            self.open.pop();
            if let Some(entry) = self.tape.get_mut(entry) {
                entry.close(self.at, next);
            }
        }
        Ok(Expect::CommaOrEnd)
    }

    fn key(&mut self) -> Step<Expect> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return self.stop(JsonErrorKind::Syntax("a key in double quotes")),
            None => return self.stop(JsonErrorKind::Truncated),
        }
        self.count();
        let key = self.tape.len();
        self.string()?;
        if let Some(open) = self.open.last_mut() {
            open.key = Some(key);
        }
        self.skip_space();
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return self.stop(JsonErrorKind::Syntax("`:`")),
            None => return self.stop(JsonErrorKind::Truncated),
        }
        Ok(Expect::Value)
    }

    fn refuse_duplicates(&self, object: usize, count: usize) -> Step<()> {
        let keys = Keys { reader: self, at: object + 1 };
        if count <= COMPARE_MAX {
            let mut seen: [Cow<'_, str>; COMPARE_MAX] = Default::default();
            for (number, (key, start)) in keys.enumerate() {
                if seen.iter().take(number).any(|other| *other == key) {
                    return stop_at(JsonErrorKind::DuplicateKey, start);
                }
                if let Some(slot) = seen.get_mut(number) {
                    *slot = key;
                }
            }
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(count);
        for (key, start) in keys {
            if !seen.insert(key) {
                return stop_at(JsonErrorKind::DuplicateKey, start);
            }
        }
        Ok(())
    }

    fn text_of(&self, entry: &Entry) -> Cow<'_, str> {
        let inside = self.text.get(entry.start() + 1..entry.end().saturating_sub(1)).unwrap_or_default();
        if entry.is_plain() { Cow::Borrowed(inside) } else { unescape(inside) }
    }

    fn pointer(&self) -> String {
        let mut place = Place::default();
        for open in &self.open {
            if !open.is_object {
                place.index(open.count.saturating_sub(1) as u64);
            } else if let Some(key) = open.key.and_then(|key| self.tape.get(key)) {
                place.key(&self.text_of(key));
            }
        }
        place.into()
    }

    fn count(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.count += 1;
        }
    }

    fn skip_space(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn stop<T>(&self, kind: JsonErrorKind) -> Step<T> {
        stop_at(kind, self.at)
    }
}

pub(super) fn stop_at<T>(kind: JsonErrorKind, offset: usize) -> Step<T> {
    Err(Stop { kind, offset })
}

/// The keys of one object on the tape, with the offset of each.
struct Keys<'a> {
    reader: &'a Reader<'a>,
    at: usize,
}

impl<'a> Iterator for Keys<'a> {
    type Item = (Cow<'a, str>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.reader.tape.get(self.at)?;
        let value = self.reader.tape.get(self.at + 1)?;
        self.at = value.next();
        Some((self.reader.text_of(key), key.start()))
    }
}
