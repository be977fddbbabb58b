//! The wiring: configuration becomes a running appliance, and a running appliance stops in good order. No logic here.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::access::{Keyring, Throttles, Verified, keys};
use crate::audit::{Audit, AuditConfig, AuditError, Fsync, StoreConfig as AuditStore, SystemKind};
use crate::base::{FaultAction, Limits, Secret};
use crate::classify::{Classifier, ClassifierConfig};
use crate::config::{Config, FsyncConfig, ProviderAuth, ProviderConfig, ProviderKind, StoreConfig};
use crate::console::Console;
use crate::inspect::Snapshot;
use crate::model::ModelError;
use crate::provider::{Auth, MockConfig, MockHandle, MockProvider, Provider, ProviderClient};
use crate::proxy::{Admission, Judges, Proxy, Target};
use crate::route::Table;
use crate::rules::{self, RuleSet};
use crate::scan::Scanner;
use crate::server::{Drained, Peer, Server, ServerConfig, tls_config};
use crate::telemetry::metrics::PrometheusHandle;
use crate::verdict::Action;

/// Time that the audit has at the end to ship what it holds; the rest is shipped after the next start.
const AUDIT_CLOSE: Duration = Duration::from_secs(10);

/// Time that streams whose client is gone have at the end to write their record.
const SETTLE: Duration = Duration::from_secs(5);

/// Why the appliance did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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
    /// How many rules are in force.
    pub rules: usize,
    /// The classifier's version; `None`: rules alone.
    pub model: Option<String>,
    proxy: Arc<Proxy>,
    stop: watch::Sender<bool>,
    data_task: JoinHandle<Drained>,
    admin_task: JoinHandle<Drained>,
    mocks: Vec<MockHandle>,
}

