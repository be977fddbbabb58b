//! What a reviewer's verdict does to the rules: an exception, or an example more. First it is tried on a copy, with the rule's own tests
//! and recorded traffic; a second, explicit request writes it.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use similar::TextDiff;

use super::again::{self, Compared};
use super::api::Problem;
use super::guard::refused;
use super::incidents::none;
use super::who::Actor;
use super::{Asker, State};
use crate::audit::{
    ExchangeDetail, FindingRecord, FullText, IncidentFilter, IncidentId, Judge, PassageText, VerdictRecord,
};
use crate::proxy::{Change, Drafted, Origin, Wish};
use crate::review::recorded::facts;
use crate::rules::edit::{ExceptionDraft, Found, RuleEdit};
use crate::text::Direction;

/// An exception for a finding.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// The number of the finding in its verdict.
    finding: usize,
    /// Only the very text that was found; else whatever the rule finds where it applies.
    #[serde(default)]
    only_this_text: bool,
    #[serde(default)]
    scope: Scope,
    /// The last day.
    until: Date,
    reason: String,
    #[serde(default)]
    commit: bool,
    /// What the look before gave as `seen`: what is written is what was looked at.
    #[serde(default)]
    seen: Option<String>,
}

/// Where an exception holds; everything left out: everywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    tenant: Option<String>,
    key: Option<String>,
    model: Option<String>,
    route: Option<String>,
    /// A JSON Pointer, in which `*` and `**` stand for any.
    place: Option<String>,
    role: Option<String>,
}

/// An example for the rule of a finding.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    finding: usize,
    expect: Expect,
    text: String,
    #[serde(default)]
    commit: bool,
    /// What the look before gave as `seen`: what is written is what was looked at.
    #[serde(default)]
    seen: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Match,
    Pass,
}

/// A change, and whether it is only looked at.
struct Wanted<'w> {
    what: &'static str,
    edit: RuleEdit,
    rule: &'w str,
    tenant: Option<String>,
    commit: bool,
    seen: Option<String>,
}

/// What stands against a change.
struct Refusal(StatusCode, String);

impl Refusal {
    fn wrong(why: impl Into<String>) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, why.into())
    }
}

/// Makes an exception, or shows what it would do.
pub(super) async fn exception(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(asked): Json<Exception>,
) -> Result<Response, Problem> {
    let looked = look(&state, &id, asked.finding).await?;
    let (detail, incident, finding) = match looked {
        Ok(found) => found,
        Err(response) => return Ok(response),
    };
    let found = match found(&state, &detail, (incident, &finding), asked.only_this_text) {
        Ok(found) => found,
        Err(Refusal(status, why)) => return Ok(refused(status, &why)),
    };
    if asked.reason.trim().is_empty() {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "say why: `reason` is empty"));
    }
    let Scope { tenant, key, model, route, place, role } = asked.scope;
    let scopes = [
        ("roles", role),
        ("models", model),
        ("routes", route),
        ("tenants", tenant.clone()),
        ("keys", key),
        ("fields", place),
    ];
    let applies = scopes.into_iter().filter_map(|(name, value)| Some((name, vec![value?]))).collect();
    let draft = ExceptionDraft {
        rule: finding.id.clone(),
        applies,
        found,
        reason: asked.reason.trim().to_owned(),
        by: actor.name.clone(),
        expires: asked.until,
    };
    let edit = RuleEdit::Exception(draft);
    let (commit, seen) = (asked.commit, asked.seen);
    let wanted = Wanted { what: "exception", edit, rule: &finding.id, tenant, commit, seen };
    change(&state, (&actor, address), wanted).await
}

/// Adds an example to a rule, or shows what that would do.
pub(super) async fn example(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(asked): Json<Example>,
) -> Result<Response, Problem> {
    let (_, _, finding) = match look(&state, &id, asked.finding).await? {
        Ok(found) => found,
        Err(response) => return Ok(response),
    };
    if asked.text.trim().is_empty() {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "the example's text is empty"));
    }
    let is_match = asked.expect == Expect::Match;
    let edit = RuleEdit::Example { rule: finding.id.clone(), is_match, text: asked.text };
    let (commit, seen) = (asked.commit, asked.seen);
    let wanted = Wanted { what: "example", edit, rule: &finding.id, tenant: None, commit, seen };
    change(&state, (&actor, address), wanted).await
}

type Looked = (Box<ExchangeDetail>, IncidentId, FindingRecord);

