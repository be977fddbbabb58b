//! What `rules replay` says.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use crate::cli::out;
use crate::inspect::Snapshot;
use crate::review::replay::{Comparison, Example, Shown};
use crate::text::Direction;
use crate::verdict::Action;

pub(super) fn json(current: &Snapshot, candidate: &Snapshot, comparison: &Comparison) -> io::Result<()> {
    let set = |snapshot: &Snapshot| {
        let rules = snapshot.scanner.rules();
        json!({ "rules": rules.len(), "rules_version": rules.version(), "policy": snapshot.version })
    };
    let mut said = json!({ "current": set(current), "candidate": set(candidate) });
    let compared = serde_json::to_value(comparison).map_err(io::Error::other)?;
    if let (Some(said), serde_json::Value::Object(compared)) = (said.as_object_mut(), compared) {
        said.extend(compared);
    }
    out::json(&said)
}

pub(super) fn lines(current: &Snapshot, candidate: &Snapshot, comparison: &Comparison) -> io::Result<()> {
    for (name, snapshot) in [("in force", current), ("candidate", candidate)] {
        let rules = snapshot.scanner.rules();
        out::line(format!("{name:<9} {:>5} rules, version {}", rules.len(), rules.version_short()))?;
    }
    if !comparison.rules.is_empty() {
        out::line(format!("\n{:<16} {:>8} {:>8} {:>8}", "rule", "new", "gone", "other"))?;
    }
    for rule in &comparison.rules {
        let labels =
            [("new", &rule.new_labels), ("gone", &rule.gone_labels)].map(|(what, labels)| by_label(what, labels));
        let line =
            format!("{:<16} {:>8} {:>8} {:>8}  {}{}", rule.rule, rule.new, rule.gone, rule.other, labels[0], labels[1]);
        out::line(line.trim_end())?;
    }
    if !comparison.transitions.is_empty() {
        out::line(format!("\n{:<16} {:>8}", "action", "rows"))?;
    }
    for one in &comparison.transitions {
        let line = format!("{:<16} {:>8}  {}", step(one.from, one.to), one.rows, by_label("", &one.labels));
        out::line(line.trim_end())?;
    }
    if !comparison.examples.is_empty() {
        out::line("\nchanged, for example:")?;
    }
    comparison.examples.iter().try_for_each(example)?;
    let Comparison { judged, changed, actions_changed, .. } = comparison;
    out::line(format!("\n{judged} judged, {changed} changed, {actions_changed} of them to another action"))?;
    for skipped in &comparison.not_replayed {
        let places: Vec<String> = skipped.places.iter().map(|place| visible(place)).collect();
        out::line(format!("{} not replayed: {} ({})", skipped.rows, visible(&skipped.reason), places.join(", ")))?;
    }
    Ok(())
}

fn example(example: &Example) -> io::Result<()> {
    let way = match example.origin.direction {
        Direction::Reply => "reply",
        Direction::Request => "request",
    };
    let label = example.origin.label.as_ref().map(|label| format!(", {}", visible(label))).unwrap_or_default();
    let [before, after] = example.scores;
    let step = step(example.from, example.to);
    out::line(format!("  {} ({way}{label}): {step}, score {before} → {after}", visible(&example.origin.id)))?;
    for (sign, findings) in [('+', &example.new), ('-', &example.gone)] {
        findings.iter().try_for_each(|finding| {
            let Shown { rule, action, standing, place, excerpt } = finding;
            let action = standing.unwrap_or_else(|| action.map_or("score", Action::name));
            out::line(format!("    {sign} {rule} {action} {}: {}", visible(place), visible(excerpt)))
        })?;
    }
    Ok(())
}

fn step(from: Action, to: Action) -> String {
    if from == to { format!("{} as before", from.name()) } else { format!("{} → {}", from.name(), to.name()) }
}

fn by_label(what: &str, labels: &BTreeMap<String, u64>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels: Vec<String> = labels.iter().map(|(label, rows)| format!("{rows} {}", visible(label))).collect();
    format!("[{what}{}{}] ", if what.is_empty() { "" } else { ": " }, labels.join(", "))
}

/// A recorded text.
fn visible(text: &str) -> String {
    out::part(text, 200)
}
