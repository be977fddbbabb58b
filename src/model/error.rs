//! Why a model cannot be used: what, where, and what to do.

use std::fmt::Write as _;
use std::path::PathBuf;

use thiserror::Error;

/// A model that cannot be used. Where several things are wrong, all of them are named.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file of the model that is missing, unreadable, too large, or not the one that the manifest names.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A manifest that says something impossible.
    #[error("{}: {}", path.display(), list(problems))]
    Manifest {
        /// The manifest's path.
        path: PathBuf,
        /// Every problem found.
        problems: Vec<String>,
    },
    /// An ONNX file that must not be handed to ONNX Runtime.
    #[error("{}: refused: {}", path.display(), list(problems))]
    Onnx {
        /// The model file.
        path: PathBuf,
        /// Every problem found.
        problems: Vec<String>,
    },
    /// ONNX Runtime's library is missing or does not load.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
    /// ONNX Runtime refused the model, or the model has other inputs and outputs than its manifest says.
    #[error("{}: {problem}", path.display())]
    Session {
        /// The model file.
        path: PathBuf,
        /// What ONNX Runtime or the check said.
        problem: String,
    },
    /// The store of models has none that can be used.
    #[error("{0}")]
    Store(String),
    /// The model loads, but its scores are not the recorded ones.
    #[error("self-test failed: {}", list(failures))]
    SelfTest {
        /// One line per golden input that failed.
        failures: Vec<String>,
    },
}

impl ModelError {
    pub(crate) fn file(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::File { path: path.into(), problem: problem.into() }
    }
}

/// One problem stands on the same line; several get a line each.
fn list(problems: &[String]) -> String {
    if let [only] = problems {
        return only.clone();
    }
    problems.iter().fold(format!("{} problems", problems.len()), |mut text, problem| {
        let _ = write!(text, "\n  - {problem}");
        text
    })
}
