//! Findings, scores, verdicts, and the pure decision. No I/O, no async.

pub mod decide;
pub mod finding;

pub use decide::{
    Action, ByTrust, Decided, Levels, ModelLevels, ModelThresholds, Policy, Thresholds, Verdict, decide, decide_passage,
};
pub use finding::{Finding, Layer, Severity, Source, Standing};
