//! The compiled form of a rule set: one unit per pattern, and what finds candidates for them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::crowd::{CROWD, Crowd};
use super::gate::{self, Gate};
use super::lane::{LaneProgram, LaneUnit};
use super::regex::{self, Regex};
use super::sieve::Sieve;
use super::{BuildError, Context, Reading};
use crate::rules::set::{Literal, Pattern};
use crate::rules::{Roles, Rule, RuleIndex, RuleSet, Target, Validator};
use crate::text::{Direction, Role};

/// Everything that searching needs, immutable.
#[derive(Debug)]
pub(super) struct Program {
    /// Unique in this process.
    pub(super) id: u64,
    pub(super) units: Box<[Unit]>,
    pub(super) sieve: Sieve,
    /// Whom each literal of the sieve is a candidate for.
    pub(super) candidates: Box<[Candidates]>,
    pub(super) gate: Option<Gate>,
    /// Patterns without a literal: those that ASCII can match, and those that it cannot.
    pub(super) loose: Box<[Loose]>,
    pub(super) raw_lane: Option<LaneProgram>,
    pub(super) canonical_lane: Option<LaneProgram>,
    /// Of both, where each has patterns: for as long as the readings are the same.
    pub(super) both_lane: Option<LaneProgram>,
    /// Where some unit judges at the block's end: one bit per direction and role.
    block_end: u16,
}

/// One pattern of one rule.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) rule: RuleIndex,
    /// Its number in the rule, where the rule tells its patterns apart; else 0.
    pub(super) pattern: u16,
    pub(super) target: Target,
    pub(super) block_end: bool,
    contexts: u16,
    pub(super) kind: Kind,
    /// Bytes between a match's start and its required literal, at least.
    pub(super) before_min: usize,
    /// The same, at most; `None`: unbounded.
    pub(super) before_max: Option<usize>,
    pub(super) validators: Box<[Validator]>,
    /// Every match is listed, however many there are: each of them must be taken out.
    pub(super) lists_all: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal { literal: Literal, case_sensitive: bool },
    Regex { regex: Box<Regex>, capture: usize },
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

/// Which units a search is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) raw: bool,
    pub(super) canonical: bool,
    pub(super) context: Context,
    /// Only units that judge at the block's end.
    pub(super) block_end_only: bool,
}

impl Wanted {
    pub(super) fn new(reading: Reading, context: Context) -> Self {
        let (raw, canonical) = (reading != Reading::Canonical, reading != Reading::Raw);
        Self { raw, canonical, context, block_end_only: false }
    }
}

/// Memory for the shared lazy DFA of the patterns without a literal.
const LOOSE_CACHE_BYTES: usize = 8 * 1024 * 1024;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Program {
    pub(super) fn new(rules: &RuleSet) -> Result<Self, BuildError> {
        let patterns: Vec<(RuleIndex, &Rule, &Pattern)> = rules
            .iter()
            .flat_map(|(index, rule)| rule.patterns.iter().map(move |pattern| (index, rule, pattern)))
            .collect();
        if u32::try_from(patterns.len()).is_err() {
            return Err(BuildError::new(&"too many patterns"));
        }
        // A compiler's table for UTF-8 is worth keeping from pattern to pattern.
        let make = |compiler: &mut thompson::Compiler, (index, rule, pattern): (RuleIndex, &Rule, &Pattern)| {
            Unit::new(index, rule, pattern, compiler)
        };
        let made: Result<Vec<Unit>, BuildError> =
            patterns.clone().into_par_iter().map_init(thompson::Compiler::new, make).collect();
        let units = made?;
        let mut literals: BTreeMap<&[u8], Listed> = BTreeMap::new();
        let (mut gated, mut loose) = (Vec::new(), Vec::new());
        let mut streamed = Vec::new();
        for ((number, unit), (_, rule, pattern)) in (0u32..).zip(&units).zip(&patterns) {
            match &pattern.required {
                Some(required) => {
                    let rest = required.rest.as_ref().filter(|_| pattern.literal().is_none()).map(gate::cut);
                    let rest = rest.filter(|rest| rest.properties().minimum_len().is_some_and(|length| length > 0));
                    for literal in &required.literals {
                        literals.entry(literal).or_default().add(number, unit, rest.is_some());
                    }
                    gated.extend(rest.map(|rest| (number, rest)));
                }
                None => loose.push((number, pattern.hir())),
            }
            if rule.on_reply && !rule.block_end {
                streamed.push((number, *pattern));
            }
        }
        // The keys' order is the order of the sieve's numbers.
        let sieve = || Sieve::new(&literals.keys().copied().collect::<Vec<_>>());
        let searched = || Ok::<_, BuildError>([Loose::new(&loose, false)?, Loose::new(&loose, true)?]);
        let (((sieve, searched), gate), lanes) =
            rayon::join(|| rayon::join(|| (sieve(), searched()), || Gate::new(&gated)), || lanes(streamed));
        let [raw_lane, canonical_lane, both_lane] = lanes?;
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            sieve,
            candidates: literals.into_values().map(|listed| listed.finish(&units)).collect(),
            gate: gate?,
            loose: searched?.into_iter().flatten().collect(),
            raw_lane,
            canonical_lane,
            both_lane,
            block_end: units.iter().filter(|unit| unit.block_end).fold(0, |all, unit| all | unit.contexts),
            units: units.into(),
        })
    }

    pub(super) fn memory(&self) -> usize {
        let units = self.units.iter().map(|unit| match &unit.kind {
            Kind::Literal { literal, .. } => literal.text.len(),
            Kind::Regex { regex, .. } => regex.memory(),
        });
        let lanes =
            [&self.raw_lane, &self.canonical_lane, &self.both_lane].into_iter().flatten().map(LaneProgram::memory);
        let gate = self.gate.as_ref().map_or(0, Gate::memory);
        let loose = self.loose.iter().map(|loose| loose.automaton.memory_usage()).sum::<usize>();
        size_of_val(self.units.as_ref())
            + units.sum::<usize>()
            + self.sieve.memory()
            + self.candidates.iter().map(Candidates::memory).sum::<usize>()
            + lanes.sum::<usize>()
            + gate
            + loose
    }

    /// Whether some unit judges such text at the block's end.
    pub(super) fn judges_blocks(&self, context: Context) -> bool {
        self.block_end & context_bit(context.direction, context.role) != 0
    }

    /// The text of a unit that is a literal.
    pub(super) fn literal(&self, unit: u32) -> &[u8] {
        self.unit(unit).and_then(Unit::literal).map_or(&[], |literal| literal.text.as_bytes())
    }

    pub(super) fn unit(&self, unit: u32) -> Option<&Unit> {
        self.units.get(unit as usize)
    }
}

