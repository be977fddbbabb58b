//! The wiring: configuration becomes a running appliance, and a running appliance stops in good order. No logic here.

mod archive;
mod build;
mod capture;
mod choice;
mod desk;
mod follow;
mod keeper;
mod model;
mod names;
mod offline;
mod providers;
mod refusal;
mod sealed;
mod state;
mod told;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::access::{Keyring, Throttles, Verified};
use crate::audit::{
    AuditConfig, AuditError, Fsync, OutputConfig, Regions, RegionsConfig, StoreConfig as AuditStore, SystemKind,
};
use crate::base::{Clock, Limits, Secret};
use crate::config::{Config, FsyncConfig, PolicyConfig, Source, StoreConfig, Written};
use crate::console::Console;
use crate::egress::ObjectsConfig;
use crate::inspect::Snapshot;
use crate::model::ModelError;
use crate::provider::MockHandle;
use crate::proxy::{Judges, PolicyControl, Proxy, Wish};
use crate::route::Table;
use crate::rules::{self, RuleSet};
use crate::scan::Scanner;
use crate::server::{Drained, Peer, Server, ServerConfig, tls_config};
use crate::telemetry::metrics::PrometheusHandle;
use crate::yaml::Diagnostics;
use archive::{Archive, ArchiveError};
use build::Frame;
use choice::Choice;
use follow::Follow;
use keeper::Keeper;
use model::{Models, load_classifier, load_shadow};
use names::{Names, unserved};
use providers::targets;
use refusal::Refusal;
use state::create_private_folder;
use watch::Watch;

pub use providers::problems;
pub use state::kept_secret;

pub use model::{classifier_config, model_cache, model_folder};
pub use offline::{ADMIN_ADDRESS, OfflineError, RolledBack, is_running, kept_policies, rollback_offline};

/// Time that the audit has at the end to ship what it holds; the rest is shipped after the next start.
const AUDIT_CLOSE: Duration = Duration::from_secs(10);

/// Time that streams whose client is gone have at the end to write their record.
const SETTLE: Duration = Duration::from_secs(5);

/// Why the appliance did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The console's accounts cannot be read.
    #[error("the console's accounts cannot be used: {0}")]
    Accounts(String),
    /// The record cannot be kept.
    #[error("the audit record cannot be kept: {0}")]
    Audit(#[from] AuditError),
    /// A port cannot be listened on.
    #[error("{0}")]
    Listen(std::io::Error),
    /// The classifier cannot be used, and policy does not go on without it.
    #[error(
        "the classifier cannot be used: {0}\npolicy.faults.model_missing is `block`, so nothing starts; `degrade` would run on rules alone"
    )]
    Model(ModelError),
    /// Something of a provider's settings cannot be used.
    #[error("{0}")]
    Provider(String),
    /// The rules do not load.
    #[error("the rules do not load:\n{0}")]
    Rules(String),
    /// A file or folder of the state cannot be used.
    #[error(
        "{what} {path}: {error}\ncheck that the folder exists, has room and belongs to the user that runs portcullis"
    )]
    State {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The certificate or key cannot be used.
    #[error("server.tls: {0}")]
    Tls(String),
}

/// A running appliance.
#[derive(Debug)]
pub struct App {
    /// Where the data port listens.
    pub data: SocketAddr,
    /// The data port speaks TLS.
    pub encrypted: bool,
    /// Where the admin port listens.
    pub admin: SocketAddr,
    /// The admin token, when this start made it: it is shown once.
    pub fresh_token: Option<Secret>,
    /// Where the console's first user is made, while there is none. Shown once.
    pub setup_link: Option<Secret>,
    /// How many rules are in force.
    pub rules: usize,
    /// The classifier's version; `None`: rules alone.
    pub model: Option<String>,
    /// The version of the policy in force at the start.
    pub policy: String,
    proxy: Arc<Proxy>,
    control: PolicyControl,
    watch: Watch,
    keeper: Option<std::thread::JoinHandle<()>>,
    state: PathBuf,
    stop: tokio::sync::watch::Sender<bool>,
    data_task: JoinHandle<Drained>,
    admin_task: JoinHandle<Drained>,
    mocks: Vec<MockHandle>,
}

