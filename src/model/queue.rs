//! The bounded queue between exchanges and sessions.
//!
//! A job is the windows of one exchange. Workers take one window of each job in turn, so that a prompt of one window does not
//! wait behind a document of five hundred. A timekeeper thread answers jobs whose deadline passes, whatever the workers do.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::base::{Cause, Fault};
use crate::model::session::CLASSES;

/// Token ids of one window, special tokens included.
pub type Window = Vec<i64>;

/// The model's raw output for one window, in the order of [`super::LABELS`].
pub type Logits = [f32; CLASSES];

/// Called once with one row of logits per window, or with the fault. Runs on a thread of the pool: it must be short.
pub type Reply = Box<dyn FnOnce(Result<Vec<Logits>, Fault>) + Send>;

/// Jobs and their windows.
pub(super) struct Queue {
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
    clock: Condvar,
}

/// An open job, held by whoever waits for it: dropped, its waiting windows are thrown away and nobody is answered.
#[derive(Debug)]
#[must_use = "dropping it cancels the job"]
pub struct Job {
    queue: Arc<Queue>,
    id: u64,
}

/// One window on its way to a session.
pub(super) struct Task {
    id: u64,
    index: usize,
    pub window: Window,
}

#[derive(Default)]
struct State {
    /// Jobs with windows to hand out, each at most once, in turn.
    turn: VecDeque<u64>,
    jobs: HashMap<u64, Open>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Windows in `pending` over all jobs; a job that has not been filled counts as one.
    waiting: usize,
    next_id: u64,
    closed: bool,
}

struct Open {
    deadline: Instant,
    filled: bool,
    pending: std::iter::Enumerate<std::vec::IntoIter<Window>>,
    rows: Vec<Option<Logits>>,
    missing: usize,
    reply: Reply,
}

impl Job {
    /// Puts the job's windows into the queue: all of them or, with the cause `overload`, none.
    pub fn fill(&self, windows: Vec<Window>) -> Result<(), Fault> {
        self.queue.fill(self.id, windows)
    }

    /// Answers the job with a fault.
    pub fn fail(&self, fault: Fault) {
        self.queue.answer(self.id, Err(fault));
    }

    /// True until the job is answered.
    pub fn is_open(&self) -> bool {
        self.queue.lock().jobs.contains_key(&self.id)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let cancelled = self.queue.lock().remove(self.id);
        // Dropped outside the lock: the reply is a closure of somebody else's.
        drop(cancelled);
    }
}

impl Queue {
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), work: Condvar::new(), clock: Condvar::new() }
    }

    pub fn open(queue: &Arc<Self>, deadline: Instant, reply: Reply) -> Result<Job, Fault> {
        let mut state = queue.lock();
        if state.closed {
            return Err(closing());
        }
        if state.waiting >= queue.limit {
            return Err(queue.overload(state.waiting, 1));
        }
        let id = state.next_id;
        state.next_id += 1;
        state.waiting += 1;
        let pending = Vec::new().into_iter().enumerate();
        state.jobs.insert(id, Open { deadline, filled: false, pending, rows: Vec::new(), missing: 0, reply });
        state.deadlines.insert((deadline, id));
        if state.deadlines.first() == Some(&(deadline, id)) {
            queue.clock.notify_one();
        }
        drop(state);
        Ok(Job { queue: Arc::clone(queue), id })
    }

    fn fill(&self, id: u64, windows: Vec<Window>) -> Result<(), Fault> {
        let count = windows.len();
        let mut guard = self.lock();
        let state = &mut *guard;
        let others = state.waiting.saturating_sub(1);
        // Answered already (its deadline passed): there is nothing left to do.
        let Some(job) = state.jobs.get_mut(&id).filter(|job| !job.filled) else { return Ok(()) };
        if count == 0 {
            drop(guard);
            self.answer(id, Ok(Vec::new()));
            return Ok(());
        }
        if others + count > self.limit {
            return Err(self.overload(others, count));
        }
        job.filled = true;
        job.rows = vec![None; count];
        job.missing = count;
        job.pending = windows.into_iter().enumerate();
        state.waiting = others + count;
        state.turn.push_back(id);
        drop(guard);
        if count == 1 {
            self.work.notify_one()
        } else {
            self.work.notify_all()
        }
        Ok(())
    }

    /// The next window for a worker; waits for one. `None`: the pool closes.
    pub fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.take() {
                return Some(task);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a worker's result in.
    pub fn finish(&self, task: &Task, outcome: Result<Logits, Fault>) {
        let mut state = self.lock();
        let Some(job) = state.jobs.get_mut(&task.id) else { return };
        let row = match outcome {
            Ok(row) => row,
            Err(fault) => {
                drop(state);
                return self.answer(task.id, Err(fault));
            }
        };
        if let Some(slot) = job.rows.get_mut(task.index) {
            *slot = Some(row);
        }
        job.missing = job.missing.saturating_sub(1);
        if job.missing == 0 {
            let rows: Option<Vec<Logits>> = std::mem::take(&mut job.rows).into_iter().collect();
            drop(state);
            let rows = rows.ok_or_else(|| Fault::ours(Cause::Internal, "model: a window without a result"));
            self.answer(task.id, rows);
        }
    }

    /// Answers jobs whose deadline has passed, until the pool closes.
    pub fn keep_time(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            let Some(&(deadline, id)) = state.deadlines.first() else {
                state = self.clock.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if deadline > now {
                let waited = self.clock.wait_timeout(state, deadline - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            drop(state);
            self.answer(id, Err(Fault::ours(Cause::Timeout, "model: the deadline passed")));
            state = self.lock();
        }
    }

    /// Ends the threads' loops and answers everything open with a fault.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.turn.clear();
        state.deadlines.clear();
        state.waiting = 0;
        let open: Vec<Open> = state.jobs.drain().map(|(_, job)| job).collect();
        drop(state);
        self.work.notify_all();
        self.clock.notify_all();
        for job in open {
            (job.reply)(Err(closing()));
        }
    }

    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn answer(&self, id: u64, outcome: Result<Vec<Logits>, Fault>) {
        let job = self.lock().remove(id);
        if let Some(job) = job {
            (job.reply)(outcome);
        }
    }

    fn overload(&self, waiting: usize, more: usize) -> Fault {
        let detail = format!("model: {waiting} windows wait, {more} more would pass the limit of {}", self.limit);
        Fault::ours(Cause::Overload, detail)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that could panic, so a poisoned lock is still a good one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Task> {
        while let Some(id) = self.turn.pop_front() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let Some((index, window)) = job.pending.next() else { continue };
            self.waiting = self.waiting.saturating_sub(1);
            if job.pending.len() > 0 {
                self.turn.push_back(id);
            }
            return Some(Task { id, index, window });
        }
        None
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let job = self.jobs.remove(&id)?;
        self.deadlines.remove(&(job.deadline, id));
        let counted = if job.filled { job.pending.len() } else { 1 };
        self.waiting = self.waiting.saturating_sub(counted);
        Some(job)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("limit", &self.limit).finish_non_exhaustive()
    }
}

fn closing() -> Fault {
    Fault::ours(Cause::ModelMissing, "model: it is being put away")
}
