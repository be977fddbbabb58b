//! Destroying texts: the keys are forgotten, and what is left is bytes that nobody can read.

use serde::{Deserialize, Serialize};

use crate::base::ExchangeId;

/// Whose texts are destroyed. The records stay, and prove what they always did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shred {
    /// The tenant.
    pub tenant: String,
    /// Only this caller of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Only this exchange of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeId>,
}
