//! What a site writes beside the rules: overrides, which change rules without editing their files, and exceptions.

use std::collections::BTreeSet;
use std::fmt;

use super::applies::{self, Reach};
use super::check::{ACTIONS, MODES, SEVERITIES, choose};
use super::exception::{self, Exception};
use super::family::Family;
use super::set::{Mode, Rule};
use super::standing;
use crate::base::limits::rules as limits;
use crate::verdict::{Action, Severity};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Node;
use crate::yaml::suggest;
use crate::yaml::table::{At, Table, list, number, shown, text};

/// The overlay in one file, its rules' names not looked up yet.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    pub(super) overrides: Vec<(Vec<Selector>, Override)>,
    pub(super) exceptions: Vec<(Vec<Selector>, Exception)>,
}

/// Names rules: an id, a family or a tag.
pub(super) type Selector = At<String>;

/// What changes about a rule, and where.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) reach: Reach,
    pub(super) mode: Option<Mode>,
    pub(super) severity: Option<Severity>,
    pub(super) score: Option<u32>,
    /// `Some(None)`: points only.
    pub(super) action: Option<Option<Action>>,
    pub(super) mask: Option<String>,
    pub(super) token: Option<String>,
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower = |value: &dyn fmt::Debug| format!("{value:?}").to_lowercase();
        let action = |action: &Option<Action>| action.map_or("score", Action::name).to_owned();
        let said = [
            self.mode.map(|mode| format!("mode {}", lower(&mode))),
            self.severity.map(|severity| format!("severity {}", lower(&severity))),
            self.score.map(|score| format!("score {score}")),
            self.action.as_ref().map(|changed| format!("action {}", action(changed))),
            self.mask.as_ref().map(|mask| format!("mask {mask}")),
            self.token.as_ref().map(|token| format!("token {token}")),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        write!(f, "{}, {}", said.join(", "), self.reach)
    }
}

/// Keys of a file that make the overlay.
pub(super) const KEYS: [&str; 2] = ["overrides", "exceptions"];

/// Reads the overlay of a file. `tenants`: the file is for these alone.
pub(super) fn read(table: &Table<'_>, tenants: &[At<String>], report: &mut Reporter<'_>) -> Overlay {
    let nodes = |key, report: &mut Reporter<'_>| table.get(key).and_then(|node| list(node, key, report));
    let mut overlay = Overlay::default();
    for node in nodes("overrides", report).unwrap_or_default() {
        overlay.overrides.extend(read_override(node, tenants, report));
    }
    for node in nodes("exceptions", report).unwrap_or_default() {
        overlay.exceptions.extend(exception::read(node, tenants, report));
    }
    overlay
}

fn read_override(node: &Node, tenants: &[At<String>], report: &mut Reporter<'_>) -> Option<(Vec<Selector>, Override)> {
    let keys = ["rules", "applies", "mode", "severity", "score", "action", "mask", "token", "reason"];
    let table = Table::open(node, "an override", &keys, report)?;
    let before = report.error_count();
    let rules = selectors(&table, report);
    let mode = table.get("mode").and_then(|node| text(node, "mode", report));
    let severity = table.get("severity").and_then(|node| text(node, "severity", report));
    let action = table.get("action").and_then(|node| text(node, "action", report));
    let mask = table.get("mask").and_then(|node| text(node, "mask", report));
    let token = table.get("token").and_then(|node| text(node, "token", report));
    let _ = table.get("reason").and_then(|node| text(node, "reason", report));
    let change = Override {
        reach: reach(&table, tenants, report),
        mode: mode.and_then(|word| choose(&word, "mode", &MODES, report)),
        severity: severity.and_then(|word| choose(&word, "severity", &SEVERITIES, report)),
        score: table.get("score").and_then(|node| score(node, report)),
        action: action.as_ref().and_then(|word| choose(word, "an override's action", &OVERRIDING, report)),
        mask: mask.as_ref().and_then(|mask| standing::mask(mask, report)),
        token: token.as_ref().map(|token| standing::token(token, report)),
    };
    let Override { mode, severity, score, action: changed, .. } = &change;
    if mode.is_none() && severity.is_none() && score.is_none() && changed.is_none() && before == report.error_count() {
        let help = "write `mode`, `severity`, `score` or `action`";
        report.error("R041", node.place, "the override changes nothing", help);
    }
    for (code, what, written) in [("R019", "mask", &mask), ("R044", "token", &token)] {
        if let Some(written) = written.as_ref().filter(|_| *changed != Some(Some(Action::Redact))) {
            let message = format!("a {what} on an override that does not redact");
            report.error(code, written.place, message, "write `action: redact` too");
        }
    }
    (report.error_count() == before).then_some((rules, change))
}

