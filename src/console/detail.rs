//! One incident in full: what was said, what was found in it, how that added up, what the client got, and what else there is about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use serde_json::{Value, json};

use super::again::{self, Again};
use super::api::Problem;
use super::guard::refused;
use super::incidents::none;
use super::who::{Actor, Role};
use super::{Asker, State};
use crate::audit::{
    Begin, End, ExchangeDetail, FindingRecord, FullText, IncidentFilter, IncidentId, PassageText, Unread, VerdictRecord,
};
use crate::base::Span;
use crate::inspect::trace::Sighting;
use crate::proxy::Judges;
use crate::review::recorded::facts;
use crate::rules::Rule;
use crate::text::{Direction, Trust};
use crate::verdict::Layer;

/// Everything about one incident; to viewers without recorded texts. That somebody read those is recorded.
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: IncidentId = match id.parse() {
        Ok(id) => id,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, &error)),
    };
    let Some((incident, history)) = state.record.incident(id).await? else { return Ok(none()) };
    let mut told = json!({ "incident": incident, "history": history });
    let around = around(&state, &incident).await?;
    let exchange = state.record.show(id.exchange).await?;
    let Value::Object(all) = &mut told else { return Ok(none()) };
    all.extend(around);
    if let Some(mut exchange) = exchange {
        let has_texts = exchange.has_texts();
        let may_read = actor.role >= Role::Reviewer;
        if !may_read {
            exchange.hide_texts();
        } else if has_texts {
            state.told(&actor, address, "read_text", &id.exchange.to_string(), None);
        }
        all.insert("client_saw".to_owned(), client_saw(&exchange));
        all.insert("records".to_owned(), exchange.records.iter().map(place).collect());
        all.insert("directions".to_owned(), directions(&state, &exchange, may_read).await);
        all.insert("exchange".to_owned(), of_exchange(&exchange));
    }
    Ok(Json(told).into_response())
}

/// What happened to the same principal, and what looks the same.
async fn around(state: &State, incident: &Value) -> Result<Vec<(String, Value)>, Problem> {
    let of = |name: &str| incident.get(name).and_then(Value::as_str).map(str::to_owned);
    let own = of("id");
    let of_principal = IncidentFilter { tenant: of("tenant"), principal: of("principal"), ..IncidentFilter::default() };
    let alike = IncidentFilter { fingerprint: of("fingerprint"), ..IncidentFilter::default() };
    let mut lists = Vec::new();
    for (name, filter, limit) in [("timeline", of_principal, TIMELINE), ("similar", alike, SIMILAR)] {
        let tenant = of("tenant");
        let mut lease = state.record.lease(None, tenant.as_deref()).await?;
        let page = super::record::in_time(lease.reader.incidents(&filter, (None, limit), false)).await?;
        lease.back();
        let others = page
            .incidents
            .into_iter()
            .filter(|one| name == "timeline" || one.get("id").and_then(Value::as_str) != own.as_deref());
        lists.push((name.to_owned(), others.collect()));
    }
    Ok(lists)
}

fn of_exchange(detail: &ExchangeDetail) -> Value {
    let begin = detail.begin.as_ref();
    let end = detail.end.as_ref();
    json!({
        "exchange_id": begin.map(|begin| begin.exchange),
        "started_at": begin.map(|begin| begin.at),
        "ended_at": end.map(|end| end.at),
        "outcome": end.map(|end| end.outcome),
        "status": end.and_then(|end| end.status),
        "route": begin.map(|begin| &begin.route),
        "method": begin.map(|begin| &begin.method),
        "path": begin.map(|begin| &begin.path),
        "stream": begin.map(|begin| begin.stream),
        "model_asked": begin.and_then(|begin| begin.model_asked.as_ref()),
        "provider": end.and_then(|end| end.provider.as_ref()),
        "model": end.and_then(|end| end.model.as_ref()),
        "client_addr": begin.map(|begin| &begin.client_addr),
        "key_id": begin.and_then(|begin| begin.key_id.as_ref()),
        "policy_version": begin.map(|begin| &begin.policy_version),
        "prompt_tokens": end.and_then(|end| end.prompt_tokens),
        "completion_tokens": end.and_then(|end| end.completion_tokens),
        "cost_usd": end.and_then(|end| end.cost_nusd).map(super::overview::dollars),
        "latency_us": end.map_or_else(|| begin.map(|begin| &begin.latency_us), |end| Some(&end.latency_us)),
        "fault": end.and_then(|end| end.fault.as_ref()),
    })
}

