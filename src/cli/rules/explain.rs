//! `portcullis rules explain`: one rule in full.

use serde::Serialize;
use serde_json::Value;

use crate::app::load_rules;
use crate::cli::run::failure;
use crate::cli::{ConfigArg, Failure, out};
use crate::rules::Mode;
use crate::verdict::Action;

pub(super) fn run(id: &str, config: &ConfigArg) -> Result<u8, Failure> {
    let scanner = load_rules(&config.config()?.rules).map_err(failure)?;
    let Some((_, rule)) = scanner.rules().by_id(id) else {
        return Err(Failure::usage(format!("there is no rule `{id}`; `portcullis rules list` shows all")));
    };
    out::line(format!("{}: {}", rule.id, rule.title))?;
    out::line(format!("  file       {}:{}", rule.file.display(), rule.line))?;
    if !rule.description.is_empty() {
        out::line(format!("  why        {}", rule.description.trim()))?;
    }
    let [severity, confidence] = [format!("{:?}", rule.severity), format!("{:?}", rule.confidence)];
    let levels = format!("{severity}, confidence {confidence}, paranoia {}", rule.paranoia).to_lowercase();
    out::line(format!("  severity   {levels}"))?;
    let ways = [(rule.on_request, "requests"), (rule.on_reply, "replies")];
    let ways: Vec<&str> = ways.iter().filter(|(on, _)| *on).map(|(_, way)| *way).collect();
    let roles: Vec<&str> = rule.roles.iter().map(crate::text::Role::name).collect();
    out::line(format!("  applies to {}, roles {}", ways.join(" and "), roles.join(", ")))?;
    if !rule.scope.is_everywhere() {
        out::line(format!("  where      {}", serde_json::to_string(&rule.scope).map_err(Failure::job)?))?;
    }
    if rule.mode != Mode::Enforce {
        out::line(format!("  mode       {}", format!("{:?}", rule.mode).to_lowercase()))?;
    }
    let action = rule.action.map_or("score", Action::name);
    let to = rule.to.as_ref().map_or(String::new(), |to| format!(" {to}"));
    out::line(format!("  action     {action}{to}, {} points", rule.points()))?;
    if let Some(mask) = &rule.mask {
        out::line(format!("  mask       {mask}"))?;
    }
    if let Some(message) = &rule.message {
        out::line(format!("  message    {message}"))?;
    }
    if let Some(token) = &rule.token {
        out::line(format!("  token      {token}, in requests"))?;
    }
    if rule.sensitive {
        out::line("  sensitive  the matched text does not stand in the record")?;
    }
    out::line(format!("  tags       {}", rule.tags.join(", ")))?;
    for pattern in &rule.written {
        let kind = format!("{:?}", pattern.kind).to_lowercase();
        let name = pattern.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
        out::line(format!("  {kind:<10} {name}{}", pattern.text))?;
    }
    if let Some(condition) = &rule.condition {
        out::line(format!("  condition  {}", condition.written()))?;
    }
    if !rule.validators.is_empty() {
        out::line(format!("  validators {}", words(&rule.validators)?))?;
    }
    out::line(format!("  transforms {}", words(&rule.transforms)?))?;
    if rule.block_end {
        out::line("  stream     judged when the block has ended")?;
    }
    if let Some(lint) = &rule.lint {
        out::line(format!("  lint       allows {}: {}", words(&lint.allow)?, lint.because))?;
    }
    for change in rule.overrides() {
        out::line(format!("  override   {change}"))?;
    }
    for exception in scanner.rules().exceptions_naming(rule) {
        let crate::rules::Exception { id, expires, reason, file, line, .. } = exception;
        out::line(format!("  exception  {id} to {expires}, {}:{line}: {reason}", file.display()))?;
    }
    if !rule.allowed_by().is_empty() {
        out::line(format!("  allowed by {}", rule.allowed_by().join(", ")))?;
    }
    for example in &rule.examples {
        let kind = if example.is_match { "match" } else { "pass" };
        let text: String = example.text.escape_debug().collect();
        out::line(format!("  {kind:<10} {text}"))?;
    }
    Ok(0)
}

/// A name or a list of names, as they stand in rule files.
fn words(names: &impl Serialize) -> Result<String, Failure> {
    Ok(match serde_json::to_value(names).map_err(Failure::job)? {
        Value::String(name) => name,
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    })
}
