//! Inspects a streamed reply while it flows: hold and release.
//!
//! Every channel (choice × text, reasoning, refusal, tool call …) has a lane of its own whose scanner carries its state
//! across frames. A frame leaves with the text that was released, not with the text that came in: no byte of a match leaves
//! before its verdict. Tool arguments are held until the call is whole.

mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Cause, Fault, Span};
use crate::inspect::ask::{self, Answer, Question, unanswered};
use crate::inspect::cleared::Cleared;
use crate::inspect::lane::Lane;
use crate::inspect::reading::Given;
use crate::inspect::redact;
use crate::inspect::settle::Pending;
use crate::inspect::snapshot::{BlockEnd, Snapshot};
use crate::inspect::subject::{Edit, Frame, Opaque};
use crate::inspect::tally::Tally;
use crate::inspect::vault::{Kind, Restorer, Vault};
use crate::inspect::whole::{FaultTaken, unstrippable};
use crate::rules::{Facts, Scores};
use crate::text::{Channel, ChannelKind, Direction, Layer as DecodedLayer, Passage, PathSegment};
use crate::verdict::{Action, Verdict};

/// What to do after a frame.
#[derive(Debug)]
pub enum Step<F> {
    /// The classifier must see these texts before anything more can be said: give its answer to [`ReplyStream::answer`].
    Ask(Vec<String>),
    /// Send these frames and go on. There may be none: everything is held.
    Continue(Vec<Cleared<F>>),
    /// The verdict is block: send these frames, which end the stream well-formed, and nothing more.
    Cut(Vec<Cleared<F>>),
}

/// A streamed reply under inspection.
#[derive(Debug)]
pub struct ReplyStream<F> {
    snapshot: Arc<Snapshot>,
    facts: Arc<Facts>,
    /// What is put back.
    vault: Arc<Vault>,
    lanes: Vec<Lane>,
    /// Whole strings outside the channels (ids, model name …), by place: what was cleared last.
    stable: BTreeMap<Box<str>, (usize, String)>,
    tally: Tally,
    open: BTreeSet<u64>,
    ended: BTreeSet<u64>,
    /// Choices that end with the frame under judgement: their end has not left yet.
    ending: Vec<u64>,
    template: Option<F>,
    bytes: usize,
    last_seen: bool,
    /// Lanes that wait for the classifier.
    closing: Option<Closing<F>>,
    /// Frames of tool calls that are not whole yet.
    kept: Vec<Ready<F>>,
}

/// Lanes that are judged by the rules to their end, and wait for the classifier.
#[derive(Debug)]
struct Closing<F> {
    lanes: Vec<usize>,
    passages: Vec<Passage<'static>>,
    questions: Vec<Question>,
    /// What rules find if the classifier agrees, each with the number of its passage.
    pending: Vec<(usize, Pending)>,
    /// The frame that ended them.
    frame: Option<Ready<F>>,
}

/// A frame that was inspected, but for what its calls of tools say: that is put in when they are whole.
#[derive(Debug)]
struct Ready<F> {
    frame: F,
    edits: Vec<Edit>,
    /// Passages that begin a text of a tool call, each with its lane: the whole text is sent there.
    opens: Vec<(usize, usize)>,
}

