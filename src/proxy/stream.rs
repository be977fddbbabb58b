//! A streamed reply: frames are parsed, inspected with state carried across them, and written as they are cleared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use tokio::sync::mpsc;

use crate::access::Throttles;
use crate::audit::{End, FaultRecord, Outcome, PassageText};
use crate::base::{Cause, ExchangeId, Fault, FaultAction, Limits};
use crate::inspect::{Cleared, Frame, ReplyStream, Step, Subject};
use crate::protocol::openai::{ChatChunk, ChatStream, PublicError, Template, Usage};
use crate::protocol::sse;
use crate::provider::ProviderBody;
use crate::proxy::body::{Piece, ReplyBody};
use crate::proxy::exchange::{Exchange, Stages};
use crate::proxy::judge::{Judges, inspect_aside};
use crate::proxy::ledger::{self, Ledger};
use crate::proxy::pipeline::{Permit, Proxy};
use crate::proxy::respond;
use crate::telemetry::metrics;
use crate::text::{Role, Trust};

/// Pieces that wait for a slow client; then the provider waits too.
const QUEUE: usize = 32;

/// Silence towards the client after which a comment keeps the connection alive: text may be held, or the model may think.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What the log and the record say of an error inside a stream; its own words are the provider's.
const ERROR_INSIDE: &str = "the provider sent an error inside the stream";

const COMMENT: &[u8] = b": keep-alive\n\n";

/// How long a provider that has said all may take to count its tokens, when its reply was blocked at the end.
const USAGE_WAIT: Duration = Duration::from_secs(1);

/// The reply's head at once, its body as it is cleared.
pub(super) fn answer(
    proxy: &Proxy,
    exchange: &mut Exchange,
    judges: &Judges,
    ledger: Ledger,
    body: ProviderBody,
    template: Template,
    permit: Permit,
) -> Response<ReplyBody> {
    let (pieces, receiver) = mpsc::channel(QUEUE + 1);
    let last_word = pieces.clone().try_reserve_owned().ok();
    let limits = Arc::clone(&judges.snapshot.limits);
    let left = Duration::from_millis(limits.exchange_ms).saturating_sub(exchange.started.elapsed());
    let pump = Pump {
        id: exchange.id,
        judges: judges.clone(),
        stream: ReplyStream::new(Arc::clone(&judges.snapshot), Arc::clone(&exchange.facts)).restoring(&exchange.vault),
        reader: ChatStream::new(template, &limits),
        limits,
        pieces,
        last_word,
        usage: None,
        last: None,
        stages: std::mem::take(&mut exchange.stages),
        inspected: Duration::ZERO,
        spoke: Instant::now(),
        record_full_text: judges.record_full_text,
        throttles: Arc::clone(&proxy.throttles),
        principal: exchange.caller.as_ref().map(|caller| caller.principal.clone()),
        upstream_error: judges.snapshot.faults.upstream_error,
        sent: 0,
        error_passed: false,
    };
    let deadline = Instant::now() + left;
    tokio::spawn(async move {
        pump.run(body, ledger, deadline).await;
        drop(permit);
    });
    respond::event_stream(exchange.id, ReplyBody::stream(receiver))
}

/// Moves one stream from provider to client.
struct Pump {
    id: ExchangeId,
    judges: Judges,
    stream: ReplyStream<ChatChunk>,
    reader: ChatStream,
    limits: Arc<Limits>,
    pieces: mpsc::Sender<Piece>,
    /// Room for an error event, which a client that does not read cannot keep waiting.
    last_word: Option<mpsc::OwnedPermit<Piece>>,
    usage: Option<Usage>,
    /// The frame that ends a stream which was cut; token counts go before it.
    last: Option<Cleared<ChatChunk>>,
    stages: Stages,
    /// Time spent inspecting, over all frames.
    inspected: Duration,
    /// When something was last written to the client.
    spoke: Instant,
    record_full_text: bool,
    throttles: Arc<Throttles>,
    principal: Option<String>,
    /// What the policy says of an error that the provider sends inside the stream.
    upstream_error: FaultAction,
    /// Bytes that went to the client.
    sent: u64,
    /// Such an error went to the client: it needs no other from us.
    error_passed: bool,
}

/// How a stream came to its end.
enum Ended {
    ClientGone,
    Cut,
    Fault(Fault),
    Whole,
}

