//! What a judge found, and where.

use serde::{Deserialize, Serialize};

use crate::base::Span;
use crate::text::{Role, Trust};
use crate::verdict::decide::Action;

/// How bad a finding is. The points follow the OWASP Core Rule Set's anomaly scores (critical 5 … low 2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Recorded; adds nothing to the score.
    Info,
    /// 2 points.
    Low,
    /// 3 points.
    Medium,
    /// 4 points.
    High,
    /// 5 points.
    Critical,
}

impl Severity {
    /// Points added to a passage's anomaly score.
    pub fn points(self) -> u32 {
        match self {
            Self::Info => 0,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }
}

/// Which judge speaks.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The classifier; the label it leaned to.
    Model {
        /// `injection` or `extraction`.
        label: String,
    },
    /// A rule, by its stable id.
    Rule {
        /// For example `INJ-001`.
        id: String,
    },
}

impl Source {
    /// The rule's id or the model's label.
    pub fn name(&self) -> &str {
        match self {
            Self::Model { label } => label,
            Self::Rule { id } => id,
        }
    }
}

/// In which reading of the text a rule matched.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Unicode made canonical: invisible characters gone, look-alikes folded.
    Canonical,
    /// Encodings undone, outermost first, for example `["base64", "hex"]`.
    Decoded(Vec<&'static str>),
    /// As sent.
    #[default]
    Raw,
}

/// Whether a finding acts, and what keeps it from acting.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It adds its points and demands its action.
    #[default]
    Acts,
    /// A match of this rule, which allows, covers it.
    Allowed(String),
    /// The exception of this id covers it.
    Excepted(String),
    /// Its rule is above the paranoia level that acts.
    Executing,
    /// Its rule only counts.
    Shadow,
}

impl Standing {
    /// True when it acts.
    pub fn acts(&self) -> bool {
        *self == Self::Acts
    }

    /// The name used in metrics and in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acts => "acts",
            Self::Allowed(_) => "allowed",
            Self::Excepted(_) => "excepted",
            Self::Executing => "executing",
            Self::Shadow => "shadow",
        }
    }

    /// The rule that allows, or the exception.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Allowed(by) | Self::Excepted(by) => Some(by),
            Self::Acts | Self::Executing | Self::Shadow => None,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Who found it.
    pub source: Source,
    /// One line for people.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Points it adds to its passage's score.
    pub points: u32,
    /// The action the judge demands whatever the score is (`None`: it only adds points).
    pub action: Option<Action>,
    /// Whether it acts. One that does not has no points and no action.
    #[serde(skip_serializing_if = "Standing::acts")]
    pub standing: Standing,
    /// The action that one that does not act would demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<Action>,
    /// The model that it routes to, or the throttle that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Text that stands in for the span when the verdict is redact.
    pub mask: Option<String>,
    /// Tags: OWASP LLM Top 10, MITRE ATLAS, CWE.
    pub tags: Vec<String>,
    /// Index of the passage in its exchange.
    pub passage: usize,
    /// The passage's place (JSON Pointer).
    pub place: String,
    /// The passage's role.
    pub role: Role,
    /// The passage's trust.
    pub trust: Trust,
    /// Bytes of the passage's original text.
    pub span: Span,
    /// The reading that matched.
    pub layer: Layer,
    /// The model's probability of an attack, for a model finding.
    pub score: Option<f32>,
    /// What was matched, redacted for the record.
    pub excerpt: String,
}

#[cfg(test)]
impl Finding {
    /// For unit tests: what a rule finds in a user's text.
    pub(crate) fn for_test(id: &str, severity: Severity, action: Option<Action>) -> Self {
        Self {
            source: Source::Rule { id: id.to_owned() },
            title: String::new(),
            severity,
            points: severity.points(),
            action,
            standing: Standing::Acts,
            would: None,
            to: None,
            mask: None,
            tags: Vec::new(),
            passage: 0,
            place: "/text".to_owned(),
            role: Role::User,
            trust: Trust::User,
            span: Span::new(0, 1),
            layer: Layer::Raw,
            score: None,
            excerpt: id.to_lowercase(),
        }
    }
}