fn place(stored: &crate::audit::StoredEvent) -> Value {
    let body: Value = serde_json::from_str(&stored.body).unwrap_or_default();
    json!({
        "node": stored.node,
        "seq": stored.seq,
        "hash": stored.hash,
        "kind": body.pointer("/event/kind"),
        "day": body.get("day"),
    })
}

/// What went to the client, as far as the record knows: it keeps verdicts, and texts only where policy says so.
fn client_saw(detail: &ExchangeDetail) -> Value {
    let Some(end) = &detail.end else { return json!({ "what": "open", "note": "the exchange has not ended" }) };
    let reply = end.reply.as_ref().map(|reply| reply.action);
    let (what, note) = match end.outcome {
        crate::audit::Outcome::Blocked if end.reply.is_none() => {
            ("refusal", "an error that says that policy blocked the request; nothing reached a provider")
        }
        crate::audit::Outcome::Blocked => ("cut", "the reply up to where it was blocked, if any of it, and a notice"),
        crate::audit::Outcome::Completed if reply.is_some_and(|action| action > crate::verdict::Action::Flag) => {
            ("changed", "the reply, without what was taken out of it")
        }
        crate::audit::Outcome::Completed => ("reply", "the whole reply"),
        crate::audit::Outcome::ClientGone => ("left", "the client went away before the end"),
        crate::audit::Outcome::Failed => ("error", "an error"),
        crate::audit::Outcome::Interrupted => ("nothing", "the exchange broke off"),
        crate::audit::Outcome::Refused => ("refusal", "an error; there was no exchange"),
    };
    json!({ "what": what, "note": note, "status": end.status, "bytes": end.reply_bytes, "fault": end.fault })
}

/// Both directions that were judged.
async fn directions(state: &State, detail: &ExchangeDetail, may_read: bool) -> Value {
    let judges = Arc::clone(&state.proxy.judges.load_full());
    let mut all = Vec::new();
    if let Some(begin) = &detail.begin {
        let text = (begin.prompt_text.as_ref(), begin.cut.text_bytes);
        all.push(direction(&judges, (Direction::Request, &begin.request), text, (Some(begin), may_read)).await);
    }
    if let Some(End { reply: Some(reply), reply_text, cut, .. }) = &detail.end {
        let text = (reply_text.as_ref(), cut.text_bytes);
        all.push(direction(&judges, (Direction::Reply, reply), text, (detail.begin.as_ref(), may_read)).await);
    }
    Value::Array(all)
}

async fn direction(
    judges: &Judges,
    (direction, verdict): (Direction, &VerdictRecord),
    (text, cut): (Option<&FullText>, u64),
    (begin, may_read): (Option<&Begin>, bool),
) -> Value {
    let why_no_text = match text {
        _ if !may_read => Some("role"),
        Some(FullText::Plain(_)) => None,
        Some(FullText::Kept(kept)) => Some(match kept.unread {
            Some(Unread::Shredded) => "shredded",
            Some(Unread::KeyMissing) => "key_missing",
            Some(Unread::Damaged) => "damaged",
            Some(Unread::Gone) | None => "gone",
        }),
        None => Some("not_kept"),
    };
    let plain = match text {
        Some(FullText::Plain(texts)) if may_read => texts.clone(),
        _ => Vec::new(),
    };
    let places: BTreeSet<&str> = verdict.findings.iter().map(|finding| finding.place.as_str()).collect();
    let again = if plain.is_empty() {
        None
    } else {
        let facts = begin.map(|begin| facts(begin, again::today())).unwrap_or_default();
        let is_found = |text: &PassageText| places.contains(text.place.as_str());
        again::judge(judges, plain.clone(), (direction, facts), is_found).await.ok()
    };
    json!({
        "direction": direction,
        "action": verdict.action,
        "score": verdict.score,
        "model_version": verdict.model_version,
        "findings": verdict.findings.iter().enumerate().map(|(number, one)| finding(judges, number, one)).collect::<Vec<_>>(),
        "faults": verdict.faults,
        "waivers": verdict.waivers,
        "sum": sums(judges, direction, verdict),
        "why_no_text": why_no_text,
        "text_cut": cut,
        "passages": passages(&plain, verdict, again.as_ref()),
        "windows_by": judges.classifier.as_ref().map(crate::classify::Classifier::version),
        "windows_fault": again.as_ref().and_then(|again| again.fault.as_ref()),
    })
}

