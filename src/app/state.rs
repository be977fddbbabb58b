//! The state folder and the secrets of this box in it.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::StartError;
use crate::access::keys;
use crate::base::Secret;

/// Makes the state folder, which nobody else may enter.
pub(super) fn create_private_folder(path: &Path) -> Result<(), StartError> {
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
