//! One output at work: it follows the chain of this node, and its place in it outlives a restart. What is not delivered is tried
//! again until it is; what a receiver refuses for what it says is left out, counted and logged.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::config::OutputConfig;
use super::eve::{Eve, Line};
use super::sinks::{Sink, Undelivered};
use super::source::Source;
use crate::audit::error::AuditError;
use crate::audit::record::Head;
use crate::audit::shared::Shared;
use crate::audit::ship::backoff;
use crate::audit::spool::{segment, spool_error, write_head};

/// How an output does.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct OutputStatus {
    /// The last record whose lines were delivered.
    pub delivered_seq: u64,
    /// Records that wait.
    pub pending: u64,
    /// Lines delivered since the start.
    pub lines: u64,
    /// Lines that the receiver refused for what they say, since the start.
    pub refused: u64,
    /// Records that were gone before they could be told, since the start.
    pub gone: u64,
    /// Whether the last delivery went well.
    pub ok: bool,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the rest may know of an output.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) name: String,
    status: Mutex<OutputStatus>,
    /// The last record delivered, and whether that went well.
    pub(super) place: watch::Sender<(u64, bool)>,
}

impl Told {
    pub(super) fn new(name: &str, seq: u64) -> Self {
        let status = OutputStatus { delivered_seq: seq, ok: true, ..OutputStatus::default() };
        Self { name: name.to_owned(), status: Mutex::new(status), place: watch::Sender::new((seq, true)) }
    }

    /// The state, with `written` as the last record that there is.
    pub(crate) fn status(&self, written: u64) -> OutputStatus {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        OutputStatus { pending: written.saturating_sub(status.delivered_seq), ..status }
    }

    fn change(&self, change: impl FnOnce(&mut OutputStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Works through the chain.
pub(super) struct Follower {
    pub(super) config: OutputConfig,
    pub(super) shared: Arc<Shared>,
    pub(super) told: Arc<Told>,
    pub(super) source: Source,
    pub(super) sink: Sink,
    pub(super) eve: Eve,
    /// Holds the last record whose lines were delivered.
    pub(super) cursor: PathBuf,
    /// What is being delivered.
    pub(super) pending: Option<Pending>,
}

/// The lines of some records, on their way.
pub(super) struct Pending {
    /// The last of the records.
    head: Head,
    lines: Vec<Line>,
    /// How many of the lines are done with.
    done: usize,
    /// How many of them were refused.
    refused: u64,
    /// How many records between them are gone.
    gone: u64,
}

impl Follower {
    /// Works until it is aborted. Being cut off anywhere is the same as a crash: the cursor follows the delivery, so that lines
    /// may come twice, under the same id.
    pub(super) async fn run(mut self) {
        let mut written = self.shared.written.subscribe();
        let mut failures = 0;
        loop {
            let upto = *written.borrow_and_update();
            let done = self.told.place.borrow().0;
            if done >= upto {
                if written.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.step(done, upto).await {
                Ok(()) => failures = 0,
                Err(away) => {
                    self.failed(&away.why);
                    let wait = away.wait.unwrap_or_default().min(WAIT_MAX).max(backoff(failures));
                    failures += 1;
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Delivers the next few records.
    async fn step(&mut self, done: u64, upto: u64) -> Result<(), Away> {
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None => self.read(done, upto).await?,
        };
        if let Err(away) = self.deliver(&mut pending).await {
            self.pending = Some(pending);
            return Err(away);
        }
        let (cursor, head) = (self.cursor.clone(), pending.head);
        let kept = tokio::task::spawn_blocking(move || {
            segment::replace(&cursor, &write_head(head)).map_err(spool_error("write", &cursor))
        });
        let kept = kept.await.map_err(|error| Away::of(&AuditError::Store(error.to_string())));
        if let Err(away) = kept.and_then(|kept| kept.map_err(|error| Away::of(&error))) {
            self.pending = Some(pending);
            return Err(away);
        }
        self.told.change(|status| {
            if !status.ok {
                tracing::info!(output = self.config.name, "the output takes lines again");
            }
            (status.delivered_seq, status.ok, status.error) = (head.seq, true, None);
            status.lines += pending.lines.len() as u64 - pending.refused;
            status.refused += pending.refused;
            status.gone += pending.gone;
        });
        self.told.place.send_replace((head.seq, true));
        Ok(())
    }

    /// What is wanted of the next few records.
    async fn read(&mut self, done: u64, upto: u64) -> Result<Pending, Away> {
        let records = match self.source.next(done, upto).await {
            Ok(records) => records,
            Err(error) => {
                self.source.again();
                return Err(Away::of(&error));
            }
        };
        let Some(last) = records.last() else {
            // Written a moment ago, and not there yet; or gone, with nothing after it.
            self.source.again();
            return Err(Away { why: format!("records {} to {upto} cannot be read", done + 1), wait: None });
        };
        let head = Head { seq: last.seq, hash: last.hash };
        let (mut lines, mut before, mut gone) = (Vec::new(), done, 0);
        for record in &records {
            if record.seq > before + 1 {
                gone += record.seq - before - 1;
                lines.push(Eve::gap(record, (before + 1, record.seq - 1)));
            }
            lines.extend(self.eve.lines(record));
            before = record.seq;
        }
        lines.retain(|line| self.config.wants(line.kind, line.action, &line.tenant));
        Ok(Pending { head, lines, done: 0, refused: 0, gone })
    }

    /// Delivers lines in parts that the sink takes; a part that is refused is halved until the one line is found, and that one is
    /// left out.
    async fn deliver(&mut self, pending: &mut Pending) -> Result<(), Away> {
        let mut at_once = self.sink.lines_at_once();
        while let Some(rest) = pending.lines.get(pending.done..).filter(|rest| !rest.is_empty()) {
            let part = &rest[..rest.len().min(at_once)];
            match self.sink.deliver(part).await {
                Ok(()) => {
                    pending.done += part.len();
                    at_once = self.sink.lines_at_once();
                }
                Err(Undelivered::Away { why, wait }) => return Err(Away { why, wait }),
                Err(Undelivered::Refused(why)) => match part {
                    [line] => {
                        tracing::error!(output = self.config.name, id = line.id, %why, "the output refused a line; it is left out");
                        pending.refused += 1;
                        pending.done += 1;
                        at_once = self.sink.lines_at_once();
                    }
                    _ => at_once = part.len().div_ceil(2),
                },
            }
        }
        Ok(())
    }

    fn failed(&self, why: &str) {
        self.told.change(|status| {
            if status.ok || status.error.as_deref() != Some(why) {
                tracing::warn!(output = self.config.name, %why, "the output is away; its lines wait in the record");
            }
            (status.ok, status.error) = (false, Some(why.to_owned()));
        });
        self.told.place.send_if_modified(|(_, ok)| std::mem::replace(ok, false));
    }
}

/// Nothing was delivered; it is tried again.
struct Away {
    why: String,
    wait: Option<Duration>,
}

impl Away {
    fn of(error: &AuditError) -> Self {
        Self { why: error.to_string(), wait: None }
    }
}

/// Where an output goes on: after the record that its cursor names. A new one begins with what comes next, and so does one whose
/// cursor is not of this chain.
pub(super) fn start(cursor: Option<Head>, head: Head) -> Head {
    cursor.filter(|cursor| cursor.seq <= head.seq).unwrap_or(head)
}

/// The longest that a receiver may ask to be left alone.
const WAIT_MAX: Duration = Duration::from_secs(300);
