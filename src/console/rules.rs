//! The rules in force: what they did, what they cost, and how often reviewers called it a false alarm.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::api::Problem;
use super::guard::refused;
use super::overview::time;
use super::record::in_time;
use crate::audit::{AuditError, AuditReader, IncidentFilter, JudgeHits, RuleReviews};
use crate::inspect::Snapshot;
use crate::rules::Rule;
use crate::scan::{Context, Reading, Scanner};
use crate::text::{Direction, Role};

/// What each rule costs, measured once for each set of rules, in the background: it takes seconds.
#[derive(Debug, Default)]
pub(super) struct Costs(Mutex<Measured>);

#[derive(Debug, Default)]
struct Measured {
    /// The rules that are measured, or were.
    version: String,
    costs: Arc<CostByRule>,
}

/// By rule: its part of the time that all rules together spend in searches of their own, over all rules' examples.
type CostByRule = HashMap<String, f64>;

impl Costs {
    fn measured(&self) -> std::sync::MutexGuard<'_, Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The costs of the rules in force; empty until they are measured.
fn costs(state: &Arc<State>, snapshot: &Arc<Snapshot>) -> Arc<CostByRule> {
    let version = snapshot.scanner.rules().version();
    let mut measured = state.costs.measured();
    if measured.version != version {
        *measured = Measured { version: version.to_owned(), costs: Arc::default() };
        let (state, snapshot) = (Arc::clone(state), Arc::clone(snapshot));
        tokio::task::spawn_blocking(move || {
            let costs = Arc::new(measure(&snapshot.scanner));
            let mut measured = state.costs.measured();
            if measured.version == snapshot.scanner.rules().version() {
                measured.costs = costs;
            }
        });
    }
    Arc::clone(&measured.costs)
}

fn measure(scanner: &Scanner) -> CostByRule {
    let mut scratch = scanner.scratch();
    scratch.profile();
    let mut matches = Vec::new();
    for (_, rule) in scanner.rules().iter() {
        for example in &rule.examples {
            let direction = if rule.on_request { Direction::Request } else { Direction::Reply };
            let context = Context { direction, role: example.role.unwrap_or(Role::Unknown) };
            scanner.scan(&example.text, Reading::Both, context, &mut scratch, &mut matches);
            matches.clear();
        }
    }
    let mut spent: HashMap<_, u64> = HashMap::new();
    for (rule, _, cost) in scanner.costs(&scratch) {
        *spent.entry(rule).or_default() += cost.nanoseconds;
    }
    let all = spent.values().sum::<u64>().max(1);
    #[expect(clippy::cast_precision_loss, reason = "a part of a whole")]
    let part = |nanoseconds: u64| nanoseconds as f64 / all as f64;
    let named = |(index, nanoseconds)| Some((scanner.rules().rule(index)?.id.clone(), part(nanoseconds)));
    spent.into_iter().filter_map(named).collect()
}

/// All of them.
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let now = Timestamp::now().as_second();
    let mut lease = state.record.lease(None, None).await?;
    let (day, month, reviews) = in_time(async {
        let reader = &mut lease.reader;
        let day = reader.hits((now - DAY, now + DAY), None, HITS).await?;
        Ok((day, reader.hits((now - MONTH, now + DAY), None, HITS).await?, reader.rule_reviews(now - QUARTER).await?))
    })
    .await?;
    lease.back();
    let by_id = |hits: Vec<JudgeHits>| hits.into_iter().map(|one| (one.id.clone(), one)).collect::<HashMap<_, _>>();
    let (day, month) = (by_id(day), by_id(month));
    let snapshot = Arc::clone(&state.proxy.judges.load().snapshot);
    let scanner = &snapshot.scanner;
    let costs = costs(&state, &snapshot);
    let rules: Vec<Value> = scanner
        .rules()
        .iter()
        .map(|(_, rule)| {
            let id = &rule.id;
            row(rule, (day.get(id), month.get(id)), reviews.get(id), costs.get(id).copied())
        })
        .collect();
    let labels: Vec<&JudgeHits> = month.values().filter(|hits| hits.judge == "model").collect();
    let body = json!({ "rules": rules, "labels": labels, "version": scanner.rules().version_short() });
    Ok(Json(body).into_response())
}

fn row(
    rule: &Rule,
    (day, month): (Option<&JudgeHits>, Option<&JudgeHits>),
    reviews: Option<&RuleReviews>,
    cost: Option<f64>,
) -> Value {
    let reviews = reviews.copied().unwrap_or_default();
    json!({
        "id": rule.id,
        "title": rule.title,
        "family": rule.family,
        "severity": rule.severity,
        "mode": rule.mode,
        "action": rule.action,
        "points": rule.points(),
        "paranoia": rule.paranoia,
        "is_above_blocking": rule.is_above_blocking,
        "on_request": rule.on_request,
        "on_reply": rule.on_reply,
        "hits_24h": day.map_or(0, |hits| hits.acted),
        "hits_30d": month.map_or(0, |hits| hits.acted),
        "blocked_30d": month.map_or(0, |hits| hits.blocked),
        "shadow_30d": month.map_or(0, |hits| hits.shadow),
        "held_30d": month.map_or(0, |hits| hits.held),
        "dispositions": reviews,
        "false_rate": reviews.false_rate(),
        "cost": cost,
        "file": rule.file,
        "line": rule.line,
    })
}

