//! What the model tests share: the tiny model, copies of it to tamper with, and loading.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code, though not in a test function")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portcullis::base::{Fault, Limits};
use portcullis::classify::{Classifier, ClassifierConfig, Judged};
use portcullis::model::ModelError;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A file of the tests' data.
pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/model").join(path)
}

/// A copy of the tiny model's folder.
pub fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data("guard")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// Changes the manifest in `folder`.
pub fn edit_manifest(folder: &Path, edit: impl FnOnce(&mut Value)) {
    edit_json(&folder.join("manifest.json"), edit);
}

/// Changes a JSON file.
pub fn edit_json(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

/// Puts `bytes` in the place of the model or the tokenizer (`key`) and makes the manifest name them.
pub fn replace(folder: &Path, key: &str, bytes: &[u8]) {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    edit_manifest(folder, |manifest| {
        fs::write(folder.join(manifest[key]["file"].as_str().unwrap()), bytes).unwrap();
        manifest[key]["sha256"] = hash.into();
        manifest[key]["bytes"] = bytes.len().into();
    });
}

/// Loads a model folder with two sessions.
pub fn load(folder: &Path, limits: &Limits) -> Result<Classifier, ModelError> {
    Classifier::load(folder, &ClassifierConfig { threads: 2, onnxruntime: None }, limits)
}

/// The tiny model. Needs ONNX Runtime: the panic says how to get it.
pub fn tiny(limits: &Limits) -> Classifier {
    load(&data("guard"), limits).unwrap_or_else(|error| panic!("{error}"))
}

/// Far enough away that no test meets it.
pub fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

/// Submits texts and waits.
pub fn judge(classifier: &Classifier, texts: &[&str]) -> Result<Vec<Judged>, Fault> {
    classifier.submit(texts.iter().map(|&text| text.to_owned()).collect(), later())?.wait()
}

/// Submits one text and waits.
pub fn judge_one(classifier: &Classifier, text: &str) -> Judged {
    judge(classifier, &[text]).unwrap().remove(0)
}

/// Why loading failed.
pub fn refusal(folder: &Path, limits: &Limits) -> String {
    match load(folder, limits) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    }
}
