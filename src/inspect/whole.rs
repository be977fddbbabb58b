//! Inspects a whole message: a request, or a reply that is not streamed.
//!
//! Two steps, because the classifier answers later and elsewhere: [`Snapshot::scan`] reads every passage with the rules
//! and says what the model must see; [`Scanned::judge`] takes the model's answer and decides.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rayon::prelude::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use serde::Serialize;

use crate::base::{Cause, Fault, FaultAction, Span};
use crate::inspect::ask::{self, Answer, Judgement, Question, unanswered};
use crate::inspect::cleared::Cleared;
use crate::inspect::excerpt;
use crate::inspect::reading::{Given, Read};
use crate::inspect::redact::{self, Mask};
use crate::inspect::settle::Pending;
use crate::inspect::snapshot::{OpaqueAction, Snapshot};
use crate::inspect::subject::{Edit, Opaque, Subject};
use crate::inspect::vault::{Kind, Vault};
use crate::rules::{Facts, Scores};
use crate::scan::Scratch;
use crate::text::{Direction, Passage, Role, Trust};
use crate::verdict::{Action, Finding, ModelLevels, Source, Verdict, decide};

/// Bytes of text from which passages are scanned in parallel: below, handing work to other threads costs more than it saves.
const PARALLEL_BYTES: usize = 64 * 1024;

/// Where a request names the model: it chooses the route, so that nothing is replaced there.
const MODEL_PLACE: &str = "/model";

/// Passages up to which several findings of one rule are kept for each. A hostile body can hold thousands of passages with
/// a dozen rules in each; the record shows `limits.findings` of them anyway.
const FEW_PASSAGES: usize = 64;

/// A fault met during inspection and what policy did about it, for the record.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FaultTaken {
    /// What went wrong.
    pub cause: Cause,
    /// What the written policy says.
    pub action: FaultAction,
    /// What, where.
    pub detail: String,
}

/// What inspection decided, with all that the record needs.
#[derive(Debug)]
pub struct Judged<T> {
    /// The verdict with its findings.
    pub verdict: Verdict,
    /// Faults met on the way.
    pub faults: Vec<FaultTaken>,
    /// Opaque content that policy waived.
    pub waived: Vec<Opaque>,
    /// Opaque content that policy refuses.
    pub refused: Vec<Opaque>,
    /// What tokens in the cleared message stand for: give it to the inspection of the reply.
    pub vault: Arc<Vault>,
    /// The edits that put tokens into the message, in order.
    pub tokens: Vec<Edit>,
    /// The message: cleared, or kept back.
    pub outcome: Outcome<T>,
}

/// Where the message went.
#[derive(Debug)]
pub enum Outcome<T> {
    /// The verdict is block: the message is kept for the record and cannot be sent.
    Blocked(T),
    /// It may be sent.
    Cleared(Cleared<T>),
    /// It was refused for a fault, not for what it says.
    Refused(T, Fault),
}

/// A message that the rules have read and the model has not.
#[derive(Debug)]
pub struct Scanned<T> {
    snapshot: Arc<Snapshot>,
    subject: T,
    direction: Direction,
    salt: [u8; 8],
    /// What is put back in a reply.
    vault: Arc<Vault>,
    findings: Vec<Finding>,
    /// What redacting rules replace, each with its passage.
    masks: Vec<(usize, Mask)>,
    /// What rules find if the classifier agrees.
    pending: Vec<Pending>,
    questions: Vec<Question>,
    faults: Vec<FaultTaken>,
    waived: Vec<Opaque>,
    refused: Vec<Opaque>,
    refusal: Option<Fault>,
}

