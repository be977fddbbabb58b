//! A JSON Pointer under construction: grown and cut back while a document is walked.

use std::fmt::Write;

/// Bytes of one key that a place shows. A place is for people; without this bound, a long key over many strings would make
/// the places larger than the body by the number of passages.
const KEY_BYTES: usize = 48;

/// A JSON Pointer (RFC 6901) to where a walk stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(String);

impl Place {
    /// Steps to an object member; returns the mark to go back to.
    pub(crate) fn key(&mut self, key: &str) -> usize {
        let mark = self.0.len();
        self.0.push('/');
        for (at, char) in key.char_indices() {
            if at >= KEY_BYTES {
                self.0.push('…');
                break;
            }
            match char {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                char if char.is_control() => self.0.push('\u{FFFD}'),
                char => self.0.push(char),
            }
        }
        mark
    }

    /// Steps to an array element; returns the mark to go back to.
    pub(crate) fn index(&mut self, index: u64) -> usize {
        let mark = self.0.len();
        // Writing to a String cannot fail.
        let _ = write!(self.0, "/{index}");
        mark
    }

    /// Goes back to a mark.
    pub(crate) fn back(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// The pointer so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0
    }
}
