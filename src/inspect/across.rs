//! What rules see only where several texts are put together: the text parts of one message, messages in a row of one role,
//! neighbouring unknown fields.
//!
//! Each text is read for itself first. Here their joined text is read, and of its matches those are taken that no text alone
//! has. A match of a redacting rule that lies in several texts cannot be replaced in one place: it blocks.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use crate::base::Span;
use crate::inspect::allowed::Allowed;
use crate::inspect::reading::{Given, Hit, RECORDED_PER_RULE, Read, Ruled, Ruling, finding};
use crate::inspect::redact::{self, Mask};
use crate::inspect::settle::{Open, Pending, Settled};
use crate::inspect::snapshot::Snapshot;
use crate::inspect::whole::{is_fixed, unstrippable};
use crate::rules::RuleIndex;
use crate::scan::{Context, Scratch};
use crate::text::{Direction, Layers, Passage, Role};
use crate::verdict::{Action, Finding, Standing, decide};

/// What reading texts together brought to light.
#[derive(Debug, Default)]
pub(super) struct Across {
    pub findings: Vec<Finding>,
    /// What is replaced, each with its passage.
    pub masks: Vec<(usize, Mask)>,
    /// Passages that a rule which acts wants taken out.
    pub strips: Vec<usize>,
    /// What rules find if the classifier agrees.
    pub pending: Vec<Pending>,
    /// Texts that only the joined text decodes to, for the model: passage where they begin, encodings, text.
    pub decoded: Vec<(usize, Vec<&'static str>, String)>,
    /// True when a limit stopped the decoding.
    pub cut: bool,
}

/// Stands for what is left out of the middle of a message: nothing matches across it.
const GAP: &str = "\n\u{FFFC}\n";

/// Passages that are read together.
#[derive(Debug)]
struct Group {
    /// Ways to put them together: which of them, and what stands between two. The first way has all of them.
    ways: Vec<(Vec<usize>, &'static str)>,
    kind: Kind,
}

/// Why passages are read together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Parts of one message: what they decode to together is for the model too.
    Message,
    /// Messages in a row of one role: read at their borders (`limits.edge_bytes`: a phrase, or a run of base64 of that length
    /// on either side), and only what crosses a border counts. Some models' readers put them together; whole conversations
    /// are not read twice for that.
    Messages,
    /// Neighbouring unknown fields.
    Fields,
}

impl Group {
    fn members(&self) -> &[usize] {
        self.ways.first().map_or(&[], |(members, _)| members)
    }
}

impl Snapshot {
    /// Reads what belongs together as one text. `reads` has what each passage says alone; those that are `gone` are taken out
    /// of the message, so that their neighbours stand together.
    pub(super) fn read_across(
        &self,
        passages: &[Passage<'static>],
        reads: &[Read],
        given: Given<'_>,
        parallel: bool,
        gone: &BTreeSet<usize>,
    ) -> Across {
        let groups = groups(passages, given.direction, gone);
        let read = |scratch: &mut Scratch, group: &Group| self.read_group(group, passages, reads, given, scratch);
        let all: Vec<Across> = if parallel {
            groups.par_iter().map_init(|| self.scanner.scratch(), |scratch, group| read(scratch, group)).collect()
        } else {
            groups.iter().map(|group| read(&mut self.scanner.scratch(), group)).collect()
        };
        all.into_iter().fold(Across::default(), |mut sum, one| {
            sum.findings.extend(one.findings);
            sum.masks.extend(one.masks);
            sum.strips.extend(one.strips);
            sum.pending.extend(one.pending);
            sum.decoded.extend(one.decoded);
            sum.cut |= one.cut;
            sum
        })
    }

    fn read_group(
        &self,
        group: &Group,
        passages: &[Passage<'static>],
        reads: &[Read],
        given: Given<'_>,
        scratch: &mut Scratch,
    ) -> Across {
        let mut reading = GroupReading {
            snapshot: self,
            passages,
            reads,
            given,
            known: group.members().iter().filter_map(|index| reads.get(*index)).flat_map(rules_of).collect(),
            listed: BTreeMap::new(),
            still: BTreeSet::new(),
            blocks: false,
            kind: group.kind,
            out: Across::default(),
        };
        let role = group.members().first().and_then(|index| passages.get(*index)).map_or(Role::Unknown, |p| p.role);
        for (number, (members, glue)) in group.ways.iter().enumerate() {
            let edge = if group.kind == Kind::Messages { self.limits.edge_bytes } else { usize::MAX };
            let joined = Joined::new(passages, members, glue, edge);
            let context = Context { direction: given.direction, role };
            let (Settled { hits, open }, undone) = self.hits(&joined.text, context, scratch);
            let texts: Vec<&Passage<'_>> = members.iter().filter_map(|index| passages.get(*index)).collect();
            let allowed = Allowed::of(self, &hits, &texts, given);
            hits.iter().for_each(|hit| reading.take(*hit, &joined, &undone, &allowed));
            open.iter().for_each(|open| reading.take_open(open, members, &joined, &undone, &allowed));
            reading.out.cut |= !undone.complete;
            if group.kind == Kind::Message && number == 0 {
                reading.decoded(&joined, undone);
            }
        }
        if group.kind != Kind::Message {
            self.add_up(&mut reading.out.findings);
        }
        reading.out
    }

    /// Points of what spans unknown fields, or messages, add up as in one text. The points of a message's parts are added up with those
    /// that the parts have alone, by the verdict.
    fn add_up(&self, findings: &mut [Finding]) {
        let together = findings.iter().map(|finding| Finding { passage: 0, ..finding.clone() }).collect();
        if decide(together, &self.policy.score).action == Action::Block
            && let Some(last) = findings.last_mut()
        {
            last.action = Some(Action::Block);
        }
    }
}

/// One group under inspection.
struct GroupReading<'s> {
    snapshot: &'s Snapshot,
    passages: &'s [Passage<'static>],
    reads: &'s [Read],
    given: Given<'s>,
    /// Rules that act in some text of the group alone, or are listed for the group: they do not count again.
    known: BTreeSet<RuleIndex>,
    /// Rules of which a match that does not act is listed.
    still: BTreeSet<RuleIndex>,
    /// Findings of redacting rules so far.
    listed: BTreeMap<RuleIndex, usize>,
    /// True once a finding that blocks is listed.
    blocks: bool,
    kind: Kind,
    out: Across,
}

impl GroupReading<'_> {
    fn take(&mut self, hit: Hit, joined: &Joined, undone: &Layers, allowed: &Allowed) {
        let places = joined.places(hit.span);
        let Some((first, span)) = places.first().copied() else { return };
        // What lies in one message was found there.
        let is_across = |(index, _): &(usize, Span)| !is_one_message(self.passages, first, *index);
        if self.kind == Kind::Messages && !places.iter().any(is_across) {
            return;
        }
        if places
            .iter()
            .all(|(index, span)| self.own(*index, hit.rule, span.start).is_some_and(|own| own.covers(*span)))
        {
            return;
        }
        let (snapshot, given) = (self.snapshot, self.given);
        let texts: Vec<&Passage<'_>> = places.iter().filter_map(|(index, _)| self.passages.get(*index)).collect();
        let Some(ruling) = snapshot.ruling(hit.rule, &texts, given) else { return };
        let found = joined.text.get(hit.span.range()).unwrap_or_default();
        let standing = ruling.standing(hit, found, allowed);
        let match_here = hit.at(span);
        let seen = Seen { ruling: &ruling, hit: match_here, standing, index: first, undone };
        if !seen.standing.acts() {
            let is_alone = |index: &usize| self.own(*index, hit.rule, 0).is_some();
            if !joined.parts.iter().any(|part| is_alone(&part.index)) && self.still.insert(hit.rule) {
                self.list(seen, None);
            }
            return;
        }
        if ruling.effect.action == Some(Action::Strip) {
            self.out.strips.extend(places.iter().map(|(index, _)| *index));
        }
        let masks: Vec<(usize, Mask)> =
            places.iter().filter_map(|(index, span)| Some((*index, redact::mask(&ruling.effect, *span)?))).collect();
        if masks.is_empty() {
            if self.known.insert(hit.rule) {
                self.list(seen, None);
            }
            return;
        }
        // Where one of the texts has a match of its own there, the whole of it is replaced, text by text.
        let overlaps =
            |index: usize, span: Span| self.own(index, hit.rule, span.start).is_some_and(|own| own.overlaps(span));
        let in_one_place = places.len() == 1 || places.iter().any(|(index, span)| overlaps(*index, *span));
        let is_fixed =
            |index: usize| self.passages.get(index).is_some_and(|passage| is_fixed(&passage.place, given.direction));
        if in_one_place && !places.iter().any(|(index, _)| is_fixed(*index)) {
            self.list(seen, Some(Action::Redact));
            self.out.masks.extend(masks);
        } else {
            self.list(seen, Some(Action::Block));
        }
    }