impl Snapshot {
    /// Reads every passage of the message with the rules, in every reading, and what belongs together as one text.
    pub fn scan<T: Subject>(self: &Arc<Self>, mut subject: T, direction: Direction, facts: &Facts) -> Scanned<T> {
        let given = Given { direction, facts };
        let passages = subject.passages();
        let parallel = passages.iter().map(|passage| passage.text.len()).sum::<usize>() >= PARALLEL_BYTES;
        let reads = self.read_all(passages, given, parallel);
        let across = self.read_across(passages, &reads, given, parallel, &BTreeSet::new());
        let complete = !across.cut && reads.iter().all(|read| read.complete);
        let alone = reads.iter().enumerate().flat_map(|(index, read)| {
            read.decoded.iter().map(move |layer| (index, layer.encodings.clone(), layer.text.as_str()))
        });
        let together = across.decoded.iter().map(|(index, names, text)| (*index, names.clone(), text.as_str()));
        let decoded: Vec<(usize, Vec<&'static str>, &str)> = alone.chain(together).collect();
        let mut questions = self.questions(passages, &decoded, direction);
        let alone = reads.iter().enumerate().filter(|(_, read)| read.strips).map(|(index, _)| index);
        let strips: BTreeSet<usize> = alone.chain(across.strips).collect();
        let strips: Vec<usize> = strips.into_iter().collect();
        let gone = if strips.is_empty() { None } else { subject.strip(&strips) };
        let closed = gone.as_ref().map(|gone| self.read_across(subject.passages(), &reads, given, parallel, gone));
        let (mut findings, mut masks, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        for (index, read) in reads.into_iter().enumerate() {
            findings.extend(read.findings);
            masks.extend(read.masks.into_iter().map(|mask| (index, mask)));
            pending.extend(read.pending);
        }
        findings.extend(across.findings);
        masks.extend(across.masks);
        pending.extend(across.pending);
        if let Some(closed) = closed {
            // What stands together only now. All else is known.
            let known: HashSet<(Source, usize, Span)> = findings.iter().map(identity).collect();
            let new = closed.findings.into_iter().filter(|finding| !known.contains(&identity(finding)));
            findings.extend(new.map(unstrippable));
            masks.extend(closed.masks);
            pending.extend(closed.pending);
        } else if !strips.is_empty() {
            findings = findings.into_iter().map(unstrippable).collect();
        }
        let (mut faults, mut refusal) = (Vec::new(), None);
        let (mut waived, mut refused) = (Vec::new(), Vec::new());
        if !complete {
            let detail = "text holds more encoded layers than limits.decode_* undo";
            self.take_fault(blamed(direction, Cause::Oversize, detail), &mut faults, &mut refusal);
        }
        for opaque in subject.opaque() {
            match self.opaque_action(opaque.kind) {
                OpaqueAction::Waive => waived.push(opaque.clone()),
                OpaqueAction::Refuse if !refused.is_empty() => refused.push(opaque.clone()),
                OpaqueAction::Refuse => {
                    refused.push(opaque.clone());
                    let detail = format!(
                        "{}: content of kind `{}` cannot be inspected and is refused here",
                        excerpt::of(&opaque.place, false),
                        opaque.kind.name()
                    );
                    self.take_fault(blamed(direction, Cause::Opaque, detail), &mut faults, &mut refusal);
                }
            }
        }
        if refusal.is_some() || self.decide(findings.clone(), subject.passages()).action == Action::Block {
            questions.clear();
        }
        Scanned {
            snapshot: Arc::clone(self),
            subject,
            direction,
            salt: facts.salt,
            vault: Arc::default(),
            findings,
            masks,
            pending,
            questions,
            faults,
            waived,
            refused,
            refusal,
        }
    }

    fn read_all(&self, passages: &[Passage<'static>], given: Given<'_>, parallel: bool) -> Vec<Read> {
        let read = |scratch: &mut Scratch, index: usize, passage: &Passage<'static>| {
            let mut read = self.read(index, passage, given, scratch);
            if passages.len() > FEW_PASSAGES {
                // They stand in order of their rules. The first of each decides; everything is still masked.
                read.findings.dedup_by(|next, first| next.source == first.source && next.standing == first.standing);
                read.findings.shrink_to_fit();
                read.pending.iter_mut().for_each(|pending| pending.findings.truncate(1));
            }
            read
        };
        if !parallel || passages.len() < 2 {
            let mut scratch = self.scanner.scratch();
            return passages.iter().enumerate().map(|(index, passage)| read(&mut scratch, index, passage)).collect();
        }
        passages
            .par_iter()
            .enumerate()
            .map_init(|| self.scanner.scratch(), |scratch, (index, passage)| read(scratch, index, passage))
            .collect()
    }

    /// The verdict. Points add up over texts that a reader puts together as they do in one.
    fn decide(&self, findings: Vec<Finding>, passages: &[Passage<'static>]) -> Verdict {
        let mut together = Vec::new();
        let mut first_of = BTreeMap::new();
        for finding in &findings {
            let Some(group) = passages.get(finding.passage).and_then(|passage| passage.group) else { continue };
            let first = *first_of.entry((group, finding.role)).or_insert(finding.passage);
            together.push(Finding { passage: first, ..finding.clone() });
        }
        let mut verdict = decide(findings, &self.policy.score);
        let together = decide(together, &self.policy.score);
        verdict.action = verdict.action.max(together.action);
        verdict.score = verdict.score.max(together.score);
        verdict
    }

    /// Books a fault: what policy says goes to the record; if it says block, that is the refusal.
    pub(super) fn take_fault(&self, fault: Fault, faults: &mut Vec<FaultTaken>, refusal: &mut Option<Fault>) {
        let action = self.faults.action(fault.cause);
        faults.push(FaultTaken { cause: fault.cause, action, detail: fault.detail.clone() });
        if action == FaultAction::Block && refusal.is_none() {
            *refusal = Some(fault);
        }
    }
}

impl<T> Scanned<T> {
    /// The same reply, in which tokens of its request are put back.
    #[must_use]
    pub fn restoring(mut self, vault: &Arc<Vault>) -> Self {
        self.vault = Arc::clone(vault);
        self
    }

    /// The texts that the model must see. Empty: answer [`Answer::NotAsked`].
    ///
    /// A message that is refused already, or that rules alone block, asks nothing: the model costs more than all else
    /// together.
    pub fn questions(&self) -> Vec<String> {
        self.questions.iter().map(|question| question.text.clone()).collect()
    }

    /// The levels that the model's answer about each of [`Self::questions`] is held against: those of the passage that the text begins with.
    pub fn levels(&self) -> Vec<ModelLevels>
    where
        T: Subject,
    {
        let passages = self.subject.passages();
        let trust = |question: &Question| {
            let passage = question.first().and_then(|index| passages.get(index));
            passage.map_or(Trust::Untrusted, |passage| passage.trust(self.direction))
        };
        self.questions.iter().map(|question| self.snapshot.policy.model.of(trust(question))).collect()
    }

    /// What the model's answer says of each passage that it was asked about.
    pub fn scores(&self, answer: &Answer) -> BTreeMap<usize, Scores> {
        match answer {
            Answer::Scores(judgements) => ask::scores(&self.questions, judgements),
            Answer::Fault(_) | Answer::NotAsked => BTreeMap::new(),
        }
    }
}

impl<T: Subject> Scanned<T> {
    /// Decides, with the model's answer.
    pub fn judge(mut self, answer: Answer) -> Judged<T> {
        let snapshot = Arc::clone(&self.snapshot);
        match answer {
            Answer::NotAsked if self.questions.is_empty() => {}
            Answer::NotAsked => snapshot.take_fault(unanswered(), &mut self.faults, &mut self.refusal),
            Answer::Scores(judgements) => self.take_scores(&judgements),
            Answer::Fault(fault) => snapshot.take_fault(fault, &mut self.faults, &mut self.refusal),
        }
        // Those that the classifier had nothing to say about.
        self.settle(&BTreeMap::new());
        let mut findings = std::mem::take(&mut self.findings);
        let (mut vault, masks) = (
            Vault::new(self.salt, snapshot.limits.restored_bytes, snapshot.limits.token_depth),
            std::mem::take(&mut self.masks),
        );
        let texts = self.subject.passages();
        let mut edits = redact::edits(masks, |passage, mask| match (&mask.token, texts.get(passage)) {
            (Some(name), Some(text)) if self.direction == Direction::Request => {
                vault.token(name, text.text.get(mask.cover.range()).unwrap_or_default())
            }
            _ => mask.with.as_ref().to_owned(),
        });
        let tokens = edits.iter().filter(|edit| vault.has(&edit.with)).cloned().collect();
        put_back(texts, &self.vault, &mut edits);
        block_fixed(&mut findings, self.direction);
        let mut verdict = snapshot.decide(findings, self.subject.passages());
        let blocked = verdict.action == Action::Block;
        if self.refusal.is_some() {
            // What is done with it is a block, also where nothing was found.
            verdict.action = Action::Block;
        }
        let outcome = match (self.refusal, blocked) {
            (_, true) => Outcome::Blocked(self.subject),
            (Some(fault), _) => Outcome::Refused(self.subject, fault),
            (None, _) => Outcome::Cleared(Cleared::mint(self.subject, edits)),
        };
        let (faults, waived, refused) = (self.faults, self.waived, self.refused);
        Judged { verdict, faults, waived, refused, vault: Arc::new(vault), tokens, outcome }
    }

    /// What the rules alone come to: the decision before the classifier is heard, faults left out.
    pub fn by_rules(&self) -> Verdict {
        self.snapshot.decide(self.findings.clone(), self.subject.passages())
    }

    /// The verdict where nobody asks the classifier, faults left out: scores reach no level, and what cannot be replaced
    /// blocks.
    pub fn without_model(mut self) -> Verdict {
        self.settle(&BTreeMap::new());
        let mut findings = std::mem::take(&mut self.findings);
        block_fixed(&mut findings, self.direction);
        self.snapshot.decide(findings, self.subject.passages())
    }

    /// Decides what was open. A passage without scores is one that nobody asked about.
    fn settle(&mut self, scores: &BTreeMap<usize, Scores>) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        let mut known: HashSet<_> = self.findings.iter().map(identity).collect();
        for pending in pending {
            let of = |index: &usize| scores.get(index).copied().unwrap_or_default();
            let together = pending.passages.iter().map(of).fold(Scores::default(), Scores::max);
            if self.snapshot.holds(&pending, &together) {
                // A text and the texts that it is put together with may say the same.
                self.findings.extend(pending.findings.into_iter().filter(|finding| known.insert(identity(finding))));
                self.masks.extend(pending.masks);
            }
        }
    }

    fn take_scores(&mut self, judgements: &[Judgement]) {
        let snapshot = Arc::clone(&self.snapshot);
        self.settle(&ask::scores(&self.questions, judgements));
        for (question, judgement) in self.questions.iter().zip(judgements) {
            let passages = self.subject.passages();
            self.findings.extend(snapshot.model_finding(question, judgement, passages, self.direction));
        }
        if judgements.iter().any(|judgement| judgement.unjudged) {
            let detail = "text is longer than the classifier's budget (limits.model_windows)";
            let fault = blamed(self.direction, Cause::Unjudged, detail);
            snapshot.take_fault(fault, &mut self.faults, &mut self.refusal);
        }
        if judgements.len() != self.questions.len() {
            snapshot.take_fault(unanswered(), &mut self.faults, &mut self.refusal);
        }
    }
}

/// What cannot be taken out does not pass.
pub(super) fn unstrippable(finding: Finding) -> Finding {
    match finding.action {
        Some(Action::Strip) => Finding { action: Some(Action::Block), ..finding },
        _ => finding,
    }
}

fn identity(finding: &Finding) -> (Source, usize, Span) {
    (finding.source.clone(), finding.passage, finding.span)
}

/// Adds the edits that put texts back in the place of their tokens, in what the model says to people and to tools.
fn put_back(passages: &[Passage<'static>], vault: &Vault, edits: &mut Vec<Edit>) {
    if vault.is_empty() {
        return;
    }
    let mut added = Vec::new();
    for (index, passage) in passages.iter().enumerate().filter(|(_, passage)| is_put_back(passage)) {
        let first = edits.partition_point(|edit| edit.passage < index);
        let own = edits.get(first..).unwrap_or_default().iter().take_while(|edit| edit.passage == index);
        let replaced: Vec<Span> = own.map(|edit| edit.span).collect();
        let kind = match passage.group {
            _ if passage.place.ends_with("/arguments") => Kind::Arguments,
            Some(_) => Kind::Part,
            None => Kind::Text,
        };
        for (span, with) in vault.places(&passage.text, kind) {
            let near = replaced.partition_point(|other| other.end <= span.start);
            if replaced.get(near).is_none_or(|other| !other.overlaps(span)) {
                added.push(Edit { passage: index, span, with });
            }
        }
    }
    edits.append(&mut added);
    edits.sort_by_key(|edit| (edit.passage, edit.span));
}

fn is_put_back(passage: &Passage<'_>) -> bool {
    // Tokens of `logprobs` are one passage that cannot be changed in part.
    matches!(passage.role, Role::Assistant | Role::ToolArguments)
        && !passage.place.ends_with("~key")
        && !passage.place.contains("/logprobs")
}

/// What must be replaced and cannot be does not pass.
fn block_fixed(findings: &mut [Finding], direction: Direction) {
    let redacts = |finding: &&mut Finding| finding.action == Some(Action::Redact);
    let fixed = findings.iter_mut().filter(redacts).filter(|finding| is_fixed(&finding.place, direction));
    fixed.for_each(|finding| finding.action = Some(Action::Block));
}

/// True for a key, and for the model that a request asks: replacing them would change what the message means to its reader.
pub(super) fn is_fixed(place: &str, direction: Direction) -> bool {
    place.ends_with("~key") || (direction == Direction::Request && place == MODEL_PLACE)
}

/// A fault of whoever wrote the message.
fn blamed(direction: Direction, cause: Cause, detail: impl Into<String>) -> Fault {
    match direction {
        Direction::Reply => Fault { cause, ..Fault::provider(detail) },
        Direction::Request => Fault::client(cause, detail),
    }
}
