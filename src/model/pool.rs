//! Sessions on threads of their own, behind one bounded [`Queue`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ort::environment::Environment;

use crate::base::{Cause, Fault};
use crate::model::error::ModelError;
use crate::model::queue::{Job, Queue, Reply};
use crate::model::session::{CLASSES, ModelSession, SessionShape};

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// The model's path, for messages.
    pub path: PathBuf,
    /// The sizes that the manifest promises.
    pub shape: SessionShape,
    /// Sessions, each on a thread.
    pub threads: usize,
    /// Windows that may wait in all; one more is refused with the cause `overload`.
    pub queue: usize,
}

/// Sessions of one model at work. Dropping it answers what is open with a fault and ends the threads.
#[derive(Debug)]
pub struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Builds the sessions, each on its own thread, and runs one full window through each: the first run is the slow one.
    pub fn start(environment: &Environment, model: &Arc<[u8]>, config: &PoolConfig) -> Result<Self, ModelError> {
        let queue = Arc::new(Queue::new(config.queue));
        let mut pool = Self { queue: Arc::clone(&queue), threads: Vec::new() };
        let (ready, readiness) = mpsc::channel();
        for number in 0..config.threads.max(1) {
            let (environment, model, config) = (environment.clone(), Arc::clone(model), config.clone());
            let (queue, ready) = (Arc::clone(&queue), ready.clone());
            pool.spawn(format!("model-{number}"), move || {
                let built = build(&environment, &model, &config);
                // Freed before the first job: the session has its own copy of the weights.
                drop(model);
                match built {
                    Ok(session) => {
                        let _ = ready.send(Ok(()));
                        drop(ready);
                        serve(session, &queue);
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })?;
        }
        drop(ready);
        let mut started = 0;
        for outcome in readiness {
            outcome?;
            started += 1;
        }
        if started < config.threads.max(1) {
            // A thread that ended without a word has panicked.
            let problem = format!("{started} of {} sessions started", config.threads);
            return Err(ModelError::Session { path: config.path.clone(), problem });
        }
        pool.spawn("model-clock".to_owned(), move || queue.keep_time())?;
        Ok(pool)
    }

    /// Opens a job without windows yet, so that its deadline counts from now on. See [`Job::fill`].
    pub fn open(&self, deadline: Instant, reply: Reply) -> Result<Job, Fault> {
        Queue::open(&self.queue, deadline, reply)
    }

    /// Windows that wait at the moment.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> Result<(), ModelError> {
        let thread = thread::Builder::new().name(name).spawn(work);
        let thread = thread.map_err(|error| ModelError::Runtime(format!("no thread for the model: {error}")))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn build(environment: &Environment, model: &[u8], config: &PoolConfig) -> Result<ModelSession, ModelError> {
    let mut session = ModelSession::build(environment, model, &config.path, config.shape)?;
    // Token 0 exists in every vocabulary.
    let warm = session.run(&vec![0; config.shape.window_tokens]);
    warm.map_err(|problem| ModelError::Session { path: config.path.clone(), problem })?;
    Ok(session)
}

fn serve(mut session: ModelSession, queue: &Queue) {
    while let Some(task) = queue.next() {
        let ran = catch_unwind(AssertUnwindSafe(|| session.run(&task.window)));
        let outcome: Result<[f32; CLASSES], String> = ran.unwrap_or_else(|_| Err("the session panicked".to_owned()));
        let outcome = outcome.map_err(|problem| Fault::ours(Cause::Internal, format!("model: {problem}")));
        queue.finish(&task, outcome);
    }
}
