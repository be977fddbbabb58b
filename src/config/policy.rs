//! Section `policy`: every line of it is a safety choice, so every line is required.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::value::{number, points, probability, word};
use crate::access::Throttle;
use crate::base::{FaultAction, FaultPolicy};
use crate::inspect::{BlockEnd, OpaqueAction, OpaqueKind};
use crate::rules::Paranoia;
use crate::verdict::{Levels, ModelLevels, ModelThresholds, Policy, Thresholds};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Place, Value};
use crate::yaml::table::Table;

/// Section `policy`.
#[derive(Clone, Debug)]
pub struct PolicyConfig {
    /// Thresholds.
    pub decide: Policy,
    /// What each fault leads to.
    pub faults: FaultPolicy,
    /// What each opaque kind leads to.
    pub opaque: BTreeMap<OpaqueKind, OpaqueAction>,
    /// How many false alarms the site accepts from rules.
    pub paranoia: Paranoia,
    /// What rules may put on whoever calls, by name.
    pub throttles: BTreeMap<String, Throttle>,
    /// When blocks of a streamed reply are released.
    pub block_end: BlockEnd,
    /// Prompts and replies are recorded as they are, not as excerpts.
    pub record_full_text: bool,
}

const TRUSTS: [&str; 4] = ["operator", "user", "untrusted", "provider"];
const ACTIONS: [(&str, FaultAction); 3] =
    [("block", FaultAction::Block), ("degrade", FaultAction::Degrade), ("pass", FaultAction::Pass)];

/// Reads the section; `None`: something was wrong, and is reported.
pub(super) fn read(node: &Node, report: &mut Reporter<'_>) -> Option<PolicyConfig> {
    let known = ["score", "rules", "throttles", "model", "faults", "opaque", "stream", "record"];
    let table = Table::open(node, "policy", &known, report)?;
    let score = table.needed("score", report).and_then(|node| score(node, report));
    let paranoia = table.needed("rules", report).and_then(|node| paranoia(node, report));
    let throttles = table.needed("throttles", report).and_then(|node| throttles(node, report));
    let model = table.needed("model", report).and_then(|node| model(node, report));
    let faults = table.needed("faults", report).and_then(|node| faults(node, report));
    let opaque = table.needed("opaque", report).and_then(|node| opaque(node, report));
    let stream = table.needed("stream", report).and_then(|node| {
        let table = Table::open(node, "policy.stream", &["block_end"], report)?;
        let words = [("hold", BlockEnd::Hold), ("release", BlockEnd::Release)];
        word(table.needed("block_end", report)?, "policy.stream.block_end", &words, report)
    });
    let record = table.needed("record", report).and_then(|node| {
        let table = Table::open(node, "policy.record", &["text"], report)?;
        word(table.needed("text", report)?, "policy.record.text", &[("full", true), ("redacted", false)], report)
    });
    Some(PolicyConfig {
        decide: Policy { score: score?, model: model? },
        faults: faults?,
        opaque: opaque?,
        paranoia: paranoia?,
        throttles: throttles?,
        block_end: stream?,
        record_full_text: record?,
    })
}

fn score(node: &Node, report: &mut Reporter<'_>) -> Option<Thresholds> {
    let table = Table::open(node, "policy.score", &TRUSTS, report)?;
    let mut levels = |trust: &'static str| {
        let node = table.needed(trust, report)?;
        let table = Table::open(node, "a score level", &["flag", "block"], report)?;
        let flag = table.needed("flag", report).and_then(|node| points(node, "flag", report));
        let block = table.needed("block", report).and_then(|node| points(node, "block", report));
        ordered(&format!("policy.score.{trust}"), node.place, flag.flatten().zip(block.flatten()), report);
        // `flag: null` means: never by score, which no sum reaches.
        Some(Levels { flag: flag?.unwrap_or(u32::MAX), block: block? })
    };
    let (operator, user) = (levels("operator"), levels("user"));
    let (untrusted, provider) = (levels("untrusted"), levels("provider"));
    Some(Thresholds { operator: operator?, user: user?, untrusted: untrusted?, provider: provider? })
}

/// What blocks is flagged too: a level for flags above that for blocks was meant otherwise.
fn ordered<T: PartialOrd + Display>(key: &str, place: Place, levels: Option<(T, T)>, report: &mut Reporter<'_>) {
    if let Some((flag, block)) = levels.filter(|(flag, block)| flag > block) {
        let message = format!("{key} flags from {flag} on and blocks from {block} on: nothing would ever be flagged");
        report.error("C007", place, message, "write a `flag` that is not above `block`, or `flag: null`");
    }
}

