//! `eval --full`: rows judged as the inline path judges them, by rules and model together.

use std::sync::Arc;
use std::time::Instant;

use super::rows::Row;
use super::{Pending, ROW_TIME, TextScore};
use crate::base::{Fault, Limits};
use crate::classify::Classifier;
use crate::cli::texts::Texts;
use crate::inspect::Snapshot;
use crate::rules::Facts;
use crate::text::{Direction, Role};
use crate::verdict::Action;

/// Starts to judge a row. Its score is 1 where the rules block it, and else the higher of the model's score and 0.5 where
/// the rules flag it: below and above stays the model's to say.
pub(super) fn score(snapshot: &Arc<Snapshot>, classifier: &Classifier, row: &Row) -> Result<Pending, Fault> {
    let texts = Texts::new(row.role.unwrap_or(Role::Unknown), row.text.clone()).with_system(row.system.clone());
    let scanned = snapshot.scan(texts, Direction::Request, &Facts::default());
    let questions = scanned.questions();
    let by_rules = match scanned.by_rules().action {
        Action::Block => 1.0,
        Action::Allow => 0.0,
        Action::Flag | Action::Redact | Action::Strip | Action::Route | Action::Throttle => 0.5,
    };
    let ticket = match questions.is_empty() {
        true => None,
        false => Some(classifier.submit(questions, Instant::now() + ROW_TIME)?),
    };
    Ok(Box::new(move || {
        let Some(ticket) = ticket else { return Ok(TextScore { score: by_rules, is_partial: false }) };
        let model = super::score_of(ticket)?;
        Ok(TextScore { score: model.score.max(by_rules), ..model })
    }))
}

/// The limits of an evaluation: as configured, with room for the rows under way.
pub(super) fn limits(configured: &Limits, in_flight: usize) -> Limits {
    Limits { model_queue: configured.model_queue.max(in_flight * configured.model_windows), ..configured.clone() }
}