impl Pump {
    async fn run(mut self, mut body: ProviderBody, mut ledger: Ledger, deadline: Instant) {
        let since = Instant::now();
        let flowing = tokio::time::timeout_at(deadline.into(), self.flow(&mut body)).await;
        let ended = flowing.unwrap_or_else(|_| {
            let detail = format!("the exchange took longer than limits.exchange_ms ({})", self.limits.exchange_ms);
            Ended::Fault(Fault { cause: Cause::Timeout, ..Fault::provider(detail) })
        });
        let ended = match ended {
            // A client that does not read must not keep the exchange.
            Ended::Cut => match tokio::time::timeout_at((deadline + USAGE_WAIT).into(), self.close(&mut body)).await {
                Ok(closed) => closed.err().unwrap_or(Ended::Cut),
                Err(_) => Ended::Cut,
            },
            ended => ended,
        };
        drop(body);
        let ended = match ended {
            Ended::Whole if self.error_passed => Ended::Fault(Fault::provider(ERROR_INSIDE)),
            ended => ended,
        };
        self.stages.took("provider_body", since);
        self.stages.add("scan_reply", self.inspected);
        let (outcome, fault) = match ended {
            Ended::Whole => (Outcome::Completed, None),
            Ended::Cut => (Outcome::Blocked, None),
            Ended::ClientGone => (Outcome::ClientGone, None),
            Ended::Fault(fault) => (Outcome::Failed, Some(fault)),
        };
        if let Some(fault) = &fault {
            ledger::log(self.id, 200, fault);
            // What inspection booked is counted with the rest of its faults.
            if !self.stream.faults().iter().any(|booked| booked.cause == fault.cause) {
                metrics::fault(fault.cause.name(), FaultAction::Block.name());
            }
            if let Some(room) = self.last_word.take().filter(|_| !self.error_passed) {
                // The head has gone out with 200: the error travels as the stream's last event, and no [DONE] follows.
                let event = sse::encode(&PublicError::of(fault).body(self.id));
                room.send(Piece::Ours(event));
            }
        }
        ledger.note(|end| self.settle(end, fault.as_ref()));
        ledger.end(outcome, 200, self.stages.take());
    }

