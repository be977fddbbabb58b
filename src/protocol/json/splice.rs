//! Writing a document out again with some of its values replaced and every other byte as it came.

use bytes::{Bytes, BytesMut};

use crate::base::Span;

/// A value replaced by other JSON text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replacement {
    /// The bytes that go.
    pub span: Span,
    /// The JSON text that stands there instead.
    pub with: String,
}

/// The document with its replacements made. They may come in any order; one that lies inside another, or overlaps an earlier
/// one, is swallowed by it.
pub fn splice(bytes: &Bytes, mut replacements: Vec<Replacement>) -> Bytes {
    if replacements.is_empty() {
        return bytes.clone();
    }
    replacements.sort_by_key(|replacement| (replacement.span.start, std::cmp::Reverse(replacement.span.end)));
    let added: usize = replacements.iter().map(|replacement| replacement.with.len()).sum();
    let mut out = BytesMut::with_capacity(bytes.len() + added);
    let mut at = 0;
    for Replacement { span, with } in replacements {
        if span.start < at {
            continue;
        }
        out.extend_from_slice(bytes.get(at..span.start).unwrap_or_default());
        out.extend_from_slice(with.as_bytes());
        at = span.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out.freeze()
}
