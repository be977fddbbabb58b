//! Which literals have a gram: a hash table from grams to the seats of their literals.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::scan::crowd::{CROWD, Crowd};

/// A hash table with open addresses: gram to seats.
#[derive(Debug)]
pub(super) struct Table {
    slots: Box<[Slot]>,
    shift: u32,
    seats: Box<[Seat]>,
    /// Of grams with too many seats to try: the gram, where it stands in their literals, and those literals by their numbers
    /// among the gram's seats. In order.
    crowds: Box<[(u32, u8, Crowd)]>,
}

/// A literal under one of its grams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    /// Its first eight bytes, zeros behind a shorter one.
    pub(super) head: u64,
    /// Its number.
    pub(super) literal: u32,
    /// Where its bytes begin among all literals'.
    pub(super) start: u32,
    pub(super) length: u8,
    /// Where the gram stands in the literal.
    pub(super) offset: u8,
    /// Where in the literal what it is entered under has ended.
    pub(super) behind: u8,
}

/// The seats of one gram.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    gram: u32,
    first: u32,
    /// 0: nobody sits here.
    count: u32,
    /// The bytes that may follow, by their lower five bits.
    next: u32,
}

/// Seats by their gram, in the making.
pub(super) type Grams = HashMap<u32, Vec<Seat>, BuildHasherDefault<Spread>>;

/// Hashes of grams by a multiple, which is soon done: they come from the site's own rules.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, gram: u32) {
        self.0 = (self.0 ^ u64::from(gram)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// In [`Slot::next`]: the zero behind a text's end.
const NO_MORE: u32 = 1;

impl Table {
    /// Takes seats by their gram. `bytes`: all literals'.
    pub(super) fn new(grams: &Grams, bytes: &[u8]) -> Self {
        Self::with(grams, bytes, true)
    }

    /// As [`Table::new`], each gram's seats in the order of their literals, for [`Table::begun`] alone.
    pub(super) fn of_ends(mut grams: Grams, bytes: &[u8]) -> Self {
        grams.values_mut().for_each(|seats| seats.sort_unstable_by_key(|seat| seat.bytes(bytes)));
        Self::with(&grams, bytes, false)
    }

    fn with(grams: &Grams, bytes: &[u8], has_crowds: bool) -> Self {
        let places = (grams.len() * 2).next_power_of_two().max(2);
        let mut table = Self {
            slots: vec![Slot::default(); places].into(),
            shift: 32 - places.trailing_zeros(),
            seats: Box::default(),
            crowds: Box::default(),
        };
        let (mut seats, mut crowds) = (Vec::new(), Vec::new());
        // In order, so that the same rules make the same tables.
        let mut sorted: Vec<_> = grams.iter().collect();
        sorted.sort_unstable_by_key(|(gram, _)| **gram);
        for (gram, sitting) in sorted {
            let first = u32::try_from(seats.len()).unwrap_or(u32::MAX);
            let count = u32::try_from(sitting.len()).unwrap_or(u32::MAX);
            let next = sitting.iter().fold(NO_MORE, |next, seat| next | seat.next(bytes));
            let slot = Slot { gram: *gram, first, count, next };
            seats.extend_from_slice(sitting);
            if has_crowds && sitting.len() > CROWD {
                crowds.extend(crowds_of(sitting, bytes).map(|(offset, crowd)| (*gram, offset, crowd)));
            }
            let mut at = table.slot(*gram);
            while table.slots.get(at).is_some_and(|slot| slot.count > 0) {
                at = (at + 1) & (places - 1);
            }
            if let Some(place) = table.slots.get_mut(at) {
                *place = slot;
            }
        }
        table.seats = seats.into();
        table.crowds = crowds.into();
        table
    }

    /// The crowds of a gram.
    pub(super) fn crowds_of(&self, gram: u32) -> impl Iterator<Item = &(u32, u8, Crowd)> {
        let first = self.crowds.partition_point(|(other, ..)| *other < gram);
        self.crowds.get(first..).unwrap_or_default().iter().take_while(move |(other, ..)| *other == gram)
    }

    /// Of seats in the order of their literals, one that begins with `rest` and is longer.
    pub(super) fn begun<'s>(seats: &'s [Seat], rest: &[u8], bytes: &[u8]) -> Option<&'s Seat> {
        let next = seats.get(seats.partition_point(|seat| seat.bytes(bytes) <= rest))?;
        next.bytes(bytes).starts_with(rest).then_some(next)
    }

    /// The seats of a gram, unless none of their literals goes on with the byte `after` it.
    #[inline]
    pub(super) fn of(&self, gram: u32, after: u8) -> &[Seat] {
        let mut slot = self.slot(gram);
        while let Some(Slot { gram: sitting, first, count: count @ 1.., next }) = self.slots.get(slot) {
            if *sitting == gram {
                let seats = self.seats.get(*first as usize..(*first + *count) as usize).unwrap_or_default();
                return if next >> (after & 31) & 1 == 0 { &[] } else { seats };
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        &[]
    }

    fn slot(&self, gram: u32) -> usize {
        // The upper bits of another multiple than the bitmap's, so that its false candidates do not meet here again.
        (gram.wrapping_mul(0x85EB_CA6B) >> self.shift) as usize
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let crowds = self.crowds.iter().map(|(.., crowd)| size_of::<(u32, u8, Crowd)>() + crowd.memory());
        size_of_val(self.slots.as_ref()) + size_of_val(self.seats.as_ref()) + crowds.sum::<usize>()
    }
}

/// Seats of one gram, by where it stands in their literals.
fn crowds_of(seats: &[Seat], bytes: &[u8]) -> impl Iterator<Item = (u8, Crowd)> {
    let mut by_offset: BTreeMap<u8, Vec<(Vec<u8>, u32)>> = BTreeMap::new();
    for (number, seat) in (0..).zip(seats) {
        by_offset.entry(seat.offset).or_default().push((seat.bytes(bytes).to_vec(), number));
    }
    by_offset.into_iter().map(|(offset, texts)| (offset, Crowd::new(texts)))
}

impl Seat {
    /// The literal's bytes among all literals'.
    pub(super) fn bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.start as usize;
        bytes.get(start..start + usize::from(self.length)).unwrap_or_default()
    }

    /// Enters it under the gram, or more, at a place of it. `behind`: bytes from the gram's first to behind all of that.
    pub(super) fn sit(&mut self, offset: usize, behind: usize) {
        self.offset = u8::try_from(offset).unwrap_or(0);
        self.behind = u8::try_from(offset + behind).unwrap_or(u8::MAX);
    }

    /// What may follow what it is entered under, as [`Slot::next`] has it.
    fn next(&self, bytes: &[u8]) -> u32 {
        let byte = bytes.get(self.start as usize + usize::from(self.behind)).filter(|_| self.behind < self.length);
        byte.map_or(u32::MAX, |byte| 1 << (byte & 31))
    }
}
