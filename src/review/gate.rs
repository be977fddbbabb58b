//! Whether a new model may take over: no worse on a frozen set than the one that serves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::datasets::{Label, Row};
use crate::base::Fault;
use crate::classify::metrics::{Metrics, ScoreLevels, Scored};
use crate::classify::{Classifier, Ticket};
use crate::model::Figures;

/// How a model does on these rows.
///
/// # Errors
/// A text that the model gave no answer for, by its number; too few texts of one kind to say anything.
pub fn figures(classifier: &Classifier, rows: &[Row]) -> Result<Figures, String> {
    let count = |is_attack: bool| rows.iter().filter(|row| (row.label != Label::Benign) == is_attack).count();
    let (attacks, benign) = (count(true), count(false));
    if attacks < ROWS_MIN || benign < ROWS_MIN {
        return Err(format!(
            "the set has {attacks} attacks and {benign} harmless texts: of less than {ROWS_MIN} each nothing can be said"
        ));
    }
    let mut scored = Vec::with_capacity(rows.len());
    let mut open: VecDeque<(usize, bool, Ticket)> = VecDeque::new();
    let wrong = |number: usize, fault: Fault| format!("row {} of the set: {fault}", number + 1);
    let mut take = |(number, is_attack, ticket): (usize, bool, Ticket)| -> Result<(), String> {
        let judged = ticket.wait().map_err(|fault| wrong(number, fault))?;
        let score = judged
            .first()
            .map(|judged| judged.score)
            .ok_or_else(|| format!("row {} of the set: no answer", number + 1))?;
        scored.push(Scored { is_attack, score });
        Ok(())
    };
    for (number, row) in rows.iter().enumerate() {
        let ticket = classifier
            .submit(vec![row.text.clone()], Instant::now() + ROW_TIME)
            .map_err(|fault| wrong(number, fault))?;
        open.push_back((number, row.label != Label::Benign, ticket));
        if open.len() >= AT_ONCE
            && let Some(first) = open.pop_front()
        {
            take(first)?;
        }
    }
    open.into_iter().try_for_each(&mut take)?;
    let levels = ScoreLevels::of(classifier.manifest().threshold.unwrap_or(THRESHOLD), &scored);
    let metrics = Metrics::of(&scored, &levels);
    let told = |figure: Option<f64>| figure.unwrap_or_default();
    Ok(Figures {
        version: classifier.version().to_owned(),
        rows: [attacks, benign],
        auc: told(metrics.auc),
        recall_at_fpr_01: told(metrics.recall_at_fpr_01),
        recall: told(metrics.recall),
        fpr: told(metrics.fpr),
    })
}

/// What keeps a candidate from taking over: each figure that is worse than the present model's by more than `tolerance`.
pub fn objections(present: &Figures, candidate: &Figures, tolerance: f64) -> Vec<String> {
    let of = |figures: &Figures| {
        [
            ("auc", figures.auc, 1.0),
            ("recall_at_fpr_0.01", figures.recall_at_fpr_01, 1.0),
            ("recall", figures.recall, 1.0),
            ("fpr", figures.fpr, -1.0),
        ]
    };
    of(present)
        .into_iter()
        .zip(of(candidate))
        // The sign says which way is worse; what is no number is no better.
        .filter(|((_, before, sign), (_, after, _))| after.is_nan() || sign * after < sign * before - tolerance)
        .map(|((name, before, _), (_, after, _))| format!("{name} is {after:.4}, and {before:.4} now"))
        .collect()
}

/// Rows of each kind that a set has at least.
const ROWS_MIN: usize = 20;
/// The score from which a text is an attack, where the model's makers say nothing.
const THRESHOLD: f32 = 0.5;
/// Texts that are asked about at once.
const AT_ONCE: usize = 16;
/// Time for one text.
const ROW_TIME: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_is_worse_is_named() {
        let present =
            Figures { version: "1".into(), rows: [50, 50], auc: 0.95, recall_at_fpr_01: 0.7, recall: 0.8, fpr: 0.02 };
        assert_eq!(objections(&present, &present, 0.0), [] as [&str; 0]);
        let better = Figures { auc: 0.96, fpr: 0.0, ..present.clone() };
        assert_eq!(objections(&present, &better, 0.0), [] as [&str; 0]);
        let worse = Figures { auc: 0.945, fpr: 0.05, recall: 0.78, ..present.clone() };
        assert_eq!(
            objections(&present, &worse, 0.01),
            ["recall is 0.7800, and 0.8000 now", "fpr is 0.0500, and 0.0200 now"]
        );
        let broken = Figures { auc: f64::NAN, ..present.clone() };
        assert_eq!(objections(&present, &broken, 1.0).len(), 1);
    }
}
