//! Follows promotions while the appliance runs: another model takes over between two exchanges, and open ones end with the one they began
//! with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use super::model::{classifier_config, model_cache, model_folder, promoted};
use crate::audit::SystemKind;
use crate::base::Limits;
use crate::classify::{Classifier, ClassifierConfig};
use crate::config::{Config, ModelSource, ModelVersion};
use crate::model::registry::Pushed;
use crate::proxy::{Judges, Proxy};

/// What is followed.
#[derive(Debug)]
pub(super) struct Follow {
    source: ModelSource,
    cache: PathBuf,
    settings: ClassifierConfig,
    limits: Arc<Limits>,
    /// The folder of the model that serves; `None`: none could be used.
    serves: Option<PathBuf>,
    /// What was promoted when it was looked at last: the same again is not fetched, and not read, again.
    seen: Option<Pushed>,
}

impl Follow {
    /// Follows the model that was loaded.
    pub(super) fn new(config: &Config, limits: &Arc<Limits>, loaded: Option<&Classifier>) -> Self {
        Self {
            source: config.model.source.clone(),
            cache: model_cache(&config.state),
            settings: classifier_config(config),
            limits: Arc::clone(limits),
            serves: loaded.map(|classifier| classifier.folder().to_owned()),
            seen: None,
        }
    }

    /// Whether there is anything to follow.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.source, ModelSource::Store { which: ModelVersion::Promoted(_), .. })
    }

    /// Looks again and again, until the appliance stops.
    pub(super) async fn run(mut self, proxy: Arc<Proxy>, mut stopped: Receiver<bool>) {
        let mut ticks = interval(Duration::from_millis(self.limits.model_follow_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once, and the model was looked for a moment ago.
        ticks.tick().await;
        loop {
            // An error means that the sender is gone: then it is over too.
            let end = async { drop(stopped.wait_for(|stopped| *stopped).await) };
            tokio::select! {
                _ = ticks.tick() => self.look(&proxy).await,
                () = end => return,
            }
        }
    }

    async fn look(&mut self, proxy: &Proxy) {
        let promoted = match promoted(&self.source, &self.cache, &self.limits).await {
            Ok(promoted) => promoted,
            Err(error) => {
                return tracing::error!(%error, "what is promoted cannot be had; the model that serves goes on");
            }
        };
        if self.seen == promoted {
            return;
        }
        // What goes wrong with the store is told there, and is tried again.
        let Ok(folder) = model_folder(&self.source, &self.cache, &self.limits).await else { return };
        self.seen = promoted;
        if self.serves.as_ref() == Some(&folder) {
            return;
        }
        let (settings, limits, from) = (self.settings.clone(), Arc::clone(&self.limits), folder.clone());
        let loaded = tokio::task::spawn_blocking(move || Classifier::load(&from, &settings, &limits)).await;
        // Once is enough, however it ends: the same folder loads no better a minute later.
        self.serves = Some(folder);
        match loaded {
            Ok(Ok(classifier)) => {
                let version = classifier.version().to_owned();
                proxy.judges.rcu(|old| Judges { classifier: Some(classifier.clone()), ..Judges::clone(old) });
                tracing::info!(version, "another model serves");
                proxy.audit.system(SystemKind::Reload, format!("model {version} serves"));
            }
            Ok(Err(error)) => tracing::error!(%error, "the promoted model cannot be used; the one that serves goes on"),
            Err(error) => {
                tracing::error!(%error, "loading the promoted model was cut short; the one that serves goes on")
            }
        }
    }
}
