//! A place in an object store, as it is written.

use std::fmt;
use std::path::PathBuf;

use http::Uri;

use super::Reach;
use crate::base::Secret;

/// Where objects lie.
#[derive(Clone)]
pub struct ObjectsConfig {
    /// In which store.
    pub place: Place,
    /// Which addresses its server may have.
    pub reach: Reach,
    /// Further certificate authorities (PEM) that may have signed its certificate.
    pub ca_file: Option<PathBuf>,
}

/// A store, and the folder or prefix in it.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Amazon S3, or what speaks its protocol: R2, MinIO, Ceph …
    S3 {
        /// The bucket.
        bucket: String,
        /// What names begin with; may be empty.
        prefix: String,
        /// The server; `None`: Amazon's, by region.
        endpoint: Option<Uri>,
        /// The region; `auto` for R2.
        region: String,
        /// The access key's id, and the secret.
        key: (Secret, Secret),
    },
    /// Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// What names begin with; may be empty.
        prefix: String,
        /// The server; `None`: Google's.
        endpoint: Option<Uri>,
        /// A service account's key, as JSON.
        service_account: Secret,
    },
}

impl fmt::Display for ObjectsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
            Place::Gcs { bucket, prefix, .. } => write!(f, "gs://{bucket}/{prefix}"),
        }
    }
}

impl fmt::Debug for ObjectsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectsConfig({self})")
    }
}
