//! The audit as the rest of Portcullis holds it: open, reserve, record, flush, close.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;

use super::archive::Archive;
use super::error::AuditError;
use super::event::{End, Event, FaultRecord, Outcome, Refused, System, SystemKind};
use super::fit::{self, NODE_BYTES, RECORD_BYTES_MIN};
use super::node;
use super::outputs::Outputs;
use super::outputs::config::OutputConfig;
use super::proof::key::SigningKey;
use super::record::Head;
use super::retain::{self, GivenUp, Pace, Retainer};
use super::retention::{Retention, SYSTEM};
use super::shared::{Shared, Status};
use super::ship::Shipper;
use super::slot::Slot;
use super::spool::{CURSOR_FILE, Found, Fsync, Spool, read_head, segment};
use super::store::{Store, StoreConfig};
use super::texts::Shred;
use super::texts::TextKeyFiles;
use super::texts::keys::TextKeys;
use super::writer::{Append, Message, Spends, Writer};
use crate::base::{Blame, Cause, Clock, ExchangeId, Fault, Limits};
use crate::egress::ObjectsConfig;

/// How the record is kept.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The state folder; keys that are made lie in `audit/` under it, and so does the spool of the machine's own region.
    pub state_dir: PathBuf,
    /// The region whose spool this is, where that is not the machine's own: it lies in `audit-REGION/`.
    pub elsewhere: Option<String>,
    /// This machine's name in the record; `None`: a random one, kept in the state folder.
    pub node: Option<String>,
    /// The region's name; may be empty.
    pub region: String,
    /// Where records are shipped to.
    pub store: StoreConfig,
    /// What is kept how long, and who is of which class.
    pub retention: Retention,
    /// The Ed25519 key that signs checkpoints; `None`: one that is made in the state folder.
    pub signing_key: Option<PathBuf>,
    /// The keys of recorded texts.
    pub text_keys: TextKeyFiles,
    /// Who else is told what is recorded.
    pub outputs: Vec<OutputConfig>,
    /// Where what is given up is kept before; `None`: nowhere.
    pub archive: Option<ObjectsConfig>,
    /// When the spool is forced to the disk.
    pub fsync: Fsync,
    /// What the days of records are taken from.
    pub clock: Clock,
    /// `spool_bytes`, `audit_slots`, `audit_record_bytes`, `audit_text_bytes` and `findings` are used.
    pub limits: Limits,
}

impl AuditConfig {
    pub(crate) fn folder(&self) -> PathBuf {
        match &self.elsewhere {
            None => self.state_dir.join(HOME),
            Some(region) => self.state_dir.join(format!("{HOME}-{region}")),
        }
    }

    /// The key's file, whether configured or made.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.signing_key.clone().unwrap_or_else(|| self.state_dir.join(HOME).join("signing-key"))
    }

    /// Where the key of recorded texts is made when none is configured.
    pub(crate) fn text_key_file(&self) -> PathBuf {
        self.state_dir.join(HOME).join("text-key")
    }
}

/// The record. Cheap to clone; the last clone (slots count) dropped stops it, [`Audit::close`] stops it in good order.
#[derive(Clone, Debug)]
pub struct Audit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    queue: Sender<Message>,
    shipping: Shipping,
    retainer: Arc<Mutex<Retainer>>,
    retaining: JoinHandle<()>,
    outputs: Outputs,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shipping.stop();
        self.retaining.abort();
    }
}

impl Audit {
    /// Takes the spool's lock, repairs what a crash left, closes exchanges that were open, and starts writer and shipper.
    ///
    /// A store that is away is no error: records wait in the spool.
    ///
    /// # Errors
    /// Limits that cannot work, a spool that is locked or unusable, or a store that no waiting will mend: wrong password,
    /// missing database, too old a server, a foreign schema.
    pub async fn open(config: AuditConfig) -> Result<Self, AuditError> {
        check_limits(&config)?;
        let mut store = Store::new(&config.store)?;
        let ready = store.ready().await;
        let ready = match ready {
            Err(error) if error.is_permanent() => return Err(error),
            ready => ready.map_err(|error| error.to_string()),
        };
        let wanted = config.clone();
        let opened = tokio::task::spawn_blocking(move || open_spool(&wanted))
            .await
            .map_err(|error| AuditError::Store(format!("start-up was cut short: {error}")))??;
        let audit = Self { inner: Arc::new(start(config, store, opened)?) };
        audit.inner.shared.store(ready);
        audit.barrier().await?;
        Ok(audit)
    }

