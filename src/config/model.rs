//! Section `model`: a folder, or a store from which it is fetched.

use std::fs;
use std::path::Path;

use super::sections::Context;
use super::value::{name, number, optional, path};
use super::{ModelConfig, ModelSource, ModelVersion, ShadowConfig, objects};
use crate::audit::PublicKey;
use crate::model::registry::Pushed;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Node;
use crate::yaml::table::{Table, text, texts};

pub(super) fn read(node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<ModelConfig> {
    const KEYS: [&str; 9] =
        ["folder", "store", "name", "version", "sha256", "trusted_keys", "shadow", "threads", "onnxruntime"];
    let before = report.error_count();
    let table = Table::open(node, "model", &KEYS, report)?;
    let source = match (table.get("folder"), table.get("store")) {
        (Some(folder), None) => {
            for key in ["name", "version", "sha256", "trusted_keys"] {
                if let Some(node) = table.get(key) {
                    let message = format!("model.{key} is of models in a store, and model.folder names a folder");
                    report.error(
                        "C008",
                        node.place,
                        message,
                        "write `store:` in the place of `folder:`, or take it out",
                    );
                }
            }
            path(folder, "model.folder", context.base, report).map(ModelSource::Folder)
        }
        (None, Some(store)) => stored(&table, store, context, report),
        (Some(_), Some(store)) => {
            report.error("C008", store.place, "model has both a folder and a store", "the model is in one of them");
            None
        }
        (None, None) => {
            report.error(
                "C004",
                node.place,
                "model needs `folder`",
                "write `folder: models/guard`; or `store:`, docs/models.md",
            );
            None
        }
    };
    let shadow = optional(&table, "shadow", |node| shadow(node, source.as_ref(), context.base, report));
    let threads = optional(&table, "threads", |node| number(node, "model.threads", report)).unwrap_or(0);
    let onnxruntime = optional(&table, "onnxruntime", |node| path(node, "model.onnxruntime", context.base, report));
    let config = ModelConfig { source: source?, shadow, threads: usize::try_from(threads).ok()?, onnxruntime };
    (report.error_count() == before).then_some(config)
}

fn stored(table: &Table<'_>, node: &Node, context: &Context<'_>, report: &mut Reporter<'_>) -> Option<ModelSource> {
    let store = objects::read(node, "model.store", context, report);
    let model = table.needed("name", report).and_then(|node| name(node, "model.name", report));
    let version = optional(table, "version", |node| name(node, "model.version", report));
    let sha256 = optional(table, "sha256", |node| hash(node, report));
    let trusted = optional(table, "trusted_keys", |node| keys(node, context.base, report));
    let (store, name) = (store?, model?);
    let which = match (version, sha256, trusted) {
        (Some(version), Some(sha256), None) => ModelVersion::Pinned(Pushed { name: name.clone(), version, sha256 }),
        (None, None, Some(trusted)) => ModelVersion::Promoted(trusted),
        _ => {
            let message = "model.store: which version is to serve is not said, or said twice";
            let help = "write `version:` and `sha256:`, as `portcullis models push` printed them; or `trusted_keys:` alone, for \
                        the version that was promoted with one of them";
            report.error("C008", node.place, message, help);
            return None;
        }
    };
    Some(ModelSource::Store { store: Box::new(store), name, which })
}

/// A model in shadow: in a folder, or a version of the store that the classifier is from.
fn shadow(
    node: &Node,
    classifier: Option<&ModelSource>,
    base: &Path,
    report: &mut Reporter<'_>,
) -> Option<ShadowConfig> {
    let table = Table::open(node, "model.shadow", &["folder", "version", "sha256", "share"], report)?;
    let folder = optional(&table, "folder", |node| path(node, "model.shadow.folder", base, report));
    let version = optional(&table, "version", |node| name(node, "model.shadow.version", report));
    let sha256 = optional(&table, "sha256", |node| hash(node, report));
    let share = table.get("share").map_or(Some(100), |node| number(node, "model.shadow.share", report))?;
    if !(1..=100).contains(&share) {
        let help = "write 1 to 100: of a hundred exchanges, those whose texts it sees";
        report.error("C007", node.place, format!("model.shadow.share is {share}"), help);
    }
    let source = match (folder, version, sha256, classifier) {
        (Some(folder), None, None, _) => ModelSource::Folder(folder),
        (None, Some(version), Some(sha256), Some(ModelSource::Store { store, name, .. })) => {
            let pinned = Pushed { name: name.clone(), version, sha256 };
            ModelSource::Store { store: store.clone(), name: name.clone(), which: ModelVersion::Pinned(pinned) }
        }
        _ => {
            let message = "model.shadow: which model is to look on is not said, or said twice";
            let help = "write `folder:`; or, of a classifier in a store, `version:` and `sha256:`";
            report.error("C008", node.place, message, help);
            return None;
        }
    };
    Some(ShadowConfig { source, share: u8::try_from(share).ok()? })
}

fn hash(node: &Node, report: &mut Reporter<'_>) -> Option<String> {
    let written = text(node, "model.sha256", report)?;
    let is_hex = written.value.len() == 64
        && written.value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hex {
        let help = "write the 64 hexadecimal digits that `portcullis models push` printed";
        report.error("C008", written.place, "model.sha256 is no SHA-256", help);
    }
    is_hex.then_some(written.value)
}

/// Public keys, as they are or in files.
fn keys(node: &Node, base: &Path, report: &mut Reporter<'_>) -> Option<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for written in texts(node, "model.trusted_keys", report)? {
        let file = fs::read_to_string(base.join(&written.value));
        match PublicKey::parse(file.as_deref().unwrap_or(&written.value)) {
            Some(key) => keys.push(key),
            None => {
                let message =
                    format!("model.trusted_keys: `{}` is no public key, and no file that holds one", written.value);
                let help = "write 32 bytes in base64, or the path of a PEM (openssl pkey -pubout)";
                report.error("C008", written.place, message, help);
            }
        }
    }
    if keys.is_empty() {
        report.error("C008", node.place, "model.trusted_keys names no key", "nobody could promote a model");
    }
    Some(keys)
}
