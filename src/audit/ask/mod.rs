//! What the console asks of the record, and what reviewers write beside it.

mod appliance;
pub(crate) mod figures;
mod history;
mod incidents;
mod principals;
pub(crate) mod sql;

pub use appliance::{ChainSpan, EventPlace};
pub use figures::{
    Counts, JudgeHits, ProviderFault, RuleReviews, Span as FigureSpan, StageLatency, StepCounts, USAGE_MAX, Usage,
};
pub use history::{Reviewed, Step};
pub use incidents::{COUNT_MAX, Cursor, Disposition, IncidentFilter, IncidentId, IncidentPage, PAGE_MAX};
pub use principals::{PrincipalDay, PrincipalExchange, PrincipalFilter, PrincipalOrder, PrincipalSums, SEEN, SeenWith};
