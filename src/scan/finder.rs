//! What finds the patterns that a text may match: the sieve of their literals, the gate behind it, and one automaton for
//! those that have none.
//!
//! There is one for each [`Scope`], since what only requests or only calls of tools are judged by need not be looked for in a
//! reply's text: many of these words stand in ordinary English.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex_automata::hybrid::dfa;
use regex_automata::{PatternSet, meta};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::crowd::{CROWD, Crowd};
use super::gate::{self, Gate};
use super::program::{Unit, Wanted};
use super::regex;
use super::sieve::Sieve;
use super::{BuildError, Context};
use crate::rules::Target;
use crate::rules::set::{Literal, Pattern};
use crate::text::{Direction, Role};

/// Texts that are searched for the same patterns, but for what roles still tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// What is sent, but for calls.
    Request,
    /// What comes back, but for calls.
    Reply,
    /// Arguments of calls of tools, either way.
    Call,
}

/// Immutable; the caches are the caller's.
#[derive(Debug)]
pub(super) struct Finder {
    pub(super) sieve: Sieve,
    /// Whom each literal of the sieve is a candidate for.
    pub(super) candidates: Box<[Candidates]>,
    pub(super) gate: Option<Gate>,
    /// Patterns without a literal: those that ASCII can match, and those that it cannot.
    pub(super) loose: Box<[Loose]>,
}

/// Caches of one finder, made when first needed.
#[derive(Debug, Default)]
pub(super) struct FinderCaches {
    pub(super) gate: Option<dfa::Cache>,
    pub(super) loose: Vec<(meta::Cache, PatternSet)>,
}

/// How a unit is found.
#[derive(Debug)]
pub(super) struct Searched<'a> {
    number: u32,
    contexts: u16,
    target: Target,
    how: How<'a>,
}

#[derive(Debug)]
enum How<'a> {
    /// By literals, and by what a match goes on with from there, if the gate can look at that.
    Literals(&'a [Vec<u8>], Option<Hir>),
    /// By its beginning.
    Loose(Cow<'a, Hir>),
}

/// The units that have one literal.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Literal patterns, and regexes that the gate knows nothing of.
    pub(super) direct: Box<[u32]>,
    /// Literal patterns that the sieve takes for one, if they are many: they are not among the others.
    pub(super) crowd: Option<Box<Crowd>>,
    /// Whether units behind the gate are wanted: one bit per direction and role, for each reading.
    gated_raw: u16,
    gated_canonical: u16,
}

/// One automaton over all patterns without a literal: says which of them match somewhere.
#[derive(Debug)]
pub(super) struct Loose {
    pub(super) automaton: meta::Regex,
    pub(super) units: Box<[u32]>,
    /// No match of any of them is all ASCII: such text is passed over by them.
    pub(super) beyond_ascii: bool,
}

/// Memory for the shared lazy DFA of the patterns without a literal.
const LOOSE_CACHE_BYTES: usize = 8 * 1024 * 1024;

impl Scope {
    /// Every one.
    pub(super) const ALL: [Self; 3] = [Self::Request, Self::Reply, Self::Call];

    /// The one that texts of a context are of.
    pub(super) fn of(context: Context) -> Self {
        match (context.role, context.direction) {
            (Role::ToolArguments, _) => Self::Call,
            (_, Direction::Request) => Self::Request,
            (_, Direction::Reply) => Self::Reply,
        }
    }

    /// The contexts of its texts, a bit each.
    pub(super) fn contexts(self) -> u16 {
        Context::all().filter(|context| Self::of(*context) == self).fold(0, |bits, context| bits | context.bit())
    }
}

impl<'a> Searched<'a> {
    pub(super) fn new(number: u32, unit: &Unit, pattern: &'a Pattern) -> Self {
        let how = match &pattern.required {
            Some(required) => {
                let rest = required.rest.as_ref().filter(|_| pattern.literal().is_none()).map(gate::cut);
                let rest = rest.filter(|rest| rest.properties().minimum_len().is_some_and(|length| length > 0));
                How::Literals(&required.literals, rest)
            }
            // Which of them match is confirmed one by one: here their beginnings will do, in a smaller automaton.
            None => How::Loose(pattern.hir()),
        };
        Self { number, contexts: unit.contexts, target: unit.target, how }
    }
}

