//! Rewritten pieces of a text, with the plain text around them, and the map.

use super::{Decoded, floor_boundary, markup};
use crate::base::Span;
use crate::text::map::{Builder, Map};

/// Bytes of plain text kept on each side of a piece: a phrase may be disguised in part. Plain text further off is read in
/// the source already.
const CONTEXT: usize = 128;
/// Stands for the plain text left out: nothing matches across it.
pub(in crate::text) const GAP: &str = "\n\u{FFFC}\n";

/// Bytes of the longest text in quotation marks that is written once more without them, and of the shortest.
const QUOTED_MAX: usize = 1024;
const QUOTED_MIN: usize = 12;

/// Writes rewritten pieces from left to right, as far as there is room.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    source: &'a str,
    text: String,
    map: Builder,
    room: usize,
    cut: bool,
    /// The source up to here is written, or left out.
    done: usize,
    /// True once the plain text behind the last piece is written.
    ended: bool,
    kinds: Vec<&'static str>,
    /// Where in the text the pieces are.
    pieces: Vec<Span>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(source: &'a str, room: usize) -> Self {
        Self {
            source,
            text: String::new(),
            map: Builder::default(),
            room,
            cut: false,
            done: 0,
            ended: false,
            kinds: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// True when there was no room for all.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Where the last piece ends in the source.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Begins a piece that stands for `origin`; the plain text before it is written as far as it is near. Pieces come in
    /// order and do not overlap.
    pub(super) fn begin(&mut self, kind: &'static str, origin: Span) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        self.end_piece();
        self.plain_until(origin.start);
        self.pieces.push(Span::new(self.text.len(), usize::MAX));
        self.done = origin.end;
    }

    /// Writes a character of the piece.
    pub(super) fn character(&mut self, c: char, origin: Span) {
        if self.cut || c.len_utf8() > self.room_left() {
            self.cut = true;
            return;
        }
        self.text.push(c);
        self.map.unit(c.len_utf8(), origin);
    }

    /// Writes source text from the last character to the first; brackets turn round with it.
    pub(super) fn turn(&mut self, span: Span) {
        let Some(text) = self.source.get(span.range()) else { return };
        if text.is_ascii() && text.len() <= self.room_left() && !self.cut {
            self.text.extend(text.bytes().rev().map(|byte| mirrored(char::from(byte))));
            self.map.turned_bytes(span);
            return;
        }
        for (at, c) in text.char_indices().rev() {
            if self.cut || c.len_utf8() > self.room_left() {
                self.cut = true;
                return;
            }
            self.text.push(mirrored(c));
            self.map.turned(c.len_utf8(), span.start + at);
        }
    }

    /// The same for other scripts than Latin: `ы`, which is folded to two letters, stays whole. `folded` leads to the text
    /// before it was folded.
    pub(super) fn turn_folded(&mut self, span: Span, folded: &Map) {
        let Some(text) = self.source.get(span.range()) else { return };
        let bytes = text.as_bytes();
        let mut letters = text.char_indices().rev();
        while let Some((mut at, c)) = letters.next() {
            let mut length = c.len_utf8();
            let is_one = |at: usize| {
                let origin = |at: usize| folded.to_original(Span::new(span.start + at, span.start + at + 1));
                origin(at) == origin(at + 1)
            };
            if c == 'i' && at > 0 && matches!(bytes.get(at - 1), Some(b'b' | b'B')) && is_one(at - 1) {
                letters.next();
                (at, length) = (at - 1, 2);
            }
            if self.cut || length > self.room_left() {
                self.cut = true;
                return;
            }
            match text.get(at..at + length) {
                Some(letters) if length > c.len_utf8() => self.text.push_str(letters),
                _ => self.text.push(mirrored(c)),
            }
            self.map.turned(length, span.start + at);
        }
    }

    /// Writes source text as it stands.
    pub(super) fn copy(&mut self, start: usize, end: usize) {
        let Some(text) = self.source.get(start..end) else { return };
        let fits = if self.cut { 0 } else { floor_boundary(text, self.room_left()) };
        self.cut |= fits < text.len();
        self.text.push_str(text.get(..fits).unwrap_or_default());
        self.map.copied(fits, start);
    }

    /// Writes a gap: what follows does not belong to what was written last.
    pub(super) fn gap(&mut self, origin: usize) {
        if self.text.is_empty() {
            return;
        }
        if self.cut || GAP.len() > self.room_left() {
            self.cut = true;
            return;
        }
        self.text.push_str(GAP);
        self.map.unit(GAP.len(), Span::new(origin, origin));
    }

    /// Writes the plain text behind the last piece. What comes then stands by itself, each behind a gap.
    pub(super) fn end(&mut self) {
        self.end_piece();
        if !self.ended && !self.kinds.is_empty() {
            let end = self.head_end(self.done, self.source.len());
            self.copy(self.done, end);
        }
        self.ended = true;
    }

    /// The layer, if there was a piece.
    pub(super) fn finish(mut self) -> Option<Decoded> {
        if self.kinds.is_empty() {
            return None;
        }
        self.end();
        self.unquote();
        let map = self.map.finish(self.source.len());
        Some(Decoded { encodings: self.kinds, text: self.text, map, cut: self.cut, in_place: true })
    }

    fn end_piece(&mut self) {
        let end = self.text.len();
        self.pieces.last_mut().filter(|last| last.end > end).into_iter().for_each(|last| last.end = end);
    }

    /// Writes once more, without its quotation marks, what stands in them and was rewritten: who quotes a phrase to speak of it
    /// has no reason to disguise it.
    fn unquote(&mut self) {
        // Pages are full of marks, and markup hides nothing by itself.
        if *self.kinds == [markup::NAME] {
            return;
        }
        let pieces = std::mem::take(&mut self.pieces);
        let mut quoted: Vec<Span> = Vec::new();
        let (mut piece, mut open) = (0, None);
        for (at, mark) in self.text.match_indices(is_mark) {
            let behind = at + mark.len();
            let inside = Span::new(open.unwrap_or(behind), at);
            open = (mark != "\n").then_some(behind);
            while pieces.get(piece).is_some_and(|piece| piece.end <= inside.start) {
                piece += 1;
            }
            let is_rewritten = pieces.get(piece).is_some_and(|piece| piece.start < inside.end);
            if mark != "\n" && is_rewritten && (QUOTED_MIN..=QUOTED_MAX).contains(&inside.len()) {
                quoted.push(inside);
            }
        }
        for span in quoted {
            self.gap(self.source.len());
            if self.cut || span.len() > self.room_left() {
                self.cut = true;
                return;
            }
            self.text.extend_from_within(span.range());
            self.map.again(span);
        }
    }

    fn plain_until(&mut self, start: usize) {
        let tail = self.tail_start(self.done, start);
        if self.text.is_empty() {
            self.copy(tail, start);
            return;
        }
        let head = self.head_end(self.done, start);
        if head >= tail {
            self.copy(self.done, start);
            return;
        }
        self.copy(self.done, head);
        self.gap(tail);
        self.copy(tail, start);
    }

    /// Where the context after a piece ends: at the last blank within it, so that no word is cut.
    fn head_end(&self, from: usize, to: usize) -> usize {
        if to.saturating_sub(from) <= CONTEXT {
            return to;
        }
        let near = self.source.as_bytes().get(from..from + CONTEXT).unwrap_or_default();
        from + near.iter().rposition(u8::is_ascii_whitespace).unwrap_or(0)
    }

    /// Where the context before a piece begins: at the first blank within it.
    fn tail_start(&self, from: usize, to: usize) -> usize {
        if to.saturating_sub(from) <= CONTEXT {
            return from;
        }
        let near = self.source.as_bytes().get(to - CONTEXT..to).unwrap_or_default();
        to - near.iter().position(u8::is_ascii_whitespace).map_or(0, |blank| CONTEXT - blank)
    }

    fn room_left(&self) -> usize {
        self.room.saturating_sub(self.text.len())
    }
}

/// Quotation marks, and what no quotation goes beyond.
pub(in crate::text) fn is_mark(c: char) -> bool {
    matches!(c, '\n' | '"' | '\'' | '`' | '\u{AB}' | '\u{BB}' | '\u{2018}'..='\u{201F}' | '\u{2039}' | '\u{203A}')
}

/// A bracket's other side; anything else is its own.
fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        other => other,
    }
}
