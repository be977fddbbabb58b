//! `lint:` of a rule: findings of the linter that are meant so.

use super::Text;
use crate::rules::lint::Lint;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Place};
use crate::yaml::table::{Table, text, texts};

/// As it is written.
#[derive(Debug)]
pub(in crate::rules) struct LintSource {
    pub(in crate::rules) place: Place,
    pub(in crate::rules) allow: Vec<Text>,
    pub(in crate::rules) because: Text,
}

impl LintSource {
    /// True when its list has this name.
    pub(in crate::rules) fn allows(&self, lint: Lint) -> bool {
        self.allow.iter().any(|name| name.value == lint.name())
    }
}

pub(super) fn read(node: &Node, report: &mut Reporter<'_>) -> Option<LintSource> {
    let table = Table::open(node, "lint", &["allow", "because"], report)?;
    let allow = table.needed("allow", report).and_then(|node| texts(node, "allow", report));
    let because = table.needed("because", report).and_then(|node| text(node, "because", report));
    Some(LintSource { place: node.place, allow: allow?, because: because? })
}
