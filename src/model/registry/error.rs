//! Why a model of the store cannot be used.

use std::path::PathBuf;

use crate::egress::ObjectsError;
use crate::model::ModelError;

/// What went wrong with a model in the store.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store's.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// A folder that is no model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The store cannot be used.
    #[error("{0}")]
    Place(String),
    /// It is not there.
    #[error("{0} is not there")]
    None(String),
    /// Something else is there under that name, and stays.
    #[error("{0} is there already, and is another one: versions and promotions do not change")]
    Other(String),
    /// It is not what it should be.
    #[error("{place}: {why}")]
    Odd {
        /// Where.
        place: String,
        /// How.
        why: String,
    },
    /// The store has an older promotion than was seen before.
    #[error(
        "the last promotion of {name} there is number {found}, and number {seen} was seen: somebody took promotions away"
    )]
    Replayed {
        /// The model.
        name: String,
        /// The number there; 0: none.
        found: u64,
        /// The number that was seen.
        seen: u64,
    },
    /// The folder for fetched models.
    #[error("{}: {error}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl From<RegistryError> for ModelError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Model(error) => error,
            error => Self::Store(error.to_string()),
        }
    }
}
