//! Watches one connection for clients that hold it without using it: slow heads, idleness, replies that are not read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::Limits;

/// What a connection is doing, shared by its wire, its exchanges and its watchman.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    times: Times,
    /// HTTP/2 frames that belong to no request flow while nothing is open: bytes alone do not start a head there.
    bytes_start_head: bool,
    /// Exchanges open on all connections of the server.
    total: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    head: Duration,
    idle: Duration,
    exchange: Duration,
}

#[derive(Debug)]
struct State {
    /// When the last exchange ended; the connection's start before the first.
    idle_since: Instant,
    fresh: bool,
    head_since: Option<Instant>,
    blocked_since: Option<Instant>,
    closing_since: Option<Instant>,
    open: Vec<(u64, Instant)>,
    next: u64,
}

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Overdue {
    /// It said goodbye and goes on sending.
    Closing,
    /// An exchange is open far longer than any may take.
    Exchange,
    /// No whole head came in time.
    Head,
    /// Nothing was asked for a long time.
    Idle,
    /// The client does not read what is written to it.
    Stalled,
}

impl Activity {
    pub(super) fn new(limits: &Limits, now: Instant, bytes_start_head: bool, total: Arc<AtomicUsize>) -> Self {
        Self {
            state: Mutex::new(State {
                idle_since: now,
                fresh: true,
                head_since: None,
                blocked_since: None,
                closing_since: None,
                open: Vec::new(),
                next: 0,
            }),
            times: Times {
                head: Duration::from_millis(limits.head_ms),
                idle: Duration::from_millis(limits.idle_ms),
                exchange: Duration::from_millis(limits.exchange_ms).saturating_add(EXCHANGE_GRACE),
            },
            bytes_start_head,
            total,
        }
    }

    /// How often to look: well within the shortest time that is watched.
    pub(super) fn interval(&self) -> Duration {
        (self.times.head.min(self.times.idle) / 8).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    pub(super) fn bytes_came(&self, now: Instant) {
        if self.bytes_start_head {
            let mut state = self.lock();
            if state.open.is_empty() && state.head_since.is_none() {
                state.head_since = Some(now);
            }
        }
    }

    pub(super) fn write_blocked(&self, now: Instant) {
        self.lock().blocked_since.get_or_insert(now);
    }

    pub(super) fn write_moved(&self) {
        self.lock().blocked_since = None;
    }

    pub(super) fn closing(&self, now: Instant) {
        self.lock().closing_since.get_or_insert(now);
    }

    /// Opens an exchange; it ends when the guard is dropped.
    pub(super) fn open(self: &Arc<Self>, now: Instant) -> Open {
        self.total.fetch_add(1, Ordering::SeqCst);
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.open.push((id, now));
        state.head_since = None;
        state.fresh = false;
        Open { activity: Arc::clone(self), id }
    }

    fn end(&self, id: u64, now: Instant) {
        let mut state = self.lock();
        state.open.retain(|(open, _)| *open != id);
        state.idle_since = now;
        state.head_since = None;
    }

    /// Whether, and why, the connection should end now.
    pub(super) fn overdue(&self, now: Instant) -> Option<Overdue> {
        let state = self.lock();
        let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) > limit;
        if state.closing_since.is_some_and(|since| over(since, LINGER)) {
            return Some(Overdue::Closing);
        }
        if state.blocked_since.is_some_and(|since| over(since, self.times.idle)) {
            return Some(Overdue::Stalled);
        }
        if let Some(oldest) = state.open.iter().map(|(_, since)| *since).min() {
            return over(oldest, self.times.exchange).then_some(Overdue::Exchange);
        }
        if state.fresh {
            return over(state.idle_since, self.times.head).then_some(Overdue::Head);
        }
        if let Some(since) = state.head_since {
            return over(since, self.times.head).then_some(Overdue::Head);
        }
        over(state.idle_since, self.times.idle).then_some(Overdue::Idle)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An exchange that is open.
#[derive(Debug)]
pub(super) struct Open {
    activity: Arc<Activity>,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.activity.end(self.id, Instant::now());
        self.activity.total.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What an exchange may take over its own limit before its connection is cut: the pipeline keeps the limit itself, this
/// catches clients that stop reading an HTTP/2 stream.
const EXCHANGE_GRACE: Duration = Duration::from_secs(10);

/// How long a closing connection is still read, so that the client gets to see our last words and not a reset.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limits() -> Limits {
        Limits { head_ms: 100, idle_ms: 1000, exchange_ms: 10_000, ..Limits::default() }
    }

    fn activity(start: Instant, bytes_start_head: bool) -> Activity {
        Activity::new(&limits(), start, bytes_start_head, Arc::default())
    }

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_first_head_has_its_time_at_n_and_n_plus_1() {
        let start = Instant::now();
        for bytes_start_head in [true, false] {
            let activity = activity(start, bytes_start_head);
            assert_eq!(activity.overdue(at(start, 100)), None);
            assert_eq!(activity.overdue(at(start, 100) + MS), Some(Overdue::Head));
        }
    }

    #[test]
    fn dripping_bytes_buy_no_time() {
        let start = Instant::now();
        let activity = activity(start, true);
        for ms in [10, 50, 99] {
            activity.bytes_came(at(start, ms));
        }
        assert_eq!(activity.overdue(at(start, 100)), None);
        assert_eq!(activity.overdue(at(start, 101)), Some(Overdue::Head));
    }

    #[test]
    fn a_kept_connection_may_idle_but_not_drip() {
        let start = Instant::now();
        let activity = Arc::new(activity(start, true));
        drop(activity.open(start));
        activity.end(0, start);
        assert_eq!(activity.overdue(at(start, 1000)), None);
        assert_eq!(activity.overdue(at(start, 1001)), Some(Overdue::Idle));
        activity.bytes_came(at(start, 500));
        assert_eq!(activity.overdue(at(start, 600)), None);
        assert_eq!(activity.overdue(at(start, 601)), Some(Overdue::Head));
    }

    #[test]
    fn an_http2_connection_may_ping_while_idle() {
        let start = Instant::now();
        let activity = Arc::new(activity(start, false));
        drop(activity.open(start));
        activity.end(0, start);
        activity.bytes_came(at(start, 500));
        assert_eq!(activity.overdue(at(start, 1000)), None);
        assert_eq!(activity.overdue(at(start, 1001)), Some(Overdue::Idle));
    }

    #[test]
    fn an_open_exchange_keeps_the_connection_until_its_own_limit() {
        let start = Instant::now();
        let activity = Arc::new(activity(start, true));
        let first = activity.open(start);
        let _second = activity.open(at(start, 5000));
        assert_eq!(activity.overdue(at(start, 20_000)), None);
        assert_eq!(activity.overdue(at(start, 20_001)), Some(Overdue::Exchange));
        drop(first);
        assert_eq!(activity.overdue(at(start, 20_001)), None);
    }

    #[test]
    fn a_reply_that_is_not_read_is_cut() {
        let start = Instant::now();
        let activity = Arc::new(activity(start, true));
        let _open = activity.open(start);
        activity.write_blocked(start);
        activity.write_blocked(at(start, 900));
        assert_eq!(activity.overdue(at(start, 1000)), None);
        assert_eq!(activity.overdue(at(start, 1001)), Some(Overdue::Stalled));
        activity.write_moved();
        assert_eq!(activity.overdue(at(start, 1001)), None);
    }
}
