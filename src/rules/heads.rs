//! What the matches of an expression begin with, spelled out as folded texts.

use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Repetition};

use super::frequency::fold;
use super::required::{LITERAL_BYTES_MAX, SET_MAX};

/// Characters of a class that is spelled out, folded.
const CLASS_MAX: usize = 40;
/// Copies of a repeated part that are spelled out.
const COPIES_MAX: u32 = 8;

/// A folded text of at most [`LITERAL_BYTES_MAX`] bytes. It lies in itself: a set of a thousand of them is one piece of memory.
// The fields' order makes the order of texts: what is left over is zero, and a shorter text stands before a longer one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Text {
    bytes: [u8; LITERAL_BYTES_MAX],
    length: u8,
}

impl Text {
    const EMPTY: Self = Self { bytes: [0; LITERAL_BYTES_MAX], length: 0 };

    /// The first bytes, as they are.
    fn new(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut text = Self::EMPTY;
        for (place, byte) in text.bytes.iter_mut().zip(bytes) {
            *place = byte;
            text.length += 1;
        }
        text
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// This text and another behind it. The caller sees to it that there is room.
    fn and(mut self, next: &Self) -> Self {
        let (start, end) = (self.len(), self.len() + next.len());
        if let Some(room) = self.bytes.get_mut(start..end) {
            room.copy_from_slice(next.as_slice());
            self.length += next.length;
        }
        self
    }
}

/// What the matches of an expression begin with.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    /// Sorted, each once; each match begins with one of them.
    pub(super) texts: Vec<Text>,
    /// They are whole matches.
    pub(super) complete: bool,
}

impl Heads {
    pub(super) fn nothing() -> Self {
        Self { texts: vec![Text::EMPTY], complete: true }
    }

    /// Puts what follows behind it, as far as there is room. False when there was none.
    pub(super) fn extend(&mut self, next: &Self) -> bool {
        let longest = |texts: &[Text]| texts.iter().map(Text::len).max().unwrap_or(0);
        if !self.complete
            || self.texts.len().saturating_mul(next.texts.len()) > SET_MAX
            || longest(&self.texts) + longest(&next.texts) > LITERAL_BYTES_MAX
        {
            self.complete = false;
            return false;
        }
        if let [only] = next.texts.as_slice() {
            self.texts.iter_mut().for_each(|text| *text = text.and(only));
        } else {
            let mut pairs = Vec::with_capacity(self.texts.len() * next.texts.len());
            for start in &self.texts {
                pairs.extend(next.texts.iter().map(|end| start.and(end)));
            }
            self.texts = pairs;
        }
        tidy(&mut self.texts);
        self.complete = next.complete;
        true
    }
}

/// Sorts, and keeps of equal texts one.
pub(super) fn tidy(all: &mut Vec<Text>) {
    if !all.is_sorted_by(|a, b| a < b) {
        all.sort_unstable();
        all.dedup();
    }
}

/// The heads of an expression's parts, each found once however often it is asked for.
#[derive(Debug, Default)]
pub(super) struct AllHeads {
    /// By the part's place in memory: the expression is borrowed while this lives.
    known: HashMap<*const Hir, Option<Rc<Heads>>>,
}

impl AllHeads {
    /// `None`: too many to spell out.
    pub(super) fn of(&mut self, hir: &Hir) -> Option<Rc<Heads>> {
        if let Some(known) = self.known.get(&ptr::from_ref(hir)) {
            return known.clone();
        }
        let heads = self.find(hir);
        self.known.insert(ptr::from_ref(hir), heads.clone());
        heads
    }

    fn find(&mut self, hir: &Hir) -> Option<Rc<Heads>> {
        let heads = match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Heads::nothing(),
            HirKind::Literal(literal) => Heads {
                texts: vec![Text::new(literal.0.iter().map(|byte| fold(*byte)))],
                complete: literal.0.len() <= LITERAL_BYTES_MAX,
            },
            HirKind::Class(class) => class_heads(class)?,
            HirKind::Capture(capture) => return self.of(&capture.sub),
            HirKind::Concat(parts) => {
                let mut all = Heads::nothing();
                for part in parts {
                    match self.of(part) {
                        Some(next) if all.extend(&next) && all.complete => {}
                        _ => {
                            all.complete = false;
                            break;
                        }
                    }
                }
                all
            }
            HirKind::Alternation(parts) => {
                let mut all = Heads { texts: Vec::new(), complete: true };
                for part in parts {
                    let next = self.of(part)?;
                    all.complete &= next.complete;
                    all.texts.extend_from_slice(&next.texts);
                    if all.texts.len() > SET_MAX {
                        tidy(&mut all.texts);
                        if all.texts.len() > SET_MAX {
                            return None;
                        }
                    }
                }
                tidy(&mut all.texts);
                all
            }
            HirKind::Repetition(Repetition { min, max, sub, .. }) => repeated(&*self.of(sub)?, *min, *max),
        };
        Some(Rc::new(heads))
    }
}

