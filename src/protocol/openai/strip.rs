//! Taking a text out of a request, with the field or the element that holds it, so that it stays a request.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Span;
use crate::protocol::json::{Document, Kind, Replacement, Value};

use super::lift::{Lifted, Slot};

/// Members without which what holds them means nothing, or something else. What holds them goes in their place, if it may.
const NEEDED: &[&str] = &[
    "arguments",
    "content",
    "custom",
    "function",
    "function_call",
    "functions",
    "id",
    "index",
    "input",
    "messages",
    "model",
    "n",
    "name",
    "refusal",
    "role",
    "stream",
    "stream_options",
    "text",
    "tool_call_id",
    "tool_calls",
    "tool_choice",
    "tools",
    "type",
];

/// Lists whose elements belong to each other: without one of them the others mean something else.
const WHOLE: &[&str] = &["messages", "tool_calls"];

/// What is cut out of a document.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) removals: Vec<Replacement>,
    /// Every passage that goes.
    pub(super) gone: BTreeSet<usize>,
}

/// One step from the root to a text: the container, and which of its children leads on.
#[derive(Clone, Copy)]
struct Step<'a> {
    container: Value<'a>,
    child: usize,
}

/// Cuts these passages out; `None` when one of them cannot go.
pub(super) fn cut(document: &Document, lifted: &Lifted, passages: &[usize]) -> Option<Cut> {
    let mut targets = BTreeSet::new();
    for passage in passages {
        targets.insert(match lifted.slots.get(*passage)? {
            Slot::Key { key, .. } => *key,
            Slot::Text(id) => *id,
            Slot::Void(_) => return None,
        });
    }
    let mut walk = Walk { targets, steps: Vec::new(), leaving: BTreeMap::new(), found: 0, is_stuck: false };
    walk.down(document.root(), "");
    if walk.is_stuck || walk.found != walk.targets.len() {
        return None;
    }
    let mut cut = Cut::default();
    for (container, leaving) in &walk.leaving {
        cut.removals.extend(removals(document.value(*container), leaving)?);
    }
    let inside = |id: usize| {
        let at = document.value(id).span();
        cut.removals.iter().any(|removal| removal.span.covers(at))
    };
    let gone = lifted.slots.iter().enumerate().filter(|(_, slot)| match slot {
        Slot::Key { key, .. } => inside(*key),
        Slot::Text(id) | Slot::Void(id) => inside(*id),
    });
    cut.gone = gone.map(|(index, _)| index).collect();
    Some(cut)
}

struct Walk<'a> {
    targets: BTreeSet<usize>,
    steps: Vec<(Step<'a>, String)>,
    /// By container, on the tape: positions of the children that go.
    leaving: BTreeMap<usize, BTreeSet<usize>>,
    found: usize,
    is_stuck: bool,
}

impl<'a> Walk<'a> {
    /// `name`: the key of the member that `value` is, or that the list is which it is in.
    fn down(&mut self, value: Value<'a>, name: &str) {
        self.meet(value.id());
        match value.kind() {
            Kind::Object => {
                for (child, (key, member)) in value.members().enumerate() {
                    let name = key.as_str().unwrap_or_default().into_owned();
                    self.steps.push((Step { container: value, child }, name.clone()));
                    self.meet(key.id());
                    self.down(member, &name);
                    self.steps.pop();
                }
            }
            Kind::Array => {
                for (child, element) in value.elements().enumerate() {
                    self.steps.push((Step { container: value, child }, name.to_owned()));
                    self.down(element, name);
                    self.steps.pop();
                }
            }
            Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
    }

    /// Marks what goes for a target: the innermost member or element around it that may go.
    fn meet(&mut self, id: usize) {
        if !self.targets.contains(&id) {
            return;
        }
        self.found += 1;
        for (step, name) in self.steps.iter().rev() {
            let is_list = step.container.kind() == Kind::Array;
            if is_list && WHOLE.contains(&name.as_str()) {
                break;
            }
            if is_list || !NEEDED.contains(&name.as_str()) {
                self.leaving.entry(step.container.id()).or_default().insert(step.child);
                return;
            }
        }
        self.is_stuck = true;
    }
}

/// The bytes that go, commas included; `None` when a list would be left empty, which providers refuse or read as another
/// wish.
fn removals(container: Value<'_>, leaving: &BTreeSet<usize>) -> Option<Vec<Replacement>> {
    let spans: Vec<Span> = match container.kind() {
        Kind::Array => container.elements().map(Value::span).collect(),
        _ => container.members().map(|(key, value)| key.span().cover(value.span())).collect(),
    };
    if container.kind() == Kind::Array && leaving.len() >= spans.len() {
        return None;
    }
    let mut has_kept = false;
    let mut removals = Vec::new();
    for (child, span) in spans.iter().enumerate() {
        if !leaving.contains(&child) {
            has_kept = true;
            continue;
        }
        // With the comma before it; the first ones with the comma behind.
        let before = child.checked_sub(1).and_then(|before| spans.get(before)).filter(|_| has_kept);
        let span = match (before, spans.get(child + 1)) {
            (Some(before), _) => Span::new(before.end, span.end),
            (None, Some(next)) => Span::new(span.start, next.start),
            (None, None) => *span,
        };
        removals.push(Replacement { span, with: String::new() });
    }
    Some(removals)
}
