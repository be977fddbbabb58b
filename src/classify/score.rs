//! From logits to a judgement.

use serde::Serialize;

use crate::base::Span;
use crate::model::Logits;

/// The kind of attack that a text looks most like.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A probe that serves to copy the model or its training data.
    Extraction,
    /// An instruction where none belongs, or a jailbreak.
    Injection,
}

impl Label {
    /// The name used in findings, the record and JSON output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Extraction => "extraction",
            Self::Injection => "injection",
        }
    }
}

/// One window's score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WindowScore {
    /// Bytes of the text that the window shows to the model; windows overlap.
    pub span: Span,
    /// Probability of an attack, 0 to 1.
    pub score: f32,
    /// Share of the window's characters that the model's vocabulary does not know, 0 to 1.
    pub unknown_share: f32,
}

/// The model's judgement of one text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Probability of an attack: the highest of all windows. 0 when no window was judged (see `unjudged`).
    pub score: f32,
    /// The kind of attack that the highest window looks most like, whatever the score is.
    pub label: Label,
    /// The highest window's probabilities: benign, injection, extraction.
    pub probabilities: [f32; 3],
    /// Every window that was judged, in order.
    pub windows: Vec<WindowScore>,
    /// Bytes that no window showed to the model, in order: the text was over the budget. Empty when all was seen.
    pub unjudged: Vec<Span>,
    /// The highest share of unknown characters in any window: what the model saw there only as "unknown".
    pub unknown_share: f32,
}

impl Judged {
    /// Joins the windows' results into a judgement of their text.
    pub(super) fn of(windows: impl IntoIterator<Item = (Span, f32, Logits)>, unjudged: Vec<Span>) -> Self {
        let mut judged = Self {
            score: 0.0,
            label: Label::Injection,
            probabilities: [1.0, 0.0, 0.0],
            windows: Vec::new(),
            unjudged,
            unknown_share: 0.0,
        };
        for (span, unknown_share, logits) in windows {
            let probabilities = softmax(logits);
            let score = (probabilities[1] + probabilities[2]) as f32;
            if judged.windows.is_empty() || score > judged.score {
                judged.score = score;
                judged.probabilities = probabilities.map(|probability| probability as f32);
                judged.label = if probabilities[2] > probabilities[1] { Label::Extraction } else { Label::Injection };
            }
            judged.unknown_share = judged.unknown_share.max(unknown_share);
            judged.windows.push(WindowScore { span, score, unknown_share });
        }
        judged
    }

    /// The window with the highest score: where to look.
    pub fn highest(&self) -> Option<&WindowScore> {
        self.windows.iter().max_by(|a, b| a.score.total_cmp(&b.score))
    }
}

/// Probabilities of finite logits. In `f64`: near 0 and 1 the difference of two texts must not be rounded away.
fn softmax(logits: Logits) -> [f64; 3] {
    let logits = logits.map(f64::from);
    let highest = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| (logit - highest).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_extremes_do_not_overflow() {
        let even = softmax([2.0, 2.0, 2.0]);
        assert!(even.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-12));
        let extreme = softmax([f32::MAX, f32::MIN, 0.0]);
        assert_eq!(extreme, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_highest_window_speaks_for_the_text() {
        let (first, second) = (Span::new(0, 5), Span::new(4, 9));
        let judged = Judged::of([(first, 0.5, [4.0, 0.0, 0.0]), (second, 0.0, [0.0, 1.0, 3.0])], Vec::new());
        assert_eq!(judged.label, Label::Extraction);
        assert_eq!(judged.highest().map(|window| window.span), Some(second));
        assert_eq!(judged.score, judged.windows[1].score);
        // e^3 / (e^0 + e^1 + e^3) and so on, by hand.
        assert!((judged.probabilities[2] - 0.843_795).abs() < 1e-5);
        assert!((judged.score - (1.0 - 0.042_010)).abs() < 1e-5);
        assert_eq!(judged.unknown_share, 0.5);
    }

    #[test]
    fn a_text_without_windows_scores_nothing() {
        let judged = Judged::of([], vec![Span::new(0, 3)]);
        assert_eq!((judged.score, judged.unjudged.len()), (0.0, 1));
    }
}
