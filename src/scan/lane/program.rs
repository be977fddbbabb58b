//! What a lane searches with: the texts that show that something may begin, and the gates behind them.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::Hir;

use super::is_word_start;
use crate::rules::Target;
use crate::rules::beginnings::{Beginning, How};
use crate::rules::firsts::Firsts;
use crate::rules::frequency::fold;
use crate::rules::set::Pattern;
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
    /// Of each pair of bytes, what may begin with it: a set of [`flag`]s.
    pub(super) pairs: Box<[u8; 1 << 16]>,
    /// The same of each byte.
    pub(super) singles: Box<[u8; 256]>,
    pub(super) has_anywhere: bool,
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
    is_literal: bool,
    beginnings: Vec<Beginning>,
}

/// Whose a text is.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    /// Literals, which no gate knows: there may be a hundred thousand of them.
    pub(super) literals: Box<[u32]>,
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

/// What may begin with some bytes. Each is followed by the same at the start of words only.
pub(super) mod flag {
    /// A text that is looked for.
    pub(in crate::scan::lane) const HEAD: u8 = 1;
    /// A branch that is known by a text nearby: it ends at most [`super::SHORT`] bytes behind the start.
    pub(in crate::scan::lane) const SHORT: u8 = 1 << 2;
    /// The same, farther away, and up to the text's end there are letters, digits and a few signs only.
    pub(in crate::scan::lane) const RUN: u8 = 1 << 4;
    /// A branch of which nothing more is known.
    pub(in crate::scan::lane) const ANYWHERE: u8 = 1 << 6;
}

/// Distance from the end of the stream's text at which a text nearby may not be there yet.
pub(super) const SHORT: usize = 14;
/// Bytes of which runs may be made.
const RUN_BYTES: u32 = 80;

impl LaneProgram {
    /// `None` for no units at all.
    pub(in crate::scan) fn new<'u>(units: impl Iterator<Item = &'u LaneUnit>) -> Result<Option<Self>, BuildError> {
        let mut making = Making { folded: vec![0; 1 << 16], singles: vec![0; 256], ..Making::default() };
        let mut numbers = Vec::new();
        for unit in units {
            numbers.push(unit.number);
            unit.beginnings.iter().for_each(|begin| making.add(unit.number, unit.is_literal, begin));
        }
        (!numbers.is_empty()).then(|| making.finish(numbers.into())).transpose()
    }

    pub(in crate::scan) fn memory(&self) -> usize {
        let gates = [&self.specific, &self.generic].into_iter().flatten().map(Gate::memory).sum::<usize>();
        let triples = size_of_val(self.triples.as_ref());
        let owners = self.owners.iter().map(|owners| {
            size_of_val(owners) + size_of_val(owners.literals.as_ref()) + size_of_val(owners.near.as_ref())
        });
        gates + triples + owners.sum::<usize>() + self.texts.memory() + self.pairs.len() + self.singles.len()
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
        Self { number, target: pattern.target, is_literal: pattern.literal().is_some(), beginnings }
    }
}

/// A lane in the making.
#[derive(Debug, Default)]
struct Making {
    texts: BTreeMap<Vec<u8>, ListedOwners>,
    triples: BTreeSet<[u8; 3]>,
    specific: Vec<(u32, Hir)>,
    generic: Vec<(u32, Hir)>,
    /// [`LaneProgram::pairs`] by folded bytes.
    folded: Vec<u8>,
    /// What may begin with each byte and any other.
    singles: Vec<u8>,
    run: Firsts,
    at_text_start: bool,
}

#[derive(Debug, Default)]
struct ListedOwners {
    literals: Vec<u32>,
    gated: bool,
    gated_at_word_start: bool,
    near: Vec<Near>,
}