fn repeated(once: &Heads, min: u32, max: Option<u32>) -> Heads {
    if let Some(all) = max.filter(|max| *max <= 4).and_then(|max| powers(once, min, max)) {
        return all;
    }
    let mut all = Heads::nothing();
    for _ in 0..min.min(COPIES_MAX) {
        if !all.extend(once) || !all.complete {
            break;
        }
    }
    all.complete &= Some(min) == max && min <= COPIES_MAX;
    all
}

/// All texts of `min` to `max` copies, if they are few.
fn powers(once: &Heads, min: u32, max: u32) -> Option<Heads> {
    let mut power = Heads::nothing();
    let mut all = Vec::new();
    for count in 0..=max {
        if count >= min {
            all.extend_from_slice(&power.texts);
        }
        if count < max && !(power.extend(once) && power.complete) {
            return None;
        }
    }
    tidy(&mut all);
    (all.len() <= SET_MAX).then_some(Heads { texts: all, complete: true })
}

fn class_heads(class: &Class) -> Option<Heads> {
    let mut texts: Vec<Text> = Vec::new();
    match class {
        Class::Unicode(class) => {
            if class.ranges().iter().map(|range| range.len()).sum::<usize>() > CLASS_MAX * 4 {
                return leading_bytes(class);
            }
            for c in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
                texts.push(Text::new(c.encode_utf8(&mut [0; 4]).bytes().map(fold)));
            }
        }
        Class::Bytes(class) => {
            let bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            texts.extend(bytes.map(|byte| Text::new([fold(byte)])));
        }
    }
    tidy(&mut texts);
    if texts.len() > CLASS_MAX
        && let Class::Unicode(class) = class
    {
        return leading_bytes(class);
    }
    (!texts.is_empty() && texts.len() <= CLASS_MAX).then_some(Heads { texts, complete: true })
}

/// Of a large class beyond ASCII, the bytes that its characters begin with: all but the last, or the last two.
fn leading_bytes(class: &ClassUnicode) -> Option<Heads> {
    if class.ranges().first()?.start().is_ascii() {
        return None;
    }
    for dropped in 1..=2 {
        let mut texts: Vec<Text> = Vec::new();
        for range in class.ranges() {
            let mut code = range.start() as u32;
            while code <= range.end() as u32 && texts.len() <= CLASS_MAX {
                let c = char::from_u32(code).unwrap_or('\u{E000}');
                let kept = c.len_utf8().saturating_sub(dropped).max(1);
                let text = Text::new(c.encode_utf8(&mut [0; 4]).bytes().take(kept));
                // In order, so that equal ones follow each other: counted twice they would end the search too early.
                if texts.last() != Some(&text) {
                    texts.push(text);
                }
                // Sixty-four characters differ in each byte that is left out. Where characters get longer, such a block ends.
                let block = 6 * (c.len_utf8() - kept);
                code = ((code >> block) + 1) << block;
            }
        }
        tidy(&mut texts);
        if texts.len() <= CLASS_MAX {
            return Some(Heads { texts, complete: false });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_large_class_begins_with_one_of_its_leading_bytes() {
        for class in [
            r"[\x{410}-\x{44F}\x{4E00}-\x{9FFF}]",
            r"[\x{80}-\x{FFFF}]",
            r"[\x{80}-\x{10FFFF}]",
            r"[\x{400}-\x{4FF}\x{E0000}-\x{E0FFF}]",
            r"[\x{7F0}-\x{810}\x{FFF0}-\x{1000F}\x{3400}-\x{4DBF}]",
            r"[\x{600}-\x{6FF}\x{D000}-\x{E0FF}]",
            r"[\p{Lu}--[\x00-\x7F]]",
            r"[\p{Greek}\p{Cyrillic}\p{Han}--[\x00-\x7F]]",
        ] {
            let hir = regex_syntax::parse(class).unwrap();
            let HirKind::Class(class @ Class::Unicode(characters)) = hir.kind() else { panic!("{hir:?}") };
            let Some(heads) = class_heads(class) else { continue };
            for c in characters.ranges().iter().flat_map(|range| range.start()..=range.end()) {
                let bytes = c.to_string().into_bytes();
                assert!(heads.texts.iter().any(|head| bytes.starts_with(head.as_slice())), "{c:?} of {hir}");
            }
        }
    }

    #[test]
    fn texts_are_in_the_order_of_their_bytes() {
        let long = [7u8; LITERAL_BYTES_MAX];
        let all: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"\0a", b"a", b"a\0", b"ab", &long];
        for a in all {
            for b in all {
                let (left, right) = (Text::new(a.iter().copied()), Text::new(b.iter().copied()));
                assert_eq!(left.cmp(&right), a.cmp(b), "{a:?} {b:?}");
                assert_eq!(left.as_slice(), a);
                if a.len() + b.len() <= LITERAL_BYTES_MAX {
                    assert_eq!(left.and(&right).as_slice(), [a, b].concat());
                }
            }
        }
        assert_eq!(Text::new([7; LITERAL_BYTES_MAX + 1]).as_slice(), long);
    }
}
