//! Why a JSON text was refused, and where.

use std::fmt;

use crate::base::Cause;

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JsonErrorKind {
    /// It starts with a byte order mark (RFC 8259, section 8.1, lets a reader refuse it).
    Bom,
    /// A raw control character inside a string.
    ControlCharacter,
    /// Objects and arrays nest deeper than the limit.
    Depth(usize),
    /// One object has the same key twice, escapes undone.
    DuplicateKey,
    /// An escape that JSON does not know.
    Escape,
    /// Half of a UTF-16 surrogate pair.
    LoneSurrogate,
    /// Something that starts like a number and is none.
    Number,
    /// A number longer than the limit.
    NumberLength(usize),
    /// A number too large for a 64-bit float.
    NumberRange,
    /// More bytes than offsets can name (4 GiB).
    Size,
    /// Another character than the grammar allows; what was expected.
    Syntax(&'static str),
    /// Bytes after the end of the value.
    Trailing,
    /// The text ends in the middle of a value.
    Truncated,
    /// Bytes that are not UTF-8.
    Utf8,
    /// More values than the limit.
    Values(usize),
}

/// A refused JSON text: what, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Byte offset of the first wrong byte.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// JSON Pointer (RFC 6901) of the value being read; long keys are shortened.
    pub pointer: String,
}

impl JsonError {
    pub(super) fn new(kind: JsonErrorKind, text: &[u8], offset: usize, pointer: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.iter().skip(line_start).filter(|&&byte| byte & 0xC0 != 0x80).count() + 1;
        Self { kind, offset, line, column, pointer }
    }

    /// The cause that this refusal has in the fault table.
    pub fn cause(&self) -> Cause {
        match self.kind {
            JsonErrorKind::Depth(_)
            | JsonErrorKind::NumberLength(_)
            | JsonErrorKind::Size
            | JsonErrorKind::Values(_) => Cause::Oversize,
            _ => Cause::Unparsable,
        }
    }
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bom => f.write_str("a byte order mark; send plain UTF-8 without one"),
            Self::ControlCharacter => f.write_str("a raw control character in a string; write it as \\u00XX"),
            Self::Depth(limit) => write!(f, "nested deeper than {limit} levels"),
            Self::DuplicateKey => f.write_str("the same key twice in one object"),
            Self::Escape => f.write_str("an escape that JSON does not know"),
            Self::LoneSurrogate => f.write_str("half of a surrogate pair; write both halves or the character itself"),
            Self::Number => f.write_str("a malformed number"),
            Self::NumberLength(limit) => write!(f, "a number longer than {limit} bytes"),
            Self::NumberRange => f.write_str("a number too large for a 64-bit float"),
            Self::Size => f.write_str("larger than 4 GiB"),
            Self::Syntax(expected) => write!(f, "expected {expected}"),
            Self::Trailing => f.write_str("bytes after the end of the JSON value"),
            Self::Truncated => f.write_str("the text ends inside a value"),
            Self::Utf8 => f.write_str("bytes that are not UTF-8"),
            Self::Values(limit) => write!(f, "more than {limit} values"),
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, offset, line, column, pointer } = self;
        write!(f, "invalid JSON at line {line}, column {column} (byte {offset}): {kind}")?;
        if !pointer.is_empty() {
            write!(f, "; in {pointer}")?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}
