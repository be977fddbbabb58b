//! The compiled form of a rule set: one unit per pattern, and what finds candidates for them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use regex_automata::nfa::thompson;

use super::finder::{Finder, FinderCaches, Scope, Searched};
use super::lane::{LaneProgram, LaneUnit};
use super::regex::Regex;
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
    /// One for each [`Scope`], in their order.
    finders: [Finder; Scope::ALL.len()],
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
    pub(super) contexts: u16,
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
        let numbered = || (0u32..).zip(&units).zip(&patterns);
        let searched: Vec<Searched<'_>> =
            numbered().map(|((number, unit), (_, _, pattern))| Searched::new(number, unit, pattern)).collect();
        let flows = |unit: &Unit| unit.is_of(Scope::Reply) && !unit.block_end;
        let streamed =
            numbered().filter(|((_, unit), _)| flows(unit)).map(|((number, _), (.., pattern))| (number, *pattern));
        let streamed = streamed.collect();
        let finder = |scope| Finder::new(scope, &searched, &units);
        let [request, reply, call] = Scope::ALL;
        let finders = || {
            let (request, (reply, call)) =
                rayon::join(|| finder(request), || rayon::join(|| finder(reply), || finder(call)));
            Ok::<_, BuildError>([request?, reply?, call?])
        };
        let (finders, lanes) = rayon::join(finders, || lanes(streamed));
        let [raw_lane, canonical_lane, both_lane] = lanes?;
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            finders: finders?,
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
        size_of_val(self.units.as_ref())
            + units.sum::<usize>()
            + self.finders.iter().map(Finder::memory).sum::<usize>()
            + lanes.sum::<usize>()
    }

    /// What finds the units that may match texts of a context, with its caches.
    pub(super) fn finder<'a>(
        &'a self,
        context: Context,
        caches: &'a mut [FinderCaches; Scope::ALL.len()],
    ) -> (&'a Finder, &'a mut FinderCaches) {
        let ([request, reply, call], [of_request, of_reply, of_call]) = (&self.finders, caches);
        match Scope::of(context) {
            Scope::Request => (request, of_request),
            Scope::Reply => (reply, of_reply),
            Scope::Call => (call, of_call),
        }
    }

    /// Units without a literal, in order.
    pub(super) fn without_literal(&self) -> BTreeSet<u32> {
        self.finders.iter().flat_map(|finder| &finder.loose).flat_map(|loose| loose.units.iter().copied()).collect()
    }

    /// Whether some unit judges such text at the block's end.
    pub(super) fn judges_blocks(&self, context: Context) -> bool {
        self.block_end & context.bit() != 0
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
        self.contexts & context.bit() != 0
    }

    pub(super) fn is_of(&self, scope: Scope) -> bool {
        self.contexts & scope.contexts() != 0
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

impl Context {
    /// Every one.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let ways = [Direction::Reply, Direction::Request];
        ways.into_iter().flat_map(|direction| Roles::EVERY.map(|role| Self { direction, role }))
    }

    /// One bit for each.
    pub(super) fn bit(self) -> u16 {
        let way = match self.direction {
            Direction::Reply => 0,
            Direction::Request => 7,
        };
        let role = match self.role {
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
}

fn contexts(rule: &Rule) -> u16 {
    let those = Context::all().filter(|context| rule.applies(context.direction, context.role));
    those.fold(0, |bits, context| bits | context.bit())
}
