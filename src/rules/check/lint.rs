//! What a rule allows of the linter's findings: by names that there are, with a reason.

use super::{choose, not_empty};
use crate::rules::lint::{Allowed, Lint};
use crate::rules::source::lint::LintSource;
use crate::yaml::diagnostic::Reporter;

pub(super) fn allowed(source: &LintSource, report: &mut Reporter<'_>) -> Option<Allowed> {
    let known: Vec<(&str, Lint)> = Lint::allowable().map(|lint| (lint.name(), lint)).collect();
    if source.allow.is_empty() {
        let help = "name what is allowed (`allow: [no-literal]`), or leave `lint` out";
        report.error("R005", source.place, "the list of what `lint` allows is empty", help);
    }
    let names = source.allow.iter().filter_map(|name| choose(name, "what `lint` allows", &known, report));
    Some(Allowed { allow: names.collect(), because: not_empty(&source.because, "reason", report)? })
}
