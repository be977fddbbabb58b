//! What a lane searches with: the texts that show that something may begin, and the gates behind them.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::Hir;

use super::is_word_start;
use crate::rules::Target;
use crate::rules::beginnings::{Beginning, How};
use crate::rules::firsts::Firsts;
use crate::rules::frequency::fold;
use crate::rules::pairs::Pairs;
use crate::rules::required::GRAM;
use crate::rules::set::{Literal, Pattern};
use crate::scan::crowd::{CROWD, Crowd};
use crate::scan::gate::{self, Gate};
use crate::scan::program::Program;
use crate::scan::sieve::Sieve;
use crate::scan::{BuildError, Context, confirm};
use crate::text::{Direction, Role};

/// All units that judge one reading of a stream while it flows. Immutable.
#[derive(Debug)]
pub(in crate::scan) struct LaneProgram {
    pub(super) units: Box<[u32]>,
    /// Texts with which matches begin, or that stand near their beginning, and whose they are.
    pub(super) texts: Sieve,
    pub(super) owners: Box<[Owners]>,
    /// The first three bytes of the texts with which matches begin, in order: for the stream's end.
    pub(super) triples: Box<[[u8; 3]]>,
    /// Patterns, or branches of them, that begin with such a text.
    pub(super) specific: Option<Gate>,
    /// The others.
    pub(super) generic: Option<Gate>,
    /// Of each pair of bytes, what may begin with it near the stream's end: a set of [`flag`]s.
    pub(super) pairs: Box<[u8; 1 << 16]>,
    /// The same of each byte.
    pub(super) singles: Box<[u8; 256]>,
    /// Bytes before the end of which [`LaneProgram::pairs`] tells more than runs.
    pub(super) zone: usize,
    /// What may begin at every place.
    pub(super) anywhere: Option<Anywhere>,
    /// The bytes of which [`flag::RUN`] speaks.
    pub(super) run: Firsts,
    /// Something may begin at the text's start and nowhere else.
    pub(super) at_text_start: bool,
}

/// A unit, and how its matches begin.
#[derive(Debug)]
pub(in crate::scan) struct LaneUnit {
    pub(in crate::scan) number: u32,
    pub(in crate::scan) target: Target,
    /// The literal that it is, as [`Literal::fold`] has it.
    literal: Option<Vec<u8>>,
    beginnings: Vec<Beginning>,
}

/// Whose a text is.
#[derive(Debug)]
pub(super) struct Owners {
    /// Literals, which no gate knows.
    pub(super) literals: Box<[u32]>,
    /// The same, if they are many.
    pub(super) crowd: Option<Box<Crowd>>,
    /// Some pattern behind the gate begins with it.
    pub(super) gated: bool,
    pub(super) gated_at_word_start: bool,
    pub(super) near: Box<[Near]>,
}

/// A unit whose matches begin so many bytes before a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    pub(super) unit: u32,
    pub(super) before_min: u16,
    pub(super) before_max: u16,
    pub(super) at_word_start: bool,
    pub(super) firsts: Firsts,
    /// Up to the text there are these bytes only.
    pub(super) within: Firsts,
}

/// What may begin with some bytes near the stream's end. Each is followed by the same at the start of words only.
pub(super) mod flag {
    /// A text that is looked for.
    pub(in crate::scan::lane) const HEAD: u8 = 1;
    /// A branch that is known by a text nearby: it ends at most [`super::TINY`] bytes behind the start.
    pub(in crate::scan::lane) const TINY: u8 = 1 << 2;
    /// The same, at most [`super::SHORT`] bytes.
    pub(in crate::scan::lane) const SHORT: u8 = 1 << 4;
    /// The same, farther away, and up to the text's end there are letters, digits and a few signs only.
    pub(in crate::scan::lane) const RUN: u8 = 1 << 6;
}

