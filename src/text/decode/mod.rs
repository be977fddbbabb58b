//! Decodings, one per file. Each takes a text and the room that is left, and gives what it found with a map to its source.

mod base32;
mod base64;
mod believable;
mod code_points;
mod colours;
mod encoded;
mod escape;
mod grouped;
mod hex;
mod html;
mod hyphenated;
mod inline;
mod invisible;
mod jamo;
mod joined;
mod leetspeak;
mod markup;
mod morse;
mod numbers;
mod percent;
pub(super) mod pieces;
mod prefixed;
mod quoted_printable;
mod readable;
mod reversed;
mod runs;
mod shifted;
mod spaced;
mod split;
mod split_scripts;
mod stretch;
mod torn;
mod turned_scripts;

use crate::base::Span;
use crate::text::map::{Builder, Map};
use crate::text::signs::Signs;

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
    /// True when letters were replaced one by one, so that a run of the source's length is not the source's run.
    pub in_place: bool,
}

/// A text to decode.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub text: &'a str,
    /// Leads to the original text, whose runs were decoded already; the identity when there is none.
    pub seen: &'a Map,
    /// Leads to the text as it was before its characters were folded, where letters of one character have one origin.
    pub folded: &'a Map,
    /// Where characters vanished that may stand for blanks.
    pub gaps: &'a [usize],
    /// Bytes of decoded text that there is room for.
    pub room: usize,
    pub signs: &'a Signs,
    /// True when the text is what the undoing of some disguise has made: another disguise of single words is likelier in it.
    pub was_disguised: bool,
}

/// A decoding of a text: all it finds, as one layer. `None` when the text holds nothing of its kind.
type Decoding = fn(&Source<'_>) -> Option<Decoded>;

/// All decodings, in the order in which they are tried.
pub(super) const DECODINGS: [Decoding; 19] = [
    |source| inline::decode(source.text, source.seen, source.room),
    base64::decode,
    hex::decode,
    base32::decode,
    quoted_printable::decode,
    numbers::decode,
    prefixed::decode,
    morse::decode,
    shifted::decode,
    reversed::decode,
    reversed::decode_words,
    leetspeak::decode,
    markup::decode,
    spaced::decode,
    grouped::decode,
    split::decode,
    joined::decode,
    jamo::decode,
    invisible::decode,
];

/// Every name that a decoding may give, in the order of their files.
pub const NAMES: [&str; 23] = [
    "base32",
    "base64",
    "escape",
    "hex",
    "html",
    "invisible",
    "jamo",
    "joined",
    "leetspeak",
    "markup",
    "morse",
    "binary",
    "decimal",
    "octal",
    "percent",
    "quoted_printable",
    "reversed",
    "reversed_words",
    "atbash",
    "caesar",
    "rot13",
    "spaced",
    "split",
];

/// True when some decoding would still give something.
pub(super) fn is_encoded(text: &str, seen: &Map, gaps: &[usize]) -> bool {
    // Whatever becomes of the letters.
    let folded = &Map::identity();
    let source = Source { text, seen, folded, gaps, room: usize::MAX, signs: &Signs::of(text), was_disguised: false };
    DECODINGS.iter().any(|decoding| decoding(&source).is_some())
}

impl Decoded {
    /// True for backslash escapes alone and for markup, which ordinary programs, logs and pages have.
    pub(super) fn is_ordinary(&self) -> bool {
        matches!(*self.encodings, [escape::NAME | markup::NAME])
    }
}

/// True when a run was copied unchanged from the original text, where it has been decoded already: every step that changes
/// something changes its length.
fn is_seen(map: &Map, run: Span) -> bool {
    !map.is_identity() && map.to_original(run).len() == run.len()
}

/// Collects decoded runs: one line each, each mapped to the whole run.
struct Runs {
    encodings: Vec<&'static str>,
    text: String,
    map: Builder,
    room: usize,
    cut: bool,
}

impl Runs {
    fn new(room: usize) -> Self {
        Self { encodings: Vec::new(), text: String::new(), map: Builder::default(), room, cut: false }
    }

    /// Adds a run decoded from that encoding; false when there is no room for all of it.
    fn push(&mut self, encoding: &'static str, decoded: &str, origin: Span) -> bool {
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
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
        Some(Decoded { encodings: self.encodings, text: self.text, map, cut: self.cut, in_place: false })
    }
}

/// The last character boundary at or before `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// What one decoding makes of a text, with room for all.
#[cfg(test)]
fn source_of(text: &str, decoding: Decoding) -> Option<Decoded> {
    source_of_folded(text, &Map::identity(), decoding)
}

/// The same for a text whose characters were folded.
#[cfg(test)]
fn source_of_folded(text: &str, folded: &Map, decoding: Decoding) -> Option<Decoded> {
    let (seen, signs) = (&Map::identity(), &Signs::of(text));
    decoding(&Source { text, seen, folded, gaps: &[], room: usize::MAX, signs, was_disguised: false })
}
