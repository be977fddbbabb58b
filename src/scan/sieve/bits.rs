//! The bitmap: whether four folded bytes may be those of a literal.
//!
//! The first three of the bytes choose a word and the fourth a bit of it, so that a literal of only three bytes has all of one
//! word.

use super::block::Block;

/// The bitmap, in the sizes of three caches; more entries than a size serves well take the next.
#[derive(Debug)]
pub(super) enum Bits {
    Small(Box<[u64; 1 << 12]>),
    Middle(Box<[u64; 1 << 15]>),
    Large(Box<[u64; 1 << 18]>),
}

/// The first three bytes of a gram.
const TRIPLE: u32 = 0x00FF_FFFF;

/// The golden ratio in 32 bits: spreads grams over the bitmap (Knuth, TAOCP 3, 6.4).
const SPREAD: u32 = 0x9E37_79B1;

impl Bits {
    pub(super) fn for_entries(entries: usize) -> Self {
        match entries {
            0..=3_000 => Self::Small(Box::new([0; 1 << 12])),
            3_001..=25_000 => Self::Middle(Box::new([0; 1 << 15])),
            _ => Self::Large(vec![0; 1 << 18].into_boxed_slice().try_into().unwrap_or_else(|_| Box::new([0; 1 << 18]))),
        }
    }

    pub(super) fn set(&mut self, gram: u32) {
        *self.word(gram) |= 1 << (gram >> 24 & 63);
    }

    /// Sets what stands for three bytes and any other.
    pub(super) fn set_all(&mut self, gram: u32) {
        *self.word(gram) = u64::MAX;
    }

    /// Whether any byte may follow the first three.
    pub(super) fn all(&self, gram: u32) -> bool {
        let word = match self {
            Self::Small(bits) => bits[word::<{ 1 << 12 }>(gram)],
            Self::Middle(bits) => bits[word::<{ 1 << 15 }>(gram)],
            Self::Large(bits) => bits[word::<{ 1 << 18 }>(gram)],
        };
        word == u64::MAX
    }

    /// Calls `candidate` with each of so many places of the block whose four bytes may be those of a literal.
    #[inline]
    pub(super) fn candidates(&self, block: &Block, places: usize, candidate: impl FnMut(usize)) {
        match self {
            Self::Small(bits) => pass(bits, block, places, candidate),
            Self::Middle(bits) => pass(bits, block, places, candidate),
            Self::Large(bits) => pass(bits, block, places, candidate),
        }
    }

    fn word(&mut self, gram: u32) -> &mut u64 {
        match self {
            Self::Small(bits) => &mut bits[word::<{ 1 << 12 }>(gram)],
            Self::Middle(bits) => &mut bits[word::<{ 1 << 15 }>(gram)],
            Self::Large(bits) => &mut bits[word::<{ 1 << 18 }>(gram)],
        }
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Small(bits) => size_of_val(bits.as_ref()),
            Self::Middle(bits) => size_of_val(bits.as_ref()),
            Self::Large(bits) => size_of_val(bits.as_ref()),
        }
    }
}

/// The loop over all places of a block: clean text hardly ever leaves it.
#[inline]
fn pass<const WORDS: usize>(bits: &[u64; WORDS], block: &Block, places: usize, mut candidate: impl FnMut(usize)) {
    for first in (0..places).step_by(64) {
        // Candidates are gathered: where they stand nobody can guess, and each wrong guess costs more than eight places.
        let mut hits = 0u64;
        let here = (places - first).min(64);
        for at in (0..here).step_by(8) {
            hits |= u64::from(eight(bits, block, first + at)) << at;
        }
        hits &= u64::MAX >> (64 - here);
        while hits != 0 {
            candidate(first + hits.trailing_zeros() as usize);
            hits &= hits - 1;
        }
    }
}

/// Whether there is something at each of eight places.
#[inline]
fn eight<const WORDS: usize>(bits: &[u64; WORDS], block: &Block, at: usize) -> u8 {
    // They need eleven bytes; the margin behind the block has them.
    let window = block.range(at, 0, 12).and_then(|window| <[u8; 12]>::try_from(window).ok());
    let Some([a, b, c, d, e, f, g, h, i, j, k, _]) = window else { return 0 };
    let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let high = u64::from_le_bytes([e, f, g, h, i, j, k, 0]);
    let mut hits = 0;
    for place in 0..4 {
        hits |= bit(bits, (low >> (8 * place)) as u32) << place;
        hits |= bit(bits, (high >> (8 * place)) as u32) << (place + 4);
    }
    hits as u8
}

#[inline]
fn bit<const WORDS: usize>(bits: &[u64; WORDS], gram: u32) -> u32 {
    (bits[word::<WORDS>(gram)] >> (gram >> 24 & 63)) as u32 & 1
}

/// The word of a gram's first three bytes.
#[inline]
fn word<const WORDS: usize>(gram: u32) -> usize {
    ((gram & TRIPLE).wrapping_mul(SPREAD) >> (32 - WORDS.trailing_zeros())) as usize & (WORDS - 1)
}

/// The first three bytes of a gram.
pub(super) fn triple(gram: u32) -> u32 {
    gram & TRIPLE
}
