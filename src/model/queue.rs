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
        if deadline <= Instant::now() {
            return Err(late());
        }
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
            self.answer(id, Err(late()));
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

fn late() -> Fault {
    Fault::ours(Cause::Timeout, "model: the deadline passed")
}

fn closing() -> Fault {
    Fault::ours(Cause::ModelMissing, "model: it is being put away")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    type Answer = Result<Vec<Logits>, Cause>;

    fn open(queue: &Arc<Queue>) -> (Job, Receiver<Answer>) {
        open_until(queue, Instant::now() + Duration::from_secs(3600)).unwrap()
    }

    fn open_until(queue: &Arc<Queue>, deadline: Instant) -> Result<(Job, Receiver<Answer>), Cause> {
        let (sender, receiver) = channel();
        let reply = Box::new(move |rows: Result<Vec<Logits>, Fault>| {
            let _ = sender.send(rows.map_err(|fault| fault.cause));
        });
        Ok((Queue::open(queue, deadline, reply).map_err(|fault| fault.cause)?, receiver))
    }

    fn windows(name: i64, count: usize) -> Vec<Window> {
        vec![vec![name]; count]
    }

    fn queue(limit: usize) -> Arc<Queue> {
        Arc::new(Queue::new(limit))
    }

    #[test]
    fn the_limit_is_taken_at_n_and_refused_at_n_plus_one() {
        let queue = queue(5);
        let (first, _answer) = open(&queue);
        first.fill(windows(1, 3)).unwrap();
        let (second, _answer) = open(&queue);
        assert_eq!(second.fill(windows(2, 3)).unwrap_err().cause, Cause::Overload);
        // All or nothing: the refused windows left nothing behind, and the job may still be answered otherwise.
        assert_eq!(queue.waiting(), 4);
        second.fill(windows(2, 2)).unwrap();
        assert_eq!(queue.waiting(), 5);
        assert_eq!(open_until(&queue, Instant::now() + Duration::from_secs(9)).unwrap_err(), Cause::Overload);
    }

    #[test]
    fn jobs_take_turns() {
        let queue = queue(100);
        let (long, _answer) = open(&queue);
        long.fill(windows(1, 4)).unwrap();
        let (short, _answer) = open(&queue);
        short.fill(windows(2, 1)).unwrap();
        let (other, _answer) = open(&queue);
        other.fill(windows(3, 2)).unwrap();
        let order: Vec<i64> = (0..7).map(|_| queue.next().unwrap().window[0]).collect();
        assert_eq!(order, [1, 2, 3, 1, 3, 1, 1]);
        assert_eq!(queue.waiting(), 0);
    }

    #[test]
    fn rows_come_back_in_the_order_of_the_windows() {
        let queue = queue(100);
        let (job, answer) = open(&queue);
        job.fill(windows(1, 3)).unwrap();
        let mut tasks: Vec<Task> = (0..3).map(|_| queue.next().unwrap()).collect();
        tasks.reverse();
        for task in &tasks {
            assert!(answer.try_recv().is_err());
            queue.finish(task, Ok([task.index as f32; CLASSES]));
        }
        assert_eq!(answer.try_recv().unwrap().unwrap(), [[0.0; CLASSES], [1.0; CLASSES], [2.0; CLASSES]]);
        assert!(!job.is_open());
    }

    #[test]
    fn one_failed_window_fails_its_job_and_frees_the_queue() {
        let queue = queue(100);
        let (job, answer) = open(&queue);
        job.fill(windows(1, 3)).unwrap();
        let (other, _answer) = open(&queue);
        other.fill(windows(2, 1)).unwrap();
        let task = queue.next().unwrap();
        queue.finish(&task, Err(Fault::ours(Cause::Internal, "broken")));
        assert_eq!(answer.try_recv().unwrap(), Err(Cause::Internal));
        assert_eq!((queue.waiting(), queue.next().unwrap().window[0]), (1, 2));
        // A straggler of the failed job changes nothing.
        queue.finish(&task, Ok([0.0; CLASSES]));
    }

    #[test]
    fn a_dropped_job_is_forgotten() {
        let queue = queue(3);
        let (job, answer) = open(&queue);
        job.fill(windows(1, 3)).unwrap();
        let task = queue.next().unwrap();
        drop(job);
        assert_eq!(queue.waiting(), 0);
        queue.finish(&task, Ok([0.0; CLASSES]));
        assert!(answer.recv().is_err(), "nobody is answered");
        let (next, _answer) = open(&queue);
        next.fill(windows(2, 3)).unwrap();
        assert_eq!(queue.next().unwrap().window[0], 2);
        // One that was never filled gives its place back too.
        drop(open(&queue_of_one()).0);
    }

    fn queue_of_one() -> Arc<Queue> {
        let queue = queue(1);
        drop(open(&queue));
        assert_eq!(queue.waiting(), 0);
        queue
    }

    #[test]
    fn a_job_without_windows_is_answered_at_once() {
        let queue = queue(1);
        let (job, answer) = open(&queue);
        job.fill(Vec::new()).unwrap();
        assert_eq!(answer.try_recv().unwrap().unwrap(), Vec::<Logits>::new());
        assert_eq!(queue.waiting(), 0);
    }

    #[test]
    fn a_deadline_answers_filled_unfilled_and_running_jobs() {
        let queue = queue(100);
        let soon = Instant::now() + Duration::from_millis(400);
        let (_unfilled, first) = open_until(&queue, soon).unwrap();
        let (filled, second) = open_until(&queue, soon).unwrap();
        filled.fill(windows(1, 2)).unwrap();
        let task = queue.next().unwrap();
        let clock = Arc::clone(&queue);
        let thread = std::thread::spawn(move || clock.keep_time());
        assert_eq!(first.recv().unwrap(), Err(Cause::Timeout));
        assert_eq!(second.recv().unwrap(), Err(Cause::Timeout));
        assert_eq!(queue.waiting(), 0);
        queue.finish(&task, Ok([0.0; CLASSES]));
        filled.fill(windows(1, 2)).unwrap();
        assert_eq!(queue.waiting(), 0, "an answered job takes no more windows");
        // The clock sleeps without a deadline now; an earlier one than it knows of wakes it.
        let (_late, third) = open_until(&queue, Instant::now() + Duration::from_secs(3600)).unwrap();
        let (_early, fourth) = open_until(&queue, Instant::now() + Duration::from_millis(300)).unwrap();
        assert_eq!(fourth.recv().unwrap(), Err(Cause::Timeout));
        queue.close();
        assert_eq!(third.recv().unwrap(), Err(Cause::ModelMissing));
        thread.join().unwrap();
    }

    #[test]
    fn a_deadline_in_the_past_is_refused() {
        assert_eq!(open_until(&queue(1), Instant::now()).unwrap_err(), Cause::Timeout);
    }

    #[test]
    fn a_closed_queue_answers_everybody_and_takes_nobody() {
        let queue = queue(10);
        let (job, answer) = open(&queue);
        job.fill(windows(1, 1)).unwrap();
        queue.close();
        assert_eq!(answer.recv().unwrap(), Err(Cause::ModelMissing));
        assert!(queue.next().is_none());
        assert_eq!(open_until(&queue, Instant::now() + Duration::from_secs(9)).unwrap_err(), Cause::ModelMissing);
    }
}
