//! The classifier as its callers see it: loaded once, then texts in and tickets out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::{Cause, Fault, Limits};
use crate::classify::golden::Golden;
use crate::classify::plan::{Budget, TextPlan, judge, plan};
use crate::classify::ticket::Ticket;
use crate::classify::tokens::Tokens;
use crate::model::{Manifest, ModelError, Pool, PoolConfig, SessionShape, Window, file, onnx, runtime};

/// How a classifier runs.
#[derive(Clone, Debug, Default)]
pub struct ClassifierConfig {
    /// Sessions side by side, each on a thread; 0: one for each core.
    pub threads: usize,
    /// ONNX Runtime's library; `None`: the variable `PORTCULLIS_ONNXRUNTIME`, else the default places.
    pub onnxruntime: Option<PathBuf>,
}

/// A model that was verified, loaded, warmed and self-tested. Cheap to clone: all clones share the sessions.
#[derive(Clone, Debug)]
pub struct Classifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    manifest: Manifest,
    tokens: Tokens,
    pool: Pool,
    budget: Budget,
    threads: usize,
}

impl Classifier {
    /// Loads the model in the folder `dir`. Everything is checked before ONNX Runtime sees it, and the golden inputs must
    /// give their recorded scores.
    pub fn load(dir: &Path, config: &ClassifierConfig, limits: &Limits) -> Result<Self, ModelError> {
        let manifest = Manifest::read(dir, limits)?;
        let path = dir.join(&manifest.model.file);
        let model = manifest.model.read(dir)?;
        onnx::check(&model, limits).map_err(|problems| ModelError::Onnx { path: path.clone(), problems })?;
        let tokens = Tokens::parse(&manifest.tokenizer.read(dir)?, &dir.join(&manifest.tokenizer.file))?;
        let golden_path = dir.join(&manifest.golden);
        let golden = Golden::parse(&file::read_bounded(&golden_path, limits.model_manifest_bytes)?, &golden_path)?;
        let threads = threads(config.threads, limits)?;
        let shape = SessionShape { window_tokens: manifest.window.tokens, embedding_dims: manifest.embedding_dims };
        let pool_config = PoolConfig { path, shape, threads, queue: limits.model_queue };
        let pool = Pool::start(&runtime::load(config.onnxruntime.as_deref())?, &Arc::from(model), &pool_config)?;
        let budget = Budget { shape: manifest.window, windows: limits.model_windows };
        let classifier =
            Self { inner: Arc::new(Inner { folder: dir.to_owned(), manifest, tokens, pool, budget, threads }) };
        classifier.self_test(&golden)?;
        Ok(classifier)
    }

    /// The folder that it was loaded from.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The model's version, as its manifest has it.
    pub fn version(&self) -> &str {
        &self.inner.manifest.version
    }

    /// What the model's folder says about it.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Sessions that work side by side.
    pub fn threads(&self) -> usize {
        self.inner.threads
    }

    /// Windows that wait for a session at the moment.
    pub fn waiting(&self) -> usize {
        self.inner.pool.waiting()
    }

    /// Submits the texts of one exchange. The ticket resolves to one judgement per text, or to a fault: `timeout` at the
    /// deadline, `overload` when the queue cannot take all windows, `internal` when the model fails.
    ///
    /// Returns soon whatever the length of the texts: long ones are tokenised on rayon's threads.
    pub fn submit(&self, texts: Vec<String>, deadline: Instant) -> Result<Ticket, Fault> {
        let plans: Arc<OnceLock<Vec<TextPlan>>> = Arc::default();
        let (sender, answer) = oneshot::channel();
        let planned = Arc::clone(&plans);
        let reply = Box::new(move |rows: Result<_, Fault>| {
            let judged = rows.map(|rows| judge(planned.get().map_or(&[], Vec::as_slice), rows));
            // Nobody there any more: the ticket was dropped.
            let _ = sender.send(judged);
        });
        let job = Arc::new(self.inner.pool.open(deadline, reply)?);
        let ticket = Ticket { answer, _job: Arc::clone(&job) };
        if texts.iter().map(String::len).sum::<usize>() <= INLINE_BYTES {
            let windows = self.inner.plan(&texts, &plans, &|| true)?;
            job.fill(windows)?;
            return Ok(ticket);
        }
        let inner = Arc::clone(&self.inner);
        let waiting = Arc::downgrade(&job);
        drop(job);
        rayon::spawn(move || {
            // Asked between pieces: a ticket that was dropped or answered ends the work.
            let keep_going = || waiting.upgrade().is_some_and(|job| job.is_open());
            let planned = inner.plan(&texts, &plans, &keep_going);
            let Some(job) = waiting.upgrade() else { return };
            if let Err(fault) = planned.and_then(|windows| job.fill(windows)) {
                job.fail(fault);
            }
        });
        Ok(ticket)
    }

    fn self_test(&self, golden: &[Golden]) -> Result<(), ModelError> {
        let mut failures = Vec::new();
        for (index, input) in golden.iter().enumerate() {
            let deadline = Instant::now() + SELF_TEST_TIME;
            let judged = self.submit(vec![input.text.clone()], deadline).and_then(Ticket::wait);
            match judged.as_deref() {
                Ok([judged]) => failures.extend(input.failure(index + 1, judged, self.inner.manifest.tolerance)),
                Ok(other) => failures.push(format!("golden input {}: {} judgements", index + 1, other.len())),
                Err(fault) => failures.push(format!("golden input {}: {fault}", index + 1)),
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(ModelError::SelfTest { failures }) }
    }
}

impl Inner {
    /// Plans the texts, keeps the plans for the answer and returns the windows.
    fn plan(
        &self,
        texts: &[String],
        plans: &OnceLock<Vec<TextPlan>>,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Window>, Fault> {
        // A panic in the tokenizer costs this exchange its judgement, not the appliance its life.
        let planned = catch_unwind(AssertUnwindSafe(|| plan(&self.tokens, texts, self.budget, keep_going)));
        let planned = planned.unwrap_or_else(|_| Err("it panicked".to_owned()));
        let (text_plans, windows) =
            planned.map_err(|problem| Fault::ours(Cause::Internal, format!("tokenizer: {problem}")))?;
        let _ = plans.set(text_plans);
        Ok(windows)
    }
}

fn threads(configured: usize, limits: &Limits) -> Result<usize, ModelError> {
    let cores = || thread::available_parallelism().map_or(1, usize::from).min(limits.model_threads);
    match configured {
        0 => Ok(cores()),
        count if count <= limits.model_threads => Ok(count),
        count => Err(ModelError::Runtime(format!(
            "{count} model threads are asked for; at most {} (limit `model_threads`)",
            limits.model_threads
        ))),
    }
}

/// Texts up to this size in all are tokenised by the caller, longer ones elsewhere: about half a millisecond (0.5 µs a byte,
/// measured 2026-11-21 on EPYC Zen 3).
const INLINE_BYTES: usize = 1024;

/// A golden input takes a window's time; a machine too busy for this is too busy to serve.
const SELF_TEST_TIME: Duration = Duration::from_secs(60);
