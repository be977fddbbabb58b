//! The way of a request, from its head to its reply.
//!
//! ```text
//! authenticate ─► admit ─► read ─► parse ─► route ─► reserve the record ─► inspect ─► record ─► send ─► inspect the reply
//! ```
//!
//! Each step either hands on to the next or ends the exchange; every end is answered in one place ([`super::respond`]) and
//! recorded in one place ([`super::ledger`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::keys::has_form_of_ours;
use crate::access::{Caller, Crowd, Identity, Keyring, Pace, Place, Throttles, Verified};
use crate::audit::Regions;
use crate::audit::{Begin, FullText, Outcome as End};
use crate::base::{Cause, Fault, FaultAction, Limits};
use crate::inspect::{Cleared, Outcome};
use crate::protocol::openai::{ChatRequest, Template, models};
use crate::provider::{OutboundHead, ProviderClient};
use crate::proxy::body::ReplyBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::intake::read_body;
use crate::proxy::judge::Judges;
use crate::proxy::ledger::{self, Ledger};
use crate::proxy::{facts, reply, respond};
use crate::route::{Choice, Price, Table, price};
use crate::telemetry::metrics;
use crate::text::Direction;

/// A provider as the pipeline sees it.
#[derive(Debug)]
pub struct Target {
    /// Its connections.
    pub client: ProviderClient,
    /// Who may use it.
    pub admission: Admission,
    /// What its models cost.
    pub prices: Vec<Price>,
}

/// Who may use a provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Anybody that the appliance serves: no key of ours is spent.
    Anyone,
    /// Callers with a client key of ours.
    Known,
    /// Callers that bring the provider's own key.
    OwnKey,
}

/// Everything that an exchange needs.
#[derive(Debug)]
pub struct Proxy {
    /// The judges in force; each exchange takes one snapshot and keeps it to its end.
    pub judges: ArcSwap<Judges>,
    /// The record.
    pub audit: Regions,
    /// Client keys.
    pub keyring: Keyring,
    /// Pass-through keys that a provider accepted.
    pub verified: Verified,
    /// Models to providers.
    pub table: Table,
    /// The providers, in the table's order.
    pub targets: Vec<Target>,
    /// Callers without a key of ours are served.
    pub anonymous: bool,
    /// Callers without a key of ours may use provider keys that we hold.
    pub dangerous_open_relay: bool,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// One permit for each exchange at work.
    pub permits: Arc<Semaphore>,
    /// Places of each principal.
    pub crowd: Arc<Crowd>,
    /// Principals that rules have slowed down.
    pub throttles: Arc<Throttles>,
    /// One permit for each refusal being written to the record.
    pub refusals: Semaphore,
}

/// The room that one exchange takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _exchange: OwnedSemaphorePermit,
    _principal: Place,
}

/// What a principal that is slowed down is told while another exchange of its own is at work.
const BUSY_WAIT: Duration = Duration::from_secs(5);

