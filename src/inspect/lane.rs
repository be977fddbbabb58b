//! One channel of a streamed reply: what came in, what was found, and how much of it may leave.

use crate::base::{Cause, Fault, Span};
use crate::inspect::allowed::Allowed;
use crate::inspect::redact::{self, Mask};
use crate::inspect::vault::Restorer;
use crate::scan::{Scratch, StreamMatch, StreamScan};
use crate::text::{Channel, Role};

/// A channel's text under inspection.
#[derive(Debug)]
pub(super) struct Lane {
    pub channel: Channel,
    pub role: Role,
    /// All text so far, as the provider sent it.
    pub text: String,
    /// The stream scanner; `None` for a channel that is held until it is whole.
    scan: Option<StreamScan>,
    /// Bytes of `text` that have left.
    released: usize,
    /// Replacements that have not left yet: in order, apart.
    edits: Vec<Mask>,
    /// Spans that have left as their replacements: in order, apart.
    replaced: Vec<Span>,
    /// Puts texts back in the place of their tokens, as the text leaves.
    restorer: Option<Restorer>,
    /// What rules that allow vouch for.
    pub allowed: Allowed,
    /// Matches that a rule which allows may still cover.
    pub waiting: Vec<StreamMatch>,
    /// Released text that waits for its carrier frame.
    pub carry: String,
    /// True once the channel is judged to its end.
    pub ended: bool,
}

impl Lane {
    /// A channel that flows under `scan`, or is held whole when there is none.
    pub(super) fn new(channel: Channel, role: Role, scan: Option<StreamScan>) -> Self {
        Self {
            channel,
            role,
            text: String::new(),
            scan,
            released: 0,
            edits: Vec::new(),
            replaced: Vec::new(),
            restorer: None,
            allowed: Allowed::default(),
            waiting: Vec::new(),
            carry: String::new(),
            ended: false,
        }
    }

    /// The same lane, in which tokens are put back.
    pub(super) fn restoring(mut self, restorer: Option<Restorer>) -> Self {
        self.restorer = restorer;
        self
    }

    /// Bytes from the start that no match which is still open can include.
    pub(super) fn decided(&self) -> usize {
        match &self.scan {
            _ if self.ended => self.text.len(),
            Some(scan) => scan.safe().min(self.text.len()),
            None => 0,
        }
    }