impl App {
    /// Starts everything that the configuration names. When this returns, both ports answer.
    ///
    /// # Errors
    /// The first thing that cannot be started; what was started before is stopped again.
    pub async fn start(
        mut config: Config,
        (source, written): (Source, Written),
        metrics: PrometheusHandle,
    ) -> Result<Self, StartError> {
        create_private_folder(&config.state)?;
        let limits = Arc::new(config.limits.clone());
        let tls = load_tls(&config)?;
        let encrypted = tls.is_some();
        let data = listen(config.server.data, &limits, tls).await?;
        let admin = listen(config.server.admin, &limits, None).await?;
        let (keeper, judges) = open_policy(&mut config, (source, written), &limits).await?;
        let policy = judges.snapshot.version.clone();
        let rules = judges.snapshot.scanner.rules().len();
        let model = judges.classifier.as_ref().map(|classifier| classifier.version().to_owned());
        let follow = Follow::new(&config, &limits, judges.classifier.as_ref());
        let record_config = audit_config(&config);
        let audit = Regions::open(record_config.clone()).await?;
        let (targets, mocks) = targets(&config.providers, &limits).await?;
        let (token, is_fresh) = kept_secret(&config.state, "admin-token")?;
        let (principal_secret, _) = kept_secret(&config.state, "principal-secret")?;
        let proxy = Arc::new(Proxy {
            judges: ArcSwap::from_pointee(judges),
            audit: audit.clone(),
            keyring: Keyring::new(config.access.keys),
            verified: Verified::new(principal_secret),
            table: Table::new(config.providers.into_iter().map(|provider| (provider.name, provider.models)).collect()),
            targets,
            anonymous: config.access.anonymous,
            dangerous_open_relay: config.access.dangerous_open_relay,
            permits: Arc::new(Semaphore::new(limits.exchanges.min(Semaphore::MAX_PERMITS))),
            crowd: Arc::default(),
            throttles: Arc::new(Throttles::new(limits.throttled)),
            refusals: Semaphore::new(limits.refusals.min(Semaphore::MAX_PERMITS)),
            limits: Arc::clone(&limits),
        });
        let (control, wishes) = PolicyControl::new(keeper.status(), keeper.desk());
        let watched = keeper.watched();
        let keeper = start_keeper(keeper, &proxy, wishes)?;
        let watch = Watch::start(watched, control.clone(), limits).map_err(no_thread)?;
        let (data_address, admin_address) = (data.local_addr(), admin.local_addr());
        let hosts = &config.server.admin_hosts;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        offline::write_address(&config.state, admin_address)?;
        let console = Console::new(
            (Arc::clone(&proxy), control.clone()),
            metrics,
            (&config.state, &token),
            (admin_address, stopped.clone()),
            (config.console, hosts),
            record_config.clone(),
        )
        .map_err(StartError::Accounts)?;
        let setup_link = console.setup_link().map_err(StartError::Accounts)?;
        audit.system(
            SystemKind::Start,
            format!(
                "version {}, policy {policy}, {rules} rules, model {}",
                env!("CARGO_PKG_VERSION"),
                model.as_deref().unwrap_or("none")
            ),
        );
        if follow.is_on() {
            tokio::spawn(follow.run(Arc::clone(&proxy), stopped.clone()));
        }
        let serving = Arc::clone(&proxy);
        let data_task = tokio::spawn(data.run(
            move |request, peer: Peer| {
                let proxy = Arc::clone(&serving);
                async move { proxy.handle(request, peer.address).await }
            },
            ended(stopped.clone()),
        ));
        let admin_task = tokio::spawn(admin.run(
            move |request, peer: Peer| {
                let console = console.clone();
                async move { console.handle(request, peer.address).await }
            },
            ended(stopped),
        ));
        Ok(Self {
            data: data_address,
            encrypted,
            admin: admin_address,
            fresh_token: is_fresh.then_some(token),
            setup_link,
            rules,
            model,
            policy,
            proxy,
            control,
            watch,
            keeper: Some(keeper),
            state: config.state,
            stop,
            data_task,
            admin_task,
            mocks,
        })
    }

    /// The pipeline, for whoever wants to look inside (the demo, tests).
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// Asks for another policy.
    pub fn control(&self) -> &PolicyControl {
        &self.control
    }

    /// Stops: no new connections, open exchanges have [`Limits::drain_ms`], then the record is shipped as far as it goes.
    pub async fn stop(mut self) {
        offline::remove_address(&self.state);
        drop(self.watch);
        self.stop.send_replace(true);
        let cut = self.data_task.await.map_or(0, |drained| drained.cut);
        let _ = self.admin_task.await;
        self.proxy.settled(SETTLE).await;
        // A reload that is at work ends first; then the kept policies are another process's to open.
        let _ = self.control.ask(Wish::Stop).await;
        if let Some(keeper) = self.keeper.take() {
            let _ = tokio::task::spawn_blocking(move || keeper.join()).await;
        }
        self.proxy.audit.system(SystemKind::Stop, format!("{cut} exchanges were cut"));
        tracing::info!(cut, "drained");
        for mock in self.mocks {
            mock.stop().await;
        }
        if !self.proxy.audit.clone().close(AUDIT_CLOSE).await {
            tracing::warn!("the audit store did not take everything; the spool keeps it for the next start");
        }
    }
}