    /// Reserves room for one exchange's begin and end.
    ///
    /// # Errors
    /// `audit_full` when all slots are taken, the spool has no room, or its disk takes no writes.
    pub fn reserve(&self) -> Result<Slot, Fault> {
        self.inner.shared.reserve(2)?;
        Ok(Slot::new(Arc::clone(&self.inner)))
    }

    /// Records a request that was refused before a slot was reserved; returns when it is in the spool.
    ///
    /// # Errors
    /// `audit_full` as for [`Audit::reserve`], or when the disk refuses.
    pub async fn refuse(&self, refused: Refused) -> Result<(), Fault> {
        self.reserve()?.refuse(refused).await
    }

    /// Records something about the appliance itself. Does not wait; such records are few and need no slot.
    pub fn system(&self, kind: SystemKind, detail: impl Into<String>) {
        self.inner.system(System::new(kind, detail));
    }

    /// The audit's own state.
    pub fn status(&self) -> Status {
        let status = self.inner.shared.status();
        Status { outputs: self.inner.outputs.status(status.written_seq), ..status }
    }

    /// Waits until everything recorded so far is in the store; false when `timeout` passed first.
    pub async fn flush(&self, timeout: Duration) -> bool {
        let all = async {
            self.barrier().await.ok()?;
            let target = *self.inner.shared.written.borrow();
            self.inner.shared.shipped.subscribe().wait_for(|shipped| *shipped >= target).await.ok().map(drop)
        };
        matches!(tokio::time::timeout(timeout, all).await, Ok(Some(())))
    }

    /// Seals the chain as it is, and waits until that is in the spool: what was recorded before this was called is then under a
    /// signature. Nothing is written when nothing came since the last seal.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn seal(&self) -> Result<(), AuditError> {
        let (ack, answer) = oneshot::channel();
        self.inner.send(Message::Seal(ack))?;
        answer.await.map_err(|_| AuditError::Stopped)
    }

    /// Gives up what is older than it is kept, now; otherwise that is done every hour, slowly.
    ///
    /// # Errors
    /// The store's. What was given up before stays so.
    pub async fn retain(&self, pace: Pace) -> Result<Vec<GivenUp>, AuditError> {
        self.inner.retainer.lock().await.run(pace).await
    }

    /// Destroys texts: their keys are forgotten by the store, and what the spool still holds of them goes. The records stay. Gives
    /// the number of texts that could be read before. A text that is recorded while this runs may stay.
    ///
    /// # Errors
    /// The store's; or records that wait in the spool for longer than `timeout`, after which nothing is destroyed.
    pub async fn shred(&self, whose: &Shred, timeout: Duration) -> Result<u64, AuditError> {
        let waits =
            |_| AuditError::Store("records wait in the spool; texts are destroyed once the store has them".to_owned());
        self.flush(timeout).await.then_some(()).ok_or(()).map_err(waits)?;
        let texts = self.inner.retainer.lock().await.shred(whose).await?;
        // Segments go when all of them is shipped, and the present one never is: a new one is begun, and the note shipped in it.
        let (ack, answer) = oneshot::channel();
        self.inner.send(Message::Rotate(ack))?;
        answer.await.map_err(|_| AuditError::Stopped)?.map_err(|why| {
            AuditError::Store(format!(
                "the keys are gone from the store, but the spool's disk failed: {why}; do it again"
            ))
        })?;
        let detail = serde_json::to_string(whose).unwrap_or_default();
        self.system(SystemKind::Shred, format!("{texts} texts destroyed: {detail}"));
        self.flush(timeout).await.then_some(texts).ok_or(()).map_err(|_| {
            AuditError::Store(
                "the keys are gone from the store, but the spool still holds texts; do it again".to_owned(),
            )
        })
    }

    /// Stops in good order: seals, flushes and tells the outputs, each for at most `timeout`, then writes and syncs what is left in the queue and stops the
    /// writer. True when everything reached the store; what did not is shipped after the next start.
    pub async fn close(self, timeout: Duration) -> bool {
        let _ = self.seal().await;
        let flushed = self.flush(timeout).await;
        let written = *self.inner.shared.written.borrow();
        self.inner.outputs.drain(written, timeout).await;
        let (ack, answer) = oneshot::channel();
        if self.inner.send(Message::Stop(ack)).is_ok() {
            // The writer drops the sender once it has synced.
            let _ = answer.await;
        }
        self.inner.shipping.stop();
        flushed
    }

    async fn barrier(&self) -> Result<(), AuditError> {
        let (ack, answer) = oneshot::channel();
        self.inner.send(Message::Barrier(ack))?;
        answer.await.map_err(|_| AuditError::Stopped)
    }
}

