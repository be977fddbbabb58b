//! Why a policy was not put in force: every problem for the API, and all of them as one text for people.

use crate::proxy::Problem;
use crate::yaml::Diagnostics;

/// At least one problem.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) problems: Vec<Problem>,
    pub(super) text: String,
    /// What is in the way may go by itself, and the files need no change.
    pub(super) passing: bool,
}

impl From<Diagnostics> for Refusal {
    fn from(found: Diagnostics) -> Self {
        Self { problems: Problem::all(&found), text: found.to_string(), passing: false }
    }
}

impl Refusal {
    /// One problem without a place in a file.
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        let problem = Problem::new(message, help);
        Self { text: problem.text.clone(), problems: vec![problem], passing: false }
    }

    /// The same refusal, for a reason that may go by itself.
    pub(super) fn passing(self) -> Self {
        Self { passing: true, ..self }
    }
}