/// A finding with the rule that it is of, as that stands in the policy in force.
fn finding(judges: &Judges, number: usize, finding: &FindingRecord) -> Value {
    let rules = judges.snapshot.scanner.rules();
    let rule = rules.by_id(&finding.id).map(|(_, rule)| about(rule));
    let mut told = serde_json::to_value(finding).unwrap_or_default();
    if let Value::Object(told) = &mut told {
        told.insert("number".to_owned(), number.into());
        told.insert("rule".to_owned(), rule.unwrap_or_default());
        // A record leaves this out where it says nothing.
        told.entry("standing").or_insert_with(|| "acts".into());
    }
    told
}

fn about(rule: &Rule) -> Value {
    json!({
        "file": rule.file,
        "line": rule.line,
        "description": rule.description,
        "references": rule.references,
        "family": rule.family,
        "patterns": rule.written.iter().map(|pattern| &pattern.text).collect::<Vec<_>>(),
        "mode": rule.mode,
    })
}

/// How points add up at each place: each rule or label once, as the verdict counts them.
fn sums(judges: &Judges, direction: Direction, verdict: &VerdictRecord) -> Value {
    let mut places: BTreeMap<&str, Vec<&FindingRecord>> = BTreeMap::new();
    for finding in verdict.findings.iter().filter(|finding| finding.standing == "acts") {
        let at = places.entry(&finding.place).or_default();
        if !at.iter().any(|known| known.id == finding.id) {
            at.push(finding);
        }
    }
    let sum = |(place, findings): (&str, Vec<&FindingRecord>)| {
        let trust = findings.first().map_or(Trust::User, |finding| finding.trust);
        let trust = if direction == Direction::Reply { Trust::Provider } else { trust };
        let levels = judges.snapshot.policy.score.of(trust);
        let total: u32 = findings.iter().map(|finding| finding.points).sum();
        let reached = match levels.block {
            Some(block) if total >= block => Some("block"),
            _ if total >= levels.flag => Some("flag"),
            _ => None,
        };
        json!({
            "place": place,
            "trust": trust,
            "points": findings.iter().map(|one| json!({
                "id": one.id, "title": one.title, "points": one.points, "demands": one.action,
            })).collect::<Vec<_>>(),
            "total": total,
            "levels": { "flag": (levels.flag < u32::MAX).then_some(levels.flag), "block": levels.block },
            "threshold_reached": reached,
        })
    };
    places.into_iter().map(sum).collect()
}

