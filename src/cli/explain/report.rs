//! What `explain` has to say, as a value: the readings of the text, what they show, and what that comes to.

use serde::Serialize;

use super::reader;
use crate::base::Span;
use crate::cli::message::Message;
use crate::cli::one_text::action;
use crate::inspect::{FaultTaken, Judged, Outcome, Snapshot, Trace, visible};
use crate::rules::Misfit;
use crate::text::{Direction, Passage, Role, Trust};
use crate::verdict::{Action, Decided, Finding, Layer, ModelLevels, Standing};

/// What is known when the verdict is there.
#[derive(Debug)]
pub(super) struct Given<'g> {
    pub(super) snapshot: &'g Snapshot,
    pub(super) passages: &'g [Passage<'g>],
    pub(super) direction: Direction,
    /// The passages are those of a body; else there is one.
    pub(super) is_body: bool,
    /// What the rules alone come to.
    pub(super) by_rules: Action,
    /// Version of the classifier, and its score where it was asked.
    pub(super) model: Option<(String, Option<f32>)>,
    /// One for each passage.
    pub(super) traces: &'g [Trace],
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) action: Action,
    /// What decided, in words, the strongest first.
    pub(super) why: Vec<String>,
    pub(super) direction: Direction,
    pub(super) policy: String,
    #[serde(flatten)]
    pub(super) parts: Parts,
    pub(super) findings: Vec<Finding>,
    pub(super) by_rules: Action,
    pub(super) model: Option<Model>,
    pub(super) faults: Vec<FaultTaken>,
}

/// The text, or the texts of a body.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Parts {
    Body { passages: Vec<Part> },
    Text(Box<Part>),
}

impl Parts {
    pub(super) fn all(&self) -> &[Part] {
        match self {
            Self::Body { passages } => passages,
            Self::Text(part) => std::slice::from_ref(part),
        }
    }
}

/// What is told of one passage.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    /// Where in the body it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
    pub(super) role: Role,
    pub(super) trust: Trust,
    /// Bytes of the text as sent.
    pub(super) bytes: usize,
    pub(super) readings: Vec<Reading>,
    /// False when a limit stopped the decoding.
    pub(super) complete: bool,
    /// Whether matches that validators turned away were looked for.
    pub(super) near_misses_looked_for: bool,
    /// What each judge adds, once.
    pub(super) points: Vec<Points>,
    pub(super) decided: Decided,
    /// Levels of the classifier for texts of this trust.
    pub(super) levels: ModelLevels,
    /// What is replaced in the text that passes.
    pub(super) redactions: Vec<Redaction>,
}

