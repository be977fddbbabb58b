//! Conditions: what must hold of a rule's patterns, in one text, for the rule to have found something. Pure values.
//!
//! ```text
//! text ─► parse ─► Expression ─► check (known, used, possible) ─► Condition ─► truth(counts, scores)
//! ```

mod check;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

pub(super) use self::check::{Checked, check};
pub(super) use self::parse::{is_reserved, parse};

/// A checked condition.
#[derive(Clone, Debug)]
pub struct Condition {
    written: String,
    expression: Expression,
    /// Patterns, in order, whose matches are findings: those that the condition does not only forbid.
    positive: Vec<u16>,
    asks_scores: bool,
}

/// A condition as a tree. Patterns by number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    /// How many matches a pattern has.
    Count(u16, Compare, u32),
    /// At least so many of these patterns match.
    Least(usize, Vec<u16>),
    Not(Box<Expression>),
    Score(Label, Compare, f32),
}

/// How two numbers are held against each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compare {
    Equal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    NotEqual,
}

/// What the classifier says of a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Label {
    Attack,
    Extraction,
    Injection,
}

impl Label {
    pub(super) const ALL: [Self; 3] = [Self::Attack, Self::Extraction, Self::Injection];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Extraction => "extraction",
            Self::Injection => "injection",
        }
    }
}

/// The classifier's scores of one text, 0 to 1; `None`: it was not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// That it is an attack of any kind.
    pub attack: Option<f32>,
    /// That it is an attempt at extraction.
    pub extraction: Option<f32>,
    /// That it is an injection.
    pub injection: Option<f32>,
}

impl Scores {
    /// The scores of a text that the classifier gives one label: the other kind of attack it is not.
    pub fn of_label(score: f32, label: &str) -> Self {
        let of = |name: &str| Some(if label == name { score } else { 0.0 });
        Self { attack: Some(score), extraction: of("extraction"), injection: of("injection") }
    }

    /// The higher of each, where one is known.
    pub fn max(self, other: Self) -> Self {
        let max = |a: Option<f32>, b: Option<f32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        Self {
            attack: max(self.attack, other.attack),
            extraction: max(self.extraction, other.extraction),
            injection: max(self.injection, other.injection),
        }
    }

    /// With the score of an attack that those of its kinds make, where none is given.
    pub(super) fn of_either_kind(self) -> Self {
        let either =
            Self { attack: self.extraction, ..Self::default() }.max(Self { attack: self.injection, ..Self::default() });
        Self { attack: self.attack.or(either.attack), ..self }
    }

    pub(super) fn of(&self, label: Label) -> Option<f32> {
        match label {
            Label::Attack => self.attack,
            Label::Extraction => self.extraction,
            Label::Injection => self.injection,
        }
    }

    pub(super) fn set(&mut self, label: Label, score: f32) {
        match label {
            Label::Attack => self.attack = Some(score),
            Label::Extraction => self.extraction = Some(score),
            Label::Injection => self.injection = Some(score),
        }
    }
}

/// How many matches each pattern of a rule has in one text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts(BTreeMap<u16, u32>);

impl Counts {
    /// Counts one match of a pattern.
    pub fn add(&mut self, pattern: u16) {
        let count = self.0.entry(pattern).or_insert(0);
        *count = count.saturating_add(1);
    }

    pub(super) fn of(&self, pattern: u16) -> u32 {
        self.0.get(&pattern).copied().unwrap_or(0)
    }

    #[cfg(test)]
    fn set(&mut self, pattern: u16, count: u32) {
        self.0.insert(pattern, count);
    }
}

/// What is known of a condition before the classifier has answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Truth {
    /// It does not hold, whatever the scores are.
    False,
    /// It holds, whatever the scores are.
    True,
    /// The scores decide.
    Unknown,
}

impl Condition {
    /// As it stands in the rule.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// True when the classifier may have a say.
    pub fn asks_scores(&self) -> bool {
        self.asks_scores
    }

    /// True for a pattern whose matches are findings when the condition holds.
    pub fn is_positive(&self, pattern: u16) -> bool {
        self.positive.binary_search(&pattern).is_ok()
    }

    /// What was seen of all that it could go by, for people. `names`: of the rule's patterns, in order.
    pub fn seen(&self, names: &[Option<&str>], counts: &Counts, scores: &Scores) -> String {
        let patterns = (0u16..).zip(names).map(|(number, name)| {
            let name = name.map_or_else(|| format!("pattern {}", number + 1), str::to_owned);
            match counts.of(number) {
                0 => format!("{name} not"),
                1 => format!("{name} once"),
                times => format!("{name} {times} times"),
            }
        });
        let labels = if self.asks_scores { &Label::ALL[..] } else { &[] };
        let scores =
            labels.iter().filter(|label| self.written.contains(&format!("score.{}", label.name()))).map(|label| {
                let score = scores.of(*label).map_or_else(|| "not known".to_owned(), |score| format!("{score:.2}"));
                format!("score.{} {score}", label.name())
            });
        patterns.chain(scores).collect::<Vec<_>>().join(", ")
    }

    /// Does it hold, as far as it can be told without the scores?
    pub fn before_scores(&self, counts: &Counts) -> Truth {
        self.expression.truth(counts, None)
    }

    /// Does it hold? A comparison with a score that is not known is false.
    pub fn holds(&self, counts: &Counts, scores: &Scores) -> bool {
        self.expression.truth(counts, Some(scores)) == Truth::True
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl Expression {
    /// `scores`: `None` before the classifier was asked; then a comparison with one is unknown, and what it does not decide
    /// is known all the same.
    fn truth(&self, counts: &Counts, scores: Option<&Scores>) -> Truth {
        let of = |holds: bool| if holds { Truth::True } else { Truth::False };
        match self {
            Self::All(parts) => strongest(parts, counts, scores, Truth::False),
            Self::Any(parts) => strongest(parts, counts, scores, Truth::True),
            Self::Count(pattern, compare, than) => of(compare.holds(&counts.of(*pattern), than)),
            Self::Least(least, patterns) => {
                of(patterns.iter().filter(|pattern| counts.of(**pattern) > 0).count() >= *least)
            }
            Self::Not(inner) => match inner.truth(counts, scores) {
                Truth::False => Truth::True,
                Truth::True => Truth::False,
                Truth::Unknown => Truth::Unknown,
            },
            Self::Score(label, compare, than) => match scores {
                None => Truth::Unknown,
                Some(scores) => of(scores.of(*label).is_some_and(|score| compare.holds(&score, than))),
            },
        }
    }
}

/// `wins`: the truth of one part that settles the whole.
fn strongest(parts: &[Expression], counts: &Counts, scores: Option<&Scores>, wins: Truth) -> Truth {
    let otherwise = if wins == Truth::True { Truth::False } else { Truth::True };
    let mut all = otherwise;
    for part in parts {
        match part.truth(counts, scores) {
            truth if truth == wins => return wins,
            Truth::Unknown => all = Truth::Unknown,
            _ => {}
        }
    }
    all
}

impl Compare {
    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::More => left > right,
            Self::MoreOrEqual => left >= right,
            Self::NotEqual => left != right,
        }
    }
}
