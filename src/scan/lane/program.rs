//! What a lane searches with: the texts that show that something may begin, and the gates behind them.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::Hir;

use super::anywhere::Anywhere;
use super::is_word_start;
use super::marks::Marks;
use super::tail::Tail;
use crate::rules::Target;
use crate::rules::beginnings::{Beginning, How};
use crate::rules::firsts::Firsts;
use crate::rules::frequency::fold;
use crate::rules::pairs::Pairs;
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
    /// Their first two bytes, and three: for the stream's end.
    heads: Marks,
    triples: Box<[[u8; 3]]>,
    /// Patterns, or branches of them, that begin with such a text.
    pub(super) specific: Option<Gate>,
    /// Those that have such a text nearby: for the stream's end, where it is not there yet.
    pub(super) tail: Option<Tail>,
    /// Those that may begin everywhere, and where.
    pub(super) generic: Option<Gate>,
    pub(super) anywhere: Option<Anywhere>,
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
        let tail = self.tail.as_ref().map_or(0, Tail::memory);
        let heads = size_of_val(self.triples.as_ref()) + self.heads.memory();
        let owners = self.owners.iter().map(|owners| {
            let crowd = owners.crowd.as_ref().map_or(0, |crowd| size_of::<Crowd>() + crowd.memory());
            size_of_val(owners) + size_of_val(owners.literals.as_ref()) + size_of_val(owners.near.as_ref()) + crowd
        });
        let anywhere = self.anywhere.as_ref().map_or(0, Anywhere::memory);
        gates + tail + heads + owners.sum::<usize>() + self.texts.memory() + anywhere
    }

    pub(in crate::scan) fn has_unit_for(&self, program: &Program, role: Role) -> bool {
        let context = Context { direction: Direction::Reply, role };
        self.units.iter().any(|unit| program.unit(*unit).is_some_and(|unit| unit.applies(context)))
    }

    /// Whether a text that matches begin with may have begun at a place, behind which there are fewer bytes than the search
    /// for it looks at.
    pub(super) fn is_begun(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        let has = |marks: &Pairs| match *rest {
            [only] => marks.row(fold(only)).len() > 0,
            [first, second] | [first, second, _] => marks.holds(fold(first), fold(second)),
            _ => false,
        };
        let has_triple = |triple: [u8; 3]| self.triples.binary_search(&triple.map(fold)).is_ok();
        (has(&self.heads.plain) || (is_word_start(text, at) && has(&self.heads.at_word_start)))
            && rest.try_into().map_or(true, has_triple)
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
    /// What there is of a match up to a text nearby.
    tail: Vec<(u32, Hir)>,
    /// The first two bytes of the texts, folded.
    heads: Marks,
    anywhere: Marks,
    at_text_start: bool,
}

#[derive(Debug, Default)]
struct ListedOwners {
    literals: Vec<(Vec<u8>, u32)>,
    gated: bool,
    gated_at_word_start: bool,
    near: Vec<Near>,
}

impl ListedOwners {
    /// True where it has to be found before all of it is there.
    fn is_early(&self) -> bool {
        self.gated || self.gated_at_word_start || !self.literals.is_empty()
    }
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
            How::Near { texts, before: (min, max), mut within, head } => {
                let folded = |byte: &u8| texts.iter().flatten().any(|text| *text == fold(*byte));
                (0..=u8::MAX).filter(folded).for_each(|byte| within.put(byte));
                self.tail.push((number, head));
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
        let early: Vec<bool> = self.texts.values().map(ListedOwners::is_early).collect();
        let texts = self.texts.keys().map(Vec::as_slice).collect::<Vec<_>>();
        let texts = Sieve::of_beginnings(&texts, |text| early.get(text).is_some_and(|early| *early));
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
            heads: self.heads,
            triples: self.triples.into_iter().collect(),
            specific: Gate::new(&self.specific)?,
            tail: Tail::new(&self.tail)?,
            generic: Gate::new(&self.generic)?,
            anywhere: Anywhere::new(self.anywhere),
            at_text_start: self.at_text_start,
        })
    }
}
