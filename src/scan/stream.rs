//! Searching a stream: one channel's text, piece by piece, with the same result as if it had come whole.
//!
//! Text flows. Arguments of calls do not: whoever runs a call needs them whole, so they are kept and judged at their end.

use std::sync::Arc;

use super::finder::Scope;
use super::program::{Program, Wanted};
use super::readings::Readings;
use super::scratch::Scratch;
use super::{Context, Match, StreamMatch, whole};
use crate::rules::Target;
use crate::text::{Direction, Role, canonical};
use crate::verdict::Layer;

/// One channel's running text under the eyes of all rules that apply to replies of a role.
///
/// For literals and regexes of bounded length the matches are those of the whole text, under any chunking. Rules with
/// `stream: block_end` are judged in [`StreamScan::finish`] and hold nothing back.
#[derive(Debug)]
pub struct StreamScan {
    program: Arc<Program>,
    role: Role,
    /// Bytes of original text so far.
    length: usize,
    readings: Readings,
    /// False where the text is judged at its end alone.
    flows: bool,
    block: Option<Block>,
    finished: bool,
}

/// The text that is judged at its end.
#[derive(Debug, Default)]
struct Block {
    text: String,
    bytes_max: usize,
    overflow: bool,
}

impl StreamScan {
    pub(super) fn new(program: Arc<Program>, role: Role, block_bytes_max: usize) -> Self {
        let context = Context { direction: Direction::Reply, role };
        let flows = Scope::of(context) == Scope::Reply;
        let judges_blocks = !flows || program.judges_blocks(context);
        Self {
            role,
            length: 0,
            readings: if flows { Readings::new(&program, role) } else { Readings::none() },
            flows,
            block: judges_blocks.then(|| Block { bytes_max: block_bytes_max, ..Block::default() }),
            finished: false,
            program,
        }
    }

    /// Takes the next piece of the channel's text; appends the matches that are decided by now. After
    /// [`StreamScan::finish`] nothing is taken any more: the text is counted, never judged, and never safe.
    pub fn push(&mut self, chunk: &str, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        if self.finished {
            return;
        }
        scratch.fit(&self.program);
        self.readings.extend(chunk, self.length, &self.program);
        if let Some(block) = &mut self.block {
            block.extend(chunk);
        }
        self.length += chunk.len();
        self.advance(scratch, out);
    }

    /// Ends the text: decides everything that was open, and judges the block-end rules.
    pub fn finish(&mut self, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        if self.finished {
            return;
        }
        self.finished = true;
        scratch.fit(&self.program);
        self.advance(scratch, out);
        if let Some(block) = self.block.take() {
            self.judge_block(&block.text, scratch, out);
            self.block = Some(Block { text: String::new(), ..block });
        }
    }

    /// No byte of the original text before this offset can be part of a match that was not reported yet (block-end rules
    /// aside). A match that was reported may reach beyond it: whoever releases text must look at both.
    pub fn safe(&self) -> usize {
        if self.flows || self.finished { self.readings.next(self.length) } else { 0 }
    }

    /// Bytes of original text taken so far.
    pub fn len(&self) -> usize {
        self.length
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// True when the text outgrew the bound for block-end rules: they see only its first part.
    pub fn block_overflow(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.overflow)
    }

    fn advance(&mut self, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        self.readings.advance(&self.program, self.role, self.finished, scratch, |unit, span| {
            let layer = match unit.target {
                Target::Canonical => Layer::Canonical,
                Target::Raw => Layer::Raw,
            };
            out.push(StreamMatch { rule: unit.rule, pattern: unit.pattern, span, layer });
        });
    }

    fn judge_block(&self, text: &str, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        let wanted = |target| Wanted {
            raw: target == Target::Raw,
            canonical: target == Target::Canonical,
            context: Context { direction: Direction::Reply, role: self.role },
            block_end_only: self.flows,
        };
        let mut matches: Vec<Match> = Vec::new();
        whole::scan(&self.program, text, &wanted(Target::Raw), scratch, &mut matches);
        out.extend(matches.drain(..).map(|Match { rule, pattern, span }| StreamMatch {
            rule,
            pattern,
            span,
            layer: Layer::Raw,
        }));
        let folded = canonical(text);
        whole::scan(&self.program, &folded.text, &wanted(Target::Canonical), scratch, &mut matches);
        out.extend(matches.drain(..).map(|Match { rule, pattern, span }| StreamMatch {
            rule,
            pattern,
            span: folded.map.to_original(span),
            layer: Layer::Canonical,
        }));
    }
}

impl Block {
    fn extend(&mut self, chunk: &str) {
        let room = self.bytes_max.saturating_sub(self.text.len());
        let cut = (0..=room.min(chunk.len())).rev().find(|at| chunk.is_char_boundary(*at));
        let taken = cut.unwrap_or(0);
        self.overflow |= taken < chunk.len();
        if self.overflow {
            // Nothing after a gap is taken: the part that is judged is a true beginning of the text.
            self.bytes_max = self.text.len() + taken;
        }
        self.text.push_str(chunk.get(..taken).unwrap_or_default());
    }
}
