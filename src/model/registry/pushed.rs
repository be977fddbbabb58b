//! How a version is named.

use serde::Serialize;

/// A version in the store, with what names all of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Pushed {
    /// The model.
    pub name: String,
    /// The version.
    pub version: String,
    /// The SHA-256 of its `bundle.json`, in hex.
    pub sha256: String,
}