    /// What a rule finds if the classifier agrees: booked aside, and nothing is known by it yet.
    fn take_open(&mut self, open: &Open, members: &[usize], joined: &Joined, undone: &Layers, allowed: &Allowed) {
        let (was_known, was_still) = (self.known.contains(&open.rule), self.still.contains(&open.rule));
        let out = std::mem::take(&mut self.out);
        let (blocks, listed) = (self.blocks, self.listed.get(&open.rule).copied());
        open.hits.iter().for_each(|hit| self.take(*hit, joined, undone, allowed));
        if !was_known {
            self.known.remove(&open.rule);
        }
        if !was_still {
            self.still.remove(&open.rule);
        }
        self.blocks = blocks;
        match listed {
            Some(listed) => self.listed.insert(open.rule, listed),
            None => self.listed.remove(&open.rule),
        };
        let Across { findings, masks, .. } = std::mem::replace(&mut self.out, out);
        // When it is decided, nothing can be taken out of the message any more.
        let findings = findings.into_iter().map(unstrippable).collect();
        self.out.pending.push(Pending::new(open, members.to_vec(), findings, masks));
    }

    fn list(&mut self, seen: Seen<'_>, action: Option<Action>) {
        let listed = self.listed.entry(seen.hit.rule).or_insert(0);
        // A block is always listed once: replacements of the same rule may have used the room up.
        let is_first_block = action == Some(Action::Block) && !std::mem::replace(&mut self.blocks, true);
        if *listed >= RECORDED_PER_RULE && !is_first_block {
            return;
        }
        *listed += 1;
        let Some(passage) = self.passages.get(seen.index) else { return };
        let layer = seen.hit.layer(seen.undone);
        let ruled = Ruled { hit: seen.hit, standing: seen.standing };
        let found = finding(seen.index, passage, self.given.direction, seen.ruling, &ruled, layer);
        self.out.findings.push(Finding { action: action.or(found.action), ..found });
    }