fn paranoia(node: &Node, report: &mut Reporter<'_>) -> Option<Paranoia> {
    let table = Table::open(node, "policy.rules", &["paranoia", "executing"], report)?;
    let mut level = |key: &'static str, least: u8| {
        let node = table.needed(key, report)?;
        let level = number(node, &format!("policy.rules.{key}"), report)?;
        let level = u8::try_from(level).ok().filter(|level| (least..=4).contains(level));
        if level.is_none() {
            let message = format!("policy.rules.{key} must lie from {least} to 4");
            let help =
                "`paranoia` is the level up to which rules act, `executing` the one up to which they are searched for";
            report.error("C007", node.place, message, help);
        }
        level
    };
    let blocking = level("paranoia", 1);
    let executing = level("executing", blocking.unwrap_or(1));
    Some(Paranoia { blocking: blocking?, executing: executing? })
}

fn throttles(node: &Node, report: &mut Reporter<'_>) -> Option<BTreeMap<String, Throttle>> {
    let Value::Map(named) = &node.value else {
        let message = format!("policy.throttles must be a mapping, not {}", node.value.kind());
        report.error("C006", node.place, message, "write `throttles: {}` where no rule throttles");
        return None;
    };
    let mut throttles = BTreeMap::new();
    for (name, place, node) in named {
        let keys = ["at_once", "per_minute", "minutes"];
        let table = Table::open(node, "a throttle", &keys, report)?;
        let mut count = |key: &'static str, least: u64, most: u64| {
            let node = table.needed(key, report)?;
            let count = number(node, &format!("policy.throttles.{name}.{key}"), report)?;
            if !(least..=most).contains(&count) {
                let message = format!("policy.throttles.{name}.{key} is {count}");
                report.error("C007", node.place, message, format!("write {least} to {most}"));
                return None;
            }
            Some(count)
        };
        let at_once = count("at_once", 1, 1000).and_then(|count| usize::try_from(count).ok());
        let per_minute = count("per_minute", 0, 10_000).and_then(|count| usize::try_from(count).ok());
        let minutes = count("minutes", 1, 44_640);
        let throttle = Throttle { at_once: at_once?, per_minute: per_minute?, minutes: minutes? };
        if throttles.insert(name.clone(), throttle).is_some() {
            report.error("C004", *place, format!("the throttle `{name}` stands here twice"), "keep one of them");
        }
    }
    Some(throttles)
}

fn model(node: &Node, report: &mut Reporter<'_>) -> Option<ModelThresholds> {
    let table = Table::open(node, "policy.model", &TRUSTS, report)?;
    let mut levels = |trust: &'static str| {
        let node = table.needed(trust, report)?;
        let table = Table::open(node, "a model level", &["flag", "block"], report)?;
        let flag = table.needed("flag", report).and_then(|node| probability(node, "flag", report));
        let block = table.needed("block", report).and_then(|node| probability(node, "block", report));
        ordered(&format!("policy.model.{trust}"), node.place, flag.flatten().zip(block.flatten()), report);
        Some(ModelLevels { flag: flag?, block: block? })
    };
    let (operator, user) = (levels("operator"), levels("user"));
    let (untrusted, provider) = (levels("untrusted"), levels("provider"));
    Some(ModelThresholds { operator: operator?, user: user?, untrusted: untrusted?, provider: provider? })
}

fn faults(node: &Node, report: &mut Reporter<'_>) -> Option<FaultPolicy> {
    let known = FaultPolicy::DECIDED.map(|(_, name, _)| name);
    let table = Table::open(node, "policy.faults", &known, report)?;
    let mut written = BTreeMap::new();
    for (_, name, possible) in FaultPolicy::DECIDED {
        let words: Vec<(&str, FaultAction)> =
            ACTIONS.iter().copied().filter(|(_, action)| possible.contains(action)).collect();
        let node = table.needed(name, report);
        if let Some(action) = node.and_then(|node| word(node, &format!("policy.faults.{name}"), &words, report)) {
            written.insert(name, action);
        }
    }
    if written.len() < known.len() {
        return None;
    }
    Some(FaultPolicy::from_names(|name| written.get(name).copied().unwrap_or(FaultAction::Block)))
}

fn opaque(node: &Node, report: &mut Reporter<'_>) -> Option<BTreeMap<OpaqueKind, OpaqueAction>> {
    let table = Table::open(node, "policy.opaque", &OpaqueKind::ALL.map(OpaqueKind::name), report)?;
    let words = [("refuse", OpaqueAction::Refuse), ("waive", OpaqueAction::Waive)];
    let mut actions = BTreeMap::new();
    for kind in OpaqueKind::ALL {
        let node = table.needed(kind.name(), report);
        let key = format!("policy.opaque.{}", kind.name());
        if let Some(action) = node.and_then(|node| word(node, &key, &words, report)) {
            actions.insert(kind, action);
        }
    }
    (actions.len() == OpaqueKind::ALL.len()).then_some(actions)
}
