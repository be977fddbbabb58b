//! Searching a stream: one channel's text, piece by piece, with the same result as if it had come whole.

use std::sync::Arc;

use super::lane::{Lane, LaneProgram, Tools};
use super::offsets::Offsets;
use super::program::{Program, Wanted};
use super::scratch::Scratch;
use super::{Context, Match, StreamMatch, whole};
use crate::base::Span;
use crate::rules::Target;
use crate::text::{Direction, Role, canonical, fold_char};
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
    raw: Option<Lane>,
    canonical: Option<(Lane, Offsets)>,
    block: Option<Block>,
    finished: bool,
}

/// The text that block-end rules will judge.
#[derive(Debug, Default)]
struct Block {
    text: String,
    bytes_max: usize,
    overflow: bool,
}

impl StreamScan {
    pub(super) fn new(program: Arc<Program>, role: Role, block_bytes_max: usize) -> Self {
        let has = |lane: &Option<LaneProgram>| lane.as_ref().is_some_and(|lane| lane.has_unit_for(&program, role));
        let context = Context { direction: Direction::Reply, role };
        let judges_blocks = program.units.iter().any(|unit| unit.block_end && unit.applies(context));
        Self {
            role,
            length: 0,
            raw: has(&program.raw_lane).then(Lane::default),
            canonical: has(&program.canonical_lane).then(Default::default),
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
        if let Some(lane) = &mut self.raw {
            lane.extend(chunk);
        }
        if let Some((lane, offsets)) = &mut self.canonical {
            extend_canonical(chunk, self.length, lane, offsets, &mut scratch.folded);
        }
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
        let raw = self.raw.as_ref().map_or(self.length, Lane::next);
        let canonical = self.canonical.as_ref().map_or(self.length, |(lane, offsets)| {
            if lane.next() == lane.end() { self.length } else { offsets.start(lane.next()) }
        });
        raw.min(canonical)
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
        let program = &self.program;
        if let (Some(lane), Some(compiled)) = (&mut self.raw, &program.raw_lane) {
            let mut tools = Tools {
                program,
                lane: compiled,
                scratch: &mut scratch.raw_lane,
                block: &mut scratch.block,
                regexes: &mut scratch.regexes,
                role: self.role,
                ended: self.finished,
            };
            lane.advance(&mut tools, |unit, span| {
                out.push(StreamMatch { rule: unit.rule, pattern: unit.pattern, span, layer: Layer::Raw });
            });
        }
        if let (Some((lane, offsets)), Some(compiled)) = (&mut self.canonical, &program.canonical_lane) {
            let mut tools = Tools {
                program,
                lane: compiled,
                scratch: &mut scratch.canonical_lane,
                block: &mut scratch.block,
                regexes: &mut scratch.regexes,
                role: self.role,
                ended: self.finished,
            };
            lane.advance(&mut tools, |unit, span| {
                let span = Span::new(offsets.start(span.start), offsets.end(span.end));
                out.push(StreamMatch { rule: unit.rule, pattern: unit.pattern, span, layer: Layer::Canonical });
            });
            offsets.forget_before(lane.next());
        }
    }

    fn judge_block(&self, text: &str, scratch: &mut Scratch, out: &mut Vec<StreamMatch>) {
        let wanted = |target| Wanted {
            raw: target == Target::Raw,
            canonical: target == Target::Canonical,
            context: Context { direction: Direction::Reply, role: self.role },
            block_end_only: true,
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

/// Folds a chunk and notes where folding changed it. `original`: bytes of original text before the chunk.
fn extend_canonical(chunk: &str, original: usize, lane: &mut Lane, offsets: &mut Offsets, folded: &mut String) {
    let mut copied = 0;
    for (at, c) in chunk.char_indices() {
        if matches!(c, ' '..='~') {
            continue;
        }
        folded.clear();
        fold_char(c, folded);
        if folded.as_str() == c.encode_utf8(&mut [0; 4]) {
            continue;
        }
        lane.extend(chunk.get(copied..at).unwrap_or_default());
        offsets.fold(lane.end(), folded.len(), original + at, c.len_utf8());
        lane.extend(folded);
        copied = at + c.len_utf8();
    }
    lane.extend(chunk.get(copied..).unwrap_or_default());
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
