//! Where the classifier's files are: in a folder, or fetched from the store, by a hash that is written or one that somebody signed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::StartError;
use crate::audit::PublicKey;
use crate::base::{FaultAction, Limits};
use crate::classify::{Classifier, ClassifierConfig, Shadow};
use crate::config::{Config, ModelSource, ModelVersion};
use crate::egress::ObjectsConfig;
use crate::model::ModelError;
use crate::model::registry::{Promotion, Pushed, Registry, RegistryError};
use crate::telemetry::metrics;

/// The models that look at traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Models {
    /// The one whose answers count; `None`: rules alone.
    pub(super) classifier: Option<Classifier>,
    /// One that decides nothing.
    pub(super) shadow: Option<Shadow>,
}

/// Loads the classifier. One that cannot be used stops the start, unless the policy says to go on with rules alone.
pub(super) async fn load_classifier(config: &Config) -> Result<Option<Classifier>, StartError> {
    match load(config, &config.model.source, classifier_config(config)).await {
        Ok(classifier) => Ok(Some(classifier)),
        Err(error) if config.policy.faults.model_missing == FaultAction::Degrade => {
            tracing::error!(
                %error,
                "RULES ONLY: the classifier cannot be used, and policy.faults.model_missing says degrade"
            );
            metrics::fault("model_missing", "degrade");
            Ok(None)
        }
        Err(error) => Err(StartError::Model(error)),
    }
}

/// Loads the model in shadow. One that cannot be used is told: it decides nothing, so that nothing waits for it.
pub(super) async fn load_shadow(config: &Config) -> Option<Shadow> {
    let wanted = config.model.shadow.as_ref()?;
    let settings = ClassifierConfig { threads: SHADOW_THREADS, ..classifier_config(config) };
    load(config, &wanted.source, settings)
        .await
        .map(|classifier| Shadow::new(classifier, wanted.share))
        .inspect_err(|error| tracing::error!(%error, "the model in shadow cannot be used; nothing is compared"))
        .ok()
}

async fn load(config: &Config, source: &ModelSource, settings: ClassifierConfig) -> Result<Classifier, ModelError> {
    let limits = config.limits.clone();
    let folder = model_folder(source, &model_cache(&config.state), &limits).await?;
    tokio::task::spawn_blocking(move || Classifier::load(&folder, &settings, &limits))
        .await
        .unwrap_or_else(|error| Err(ModelError::Store(format!("loading it was cut short: {error}"))))
}

/// How the configured classifier runs.
pub fn classifier_config(config: &Config) -> ClassifierConfig {
    ClassifierConfig { threads: config.model.threads, onnxruntime: config.model.onnxruntime.clone() }
}

/// Threads of the model in shadow: what counts is to have the others.
const SHADOW_THREADS: usize = 1;

/// The folder of a model. From a store it is fetched into `cache`, unless it is there already and whole.
///
/// # Errors
/// The store's, or a model that is not what was named. With a store that is away the model that was last promoted here serves on.
pub async fn model_folder(source: &ModelSource, cache: &Path, limits: &Limits) -> Result<PathBuf, ModelError> {
    match source {
        ModelSource::Folder(folder) => Ok(folder.clone()),
        ModelSource::Store { store, name, which } => Ok(fetched(store, (name, which), cache, limits).await?),
    }
}

async fn fetched(
    store: &ObjectsConfig,
    (name, which): (&str, &ModelVersion),
    cache: &Path,
    limits: &Limits,
) -> Result<PathBuf, RegistryError> {
    let registry = Registry::open(store, limits)?;
    let trusted = match which {
        ModelVersion::Pinned(pinned) => return registry.fetch(pinned, cache).await,
        ModelVersion::Promoted(trusted) => trusted,
    };
    let seen = seen(name, trusted, cache);
    let learnt = async {
        let found = registry.promoted(name, trusted).await?;
        let (promotion, bytes) = newest(name, found, seen.as_ref())?;
        let folder = registry.fetch(&promotion.pushed(), cache).await?;
        // Only now: what was not fetched cannot serve on.
        keep(&kept(name, cache), &bytes)?;
        Ok::<_, RegistryError>(folder)
    };
    let error = match learnt.await {
        Ok(folder) => return Ok(folder),
        Err(error) => error,
    };
    let folder = seen.as_ref().and_then(|promotion| registry.cached(&promotion.pushed(), cache));
    let Some((folder, promotion)) = folder.zip(seen) else { return Err(error) };
    let version = promotion.version;
    tracing::error!(%error, version, "what is promoted cannot be had; the model that was promoted before serves on");
    Ok(folder)
}

/// What is promoted now, without fetching it; `None`: the model comes from no promotion.
///
/// # Errors
/// The store's; nothing is promoted, or something older than was seen.
pub(super) async fn promoted(
    source: &ModelSource,
    cache: &Path,
    limits: &Limits,
) -> Result<Option<Pushed>, RegistryError> {
    let ModelSource::Store { store, name, which: ModelVersion::Promoted(trusted) } = source else { return Ok(None) };
    let found = Registry::open(store, limits)?.promoted(name, trusted).await?;
    Ok(Some(newest(name, found, seen(name, trusted, cache).as_ref())?.0.pushed()))
}

/// The promotion that was seen last. It is signed as well: a changed file counts for nothing.
fn seen(name: &str, trusted: &[PublicKey], cache: &Path) -> Option<Promotion> {
    let bytes = fs::read(kept(name, cache)).ok()?;
    Promotion::open(&bytes, (name, None), trusted).ok()
}

fn kept(name: &str, cache: &Path) -> PathBuf {
    cache.join(format!("{name}.promotion.json"))
}

/// What was found, unless it is older than what was seen.
fn newest<B>(
    name: &str,
    found: Option<(Promotion, B)>,
    seen: Option<&Promotion>,
) -> Result<(Promotion, B), RegistryError> {
    let seen = seen.map_or(0, |promotion| promotion.sequence);
    match found {
        Some((promotion, bytes)) if promotion.sequence >= seen => Ok((promotion, bytes)),
        None if seen == 0 => Err(RegistryError::None(format!("a promotion of {name} (`portcullis models promote`)"))),
        other => {
            let found = other.map_or(0, |(promotion, _)| promotion.sequence);
            Err(RegistryError::Replayed { name: name.to_owned(), found, seen })
        }
    }
}

fn keep(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let partial = path.with_extension("partial");
    // Forced to the disk: what was seen must not be forgotten with the power.
    let written = fs::File::create(&partial).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let kept = written.and_then(|()| fs::rename(&partial, path));
    kept.map_err(|error| RegistryError::Cache { path: path.to_owned(), error })
}

/// The folder of fetched models in the state folder.
pub fn model_cache(state: &Path) -> PathBuf {
    state.join("models")
}
