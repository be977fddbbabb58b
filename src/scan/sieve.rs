//! The literal pass: where in a text stands one of many literals, letters of either case and all digits taken for one.
//!
//! Four folded bytes at every place are hashed into a bitmap; where its bit is set, a table tells which literals have these
//! four bytes and the rest of them is compared. Each literal is entered under the four of its bytes that are rarest in
//! ordinary text, so that on clean text the loop that only computes and looks up is nearly all there is. The idea is that
//! of Vectorscan's FDR and of Wu and Manber (TR-94-17, 1994); a bitmap of the size of the first cache keeps it plain.
//!
//! Of thousands of literals some four bytes are everywhere. Then a second test looks at eight: [`second`].
//! Literals of one or two bytes are looked for by their rarest byte.

mod bits;
mod block;
mod second;
mod table;
#[cfg(test)]
mod tests;

use self::bits::Bits;
pub(super) use self::block::Block;
use self::block::PLACES;
use self::second::{Second, Side, WINDOW};
use self::table::{Grams, Seat, Table};
use super::crowd::CROWD;
use crate::rules::firsts::Firsts;
use crate::rules::frequency;
use crate::rules::required::{GRAM, LITERAL_BYTES_MAX, rarest_gram};

/// Finds literals. Immutable.
#[derive(Debug)]
pub(super) struct Sieve {
    bits: Bits,
    /// The literals under four of their bytes, without those of `second`.
    grams: Table,
    /// Where literals are many, those of [`WINDOW`] bytes and more, under so many of them.
    second: Option<Second>,
    /// The same under their first four, where their first bytes are what they are entered under: for the text's end.
    ends: Option<Table>,
    /// Those that have three.
    triples: Table,
    /// All literals' bytes, one after another.
    bytes: Box<[u8]>,
    /// Bytes that are looked for one by one, and the seats of their literals.
    watched: Box<[Watched]>,
    /// Of each byte, its number among the watched, from 1.
    watch: Box<[u8; 256]>,
}

/// The literals that are looked for by one byte.
#[derive(Debug)]
struct Watched {
    byte: u8,
    /// What may follow it.
    next: Firsts,
    seats: Box<[Seat]>,
}

/// What the pass found at one place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sighting {
    /// The whole literal stands there.
    Whole,
    /// The text ends inside it.
    Open,
    /// The text ends inside some of a crowd of literals, of which this is one.
    Crowd,
}

impl Watched {
    fn new(byte: u8, seats: Vec<Seat>) -> Self {
        let mut next = Firsts::default();
        for seat in &seats {
            match (seat.offset, seat.length) {
                (0, 2..) => next.put(seat.head.to_le_bytes()[1]),
                _ => next = Firsts::all(),
            }
        }
        Self { byte, next, seats: seats.into() }
    }
}

impl Sieve {
    /// Takes folded literals of 1 to [`LITERAL_BYTES_MAX`] bytes, each once; their order numbers them.
    pub(super) fn new(literals: &[&[u8]]) -> Self {
        Self::with(literals, |_| false, second::pays(literals))
    }

    /// As [`Sieve::new`]; some literals, by their numbers, are found as soon as the text has their first [`GRAM`] bytes.
    pub(super) fn of_beginnings(literals: &[&[u8]], early: impl Fn(usize) -> bool) -> Self {
        Self::with(literals, early, second::pays(literals))
    }

