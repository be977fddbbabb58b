//! What became of an attempt, in the words of the log and of the record.

use crate::proxy::{Attempt, Change};

/// Bytes of what the record says of one attempt.
const DETAIL_BYTES: usize = 1024;

/// Logs it; problems in full.
pub(super) fn log(attempt: &Attempt, text: &str) {
    let (origin, version) = (attempt.origin.name(), &attempt.version);
    match attempt.result {
        Change::InForce => tracing::info!(origin, version, took_ms = attempt.took_ms, "another policy is in force"),
        Change::Unchanged => tracing::info!(origin, version, "the policy in force is the one that was asked for"),
        Change::NeedsRestart => tracing::warn!(
            origin,
            version,
            keys = attempt.needs_restart.join(", "),
            "nothing was reloaded: these keys need a restart"
        ),
        Change::Refused => {
            tracing::warn!(
                origin,
                version,
                problems = attempt.problem_count,
                "nothing was reloaded:\n{}",
                text.trim_end()
            );
        }
    }
}

/// What the record says, bounded.
pub(super) fn detail(attempt: &Attempt, text: &str) -> String {
    let (origin, result, version) = (attempt.origin.name(), attempt.result.name(), &attempt.version);
    let mut detail = format!("{origin}: {result}, version {version}");
    if !attempt.needs_restart.is_empty() {
        detail.push_str(&format!("; needs a restart: {}", attempt.needs_restart.join(", ")));
    }
    if attempt.problem_count > 0 {
        detail.push_str(&format!("; {} problems:\n{text}", attempt.problem_count));
    }
    let mut end = detail.len().min(DETAIL_BYTES);
    while !detail.is_char_boundary(end) {
        end -= 1;
    }
    detail.truncate(end);
    detail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Origin;

    fn attempt(problem_count: usize) -> Attempt {
        Attempt {
            at: jiff::Timestamp::UNIX_EPOCH,
            took_ms: 1,
            origin: Origin::Api,
            result: Change::Refused,
            version: "000000000001".to_owned(),
            problems: Vec::new(),
            problem_count,
            needs_restart: Vec::new(),
            passing: false,
        }
    }

    #[test]
    fn the_record_gets_a_bounded_text() {
        assert_eq!(detail(&attempt(0), ""), "api: refused, version 000000000001");
        let before = detail(&attempt(1), "").len();
        let fits = "x".repeat(DETAIL_BYTES - before);
        assert_eq!(detail(&attempt(1), &fits).len(), DETAIL_BYTES);
        assert!(detail(&attempt(1), &fits).ends_with('x'));
        assert_eq!(detail(&attempt(1), &format!("{fits}y")), detail(&attempt(1), &fits));
        assert!(detail(&attempt(1), &"界".repeat(1000)).len() <= DETAIL_BYTES);
    }
}