/// Branches of which nothing is known but their first bytes.
#[derive(Debug)]
pub(super) struct Anywhere {
    /// Two bits of each pair of bytes: one may begin with it, and at the start of a word.
    pairs: Box<[u64; PAIR_WORDS]>,
    /// The same of each byte; and behind it, shifted by [`NEXT`], what is asked of the next one.
    singles: Box<[u8; 256]>,
}

/// Words of two bits for each pair.
const PAIR_WORDS: usize = 1 << 11;
const PLAIN: u8 = 1;
const AT_WORD_START: u8 = 2;
const NEXT: u8 = 4;

/// Distances from the end of the stream's text at which a text nearby may not be there yet.
pub(super) const SHORT: usize = 14;
pub(super) const TINY: usize = 4;
/// Bytes of which runs may be made.
const RUN_BYTES: u32 = 80;

impl LaneProgram {
    /// `None` for no units at all.
    pub(in crate::scan) fn new<'u>(units: impl Iterator<Item = &'u LaneUnit>) -> Result<Option<Self>, BuildError> {
        let mut making = Making::default();
        let mut numbers = Vec::new();
        for unit in units {
            numbers.push(unit.number);
            unit.beginnings.iter().for_each(|begin| making.add(unit.number, unit.literal.as_deref(), begin));
        }
        (!numbers.is_empty()).then(|| making.finish(numbers.into())).transpose()
    }

    pub(in crate::scan) fn memory(&self) -> usize {
        let gates = [&self.specific, &self.generic].into_iter().flatten().map(Gate::memory).sum::<usize>();
        let triples = size_of_val(self.triples.as_ref());
        let owners = self.owners.iter().map(|owners| {
            let crowd = owners.crowd.as_ref().map_or(0, |crowd| size_of::<Crowd>() + crowd.memory());
            size_of_val(owners) + size_of_val(owners.literals.as_ref()) + size_of_val(owners.near.as_ref()) + crowd
        });
        let anywhere = self.anywhere.as_ref().map_or(0, |it| size_of_val(&*it.pairs) + size_of_val(&*it.singles));
        gates + triples + owners.sum::<usize>() + self.texts.memory() + self.pairs.len() + self.singles.len() + anywhere
    }

    pub(in crate::scan) fn has_unit_for(&self, program: &Program, role: Role) -> bool {
        let context = Context { direction: Direction::Reply, role };
        self.units.iter().any(|unit| program.unit(*unit).is_some_and(|unit| unit.applies(context)))
    }

    /// Of some flags, those of the bytes at a place; a word's flags only where a word begins.
    pub(super) fn asked(&self, text: &[u8], at: usize, asked: u8) -> u8 {
        let flags = match *text.get(at..).unwrap_or_default() {
            [] => 0,
            [only] => self.singles[usize::from(only)],
            [first, second, ..] => self.pairs[usize::from(u16::from_be_bytes([first, second]))],
        };
        (flags | if is_word_start(text, at) { flags >> 1 } else { 0 }) & asked
    }
}

impl LaneUnit {
    pub(in crate::scan) fn new(number: u32, pattern: &Pattern) -> Self {
        let beginnings = match pattern.literal() {
            Some(literal) => vec![Beginning::of_literal(&literal.text, literal.word)],
            None => Beginning::of(&pattern.hir()),
        };
        let literal = pattern.literal().map(|literal| literal.text.bytes().map(Literal::fold).collect());
        Self { number, target: pattern.target, literal, beginnings }
    }
}

/// A lane in the making.
#[derive(Debug, Default)]
struct Making {
    texts: BTreeMap<Vec<u8>, ListedOwners>,
    triples: BTreeSet<[u8; 3]>,
    specific: Vec<(u32, Hir)>,
    generic: Vec<(u32, Hir)>,
    /// The first two bytes of the texts, folded.
    heads: Marks,
    tiny: Marks,
    short: Marks,
    runs: Marks,
    anywhere: Marks,
    run: Firsts,
    at_text_start: bool,
}

/// First bytes, everywhere and at the start of words only.
#[derive(Debug, Default)]
struct Marks {
    plain: Pairs,
    at_word_start: Pairs,
}

