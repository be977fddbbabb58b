//! The pure decision: findings and thresholds in, a verdict out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::text::Trust;
use crate::verdict::finding::Finding;

/// What is done with a text, mildest first; the order is the order of strength.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing to say.
    #[default]
    Allow,
    /// Passes, and is recorded for review.
    Flag,
    /// Passes with the matched spans replaced.
    Redact,
    /// Passes without the field or element that holds the text.
    Strip,
    /// Passes to another model than the one that was asked.
    Route,
    /// Passes; whoever sent it is slowed down for a while.
    Throttle,
    /// Does not pass.
    Block,
}

impl Action {
    /// All actions, mildest first.
    pub const ALL: [Self; 7] =
        [Self::Allow, Self::Flag, Self::Redact, Self::Strip, Self::Route, Self::Throttle, Self::Block];

    /// The name used in the record, metrics and JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Strip => "strip",
            Self::Route => "route",
            Self::Throttle => "throttle",
            Self::Block => "block",
        }
    }
}

/// Anomaly scores from which a passage is flagged or blocked. A block level of `null` never blocks by score.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Flag at this many points.
    pub flag: u32,
    /// Block at this many points; `null`: never by score alone.
    pub block: Option<u32>,
}

/// One value for each trust that a passage may have.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ByTrust<T> {
    /// System prompt and tool definitions.
    pub operator: T,
    /// User turns and history.
    pub user: T,
    /// Documents, tool results, unknown fields.
    pub untrusted: T,
    /// The provider's reply.
    pub provider: T,
}

/// Score levels by the trust of a passage's role.
pub type Thresholds = ByTrust<Levels>;

/// Probabilities of an attack from which the model's judgement becomes a finding.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLevels {
    /// A finding of medium severity (3 points) from here; `null`: never.
    pub flag: Option<f32>,
    /// A finding that blocks by itself from here; `null`: never.
    pub block: Option<f32>,
}

/// The model's levels by trust. A trust whose both levels are `null` is not classified at all.
pub type ModelThresholds = ByTrust<ModelLevels>;

/// What the decision reads. No field has a default: safety choices are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Anomaly-score levels.
    pub score: Thresholds,
    /// Model levels.
    pub model: ModelThresholds,
}

impl<T: Copy> ByTrust<T> {
    /// The value for one trust.
    pub fn of(&self, trust: Trust) -> T {
        match trust {
            Trust::Operator => self.operator,
            Trust::Provider => self.provider,
            Trust::Untrusted => self.untrusted,
            Trust::User => self.user,
        }
    }
}

impl ModelThresholds {
    /// True when some level is set for this trust, so that the model must look.
    pub fn wants(&self, trust: Trust) -> bool {
        let levels = self.of(trust);
        levels.flag.is_some() || levels.block.is_some()
    }
}

/// A decision about one text or one exchange's direction.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// Highest anomaly score of any passage.
    pub score: u32,
    /// Everything found, in order of place.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The model that the exchange is sent to instead: that of the first finding that routes.
    pub fn route(&self) -> Option<&str> {
        let mut routing = self.findings.iter().filter(|finding| finding.action == Some(Action::Route));
        routing.find_map(|finding| finding.to.as_deref())
    }

    /// Names of the throttles that findings put on whoever sent this.
    pub fn throttles(&self) -> impl Iterator<Item = &str> {
        let throttling = self.findings.iter().filter(|finding| finding.action == Some(Action::Throttle));
        throttling.filter_map(|finding| finding.to.as_deref())
    }

    /// Takes another verdict in: the stronger action, the higher score, all findings.
    pub fn join(&mut self, other: Self) {
        self.action = self.action.max(other.action);
        self.score = self.score.max(other.score);
        self.findings.extend(other.findings);
    }
}

/// Decides over findings of any number of passages.
///
/// Per passage the points of its findings are added, each rule once; the sum is held against the levels of the passage's
/// trust. A finding's own action (hard block, redact, flag) stands beside the sum. The strongest action wins.
pub fn decide(findings: Vec<Finding>, thresholds: &Thresholds) -> Verdict {
    let mut verdict = Verdict::default();
    let mut first = 0;
    let mut findings = findings;
    findings.sort_by_key(|finding| (finding.passage, finding.span));
    while let Some(head) = findings.get(first) {
        let (passage, trust) = (head.passage, head.trust);
        let count = findings[first..].iter().take_while(|f| f.passage == passage).count();
        let decided = decide_passage(&findings[first..first + count], thresholds.of(trust));
        verdict.action = verdict.action.max(decided.action());
        verdict.score = verdict.score.max(decided.score);
        first += count;
    }
    verdict.findings = findings;
    verdict
}

