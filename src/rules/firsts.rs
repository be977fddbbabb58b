//! With which bytes a match can begin: a search that starts at many places skips the others.

use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Firsts([u64; 4]);

impl Firsts {
    /// The bytes with which a match can begin; all of them where the empty text matches.
    pub(crate) fn of(hir: &Hir) -> Self {
        let mut firsts = Self([0; 4]);
        if firsts.add(hir) { firsts } else { Self::all() }
    }

    pub(crate) fn all() -> Self {
        Self([u64::MAX; 4])
    }

    /// The bytes that can stand anywhere in a match.
    pub(crate) fn all_of(hir: &Hir) -> Self {
        let mut all = Self([0; 4]);
        all.add_all(hir);
        all
    }

    fn add_all(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => literal.0.iter().for_each(|byte| self.put(*byte)),
            HirKind::Class(Class::Bytes(_)) => {
                self.add(hir);
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
                for bytes in ranges.flat_map(|sequence| sequence.as_slice().to_vec()) {
                    (bytes.start..=bytes.end).for_each(|byte| self.put(byte));
                }
            }
            HirKind::Capture(capture) => self.add_all(&capture.sub),
            HirKind::Repetition(repetition) => self.add_all(&repetition.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| self.add_all(part)),
        }
    }

    /// The bytes of both.
    pub(crate) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(here, there)| *here |= there);
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    pub(crate) fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    pub(crate) fn put(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Adds the bytes with which a match can begin; false when the expression can match the empty text.
    fn add(&mut self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => false,
            HirKind::Literal(literal) => literal.0.first().is_some_and(|byte| {
                self.put(*byte);
                true
            }),
            HirKind::Class(Class::Bytes(class)) => {
                class.ranges().iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| self.put(byte));
                true
            }
            HirKind::Class(Class::Unicode(class)) => {
                for range in class.ranges() {
                    let first = |c: char| c.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or(0);
                    // Leading bytes are in the order of the characters.
                    (first(range.start())..=first(range.end())).for_each(|byte| self.put(byte));
                }
                true
            }
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Repetition(repetition) => self.add(&repetition.sub) && repetition.min > 0,
            HirKind::Concat(parts) => parts.iter().any(|part| self.add(part)),
            HirKind::Alternation(parts) => {
                // Every part is added, also behind one that may be empty.
                let filled = parts.iter().filter(|part| self.add(part)).count();
                filled == parts.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(regex: &str) -> String {
        let firsts = Firsts::of(&regex_syntax::parse(regex).unwrap());
        if firsts.len() == 256 {
            return "all".to_owned();
        }
        (0..=127u8).filter(|byte| firsts.holds(*byte)).map(char::from).collect()
    }

    #[test]
    fn first_bytes_are_those_of_every_match() {
        assert_eq!(firsts("abc|[x-z]"), "axyz");
        assert_eq!(firsts(r"(?-u:\b)(?:q?r)+s*"), "qr");
        assert_eq!(firsts("a*b?"), "all");
        assert_eq!(firsts("[é-ü]z"), "");
        let set = Firsts::of(&regex_syntax::parse("[é忽]z").unwrap());
        assert!(set.holds(0xC3) && set.holds(0xE5) && !set.holds(0xC4));
    }
}
