//! The second test, for literals by the thousand: where four bytes of one stand, do four more?
//!
//! Of many literals some four bytes stand at every fifth place of any text. So those of [`WINDOW`] bytes or more are entered
//! under so many, of which the gram is the first or the second half; a Bloom filter (Bloom, CACM 13(7), 1970) of one word and
//! two bits for each entry tells where it is worth to look for them.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::gram_at;
use super::table::{Grams, Seat, Spread, Table};
use crate::rules::frequency;
use crate::rules::required::{GRAM, LITERAL_BYTES_MAX};

/// Bytes under which a long literal is entered.
pub(super) const WINDOW: usize = 8;

/// Long literals by the hash of eight of their bytes.
#[derive(Debug)]
pub(super) struct Second {
    filter: Box<[u64]>,
    shift: u32,
    table: Table,
}

/// Where in its window the gram is not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Before,
    After,
}

/// [`Second`] in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    windows: Grams,
    grams: HashMap<u32, (), BuildHasherDefault<Spread>>,
}

/// Long literals from which on a second test pays, and how many of ten must be long: where most are not, it is asked in vain.
const MANY: usize = 1_000;
const LONG_OF_TEN: usize = 8;

/// Multiples that spread windows over the filter, one for each kind (Steele and Vigna, doi 10.1002/spe.3030).
const BEFORE: u64 = 0xD134_2543_DE82_EF95;
const AFTER: u64 = 0xAF25_1AF3_B0F0_25B5;
const SHORT: u64 = 0xB564_EF22_EC7A_ECE5;

/// Whether a second test pays.
pub(super) fn pays(literals: &[&[u8]]) -> bool {
    let long = literals.iter().filter(|literal| literal.len() >= WINDOW).count();
    long >= MANY && long * 10 >= literals.len() * LONG_OF_TEN
}

impl Side {
    pub(super) fn key(self, window: u64) -> u32 {
        let spread = match self {
            Self::Before => BEFORE,
            Self::After => AFTER,
        };
        (window.wrapping_mul(spread) >> 32) as u32
    }

    /// Its window around a gram of a literal, if all of it is there.
    fn window(self, literal: &[u8], gram: usize) -> Option<u64> {
        let first = match self {
            Self::Before => gram.checked_sub(WINDOW - GRAM)?,
            Self::After => gram,
        };
        Some(u64::from_le_bytes(literal.get(first..first + WINDOW)?.try_into().ok()?))
    }

    /// Bytes from the gram's first to behind its window.
    fn behind(self) -> usize {
        match self {
            Self::Before => GRAM,
            Self::After => WINDOW,
        }
    }
}

/// The key in the filter of a gram with literals that are not long.
pub(super) fn short(gram: u32) -> u32 {
    (u64::from(gram).wrapping_mul(SHORT) >> 32) as u32
}

impl Making {
    /// Enters a literal of [`WINDOW`] bytes or more. `early`: under its first bytes.
    pub(super) fn enter(&mut self, literal: &[u8], mut seat: Seat, early: bool) {
        let (offset, side) = if early { (0, Side::After) } else { self.choose(literal) };
        let Some(window) = side.window(literal, offset) else { return };
        seat.sit(offset, side.behind());
        self.grams.insert(gram_at(literal, offset), ());
        self.windows.entry(side.key(window)).or_default().push(seat);
    }

    fn choose(&self, literal: &[u8]) -> (usize, Side) {
        let mut grams = [0.0; LITERAL_BYTES_MAX];
        for (gram, bytes) in grams.iter_mut().zip(literal.windows(GRAM)) {
            *gram = frequency::of(bytes);
        }
        let mut best = (f64::INFINITY, 0, Side::After);
        for (offset, frequency) in grams.iter().copied().enumerate().take(literal.len() + 1 - GRAM) {
            let gram = if self.grams.contains_key(&gram_at(literal, offset)) { 0.0 } else { frequency * GRAM_COST };
            for side in [Side::Before, Side::After] {
                let Some(window) = side.window(literal, offset) else { continue };
                let first = if side == Side::Before { offset - GRAM } else { offset };
                let rarest =
                    grams.get(first..=first + WINDOW - GRAM).unwrap_or_default().iter().copied().fold(1.0, f64::min);
                let crowd = self.windows.get(&side.key(window)).map_or(0, Vec::len);
                let cost = gram + rarest * (1.0 + crowd as f64);
                if cost <= best.0 {
                    best = (cost, offset, side);
                }
            }
        }
        (best.1, best.2)
    }

    pub(super) fn grams(&self) -> impl Iterator<Item = &u32> + Clone {
        self.grams.keys()
    }

    /// `short`: grams with literals that are not long.
    pub(super) fn finish<'g>(self, short_grams: impl Iterator<Item = &'g u32> + Clone, bytes: &[u8]) -> Second {
        let entries = self.windows.len() + short_grams.clone().count();
        let words = (entries / ENTRIES).next_power_of_two().max(2);
        let mut filter = vec![0u64; words];
        let shift = 32 - words.trailing_zeros();
        for key in self.windows.keys().copied().chain(short_grams.map(|gram| short(*gram))) {
            if let Some(word) = filter.get_mut((key >> shift) as usize) {
                *word |= bits(key);
            }
        }
        Second { filter: filter.into(), shift, table: Table::new(&self.windows, bytes) }
    }
}

/// What trying a gram costs beside looking at one literal. Grams that others have cost nothing more: the fewer there are, the
/// less often is anything tried.
const GRAM_COST: f64 = 8.0;

/// Entries for each word of the filter.
const ENTRIES: usize = 2;

impl Second {
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    #[inline]
    pub(super) fn may_hold(&self, key: u32) -> bool {
        let bits = bits(key);
        self.filter.get((key >> self.shift) as usize).is_some_and(|word| word & bits == bits)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        size_of_val(self.filter.as_ref()) + self.table.memory()
    }
}

/// The bits of an entry in its word.
fn bits(key: u32) -> u64 {
    1 << (key & 63) | 1 << (key >> 6 & 63)
}