/// One of them, with its text, its examples and what it did last.
pub(super) async fn show(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let snapshot = Arc::clone(&state.proxy.judges.load().snapshot);
    let rules = Arc::clone(snapshot.scanner.rules());
    let Some((_, rule)) = rules.by_id(&id) else {
        let why = format!("no rule `{id}` is in force; it may be off, above the paranoia level, or of another version");
        return Ok(refused(StatusCode::NOT_FOUND, &why));
    };
    let mut lease = state.record.lease(None, None).await?;
    let found = in_time(find(&mut lease.reader, &id)).await?;
    lease.back();
    let costs = costs(&state, &snapshot);
    let (day, month, days, reviews, recent) = found;
    let mut told = row(rule, (day.as_ref(), month.as_ref()), reviews.get(&id), costs.get(&id).copied());
    let exceptions: Vec<Value> = rules.exceptions_naming(rule).map(|one| {
        json!({
            "id": one.id, "expires": one.expires.to_string(), "reason": one.reason, "file": one.file, "line": one.line,
            "scope": one.scope(),
        })
    }).collect();
    let text = text_of(&state, rule).await;
    if let Value::Object(told) = &mut told {
        told.insert("rule".to_owned(), json!(rule));
        told.insert("yaml".to_owned(), json!(text));
        told.insert("description".to_owned(), json!(rule.description));
        told.insert("tags".to_owned(), json!(rule.tags));
        told.insert("references".to_owned(), json!(rule.references));
        told.insert("overrides".to_owned(), rule.overrides().map(Value::from).collect());
        told.insert("exceptions".to_owned(), exceptions.into());
        let examples = |is_match: bool| -> Vec<&str> {
            rule.examples.iter().filter(|one| one.is_match == is_match).map(|one| one.text.as_str()).collect()
        };
        told.insert("examples".to_owned(), json!({ "match": examples(true), "pass": examples(false) }));
        told.insert(
            "hits".to_owned(),
            json!({
                "at": days.iter().map(|(at, _, _)| time(*at)).collect::<Vec<_>>(),
                "count": days.iter().map(|(_, acted, _)| acted).collect::<Vec<_>>(),
                "shadow": days.iter().map(|(_, _, shadow)| shadow).collect::<Vec<_>>(),
            }),
        );
        told.insert("recent".to_owned(), recent.into());
    }
    Ok(Json(told).into_response())
}

/// A rule's own lines in the policy in force, as they were kept; `None`: they cannot be read.
async fn text_of(state: &State, rule: &Rule) -> Option<String> {
    let (control, version) = (state.policy.clone(), state.policy.status().in_force.version.clone());
    let files = tokio::task::spawn_blocking(move || control.desk().files(&version)).await.ok()?.ok()??;
    let file = files.iter().find(|file| !file.is_config && rule.file.ends_with(&file.path))?;
    block(&file.text, usize::try_from(rule.line).ok()?)
}

/// The item of a YAML list that has this line (from 1): from its hyphen to the next line that stands no deeper.
fn block(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let start = lines.get(..line)?.iter().rposition(|line| line.trim_start().starts_with("- "))?;
    let depth = lines.get(start).map(|line| indent(line))?;
    let rest = lines.get(start + 1..)?;
    let is_next = |line: &&str| !line.trim().is_empty() && indent(line) <= depth;
    let end = rest.iter().position(is_next).map_or(lines.len(), |end| start + 1 + end);
    let own = lines.get(start..end)?.iter().map(|line| line.get(depth..).unwrap_or("").trim_end());
    Some(own.collect::<Vec<_>>().join("\n").trim_end().to_owned())
}

type Found = (Option<JudgeHits>, Option<JudgeHits>, Vec<(i64, u64, u64)>, BTreeMap<String, RuleReviews>, Vec<Value>);

async fn find(reader: &mut AuditReader, id: &str) -> Result<Found, AuditError> {
    let now = Timestamp::now().as_second();
    let incidents = IncidentFilter { rule: Some(id.to_owned()), ..IncidentFilter::default() };
    let of = |hits: Vec<JudgeHits>| hits.into_iter().find(|one| one.id == id);
    Ok((
        of(reader.hits((now - DAY, now + DAY), None, HITS).await?),
        of(reader.hits((now - MONTH, now + DAY), None, HITS).await?),
        reader.hits_by_day(id, now - MONTH).await?,
        reader.rule_reviews(now - QUARTER).await?,
        reader.incidents(&incidents, (None, RECENT), false).await?.incidents,
    ))
}

const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;
const QUARTER: i64 = 90 * DAY;
/// Rules and labels that have figures; more than any set has rules.
const HITS: i64 = 20_000;
/// Incidents of one rule.
const RECENT: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_shown_with_its_own_lines_alone() {
        let text = "family: x\nrules:\n  - id: A-1\n    title: a\n    examples:\n      match:\n        - 'one'\n\n  # About B.\n  - id: B-1\n    title: b\n";
        assert_eq!(block(text, 3).unwrap(), "- id: A-1\n  title: a\n  examples:\n    match:\n      - 'one'");
        assert_eq!(block(text, 10).unwrap(), "- id: B-1\n  title: b");
        assert_eq!(block(text, 1), None);
        assert_eq!(block(text, 99), None);
    }

    #[test]
    fn costs_are_parts_of_a_whole() {
        let rules = crate::rules::load(&[std::path::PathBuf::from("rules/markup")]).unwrap().set;
        let costs = measure(&Scanner::new(Arc::new(rules)).unwrap());
        assert!(!costs.is_empty());
        assert!((costs.values().sum::<f64>() - 1.0).abs() < 1e-6);
    }
}