    /// Frames in, cleared frames out, until one side ends.
    async fn flow(&mut self, body: &mut ProviderBody) -> Ended {
        let gone = self.pieces.clone();
        loop {
            let chunk = tokio::select! {
                chunk = body.next_chunk() => chunk,
                () = gone.closed() => return Ended::ClientGone,
                () = tokio::time::sleep_until((self.spoke + KEEP_ALIVE).into()) => {
                    if self.pieces.send(Piece::Ours(Bytes::from_static(COMMENT))).await.is_err() {
                        return Ended::ClientGone;
                    }
                    self.spoke = Instant::now();
                    continue;
                }
            };
            let ended = match chunk {
                Some(Ok(bytes)) => self.take(&bytes).await,
                Some(Err(fault)) => Some(Ended::Fault(fault)),
                None => Some(self.finish().await),
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// One piece of the provider's body: none, one or several frames.
    async fn take(&mut self, bytes: &[u8]) -> Option<Ended> {
        let mut chunks = Vec::new();
        let read = self.reader.push(bytes, &mut chunks);
        let mut chunks = chunks.into_iter();
        while let Some(chunk) = chunks.next() {
            if let Some(ended) = self.frame(chunk).await {
                // The counts are the provider's own, whatever becomes of its text.
                self.usage = chunks.filter_map(|chunk| chunk.usage()).last().or(self.usage);
                return Some(ended);
            }
        }
        read.err().map(Ended::Fault)
    }

    async fn frame(&mut self, chunk: ChatChunk) -> Option<Ended> {
        self.usage = chunk.usage().or(self.usage);
        let is_error = chunk.error().is_some();
        if is_error && self.upstream_error != FaultAction::Pass {
            return Some(Ended::Fault(Fault::provider(ERROR_INSIDE)));
        }
        let since = Instant::now();
        // At its end a channel is read again as a whole.
        let ends = chunk.is_last() || !chunk.ends().is_empty();
        let again = if ends { self.stream.bytes() } else { 0 };
        let bytes = again + chunk.passages().iter().map(|passage| passage.text.len()).sum::<usize>();
        let stepped = inspect_aside(bytes, || self.stream.frame(chunk));
        self.inspected += since.elapsed();
        let ended = self.step(stepped).await;
        self.error_passed |= is_error && ended.is_none();
        ended
    }

    /// Does what inspection says; asks the classifier where it must.
    async fn step(&mut self, stepped: Result<Step<ChatChunk>, Fault>) -> Option<Ended> {
        let mut stepped = stepped;
        loop {
            match stepped {
                Ok(Step::Ask(texts)) => {
                    let since = Instant::now();
                    let levels = vec![self.judges.snapshot.policy.model.of(Trust::Provider); texts.len()];
                    let answer = self.judges.ask(self.id, texts, || levels).await;
                    self.stages.took("model", since);
                    stepped = self.stream.answer(answer);
                }
                Ok(Step::Continue(frames)) => return self.send(frames).await.err(),
                Ok(Step::Cut(frames)) => return Some(self.cut(frames).await),
                Err(fault) => return Some(Ended::Fault(fault)),
            }
        }
    }

    /// The provider's body is over.
    async fn finish(&mut self) -> Ended {
        let mut chunks = Vec::new();
        if let Err(fault) = self.reader.finish(&mut chunks) {
            return Ended::Fault(fault);
        }
        for chunk in chunks {
            if let Some(ended) = self.frame(chunk).await {
                return ended;
            }
        }
        let whole = self.stream.is_whole();
        let stepped = inspect_aside(self.stream.bytes(), || self.stream.finish());
        match self.step(stepped).await {
            Some(ended) => ended,
            None if whole => Ended::Whole,
            None => Ended::Fault(Fault::provider("the stream broke off before its end")),
        }
    }

    /// Ends every choice; the stream itself ends in [`Pump::close`].
    async fn cut(&mut self, mut frames: Vec<Cleared<ChatChunk>>) -> Ended {
        tracing::info!(id = %self.id, "streamed reply cut");
        self.last = frames.pop();
        self.send(frames).await.err().unwrap_or(Ended::Cut)
    }

    /// Ends a stream that was cut: with the provider's token counts where the client asked for them and they can be had
    /// without letting the model talk on, as OpenAI has it for a stream that is interrupted.
    async fn close(&mut self, body: &mut ProviderBody) -> Result<(), Ended> {
        if self.usage.is_none() && self.stream.is_whole() {
            let _ = tokio::time::timeout(USAGE_WAIT, self.await_usage(body)).await;
        }
        if let Some(frame) = self.usage.and_then(|usage| self.reader.usage_frame(usage)) {
            self.pieces.send(Piece::Ours(frame)).await.map_err(|_| Ended::ClientGone)?;
        }
        let last = self.last.take().into_iter().collect();
        self.send(last).await
    }

    /// Reads on to the token counts of a reply that is whole. A provider that talks on instead is left.
    async fn await_usage(&mut self, body: &mut ProviderBody) {
        while let Some(Ok(bytes)) = body.next_chunk().await {
            let mut chunks = Vec::new();
            let read = self.reader.push(&bytes, &mut chunks);
            self.usage = chunks.iter().filter_map(ChatChunk::usage).last();
            let talks = chunks.iter().flat_map(ChatChunk::passages).any(|passage| passage.channel.is_some());
            if self.usage.is_some() || talks || read.is_err() || self.reader.is_over() {
                return;
            }
        }
    }

    async fn send(&mut self, frames: Vec<Cleared<ChatChunk>>) -> Result<(), Ended> {
        for frame in frames {
            let bytes = frame.encode();
            let count = bytes.get().len() as u64;
            self.pieces.send(Piece::Cleared(bytes)).await.map_err(|_| Ended::ClientGone)?;
            self.sent += count;
            self.spoke = Instant::now();
        }
        Ok(())
    }

    /// What the record says of the reply.
    fn settle(&self, end: &mut End, fault: Option<&Fault>) {
        let verdict = self.stream.verdict();
        if let Some(principal) = &self.principal {
            self.judges.slow_down(&self.throttles, principal, &verdict);
        }
        metrics::verdict("reply", verdict.action.name());
        for finding in &verdict.findings {
            metrics::finding(finding.source.name().to_owned(), finding.standing.name());
        }
        for fault in self.stream.faults() {
            metrics::fault(fault.cause.name(), fault.action.name());
        }
        for opaque in self.stream.waived() {
            metrics::waiver(opaque.kind.name());
        }
        let model_version = self.judges.model_version();
        end.reply = Some(ledger::record(&verdict, self.stream.faults(), (self.stream.waived(), &[]), model_version));
        end.fault = fault.map(FaultRecord::from);
        end.reply_bytes = self.sent;
        end.prompt_tokens = self.usage.and_then(|usage| usage.prompt);
        end.completion_tokens = self.usage.and_then(|usage| usage.completion);
        if self.record_full_text {
            let text =
                |(place, text): (String, &str)| PassageText { role: Role::Assistant, place, text: text.to_owned() };
            end.reply_text = Some(self.stream.texts().map(text).collect::<Vec<_>>().into());
        }
    }
}
