//! ONNX Runtime's shared library: where it is looked for, and loading it once per process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::model::error::ModelError;

/// The environment variable that names the library.
pub const LIBRARY_VARIABLE: &str = "PORTCULLIS_ONNXRUNTIME";

/// ONNX Runtime, loaded. One per process: the first library loaded stays.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Loads ONNX Runtime, or hands out what an earlier call loaded.
///
/// `configured` is tried alone when given; else the variable `PORTCULLIS_ONNXRUNTIME`; else the default places.
pub fn load(configured: Option<&Path>) -> Result<Environment, ModelError> {
    let path = find(configured)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((present, environment)) = loaded.as_ref() {
        if *present == path {
            return Ok(environment.clone());
        }
        return Err(ModelError::Runtime(format!(
            "this process has loaded {} already; it cannot load {} as well (restart to change it)",
            present.display(),
            path.display()
        )));
    }
    let environment = open(&path)?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

fn open(path: &Path) -> Result<Environment, ModelError> {
    let builder = ort::init_from(path).map_err(|error| {
        ModelError::Runtime(format!(
            "{}: {error}; it must be ONNX Runtime 1.24 or newer for this machine. {HELP}",
            path.display()
        ))
    })?;
    let environment = builder
        .with_name("portcullis")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| ModelError::Runtime(format!("{}: {error}", path.display())))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// ONNX Runtime's messages speak of graphs and operators, never of the texts; they go to our own log.
fn log(level: LogLevel, category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => tracing::error!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", category, place, "{message}"),
        _ => tracing::debug!(target: "onnxruntime", category, place, "{message}"),
    }
}

/// The library's path, links resolved. An error names every place that was tried.
pub fn find(configured: Option<&Path>) -> Result<PathBuf, ModelError> {
    if let Some(path) = configured {
        return named(path, "the configured library");
    }
    if let Some(path) = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()) {
        return named(Path::new(&path), LIBRARY_VARIABLE);
    }
    search(&default_places())
}

fn search(places: &[PathBuf]) -> Result<PathBuf, ModelError> {
    if let Some(library) = places.iter().find_map(|place| newest_in(place)) {
        return named(&library, "the default place");
    }
    let tried: Vec<String> = places.iter().map(|place| format!("  - {}", place.display())).collect();
    Err(ModelError::Runtime(format!("no {}* in any of these folders:\n{}\n{HELP}", file_stem(), tried.join("\n"))))
}

fn named(path: &Path, by: &str) -> Result<PathBuf, ModelError> {
    let whole = path
        .canonicalize()
        .map_err(|error| ModelError::Runtime(format!("{} ({by}): {error}. {HELP}", path.display())))?;
    if whole.is_file() {
        return Ok(whole);
    }
    Err(ModelError::Runtime(format!("{} ({by}) is not a file. {HELP}", path.display())))
}

/// Folders that are searched, in order. All of them belong to whoever installed the executable or the system; never the
/// working directory, from which a stranger's library could be loaded.
fn default_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(folder) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) {
        places.push(folder.clone());
        places.push(folder.join("../lib/portcullis"));
        places.extend(checkout(&folder).map(|checkout| checkout.join(".cache/onnxruntime")));
    }
    places.extend(SYSTEM_PLACES.iter().map(PathBuf::from));
    places.push(PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    places
}

/// The checkout whose `target` folder the executable was built in.
fn checkout(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.file_name().is_some_and(|name| name == "target"))?.parent()
}

/// `libonnxruntime.so`, `libonnxruntime.so.1.31.1` … in one folder; of several the last by name, which is the newest or
/// the most exactly named one.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let stem = file_stem();
    let entries = std::fs::read_dir(folder).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let found = names.filter(|name| name.strip_prefix(stem.as_str()).is_some_and(is_version)).max()?;
    Some(folder.join(found))
}

fn is_version(rest: &str) -> bool {
    rest.is_empty() || (rest.starts_with('.') && rest.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()))
}

fn file_stem() -> String {
    format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

const SYSTEM_PLACES: [&str; 4] = ["/usr/lib/portcullis", "/usr/local/lib", "/usr/lib", "/usr/lib64"];

const HELP: &str = "Fetch it with scripts/fetch-onnxruntime.sh, or name a system library in PORTCULLIS_ONNXRUNTIME.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let stem = file_stem();
        for name in [format!("{stem}.1.24.0"), format!("{stem}.1.31.1"), format!("{stem}.backup"), "other.so.9".into()]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let providers = stem.replace("onnxruntime", "onnxruntime_providers_shared");
        std::fs::write(folder.path().join(providers), "").unwrap();
        assert_eq!(newest_in(folder.path()), Some(folder.path().join(format!("{stem}.1.31.1"))));
        assert_eq!(newest_in(&folder.path().join("absent")), None);
    }

    #[test]
    fn what_was_tried_is_named_when_nothing_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().to_path_buf(), folder.path().join("deeper")];
        let error = search(&places).unwrap_err().to_string();
        assert!(places.iter().all(|place| error.contains(&place.display().to_string())), "{error}");
        assert!(error.contains("scripts/fetch-onnxruntime.sh") && error.contains(LIBRARY_VARIABLE), "{error}");
    }

    #[test]
    fn only_the_checkout_that_built_the_executable_is_searched() {
        let at = |path: &str| checkout(Path::new(path)).map(Path::to_path_buf);
        assert_eq!(at("/src/portcullis/target/debug/deps"), Some("/src/portcullis".into()));
        assert_eq!(at("/src/portcullis/target/x86_64-unknown-linux-gnu/release"), Some("/src/portcullis".into()));
        assert_eq!(at("/usr/bin"), None);
    }
}