    /// The first match of a rule that a passage has alone and that does not end before `at`. A rule's matches lie apart, so
    /// no other can cover, or overlap, what begins there.
    fn own(&self, index: usize, rule: RuleIndex, at: usize) -> Option<Span> {
        let found = &self.reads.get(index)?.found;
        let first = found.partition_point(|(other, span, _)| (*other, span.end) <= (rule, at));
        found.get(first).filter(|(other, ..)| *other == rule).map(|(_, span, _)| *span)
    }

    fn decoded(&mut self, joined: &Joined, undone: Layers) {
        for layer in undone.layers {
            let at = layer.map.to_original(Span::new(0, layer.text.len()));
            let Some((first, _)) = joined.places(at).first().copied() else { continue };
            let mut alone = joined.parts.iter().filter_map(|part| self.reads.get(part.index));
            if !alone.any(|read| read.decoded.iter().any(|known| known.text == layer.text)) {
                self.out.decoded.push((first, layer.encodings, layer.text));
            }
        }
    }
}

/// A match in texts put together: its share in the first of them, and what it comes to.
struct Seen<'s> {
    ruling: &'s Ruling<'s>,
    hit: Hit,
    standing: Standing,
    /// The passage that it begins in.
    index: usize,
    undone: &'s Layers,
}

/// Texts put together.
#[derive(Debug)]
struct Joined {
    text: String,
    /// Where each text, or each piece of one, begins and ends; in order.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    /// In the joined text.
    span: Span,
    /// Which passage it is of.
    index: usize,
    /// Where it begins in the passage.
    start: usize,
}

