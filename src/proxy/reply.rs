//! The way back: a provider's reply is read, inspected, and only then written to the client.

use bytes::Bytes;
use http::{Response, StatusCode};
use std::time::{Duration, Instant};

use crate::audit::{Decision, FullText, Outcome as End, VerdictRecord};
use crate::base::{Cause, Fault, FaultAction};
use crate::inspect::{Answer, Cleared, Encode, Outcome};
use crate::protocol::openai::{ChatReply, ErrorReply, Template};
use crate::provider::{Media, ProviderBody, ProviderReply};
use crate::proxy::body::ReplyBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::judge::Judges;
use crate::proxy::ledger::{self, Ledger};
use crate::proxy::pipeline::{Permit, Proxy};
use crate::proxy::{respond, stream};
use crate::telemetry::metrics;
use crate::text::Direction;

/// Turns a provider's reply into ours.
pub(super) async fn answer(
    proxy: &Proxy,
    exchange: &mut Exchange,
    judges: &Judges,
    ledger: Ledger,
    answer: ProviderReply,
    template: Template,
    permit: Permit,
) -> Response<ReplyBody> {
    let headers = answer.headers.clone();
    let mut response = match (answer.status.is_success(), answer.media) {
        (true, Some(Media::EventStream)) => {
            stream::answer(proxy, exchange, judges, ledger, answer.body, template, permit)
        }
        (true, Some(Media::Json)) => whole(proxy, exchange, judges, ledger, answer, &template).await,
        (true, None) => {
            let fault = Fault {
                cause: Cause::UnsupportedMedia,
                ..Fault::provider("the reply is neither JSON nor server-sent events")
            };
            return proxy.fail(exchange, ledger, &fault);
        }
        (false, _) => error(proxy, exchange, judges, ledger, answer).await,
    };
    respond::add_headers(&mut response, headers);
    response
}

/// A reply in one piece.
async fn whole(
    proxy: &Proxy,
    exchange: &mut Exchange,
    judges: &Judges,
    mut ledger: Ledger,
    answer: ProviderReply,
    template: &Template,
) -> Response<ReplyBody> {
    let read = read_all(proxy, exchange, answer.body).await;
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(fault) => return proxy.fail(exchange, ledger, &fault),
    };
    let reply = match ChatReply::parse(bytes.clone(), &proxy.limits) {
        Ok(reply) => reply,
        Err(fault) => return unparsable(proxy, exchange, judges, ledger, bytes, fault),
    };
    if reply.error().is_some() {
        let action = judges.snapshot.faults.upstream_error;
        metrics::fault(Cause::Upstream.name(), action.name());
        if action != FaultAction::Pass {
            let fault = Fault::provider("the provider answered an error in place of a reply");
            return proxy.end_failed(exchange, ledger, &fault);
        }
    }
    let usage = reply.usage();
    let full_text = judges.record_full_text.then(|| ledger::full_text(&reply));
    let judged = judges.judge(reply, Direction::Reply, exchange).await;
    if let Some(caller) = &exchange.caller {
        judges.slow_down(&proxy.throttles, &caller.principal, &judged.verdict);
    }
    let record = ledger::verdict_record(&judged, judges.model_version());
    ledger.note(|end| {
        end.prompt_tokens = usage.and_then(|usage| usage.prompt);
        end.completion_tokens = usage.and_then(|usage| usage.completion);
        end.reply = Some(record);
        end.reply_text = full_text.map(FullText::Plain);
    });
    match judged.outcome {
        Outcome::Cleared(cleared) => {
            let bytes = cleared.encode();
            ledger.note(|end| end.reply_bytes = bytes.get().len() as u64);
            let response = respond::json(exchange.id, answer.status, ReplyBody::full(bytes));
            ledger.end(End::Completed, response.status().as_u16(), exchange.stages.take());
            response
        }
        Outcome::Blocked(reply) => {
            tracing::info!(id = %exchange.id, "reply blocked");
            let response = match cleared_by_rules(judges, exchange, reply.cut(template)) {
                Some(cut) => {
                    ledger.note(|end| end.reply_bytes = cut.get().len() as u64);
                    respond::json(exchange.id, StatusCode::OK, ReplyBody::full(cut))
                }
                // The model's name, as the client gave it, offends a rule for replies.
                None => respond::blocked(exchange.id, None),
            };
            ledger.end(End::Blocked, response.status().as_u16(), exchange.stages.take());
            response
        }
        Outcome::Refused(_, fault) => proxy.end_failed(exchange, ledger, &fault),
    }
}

