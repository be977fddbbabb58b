//! Which version is to serve, and on what grounds: signed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Pushed, is_name};
use crate::audit::{PublicKey, envelope};

/// That a version is to serve from now on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// 1, 2, 3 …: the highest counts, and an appliance takes no lower one than it has seen.
    pub sequence: u64,
    /// The model.
    pub name: String,
    /// The version.
    pub version: String,
    /// What names all of it.
    pub bundle_sha256: String,
    /// When.
    pub promoted_at: Timestamp,
    /// On what grounds.
    pub basis: Basis,
}

/// The grounds of a promotion.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Basis {
    /// There was none before it to be held against.
    First(Gate),
    /// It was no worse than the one before.
    Gate(Gate),
    /// Back to what an earlier promotion said.
    Rollback {
        /// That promotion's number.
        to: u64,
    },
}

/// What a model was judged by.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The frozen set.
    pub set: String,
    /// Its version.
    pub set_version: String,
    /// The SHA-256 of its manifest.
    pub set_sha256: String,
    /// By how much a figure may be worse.
    pub tolerance: f64,
    /// The version before; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Figures>,
    /// The version that was promoted.
    pub candidate: Figures,
}

/// How a model did on the set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Its version.
    pub version: String,
    /// Attacks, and harmless texts.
    pub rows: [usize; 2],
    /// Area under the ROC curve.
    pub auc: f64,
    /// Share of attacks found where 1 % of the harmless texts are taken for attacks.
    pub recall_at_fpr_01: f64,
    /// Share of attacks found at the model's own threshold.
    pub recall: f64,
    /// Share of harmless texts taken for attacks there.
    pub fpr: f64,
}

impl Promotion {
    /// What names the version.
    pub fn pushed(&self) -> Pushed {
        Pushed { name: self.name.clone(), version: self.version.clone(), sha256: self.bundle_sha256.clone() }
    }

    /// Reads a promotion of a model that one of these keys signed; `sequence`: the number that it must have.
    pub(crate) fn open(
        bytes: &[u8],
        (name, sequence): (&str, Option<u64>),
        trusted: &[PublicKey],
    ) -> Result<Self, String> {
        let promotion: Self = envelope::open(TYPE, bytes, trusted).map_err(|error| error.to_string())?;
        // A statement for another model, or an old one under a new number, is signed as well.
        if promotion.name != name || sequence.is_some_and(|sequence| promotion.sequence != sequence) {
            return Err(format!("it is promotion {} of {}", promotion.sequence, promotion.name));
        }
        if !is_name(&promotion.version) {
            return Err(format!("{:?} is no version", promotion.version));
        }
        Ok(promotion)
    }
}

/// What a promotion's file is.
pub(super) const TYPE: &str = "application/vnd.portcullis.model-promotion+json";
