//! Patterns in Vectorscan's notation, compiled and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Instant;

use crate::hs::{self, Database};

/// A pattern with its flags.
pub type Pattern = (String, u32);

pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Drops what Vectorscan refuses, which it tells of one pattern at a time.
pub fn accepted(patterns: &[Pattern], streams: bool) -> Vec<Pattern> {
    let takes = |pattern: &&Pattern| match Database::new(std::slice::from_ref(pattern), streams) {
        Ok(_) => true,
        Err((message, _)) => {
            eprintln!("Vectorscan refuses {:?}: {message}", pattern.0);
            false
        }
    };
    patterns.iter().filter(takes).cloned().collect()
}

/// A database, from the folder where an earlier run has kept it.
pub fn compiled(patterns: &[Pattern], streams: bool, keep: Option<&Path>) -> Result<Database, String> {
    let mut hasher = DefaultHasher::new();
    (hs::version(), patterns, streams).hash(&mut hasher);
    let file = keep.map(|folder| folder.join(format!("{:016x}.hs", hasher.finish())));
    let kept = file.as_ref().and_then(|file| fs::read(file).ok());
    if let Some(database) = kept.and_then(|bytes| Database::deserialized(&bytes, streams)) {
        return Ok(database);
    }
    let start = Instant::now();
    let database = Database::new(patterns, streams)
        .map_err(|(message, which)| format!("Vectorscan, pattern {which}: {message}"))?;
    let mode = if streams { "streams" } else { "whole texts" };
    println!("Vectorscan compiled {} patterns for {mode} in {:.1} s", patterns.len(), start.elapsed().as_secs_f64());
    if let Some((file, bytes)) = file.zip(database.serialized()) {
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&file, bytes)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(database)
}