impl Joined {
    /// Of each text `edge` bytes at each border with another one are taken, and the rest is left out.
    fn new(passages: &[Passage<'static>], members: &[usize], glue: &str, edge: usize) -> Self {
        let mut joined = Self { text: String::new(), parts: Vec::with_capacity(members.len()) };
        for (number, index) in members.iter().enumerate() {
            let Some(passage) = passages.get(*index) else { continue };
            if !joined.parts.is_empty() {
                joined.text.push_str(glue);
            }
            let text = &*passage.text;
            let head = if number == 0 { 0 } else { boundary(text, edge) };
            let is_last = number + 1 == members.len();
            let tail = if is_last { text.len() } else { boundary(text, text.len().saturating_sub(edge)) };
            if tail <= head {
                joined.push(*index, text, Span::new(0, text.len()));
                continue;
            }
            if head > 0 {
                joined.push(*index, text, Span::new(0, head));
                joined.text.push_str(GAP);
            }
            joined.push(*index, text, Span::new(tail, text.len()));
        }
        joined
    }

    fn push(&mut self, index: usize, text: &str, piece: Span) {
        let start = self.text.len();
        self.text.push_str(text.get(piece.range()).unwrap_or_default());
        self.parts.push(Part { span: Span::new(start, self.text.len()), index, start: piece.start });
    }

    /// The passages that a span lies in, each with its share of it.
    fn places(&self, span: Span) -> Vec<(usize, Span)> {
        let first = self.parts.partition_point(|part| part.span.end <= span.start);
        let touched = self.parts.iter().skip(first).take_while(|part| part.span.start < span.end);
        touched
            .map(|part| {
                let from = span.start.max(part.span.start) - part.span.start + part.start;
                (part.index, Span::new(from, span.end.min(part.span.end) - part.span.start + part.start))
            })
            .collect()
    }
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Rules that act in a text alone.
fn rules_of(read: &Read) -> impl Iterator<Item = RuleIndex> {
    read.found.iter().filter(|(.., acts)| *acts).map(|(rule, ..)| *rule)
}

/// What belongs together: passages of one group and role; messages in a row of one role; and neighbours in unknown fields,
/// whatever the fields are.
fn groups(passages: &[Passage<'static>], direction: Direction, gone: &BTreeSet<usize>) -> Vec<Group> {
    let mut parts: BTreeMap<(u32, Role), Vec<usize>> = BTreeMap::new();
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut is_open = false;
    for (index, passage) in passages.iter().enumerate() {
        let is_field = passage.role == Role::Unknown && passage.group.is_none() && passage.channel.is_none();
        match (passage.group, runs.last_mut()) {
            _ if passage.text.is_empty() || gone.contains(&index) => continue,
            (Some(group), _) => parts.entry((group, passage.role)).or_default().push(index),
            (None, Some(run)) if is_field && is_open => run.push(index),
            (None, _) if is_field => runs.push(vec![index]),
            (None, _) => {}
        }
        is_open = is_field;
    }
    let parts = parts.into_values().map(|members| Group { ways: glued(passages, members), kind: Kind::Message });
    let fields = runs.into_iter().map(|run| Group { ways: told_apart(passages, run), kind: Kind::Fields });
    let messages = messages_in_a_row(passages, direction, gone).into_iter();
    let messages = messages.map(|members| Group { ways: glued(passages, members), kind: Kind::Messages });
    parts.chain(messages).chain(fields).filter(|group| group.members().len() > 1).collect()
}

/// What several messages in a row of one role say. Unknown fields between them (ids, names) part nothing. The choices of a
/// reply are no messages in a row.
fn messages_in_a_row(passages: &[Passage<'static>], direction: Direction, gone: &BTreeSet<usize>) -> Vec<Vec<usize>> {
    if direction == Direction::Reply {
        return Vec::new();
    }
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut role = Role::Unknown;
    for (index, passage) in passages.iter().enumerate() {
        if passage.role == Role::Unknown || passage.text.is_empty() || gone.contains(&index) {
            continue;
        }
        let is_speech = matches!(passage.role, Role::Assistant | Role::System | Role::ToolResult | Role::User);
        match rows.last_mut() {
            Some(row) if is_speech && passage.role == role => row.push(index),
            _ if is_speech => rows.push(vec![index]),
            _ => {}
        }
        role = passage.role;
    }
    let is_several = |row: &Vec<usize>| {
        row.first().is_some_and(|first| row.iter().any(|other| !is_one_message(passages, *first, *other)))
    };
    rows.retain(is_several);
    rows
}

/// True for one passage, or two parts of one message.
fn is_one_message(passages: &[Passage<'static>], one: usize, other: usize) -> bool {
    let group = |index: usize| passages.get(index).and_then(|passage| passage.group);
    one == other || (group(one).is_some() && group(one) == group(other))
}

/// Providers put parts together directly or with a line end between. The second says nothing new where blanks part them.
fn glued(passages: &[Passage<'static>], members: Vec<usize>) -> Vec<(Vec<usize>, &'static str)> {
    let text = |index: &usize| passages.get(*index).map_or("", |passage| &*passage.text);
    let is_parted = members
        .iter()
        .zip(members.iter().skip(1))
        .all(|(left, right)| text(left).ends_with(char::is_whitespace) || text(right).starts_with(char::is_whitespace));
    let lines = (!is_parted).then(|| (members.clone(), "\n"));
    [(members, "")].into_iter().chain(lines).collect()
}

/// Unknown fields a line each; their keys and their values by themselves; and those named `text` as the parts of a message
/// are: so every dialect names them, those that are not known here too.
fn told_apart(passages: &[Passage<'static>], run: Vec<usize>) -> Vec<(Vec<usize>, &'static str)> {
    let ends = |index: &usize, end: &str| passages.get(*index).is_some_and(|passage| passage.place.ends_with(end));
    let texts: Vec<usize> = run.iter().copied().filter(|index| ends(index, "/text")).collect();
    let texts = if texts.len() > 1 { glued(passages, texts) } else { Vec::new() };
    let (keys, values): (Vec<usize>, Vec<usize>) = run.iter().copied().partition(|index| ends(index, "~key"));
    let apart = [keys, values].into_iter().filter(|some| some.len() > 1 && some.len() < run.len());
    let apart: Vec<_> = apart.map(|some| (some, "\n")).chain(texts).collect();
    [(run, "\n")].into_iter().chain(apart).collect()
}
