//! Section `datasets`: where sets are kept, and whose texts may become one.

use std::collections::{BTreeMap, BTreeSet};

use super::objects;
use super::sections::Context;
use super::value::number;
use crate::review::datasets::{DatasetsConfig, EVAL_PERCENT, PER_PRINCIPAL, QUARANTINE_DAYS};
use crate::rules::Family;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::suggest;
use crate::yaml::table::{Table, text, texts};

/// Reads the section. `elsewhere`: the tenants of other regions, with the region's name.
pub(super) fn read(
    node: &Node,
    elsewhere: &BTreeMap<&str, &str>,
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<DatasetsConfig> {
    const KEYS: [&str; 6] = ["store", "tenants", "redact", "per_principal", "quarantine_days", "eval_percent"];
    let before = report.error_count();
    let table = Table::open(node, "datasets", &KEYS, report)?;
    let store = table.needed("store", report).and_then(|node| objects::read(node, "datasets.store", context, report));
    let consent = table.needed("tenants", report).and_then(|node| consent(node, elsewhere, report));
    let redact = table.needed("redact", report).and_then(|node| redact(node, report));
    let mut bounded = |key: &'static str, default: u64, range: std::ops::RangeInclusive<u64>| {
        let Some(node) = table.get(key) else { return Some(default) };
        let written = number(node, key, report)?;
        if !range.contains(&written) {
            let help = format!("write {} to {}", range.start(), range.end());
            report.error("C007", node.place, format!("datasets.{key} is {written}"), help);
        }
        Some(written)
    };
    let per_principal = bounded("per_principal", PER_PRINCIPAL as u64, 1..=1_000_000);
    let quarantine_days = bounded("quarantine_days", u64::from(QUARANTINE_DAYS), 0..=365);
    let eval_percent = bounded("eval_percent", u64::from(EVAL_PERCENT), 0..=100);
    let config = DatasetsConfig {
        store: store?,
        consent: consent?,
        redact: redact?,
        per_principal: usize::try_from(per_principal?).ok()?,
        quarantine_days: u32::try_from(quarantine_days?).ok()?,
        eval_percent: u8::try_from(eval_percent?).ok()?,
    };
    (report.error_count() == before).then_some(config)
}

/// Tenants that consented, each with the licence that its texts are given under.
fn consent(
    node: &Node,
    elsewhere: &BTreeMap<&str, &str>,
    report: &mut Reporter<'_>,
) -> Option<BTreeMap<String, String>> {
    let Value::Map(entries) = &node.value else {
        let message = format!("datasets.tenants must be a mapping, not {}", node.value.kind());
        report.error("C006", node.place, message, "write `acme: { licence: own }`, one tenant per line");
        return None;
    };
    if entries.is_empty() {
        let help = "name the tenants that have consented, each with a licence; nobody else's texts are taken";
        report.error("C008", node.place, "datasets.tenants names nobody", help);
    }
    let mut consent = BTreeMap::new();
    for (tenant, _, node) in entries {
        if let Some(region) = elsewhere.get(tenant.as_str()) {
            let message = format!("datasets.tenants: the rows of `{tenant}` stay in region `{region}`");
            let help = "build sets of that region's tenants with a configuration whose own region it is";
            report.error("C008", node.place, message, help);
        }
        let table = Table::open(node, "a tenant's consent", &["licence"], report)?;
        let licence = table.needed("licence", report).and_then(|node| text(node, "licence", report))?;
        let is_plain =
            |text: &str| !text.trim().is_empty() && text.len() <= LICENCE_BYTES && !text.contains(char::is_control);
        if !is_plain(&licence.value) {
            let help = "write `own` for texts that are yours, or a licence such as CC-BY-4.0: train/rows.py says which are trained on";
            report.error("C008", licence.place, "licence says nothing", help);
        }
        consent.insert(tenant.clone(), licence.value);
    }
    Some(consent)
}

fn redact(node: &Node, report: &mut Reporter<'_>) -> Option<BTreeSet<Family>> {
    let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
    let mut families = BTreeSet::new();
    for written in texts(node, "datasets.redact", report)? {
        match Family::ALL.into_iter().find(|family| family.name() == written.value) {
            Some(family) => drop(families.insert(family)),
            None => {
                let message = format!("datasets.redact: there is no family of rules `{}`", written.value);
                report.error("C007", written.place, message, suggest::help(&written.value, &known));
            }
        }
    }
    Some(families)
}

/// Bytes of a licence.
const LICENCE_BYTES: usize = 128;
