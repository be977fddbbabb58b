//! A policy for tests that inspect in process: rules do what they say, and nothing beside them decides unless a test wants it.

use std::sync::Arc;

use portcullis::base::{FaultAction, FaultPolicy, Limits};
use portcullis::inspect::{BlockEnd, OpaqueAction, OpaqueKind, Snapshot};
use portcullis::rules::RuleSet;
use portcullis::scan::Scanner;
use portcullis::verdict::{Levels, ModelLevels, ModelThresholds, Policy, Thresholds};

/// These rules with the same levels for everybody's points. The classifier is asked about nothing, every fault blocks, opaque
/// content is refused, and streams flow before a block's end. A test that wants it otherwise changes the fields.
pub fn of(rules: RuleSet, levels: Levels) -> Snapshot {
    Snapshot {
        scanner: Scanner::new(Arc::new(rules)).unwrap(),
        policy: Policy {
            score: Thresholds { operator: levels, user: levels, untrusted: levels, provider: levels },
            model: for_all(ModelLevels { flag: None, block: None }),
        },
        faults: FaultPolicy::from_names(|_| FaultAction::Block),
        opaque: OpaqueKind::ALL.map(|kind| (kind, OpaqueAction::Refuse)).into_iter().collect(),
        block_end: BlockEnd::Release,
        limits: Arc::new(Limits::default()),
        version: "test".to_owned(),
    }
}

/// The same levels of the classifier, whoever speaks.
pub fn for_all(levels: ModelLevels) -> ModelThresholds {
    ModelThresholds { operator: levels, user: levels, untrusted: levels, provider: levels }
}
