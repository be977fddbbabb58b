//! Identities as types, so that one cannot stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one exchange (a request and its reply) everywhere: the reply's `x-request-id`, the log, the audit
/// record, and the incident that a block tells the client. A version-7 UUID (RFC 9562), so it sorts by time and the
/// day of its audit partition can be read from it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ExchangeId(Uuid);

impl ExchangeId {
    /// A fresh id stamped with the present time.
    #[expect(clippy::new_without_default, reason = "a fresh id is an effect, not a default value")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The plain UUID, for stores.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// Milliseconds since the Unix epoch at which the id was made; `None` for a UUID of another version.
    pub fn unix_ms(self) -> Option<i64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(i64::try_from(seconds).ok()?.checked_mul(1000)? + i64::from(nanos / 1_000_000))
    }
}

impl From<Uuid> for ExchangeId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for ExchangeId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}