impl Unit {
    fn new(
        index: RuleIndex,
        rule: &Rule,
        pattern: &Pattern,
        compiler: &mut thompson::Compiler,
    ) -> Result<Self, BuildError> {
        let kind = match pattern.literal() {
            // A literal has no groups, so the loader allows it capture 0 only.
            Some(literal) => Kind::Literal { literal: literal.clone(), case_sensitive: pattern.case_sensitive },
            None => {
                let regex = Regex::new(&pattern.hir(), pattern.length_max, compiler)?;
                Kind::Regex { regex: Box::new(regex), capture: rule.capture }
            }
        };
        Ok(Self {
            rule: index,
            pattern: if rule.condition.is_some() { pattern.number } else { 0 },
            target: pattern.target,
            block_end: rule.block_end,
            contexts: contexts(rule),
            kind,
            before_min: pattern.required.as_ref().map_or(0, |required| required.before_min),
            before_max: pattern.required.as_ref().and_then(|required| required.before_max),
            validators: rule.validators.clone().into(),
            lists_all: rule.lists_all(),
        })
    }

    pub(super) fn applies(&self, context: Context) -> bool {
        self.contexts & context_bit(context.direction, context.role) != 0
    }

    pub(super) fn is_wanted(&self, wanted: &Wanted) -> bool {
        let target = match self.target {
            Target::Canonical => wanted.canonical,
            Target::Raw => wanted.raw,
        };
        target && (self.block_end || !wanted.block_end_only) && self.applies(wanted.context)
    }

    /// The literal that it is.
    pub(super) fn literal(&self) -> Option<&Literal> {
        match &self.kind {
            Kind::Literal { literal, .. } => Some(literal),
            Kind::Regex { .. } => None,
        }
    }

    /// True for a regex whose matches may be of any length.
    pub(super) fn is_unbounded(&self) -> bool {
        matches!(&self.kind, Kind::Regex { regex, .. } if regex.length_max.is_none())
    }

    pub(super) fn accepts(&self, text: &str) -> bool {
        self.validators.iter().all(|validator| validator.accepts(text))
    }
}

/// The lanes of patterns that judge streams while they flow: raw, canonical, both.
fn lanes(patterns: Vec<(u32, &Pattern)>) -> Result<[Option<LaneProgram>; 3], BuildError> {
    let units: Vec<LaneUnit> =
        patterns.into_par_iter().map(|(number, pattern)| LaneUnit::new(number, pattern)).collect();
    let of = |target| units.iter().filter(move |unit| unit.target == target);
    let one = |target| LaneProgram::new(of(target));
    let differ = of(Target::Raw).next().is_some() && of(Target::Canonical).next().is_some();
    let both = || if differ { LaneProgram::new(units.iter()) } else { Ok(None) };
    let (both, (raw, canonical)) = rayon::join(both, || rayon::join(|| one(Target::Raw), || one(Target::Canonical)));
    Ok([raw?, canonical?, both?])
}

/// One bit per direction and role.
fn context_bit(direction: Direction, role: Role) -> u16 {
    let way = match direction {
        Direction::Reply => 0,
        Direction::Request => 7,
    };
    let role = match role {
        Role::Assistant => 0,
        Role::System => 1,
        Role::ToolArguments => 2,
        Role::ToolDefinition => 3,
        Role::ToolResult => 4,
        Role::Unknown => 5,
        Role::User => 6,
    };
    1 << (way + role)
}

fn contexts(rule: &Rule) -> u16 {
    let ways = [Direction::Reply, Direction::Request];
    let all = ways.into_iter().flat_map(|way| Roles::EVERY.map(|role| (way, role)));
    all.filter(|(way, role)| rule.applies(*way, *role)).fold(0, |bits, (way, role)| bits | context_bit(way, role))
}

/// [`Candidates`] in the making.
#[derive(Debug, Default)]
struct Listed {
    direct: Vec<u32>,
    gated_raw: u16,
    gated_canonical: u16,
}

impl Listed {
    fn add(&mut self, number: u32, unit: &Unit, is_gated: bool) {
        match (is_gated, unit.target) {
            (true, Target::Raw) => self.gated_raw |= unit.contexts,
            (true, Target::Canonical) => self.gated_canonical |= unit.contexts,
            (false, _) => self.direct.push(number),
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
        let bit = context_bit(wanted.context.direction, wanted.context.role);
        (wanted.raw && self.gated_raw & bit != 0) || (wanted.canonical && self.gated_canonical & bit != 0)
    }
}

impl Loose {
    fn new(patterns: &[(u32, Cow<'_, Hir>)], beyond_ascii: bool) -> Result<Option<Self>, BuildError> {
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
