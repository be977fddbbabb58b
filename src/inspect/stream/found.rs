//! What is found in the lanes of a stream, and what is done about it.

use std::sync::Arc;

use super::{Ended, ReplyStream, is_call, too_deep};
use crate::base::{Fault, Span};
use crate::inspect::lane::Lane;
use crate::inspect::reading::{Given, Hit, Ruled, finding};
use crate::inspect::redact;
use crate::inspect::settle::Pending;
use crate::inspect::subject::Frame;
use crate::inspect::whole::unstrippable;
use crate::rules::Scores;
use crate::scan::StreamMatch;
use crate::text::{Channel, ChannelKind, Direction, Passage, PathSegment};
use crate::verdict::{Action, Finding, Layer};

impl<F: Frame> ReplyStream<F> {
    /// Judges a lane to its end: open matches, then the whole text with its encodings undone.
    pub(super) fn finish_lane(&mut self, index: usize) -> Result<Option<Ended>, Fault> {
        let mut matches = Vec::new();
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(None) };
        lane.finish(&mut self.snapshot.scanner.scratch(), &mut matches);
        self.take(index, matches);
        let Some(lane) = self.lanes.get(index) else { return Ok(None) };
        let mut passage = Passage::new(lane.role, lane.channel.to_string(), lane.text.clone());
        passage.tool = self.tool_of(lane);
        let given = Given { direction: Direction::Reply, facts: &self.facts };
        let read = self.snapshot.read(index, &passage, given, &mut self.snapshot.scanner.scratch());
        for mask in read.masks {
            let in_time = self.lanes.get_mut(index).is_some_and(|lane| lane.redact(mask));
            self.tally.replaced(in_time);
        }
        for finding in read.findings.into_iter().map(unstrippable) {
            if !self.tally.knows(&finding) {
                self.tally.record(finding);
            }
        }
        if !read.complete {
            self.tally.fault(too_deep())?;
        }
        Ok(Some((passage, read.decoded, read.pending)))
    }

    /// Decides what a lane's text has left open.
    pub(super) fn settle(&mut self, pending: Pending, scores: &Scores) {
        if !self.snapshot.holds(&pending, scores) {
            return;
        }
        for (index, mask) in pending.masks {
            let in_time = self.lanes.get_mut(index).is_some_and(|lane| lane.redact(mask));
            self.tally.replaced(in_time);
        }
        for finding in pending.findings {
            if !self.tally.knows(&finding) {
                self.tally.record(finding);
            }
        }
    }

    pub(super) fn take(&mut self, index: usize, matches: Vec<StreamMatch>) {
        for found in matches {
            // What a condition comes to is known when the text is whole, and told by reading it.
            let rule = self.snapshot.scanner.rules().rule(found.rule);
            if rule.is_some_and(|rule| rule.condition.is_some()) {
                continue;
            }
            let Some(ruled) = self.ruled(index, &found) else { continue };
            let Some(lane) = self.lanes.get_mut(index) else { return };
            let Some(rule) = self.snapshot.scanner.rules().rule(found.rule) else { continue };
            if ruled.action == Some(Action::Allow) && found.layer == Layer::Raw {
                lane.allowed.add(&rule.id, found.span);
            }
            if ruled.standing.acts() && !rule.allowed_by().is_empty() {
                // A longer match that allows this one may end later. What is not decided is not released either.
                lane.waiting.push(found);
            } else {
                self.act(index, ruled);
            }
        }
        let Some(lane) = self.lanes.get_mut(index) else { return };
        for found in lane.take_decided() {
            if let Some(ruled) = self.ruled(index, &found) {
                self.act(index, ruled);
            }
        }
        if let Some(lane) = self.lanes.get_mut(index) {
            let decided = lane.decided();
            lane.allowed.forget_before(decided);
        }
    }

    /// A match in a lane as a finding, or nothing where its rule does not apply; by what is known of the lane now.
    fn ruled(&self, index: usize, found: &StreamMatch) -> Option<Finding> {
        let lane = self.lanes.get(index)?;
        let given = Given { direction: Direction::Reply, facts: &self.facts };
        // Only the matched bytes are needed, so the passage is not built from the whole text.
        let mut passage = Passage::new(lane.role, lane.channel.to_string(), "");
        passage.text = lane.text.get(found.span.range()).unwrap_or_default().to_owned().into();
        let hit = Hit::streamed(found.rule, found.span);
        let ruling = self.snapshot.ruling(found.rule, &[&passage], given)?;
        let standing = ruling.standing(hit, &passage.text, &lane.allowed);
        let within = Ruled { hit: Hit::streamed(found.rule, Span::new(0, found.span.len())), standing };
        let finding = finding(index, &passage, Direction::Reply, &ruling, &within, found.layer.clone());
        Some(Finding { span: found.span, ..finding })
    }

    /// The tool whose arguments a lane carries: the name in the same call, which is whole when the lane is judged.
    fn tool_of(&self, lane: &Lane) -> Option<Arc<str>> {
        if !is_call(&lane.channel) {
            return None;
        }
        let call = |channel: &Channel| -> Vec<PathSegment> {
            let is_list = matches!(channel.path.get(1), Some(PathSegment::Index(_)));
            channel.path.iter().take(1 + usize::from(is_list)).cloned().collect()
        };
        let mine = call(&lane.channel);
        let names = self.lanes.iter().filter(|other| {
            other.channel.kind == ChannelKind::ToolCall
                && other.channel.choice == lane.channel.choice
                && matches!(other.channel.path.last(), Some(PathSegment::Key(key)) if **key == *"name")
                && call(&other.channel) == mine
        });
        // Two names in one call name nothing.
        let names: Vec<&Lane> = names.collect();
        let [name] = names.as_slice() else { return None };
        (name.text.len() <= Passage::TOOL_BYTES).then(|| name.text.as_str().into())
    }

    /// Acts on a finding in a lane: replaces the text if it still can be replaced, else the stream must end.
    fn act(&mut self, index: usize, finding: Finding) {
        // Some of its frames may have left.
        let finding = unstrippable(finding);
        if let Some(mask) = redact::of(&finding) {
            let in_time = self.lanes.get_mut(index).is_some_and(|lane| lane.redact(mask));
            self.tally.replaced(in_time);
        }
        self.tally.record(finding);
    }
}
