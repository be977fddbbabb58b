//! The readings of a stream, raw and canonical: one lane searches both for as long as they are the same text.
//!
//! Where folding changes a character they part: the canonical lane takes over what is undecided, and each is searched for its
//! own rules. When the last change lies behind all that is undecided, they are one again.

use super::lane::{LOOK_BEHIND, Lane, LaneProgram, Tools};
use super::offsets::Offsets;
use super::program::{Program, Unit};
use super::scratch::Scratch;
use crate::base::Span;
use crate::rules::Target;
use crate::text::{Folded, Role, folded};

/// What is undecided of each reading.
#[derive(Debug)]
pub(super) enum Readings {
    /// They are the same: places in the lane are places in the original.
    Same(Lane),
    /// They differ, or no rule looks at one of them.
    Apart {
        /// Its places are those of the original.
        raw: Option<Lane>,
        canonical: Option<(Lane, Offsets)>,
    },
}

impl Readings {
    pub(super) fn new(program: &Program, role: Role) -> Self {
        let has = |lane: &Option<LaneProgram>| lane.as_ref().is_some_and(|lane| lane.has_unit_for(program, role));
        let (raw, canonical) = (has(&program.raw_lane), has(&program.canonical_lane));
        if raw && canonical && program.both_lane.is_some() {
            return Self::Same(Lane::default());
        }
        Self::Apart { raw: raw.then(Lane::default), canonical: canonical.then(Default::default) }
    }

    /// Of text that is not searched while it flows.
    pub(super) fn none() -> Self {
        Self::Apart { raw: None, canonical: None }
    }

    /// Adds text. `length`: bytes of original text before it.
    pub(super) fn extend(&mut self, chunk: &str, length: usize, program: &Program) {
        if let Self::Same(lane) = self {
            if !folds(chunk) {
                return lane.extend(chunk);
            }
            self.part(program);
        }
        if let Self::Apart { raw, canonical } = self {
            if let Some(lane) = raw {
                lane.extend(chunk);
            }
            if let Some((lane, offsets)) = canonical {
                extend_canonical(chunk, length, lane, offsets);
            }
        }
    }

    /// Decides what can be. `found` gets the unit and the finding's span in the original.
    pub(super) fn advance(
        &mut self,
        program: &Program,
        role: Role,
        ended: bool,
        scratch: &mut Scratch,
        mut found: impl FnMut(&Unit, Span),
    ) {
        let Scratch { block, regexes, raw_lane, canonical_lane, both_lane, .. } = scratch;
        match self {
            Self::Same(lane) => {
                let Some(compiled) = &program.both_lane else { return };
                let mut tools = Tools { program, lane: compiled, scratch: both_lane, block, regexes, role, ended };
                lane.advance(&mut tools, found);
            }
            Self::Apart { raw, canonical } => {
                if let (Some(lane), Some(compiled)) = (raw, &program.raw_lane) {
                    let mut tools = Tools { program, lane: compiled, scratch: raw_lane, block, regexes, role, ended };
                    lane.advance(&mut tools, &mut found);
                }
                if let (Some((lane, offsets)), Some(compiled)) = (canonical, &program.canonical_lane) {
                    let mut tools =
                        Tools { program, lane: compiled, scratch: canonical_lane, block, regexes, role, ended };
                    lane.advance(&mut tools, |unit, span| {
                        found(unit, Span::new(offsets.start(span.start), offsets.end(span.end)));
                    });
                    offsets.forget_before(lane.next());
                }
                if program.both_lane.is_some() {
                    self.join();
                }
            }
        }
    }

    /// First byte of the original that is not decided. `length`: bytes of the original so far.
    pub(super) fn next(&self, length: usize) -> usize {
        match self {
            Self::Same(lane) => lane.next(),
            Self::Apart { raw, canonical } => {
                let raw = raw.as_ref().map_or(length, Lane::next);
                let canonical = canonical.as_ref().map_or(length, |(lane, offsets)| {
                    if lane.next() == lane.end() { length } else { offsets.start(lane.next()) }
                });
                raw.min(canonical)
            }
        }
    }

    /// From here on each reading is searched by itself.
    fn part(&mut self, program: &Program) {
        let Self::Same(lane) = self else { return };
        let is_of = |target| move |unit| program.unit(unit).is_some_and(|unit| unit.target == target);
        let canonical = lane.only(is_of(Target::Canonical));
        let raw = lane.only(is_of(Target::Raw));
        *self = Self::Apart { raw: Some(raw), canonical: Some((canonical, Offsets::default())) };
    }

    /// Makes the readings one again where they are the same from a little before all that is undecided.
    fn join(&mut self) {
        let Self::Apart { raw: Some(raw), canonical: Some((canonical, offsets)) } = self else { return };
        let (folded, original) = offsets.last();
        let next = canonical.next().checked_sub(folded).map(|more| original + more);
        if next.is_none_or(|next| next.min(raw.next()) < original + LOOK_BEHIND) {
            return;
        }
        let mut canonical = std::mem::take(canonical);
        canonical.move_to(folded, original);
        let raw = std::mem::take(raw);
        // The one that has decided less goes on: what the other one has found already, it finds no second time.
        *self = Self::Same(if raw.next() <= canonical.next() { raw.with(canonical) } else { canonical.with(raw) });
    }
}

/// Whether folding would change a text.
fn folds(text: &str) -> bool {
    !is_plain(text) && text.chars().any(|c| folded(c) != Folded::Same)
}

/// True for printable ASCII and line feeds, which is most text, and which many bytes at once can be asked for.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (byte.wrapping_sub(b' ') < 0x5F || byte == b'\n'))
}

/// Folds a chunk and notes where folding changed it. `original`: bytes of original text before the chunk.
fn extend_canonical(chunk: &str, original: usize, lane: &mut Lane, offsets: &mut Offsets) {
    if is_plain(chunk) {
        return lane.extend(chunk);
    }
    let mut copied = 0;
    for (at, c) in chunk.char_indices() {
        let mut ascii = [0; 4];
        let becomes = match folded(c) {
            Folded::Same => continue,
            Folded::Ascii(byte) => &*char::from(byte).encode_utf8(&mut ascii),
            Folded::Text(text) => text,
        };
        lane.extend(chunk.get(copied..at).unwrap_or_default());
        offsets.fold(lane.end(), becomes.len(), original + at, c.len_utf8());
        lane.extend(becomes);
        copied = at + c.len_utf8();
    }
    lane.extend(chunk.get(copied..).unwrap_or_default());
}
