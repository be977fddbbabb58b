//! The hot path: one literal pass over all rules, then regex confirmation; whole texts and streams.
//!
//! ```text
//! RuleSet ─► program (a unit per pattern; per scope a finder: the sieve of literals, the gate, one automaton for the rest; the lanes)
//! text    ─► whole:  sieve (literals) ─► gate (which patterns go on) ─► windows ─► confirm (regex) ─► matches
//! chunk   ─► stream: a lane (one per reading where they differ): its sieve, gates, and the text's end read backwards ─► fate ─► confirm ─► matches, and a safe offset
//! ```
//!
//! [`Scanner`] is immutable and shared; all search state is in a [`Scratch`], used again from text to text, so that clean
//! text allocates nothing.

mod confirm;
mod crowd;
pub mod examples;
mod finder;
mod gate;
mod lane;
pub mod lint;
mod offsets;
mod plain;
mod program;
mod readings;
mod regex;
mod scratch;
mod sieve;
mod sketch;
pub mod stream;
#[cfg(test)]
mod tests;
mod whole;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use regex_automata::util::pool::{Pool, PoolGuard};

pub use self::plain::NearMiss;
use self::program::{Program, Wanted};
pub use self::scratch::{Cost, Scratch, Sightings};
pub use self::stream::StreamScan;
use crate::base::Span;
use crate::rules::{RuleIndex, RuleSet};
use crate::text::{Direction, Role};
use crate::verdict::Layer;

/// The compiled rule set: immutable, cheap to clone, shared by all threads.
#[derive(Clone)]
pub struct Scanner {
    rules: Arc<RuleSet>,
    program: Arc<Program>,
    pool: Arc<ScratchPool>,
}

type NewScratch = Box<dyn Fn() -> Scratch + Send + Sync + UnwindSafe + RefUnwindSafe>;
type ScratchPool = Pool<Scratch, NewScratch>;

/// A scratch on loan from its scanner; goes back when dropped. Give it to [`Scanner::scan`] and [`StreamScan::push`] as
/// `&mut scratch`.
pub type PooledScratch<'a> = PoolGuard<'a, Scratch, NewScratch>;

/// A rule set that the engines cannot take: too large in sum.
#[derive(Debug, thiserror::Error)]
#[error("the rules cannot be compiled: {0}")]
pub struct BuildError(String);

impl BuildError {
    fn new(reason: &dyn fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Who speaks, and which way the text travels: rules apply by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Context {
    /// Which way.
    pub direction: Direction,
    /// Whose text.
    pub role: Role,
}

/// Which reading of a passage a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Canonical and raw text are the same: one pass serves both.
    Both,
    /// The canonical text.
    Canonical,
    /// The text as it was sent.
    Raw,
}

/// A match in a whole text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Match {
    /// The rule that matched.
    pub rule: RuleIndex,
    /// Which of its patterns, where the rule tells them apart; else 0.
    pub pattern: u16,
    /// Bytes of the text that was given.
    pub span: Span,
}

/// A match in a stream.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct StreamMatch {
    /// The rule that matched.
    pub rule: RuleIndex,
    /// Which of its patterns, where the rule tells them apart; else 0.
    pub pattern: u16,
    /// Bytes of the channel's original text, counted from its first byte.
    pub span: Span,
    /// Raw or canonical.
    pub layer: Layer,
}

impl Scanner {
    /// Compiles a rule set.
    ///
    /// # Errors
    /// When the rules are too many or too large for the automata.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self, BuildError> {
        let program = Arc::new(Program::new(&rules)?);
        let (id, units) = (program.id, program.units.len());
        let new: NewScratch = Box::new(move || Scratch::new(id, units));
        Ok(Self { rules, program, pool: Arc::new(Pool::new(new)) })
    }

    /// The rules it was built from.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Search state for one thread at a time, from a pool.
    pub fn scratch(&self) -> PooledScratch<'_> {
        self.pool.get()
    }

    /// Appends the matches of all rules that apply, in order of place, each rule's matches not overlapping per pattern.
    ///
    /// A rule that redacts lists every match; any other stops after the first [`crate::base::limits::rules::MATCHES`] of
    /// each of its patterns.
    pub fn scan(&self, text: &str, reading: Reading, context: Context, scratch: &mut Scratch, out: &mut Vec<Match>) {
        whole::scan(&self.program, text, &Wanted::new(reading, context), scratch, out);
    }

    /// As [`Scanner::scan`], without the literal pass: every pattern is searched for from end to end. `only`: one rule's
    /// matches. Slow; the results are the same.
    pub fn scan_plainly(
        &self,
        text: &str,
        reading: Reading,
        context: Context,
        only: Option<RuleIndex>,
        scratch: &mut Scratch,
        out: &mut Vec<Match>,
    ) {
        plain::scan(&self.program, text, &Wanted::new(reading, context), only, scratch, out);
    }

    /// Appends matches that a validator turned away. Slow, as [`Scanner::scan_plainly`] is.
    pub fn near_misses(
        &self,
        text: &str,
        reading: Reading,
        context: Context,
        scratch: &mut Scratch,
        out: &mut Vec<NearMiss>,
    ) {
        plain::near_misses(&self.program, text, &Wanted::new(reading, context), scratch, out);
    }

    /// What each pattern has cost in a scratch that was told to [`Scratch::profile`]: its rule, its number in the rule.
    pub fn costs<'s>(&'s self, scratch: &'s Scratch) -> impl Iterator<Item = (RuleIndex, usize, Cost)> + 's {
        let mut last = (None, 0);
        let units = self.program.units.iter().zip(scratch.costs.as_deref().unwrap_or_default());
        units.map(move |(unit, cost)| {
            last = if last.0 == Some(unit.rule) { (last.0, last.1 + 1) } else { (Some(unit.rule), 0) };
            (unit.rule, last.1, *cost)
        })
    }

    /// Bytes of memory that the compiled rules take, caches of searches left out.
    pub fn memory(&self) -> usize {
        self.program.memory()
    }

    /// Rules with a pattern that has no literal, so that a text is searched for it from end to end.
    pub fn without_literal(&self) -> impl Iterator<Item = RuleIndex> + '_ {
        let units = self.program.without_literal().into_iter();
        units.filter_map(|unit| self.program.unit(unit)).map(|unit| unit.rule)
    }

    /// Starts to scan one channel of a streamed reply. `block_bytes_max`: how much text is kept for rules that judge at
    /// the block's end.
    pub fn stream(&self, role: Role, block_bytes_max: usize) -> StreamScan {
        StreamScan::new(Arc::clone(&self.program), role, block_bytes_max)
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner")
            .field("rules", &self.rules.len())
            .field("version", &self.rules.version_short())
            .finish()
    }
}