#[derive(Debug, Default)]
struct ListedOwners {
    literals: Vec<(Vec<u8>, u32)>,
    gated: bool,
    gated_at_word_start: bool,
    near: Vec<Near>,
}

impl Making {
    fn add(&mut self, number: u32, literal: Option<&[u8]>, begin: &Beginning) {
        match begin.how.clone() {
            _ if begin.at_text_start => {
                self.at_text_start = true;
                self.generic.push((number, gate::cut(&begin.hir)));
            }
            How::Texts(texts) => {
                for text in texts {
                    let is_at_start = begin.at_word_start && text.first().is_some_and(|byte| confirm::is_word(*byte));
                    if let [first, second, ..] = *text {
                        self.heads.of(is_at_start).put(first, second);
                    }
                    self.triples.extend(text.first_chunk::<3>());
                    let owners = self.texts.entry(text).or_default();
                    match literal {
                        Some(literal) => owners.literals.push((literal.to_vec(), number)),
                        None if is_at_start => owners.gated_at_word_start = true,
                        None => owners.gated = true,
                    }
                }
                if literal.is_none() {
                    self.specific.push((number, gate::cut(&begin.hir)));
                }
            }
            How::Near { mut texts, before: (min, max), mut within } => {
                // The longer the text, the farther from the end its start is asked.
                if let Some(room) = SHORT.checked_sub(max).filter(|room| *room >= GRAM) {
                    texts.iter_mut().for_each(|text| text.truncate(room));
                    texts.sort_unstable();
                    texts.dedup();
                }
                let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
                let folded = |byte: &u8| texts.iter().flatten().any(|text| *text == fold(*byte));
                (0..=u8::MAX).filter(folded).for_each(|byte| within.put(byte));
                self.generic.push((number, gate::cut(&begin.hir)));
                if max + longest <= TINY {
                    self.tiny.add(begin);
                } else if max + longest <= SHORT {
                    self.short.add(begin);
                } else if within.len() <= RUN_BYTES && !within.holds(b' ') {
                    self.run.join(&within);
                    self.runs.add(begin);
                } else {
                    return self.anywhere.add(begin);
                }
                let (before_min, before_max) = (min as u16, max as u16);
                let (at_word_start, firsts) = (begin.at_word_start, begin.firsts);
                let near = Near { unit: number, before_min, before_max, at_word_start, firsts, within };
                for text in texts {
                    self.texts.entry(text).or_default().near.push(near);
                }
            }
            How::Nothing => {
                self.generic.push((number, gate::cut(&begin.hir)));
                self.anywhere.add(begin);
            }
        }
    }

    fn finish(self, units: Box<[u32]>) -> Result<LaneProgram, BuildError> {
        let mut pairs = Box::new([0; 1 << 16]);
        let mut singles = Box::new([0; 256]);
        let marks = [(flag::TINY, &self.tiny), (flag::SHORT, &self.short), (flag::RUN, &self.runs)];
        for (pair, place) in (0..=u16::MAX).zip(pairs.iter_mut()) {
            let [first, second] = pair.to_be_bytes();
            *place = self.heads.flags(flag::HEAD, fold(first), fold(second));
            *place |= marks.iter().fold(0, |all, (flag, marks)| all | marks.flags(*flag, first, second));
            singles[usize::from(first)] |= *place;
        }
        let has = |flag: u8| singles.iter().any(|flags: &u8| flags & (flag | flag << 1) != 0);
        let zone = if has(flag::SHORT) { SHORT } else { TINY };
        let texts = Sieve::of_beginnings(&self.texts.keys().map(Vec::as_slice).collect::<Vec<_>>());
        let owners = self.texts.into_values().map(|owners| {
            let ListedOwners { mut literals, gated, gated_at_word_start, near } = owners;
            let crowd = (literals.len() > CROWD).then(|| Box::new(Crowd::new(std::mem::take(&mut literals))));
            let literals = literals.into_iter().map(|(_, number)| number).collect();
            Owners { literals, crowd, gated, gated_at_word_start, near: near.into() }
        });
        Ok(LaneProgram {
            units,
            texts,
            owners: owners.collect(),
            triples: self.triples.into_iter().collect(),
            specific: Gate::new(&self.specific)?,
            generic: Gate::new(&self.generic)?,
            anywhere: Anywhere::new(&self.anywhere),
            pairs,
            singles,
            zone,
            run: self.run,
            at_text_start: self.at_text_start,
        })
    }
}

