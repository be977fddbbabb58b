//! Failed sign-ins, by user and by address: each may fail a few times in a while, and then waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Who fails.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Who {
    User(String),
    Address(IpAddr),
}

/// Failures that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failed: HashMap<Who, Vec<Instant>>,
}

impl Attempts {
    /// How long a user at an address must wait; `None`: they may try. A name that nobody has waits as one that somebody has.
    pub(crate) fn wait(&mut self, user: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let by_user = self.wait_of(&Who::User(user.to_owned()), USER_MAX, now);
        by_user.max(self.wait_of(&address_of(address), ADDRESS_MAX, now))
    }

    /// A try failed.
    pub(crate) fn failed(&mut self, user: &str, address: IpAddr, now: Instant) {
        if self.failed.len() >= REMEMBERED {
            self.failed.retain(|_, times| times.last().is_some_and(|last| now.duration_since(*last) < WINDOW));
        }
        if self.failed.len() < REMEMBERED {
            self.failed.entry(Who::User(user.to_owned())).or_default().push(now);
        }
        self.failed.entry(address_of(address)).or_default().push(now);
    }

    /// Counts a failure of somebody without a name; `false`: their address has failed too often for another one to be news.
    pub(crate) fn is_news(&mut self, address: IpAddr, now: Instant) -> bool {
        let is_news = self.wait_of(&address_of(address), ADDRESS_MAX, now).is_none();
        if is_news {
            self.failed("", address, now);
        }
        is_news
    }

    /// A try that was counted went well: the user's failures count no more. The address's others do, or whoever has one account could
    /// try all the rest.
    pub(crate) fn went_well(&mut self, user: &str, address: IpAddr) {
        self.failed.remove(&Who::User(user.to_owned()));
        if let Some(times) = self.failed.get_mut(&address_of(address)) {
            times.pop();
        }
    }

    fn wait_of(&mut self, who: &Who, max: usize, now: Instant) -> Option<Duration> {
        let times = self.failed.get_mut(who)?;
        times.retain(|at| now.duration_since(*at) < WINDOW);
        let first = times.len().checked_sub(max)?;
        let oldest = times.get(first)?;
        Some(WINDOW.saturating_sub(now.duration_since(*oldest)))
    }
}

/// Of IPv6 the /64, which is one customer's.
fn address_of(address: IpAddr) -> Who {
    Who::Address(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    })
}

/// Failures of one user in [`WINDOW`].
const USER_MAX: usize = 5;
/// Failures from one address in [`WINDOW`].
const ADDRESS_MAX: usize = 20;
/// For how long a failure counts.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Users and addresses that are remembered at once.
const REMEMBERED: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_an_address_wait_after_so_many_failures() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        for number in 0..USER_MAX {
            assert_eq!(attempts.wait("ann", address, start), None, "{number}");
            attempts.failed("ann", address, start);
        }
        assert_eq!(attempts.wait("ann", address, start), Some(WINDOW));
        assert_eq!(attempts.wait("ann", "192.0.2.8".parse().unwrap(), start), Some(WINDOW), "from anywhere");
        assert_eq!(attempts.wait("ben", address, start), None);
        assert_eq!(attempts.wait("ann", address, start + WINDOW), None, "and then no more");
        attempts.went_well("ann", address);
        assert_eq!(attempts.wait("ann", address, start), None);
        for user in 0..ADDRESS_MAX {
            attempts.failed(&format!("user-{user}"), address, start);
        }
        assert!(attempts.wait("somebody", address, start).is_some());
        assert_eq!(attempts.wait("somebody", "192.0.2.9".parse().unwrap(), start), None);
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_memory_is_bounded() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for host in 0..ADDRESS_MAX {
            attempts.failed(&format!("u{host}"), format!("2001:db8::{host:x}").parse().unwrap(), now);
        }
        assert!(attempts.wait("x", "2001:db8::ffff".parse().unwrap(), now).is_some());
        assert!(attempts.wait("x", "2001:db8:0:1::1".parse().unwrap(), now).is_none());
        for user in 0..2 * REMEMBERED {
            attempts.failed(&format!("user-{user}"), "192.0.2.1".parse().unwrap(), now);
        }
        assert!(attempts.failed.len() <= REMEMBERED + 2);
    }

    #[test]
    fn failures_without_a_name_are_news_for_a_while() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let (one, other) = ("192.0.2.7".parse().unwrap(), "192.0.2.8".parse().unwrap());
        assert!((0..ADDRESS_MAX).all(|_| attempts.is_news(one, now)));
        assert!(!attempts.is_news(one, now) && attempts.is_news(other, now));
        assert!(attempts.is_news(one, now + WINDOW));
    }
}