impl Making {
    fn add(&mut self, number: u32, is_literal: bool, begin: &Beginning) {
        match begin.how.clone() {
            _ if begin.at_text_start => {
                self.at_text_start = true;
                self.generic.push((number, gate::cut(&begin.hir)));
            }
            How::Texts(texts) => {
                for text in texts {
                    let is_at_start = begin.at_word_start && text.first().is_some_and(|byte| confirm::is_word(*byte));
                    if let [first, second, ..] = *text
                        && let Some(flags) = self.folded.get_mut(usize::from(first) << 8 | usize::from(second))
                    {
                        *flags |= flag::HEAD << u8::from(is_at_start);
                    }
                    self.triples.extend(text.first_chunk::<3>());
                    let owners = self.texts.entry(text).or_default();
                    match is_literal {
                        true => owners.literals.push(number),
                        false if is_at_start => owners.gated_at_word_start = true,
                        false => owners.gated = true,
                    }
                }
                if !is_literal {
                    self.specific.push((number, gate::cut(&begin.hir)));
                }
            }
            How::Near { texts, before: (min, max), mut within } => {
                let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
                let folded = |byte: &u8| texts.iter().flatten().any(|text| *text == fold(*byte));
                (0..=u8::MAX).filter(folded).for_each(|byte| within.put(byte));
                self.generic.push((number, gate::cut(&begin.hir)));
                if max + longest <= SHORT {
                    self.mark(begin, flag::SHORT);
                } else if within.len() <= RUN_BYTES && !within.holds(b' ') {
                    self.run.join(&within);
                    self.mark(begin, flag::RUN);
                } else {
                    return self.mark(begin, flag::ANYWHERE);
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
                self.mark(begin, flag::ANYWHERE);
            }
        }
    }

    /// Notes with which bytes a branch begins.
    fn mark(&mut self, begin: &Beginning, flag: u8) {
        let at = |byte: u8| flag << u8::from(begin.at_word_start && confirm::is_word(byte));
        let Some(pairs) = &begin.pairs else {
            let singles = (0..=u8::MAX).zip(&mut self.singles).filter(|(byte, _)| begin.firsts.holds(*byte));
            return singles.for_each(|(byte, flags)| *flags |= at(byte));
        };
        for pair in pairs {
            let Some(first) = pair.first() else { continue };
            let row = usize::from(*first) << 8;
            let places = match pair.get(1) {
                Some(second) => row + usize::from(*second)..=row + usize::from(*second),
                None => row..=row + 255,
            };
            self.folded.get_mut(places).into_iter().flatten().for_each(|flags| *flags |= at(*first));
        }
    }

    fn finish(self, units: Box<[u32]>) -> Result<LaneProgram, BuildError> {
        let folded = |byte: usize| usize::from(fold((byte & 0xFF) as u8));
        let flags = |pair: usize| {
            let heads = self.folded.get(folded(pair >> 8) << 8 | folded(pair)).copied().unwrap_or(0);
            heads | self.singles.get(pair >> 8).copied().unwrap_or(0)
        };
        let mut pairs = Box::new([0; 1 << 16]);
        pairs.iter_mut().enumerate().for_each(|(pair, place)| *place = flags(pair));
        let mut singles = Box::new([0; 256]);
        for (single, pairs) in singles.iter_mut().zip(pairs.chunks_exact(256)) {
            *single = pairs.iter().fold(0, |all, flags| all | flags);
        }
        let texts = Sieve::of_beginnings(&self.texts.keys().map(Vec::as_slice).collect::<Vec<_>>());
        let owners = self.texts.into_values().map(|owners| Owners {
            literals: owners.literals.into(),
            gated: owners.gated,
            gated_at_word_start: owners.gated_at_word_start,
            near: owners.near.into(),
        });
        Ok(LaneProgram {
            units,
            texts,
            owners: owners.collect(),
            triples: self.triples.into_iter().collect(),
            specific: Gate::new(&self.specific)?,
            generic: Gate::new(&self.generic)?,
            has_anywhere: pairs.iter().any(|flags| flags & (flag::ANYWHERE | flag::ANYWHERE << 1) != 0),
            pairs,
            singles,
            run: self.run,
            at_text_start: self.at_text_start,
        })
    }
}
