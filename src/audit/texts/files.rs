//! Which files hold the keys of recorded texts.

use std::path::PathBuf;

/// Where the keys of recorded texts are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TextKeyFiles {
    /// Master keys, each 32 bytes as they are, in base64 or in hex. New texts are under the first, older ones may be under any;
    /// empty: one that is made in the state folder.
    pub keys: Vec<PathBuf>,
    /// The key of the words' hashes; `None`: texts cannot be searched.
    pub search_key: Option<PathBuf>,
}