impl Part {
    /// True when there is nothing to tell of it.
    pub(super) fn is_quiet(&self) -> bool {
        let sees = |reading: &Reading| !reading.matches.is_empty() || !reading.near_misses.is_empty();
        self.points.is_empty() && self.redactions.is_empty() && self.complete && !self.readings.iter().any(sees)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Redaction {
    /// Bytes of the text as sent.
    pub(super) span: Span,
    /// What stands there instead.
    pub(super) with: String,
    /// It is a token: the text is put back in the reply.
    pub(super) token: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Reading {
    pub(super) layer: Layer,
    /// It is the canonical form of its layer.
    pub(super) folded: bool,
    /// The text, invisible characters as escapes, sensitive ones as dots.
    pub(super) shown: String,
    pub(super) bytes: usize,
    /// What folding did to it.
    pub(super) changes: Vec<Change>,
    pub(super) change_count: usize,
    pub(super) matches: Vec<Match>,
    pub(super) near_misses: Vec<NearMiss>,
}

#[derive(Debug, Serialize)]
pub(super) struct Change {
    /// Bytes of the layer's text.
    pub(super) span: Span,
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Match {
    pub(super) rule: String,
    pub(super) title: String,
    /// Bytes of the reading.
    pub(super) span: Span,
    /// Bytes of the text as sent.
    pub(super) original: Span,
    /// The place in the text as sent, and a line that marks it.
    pub(super) marked: [String; 2],
    /// Whether the rule is among the passage's findings.
    pub(super) counts: bool,
    /// What it asks for and does not get here, where it is not.
    pub(super) misfits: Vec<Misfit>,
}

#[derive(Debug, Serialize)]
pub(super) struct NearMiss {
    #[serde(flatten)]
    pub(super) at: Match,
    pub(super) validator: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Points {
    pub(super) source: String,
    pub(super) title: String,
    /// Whether it acts, and what keeps it from acting.
    pub(super) standing: Standing,
    pub(super) points: u32,
    pub(super) action: Option<Action>,
    /// A rule that the text alone does not show: it is seen where texts are read together.
    pub(super) together: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Model {
    pub(super) version: String,
    /// Null: it was not asked.
    pub(super) score: Option<f32>,
    /// The levels of the text's trust; in a body each passage has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) levels: Option<ModelLevels>,
}

impl Report {
    pub(super) fn new(given: &Given<'_>, judged: &Judged<Message>, show_sensitive: bool) -> Self {
        let passages = given.passages.iter().zip(given.traces).enumerate();
        let parts = passages
            .map(|(index, (passage, trace))| reader::part(given, (index, passage, trace), judged, show_sensitive));
        let mut parts: Vec<Part> = parts.collect();
        let levels = parts.first().filter(|_| !given.is_body).map(|part| part.levels);
        let parts = match parts.pop() {
            Some(part) if !given.is_body => Parts::Text(Box::new(part)),
            last => {
                parts.extend(last);
                Parts::Body { passages: parts }
            }
        };
        let mut report = Self {
            action: action(judged),
            why: Vec::new(),
            direction: given.direction,
            policy: given.snapshot.version.clone(),
            parts,
            findings: judged.verdict.findings.clone(),
            by_rules: given.by_rules,
            model: given.model.clone().map(|(version, score)| Model { version, score, levels }),
            faults: judged.faults.clone(),
        };
        report.why = report.reasons(matches!(judged.outcome, Outcome::Refused(..)));
        report
    }

    /// What brought the verdict about.
    fn reasons(&self, refused: bool) -> Vec<String> {
        let mut why = Vec::new();
        for part in self.parts.all() {
            let at = part.place.as_ref().map_or_else(String::new, |place| format!("{}: ", visible(place)));
            let Decided { score, levels, by_score, .. } = part.decided;
            if by_score == self.action && by_score != Action::Allow {
                let level = if by_score == Action::Block { levels.block.unwrap_or_default() } else { levels.flag };
                let (trust, done) = (name(part.trust), done(by_score));
                why.push(format!("{at}{score} points reach {level}, where text of trust `{trust}` is {done}"));
            }
            for points in &part.points {
                if points.action == Some(self.action) && self.action != Action::Allow {
                    let (source, action) = (&points.source, self.action.name());
                    why.push(format!("{at}{source} demands `{action}` whatever the points are"));
                }
            }
        }
        if refused {
            let blocking = self.faults.iter().filter(|fault| fault.action == crate::base::FaultAction::Block);
            why.extend(blocking.map(|fault| format!("policy blocks on the fault `{}`", fault.cause.name())));
        }
        if why.is_empty() {
            let points = || self.parts.all().iter().flat_map(|part| &part.points);
            let acts = points().any(|part| part.standing.acts());
            let what = match (points().next().is_none(), acts) {
                _ if self.action != Action::Allow => "points add up over texts that a reader puts together",
                (true, _) => "nothing was found",
                (false, true) => "what was found reaches no level",
                (false, false) => "nothing that was found acts",
            };
            why.push(what.to_owned());
        }
        why
    }
}

/// What is done with a text, as a participle.
pub(super) fn done(action: Action) -> &'static str {
    match action {
        Action::Allow => "allowed",
        Action::Flag => "flagged",
        Action::Redact => "redacted",
        Action::Strip => "taken out",
        Action::Route => "sent to another model",
        Action::Throttle => "throttled",
        Action::Block => "blocked",
    }
}

/// The name that the policy uses.
pub(super) fn name(trust: Trust) -> String {
    format!("{trust:?}").to_lowercase()
}
