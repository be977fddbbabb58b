//! The time of day, as a value that can be handed on: what happens at midnight, after a year, or when a clock is set back can then
//! be tested.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time: the system's, or another.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    /// A clock that asks `tell`.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(Timestamp::now, |tell| tell())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(set)" } else { "Clock(system)" })
    }
}