/// What an override may make of a rule. The others need more than a word, or make too much of a rule that was not written
/// for it.
const OVERRIDING: [(&str, Option<Action>); 5] = {
    let [score, _, flag, redact, strip, _, _, block] = ACTIONS;
    [score, flag, redact, strip, block]
};

/// Where an override or an exception applies, in a file that may be for some tenants alone.
pub(super) fn reach(table: &Table<'_>, tenants: &[At<String>], report: &mut Reporter<'_>) -> Reach {
    let mut reach = applies::read_reach(table.get("applies"), report);
    narrow(&mut reach.scope, tenants, table.place, report);
    reach
}

/// Restricts a scope to the tenants that its file is for.
pub(super) fn narrow(
    scope: &mut applies::Scope,
    tenants: &[At<String>],
    place: (usize, usize),
    report: &mut Reporter<'_>,
) {
    if tenants.is_empty() {
        return;
    }
    if scope.tenants.is_empty() {
        scope.tenants = tenants.iter().map(|tenant| tenant.value.clone()).collect();
    } else if let Some(other) = scope.tenants.iter().find(|name| !tenants.iter().any(|known| known.value == **name)) {
        let message = format!("the tenant `{}` is not one that the file is for", shown(other));
        report.error("R040", place, message, "name tenants of the file's `tenants`, or leave them out here");
    }
}

/// The rules that are meant.
pub(super) fn selectors(table: &Table<'_>, report: &mut Reporter<'_>) -> Vec<Selector> {
    if table.needed("rules", report).is_none() {
        return Vec::new();
    }
    applies::names_at(table, "rules", report)
}

/// Points: 0 to 100.
pub(super) fn score(node: &Node, report: &mut Reporter<'_>) -> Option<u32> {
    let written = number(node, "score", report)?;
    match u32::try_from(written.value) {
        Ok(points) if written.value <= limits::SCORE => Some(points),
        _ => {
            let help = format!("write 0 to {}; a block by itself is `action: block`", limits::SCORE);
            report.error("R007", written.place, format!("score cannot be `{}`", written.value), help);
            None
        }
    }
}

/// Positions of the rules that selectors name. A selector that names none is reported.
pub(super) fn select(
    selectors: &[Selector],
    rules: &[Rule],
    names: &Names,
    report: &mut Reporter<'_>,
) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for selector in selectors {
        let name = &selector.value;
        let fits = |rule: &Rule| rule.id == *name || rule.family.name() == name || rule.tags.contains(name);
        chosen.extend(rules.iter().enumerate().filter(|(_, rule)| fits(rule)).map(|(at, _)| at));
        if !names.known.contains(name) {
            let lower: Vec<String> = names.known.iter().map(|word| word.to_lowercase()).collect();
            let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
            let near = suggest::nearest(name, &lower);
            let near = near.and_then(|near| names.known.iter().find(|word| word.to_lowercase() == near));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "name a rule's id (`PII-003`), a family (`pii`) or a tag; `portcullis rules list` has them".into()
                }
            };
            report.error("R041", selector.place, format!("there is no rule, family or tag `{}`", shown(name)), help);
        }
    }
    chosen
}

/// Every name that a selector may have.
#[derive(Debug)]
pub(super) struct Names {
    known: BTreeSet<String>,
}

impl Names {
    /// `ids` and `tags`: of all rules that are written, those with problems too.
    pub(super) fn new(ids: impl Iterator<Item = String>, tags: BTreeSet<String>) -> Self {
        let families = Family::ALL.map(|family| family.name().to_owned());
        Self { known: ids.chain(families).chain(tags).collect() }
    }
}

/// Puts an override into the rules that it names: what holds everywhere changes the rule itself.
pub(super) fn apply(change: &Override, chosen: &BTreeSet<usize>, rules: &mut [Rule]) {
    for at in chosen {
        let Some(rule) = rules.get_mut(*at) else { continue };
        if !change.reach.is_everywhere() {
            rule.overrides.push(change.clone());
            continue;
        }
        rule.mode = change.mode.unwrap_or(rule.mode);
        if let Some(severity) = change.severity {
            rule.severity = severity;
            rule.score = None;
        }
        rule.score = change.score.or(rule.score);
        if let Some(action) = change.action {
            rule.action = action;
            rule.mask = change.mask.clone().or(rule.mask.take());
            rule.token = change.token.clone();
            rule.to = None;
        }
    }
}
