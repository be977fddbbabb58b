//! Golden inputs: texts whose scores were recorded when the model was made.

use std::path::Path;

use serde::Deserialize;

use crate::classify::score::Judged;
use crate::model::{LABELS, ModelError};

/// One golden input.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    /// The text.
    pub text: String,
    /// Probabilities recorded for it: benign, injection, extraction.
    pub scores: [f32; 3],
}

impl Golden {
    /// Parses a golden file. `path` is for messages.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Self>, ModelError> {
        let inputs: Vec<Self> = serde_json::from_slice(bytes)
            .map_err(|error| ModelError::file(path, format!("not golden inputs: {error}")))?;
        if inputs.is_empty() {
            // Without inputs the self-test could not fail.
            return Err(ModelError::file(path, "no golden input in it; at least one is needed"));
        }
        Ok(inputs)
    }

    /// What is wrong with a judgement of this input, in one line.
    pub fn failure(&self, number: usize, judged: &Judged, tolerance: f32) -> Option<String> {
        let start: String = self.text.chars().take(60).collect();
        if !judged.unjudged.is_empty() {
            return Some(format!("golden input {number} ({start:?}) is longer than the budget of windows"));
        }
        // Asked this way round, a score that is not a number fails.
        let near = |(expected, found): (&f32, &f32)| (expected - found).abs() <= tolerance;
        (!self.scores.iter().zip(&judged.probabilities).all(near)).then(|| {
            format!(
                "golden input {number} ({start:?}): expected {:.4?}, got {:.4?} for {LABELS:?}, tolerance {tolerance}",
                self.scores, judged.probabilities
            )
        })
    }
}