impl Proxy {
    /// Answers one request.
    pub async fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let mut exchange = Exchange::new(&head, peer);
        let judges = self.judges.load_full();
        let answered = match (&head.method, head.uri.path()) {
            (&Method::POST, "/v1/chat/completions") => self.chat(&mut exchange, &judges, &head, body).await,
            (&Method::GET, "/v1/models") => self.models(&mut exchange, &head),
            _ => Err(Fault::client(
                Cause::NoRoute,
                "no such route: POST /v1/chat/completions and GET /v1/models are inspected here, nothing else passes",
            )),
        };
        match answered {
            Ok(response) => response,
            Err(fault) => self.refuse(exchange, &judges, &fault).await,
        }
    }

    /// Waits until no exchange is at work, so that each has ended its record; at most this long.
    pub async fn settled(&self, patience: Duration) {
        let all = u32::try_from(self.limits.exchanges.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let waiting = tokio::time::timeout(patience, self.permits.acquire_many(all)).await;
        if waiting.is_err() {
            tracing::warn!("some exchanges did not settle in time; the record will show them as interrupted");
        }
    }

    async fn chat(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        judges: &Judges,
        head: &Parts,
        body: Incoming,
    ) -> Result<Response<ReplyBody>, Fault> {
        let caller = self.authenticate(exchange, head)?;
        let permit = self.admit(exchange, &caller)?;
        let outbound = OutboundHead::from_client(&head.headers)?;
        let since = Instant::now();
        let bytes = read_body(body, &head.headers, &self.limits).await?;
        exchange.stages.took("read", since);
        exchange.request_bytes = bytes.len();
        let since = Instant::now();
        let asked = ChatRequest::parse(bytes, &self.limits)?;
        exchange.stages.took("parse", since);
        let choice = self.table.choose(asked.model())?;
        let target = self.allow(&caller, &choice)?;
        let (model, stream) = (asked.model().to_owned(), asked.stream());
        let include_usage = asked.include_usage();
        let asked = match &choice.rename {
            Some(name) => asked.with_model(name),
            None => asked,
        };

        let mut ledger = Ledger::reserve((&self.audit, &caller.tenant), &judges.snapshot, exchange.started)?;
        let mut full_text = judges.record_full_text.then(|| ledger::full_text(&asked));
        let wanted = judges.snapshot.scanner.rules().headers();
        exchange.facts = Arc::new(facts::gather(exchange, &caller, &model, &head.headers, wanted)?);
        let judged = judges.judge(asked, Direction::Request, exchange).await;
        exchange.vault = Arc::clone(&judged.vault);
        judges.slow_down(&self.throttles, &caller.principal, &judged.verdict);
        let routed = judged.verdict.route().map(str::to_owned);
        full_text.iter_mut().for_each(|texts| ledger::put_tokens(texts, &judged.tokens));
        let mut begin = begin(exchange, &caller, &model, stream, judges);
        begin.request = ledger::verdict_record(&judged, judges.model_version());
        begin.prompt_text = full_text.map(FullText::Plain);
        let since = Instant::now();
        if let Err(fault) = ledger.begin(begin, &judges.snapshot).await {
            return Ok(self.end_failed(exchange, ledger, &fault));
        }
        exchange.stages.took("record", since);

        match judged.outcome {
            Outcome::Blocked(_) => {
                tracing::info!(id = %exchange.id, principal = %caller.principal, "request blocked");
                let response = respond::blocked(exchange.id, judges.snapshot.message(&judged.verdict));
                ledger.end(End::Blocked, response.status().as_u16(), exchange.stages.take());
                Ok(response)
            }
            Outcome::Refused(_, fault) => Ok(self.end_failed(exchange, ledger, &fault)),
            Outcome::Cleared(cleared) => {
                let (target, cleared, sent_model) = match routed {
                    None => (target, cleared, model.clone()),
                    Some(other) => match self.reroute(&caller, &other) {
                        Ok((target, name)) => (target, cleared.for_model(&name), other),
                        Err(fault) => {
                            // A rule sends it where this caller may not go: it goes nowhere.
                            tracing::warn!(id = %exchange.id, model = other, %fault, "cannot be routed as a rule says");
                            let response = respond::blocked(exchange.id, None);
                            ledger.end(End::Blocked, response.status().as_u16(), exchange.stages.take());
                            return Ok(response);
                        }
                    },
                };
                let call = Call { caller, target, outbound, permit, asked_model: model, sent_model, include_usage };
                Ok(self.forward(exchange, judges, ledger, call, cleared).await)
            }
        }
    }

    /// Sends what was cleared and turns to the reply.
    async fn forward(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        judges: &Judges,
        mut ledger: Ledger,
        call: Call<'_>,
        cleared: Cleared<ChatRequest>,
    ) -> Response<ReplyBody> {
        let client = &call.target.client;
        ledger.priced(price::price(&call.target.prices, &call.sent_model).cloned());
        ledger.note(|end| {
            end.provider = Some(client.provider().name().to_owned());
            end.model = Some(call.sent_model);
        });
        let template = Template::new(exchange.id, call.asked_model).with_usage(call.include_usage);
        let since = Instant::now();
        let answered = client.send("/chat/completions", &call.outbound, cleared.encode()).await;
        exchange.stages.took("provider_head", since);
        let answer = match answered {
            Ok(answer) => answer,
            Err(fault) => return self.fail(exchange, ledger, &fault),
        };
        ledger.note(|end| end.upstream_status = Some(answer.status.as_u16()));
        if answer.status.is_success()
            && call.target.admission == Admission::OwnKey
            && let Some(token) = &call.caller.token
        {
            self.verified.accept(token);
        }
        reply::answer(self, exchange, judges, ledger, answer, template, call.permit).await
    }

    fn models(&self, exchange: &mut Exchange, head: &Parts) -> Result<Response<ReplyBody>, Fault> {
        self.authenticate(exchange, head)?;
        let named = self.table.named_models().into_iter();
        let models: Vec<(&str, &str)> = named
            .filter_map(|(model, target)| {
                self.targets.get(target).map(|target| (model, target.client.provider().name()))
            })
            .collect();
        let created = u64::try_from(exchange.at.as_second()).unwrap_or(0);
        metrics::exchange("listed");
        Ok(respond::json(exchange.id, StatusCode::OK, ReplyBody::ours(models::body(models, created))))
    }

    /// Who calls.
    fn authenticate(&self, exchange: &mut Exchange, head: &Parts) -> Result<Caller, Fault> {
        let authorization = single(&head.headers, &AUTHORIZATION)?;
        let caller = self.keyring.identify(authorization, exchange.peer.ip(), &self.verified)?;
        exchange.caller = Some(caller.clone());
        if !self.anonymous && !matches!(caller.identity, Identity::Known { .. }) {
            let detail = "a client key is needed here: send `Authorization: Bearer <key>`";
            return Err(Fault::client(Cause::Unauthorized, detail));
        }
        Ok(caller)
    }

    /// Room for one more exchange, in all and of this caller: one that is slow to send must not hold every place.
    fn admit(&self, exchange: &mut Exchange, caller: &Caller) -> Result<Permit, Fault> {
        let limit = self.limits.principal_exchanges;
        let pace = self.throttles.begin(&caller.principal, exchange.started);
        let (place, wait) = match pace {
            Pace::Free => (self.crowd.enter(&caller.principal, limit), None),
            Pace::Slow { at_once } => {
                (self.crowd.enter(&caller.principal, limit.min(at_once)), (at_once < limit).then_some(BUSY_WAIT))
            }
            Pace::Wait(wait) => (None, Some(wait)),
        };
        // What finds no room has not begun. Whatever ends it later, its place and its permit go with it, and it counts.
        let not_begun = || {
            if matches!(pace, Pace::Slow { .. }) {
                self.throttles.take_back(&caller.principal, exchange.started);
            }
        };
        let Some(place) = place else {
            not_begun();
            exchange.retry_after = wait;
            return Err(match wait {
                Some(_) => Fault::client(Cause::Throttled, "too many requests; `Retry-After` says when to try again"),
                None => {
                    let detail = format!("{} has limits.principal_exchanges ({limit}) at work", caller.principal);
                    Fault::ours(Cause::Overload, detail)
                }
            });
        };
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            not_begun();
            Fault::ours(Cause::Overload, format!("limits.exchanges ({}) are at work", self.limits.exchanges))
        })?;
        metrics::in_flight(self.limits.exchanges.saturating_sub(self.permits.available_permits()));
        Ok(Permit { _exchange: permit, _principal: place })
    }

    /// Where a rule sends an exchange instead: the provider, and the model's name there.
    fn reroute(&self, caller: &Caller, model: &str) -> Result<(&Target, String), Fault> {
        let choice = self.table.choose(model)?;
        let target = self.allow(caller, &choice)?;
        Ok((target, choice.rename.unwrap_or_else(|| model.to_owned())))
    }

    /// The chosen provider, if this caller may use it.
    fn allow(&self, caller: &Caller, choice: &Choice) -> Result<&Target, Fault> {
        let target = self
            .targets
            .get(choice.provider)
            .ok_or_else(|| Fault::ours(Cause::Internal, "the route table names a provider that is not there"))?;
        let known = matches!(caller.identity, Identity::Known { .. });
        let is_ours = caller.token.as_ref().is_some_and(|token| has_form_of_ours(token.expose()));
        match target.admission {
            Admission::Known if !known && !self.dangerous_open_relay => {
                Err(Fault::client(Cause::Unauthorized, "this model needs a client key of this gateway"))
            }
            Admission::OwnKey if caller.token.is_none() => {
                Err(Fault::client(Cause::Unauthorized, "this model needs your own key for its provider"))
            }
            // A key of ours must never travel to a provider.
            Admission::OwnKey if known || is_ours => Err(Fault::client(
                Cause::Unauthorized,
                "this model needs your own key for its provider; a client key of this gateway is not sent there",
            )),
            _ => Ok(target),
        }
    }

    /// Ends an exchange that is in the record, for a fault that nobody has counted yet.
    pub(super) fn fail(&self, exchange: &mut Exchange, ledger: Ledger, fault: &Fault) -> Response<ReplyBody> {
        metrics::fault(fault.cause.name(), FaultAction::Block.name());
        self.end_failed(exchange, ledger, fault)
    }

    /// Ends an exchange that is in the record, for a fault that is counted already.
    pub(super) fn end_failed(&self, exchange: &mut Exchange, ledger: Ledger, fault: &Fault) -> Response<ReplyBody> {
        let response = respond::fault(exchange.id, fault);
        ledger::log(exchange.id, response.status().as_u16(), fault);
        ledger.fail(fault, response.status().as_u16(), exchange.stages.take());
        response
    }

    /// Ends an exchange that is not in the record yet.
    async fn refuse(&self, mut exchange: Exchange, judges: &Judges, fault: &Fault) -> Response<ReplyBody> {
        let mut response = respond::fault(exchange.id, fault);
        if let Some(wait) = exchange.retry_after {
            respond::retry_after(&mut response, wait);
        }
        let status = response.status().as_u16();
        ledger::log(exchange.id, status, fault);
        metrics::exchange(End::Refused.name());
        metrics::fault(fault.cause.name(), "block");
        let refused = ledger::refused(&mut exchange, fault, status, &judges.snapshot.version);
        // A closed semaphore cannot be: nobody closes it.
        let _turn = self.refusals.acquire().await;
        if let Err(full) = self.audit.refuse(refused).await {
            metrics::fault(full.cause.name(), "block");
            tracing::error!(id = %exchange.id, fault = %full, "a refusal could not be recorded");
        }
        response
    }
}