/// The finding of this number in an incident, which must be a rule's.
async fn look(state: &State, id: &str, number: usize) -> Result<Result<Looked, Response>, Problem> {
    let id: IncidentId = match id.parse() {
        Ok(id) => id,
        Err(error) => return Ok(Err(refused(StatusCode::BAD_REQUEST, &error))),
    };
    let Some(detail) = state.record.show(id.exchange).await? else { return Ok(Err(none())) };
    let (verdict, _) = side(&detail, id);
    let finding = verdict.and_then(|verdict| verdict.findings.get(number)).cloned();
    let Some(finding) = finding else {
        let why = format!("the incident has no finding number {number}");
        return Ok(Err(refused(StatusCode::NOT_FOUND, &why)));
    };
    if finding.judge == Judge::Model {
        let why = "the classifier found this, and no rule: its levels stand under `policy.model`";
        return Ok(Err(refused(StatusCode::UNPROCESSABLE_ENTITY, why)));
    }
    Ok(Ok((Box::new(detail), id, finding)))
}

/// An incident's own half of its exchange.
fn side(detail: &ExchangeDetail, id: IncidentId) -> (Option<&VerdictRecord>, Option<&FullText>) {
    if id.is_reply {
        let end = detail.end.as_ref();
        (end.and_then(|end| end.reply.as_ref()), end.and_then(|end| end.reply_text.as_ref()))
    } else {
        let begin = detail.begin.as_ref();
        (begin.map(|begin| &begin.request), begin.and_then(|begin| begin.prompt_text.as_ref()))
    }
}

/// The text that was found, where an exception is for that alone. Of a sensitive rule its hash.
fn found(
    state: &State,
    detail: &ExchangeDetail,
    (id, finding): (IncidentId, &FindingRecord),
    only_this_text: bool,
) -> Result<Option<Found>, Refusal> {
    if !only_this_text {
        return Ok(None);
    }
    let (_, text) = side(detail, id);
    let Some(FullText::Plain(passages)) = text else {
        let why = "its text is not kept (policy.record.text), so that the found text is not known; leave out `only_this_text`, and say where the exception holds";
        return Err(Refusal(StatusCode::CONFLICT, why.to_owned()));
    };
    let passage = passages.iter().find(|passage| passage.place == finding.place);
    let text = passage.and_then(|passage| passage.text.get(finding.span.range()));
    let text = text.ok_or_else(|| Refusal::wrong("the found text is not in the recorded one"))?;
    let judges = state.proxy.judges.load();
    let rule = judges.snapshot.scanner.rules().by_id(&finding.id);
    Ok(Some(match rule.is_some_and(|(_, rule)| rule.sensitive) {
        true => Found::Sha256(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()),
        false => Found::Text(text.to_owned()),
    }))
}

async fn change(
    state: &Arc<State>,
    (actor, address): (&Actor, std::net::IpAddr),
    wanted: Wanted<'_>,
) -> Result<Response, Problem> {
    let Wanted { what, edit, rule, tenant, commit, seen: looked_at } = wanted;
    let desk = Arc::clone(state.policy.desk());
    let drafted = tokio::task::spawn_blocking(move || desk.draft(&edit)).await;
    let drafted = match drafted {
        Ok(Ok(drafted)) => drafted,
        Ok(Err(problems)) => {
            let error = problems.first().map_or_else(String::new, |problem| problem.message.clone());
            let body = json!({ "error": format!("the rules would not load: {error}"), "problems": problems });
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response());
        }
        Err(error) => return Ok(refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
    };
    let seen = seen(&drafted);
    let mut told = json!({
        "file": drafted.file,
        "diff": diff(&drafted),
        "seen": seen,
        "tests": {
            "rules": drafted.examples.rules,
            "examples": drafted.examples.examples,
            "scans": drafted.examples.ran,
            "failed": drafted.examples.failed,
        },
        "committed": false,
    });
    if !commit {
        let changed = replay(state, &drafted, rule, tenant).await?;
        if let Value::Object(told) = &mut told {
            told.insert("changed".to_owned(), changed);
        }
        return Ok(Json(told).into_response());
    }
    if !drafted.examples.failed.is_empty() {
        let why = "an example of the rule does not hold; change the rule first";
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    if looked_at.as_deref() != Some(&seen) {
        let why = "this is not what was looked at: the file was changed meanwhile, or nobody looked; look once more";
        return Ok(refused(StatusCode::CONFLICT, why));
    }
    match put(state, drafted).await {
        Ok(version) => {
            state.told(actor, address, what, rule, Some(&version));
            if let Value::Object(told) = &mut told {
                told.insert("committed".to_owned(), true.into());
                told.insert("version".to_owned(), version.into());
            }
            Ok(Json(told).into_response())
        }
        Err(Refusal(status, why)) => Ok(refused(status, &why)),
    }
}

/// Writes it and puts it in force; what is refused is taken back.
async fn put(state: &State, drafted: Drafted) -> Result<String, Refusal> {
    let desk = Arc::clone(state.policy.desk());
    let drafted = Arc::new(drafted);
    let (at, writing) = (Arc::clone(&desk), Arc::clone(&drafted));
    let written = tokio::task::spawn_blocking(move || at.write(&writing)).await;
    written.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| Refusal(StatusCode::CONFLICT, why))?;
    let attempt = state.policy.ask(Wish::Reload(Origin::Api)).await;
    let why = match attempt {
        Ok(attempt) if matches!(attempt.result, Change::InForce | Change::Unchanged) => return Ok(attempt.version),
        Ok(attempt) => attempt.problems.first().map_or_else(
            || "something else in the configuration has changed that needs a restart".to_owned(),
            |problem| problem.text.clone(),
        ),
        Err(error) => error.to_string(),
    };
    let undone = tokio::task::spawn_blocking(move || desk.undo(&drafted)).await;
    let state = match undone.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(()) => "the file is as it was".to_owned(),
        Err(error) => error,
    };
    Err(Refusal(StatusCode::CONFLICT, format!("the new policy did not come into force, {state}: {why}")))
}