    /// `has_second`: whether there is a second test.
    fn with(literals: &[&[u8]], early: impl Fn(usize) -> bool, has_second: bool) -> Self {
        let mut bytes = Vec::new();
        let (mut grams, mut ends, mut triples) = (Grams::default(), Grams::default(), Grams::default());
        let mut watched: Vec<(u8, Vec<Seat>)> = Vec::new();
        let mut second = has_second.then(second::Making::default);
        for (number, literal) in literals.iter().enumerate() {
            let length = literal.len().min(LITERAL_BYTES_MAX);
            let literal = literal.get(..length).unwrap_or_default();
            let mut head = [0; 8];
            head.iter_mut().zip(literal).for_each(|(to, from)| *to = *from);
            let mut seat = Seat {
                head: u64::from_le_bytes(head),
                literal: u32::try_from(number).unwrap_or(u32::MAX),
                start: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                length: u8::try_from(length).unwrap_or(u8::MAX),
                offset: 0,
                behind: 0,
            };
            bytes.extend_from_slice(literal);
            match *literal {
                [] => {}
                [_] | [_, _] => {
                    let rarest = literal
                        .iter()
                        .enumerate()
                        .min_by(|a, b| frequency::of(&[*a.1]).total_cmp(&frequency::of(&[*b.1])));
                    // Of a character beyond ASCII the first byte: what follows is asked at once.
                    let rarest = rarest.map(|rarest| if literal.is_ascii() { rarest } else { (0, &literal[0]) });
                    let Some((offset, byte)) = rarest else { continue };
                    seat.sit(offset, 1);
                    match watched.iter_mut().find(|(watched, _)| watched == byte) {
                        Some((_, seats)) => seats.push(seat),
                        None => watched.push((*byte, vec![seat])),
                    }
                }
                [a, b, c] => {
                    seat.sit(0, GRAM);
                    triples.entry(u32::from_le_bytes([a, b, c, 0])).or_default().push(seat);
                }
                _ => {
                    let second = second.as_mut().filter(|_| literal.len() >= WINDOW);
                    let early = early(number);
                    let (gram, offset) = match (early, &second) {
                        (true, _) => (gram_at(literal, 0), 0),
                        (false, Some(_)) => (0, 0),
                        (false, None) => choose(literal, &grams),
                    };
                    seat.sit(offset, GRAM);
                    match second {
                        Some(second) => {
                            second.enter(literal, seat, early);
                            if early {
                                ends.entry(gram).or_default().push(seat);
                            }
                        }
                        None => grams.entry(gram).or_default().push(seat),
                    }
                }
            }
        }
        let others = second.iter().flat_map(second::Making::grams);
        let mut bits = Bits::for_entries(grams.len() + others.clone().count());
        grams.keys().chain(others).for_each(|gram| bits.set(*gram));
        triples.keys().for_each(|gram| bits.set_all(*gram));
        let mut watch = Box::new([0; 256]);
        for (number, (byte, _)) in (1..).zip(&watched) {
            watch[usize::from(*byte)] = number;
        }
        Self {
            bits,
            second: second.map(|second| second.finish(grams.keys(), &bytes)),
            ends: (!ends.is_empty()).then(|| Table::of_ends(ends, &bytes)),
            grams: Table::new(&grams, &bytes),
            triples: Table::new(&triples, &bytes),
            bytes: bytes.into(),
            watched: watched.into_iter().map(|(byte, seats)| Watched::new(byte, seats)).collect(),
            watch,
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        let watched: usize = self.watched.iter().map(|watched| size_of_val(watched.seats.as_ref())).sum();
        let second = self.second.as_ref().map_or(0, Second::memory);
        let ends = self.ends.as_ref().map_or(0, Table::memory);
        self.bits.memory() + second + ends + self.grams.memory() + self.triples.memory() + self.bytes.len() + watched
    }

    /// Calls `found` with the number and the first byte of every literal of which the gram, or the watched byte, begins at
    /// `from` or later. What begins before the text's end and goes on beyond it is [`Sighting::Open`]. Each literal's places
    /// come in order.
    pub(super) fn search(
        &self,
        text: &[u8],
        from: usize,
        block: &mut Block,
        mut found: impl FnMut(u32, usize, Sighting),
    ) {
        let candidates = if self.second.is_some() { Self::tested } else { Self::candidates };
        let mut start = from;
        while start < text.len() {
            let end = (start + PLACES).min(text.len());
            block.fill(text, start, end);
            let here = Here { block, start, end: text.len() };
            let places = end - start;
            self.bits.candidates(block, places, |at| candidates(self, here, at, &mut found));
            let places = block.range(0, 0, places).unwrap_or_default();
            self.watched(places, |seat, at| self.try_seat(seat, here, at, &mut found));
            start = end;
        }
    }

    /// The literals whose watched byte stands at a place.
    fn watched(&self, places: &[u8], mut take: impl FnMut(&Seat, usize)) {
        if places.is_ascii() {
            for Watched { byte, seats, .. } in self.watched.iter().filter(|watched| watched.byte.is_ascii()) {
                for at in memchr::memchr_iter(*byte, places) {
                    seats.iter().for_each(|seat| take(seat, at));
                }
            }
            return;
        }
        for (at, byte) in places.iter().enumerate() {
            if let Some(number) = self.watch[usize::from(*byte)].checked_sub(1)
                && let Some(Watched { next, seats, .. }) = self.watched.get(usize::from(number))
                && places.get(at + 1).is_none_or(|byte| next.holds(*byte))
            {
                seats.iter().for_each(|seat| take(seat, at));
            }
        }
    }

    /// The literals whose gram stands at a place of the block.
    #[inline(never)]
    fn candidates(&self, here: Here<'_>, at: usize, found: &mut dyn FnMut(u32, usize, Sighting)) {
        let (Some(gram), Some(after)) = (here.block.gram(at), here.block.byte(at + GRAM)) else { return };
        self.seats(&self.grams, gram, after, here, at, found);
        self.triples(gram, after, here, at, found);
    }

    /// The literals of three bytes, where a gram stands.
    #[inline]
    fn triples(&self, gram: u32, after: u8, here: Here<'_>, at: usize, found: &mut dyn FnMut(u32, usize, Sighting)) {
        if self.bits.all(gram) {
            self.triples
                .of(bits::triple(gram), after)
                .iter()
                .for_each(|seat| self.try_seat(seat, here, at, &mut *found));
        }
    }

    /// As [`Sieve::candidates`], with a second test.
    #[inline(never)]
    fn tested(&self, here: Here<'_>, at: usize, found: &mut dyn FnMut(u32, usize, Sighting)) {
        let (Some(gram), Some([before, after])) = (here.block.gram(at), here.block.windows(at)) else { return };
        let Some(second) = &self.second else { return };
        let byte = |behind: usize| here.block.byte(at + behind).unwrap_or(0);
        let [before, after, short] = [Side::Before.key(before), Side::After.key(after), second::short(gram)];
        match &self.ends {
            // The end may cut them inside of their window.
            Some(ends) if here.start + at + WINDOW > here.end => self.begun(ends, gram, here, at, found),
            _ if second.may_hold(after) => self.seats(second.table(), after, byte(WINDOW), here, at, found),
            _ => {}
        }
        if second.may_hold(before) {
            self.seats(second.table(), before, byte(GRAM), here, at, found);
        }
        if second.may_hold(short) {
            self.seats(&self.grams, gram, byte(GRAM), here, at, found);
        }
        self.triples(gram, byte(GRAM), here, at, found);
    }

    /// The long literals that the text's end cuts inside of their window.
    fn begun(&self, ends: &Table, gram: u32, here: Here<'_>, at: usize, found: &mut dyn FnMut(u32, usize, Sighting)) {
        let rest = here.block.range(at, 0, (here.end - here.start).saturating_sub(at)).unwrap_or_default();
        let after = rest.get(GRAM).copied().unwrap_or(0);
        let seats = ends.of(gram, after);
        if seats.len() <= CROWD {
            return seats.iter().for_each(|seat| self.try_seat(seat, here, at, &mut *found));
        }
        if let Some(seat) = Table::begun(seats, rest, &self.bytes) {
            found(seat.literal, here.start + at, Sighting::Crowd);
        }
    }

    /// The literals that sit under a key. `after`: the byte behind it. A call would cost the shipped rules 5 in a hundred.
    #[inline(always)]
    fn seats(
        &self,
        table: &Table,
        key: u32,
        after: u8,
        here: Here<'_>,
        at: usize,
        found: &mut dyn FnMut(u32, usize, Sighting),
    ) {
        let seats = table.of(key, after);
        if seats.len() > CROWD {
            self.crowds(table, key, seats, here, at, found);
        } else {
            seats.iter().for_each(|seat| self.try_seat(seat, here, at, &mut *found));
        }
    }

    fn try_seat(&self, seat: &Seat, here: Here<'_>, at: usize, mut found: impl FnMut(u32, usize, Sighting)) {
        if let Some(sighting) = self.compare(seat, here, at) {
            found(seat.literal, here.start + at - usize::from(seat.offset), sighting);
        }
    }

    /// The literals of one key, which are too many to be tried one by one.
    #[inline(never)]
    fn crowds(
        &self,
        table: &Table,
        key: u32,
        seats: &[Seat],
        here: Here<'_>,
        at: usize,
        found: &mut dyn FnMut(u32, usize, Sighting),
    ) {
        for (_, offset, crowd) in table.crowds_of(key) {
            let Some(first) = (here.start + at).checked_sub(usize::from(*offset)) else { continue };
            let length = here.end.saturating_sub(first).min(crowd.longest());
            let there = here.block.range(at, usize::from(*offset), length).unwrap_or_default();
            let whole = |number: u32| {
                seats.get(number as usize).filter(|seat| self.compare(seat, here, at) == Some(Sighting::Whole))
            };
            crowd.standing(there.iter().copied(), |number| {
                if let Some(seat) = whole(number) {
                    found(seat.literal, first, Sighting::Whole);
                }
            });
            let text = |number: u32| seats.get(number as usize).map_or(&[][..], |seat| seat.bytes(&self.bytes));
            if length < crowd.longest()
                && let Some(seat) = crowd.begun(there, text, |byte| byte).and_then(|one| seats.get(one as usize))
            {
                found(seat.literal, first, Sighting::Crowd);
            }
        }
    }

    /// Compares all of a literal. `at`: place of its gram in the block.
    #[inline]
    fn compare(&self, seat: &Seat, Here { block, start, end }: Here<'_>, at: usize) -> Option<Sighting> {
        let (length, offset) = (usize::from(seat.length), usize::from(seat.offset));
        // Nearly all end here.
        let head = u64::from_le_bytes(block.range(at, offset, 8)?.try_into().ok()?);
        let first = (start + at).checked_sub(offset)?;
        let unused = 64 - 8 * length.min(8);
        if first + length <= end {
            if (head ^ seat.head) << unused != 0 {
                return None;
            }
            if length <= 8 {
                return Some(Sighting::Whole);
            }
        }
        let there = end.saturating_sub(first).min(length);
        let literal = self.bytes.get(seat.start as usize..)?.get(..there)?;
        (block.range(at, offset, there)? == literal).then_some(if there == length {
            Sighting::Whole
        } else {
            Sighting::Open
        })
    }
}

/// A block, and where it is.
#[derive(Clone, Copy)]
struct Here<'b> {
    block: &'b Block,
    /// The block's place in the text.
    start: usize,
    /// The text's end.
    end: usize,
}

/// The gram of a literal that is rarest, and least crowded, and its place.
fn choose(literal: &[u8], grams: &Grams) -> (u32, usize) {
    let cost = |at: usize| {
        let crowd = grams.get(&gram_at(literal, at)).map_or(0, Vec::len);
        frequency::of(literal.get(at..at + GRAM).unwrap_or_default()) * (1.0 + crowd as f64)
    };
    let best = (0..=literal.len() - GRAM).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    let at = best.unwrap_or_else(|| rarest_gram(literal).0);
    (gram_at(literal, at), at)
}

fn gram_at(literal: &[u8], at: usize) -> u32 {
    literal.get(at..at + GRAM).and_then(|gram| gram.try_into().ok()).map_or(0, u32::from_le_bytes)
}
