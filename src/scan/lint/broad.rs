//! Rules that hit too many benign texts.

use std::collections::BTreeMap;

use super::{Finding, Lint, add};
use crate::rules::Rule;

/// What a corpus of benign texts says of the rules: texts hit per rule, of how many.
#[derive(Clone, Debug, Default)]
pub struct Benign {
    /// Texts.
    pub texts: usize,
    /// Rule id to texts that it hits.
    pub hits: BTreeMap<String, usize>,
    /// Share of the texts from which a rule is too broad.
    pub share_max: f64,
}

/// Texts that must be hit before a share means anything.
const BROAD_HITS_MIN: usize = 2;

pub(super) fn broad(rule: &Rule, benign: &Benign, out: &mut Vec<Finding>) {
    let hits = benign.hits.get(&rule.id).copied().unwrap_or(0);
    let share = hits as f64 / benign.texts.max(1) as f64;
    if hits < BROAD_HITS_MIN || share <= benign.share_max {
        return;
    }
    let message = format!(
        "it hits {hits} of {} benign texts: {:.2} %, {:.2} % are allowed",
        benign.texts,
        share * 100.0,
        benign.share_max * 100.0
    );
    let help = "`rules profile --only ID --shown 5` shows some of them; ask for more words around, or raise `paranoia`";
    add(out, rule, None, Lint::TooBroad, message, help);
}

#[cfg(test)]
mod tests {
    use super::Benign;
    use crate::scan::lint::{Lint, lint};
    use crate::scan::tests::scanner;

    #[test]
    fn broad_rules_are_those_above_the_share() {
        let scanner = scanner("- pattern: { literal: needle }\n");
        let broad = |hits: usize| {
            let hits = [("INJ-001".to_owned(), hits)].into();
            let benign = Benign { texts: 1000, hits, share_max: 0.003 };
            lint(&scanner, Some(&benign)).findings.iter().any(|finding| finding.lint == Lint::TooBroad)
        };
        assert!(!broad(3) && broad(4));
    }
}