/// What forwarding needs besides the request itself.
struct Call<'a> {
    caller: Caller,
    target: &'a Target,
    outbound: OutboundHead,
    permit: Permit,
    /// The model as the client named it.
    asked_model: String,
    /// The model that it is sent to.
    sent_model: String,
    /// The client asked for token counts in the stream.
    include_usage: bool,
}

fn begin(exchange: &mut Exchange, caller: &Caller, model: &str, stream: bool, judges: &Judges) -> Begin {
    Begin {
        exchange: exchange.id,
        at: exchange.at,
        tenant: caller.tenant.clone(),
        principal: caller.principal.clone(),
        key_id: caller.key_id(),
        client_addr: exchange.peer.ip().to_string(),
        dialect: "openai".to_owned(),
        route: facts::ROUTE.to_owned(),
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        model_asked: Some(model.to_owned()),
        stream,
        policy_version: judges.snapshot.version.clone(),
        request: Default::default(),
        request_bytes: exchange.request_bytes as u64,
        // The end repeats them, so that it holds every stage of the exchange.
        latency_us: exchange.stages.so_far(),
        prompt_text: None,
        cut: Default::default(),
    }
}

/// A header that may stand once.
fn single<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Result<Option<&'h [u8]>, Fault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(http::HeaderValue::as_bytes);
    if values.next().is_some() {
        return Err(Fault::client(Cause::Unparsable, format!("the header {name} stands twice; send it once")));
    }
    Ok(first)
}