    /// The matches that no other can cover any more.
    pub(super) fn take_decided(&mut self) -> Vec<StreamMatch> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let (decided, ended) = (self.decided(), self.ended);
        self.waiting.extract_if(.., |found| ended || found.span.start < decided).collect()
    }

    /// Takes the next piece in and appends the matches that are decided by now.
    pub(super) fn push(
        &mut self,
        piece: &str,
        hold_bytes: usize,
        scratch: &mut Scratch,
        matches: &mut Vec<StreamMatch>,
    ) -> Result<(), Fault> {
        self.text.push_str(piece);
        if let Some(scan) = &mut self.scan {
            scan.push(piece, scratch, matches);
        }
        let held = self.text.len() - self.released;
        if held > hold_bytes {
            let detail = format!("{} holds back {held} bytes; limits.hold_bytes is {hold_bytes}", self.channel);
            return Err(Fault { cause: Cause::Oversize, ..Fault::provider(detail) });
        }
        Ok(())
    }

    /// The channel is complete: everything that was open is decided.
    pub(super) fn finish(&mut self, scratch: &mut Scratch, matches: &mut Vec<StreamMatch>) {
        if let Some(scan) = &mut self.scan {
            scan.finish(scratch, matches);
        }
        self.ended = true;
    }

    /// Replaces a span of the text. False when some of it has left as it was, so that it cannot be replaced any more.
    pub(super) fn redact(&mut self, mut mask: Mask) -> bool {
        if mask.cover.start < self.released {
            if !self.was_replaced(Span::new(mask.cover.start, mask.cover.end.min(self.released))) {
                return false;
            }
            mask.cover = Span::new(self.released, mask.cover.end);
            if mask.cover.is_empty() {
                return true;
            }
        }
        let span = mask.cover;
        let first = self.edits.partition_point(|edit| edit.cover.end <= span.start);
        let count = self.edits[first..].iter().take_while(|edit| edit.cover.start < span.end).count();
        let joined = self.edits.drain(first..first + count).fold(mask, Mask::join);
        self.edits.insert(first, joined);
        true
    }

    /// True when every byte of a span has left as a replacement.
    fn was_replaced(&self, span: Span) -> bool {
        let first = self.replaced.partition_point(|replaced| replaced.end <= span.start);
        let mut at = span.start;
        for replaced in self.replaced.iter().skip(first) {
            if at >= span.end || replaced.start > at {
                break;
            }
            at = replaced.end;
        }
        at >= span.end
    }

    /// All that may leave now and has not, the text that waits for a carrier first.
    pub(super) fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.carry);
        rest.push_str(&self.release());
        rest
    }

    /// Text that may leave now: no live partial match can include it, and no replacement is cut in two.
    pub(super) fn release(&mut self) -> String {
        let safe = match &self.scan {
            _ if self.ended => self.text.len(),
            Some(scan) => scan.safe().min(self.text.len()),
            None => self.released,
        };
        let cut = self.edits.iter().find(|edit| edit.cover.start < safe && safe < edit.cover.end);
        let to = cut.map_or(safe, |edit| edit.cover.start).max(self.released);
        let done = self.edits.partition_point(|edit| edit.cover.end <= to && edit.cover.start < to);
        let edits: Vec<Mask> = self.edits.drain(..done).collect();
        let text = self.text.get(self.released..to).unwrap_or_default();
        let out = redact::apply(text, self.released, edits.iter().map(|edit| (edit.cover, edit.with.as_ref())));
        self.replaced.extend(edits.iter().map(|edit| edit.cover));
        self.released = to;
        match &mut self.restorer {
            Some(restorer) if self.ended => restorer.push(&out) + &restorer.finish(),
            Some(restorer) => restorer.push(&out),
            None => out,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rules::RuleSet;
    use crate::scan::Scanner;
    use crate::text::ChannelKind;

    fn held(text: &str) -> Lane {
        let channel = Channel { choice: Some(0), kind: ChannelKind::Text, path: Box::default() };
        let mut lane = Lane::new(channel, Role::Assistant, None);
        lane.text.push_str(text);
        lane
    }

    #[test]
    fn a_held_channel_leaves_only_when_it_ended() {
        let mut lane = held("abc");
        assert_eq!(lane.release(), "");
        lane.ended = true;
        assert_eq!(lane.release(), "abc");
        assert_eq!(lane.release(), "");
    }

    #[test]
    fn overlapping_replacements_join_and_late_ones_are_told() {
        let mut lane = held("0123456789");
        let mask = |start, end, with| Mask::new(Span::new(start, end), with);
        assert!(lane.redact(mask(4, 6, "B")) && lane.redact(mask(1, 2, "A")));
        assert!(lane.redact(mask(5, 8, "C")));
        lane.ended = true;
        assert_eq!(lane.release(), "0A23B89");
        assert!(!lane.redact(mask(9, 10, "X")));
        // What has left as its mask is replaced already, however its matches are put together.
        assert!(lane.redact(mask(4, 8, "X")) && lane.redact(mask(1, 2, "X")));
        assert!(!lane.redact(mask(1, 8, "X")) && !lane.redact(mask(0, 2, "X")));
    }

    #[test]
    fn what_may_be_held_is_bounded() {
        let mut lane = held("");
        let scanner = Scanner::new(Arc::new(RuleSet::default())).unwrap();
        let (mut scratch, mut matches) = (scanner.scratch(), Vec::new());
        assert!(lane.push("1234", 4, &mut scratch, &mut matches).is_ok());
        assert_eq!(lane.push("5", 4, &mut scratch, &mut matches).unwrap_err().cause, Cause::Oversize);
    }
}