impl Marks {
    fn of(&mut self, at_word_start: bool) -> &mut Pairs {
        if at_word_start { &mut self.at_word_start } else { &mut self.plain }
    }

    /// Notes with which bytes a branch begins.
    fn add(&mut self, begin: &Beginning) {
        let pairs = Pairs::of(&begin.hir);
        for first in 0..=u8::MAX {
            self.of(begin.at_word_start && confirm::is_word(first)).join_row(first, pairs.row(first));
        }
    }

    fn flags(&self, flag: u8, first: u8, second: u8) -> u8 {
        let of = |pairs: &Pairs, flag| if pairs.holds(first, second) { flag } else { 0 };
        of(&self.plain, flag) | of(&self.at_word_start, flag << 1)
    }
}

impl Anywhere {
    fn new(marks: &Marks) -> Option<Self> {
        let mut pairs = Box::new([0; PAIR_WORDS]);
        let mut singles = Box::new([0; 256]);
        for pair in 0..=u16::MAX {
            let [first, second] = pair.to_be_bytes();
            let of = |pairs: &Pairs, flag| if pairs.holds(first, second) { flag } else { 0 };
            let flags = of(&marks.plain, PLAIN) | of(&marks.at_word_start, AT_WORD_START);
            pairs[usize::from(pair >> 5)] |= u64::from(flags) << (2 * (pair & 31));
            singles[usize::from(first)] |= flags;
        }
        let is_any = singles.iter().any(|flags| *flags != 0);
        for (byte, flags) in (0..=u8::MAX).zip(singles.iter_mut()) {
            *flags |= asked(!confirm::is_word(byte)) << NEXT;
        }
        is_any.then_some(Self { pairs, singles })
    }

    /// Calls `found` with each place from `from` on where one may begin. The last byte is left out: it tells less.
    pub(super) fn places(&self, text: &[u8], from: usize, mut found: impl FnMut(usize)) {
        let mut asked = asked(is_word_start(text, from));
        let firsts = text.get(from..).unwrap_or_default();
        let seconds = firsts.get(1..).unwrap_or_default();
        for (at, (firsts, seconds)) in (from..).step_by(64).zip(firsts.chunks(64).zip(seconds.chunks(64))) {
            // Hardly a place is one, and nobody could guess which: without a branch for each of them it is faster.
            let mut found_at = 0u64;
            for (first, second) in firsts.iter().zip(seconds) {
                let pair = u16::from_be_bytes([*first, *second]);
                let flags = (self.pairs[usize::from(pair >> 5)] >> (2 * (pair & 31))) as u8;
                found_at = found_at << 1 | u64::from(flags & asked != 0);
                asked = self.singles[usize::from(*first)] >> NEXT;
            }
            // The first place first.
            found_at = (found_at << (64 - seconds.len())).reverse_bits();
            while found_at != 0 {
                found(at + found_at.trailing_zeros() as usize);
                found_at &= found_at - 1;
            }
        }
    }

    /// Whether one may begin with a text's last byte.
    pub(super) fn begins_with_last(&self, text: &[u8]) -> bool {
        let Some((last, before)) = text.split_last() else { return false };
        self.singles[usize::from(*last)] & asked(is_word_start(text, before.len())) != 0
    }
}

fn asked(is_word_start: bool) -> u8 {
    PLAIN | (u8::from(is_word_start) * AT_WORD_START)
}