/// A lane's text as a passage, what it decodes to, and what rules find in it if the classifier agrees.
type Ended = (Passage<'static>, Vec<DecodedLayer>, Vec<Pending>);

impl<F: Frame> ReplyStream<F> {
    /// A stream that has not begun, of the exchange that these facts are about.
    pub fn new(snapshot: Arc<Snapshot>, facts: Arc<Facts>) -> Self {
        Self {
            facts,
            vault: Arc::default(),
            tally: Tally::new(Arc::clone(&snapshot)),
            snapshot,
            lanes: Vec::new(),
            stable: BTreeMap::new(),
            open: BTreeSet::new(),
            ended: BTreeSet::new(),
            ending: Vec::new(),
            template: None,
            bytes: 0,
            last_seen: false,
            closing: None,
            kept: Vec::new(),
        }
    }

    /// The same stream, in which tokens of its request are put back.
    #[must_use]
    pub fn restoring(mut self, vault: &Arc<Vault>) -> Self {
        self.vault = Arc::clone(vault);
        self
    }

    /// Takes the provider's next frame.
    ///
    /// # Errors
    /// When the provider breaks the dialect (text after a choice's end) or a limit is exceeded; the stream cannot go on.
    pub fn frame(&mut self, frame: F) -> Result<Step<F>, Fault> {
        let ends: Vec<u64> = frame.ends().to_vec();
        let last = frame.is_last();
        let (mut edits, mut opens, mut aside) = (Vec::new(), Vec::new(), Vec::new());
        let mut speaks = false;
        let calls =
            ends.is_empty() && !last && frame.passages().iter().any(|p| p.channel.as_ref().is_some_and(is_call));
        self.tally.opaque(frame.opaque())?;
        for (index, passage) in frame.passages().iter().enumerate() {
            self.count(passage.text.len())?;
            let Some(channel) = &passage.channel else {
                edits.extend(self.whole(index, passage)?);
                continue;
            };
            let known = self.lanes.len();
            let lane = self.lane(channel, passage)?;
            let closing = last || channel.choice.is_some_and(|choice| ends.contains(&choice));
            let mut released = self.push(lane, &passage.text)?;
            if lane == known && is_call(channel) && (calls || closing) {
                opens.push((index, lane));
                continue;
            }
            if closing || calls {
                // The rest of the channel goes out in a frame of its own, before the one that ends the choice, or that is kept.
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.carry.push_str(&std::mem::take(&mut released));
                }
                aside.push(lane);
            }
            speaks |= !released.is_empty();
            if released != passage.text {
                edits.push(Edit { passage: index, span: Span::new(0, passage.text.len()), with: released });
            }
        }
        if self.template.is_none() && !last {
            self.template = Some(frame.clone());
        }
        if calls {
            // No call is whole yet: its frames wait for it. Other text does not.
            if !opens.is_empty() || !frame.is_only_channels() {
                self.keep(Ready { frame, edits, opens });
            }
            if self.tally.blocks() {
                return Ok(Step::Cut(self.cut()));
            }
            return Ok(Step::Continue(self.carried(&aside)));
        }
        let closing = |lane: &Lane| last || lane.channel.choice.is_some_and(|choice| ends.contains(&choice));
        let closing = self.lanes_where(closing);
        for choice in &ends {
            self.open.remove(choice);
            self.ended.insert(*choice);
        }
        self.ending = ends;
        self.last_seen |= last;
        let sent = speaks || last || !opens.is_empty() || !frame.is_only_channels();
        self.close(closing, sent.then_some(Ready { frame, edits, opens }))
    }

    /// Keeps a frame of a call that is not whole. Those that open a text are bounded by the number of channels; of the others
    /// (a provider may count tokens in every frame) the last one stays once there are as many.
    fn keep(&mut self, ready: Ready<F>) {
        if ready.opens.is_empty()
            && self.kept.len() >= self.snapshot.limits.channels
            && let Some(last) = self.kept.last_mut().filter(|last| last.opens.is_empty())
        {
            *last = ready;
            return;
        }
        self.kept.push(ready);
    }

    /// The provider's stream is over without its last frame: judges and releases what is held.
    ///
    /// # Errors
    /// A fault that policy answers with a block.
    pub fn finish(&mut self) -> Result<Step<F>, Fault> {
        let closing = self.lanes_where(|_| true);
        self.close(closing, None)
    }

    /// The classifier's answer to [`Step::Ask`].
    ///
    /// # Errors
    /// A fault of the classifier that policy answers with a block.
    pub fn answer(&mut self, answer: Answer) -> Result<Step<F>, Fault> {
        let Some(Closing { lanes, passages, questions, pending, frame }) = self.closing.take() else {
            return Ok(Step::Continue(Vec::new()));
        };
        let scores = match &answer {
            Answer::Scores(judgements) => ask::scores(&questions, judgements),
            Answer::Fault(_) | Answer::NotAsked => BTreeMap::new(),
        };
        for (number, pending) in pending {
            self.settle(pending, &scores.get(&number).copied().unwrap_or_default());
        }
        match answer {
            Answer::NotAsked => self.tally.fault(unanswered())?,
            Answer::Fault(fault) => self.tally.fault(fault)?,
            Answer::Scores(judgements) if judgements.len() != questions.len() => self.tally.fault(unanswered())?,
            Answer::Scores(judgements) => {
                let snapshot = Arc::clone(&self.snapshot);
                for (question, judgement) in questions.iter().zip(&judgements) {
                    let found = snapshot.model_finding(question, judgement, &passages, Direction::Reply);
                    if let Some(mut finding) = found {
                        finding.passage = lanes.get(finding.passage).copied().unwrap_or(finding.passage);
                        self.tally.record(finding);
                    }
                }
                if judgements.iter().any(|judgement| judgement.unjudged) {
                    let detail = "the reply is longer than the classifier's budget (limits.model_windows)";
                    self.tally.fault(Fault { cause: Cause::Unjudged, ..Fault::provider(detail) })?;
                }
            }
        }
        Ok(self.release(&lanes, frame))
    }

    /// True when every choice that began has ended, so that the reply is whole.
    pub fn is_whole(&self) -> bool {
        self.last_seen || (self.open.is_empty() && !self.ended.is_empty())
    }

    /// Bytes of text seen so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The verdict over everything seen so far.
    pub fn verdict(&self) -> Verdict {
        self.tally.verdict()
    }

    /// Faults met so far, and what policy did about them.
    pub fn faults(&self) -> &[FaultTaken] {
        &self.tally.faults
    }

    /// Opaque content that policy waived, the first of each kind.
    pub fn waived(&self) -> &[Opaque] {
        &self.tally.waived
    }

    /// The channels' texts as the provider sent them, by place: for a policy that records full text.
    pub fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        self.lanes.iter().map(|lane| (lane.channel.to_string(), lane.text.as_str()))
    }

    /// Frames that end the stream here, in the dialect's own form. Nothing that is held leaves.
    pub fn cut(&self) -> Vec<Cleared<F>> {
        let mut out = Vec::new();
        if let Some(template) = &self.template {
            let mut open: BTreeSet<u64> = self.open.iter().chain(&self.ending).copied().collect();
            if open.is_empty() && self.ended.is_empty() {
                open.insert(0);
            }
            out.extend(open.iter().map(|choice| Cleared::mint(template.cut(*choice), Vec::new())));
            out.push(Cleared::mint(template.last(), Vec::new()));
        }
        out
    }

    fn count(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(bytes);
        let limit = self.snapshot.limits.stream_bytes;
        if self.bytes > limit {
            let detail = format!("the streamed reply holds over {limit} bytes of text (limits.stream_bytes)");
            return Err(Fault { cause: Cause::Oversize, ..Fault::provider(detail) });
        }
        Ok(())
    }

    /// A whole string of a frame. Most repeat in every frame and were read before.
    fn whole(&mut self, index: usize, passage: &Passage<'static>) -> Result<Vec<Edit>, Fault> {
        let known = self.stable.len();
        let entry = match self.stable.get(&passage.place) {
            Some((_, text)) if *text == passage.text => return Ok(Vec::new()),
            Some((number, _)) => *number,
            None if known >= self.snapshot.limits.channels => return Err(too_many(self.snapshot.limits.channels)),
            // Numbers of whole strings and of lanes must not meet: findings are summed by number.
            None => usize::MAX - known,
        };
        let mut scratch = self.snapshot.scanner.scratch();
        let given = Given { direction: Direction::Reply, facts: &self.facts };
        let read = self.snapshot.unasked(self.snapshot.read(index, passage, given, &mut scratch));
        drop(scratch);
        if !read.complete {
            self.tally.fault(too_deep())?;
        }
        let masks = read.masks.into_iter().map(|mask| (index, mask));
        let edits = redact::edits(masks, |_, mask| mask.with.as_ref().to_owned());
        if read.findings.is_empty() {
            self.stable.insert(passage.place.clone(), (entry, passage.text.to_string()));
        }
        for finding in read.findings {
            let mut finding = unstrippable(finding);
            finding.passage = entry;
            // A key cannot be replaced without changing what the object means to its reader.
            self.tally.replaced(!(finding.action == Some(Action::Redact) && finding.place.ends_with("~key")));
            self.tally.record(finding);
        }
        Ok(edits)
    }

    /// The lane of a channel, made at its first piece.
    fn lane(&mut self, channel: &Channel, passage: &Passage<'static>) -> Result<usize, Fault> {
        if let Some(choice) = channel.choice {
            if self.ended.contains(&choice) && !passage.text.is_empty() {
                return Err(Fault::provider(format!("choice {choice} goes on after its finish_reason")));
            }
            if !self.ended.contains(&choice) {
                self.open.insert(choice);
            }
        }
        if let Some(known) = self.lanes.iter().position(|lane| lane.channel == *channel) {
            return Ok(known);
        }
        if self.lanes.len() >= self.snapshot.limits.channels {
            return Err(too_many(self.snapshot.limits.channels));
        }
        let hold = is_call(channel) || self.snapshot.block_end == BlockEnd::Hold;
        let block_bytes = self.snapshot.limits.stream_bytes;
        let scan = (!hold).then(|| self.snapshot.scanner.stream(passage.role, block_bytes));
        let is_said = matches!(channel.kind, ChannelKind::Text | ChannelKind::Reasoning | ChannelKind::Refusal);
        let is_argument = channel.kind == ChannelKind::ToolArguments;
        let restores = (is_said || is_argument) && !self.vault.is_empty();
        let hold_bytes = self.snapshot.limits.hold_bytes;
        let restorer = restores.then(|| Restorer::new(Arc::clone(&self.vault), read_as(channel), hold_bytes));
        self.lanes.push(Lane::new(channel.clone(), passage.role, scan).restoring(restorer));
        Ok(self.lanes.len() - 1)
    }

    fn push(&mut self, index: usize, piece: &str) -> Result<String, Fault> {
        let mut matches = Vec::new();
        let hold_bytes = self.snapshot.limits.hold_bytes;
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(String::new()) };
        lane.push(piece, hold_bytes, &mut self.snapshot.scanner.scratch(), &mut matches)?;
        self.take(index, matches);
        Ok(self.lanes.get_mut(index).map(Lane::release).unwrap_or_default())
    }

    fn lanes_where(&self, which: impl Fn(&Lane) -> bool) -> Vec<usize> {
        let open = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.ended && which(lane));
        open.map(|(index, _)| index).collect()
    }

    /// Judges lanes to their end; asks for the classifier where policy wants it to see replies.
    fn close(&mut self, lanes: Vec<usize>, frame: Option<Ready<F>>) -> Result<Step<F>, Fault> {
        let (mut passages, mut decoded, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        for (number, index) in lanes.iter().enumerate() {
            let Some((passage, layers, open)) = self.finish_lane(*index)? else { continue };
            passages.push(passage);
            decoded.extend(layers.into_iter().map(|layer| (number, layer.encodings, layer.text)));
            pending.extend(open.into_iter().map(|open| (number, open)));
        }
        if !self.tally.blocks() && !passages.is_empty() {
            let decoded: Vec<_> = decoded.iter().map(|(n, names, text)| (*n, names.clone(), text.as_str())).collect();
            let questions = self.snapshot.questions(&passages, &decoded, Direction::Reply);
            if !questions.is_empty() {
                let texts = questions.iter().map(|question| question.text.clone()).collect();
                self.closing = Some(Closing { lanes, passages, questions, pending, frame });
                return Ok(Step::Ask(texts));
            }
        }
        for (_, pending) in pending {
            self.settle(pending, &Scores::default());
        }
        Ok(self.release(&lanes, frame))
    }

    /// What lanes held goes out in frames of their own, then the frame that ended them; or nothing, when the verdict is
    /// block.
    fn release(&mut self, lanes: &[usize], frame: Option<Ready<F>>) -> Step<F> {
        if self.tally.blocks() {
            return Step::Cut(self.cut());
        }
        self.ending.clear();
        let ended = |lanes: &[Lane], channel: &Channel| {
            lanes.iter().find(|lane| lane.channel == *channel).is_none_or(|lane| lane.ended)
        };
        let is_whole = |ready: &mut Ready<F>| {
            let mut calls = ready.frame.passages().iter().filter_map(|p| p.channel.as_ref()).filter(|c| is_call(c));
            calls.all(|channel| ended(&self.lanes, channel))
        };
        let kept: Vec<Ready<F>> = self.kept.extract_if(.., is_whole).collect();
        let mut frames: Vec<Cleared<F>> = kept.into_iter().map(|ready| self.filled(ready)).collect();
        frames.extend(frame.map(|ready| self.filled(ready)));
        // What the frames above have not taken along.
        let mut out = self.carried(lanes);
        out.append(&mut frames);
        Step::Continue(out)
    }

    /// A frame with the texts of the calls that it opens.
    fn filled(&mut self, ready: Ready<F>) -> Cleared<F> {
        let Ready { frame, mut edits, opens } = ready;
        for (passage, lane) in opens {
            let with = self.lanes.get_mut(lane).map(Lane::rest).unwrap_or_default();
            let text = frame.passages().get(passage).map_or("", |passage| &*passage.text);
            if with != text {
                edits.push(Edit { passage, span: Span::new(0, text.len()), with });
            }
        }
        Cleared::mint(frame, edits)
    }

    /// What these lanes may release and have not, in frames of their own.
    fn carried(&mut self, lanes: &[usize]) -> Vec<Cleared<F>> {
        let mut out = Vec::new();
        for index in lanes {
            let Some(lane) = self.lanes.get_mut(*index) else { continue };
            let rest = lane.rest();
            let Some(carrier) = self.template.as_ref().map(|template| template.carrier(&lane.channel)) else {
                continue;
            };
            let slot = carrier.passages().iter().position(|passage| passage.channel.as_ref() == Some(&lane.channel));
            if let Some(slot) = slot.filter(|_| !rest.is_empty()) {
                out.push(Cleared::mint(carrier, vec![Edit { passage: slot, span: Span::default(), with: rest }]));
            }
        }
        out
    }
}

fn too_deep() -> Fault {
    let detail = "text of the reply holds more encoded layers than limits.decode_* undo";
    Fault { cause: Cause::Oversize, ..Fault::provider(detail) }
}

/// True for the texts of a tool call, which leave together when the call is whole and judged.
fn is_call(channel: &Channel) -> bool {
    matches!(channel.kind, ChannelKind::ToolArguments | ChannelKind::ToolCall)
}

/// What a channel's text is to its reader. What a custom tool is given is a text by itself.
fn read_as(channel: &Channel) -> Kind {
    match channel.path.last() {
        Some(PathSegment::Key(key)) if channel.kind == ChannelKind::ToolArguments && **key == *"arguments" => {
            Kind::Arguments
        }
        _ if is_call(channel) => Kind::Text,
        _ if channel.path.iter().any(|step| matches!(step, PathSegment::Index(_))) => Kind::Part,
        _ => Kind::Text,
    }
}

fn too_many(limit: usize) -> Fault {
    let detail = format!("the streamed reply has over {limit} separate texts (limits.channels)");
    Fault { cause: Cause::Oversize, ..Fault::provider(detail) }
}
