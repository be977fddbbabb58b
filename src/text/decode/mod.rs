//! Decodings, one per file. Each takes a text and the room that is left, and gives what it found with a map to its source.

mod base64;
mod escape;
mod hex;
mod html;
mod inline;
mod percent;
mod readable;

use crate::base::Span;
use crate::text::map::{Builder, Map};

/// What one decoding made of a text.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The names of the encodings that were undone.
    pub encodings: Vec<&'static str>,
    /// The decoded text; at most as long as the room given.
    pub text: String,
    /// From the decoded text to the source.
    pub map: Map,
    /// True when there was more than the room took.
    pub cut: bool,
}

/// A decoding of a text, with the map that leads from it to the original text, and the room that is left. `None` when the
/// text holds nothing of its kind.
type Decoding = fn(&str, &Map, usize) -> Option<Decoded>;

/// All decodings, in the order in which they are tried.
pub(super) const DECODINGS: [Decoding; 3] = [inline::decode, base64::decode, hex::decode];

/// True when some decoding would still give something that matters. Backslash escapes alone do not count: their nesting is
/// undone at once.
pub(super) fn is_encoded(text: &str, map: &Map) -> bool {
    DECODINGS
        .iter()
        .any(|decoding| decoding(text, map, usize::MAX).is_some_and(|found| found.encodings != [escape::NAME]))
}

/// True when a run was copied unchanged from the original text, where it has been decoded already: every step that changes
/// something changes its length.
fn is_seen(map: &Map, run: Span) -> bool {
    !map.is_identity() && map.to_original(run).len() == run.len()
}

/// Collects decoded runs: one line each, each mapped to the whole run.
struct Runs {
    encoding: &'static str,
    text: String,
    map: Builder,
    room: usize,
    cut: bool,
}

impl Runs {
    fn new(encoding: &'static str, room: usize) -> Self {
        Self { encoding, text: String::new(), map: Builder::default(), room, cut: false }
    }

    /// Adds a decoded run; false when there is no room for all of it.
    fn push(&mut self, decoded: &str, origin: Span) -> bool {
        let separator = usize::from(!self.text.is_empty());
        let room = self.room.saturating_sub(self.text.len() + separator);
        let fits = floor_boundary(decoded, room);
        self.cut |= fits < decoded.len();
        let decoded = decoded.get(..fits).unwrap_or_default();
        if !decoded.is_empty() {
            if separator == 1 {
                self.text.push('\n');
                self.map.unit(1, Span::new(origin.start, origin.start));
            }
            self.text.push_str(decoded);
            self.map.unit(decoded.len(), origin);
        }
        !self.cut
    }

    fn finish(self, source: &str) -> Option<Decoded> {
        if self.text.is_empty() && !self.cut {
            return None;
        }
        let map = self.map.finish(source.len());
        Some(Decoded { encodings: vec![self.encoding], text: self.text, map, cut: self.cut })
    }
}

/// The last character boundary at or before `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