impl Finder {
    /// Of the units of a scope.
    pub(super) fn new(scope: Scope, searched: &[Searched<'_>], units: &[Unit]) -> Result<Self, BuildError> {
        let contexts = scope.contexts();
        let mut literals: BTreeMap<&[u8], Listed> = BTreeMap::new();
        let (mut gated, mut loose) = (Vec::new(), Vec::new());
        for unit in searched.iter().filter(|unit| unit.contexts & contexts != 0) {
            match &unit.how {
                How::Literals(those, rest) => {
                    for literal in *those {
                        literals.entry(literal).or_default().add(unit, rest.is_some());
                    }
                    gated.extend(rest.as_ref().map(|rest| (unit.number, rest)));
                }
                How::Loose(hir) => loose.push((unit.number, hir.as_ref())),
            }
        }
        // The keys' order is the order of the sieve's numbers.
        let sieve = || Sieve::new(&literals.keys().copied().collect::<Vec<_>>());
        let searched = || Ok::<_, BuildError>([Loose::new(&loose, false)?, Loose::new(&loose, true)?]);
        let ((sieve, searched), gate) = rayon::join(|| (sieve(), searched()), || Gate::new(&gated));
        Ok(Self {
            sieve,
            candidates: literals.into_values().map(|listed| listed.finish(units)).collect(),
            gate: gate?,
            loose: searched?.into_iter().flatten().collect(),
        })
    }

    pub(super) fn memory(&self) -> usize {
        let gate = self.gate.as_ref().map_or(0, Gate::memory);
        let loose = self.loose.iter().map(|loose| loose.automaton.memory_usage()).sum::<usize>();
        let candidates = self.candidates.iter().map(Candidates::memory).sum::<usize>();
        self.sieve.memory() + candidates + gate + loose
    }
}

impl FinderCaches {
    pub(super) fn memory(&self) -> usize {
        let loose = self.loose.iter().map(|(cache, set)| cache.memory_usage() + set.capacity());
        self.gate.as_ref().map_or(0, dfa::Cache::memory_usage) + loose.sum::<usize>()
    }
}

/// [`Candidates`] in the making.
#[derive(Debug, Default)]
struct Listed {
    direct: Vec<u32>,
    gated_raw: u16,
    gated_canonical: u16,
}

impl Listed {
    fn add(&mut self, unit: &Searched<'_>, is_gated: bool) {
        match (is_gated, unit.target) {
            (true, Target::Raw) => self.gated_raw |= unit.contexts,
            (true, Target::Canonical) => self.gated_canonical |= unit.contexts,
            (false, _) => self.direct.push(unit.number),
        }
    }

    fn finish(self, units: &[Unit]) -> Candidates {
        let Self { mut direct, gated_raw, gated_canonical } = self;
        let literal = |number: &u32| units.get(*number as usize).and_then(Unit::literal);
        let crowd = (direct.len() > CROWD).then(|| {
            let literals = direct
                .iter()
                .filter_map(|number| Some((literal(number)?.text.bytes().map(Literal::fold).collect(), *number)));
            Box::new(Crowd::new(literals.collect()))
        });
        if crowd.is_some() {
            direct.retain(|number| literal(number).is_none());
        }
        Candidates { direct: direct.into(), crowd, gated_raw, gated_canonical }
    }
}

impl Candidates {
    fn memory(&self) -> usize {
        let crowd = self.crowd.as_ref().map_or(0, |crowd| size_of::<Crowd>() + crowd.memory());
        size_of::<Self>() + size_of_val(self.direct.as_ref()) + crowd
    }

    /// True when some unit behind the gate is wanted.
    pub(super) fn asks_gate(&self, wanted: &Wanted) -> bool {
        let bit = wanted.context.bit();
        (wanted.raw && self.gated_raw & bit != 0) || (wanted.canonical && self.gated_canonical & bit != 0)
    }
}

impl Loose {
    fn new(patterns: &[(u32, &Hir)], beyond_ascii: bool) -> Result<Option<Self>, BuildError> {
        let those = patterns.iter().filter(|(_, hir)| is_beyond_ascii(hir) == beyond_ascii);
        // Which of them match is confirmed one by one: here their beginnings will do, in a smaller automaton.
        let (units, hirs): (Vec<u32>, Vec<Hir>) = those.map(|(unit, hir)| (*unit, gate::cut(hir))).unzip();
        if units.is_empty() {
            return Ok(None);
        }
        let automaton = regex::many(&hirs.iter().collect::<Vec<_>>(), true, LOOSE_CACHE_BYTES)?;
        Ok(Some(Self { automaton, units: units.into(), beyond_ascii }))
    }
}

/// True when no match is all ASCII.
fn is_beyond_ascii(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => !literal.0.is_ascii(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().first().is_some_and(|range| !range.start().is_ascii()),
        HirKind::Class(Class::Unicode(class)) => class.ranges().first().is_some_and(|range| !range.start().is_ascii()),
        HirKind::Capture(capture) => is_beyond_ascii(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && is_beyond_ascii(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(is_beyond_ascii),
        HirKind::Alternation(parts) => parts.iter().all(is_beyond_ascii),
    }
}
