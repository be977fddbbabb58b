//! Text that is folded for the search: a part of it, and margins for what begins before or ends behind it.

use super::second::WINDOW;
use crate::rules::required::{GRAM, LITERAL_BYTES_MAX};

/// Folded text of one block with its margins.
#[derive(Debug)]
pub(in crate::scan) struct Block {
    bytes: Box<[u8; PLACES + BEFORE + AFTER]>,
}

/// Places that are looked at with one folding.
pub(super) const PLACES: usize = 4096;
/// Bytes before a block that its literals may begin in.
const BEFORE: usize = LITERAL_BYTES_MAX;
/// Bytes after a block that its literals may end in.
const AFTER: usize = LITERAL_BYTES_MAX + 8;

impl Default for Block {
    fn default() -> Self {
        Self { bytes: Box::new([0; PLACES + BEFORE + AFTER]) }
    }
}

impl Block {
    /// Bytes of memory.
    pub(in crate::scan) fn memory(&self) -> usize {
        size_of_val(&*self.bytes)
    }

    /// Folds the places `start..end` of a text and what lies around them; zeros stand for what the text has not.
    pub(super) fn fill(&mut self, text: &[u8], start: usize, end: usize) {
        let first = start.saturating_sub(BEFORE);
        let last = (end + AFTER).min(text.len());
        let skipped = BEFORE - (start - first);
        let source = text.get(first..last).unwrap_or_default();
        let Some(target) = self.bytes.get_mut(skipped..skipped + source.len()) else { return };
        for (target, source) in target.iter_mut().zip(source) {
            *target = folded(*source);
        }
        let behind = skipped + source.len();
        let needed = (BEFORE + end - start + AFTER).max(behind);
        if let Some(rest) = self.bytes.get_mut(behind..needed) {
            rest.fill(0);
        }
    }

    /// The eight bytes of which a gram is the second half, and those of which it is the first.
    pub(super) fn windows(&self, at: usize) -> Option<[u64; 2]> {
        let from = BEFORE + at - (WINDOW - GRAM);
        let window = |from: usize| self.bytes.get(from..from + WINDOW).and_then(|window| window.try_into().ok());
        Some([u64::from_le_bytes(window(from)?), u64::from_le_bytes(window(BEFORE + at)?)])
    }

    pub(super) fn gram(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(BEFORE + at..BEFORE + at + GRAM)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The byte at a place or behind it.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(BEFORE + at).copied()
    }

    /// So many bytes from `before` bytes before a place on.
    #[inline]
    pub(super) fn range(&self, at: usize, before: usize, length: usize) -> Option<&[u8]> {
        let from = (BEFORE + at).checked_sub(before)?;
        self.bytes.get(from..from + length)
    }
}

/// [`fold`](crate::rules::frequency::fold) without branches, so that the compiler folds many bytes at once.
#[inline]
fn folded(byte: u8) -> u8 {
    let upper = u8::from(byte.wrapping_sub(b'A') < 26);
    let digit = u8::from(byte.wrapping_sub(b'0') < 10);
    let letter = byte | (upper << 5);
    letter & !(digit * 0x0F)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::frequency::fold;

    #[test]
    fn every_byte_folds_as_the_compiler_folds() {
        for byte in 0..=u8::MAX {
            assert_eq!(folded(byte), fold(byte), "{byte}");
        }
    }
}