/// Passages with their texts and readings, or, without those, the places that something was found at.
fn passages(texts: &[PassageText], verdict: &VerdictRecord, again: Option<&Again>) -> Value {
    if texts.is_empty() {
        let mut seen = BTreeSet::new();
        let places = verdict.findings.iter().filter(|finding| seen.insert(&finding.place));
        return places
            .map(|one| json!({ "place": one.place, "role": one.role, "trust": one.trust, "text": null, "layers": [], "windows": [] }))
            .collect();
    }
    let mut room = TEXT_BYTES;
    let shown = texts.iter().enumerate().map(|(index, passage)| {
        let is_found = verdict.findings.iter().any(|finding| finding.place == passage.place);
        // Long conversations: what nothing was found in gives way first.
        let text = if is_found { cut(&passage.text, TEXT_BYTES) } else { cut(&passage.text, room.min(QUIET_BYTES)) };
        room = room.saturating_sub(text.len());
        let again = again.map(|again| (again.traces.get(index).and_then(Option::as_ref), again.windows.get(index)));
        let layers = again.and_then(|(trace, _)| trace).map(layers).unwrap_or_default();
        let windows = again.and_then(|(_, windows)| windows).map(Vec::as_slice).unwrap_or_default();
        let windows = windows.iter().map(|window| (window.span, json!({ "score": window.score })));
        let found = verdict.findings.iter().enumerate().filter(|(_, finding)| finding.place == passage.place);
        let found = found.map(|(number, finding)| (finding.span, json!({ "finding": number })));
        json!({
            "place": passage.place,
            "role": passage.role,
            "text": text,
            "left_out": passage.text.len() - text.len(),
            "spans": with_spans(text, found.collect()),
            "layers": layers,
            "windows": with_spans(text, windows.collect()),
        })
    });
    Value::Array(shown.collect())
}

/// The readings of a passage, each with what the rules in force see in it.
fn layers(trace: &crate::inspect::Trace) -> Vec<Value> {
    let mut all = Vec::new();
    for reading in trace.readings.iter().take(LAYERS) {
        let name = match &reading.layer {
            Layer::Raw => "raw".to_owned(),
            Layer::Canonical => "canonical".to_owned(),
            Layer::Decoded(encodings) => encodings.join("+"),
        };
        let is_own = matches!(reading.layer, Layer::Decoded(_));
        let name = if reading.folded && is_own { format!("{name}, canonical") } else { name };
        let text = cut(&reading.text, TEXT_BYTES);
        let told = |seen: &Sighting| (seen.span, json!({ "rule": seen.rule, "counts": seen.misfits.is_empty() }));
        let spans = with_spans(text, reading.sightings.iter().map(told).collect());
        all.push(json!({ "name": name, "text": text, "spans": spans }));
    }
    all
}

/// Objects with spans of a text in characters (Unicode scalar values), which is what a page can count. What begins behind the text's end is
/// left out. One walk along the text for all of them: it may be long, and much may be found in it.
fn with_spans(text: &str, spans: Vec<(Span, Value)>) -> Vec<Value> {
    let wanted: BTreeSet<usize> = spans.iter().flat_map(|(span, _)| [span.start, span.end.min(text.len())]).collect();
    let mut wanted = wanted.into_iter().peekable();
    let mut counted: BTreeMap<usize, usize> = BTreeMap::new();
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for (number, at) in ends.enumerate() {
        while let Some(place) = wanted.next_if(|place| *place <= at) {
            counted.insert(place, number);
        }
    }
    let told = |(span, mut more): (Span, Value)| {
        let (start, end) = (counted.get(&span.start)?, counted.get(&span.end.min(text.len()))?);
        if let Value::Object(more) = &mut more {
            more.insert("start".to_owned(), (*start).into());
            more.insert("end".to_owned(), (*end).into());
        }
        Some(more)
    };
    spans.into_iter().filter_map(told).collect()
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}

/// Incidents of the same principal that are shown.
const TIMELINE: u32 = 40;
/// Incidents that look the same.
const SIMILAR: u32 = 20;
/// Bytes of texts of one direction.
const TEXT_BYTES: usize = 256 * 1024;
/// Bytes of a passage in which nothing was found.
const QUIET_BYTES: usize = 4 * 1024;
/// Readings of a passage.
const LAYERS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_in_characters() {
        let of = |start, end| (Span::new(start, end), json!({ "finding": 0 }));
        let told = with_spans("äö\u{1f600}x", vec![of(2, 8), of(0, 9), of(8, 400), of(300, 400)]);
        let spans: Vec<_> = told.iter().map(|one| (one["start"].as_u64(), one["end"].as_u64())).collect();
        assert_eq!(spans, [(Some(1), Some(3)), (Some(0), Some(4)), (Some(3), Some(4))]);
        assert_eq!(cut("äö", 3), "ä");
        assert_eq!(cut("äö", 99), "äö");
    }
}
