//! `manifest.json`: what a model folder holds, as a type that cannot be wrong.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::Limits;
use crate::model::error::ModelError;
use crate::model::file::{self, FileEntry};

/// The classes, in the order of the model's outputs. Fixed: the meaning of a column must not be a matter of configuration.
pub const LABELS: [&str; 3] = ["benign", "injection", "extraction"];

/// The manifest's file name in a model folder.
pub const MANIFEST: &str = "manifest.json";

/// The manifest of one model, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The model's name (letters, digits, `-`, `_`, `.`, `+`).
    pub name: String,
    /// Its version (the same alphabet).
    pub version: String,
    /// The licence it is under.
    pub licence: String,
    /// The ONNX file.
    pub model: FileEntry,
    /// The tokenizer's file.
    pub tokenizer: FileEntry,
    /// How long texts are cut.
    pub window: WindowShape,
    /// Length of the embedding that the model gives beside its scores.
    pub embedding_dims: usize,
    /// The file of golden inputs, in the model's folder.
    pub golden: PathBuf,
    /// Largest difference between a golden score and the present one.
    pub tolerance: f32,
    /// The score from which the model's makers call a text an attack, if they say.
    pub threshold: Option<f32>,
    /// How it was trained: free form, for the model card and for people.
    pub trained: Map<String, Value>,
}

/// The shape of the windows that a long text is cut into.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WindowShape {
    /// Tokens of one window, the special ones at both ends included.
    pub tokens: usize,
    /// Tokens that a window shares with the one before it.
    pub overlap: usize,
}

impl Manifest {
    /// Reads and checks `manifest.json` in `dir`. Every problem is named, not the first alone.
    pub fn read(dir: &Path, limits: &Limits) -> Result<Self, ModelError> {
        let path = dir.join(MANIFEST);
        let bytes = file::read_bounded(&path, limits.model_manifest_bytes)?;
        Self::parse(&bytes, limits).map_err(|problems| ModelError::Manifest { path, problems })
    }

    /// Parses and checks a manifest's bytes.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Vec<String>> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| vec![error.to_string()])?;
        let mut problems = raw.problems();
        problems.extend(raw.model.problems("model", limits));
        problems.extend(raw.tokenizer.problems("tokenizer", limits));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: raw.name,
            version: raw.version,
            licence: raw.licence,
            model: raw.model,
            tokenizer: raw.tokenizer,
            window: raw.window,
            embedding_dims: raw.embedding.dims,
            golden: raw.golden.file.into(),
            tolerance: raw.golden.tolerance,
            threshold: raw.threshold,
            trained: raw.trained,
        })
    }
}

/// The manifest as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: u64,
    name: String,
    version: String,
    task: String,
    model: FileEntry,
    tokenizer: FileEntry,
    labels: Vec<String>,
    window: WindowShape,
    embedding: Embedding,
    licence: String,
    trained: Map<String, Value>,
    golden: Golden,
    #[serde(default)]
    threshold: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Embedding {
    dims: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    file: String,
    tolerance: f32,
}

impl Raw {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut need = |right: bool, problem: String| {
            if !right {
                problems.push(problem);
            }
        };
        need(self.format == 1, format!("`format` is {}; this Portcullis reads format 1", self.format));
        need(
            self.task == "text-classification",
            format!("`task` is {:?}; it must be \"text-classification\"", self.task),
        );
        need(
            is_word(&self.name),
            format!("`name` {:?} must be 1 to 64 letters, digits, `-`, `_`, `.` or `+`", self.name),
        );
        need(
            is_word(&self.version),
            format!("`version` {:?} must be 1 to 64 letters, digits, `-`, `_`, `.` or `+`", self.version),
        );
        need(!self.licence.trim().is_empty(), "`licence` is empty; name the licence of the weights".to_owned());
        need(self.labels == LABELS, format!("`labels` are {:?}; they must be {LABELS:?} in this order", self.labels));
        let window = self.window;
        need(
            (WINDOW_MIN..=WINDOW_MAX).contains(&window.tokens),
            format!("`window.tokens` is {}; it must be {WINDOW_MIN} to {WINDOW_MAX}", window.tokens),
        );
        // Two tokens are special; at least half of the rest must be new, or a long text would cost without end.
        need(
            window.overlap <= window.tokens.saturating_sub(2) / 2,
            format!("`window.overlap` is {}; at most half of the {} tokens of a window", window.overlap, window.tokens),
        );
        need(
            (1..=EMBEDDING_MAX).contains(&self.embedding.dims),
            format!("`embedding.dims` is {}; it must be 1 to {EMBEDDING_MAX}", self.embedding.dims),
        );
        need(
            file::is_plain_name(&self.golden.file),
            format!("`golden.file` {:?} must be a plain file name in the model's folder", self.golden.file),
        );
        // A tolerance that forgives everything is no test.
        need(
            self.golden.tolerance > 0.0 && self.golden.tolerance <= TOLERANCE_MAX,
            format!("`golden.tolerance` is {}; it must be above 0 and at most {TOLERANCE_MAX}", self.golden.tolerance),
        );
        need(
            self.threshold.is_none_or(|threshold| threshold > 0.0 && threshold < 1.0),
            format!("`threshold` is {:?}; it must lie between 0 and 1", self.threshold),
        );
        problems
    }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'))
}

const WINDOW_MIN: usize = 8;
const WINDOW_MAX: usize = 8192;
const EMBEDDING_MAX: usize = 8192;
const TOLERANCE_MAX: f32 = 0.1;
