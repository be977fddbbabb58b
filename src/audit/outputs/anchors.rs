//! Reads back the checkpoints that an output has put into an object store.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::audit::proof::Anchored;
use crate::egress::{Objects, ObjectsConfig};

/// All checkpoints there, whoever signed them: whether that was one of ours is for verifying to say.
///
/// # Errors
/// A sentence that names the place: the store's, or a file that cannot be read.
pub async fn anchors_in(config: &ObjectsConfig) -> Result<Vec<Anchored>, String> {
    let objects = Objects::open(config)?;
    let names = objects.list("").await.map_err(|error| error.to_string())?;
    let read = names.iter().filter(|name| name.ends_with(".jsonl")).map(|name| {
        let objects = &objects;
        async move {
            let bytes = objects.get(name, OBJECT_BYTES).await.map_err(|error| error.to_string())?.unwrap_or_default();
            let wrong = |why: String| format!("{}, {name}: {why}", objects.place());
            let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
            Anchored::among(text).map_err(wrong)
        }
    });
    let all: Vec<Vec<Anchored>> = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let all = all.concat();
    if all.is_empty() {
        return Err(format!("{}: no checkpoint is there", objects.place()));
    }
    Ok(all)
}

/// Bytes of one object that are read, at most: a delivery has 500 lines at most.
const OBJECT_BYTES: u64 = 64 * 1024 * 1024;
/// Objects that are asked for at once.
const AT_ONCE: usize = 16;