async fn ended(mut stopped: tokio::sync::watch::Receiver<bool>) {
    // An error means that the sender is gone: then it is over too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn listen(
    address: SocketAddr,
    limits: &Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Result<Server, StartError> {
    Server::bind(address, ServerConfig { limits: limits.clone(), tls }).await.map_err(StartError::Listen)
}

fn load_tls(config: &Config) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let Some(files) = &config.server.tls else { return Ok(None) };
    let read = |path: &Path| {
        fs::read(path).map_err(|error| StartError::Tls(format!("{} cannot be read: {error}", path.display())))
    };
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    tls_config(&certificate, &key).map(Some).map_err(StartError::Tls)
}

/// The policy to start with, and whoever keeps it.
async fn open_policy(
    config: &mut Config,
    (source, written): (Source, Written),
    limits: &Arc<Limits>,
) -> Result<(Keeper, Judges), StartError> {
    let state = config.state.clone();
    let archive = Archive::open(&state, limits).map_err(|error| held(error, &state))?;
    // A crash may have left it.
    offline::remove_address(&state);
    let watch = (config.rules.clone(), config.watch_rules);
    let choice = Choice::make(&archive, config, &written)?;
    let models = Models { classifier: load_classifier(config).await?, shadow: load_shadow(config).await };
    let has_model = models.classifier.is_some();
    let frame = Frame { limits: Arc::clone(limits), state, names: Some(Names::of(config)), has_model };
    let opening = move || Keeper::open(choice, (source, written), frame, archive, watch, models);
    tokio::task::spawn_blocking(opening)
        .await
        .map_err(|error| StartError::Rules(format!("loading the rules was cut short: {error}")))?
}

fn held(error: ArchiveError, state: &Path) -> StartError {
    let path = state.join(archive::FOLDER);
    match error {
        ArchiveError::Held => {
            let error = std::io::Error::other("another process uses it; one process at a time uses a state folder");
            StartError::State { what: "cannot lock", path, error }
        }
        ArchiveError::Io { what, path, error } => StartError::State { what, path, error },
    }
}

/// Rules compile on a thread of their own, away from those that serve.
fn start_keeper(
    keeper: Keeper,
    proxy: &Arc<Proxy>,
    wishes: tokio::sync::mpsc::Receiver<crate::proxy::Asked>,
) -> Result<std::thread::JoinHandle<()>, StartError> {
    let (proxy, runtime) = (Arc::clone(proxy), tokio::runtime::Handle::current());
    let thread = std::thread::Builder::new().name("policy".to_owned());
    thread.spawn(move || keeper.run(&proxy, wishes, &runtime)).map_err(no_thread)
}

fn no_thread(error: std::io::Error) -> StartError {
    StartError::Listen(std::io::Error::other(format!("the system gives no thread: {error}")))
}

/// The judges that the configuration names: rules, policy, classifier.
///
/// # Errors
/// Rules that do not load, or a classifier that cannot be used where policy does not go on without it.
pub async fn judges(config: &Config, limits: &Arc<Limits>) -> Result<Judges, StartError> {
    let scanner = rules_in_force(config)?;
    let classifier = load_classifier(config).await?;
    let snapshot = Arc::new(snapshot(&config.policy, scanner, limits));
    let throttles = Arc::new(config.policy.throttles.clone());
    Ok(Judges { snapshot, classifier, shadow: None, throttles, record_full_text: config.policy.record_full_text })
}

/// Compiles the rules of these folders.
///
/// # Errors
/// Every problem of every file.
pub fn load_rules(folders: &[PathBuf]) -> Result<Scanner, StartError> {
    load_set(folders).and_then(compile).map_err(|refusal| StartError::Rules(refusal.text))
}

/// Compiles the rules that the policy lets in. Exceptions that have ended are told.
///
/// # Errors
/// Every problem of every file.
pub fn rules_in_force(config: &Config) -> Result<Scanner, StartError> {
    let compiled = compile_rules(&config.rules, &config.policy, Some(&Names::of(config)));
    compiled.map_err(|refusal| StartError::Rules(refusal.text))
}