impl Inner {
    pub(crate) fn send(&self, message: Message) -> Result<(), AuditError> {
        self.queue.send(message).map_err(|_| AuditError::Stopped)
    }

    fn system(&self, event: System) {
        send_plain(&self.queue, &self.shared, Event::System(event));
    }
}

/// Sends a record that spends no slot.
pub(crate) fn send_plain(queue: &Sender<Message>, shared: &Shared, event: Event) {
    let class = event.class(&shared.classes).to_owned();
    send_plain_as(queue, shared, event, &class);
}

/// As [`send_plain`], of a class that is known already.
fn send_plain_as(queue: &Sender<Message>, shared: &Shared, event: Event, class: &str) {
    match fit::prepare(event, class, &shared.limits, &shared.text_keys) {
        Ok(event) => {
            // A stopped writer is an appliance that is stopping: nobody is left to tell.
            let _ = queue.send(Message::Append(Append { event, extra: 0, spends: Spends::Nothing, ack: None }));
        }
        Err(error) => tracing::error!(%error, "an audit event cannot be serialised"),
    }
}

/// The end of an exchange that an earlier run of this node left open.
pub(crate) fn interrupted(exchange: ExchangeId, tenant: String) -> Event {
    let detail = "the appliance stopped in the middle of this exchange".to_owned();
    let fault = Some(FaultRecord { cause: Cause::Internal, blame: Blame::Ours, detail });
    Event::End(Box::new(End { exchange: Some(exchange), tenant, fault, ..End::new(Outcome::Interrupted) }))
}

struct Opened {
    node: String,
    key: SigningKey,
    text_keys: TextKeys,
    spool: Spool,
    found: Found,
    shipped: Head,
    disk_bytes: u64,
}

fn open_spool(config: &AuditConfig) -> Result<Opened, AuditError> {
    let folder = &config.folder();
    let segment_bytes = (config.limits.spool_bytes / SPOOL_PARTS).min(SEGMENT_BYTES_MAX);
    let (spool, found) = Spool::open(folder, segment_bytes)?;
    // Only after the lock: two processes must not both make a name.
    let node = node::name(folder, config.node.as_deref())?;
    let key = match &config.signing_key {
        Some(path) => SigningKey::read(path)?,
        None => SigningKey::read_or_make(&config.key_file())?,
    };
    let text_keys = TextKeys::read_or_make(&config.text_keys, &config.text_key_file())?;
    let shipped = read_head(&folder.join(CURSOR_FILE)).unwrap_or_default();
    let disk_bytes = segment::list(folder)?.iter().map(|segment| segment.bytes).sum();
    Ok(Opened { node, key, text_keys, spool, found, shipped, disk_bytes })
}

fn start(config: AuditConfig, store: Store, opened: Opened) -> Result<Inner, AuditError> {
    let Opened { node, key, text_keys, spool, found, shipped, disk_bytes } = opened;
    let folder = config.folder();
    let head = spool.head();
    let (kept, done) = ((config.retention.classes.clone(), text_keys), (head.seq, shipped.seq.min(head.seq)));
    let shared = Arc::new(Shared::new(config.limits, (node, config.region), kept, config.clock, done, disk_bytes));
    shared.torn_bytes.store(found.torn_bytes, Ordering::Relaxed);
    shared.damaged.store(found.damage.len() as u64, Ordering::Relaxed);

    let (queue, messages) = mpsc::channel();
    let open = found.open.keys().copied().collect();
    let writer = Writer::new(spool, key, Arc::clone(&shared), config.fsync, open);
    thread::Builder::new()
        .name("audit-writer".into())
        .spawn(move || writer.run(&messages))
        .map_err(|source| AuditError::Spool { what: "start the writer of", path: folder.clone(), source })?;

    let recovered = tell_recovery(&queue, &shared, found);
    let outputs = Outputs::start(config.outputs, &shared, &config.store, &folder, head)?;
    let archive = config.archive.map(|archive| Archive::open(&archive, &shared.node)).transpose()?;
    let stores = (Store::new(&config.store)?, archive);
    let retainer = Retainer::new(config.retention, Arc::clone(&shared), queue.clone(), stores);
    let retainer = Arc::new(Mutex::new(retainer));
    let retaining = tokio::spawn(retain_for_ever(Arc::clone(&retainer)));
    let shipper = Shipper::new(Arc::clone(&shared), queue.clone(), store, folder.clone(), head, recovered);
    let shipping = Shipping::start(shipper).map_err(|source| AuditError::Spool {
        what: "start the shipper of",
        path: folder,
        source,
    })?;
    Ok(Inner { shared, queue, shipping, retainer, retaining, outputs })
}