/// A body in one piece, within what is left of the exchange's time.
async fn read_all(proxy: &Proxy, exchange: &mut Exchange, body: ProviderBody) -> Result<Bytes, Fault> {
    let since = Instant::now();
    let left = Duration::from_millis(proxy.limits.exchange_ms).saturating_sub(exchange.started.elapsed());
    let read = tokio::time::timeout(left, body.read_all(proxy.limits.reply_bytes)).await;
    exchange.stages.took("provider_body", since);
    read.unwrap_or_else(|_| {
        let detail = format!("the exchange took longer than limits.exchange_ms ({})", proxy.limits.exchange_ms);
        Err(Fault { cause: Cause::Timeout, ..Fault::provider(detail) })
    })
}

/// A reply that cannot be parsed: refused, or passed as policy says, counted.
fn unparsable(
    proxy: &Proxy,
    exchange: &mut Exchange,
    judges: &Judges,
    mut ledger: Ledger,
    bytes: Bytes,
    fault: Fault,
) -> Response<ReplyBody> {
    // Only what cannot be parsed can be waived; what is too large, say, is refused whatever the policy says of its cause.
    let action = match fault.cause {
        Cause::Unparsable => judges.snapshot.faults.unparsable,
        _ => FaultAction::Block,
    };
    metrics::fault(fault.cause.name(), action.name());
    let decision = Decision { cause: fault.cause, action };
    ledger.note(|end| {
        end.reply = Some(VerdictRecord { faults: vec![decision], ..VerdictRecord::default() });
    });
    match judges.snapshot.waive_unparsable(bytes, fault) {
        Ok(waived) => {
            metrics::waiver("unparsable");
            ledger.note(|end| end.reply_bytes = waived.get().len() as u64);
            tracing::warn!(id = %exchange.id, "a reply that cannot be parsed passes, as policy.faults.unparsable says");
            let response = respond::json(exchange.id, StatusCode::OK, ReplyBody::full(waived));
            ledger.end(End::Completed, response.status().as_u16(), exchange.stages.take());
            response
        }
        Err(fault) => proxy.end_failed(exchange, ledger, &fault),
    }
}

/// A provider's error: its own body, inspected, or our words.
async fn error(
    proxy: &Proxy,
    exchange: &mut Exchange,
    judges: &Judges,
    mut ledger: Ledger,
    answer: ProviderReply,
) -> Response<ReplyBody> {
    let action = judges.snapshot.faults.upstream_error;
    metrics::fault(Cause::Upstream.name(), action.name());
    let status = answer.status;
    let said = format!("the provider answered {}", status.as_u16());
    if action != FaultAction::Pass || answer.media != Some(Media::Json) {
        return proxy.end_failed(exchange, ledger, &Fault::provider(said));
    }
    let read = read_all(proxy, exchange, answer.body).await;
    let parsed = read.and_then(|bytes| ErrorReply::parse(bytes, &proxy.limits));
    let reply = match parsed {
        Ok(reply) => reply,
        Err(fault) => return proxy.fail(exchange, ledger, &fault),
    };
    let judged = judges.judge(reply, Direction::Reply, exchange).await;
    let record = ledger::verdict_record(&judged, judges.model_version());
    ledger.note(|end| end.reply = Some(record));
    match judged.outcome {
        Outcome::Cleared(cleared) => {
            let bytes = cleared.encode();
            ledger.note(|end| end.reply_bytes = bytes.get().len() as u64);
            let response = respond::json(exchange.id, status, ReplyBody::full(bytes));
            ledger.fail(&Fault::provider(said), status.as_u16(), exchange.stages.take());
            response
        }
        Outcome::Blocked(_) => proxy.end_failed(exchange, ledger, &Fault::provider(said)),
        Outcome::Refused(_, fault) => proxy.end_failed(exchange, ledger, &fault),
    }
}

/// Clears a message of our own making: it goes the same way as every other.
fn cleared_by_rules<T: Encode>(judges: &Judges, exchange: &Exchange, message: T) -> Option<Cleared<Bytes>> {
    match judges.snapshot.scan(message, Direction::Reply, &exchange.facts).judge(Answer::NotAsked).outcome {
        Outcome::Cleared(cleared) => Some(cleared.encode()),
        Outcome::Blocked(_) | Outcome::Refused(..) => None,
    }
}
