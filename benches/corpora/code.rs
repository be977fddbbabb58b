//! Code: the project's own Rust, Python, SQL and shell, in pieces in an order that is drawn.

use std::fs;
use std::path::{Path, PathBuf};

use super::draw::Draw;
use super::{BYTES, DOCUMENT_BYTES};

/// Where sources stand, and how their names end.
const PLACES: [(&str, &str); 4] = [("src", "rs"), ("train", "py"), ("migrations", "sql"), ("scripts", "sh")];

/// Sources that hold attacks, secrets and encoded text as examples.
const HOSTILE: [&str; 6] = ["tests", "examples", "decode", "transforms", "validator", "demo"];

pub fn documents(root: &Path) -> Vec<String> {
    let mut documents: Vec<String> = sources(root).iter().flat_map(|source| pieces(source)).collect();
    Draw::new(2).shuffle(&mut documents);
    let mut bytes = 0;
    documents.retain(|document| {
        let wanted = bytes < BYTES;
        bytes += document.len();
        wanted
    });
    documents
}

/// Source files, in order of their paths; without their tests.
pub fn sources(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for (folder, end) in PLACES {
        find(&root.join(folder), end, &mut paths);
    }
    paths.sort();
    let hostile = |path: &Path| {
        let stem = path.strip_prefix(root).unwrap_or(path).with_extension("");
        stem.iter().any(|part| HOSTILE.iter().any(|hostile| part == *hostile))
    };
    paths.retain(|path| !hostile(path));
    let texts = paths.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.map(|text| text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()).collect()
}

fn find(folder: &Path, end: &str, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, end, paths);
        } else if path.extension().is_some_and(|extension| extension == end) {
            paths.push(path);
        }
    }
}

/// A file in pieces of whole lines.
fn pieces(source: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for line in source.split_inclusive('\n') {
        if pieces.last().is_some_and(|piece| piece.len() >= DOCUMENT_BYTES) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(line);
        }
    }
    pieces
}