/// The shipper at work, on a thread of its own: putting rows together takes the processor for milliseconds at a time, and those who serve
/// would wait for it.
#[derive(Debug)]
struct Shipping {
    stop: watch::Sender<bool>,
}

impl Shipping {
    fn start(shipper: Shipper) -> std::io::Result<Self> {
        let (stop, mut stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = shipper.run() => {}
                    // An error means that the handle is gone: then it is over too.
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
            runtime.shutdown_background();
        };
        thread::Builder::new().name("audit-shipper".into()).spawn(run)?;
        Ok(Self { stop })
    }

    /// Being cut off anywhere is the same as a crash: the cursor follows the commit.
    fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Works until it is aborted. Being cut off anywhere is the same as a crash: a tombstone comes before what it is for goes.
async fn retain_for_ever(retainer: Arc<Mutex<Retainer>>) {
    loop {
        // First of all a wait: a machine that is restarted again and again has better things to do.
        tokio::time::sleep(retain::EVERY).await;
        if let Err(error) = retainer.lock().await.run(Pace::Slow).await {
            tracing::warn!(%error, "what is too old could not be given up; it is tried again in an hour");
        }
    }
}

/// Records what start-up found; gives the number of records that it made.
fn tell_recovery(queue: &Sender<Message>, shared: &Shared, found: Found) -> u64 {
    let mut records = 0;
    let mut tell = |event, class: &str| {
        send_plain_as(queue, shared, event, class);
        records += 1;
    };
    for damage in &found.damage {
        tracing::error!(%damage, "the audit spool is damaged");
        tell(Event::System(System::new(SystemKind::Corrupt, damage.as_str())), SYSTEM);
    }
    if found.torn_bytes > 0 || !found.open.is_empty() {
        let detail = format!(
            "{} open exchanges closed as interrupted, {} bytes of a torn record cut",
            found.open.len(),
            found.torn_bytes
        );
        tracing::warn!(%detail, "the audit spool was recovered");
        tell(Event::System(System::new(SystemKind::Recovered, detail)), SYSTEM);
    }
    for (exchange, whose) in found.open {
        tell(interrupted(exchange, whose.tenant), &whose.class);
    }
    records
}

fn check_limits(config: &AuditConfig) -> Result<(), AuditError> {
    config.retention.check().map_err(|why| AuditError::Limits(format!("retention: {why}")))?;
    let limits = &config.limits;
    let fail = |text: String| Err(AuditError::Limits(text));
    if limits.audit_record_bytes < RECORD_BYTES_MIN || limits.audit_record_bytes > RECORD_BYTES_MAX {
        return fail(format!(
            "limits.audit_record_bytes is {}; write a number from {RECORD_BYTES_MIN} to {RECORD_BYTES_MAX}",
            limits.audit_record_bytes
        ));
    }
    if limits.audit_text_bytes > RECORD_BYTES_MAX {
        return fail(format!(
            "limits.audit_text_bytes is {}; write at most {RECORD_BYTES_MAX}",
            limits.audit_text_bytes
        ));
    }
    let least = SPOOL_PARTS * 2 * limits.audit_record_bytes as u64;
    if limits.spool_bytes < least || limits.spool_bytes > i64::MAX as u64 {
        return fail(format!(
            "limits.spool_bytes is {}; it must hold at least {} records of limits.audit_record_bytes: write {least} or more",
            limits.spool_bytes,
            SPOOL_PARTS * 2
        ));
    }
    if limits.audit_slots == 0 {
        return fail("limits.audit_slots is 0; no exchange could ever be recorded".into());
    }
    if config.region.len() > NODE_BYTES || config.region.chars().any(char::is_control) {
        return fail(format!("the region's name must be at most {NODE_BYTES} bytes without control characters"));
    }
    Ok(())
}

/// The folder of the machine's own region.
const HOME: &str = "audit";
/// A segment is at most this part of the spool, so that one that cannot be deleted yet leaves room.
const SPOOL_PARTS: u64 = 8;
/// Largest segment.
const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest record and largest opted-in text: a frame's length and a batch must hold both, escaped.
const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