impl App {
    /// Starts everything that the configuration names. When this returns, both ports answer.
    ///
    /// # Errors
    /// The first thing that cannot be started; what was started before is stopped again.
    pub async fn start(config: Config, metrics: PrometheusHandle) -> Result<Self, StartError> {
        create_private_folder(&config.state)?;
        let limits = Arc::new(config.limits.clone());
        let tls = load_tls(&config)?;
        let encrypted = tls.is_some();
        let data = listen(config.server.data, &limits, tls).await?;
        let admin = listen(config.server.admin, &limits, None).await?;
        let judges = judges(&config, &limits).await?;
        let rules = judges.snapshot.scanner.rules().len();
        let model = judges.classifier.as_ref().map(|classifier| classifier.version().to_owned());
        let record_config = audit_config(&config);
        let audit = Audit::open(record_config.clone()).await?;
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
            record_full_text: config.policy.record_full_text,
            permits: Arc::new(Semaphore::new(limits.exchanges.min(Semaphore::MAX_PERMITS))),
            crowd: Arc::default(),
            throttles: Arc::new(Throttles::new(limits.throttled)),
            refusals: Semaphore::new(limits.refusals.min(Semaphore::MAX_PERMITS)),
            limits,
        });
        let (data_address, admin_address) = (data.local_addr(), admin.local_addr());
        let hosts = &config.server.admin_hosts;
        let console =
            Console::new(Arc::clone(&proxy), metrics, token.clone(), admin_address, hosts, record_config.clone());
        audit.system(
            SystemKind::Start,
            format!(
                "version {}, {rules} rules, model {}",
                env!("CARGO_PKG_VERSION"),
                model.as_deref().unwrap_or("none")
            ),
        );
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&proxy);
        let data_task = tokio::spawn(data.run(
            move |request, peer: Peer| {
                let proxy = Arc::clone(&serving);
                async move { proxy.handle(request, peer.address).await }
            },
            ended(stopped.clone()),
        ));
        let admin_task = tokio::spawn(admin.run(
            move |request, _: Peer| {
                let console = console.clone();
                async move { console.handle(request).await }
            },
            ended(stopped),
        ));
        Ok(Self {
            data: data_address,
            encrypted,
            admin: admin_address,
            fresh_token: is_fresh.then_some(token),
            rules,
            model,
            proxy,
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

    /// Stops: no new connections, open exchanges have [`Limits::drain_ms`], then the record is shipped as far as it goes.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let cut = self.data_task.await.map_or(0, |drained| drained.cut);
        let _ = self.admin_task.await;
        self.proxy.settled(SETTLE).await;
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

async fn ended(mut stopped: watch::Receiver<bool>) {
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

/// The judges that the configuration names: rules, policy, classifier.
///
/// # Errors
/// Rules that do not load, or a classifier that cannot be used where policy does not go on without it.
pub async fn judges(config: &Config, limits: &Arc<Limits>) -> Result<Judges, StartError> {
    let scanner = rules_in_force(config)?;
    let classifier = load_classifier(config).await?;
    let throttles = Arc::new(config.policy.throttles.clone());
    Ok(Judges { snapshot: Arc::new(snapshot(config, scanner, limits)), classifier, throttles })
}

/// Compiles the rules of these folders.
///
/// # Errors
/// Every problem of every file.
pub fn load_rules(folders: &[PathBuf]) -> Result<Scanner, StartError> {
    compile(load_set(folders)?)
}

/// Compiles the rules that the policy lets in. Exceptions that have ended are told.
///
/// # Errors
/// Every problem of every file.
pub fn rules_in_force(config: &Config) -> Result<Scanner, StartError> {
    let set = load_set(&config.rules)?;
    for notice in rules::exception::notices(set.exceptions(), today()) {
        tracing::warn!(code = notice.code, file = %notice.file.display(), "{}", notice.message);
    }
    let problems = unserved(config, &set);
    if !problems.is_empty() {
        return Err(StartError::Rules(problems.join("\n")));
    }
    compile(set.in_force(config.policy.paranoia))
}

/// Rules that name a model which no provider serves, or a throttle that the policy does not have.
pub fn unserved(config: &Config, set: &RuleSet) -> Vec<String> {
    let table = |provider: &ProviderConfig| (provider.name.clone(), provider.models.clone());
    let table = Table::new(config.providers.iter().map(table).collect());
    let wrong = set.iter().filter_map(|(_, rule)| {
        let to = rule.to.as_ref()?;
        let place = format!("{}:{}: {}", rule.file.display(), rule.line, rule.id);
        match rule.action {
            Some(Action::Route) if table.choose(to).is_err() => {
                Some(format!("{place} routes to the model `{to}`, which no provider under `providers` serves"))
            }
            Some(Action::Throttle) if !config.policy.throttles.contains_key(to) => {
                let names: Vec<&str> = config.policy.throttles.keys().map(String::as_str).collect();
                let known = names.join(", ");
                Some(format!("{place} names the throttle `{to}`; policy.throttles has: {known}"))
            }
            _ => None,
        }
    });
    wrong.collect()
}

/// The present day (UTC).
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn compile(set: RuleSet) -> Result<Scanner, StartError> {
    Scanner::new(Arc::new(set)).map_err(|error| StartError::Rules(error.to_string()))
}

fn load_set(folders: &[PathBuf]) -> Result<RuleSet, StartError> {
    let loaded = rules::load(folders).map_err(|found| StartError::Rules(found.to_string()))?;
    let warnings = loaded.warnings.warnings.len();
    if warnings > 0 {
        tracing::info!(warnings, "the rules load with warnings; `portcullis check` shows them");
    }
    Ok(loaded.set)
}

async fn load_classifier(config: &Config) -> Result<Option<Classifier>, StartError> {
    let folder = config.model.folder.clone();
    let settings = ClassifierConfig { threads: config.model.threads, onnxruntime: config.model.onnxruntime.clone() };
    let limits = config.limits.clone();
    let loading = tokio::task::spawn_blocking(move || Classifier::load(&folder, &settings, &limits));
    let loaded =
        loading.await.map_err(|error| StartError::Provider(format!("loading the model was cut short: {error}")))?;
    match loaded {
        Ok(classifier) => Ok(Some(classifier)),
        Err(error) if config.policy.faults.model_missing == FaultAction::Degrade => {
            tracing::error!(
                %error,
                "RULES ONLY: the classifier cannot be used, and policy.faults.model_missing says degrade"
            );
            crate::telemetry::metrics::fault("model_missing", "degrade");
            Ok(None)
        }
        Err(error) => Err(StartError::Model(error)),
    }
}

/// Rules, thresholds and fault actions as one value with one version.
pub fn snapshot(config: &Config, scanner: Scanner, limits: &Arc<Limits>) -> Snapshot {
    let policy = &config.policy;
    let opaque: BTreeMap<_, _> = policy.opaque.clone();
    let written = serde_json::json!({
        "decide": policy.decide, "faults": policy.faults, "opaque": opaque, "block_end": policy.block_end,
        "rules": policy.paranoia, "throttles": policy.throttles, "limits": config.limits,
    });
    let mut hash = Sha256::new();
    hash.update(scanner.rules().version());
    hash.update(written.to_string());
    let version: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Snapshot {
        scanner,
        policy: policy.decide,
        faults: policy.faults,
        opaque,
        block_end: policy.block_end,
        limits: Arc::clone(limits),
        version,
    }
}

/// The record's settings.
pub fn audit_config(config: &Config) -> AuditConfig {
    AuditConfig {
        state_dir: config.state.clone(),
        node: config.node.clone(),
        region: config.region.clone(),
        store: match &config.audit.store {
            StoreConfig::Postgres(url) => AuditStore::Postgres { url: url.clone() },
            StoreConfig::Sqlite => AuditStore::Sqlite { path: config.state.join("audit.db") },
        },
        fsync: match config.audit.fsync {
            FsyncConfig::Always => Fsync::Always,
            FsyncConfig::EveryMs(ms) => Fsync::EveryMs(ms),
            FsyncConfig::Never => Fsync::Never,
        },
        limits: config.limits.clone(),
    }
}

async fn targets(providers: &[ProviderConfig], limits: &Limits) -> Result<(Vec<Target>, Vec<MockHandle>), StartError> {
    let (mut targets, mut mocks) = (Vec::new(), Vec::new());
    for configured in providers {
        let name = &configured.name;
        let target = match &configured.kind {
            ProviderKind::Mock => {
                let names = configured.models.iter().filter_map(|model| model.as_name().map(str::to_owned)).collect();
                let settings = MockConfig { models: names, ..MockConfig::default() };
                let mock =
                    MockProvider::start((Ipv4Addr::LOCALHOST, 0).into(), settings).await.map_err(StartError::Listen)?;
                let base_url = format!("http://{}/v1", mock.addr());
                mocks.push(mock);
                target(name, &base_url, &ProviderAuth::None, None, limits)?
            }
            ProviderKind::Remote { base_url, auth, ca_file } => {
                target(name, base_url, auth, ca_file.as_deref(), limits)?
            }
        };
        targets.push(target);
    }
    Ok((targets, mocks))
}

fn target(
    name: &str,
    base_url: &str,
    auth: &ProviderAuth,
    ca_file: Option<&Path>,
    limits: &Limits,
) -> Result<Target, StartError> {
    let (auth, admission) = match auth {
        ProviderAuth::Held(key) => (Auth::Held(key.clone()), Admission::Known),
        ProviderAuth::None => (Auth::None, Admission::Anyone),
        ProviderAuth::PassThrough => (Auth::PassThrough, Admission::OwnKey),
    };
    let provider = Provider::new(name, base_url, auth, &[], base_url.starts_with("http://"))
        .map_err(|problems| StartError::Provider(problems.join("\n")))?;
    let provider = match ca_file {
        Some(path) => provider.with_extra_roots(read_roots(path)?),
        None => provider,
    };
    Ok(Target { client: ProviderClient::new(provider, limits).map_err(StartError::Provider)?, admission })
}

/// What a start would find wrong with certificates and providers; nothing is opened or connected.
pub fn problems(config: &Config) -> Vec<String> {
    let tls = load_tls(config).err();
    let providers = config.providers.iter().filter_map(|provider| match &provider.kind {
        ProviderKind::Mock => None,
        ProviderKind::Remote { base_url, auth, ca_file } => {
            target(&provider.name, base_url, auth, ca_file.as_deref(), &config.limits).err()
        }
    });
    tls.into_iter().chain(providers).map(|error| error.to_string()).collect()
}

fn read_roots(path: &Path) -> Result<Vec<u8>, StartError> {
    fs::read(path).map_err(|error| StartError::Provider(format!("ca_file {} cannot be read: {error}", path.display())))
}

fn create_private_folder(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let state = |error| StartError::State { what: "cannot create the state folder", path: path.to_owned(), error };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(state)?;
    let mode = fs::metadata(path).map_err(state)?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        tracing::warn!(%path, "the state folder is open to other users of this machine; chmod 700 closes it");
    }
    Ok(())
}

/// A secret of this box, made at the first start and kept in the state folder, readable by its owner alone. The flag says
/// that it was made now.
pub fn kept_secret(state: &Path, name: &str) -> Result<(Secret, bool), StartError> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = state.join(name);
    let failed = |what, error| StartError::State { what, path: path.clone(), error };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let secret = Secret::new(text);
            if secret.expose().len() >= 16 {
                return Ok((secret, false));
            }
            let error = std::io::Error::other("it holds less than 16 characters; delete the file to have it made anew");
            Err(failed("the secret in", error))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = keys::generate().map_err(|error| failed("cannot make", std::io::Error::other(error)))?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(|error| failed("cannot create", error))?;
            let written = file.write_all(secret.expose().as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| failed("cannot write", error))?;
            Ok((secret, true))
        }
        Err(error) => Err(failed("cannot read", error)),
    }
}
