//! Outputs: what the record tells, told to others as it is written. Each follows the chain of this node by itself:
//!
//! ```text
//! spool, or else the store ─► Source ─► Eve (records become lines) ─► Sink: file, stdout, syslog, HTTP, OTLP, webhook, objects
//!                              after the cursor                        │
//!                              STATE/audit/outputs/NAME.cursor ◄───────┘ once delivered
//! ```
//!
//! An output that is away holds up nobody: its lines wait in the record. It gets each line at least once, in order.

mod anchors;
pub(crate) mod config;
mod eve;
mod follow;
mod sinks;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use self::config::OutputConfig;
use self::eve::Eve;
use self::follow::{Follower, Told};
use self::sinks::Sink;
use self::source::Source;
use super::error::AuditError;
use super::record::Head;
use super::shared::Shared;
use super::spool::{read_head, segment, spool_error, write_head};
use super::store::{Store, StoreConfig};

pub use self::anchors::anchors_in;
pub use self::follow::OutputStatus;

/// The outputs of one record.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    told: Vec<Arc<Told>>,
    working: Vec<JoinHandle<()>>,
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for task in &self.working {
            task.abort();
        }
    }
}

impl Outputs {
    /// Starts them. `folder`: the spool's. `head`: the chain's, at this start.
    pub(crate) fn start(
        configs: Vec<OutputConfig>,
        shared: &Arc<Shared>,
        store: &StoreConfig,
        folder: &Path,
        head: Head,
    ) -> Result<Self, AuditError> {
        let mut outputs = Self::default();
        if configs.is_empty() {
            return Ok(outputs);
        }
        let places = folder.join(FOLDER);
        std::fs::create_dir_all(&places).map_err(spool_error("make", &places))?;
        for config in configs {
            let cursor = places.join(format!("{}.cursor", config.name));
            let kept = read_head(&cursor);
            let place = follow::start(kept, head);
            if kept != Some(place) {
                // From here on, even if the first delivery takes until after a restart.
                segment::replace(&cursor, &write_head(place)).map_err(spool_error("write", &cursor))?;
            }
            let told = Arc::new(Told::new(&config.name, place.seq));
            let sink = Sink::new(&config.name, &config.to, &shared.node, &shared.region)?;
            let source = Source::new(folder.to_owned(), shared.node.clone(), Store::new(store)?);
            let eve = Eve::new(config.excerpts);
            let (shared, of) = (Arc::clone(shared), Arc::clone(&told));
            let follower = Follower { config, shared, told: of, source, sink, eve, cursor, pending: None };
            outputs.working.push(tokio::spawn(follower.run()));
            outputs.told.push(told);
        }
        Ok(outputs)
    }

    /// Waits until each has told everything up to `written`, or is away; at most for `limit`.
    pub(crate) async fn drain(&self, written: u64, limit: Duration) {
        let all = async {
            for told in &self.told {
                let mut place = told.place.subscribe();
                let _ = place.wait_for(|(seq, ok)| *seq >= written || !ok).await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
    }

    /// How they do, by name.
    pub(crate) fn status(&self, written: u64) -> BTreeMap<String, OutputStatus> {
        self.told.iter().map(|told| (told.name.clone(), told.status(written))).collect()
    }
}

/// Where their places are kept, in the spool's folder.
const FOLDER: &str = "outputs";
