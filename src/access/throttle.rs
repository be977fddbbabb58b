//! Principals that are slowed down for a while, because of what they sent.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How far a principal is slowed down, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Throttle {
    /// Exchanges at once.
    pub at_once: usize,
    /// Exchanges that may begin within a minute.
    pub per_minute: usize,
    /// Minutes from the last finding on.
    pub minutes: u64,
}

/// Who is slowed down. Bounded: when it is full, the one whose time ends first is let go.
#[derive(Debug)]
pub struct Throttles {
    slowed: Mutex<HashMap<String, Slowed>>,
    principals_max: usize,
}

#[derive(Debug)]
struct Slowed {
    at_once: usize,
    per_minute: usize,
    until: Instant,
    /// When exchanges of the last minute began, in order: `per_minute` of them at most.
    begun: VecDeque<Instant>,
}

/// What a principal that is slowed down may do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// As fast as anybody.
    Free,
    /// So many exchanges at once.
    Slow {
        /// Exchanges at once.
        at_once: usize,
    },
    /// Nothing for so long.
    Wait(Duration),
}

const MINUTE: Duration = Duration::from_secs(60);

impl Throttles {
    /// Room for so many principals.
    pub fn new(principals_max: usize) -> Self {
        Self { slowed: Mutex::default(), principals_max }
    }

    /// Slows a principal down from now on. Of several throttles the strictest of each kind holds, to the end of the last.
    pub fn slow_down(&self, principal: &str, throttle: Throttle, now: Instant) {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now + MINUTE.saturating_mul(u32::try_from(throttle.minutes).unwrap_or(u32::MAX));
        if let Some(known) = slowed.get_mut(principal).filter(|known| known.until > now) {
            known.at_once = known.at_once.min(throttle.at_once);
            known.per_minute = known.per_minute.min(throttle.per_minute);
            known.until = known.until.max(until);
            return;
        }
        if slowed.len() >= self.principals_max {
            slowed.retain(|_, known| known.until > now);
        }
        if slowed.len() >= self.principals_max {
            let first = slowed.iter().min_by_key(|(_, known)| known.until).map(|(name, _)| name.clone());
            first.map(|name| slowed.remove(&name));
        }
        if self.principals_max > 0 {
            let Throttle { at_once, per_minute, .. } = throttle;
            slowed.insert(principal.to_owned(), Slowed { at_once, per_minute, until, begun: VecDeque::new() });
        }
    }

    /// Asks to begin an exchange; where it may begin it is counted.
    pub fn begin(&self, principal: &str, now: Instant) -> Pace {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = slowed.get_mut(principal) else { return Pace::Free };
        if known.until <= now {
            slowed.remove(principal);
            return Pace::Free;
        }
        while known.begun.front().is_some_and(|begun| now.saturating_duration_since(*begun) >= MINUTE) {
            known.begun.pop_front();
        }
        if known.begun.len() >= known.per_minute {
            // Where none may begin at all, it is over with the throttle.
            let free = known.begun.front().map_or(known.until, |begun| (*begun + MINUTE).min(known.until));
            return Pace::Wait(free.saturating_duration_since(now));
        }
        known.begun.push_back(now);
        Pace::Slow { at_once: known.at_once }
    }

    /// What was to begin at `begun` did not, for want of room: it does not count. What is not counted is not taken back: the
    /// throttle may have ended, or begun, in between.
    pub fn take_back(&self, principal: &str, begun: Instant) {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = slowed.get_mut(principal)
            && let Some(at) = known.begun.iter().rposition(|other| *other == begun)
        {
            known.begun.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Throttle = Throttle { at_once: 1, per_minute: 2, minutes: 10 };

    #[test]
    fn so_many_a_minute_and_one_more_waits() {
        let throttles = Throttles::new(8);
        let start = Instant::now();
        let at = |seconds| throttles.begin("a", start + Duration::from_secs(seconds));
        assert_eq!(at(0), Pace::Free);
        throttles.slow_down("a", SLOW, start);
        assert_eq!((at(1), at(11)), (Pace::Slow { at_once: 1 }, Pace::Slow { at_once: 1 }));
        assert_eq!(at(21), Pace::Wait(Duration::from_secs(40)), "until the first is a minute old");
        assert_eq!(at(61), Pace::Slow { at_once: 1 });
        assert_eq!(at(62), Pace::Wait(Duration::from_secs(9)));
        assert_eq!(throttles.begin("b", start), Pace::Free, "nobody else is slowed down");
        assert_eq!(at(599), Pace::Slow { at_once: 1 });
        assert_eq!(at(600), Pace::Free, "it ends");
    }

    #[test]
    fn what_did_not_begin_does_not_count() {
        let throttles = Throttles::new(8);
        let start = Instant::now();
        throttles.slow_down("a", SLOW, start);
        for _ in 0..5 {
            assert_eq!(throttles.begin("a", start), Pace::Slow { at_once: 1 });
            throttles.take_back("a", start);
        }
    }

    #[test]
    fn only_what_counted_is_taken_back_and_once() {
        let throttles = Throttles::new(8);
        let (start, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        throttles.take_back("a", start);
        throttles.slow_down("a", SLOW, start);
        // It asked before it was slowed down, and was never counted.
        throttles.take_back("a", start);
        assert_eq!(throttles.begin("a", start), Pace::Slow { at_once: 1 });
        assert_eq!(throttles.begin("a", later), Pace::Slow { at_once: 1 });
        // The first is taken back twice: the second still counts.
        throttles.take_back("a", start);
        throttles.take_back("a", start);
        assert_eq!(throttles.begin("a", later), Pace::Slow { at_once: 1 });
        assert!(matches!(throttles.begin("a", later), Pace::Wait(_)));
    }

    #[test]
    fn the_strictest_holds_to_the_end_of_the_last() {
        let throttles = Throttles::new(8);
        let start = Instant::now();
        throttles.slow_down("a", SLOW, start);
        throttles.slow_down("a", Throttle { at_once: 5, per_minute: 1, minutes: 20 }, start);
        throttles.slow_down("a", Throttle { at_once: 9, per_minute: 9, minutes: 1 }, start);
        assert_eq!(throttles.begin("a", start), Pace::Slow { at_once: 1 });
        assert!(matches!(throttles.begin("a", start), Pace::Wait(_)));
        assert_eq!(throttles.begin("a", start + 19 * MINUTE), Pace::Slow { at_once: 1 });
        assert_eq!(throttles.begin("a", start + 20 * MINUTE), Pace::Free);
    }

    #[test]
    fn nothing_may_begin_where_none_may() {
        let throttles = Throttles::new(8);
        let start = Instant::now();
        throttles.slow_down("a", Throttle { per_minute: 0, ..SLOW }, start);
        assert_eq!(throttles.begin("a", start), Pace::Wait(10 * MINUTE));
    }

    #[test]
    fn the_number_of_principals_is_bounded_at_n_and_n_plus_1() {
        let throttles = Throttles::new(2);
        let start = Instant::now();
        for (name, minutes) in [("a", 5), ("b", 3), ("c", 4)] {
            throttles.slow_down(name, Throttle { minutes, ..SLOW }, start);
        }
        let paces = ["a", "b", "c"].map(|name| throttles.begin(name, start));
        assert_eq!(paces, [Pace::Slow { at_once: 1 }, Pace::Free, Pace::Slow { at_once: 1 }], "the shortest goes");
    }
}