fn compile_rules(folders: &[PathBuf], policy: &PolicyConfig, names: Option<&Names>) -> Result<Scanner, Refusal> {
    let set = load_set(folders)?;
    let problems = unserved(policy, names, &set);
    if !problems.errors.is_empty() {
        return Err(problems.into());
    }
    let unknown = names.map(|names| names.notices(&set)).unwrap_or_default();
    for notice in rules::exception::notices(set.exceptions(), today()).into_iter().chain(unknown) {
        let line = notice.place.map_or(0, |(line, _)| line);
        tracing::warn!(code = notice.code, file = %notice.file.display(), line, "{}; {}", notice.message, notice.help);
    }
    compile(set.in_force(policy.paranoia))
}

/// Rules of the configuration that name a model which no provider serves, or a throttle that the policy does not have: errors.
/// And names of routes, tenants and keys that nobody has: warnings.
pub fn unknown_names(config: &Config, set: &RuleSet) -> Diagnostics {
    let names = Names::of(config);
    let Diagnostics { errors, .. } = unserved(&config.policy, Some(&names), set);
    Diagnostics { errors, warnings: names.notices(set) }
}

/// The present day (UTC).
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn compile(set: RuleSet) -> Result<Scanner, Refusal> {
    Scanner::new(Arc::new(set)).map_err(|error| Refusal::new(error.to_string(), "see docs/rules.md"))
}

fn load_set(folders: &[PathBuf]) -> Result<RuleSet, Refusal> {
    let loaded = rules::load(folders)?;
    let warnings = loaded.warnings.warnings.len();
    if warnings > 0 {
        tracing::info!(warnings, "the rules load with warnings; `portcullis check` shows them");
    }
    Ok(loaded.set)
}

/// Rules, thresholds and fault actions as one value with one version.
pub fn snapshot(policy: &PolicyConfig, scanner: Scanner, limits: &Arc<Limits>) -> Snapshot {
    let mut hash = Sha256::new();
    hash.update(policy_digest(policy, &scanner));
    // The limits decide too: what is too deep, too long, too late.
    hash.update(serde_json::json!(**limits).to_string());
    let version: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Snapshot {
        scanner,
        policy: policy.decide,
        faults: policy.faults,
        opaque: policy.opaque.clone(),
        block_end: policy.block_end,
        limits: Arc::clone(limits),
        version,
    }
}

/// Names rules and policy, without the limits that they work under. Whatever a reload takes over counts.
fn policy_digest(policy: &PolicyConfig, scanner: &Scanner) -> String {
    let PolicyConfig { decide, faults, opaque, paranoia, throttles, block_end, record_full_text } = policy;
    let written = serde_json::json!({
        "decide": decide, "faults": faults, "opaque": opaque, "block_end": block_end, "record_full_text": record_full_text,
        "rules": paranoia, "throttles": throttles,
    });
    sealed::digest(format!("{}{written}", scanner.rules().version()).as_bytes())
}

/// The record's settings, of every region.
pub fn audit_config(config: &Config) -> RegionsConfig {
    let mut others = BTreeMap::new();
    let mut tenants = BTreeMap::new();
    for (name, region) in &config.audit.regions {
        others.insert(name.clone(), one_region(config, (&region.store, &region.outputs, &region.archive), Some(name)));
        tenants.extend(region.tenants.iter().map(|tenant| (tenant.clone(), name.clone())));
    }
    let home = one_region(config, (&config.audit.store, &config.audit.outputs, &config.audit.archive), None);
    RegionsConfig { home, others, tenants }
}

/// The record's settings of this machine's own region, or of another one.
fn one_region(
    config: &Config,
    (store, outputs, archive): (&StoreConfig, &[OutputConfig], &Option<ObjectsConfig>),
    elsewhere: Option<&String>,
) -> AuditConfig {
    let database = elsewhere.map_or("audit.db".to_owned(), |region| format!("audit-{region}.db"));
    AuditConfig {
        state_dir: config.state.clone(),
        elsewhere: elsewhere.cloned(),
        node: config.node.clone(),
        region: elsewhere.unwrap_or(&config.region).clone(),
        retention: config.audit.retention.clone(),
        signing_key: config.audit.signing_key.clone(),
        text_keys: config.audit.texts.clone(),
        outputs: outputs.to_vec(),
        archive: archive.clone(),
        store: match store {
            StoreConfig::Postgres(url) => AuditStore::Postgres { url: url.clone() },
            StoreConfig::Sqlite => AuditStore::Sqlite { path: config.state.join(database) },
        },
        fsync: match config.audit.fsync {
            FsyncConfig::Always => Fsync::Always,
            FsyncConfig::EveryMs(ms) => Fsync::EveryMs(ms),
            FsyncConfig::Never => Fsync::Never,
        },
        clock: Clock::default(),
        limits: config.limits.clone(),
    }
}
