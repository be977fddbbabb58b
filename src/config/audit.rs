//! The record's section.

use std::collections::{BTreeMap, BTreeSet};

use super::sections::{Context, secret};
use super::value::{number, optional, path, word};
use super::{AuditConfig, FsyncConfig, RegionConfig, StoreConfig, objects, outputs};
use crate::audit::{Classes, Keep, Retention, SYSTEM, TextKeyFiles};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::table::{Table, text};

/// Reads the section; `None`: something was wrong, and is reported.
/// `home` is the name of this machine's own region.
pub(super) fn read(node: &Node, home: &str, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<AuditConfig> {
    let table = Table::open(
        node,
        "audit",
        &["store", "fsync", "signing_key", "texts", "retention", "outputs", "archive", "regions"],
        report,
    )?;
    let store = table.needed("store", report).and_then(|node| store(node, "audit.store", context, report));
    let fsync = table.needed("fsync", report).and_then(|node| {
        if matches!(node.value, Value::Map(_)) {
            let table = Table::open(node, "audit.fsync", &["every_ms"], report)?;
            let every = table.needed("every_ms", report).and_then(|node| number(node, "every_ms", report));
            return every.map(FsyncConfig::EveryMs);
        }
        word(node, "audit.fsync", &[("always", FsyncConfig::Always), ("never", FsyncConfig::Never)], report)
    });
    let signing_key = optional(&table, "signing_key", |node| path(node, "audit.signing_key", context.base, report));
    let texts = match table.get("texts") {
        None => Some(TextKeyFiles::default()),
        Some(node) => texts(node, context, report),
    };
    let mut names = BTreeSet::new();
    let outputs = match table.get("outputs") {
        None => Some(Vec::new()),
        Some(node) => outputs::read(node, &mut names, context, report),
    };
    let archive = optional(&table, "archive", |node| objects::read(node, "audit.archive", context, report));
    let regions = match table.get("regions") {
        None => Some(BTreeMap::new()),
        Some(node) => regions(node, (home, &mut names), context, report),
    };
    let retention = match table.get("retention") {
        None => Some(Retention::default()),
        Some(node) => retention(node, report),
    };
    Some(AuditConfig {
        store: store?,
        fsync: fsync?,
        signing_key,
        texts: texts?,
        retention: retention?,
        outputs: outputs?,
        archive,
        regions: regions?,
    })
}

fn store(node: &Node, key: &'static str, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<StoreConfig> {
    if matches!(node.value, Value::Map(_)) {
        return secret(node, key, ("postgres_env", "postgres_file"), context, report).map(StoreConfig::Postgres);
    }
    word(node, key, &[("sqlite", ())], report).map(|()| StoreConfig::Sqlite)
}

fn regions(
    node: &Node,
    (home, names): (&str, &mut BTreeSet<String>),
    context: &Context<'_>,
    report: &mut Reporter<'_>,
) -> Option<BTreeMap<String, RegionConfig>> {
    let before = report.error_count();
    let mut regions = BTreeMap::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, node) in map(node, "audit.regions", report) {
        let what = format!("audit.regions.{name}");
        let is_name = name.len() <= REGION_BYTES
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_name {
            let advice =
                format!("write 1 to {REGION_BYTES} letters, digits, `-` or `_`: it is part of a folder's name");
            report.error("C007", node.place, format!("{what} is no name for a region"), advice);
        }
        if name == home {
            let message = format!("{what} is this machine's own region");
            report.error("C007", node.place, message, "its tenants need no entry: their rows go to `audit.store`");
        }
        let table = Table::open(node, "a region", &["store", "tenants", "outputs", "archive"], report)?;
        let store = table.needed("store", report).and_then(|node| store(node, "a region's store", context, report));
        let mut tenants = Vec::new();
        let node = table.needed("tenants", report)?;
        let Value::List(entries) = &node.value else {
            let message = format!("{what}.tenants must be a list, not {}", node.value.kind());
            report.error("C006", node.place, message, "write `[acme, globex]`");
            continue;
        };
        for entry in entries {
            let tenant = text(entry, &format!("{what}.tenants"), report)?.value;
            if let Some(other) = seen.insert(tenant.clone(), name) {
                let message = format!("tenant `{tenant}` is of region `{other}` and of region `{name}`");
                report.error(
                    "C007",
                    entry.place,
                    message,
                    "a tenant's rows go to one store: take it out of one of them",
                );
            }
            tenants.push(tenant);
        }
        let outputs = match table.get("outputs") {
            None => Some(Vec::new()),
            Some(node) => outputs::read(node, names, context, report),
        };
        let archive = optional(&table, "archive", |node| objects::read(node, "a region's archive", context, report));
        regions.insert(name.to_owned(), RegionConfig { store: store?, tenants, outputs: outputs?, archive });
    }
    (report.error_count() == before).then_some(regions)
}