/// Names a change: the same file, before and after.
fn seen(drafted: &Drafted) -> String {
    let mut hash = Sha256::new();
    hash.update(drafted.file.as_os_str().as_encoded_bytes());
    for text in [drafted.before.as_deref().unwrap_or_default(), &drafted.after] {
        hash.update(Sha256::digest(text));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn diff(drafted: &Drafted) -> String {
    let name = drafted.file.display().to_string();
    let before = drafted.before.as_deref().unwrap_or_default();
    TextDiff::from_lines(before, &drafted.after).unified_diff().header(&name, &name).to_string()
}

/// What would become of the last incidents in which the rule acted.
async fn replay(state: &State, drafted: &Drafted, rule: &str, tenant: Option<String>) -> Result<Value, Problem> {
    let filter = IncidentFilter { rule: Some(rule.to_owned()), tenant, ..IncidentFilter::default() };
    let page = state.record.incidents(None, &filter, (None, REPLAYED), false).await?;
    let judges = state.proxy.judges.load_full();
    let today = again::today();
    let (mut replayed, mut rows) = (0_u32, Vec::new());
    for incident in &page.incidents {
        let id = incident.get("id").and_then(Value::as_str).and_then(|id| id.parse::<IncidentId>().ok());
        let Some(id) = id else { continue };
        let Some(detail) = state.record.stored(id.exchange).await? else { continue };
        let (_, Some(FullText::Plain(texts))) = side(&detail, id) else { continue };
        let facts = detail.begin.as_ref().map(|begin| facts(begin, today)).unwrap_or_default();
        let direction = if id.is_reply { Direction::Reply } else { Direction::Request };
        let texts: Vec<PassageText> = texts.clone();
        let Ok(compared) = again::compare(&judges, &drafted.candidate, texts, (direction, facts)).await else {
            continue;
        };
        replayed += 1;
        let Compared { before, after } = compared;
        if before.action != after.action || before.score != after.score {
            rows.push(json!({
                "id": incident.get("id"),
                "at": incident.get("at"),
                "tenant": incident.get("tenant"),
                "title": incident.get("title"),
                "before": { "action": before.action, "score": before.score },
                "after": { "action": after.action, "score": after.score },
            }));
        }
    }
    Ok(
        json!({ "replayed": replayed, "of": page.total, "without_text": page.incidents.len() - replayed as usize, "rows": rows }),
    )
}

/// Judges an incident again by the policy in force.
pub(super) async fn rescan(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: IncidentId = match id.parse() {
        Ok(id) => id,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, &error)),
    };
    let Some(detail) = state.record.show(id.exchange).await? else { return Ok(none()) };
    let (Some(before), text) = side(&detail, id) else { return Ok(none()) };
    let Some(FullText::Plain(texts)) = text else {
        let why = "its text is not kept, or cannot be read here: policy.record.text, docs/audit-schema.md";
        return Ok(refused(StatusCode::CONFLICT, why));
    };
    let judges = state.proxy.judges.load_full();
    let today = again::today();
    let facts = detail.begin.as_ref().map(|begin| facts(begin, today)).unwrap_or_default();
    let direction = if id.is_reply { Direction::Reply } else { Direction::Request };
    let again = match again::judge(&judges, texts.clone(), (direction, facts), |_| false).await {
        Ok(again) => again,
        Err(why) => return Ok(refused(StatusCode::INTERNAL_SERVER_ERROR, &why)),
    };
    state.told(&actor, address, "rescan", &id.to_string(), None);
    let after = again.record();
    let ids = |verdict: &VerdictRecord| -> Vec<String> {
        let mut ids: Vec<String> = verdict.findings.iter().map(|finding| finding.id.clone()).collect();
        ids.dedup();
        ids
    };
    let told =
        |verdict: &VerdictRecord| json!({ "action": verdict.action, "score": verdict.score, "findings": ids(verdict) });
    Ok(Json(json!({
        "before": told(before),
        "after": told(&after),
        "policy_version": judges.snapshot.version,
        "model_version": judges.classifier.as_ref().map(crate::classify::Classifier::version),
        "fault": again.fault,
    }))
    .into_response())
}

/// Incidents that a change is tried on.
const REPLAYED: u32 = 100;
