//! Files and environment become the typed configuration of each module. Imported by the wiring alone.
//!
//! ```text
//! portcullis.yaml ─► yaml tree with places ─► environment laid over it ─► sections, read one by one ─► Config
//!                         every problem of every section becomes a diagnostic
//! ```

mod audit;
mod console;
mod datasets;
mod env;
mod load;
mod model;
mod objects;
mod outputs;
mod policy;
mod sections;
mod value;
mod written;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::ClientKey;
use crate::audit::{OutputConfig, PublicKey, Retention, TextKeyFiles};
use crate::base::{Limits, Secret};
use crate::console::ConsoleConfig;
use crate::egress::{ObjectsConfig, Reach};
use crate::model::registry::Pushed;
use crate::review::datasets::DatasetsConfig;
use crate::route::{ModelPattern, Price};
use crate::telemetry::trace::LogFormat;

pub use load::{DEFAULT, Loaded, Readable, load, readable};
pub use policy::PolicyConfig;
pub use written::{PolicySections, Source, Written};

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// The ports.
    pub server: ServerConfig,
    /// Folder for all state: spool, SQLite database, admin token.
    pub state: PathBuf,
    /// Region written on every audit row.
    pub region: String,
    /// This box's name in the record; `None`: a random one is made once and kept in the state folder.
    pub node: Option<String>,
    /// Logs.
    pub log: LogConfig,
    /// How browsers reach the console, and who vouches for people there.
    pub console: ConsoleConfig,
    /// Who answers, in order of preference.
    pub providers: Vec<ProviderConfig>,
    /// Who may call.
    pub access: AccessConfig,
    /// Folders of rule files.
    pub rules: Vec<PathBuf>,
    /// A change of the rule files, or of the sections `rules` and `policy`, is taken over as soon as it is seen.
    pub watch_rules: bool,
    /// The classifier.
    pub model: ModelConfig,
    /// What is decided.
    pub policy: PolicyConfig,
    /// The record.
    pub audit: AuditConfig,
    /// What data sets are made of, and where they are kept; `None`: there are none.
    pub datasets: Option<DatasetsConfig>,
    /// The bounds.
    pub limits: Limits,
}

/// Section `server`.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where clients send prompts.
    pub data: SocketAddr,
    /// Health, metrics, the record.
    pub admin: SocketAddr,
    /// Certificate chain and key (PEM files) for TLS on the data port.
    pub tls: Option<TlsFiles>,
    /// Host names under which the admin port may be called, besides its address and `localhost`.
    pub admin_hosts: Vec<String>,
}

/// PEM files for TLS.
#[derive(Debug)]
pub struct TlsFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Section `log`.
#[derive(Debug)]
pub struct LogConfig {
    /// JSON or lines for people.
    pub format: LogFormat,
    /// In the syntax of `RUST_LOG`.
    pub filter: String,
}

/// One entry of `providers`.
#[derive(Debug)]
pub struct ProviderConfig {
    /// Its name here.
    pub name: String,
    /// Where it is.
    pub kind: ProviderKind,
    /// The models it serves.
    pub models: Vec<ModelPattern>,
    /// What they cost.
    pub prices: Vec<Price>,
}

/// Where a provider is.
#[derive(Debug)]
pub enum ProviderKind {
    /// The built-in stand-in.
    Mock,
    /// An OpenAI-compatible endpoint.
    Remote {
        /// Up to and including the version, without a slash at the end: `https://api.openai.com/v1`.
        base_url: String,
        /// Whose key is sent.
        auth: ProviderAuth,
        /// PEM file with further certificate authorities.
        ca_file: Option<PathBuf>,
        /// Which addresses its name may lead to.
        reach: Reach,
    },
}

/// Whose key a provider gets.
#[derive(Debug)]
pub enum ProviderAuth {
    /// One that we hold.
    Held(Secret),
    /// None.
    None,
    /// The client's own.
    PassThrough,
}

/// Section `access`.
#[derive(Debug)]
pub struct AccessConfig {
    /// Callers without a key of ours are served where no key of ours is used.
    pub anonymous: bool,
    /// Client keys.
    pub keys: Vec<ClientKey>,
    /// Callers without a key of ours may use provider keys that we hold.
    pub dangerous_open_relay: bool,
}

/// Section `model`.
#[derive(Debug)]
pub struct ModelConfig {
    /// Where it is.
    pub source: ModelSource,
    /// Another model that looks on and decides nothing.
    pub shadow: Option<ShadowConfig>,
    /// Threads that run the model; 0: one for each core.
    pub threads: usize,
    /// ONNX Runtime's shared library; `None`: the usual places.
    pub onnxruntime: Option<PathBuf>,
}

/// A model in shadow.
#[derive(Debug)]
pub struct ShadowConfig {
    /// Where it is.
    pub source: ModelSource,
    /// Of a hundred exchanges, those whose texts it sees.
    pub share: u8,
}

/// Where the classifier is.
#[derive(Clone, Debug)]
pub enum ModelSource {
    /// A folder with `manifest.json`.
    Folder(PathBuf),
    /// An object store, from which it is fetched.
    Store {
        /// The store.
        store: Box<ObjectsConfig>,
        /// The model's name there.
        name: String,
        /// Which version.
        which: ModelVersion,
    },
}

/// Which version of a model in a store.
#[derive(Clone, Debug)]
pub enum ModelVersion {
    /// This one.
    Pinned(Pushed),
    /// The one that was promoted last, with one of these keys.
    Promoted(Vec<PublicKey>),
}

/// Section `audit`.
#[derive(Debug)]
pub struct AuditConfig {
    /// Where the record is kept.
    pub store: StoreConfig,
    /// When the spool is flushed to the disk.
    pub fsync: FsyncConfig,
    /// The key that signs checkpoints; `None`: one made in the state folder.
    pub signing_key: Option<PathBuf>,
    /// The keys of recorded texts.
    pub texts: TextKeyFiles,
    /// What is kept how long.
    pub retention: Retention,
    /// Who is told what is recorded.
    pub outputs: Vec<OutputConfig>,
    /// Where what is given up is kept before.
    pub archive: Option<ObjectsConfig>,
    /// Other regions, whose tenants' rows go to stores of their own.
    pub regions: BTreeMap<String, RegionConfig>,
}

/// Another region.
#[derive(Debug)]
pub struct RegionConfig {
    /// Where its tenants' rows go.
    pub store: StoreConfig,
    /// Whose rows.
    pub tenants: Vec<String>,
    /// Who is told what is recorded of them.
    pub outputs: Vec<OutputConfig>,
    /// Where what is given up of it is kept before.
    pub archive: Option<ObjectsConfig>,
}

/// Where the record is kept.
#[derive(Debug)]
pub enum StoreConfig {
    /// PostgreSQL at this URL.
    Postgres(Secret),
    /// `audit.db` in the state folder.
    Sqlite,
}

/// When the spool is flushed to the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FsyncConfig {
    /// Before each exchange goes on.
    Always,
    /// At most this many milliseconds later.
    EveryMs(u64),
    /// When the operating system likes.
    Never,
}