fn texts(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<TextKeyFiles> {
    let table = Table::open(node, "audit.texts", &["keys", "search_key"], report)?;
    let search_key = optional(&table, "search_key", |node| path(node, "audit.texts.search_key", context.base, report));
    let mut keys = Vec::new();
    if let Some(node) = table.get("keys") {
        let Value::List(entries) = &node.value else {
            let message = format!("audit.texts.keys must be a list, not {}", node.value.kind());
            report.error(
                "C006",
                node.place,
                message,
                "write `[FILE]`; the first is for new texts, others are for older ones",
            );
            return None;
        };
        for entry in entries {
            keys.push(path(entry, "audit.texts.keys", context.base, report)?);
        }
    }
    Some(TextKeyFiles { keys, search_key })
}

fn retention(node: &Node, report: &mut Reporter<'_>) -> Option<Retention> {
    let table = Table::open(node, "audit.retention", &["classes", "tenants"], report)?;
    let before = report.error_count();
    let mut retention = Retention::default();
    for (class, node) in
        table.get("classes").map(|node| map(node, "audit.retention.classes", report)).unwrap_or_default()
    {
        let keep = keep(class, node, report)?;
        retention.keep.insert(class.to_owned(), keep);
    }
    let mut tenants = Classes::default();
    for (tenant, node) in
        table.get("tenants").map(|node| map(node, "audit.retention.tenants", report)).unwrap_or_default()
    {
        let class = text(node, &format!("audit.retention.tenants.{tenant}"), report)?;
        tenants.tenants.insert(tenant.to_owned(), class.value);
    }
    retention.classes = tenants;
    if let Err(why) = retention.check() {
        report.error(
            "C007",
            node.place,
            format!("audit.retention: {why}"),
            "docs/configuration.md, `audit.retention`, has an example",
        );
    }
    (report.error_count() == before).then_some(retention)
}

fn keep(class: &str, node: &Node, report: &mut Reporter<'_>) -> Option<Keep> {
    // The appliance's own records have no rows for review.
    let known: &[&str] = if class == SYSTEM { &["events"] } else { &["events", "review", "texts"] };
    let table = Table::open(node, "a retention class", known, report)?;
    let days = |key: &'static str, node: &Node, report: &mut Reporter<'_>| {
        if matches!(node.value, Value::Null) {
            return Some(None);
        }
        let days = number(node, &format!("audit.retention.classes.{class}.{key}"), report)?;
        match u32::try_from(days).ok().filter(|days| (1..=DAYS_MAX).contains(days)) {
            Some(days) => Some(Some(days)),
            None => {
                let message = format!("audit.retention.classes.{class}.{key} is {days}");
                report.error(
                    "C007",
                    node.place,
                    message,
                    format!("write days from 1 to {DAYS_MAX}, or null to keep it for ever"),
                );
                None
            }
        }
    };
    let events = days("events", table.needed("events", report)?, report)?;
    if class == SYSTEM {
        return Some(Keep { events, review: events, texts: events });
    }
    let review = days("review", table.needed("review", report)?, report)?;
    let texts = match table.get("texts") {
        Some(node) => days("texts", node, report)?,
        None => review,
    };
    Some(Keep { events, review, texts })
}

fn map<'n>(node: &'n Node, key: &str, report: &mut Reporter<'_>) -> Vec<(&'n str, &'n Node)> {
    let Value::Map(entries) = &node.value else {
        let message = format!("{key} must be a mapping, not {}", node.value.kind());
        report.error("C006", node.place, message, "write `name: …`, one per line");
        return Vec::new();
    };
    entries.iter().map(|(name, _, node)| (name.as_str(), node)).collect()
}

/// Bytes of a region's name.
const REGION_BYTES: usize = 32;
/// Longest that can be asked for: a hundred years.
const DAYS_MAX: u32 = 36_525;
