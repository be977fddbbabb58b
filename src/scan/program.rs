//! The compiled form of a rule set: one unit per pattern, and the automata that find candidates for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::meta;
use regex_automata::util::syntax;
use regex_syntax::hir::Hir;

use super::lane::LaneProgram;
use super::{BuildError, Context};
use crate::rules::set::{Literal, Pattern};
use crate::rules::{Roles, Rule, RuleIndex, RuleSet, Target, Validator};
use crate::text::{Direction, Role};

/// Everything that searching needs, immutable.
#[derive(Debug)]
pub(super) struct Program {
    /// Unique in this process.
    pub(super) id: u64,
    pub(super) units: Box<[Unit]>,
    pub(super) literals: Literals,
    pub(super) loose: Option<Loose>,
    pub(super) raw_lane: Option<LaneProgram>,
    pub(super) canonical_lane: Option<LaneProgram>,
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
    pub(super) validators: Box<[Validator]>,
    /// Every match is listed, however many there are: each of them must be taken out.
    pub(super) lists_all: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Literal {
        literal: Literal,
        case_sensitive: bool,
    },
    Regex {
        regex: Box<meta::Regex>,
        capture: usize,
        /// Bytes of the longest match.
        length_max: Option<usize>,
        /// Bytes between a match's start and its required literal, at least.
        before_min: usize,
        /// The same, at most; `None`: unbounded.
        before_max: Option<usize>,
    },
}

/// One automaton over the literals of all units.
#[derive(Debug)]
pub(super) struct Literals {
    pub(super) automaton: AhoCorasick,
    /// Units that each literal is a candidate for.
    pub(super) units: Box<[Box<[u32]>]>,
}

/// One automaton over all patterns without a literal: says which of them match somewhere.
#[derive(Debug)]
pub(super) struct Loose {
    pub(super) automaton: meta::Regex,
    pub(super) units: Box<[u32]>,
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

/// Up to this many bytes of literals the automaton is a DFA; above, its tables would outgrow the caches.
const DFA_LITERAL_BYTES: usize = 24 * 1024;
/// Memory for one regex's lazy DFA.
const REGEX_CACHE_BYTES: usize = 512 * 1024;
/// Memory for the shared lazy DFA of the patterns without a literal.
const LOOSE_CACHE_BYTES: usize = 8 * 1024 * 1024;

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Program {
    pub(super) fn new(rules: &RuleSet) -> Result<Self, BuildError> {
        let mut units = Vec::new();
        let mut literals: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        let mut loose: Vec<(u32, &Hir)> = Vec::new();
        let mut raw_lane = Vec::new();
        let mut canonical_lane = Vec::new();
        for (index, rule) in rules.iter() {
            for pattern in &rule.patterns {
                let unit = u32::try_from(units.len()).map_err(|_| BuildError::new(&"too many patterns"))?;
                units.push(Unit::new(index, rule, pattern)?);
                match &pattern.required {
                    Some(required) => {
                        for literal in &required.literals {
                            literals.entry(literal).or_default().push(unit);
                        }
                    }
                    None => loose.push((unit, &pattern.hir)),
                }
                if rule.on_reply && !rule.block_end {
                    let lane = match rule.target {
                        Target::Canonical => &mut canonical_lane,
                        Target::Raw => &mut raw_lane,
                    };
                    lane.push((unit, pattern));
                }
            }
        }
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            units: units.into(),
            literals: Literals::new(literals)?,
            loose: Loose::new(&loose)?,
            raw_lane: LaneProgram::new(&raw_lane)?,
            canonical_lane: LaneProgram::new(&canonical_lane)?,
        })
    }

    pub(super) fn unit(&self, unit: u32) -> Option<&Unit> {
        self.units.get(unit as usize)
    }
}

impl Unit {
    fn new(index: RuleIndex, rule: &Rule, pattern: &Pattern) -> Result<Self, BuildError> {
        let kind = match &pattern.literal {
            // A literal has no groups, so the loader allows it capture 0 only.
            Some(literal) => Kind::Literal { literal: literal.clone(), case_sensitive: rule.case_sensitive },
            None => Kind::Regex {
                regex: Box::new(regex(&[&pattern.hir], false, REGEX_CACHE_BYTES)?),
                capture: rule.capture,
                length_max: pattern.length_max,
                before_min: pattern.required.as_ref().map_or(0, |required| required.before_min),
                before_max: pattern.required.as_ref().and_then(|required| required.before_max),
            },
        };
        Ok(Self {
            rule: index,
            pattern: 0,
            target: rule.target,
            block_end: rule.block_end,
            contexts: contexts(rule),
            kind,
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

    pub(super) fn accepts(&self, text: &str) -> bool {
        self.validators.iter().all(|validator| validator.accepts(text))
    }
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

impl Literals {
    fn new(literals: BTreeMap<&[u8], Vec<u32>>) -> Result<Self, BuildError> {
        let bytes: usize = literals.keys().map(|literal| literal.len()).sum();
        let kind = if bytes <= DFA_LITERAL_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(kind))
            .build(literals.keys())
            .map_err(|error| BuildError::new(&error))?;
        // The keys' order is the order of the automaton's pattern numbers.
        Ok(Self { automaton, units: literals.into_values().map(Vec::into_boxed_slice).collect() })
    }
}

impl Loose {
    fn new(patterns: &[(u32, &Hir)]) -> Result<Option<Self>, BuildError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let hirs: Vec<&Hir> = patterns.iter().map(|(_, hir)| *hir).collect();
        let automaton = regex(&hirs, true, LOOSE_CACHE_BYTES)?;
        Ok(Some(Self { automaton, units: patterns.iter().map(|(unit, _)| *unit).collect() }))
    }
}

/// `all`: searched for every pattern that matches anywhere, rather than for the leftmost match.
fn regex(hirs: &[&Hir], all: bool, cache_bytes: usize) -> Result<meta::Regex, BuildError> {
    let kind = if all { regex_automata::MatchKind::All } else { regex_automata::MatchKind::LeftmostFirst };
    let config = meta::Config::new()
        .match_kind(kind)
        .nfa_size_limit(None)
        .hybrid_cache_capacity(cache_bytes)
        // Look-around is ASCII; the pattern's own syntax was applied when the rule was checked.
        .utf8_empty(true);
    meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_many_from_hir(hirs)
        .map_err(|error| BuildError::new(&error))
}
