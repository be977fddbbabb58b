//! What happens now, as server-sent events: a tick every two seconds, and incidents as they arrive in the store.
//!
//! One task looks for everybody, and only while somebody listens. <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::State;
use super::guard::{refused, still_known};
use super::record::in_time;
use crate::audit::IncidentFilter;
use crate::proxy::Piece;
use crate::telemetry::metrics;

/// What all listeners hear.
#[derive(Debug)]
pub(super) struct Pulse {
    events: broadcast::Sender<Bytes>,
    is_running: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { events: broadcast::Sender::new(EVENTS_HELD), is_running: AtomicBool::new(false) }
    }
}

/// The body of a streamed answer, on its way through the router. Taken once.
#[derive(Clone, Debug)]
pub(super) struct Streamed(pub(super) Arc<std::sync::Mutex<Option<mpsc::Receiver<Piece>>>>);

/// Begins to tell.
pub(super) async fn listen(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    if state.pulse.events.receiver_count() >= LISTENERS {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many pages listen; close some of them");
    }
    let events = state.pulse.events.subscribe();
    if !state.pulse.is_running.swap(true, Ordering::AcqRel) {
        tokio::spawn(watch(Arc::clone(&state)));
    }
    let (pieces, receiver) = mpsc::channel(PIECES);
    tokio::spawn(tell(state, headers, events, pieces));
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.extensions_mut().insert(Streamed(Arc::new(std::sync::Mutex::new(Some(receiver)))));
    response
}

/// Passes on what there is to hear, to somebody who is still signed in, until the appliance stops.
async fn tell(
    state: Arc<State>,
    headers: HeaderMap,
    mut events: broadcast::Receiver<Bytes>,
    pieces: mpsc::Sender<Piece>,
) {
    let mut stopping = state.stopping.clone();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = pieces.closed() => return,
        };
        // Listening is no request: it does not keep a session open.
        if !still_known(&state.people, &headers) {
            return;
        }
        let sent = match event {
            Ok(event) => pieces.send(Piece::Ours(event)).await,
            // Who reads too slowly misses some of it, and is told by the next tick.
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Looks every two seconds, for as long as somebody listens.
async fn watch(state: Arc<State>) {
    let mut seen = Seen::default();
    let mut last = metrics::ended();
    let mut open = 0;
    for beat in 0_u64.. {
        if *state.stopping.borrow() {
            break;
        }
        if state.pulse.events.receiver_count() == 0 {
            state.pulse.is_running.store(false, Ordering::Release);
            // Somebody who came in between found it running: then it goes on.
            if state.pulse.events.receiver_count() == 0 || state.pulse.is_running.swap(true, Ordering::AcqRel) {
                return;
            }
        }
        if beat % COUNT_BEATS == 0 {
            open = count(&state).await.unwrap_or(open);
        }
        for incident in fresh(&state, &mut seen).await {
            let _ = state.pulse.events.send(event("incident", &incident));
        }
        let now = metrics::ended();
        let rate = |now: u64, last: u64| now.saturating_sub(last) as f64 / BEAT.as_secs_f64();
        let audit = state.proxy.audit.status();
        let tick = json!({
            "at": Timestamp::now(),
            "requests_per_s": rate(now.0, last.0),
            "blocked_per_s": rate(now.1, last.1),
            "in_flight": state.in_flight(),
            "queue_depth": audit.all().map(|one| one.queue_depth).sum::<u64>(),
            "spool_bytes": audit.all().map(|one| one.spool_bytes).sum::<u64>(),
            "store_ok": audit.all().all(|one| one.store_ok),
            "incidents_open": open,
        });
        last = now;
        let _ = state.pulse.events.send(event("tick", &tick));
        tokio::time::sleep(BEAT).await;
    }
}

/// Incidents that were told already, of the last while.
#[derive(Debug, Default)]
struct Seen {
    since: Option<Timestamp>,
    ids: HashSet<String>,
}

/// Incidents that came since the last look, oldest first. A store that is away has none.
async fn fresh(state: &State, seen: &mut Seen) -> Vec<Value> {
    let now = Timestamp::now();
    let Some(since) = seen.since else {
        // What was there before somebody listened is in the list.
        seen.since = Some(now);
        return Vec::new();
    };
    // A record takes a moment from the exchange to the store.
    let back = since.checked_sub(LATE).unwrap_or(since);
    let filter = IncidentFilter { since: Some(back), open: Some(true), ..IncidentFilter::default() };
    let Ok(page) = state.record.incidents(None, &filter, (None, FRESH), false).await else { return Vec::new() };
    seen.since = Some(now);
    let id = |incident: &Value| incident.get("id").and_then(Value::as_str).map(str::to_owned);
    let is_new = |incident: &Value| {
        let at = incident.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
        id(incident).is_some_and(|id| !seen.ids.contains(&id)) && at.is_some_and(|at| at >= back)
    };
    let mut fresh: Vec<Value> = page.incidents.iter().filter(|incident| is_new(incident)).cloned().collect();
    seen.ids = page.incidents.iter().filter_map(id).collect();
    fresh.reverse();
    fresh
}

async fn count(state: &State) -> Option<u64> {
    let filter = IncidentFilter { open: Some(true), ..IncidentFilter::default() };
    let mut lease = state.record.lease(None, None).await.ok()?;
    let count = in_time(lease.reader.count_incidents(&filter)).await.ok()?;
    lease.back();
    Some(count)
}

/// JSON has no line breaks but in strings, where they are escaped: it is one line.
fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// How often is looked.
const BEAT: Duration = Duration::from_secs(2);
/// After how many looks open incidents are counted again.
const COUNT_BEATS: u64 = 5;
/// How late a record may be in the store and still be told of.
const LATE: Duration = Duration::from_secs(15);
/// Incidents of one look; the page says how many there are.
const FRESH: u32 = 50;
/// Pages that listen at once.
const LISTENERS: usize = 64;
/// Events that wait for slow readers.
const EVENTS_HELD: usize = 256;
/// Events that wait in one connection.
const PIECES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_is_one_event() {
        let event = event("incident", &json!({ "title": "a\n\nevent: tick\ndata: {}\r\n" }));
        let text = String::from_utf8(event.to_vec()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert!(text.ends_with("\n\n"));
        assert!(!text.contains('\r'));
    }
}
