//! One ONNX Runtime session: token ids in, logits out. Single-threaded; several run side by side in a [`super::Pool`].

use std::fmt;
use std::path::Path;

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::model::error::ModelError;
use crate::model::manifest::LABELS;

/// Number of classes, one logit each.
pub const CLASSES: usize = LABELS.len();

/// A model as ONNX Runtime's session, for windows of one text each.
pub struct ModelSession {
    session: Session,
    options: RunOptions<HasSelectedOutputs>,
    mask: Vec<i64>,
}

impl ModelSession {
    /// Builds the session from checked bytes and holds its inputs and outputs against the contract.
    ///
    /// `path` is for messages only: nothing is read from it.
    pub fn build(
        environment: &Environment,
        bytes: &[u8],
        path: &Path,
        shape: SessionShape,
    ) -> Result<Self, ModelError> {
        let failed = |problem: String| ModelError::Session { path: path.to_path_buf(), problem };
        let session = commit(environment, bytes).map_err(|error| failed(format!("ONNX Runtime: {error}")))?;
        let problems = shape.problems(session.inputs(), session.outputs());
        if !problems.is_empty() {
            return Err(failed(problems.join("; ")));
        }
        let options = RunOptions::new()
            .map_err(|error| failed(error.to_string()))?
            .with_outputs(OutputSelector::no_default().with(LOGITS));
        Ok(Self { session, options, mask: vec![1; shape.window_tokens] })
    }

    /// Runs one window. One at a time, because batches gain nothing where the time goes. Measured 2026-11-21, EPYC Zen 3, one
    /// thread, MiniLM int8, ms of CPU a window alone / in batches of eight: 8 tokens 0.84 / 0.57, 32 tokens 2.4 / 2.0,
    /// 64 tokens 4.5 / 4.1, 128 tokens 9.0 / 10.1.
    ///
    /// `ids` hold the special tokens too; more than the window's tokens is an error.
    pub fn run(&mut self, ids: &[i64]) -> Result<[f32; CLASSES], String> {
        let mask = self.mask.get(..ids.len()).ok_or_else(|| format!("{} tokens in one window", ids.len()))?;
        let shape = [1, ids.len()];
        let ids = TensorRef::from_array_view((shape, ids)).map_err(|error| error.to_string())?;
        let mask = TensorRef::from_array_view((shape, mask)).map_err(|error| error.to_string())?;
        let outputs = self
            .session
            .run_with_options(ort::inputs![IDS => ids, MASK => mask], &self.options)
            .map_err(|error| error.to_string())?;
        let logits = outputs.get(LOGITS).ok_or("the model gave no logits")?;
        let (_, row) = logits.try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
        let row: [f32; CLASSES] = row.try_into().map_err(|_| format!("{} logits instead of {CLASSES}", row.len()))?;
        if row.iter().all(|logit| logit.is_finite()) { Ok(row) } else { Err("a logit that is not a number".to_owned()) }
    }
}

impl fmt::Debug for ModelSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelSession").field("window_tokens", &self.mask.len()).finish_non_exhaustive()
    }
}

/// One thread per session and no spinning: parallelism comes from sessions side by side, and an idle appliance is idle.
fn commit(environment: &Environment, bytes: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_no_environment_execution_providers()?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_config_entry("session.load_model_format", "ONNX")?
        .commit_from_memory(bytes)
}

/// The sizes that the manifest promises.
#[derive(Clone, Copy, Debug)]
pub struct SessionShape {
    /// Most tokens of one window.
    pub window_tokens: usize,
    /// Length of the embedding.
    pub embedding_dims: usize,
}

impl SessionShape {
    fn problems(self, inputs: &[Outlet], outputs: &[Outlet]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names: Vec<&str> = inputs.iter().map(Outlet::name).collect();
        names.sort_unstable();
        if names != [MASK, IDS] {
            problems.push(format!("inputs are {names:?}; they must be {MASK:?} and {IDS:?}"));
        }
        for input in inputs {
            if !is_tensor(input, TensorElementType::Int64, None) {
                problems.push(format!("input {:?} must be int64 [batch, tokens]", input.name()));
            }
        }
        for (name, last) in [(LOGITS, CLASSES), (EMBEDDING, self.embedding_dims)] {
            let found = outputs.iter().find(|output| output.name() == name);
            if !found.is_some_and(|output| is_tensor(output, TensorElementType::Float32, Some(last))) {
                problems.push(format!("there must be an output {name:?}, float32 [batch, {last}]"));
            }
        }
        problems
    }
}

/// Two dimensions of the element type; the last one of a fixed length where one is given.
fn is_tensor(outlet: &Outlet, element: TensorElementType, last: Option<usize>) -> bool {
    let &ValueType::Tensor { ty, ref shape, .. } = outlet.dtype() else { return false };
    let fits = |length: usize| shape.last().is_some_and(|&found| i64::try_from(length) == Ok(found));
    ty == element && shape.len() == 2 && last.is_none_or(fits)
}

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const LOGITS: &str = "logits";
const EMBEDDING: &str = "embedding";