/// How the decision about one passage comes about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Decided {
    /// Points of its findings, each rule once.
    pub score: u32,
    /// What they are held against.
    pub levels: Levels,
    /// What the score comes to.
    pub by_score: Action,
    /// The strongest action that a finding demands by itself.
    pub by_findings: Action,
}

impl Decided {
    /// The stronger of the two.
    pub fn action(self) -> Action {
        self.by_score.max(self.by_findings)
    }
}

/// Decides over the findings of one passage; see [`decide`].
pub fn decide_passage(findings: &[Finding], levels: Levels) -> Decided {
    let mut decided = Decided { score: 0, levels, by_score: Action::Allow, by_findings: Action::Allow };
    let mut counted = HashSet::new();
    for finding in findings.iter().filter(|finding| finding.standing.acts()) {
        if counted.insert(&finding.source) {
            decided.score = decided.score.saturating_add(finding.points);
        }
        decided.by_findings = decided.by_findings.max(finding.action.unwrap_or_default());
    }
    if levels.block.is_some_and(|block| decided.score >= block) {
        decided.by_score = Action::Block;
    } else if decided.score >= levels.flag && decided.score > 0 {
        decided.by_score = Action::Flag;
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::finding::{Severity, Standing};

    fn finding(id: &str, passage: usize, severity: Severity, action: Option<Action>) -> Finding {
        Finding { passage, ..Finding::for_test(id, severity, action) }
    }

    const LEVELS: Levels = Levels { flag: 2, block: Some(5) };
    const THRESHOLDS: Thresholds = Thresholds { operator: LEVELS, user: LEVELS, untrusted: LEVELS, provider: LEVELS };

    #[test]
    fn points_add_up_within_a_passage_but_not_across_passages() {
        let apart =
            decide(vec![finding("A", 0, Severity::Medium, None), finding("B", 1, Severity::Medium, None)], &THRESHOLDS);
        assert_eq!((apart.action, apart.score), (Action::Flag, 3));
        let together =
            decide(vec![finding("A", 0, Severity::Medium, None), finding("B", 0, Severity::Medium, None)], &THRESHOLDS);
        assert_eq!((together.action, together.score), (Action::Block, 6));
    }

    #[test]
    fn a_rule_counts_once_however_often_it_matches() {
        let same = vec![finding("A", 0, Severity::Medium, None); 40];
        assert_eq!(decide(same, &THRESHOLDS).action, Action::Flag);
    }

    #[test]
    fn what_does_not_act_neither_counts_nor_hides_what_does() {
        let shadow = Finding { standing: Standing::Shadow, points: 0, ..finding("A", 0, Severity::Critical, None) };
        assert_eq!(decide(vec![shadow.clone()], &THRESHOLDS).action, Action::Allow);
        let both = decide(vec![shadow, finding("A", 0, Severity::Critical, None)], &THRESHOLDS);
        assert_eq!((both.action, both.score), (Action::Block, 5));
    }

    #[test]
    fn a_hard_action_stands_whatever_the_score() {
        assert_eq!(
            decide(vec![finding("A", 0, Severity::Info, Some(Action::Block))], &THRESHOLDS).action,
            Action::Block
        );
        let redact = decide(vec![finding("A", 0, Severity::Low, Some(Action::Redact))], &THRESHOLDS);
        assert_eq!(redact.action, Action::Redact);
    }

    #[test]
    fn nothing_found_is_allowed_even_at_a_flag_level_of_zero() {
        let zero = Levels { flag: 0, block: None };
        let thresholds = Thresholds { operator: zero, user: zero, untrusted: zero, provider: zero };
        assert_eq!(decide(Vec::new(), &thresholds).action, Action::Allow);
        assert_eq!(decide(vec![finding("A", 0, Severity::Info, None)], &thresholds).action, Action::Allow);
    }
}
