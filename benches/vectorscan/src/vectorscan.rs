//! Patterns in Vectorscan's notation, compiled and kept.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
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

/// Drops what Vectorscan refuses, which it tells of one pattern at a time: minutes, unless a run before has kept the answers.
pub fn accepted(patterns: &[Pattern], streams: bool, keep: Option<&Path>) -> Result<Vec<Pattern>, String> {
    let file = file(keep, patterns, streams, "accepted");
    let kept = file.as_ref().and_then(|file| fs::read(file).ok()).filter(|kept| kept.len() == patterns.len());
    let answers = kept.unwrap_or_else(|| patterns.iter().map(|pattern| answer(pattern, streams)).collect());
    if let Some(file) = file {
        write(&file, &answers)?;
    }
    let taken = patterns.iter().zip(&answers).filter(|(_, answer)| **answer == TAKEN);
    Ok(taken.map(|(pattern, _)| pattern.clone()).collect())
}

const TAKEN: u8 = b'+';
const REFUSED: u8 = b'-';

fn answer(pattern: &Pattern, streams: bool) -> u8 {
    match Database::new(std::slice::from_ref(pattern), streams) {
        Ok(_) => TAKEN,
        Err((message, _)) => {
            eprintln!("Vectorscan refuses {:?}: {message}", pattern.0);
            REFUSED
        }
    }
}

/// A database, from the folder where an earlier run has kept it.
pub fn compiled(patterns: &[Pattern], streams: bool, keep: Option<&Path>) -> Result<Database, String> {
    let file = file(keep, patterns, streams, "hs");
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
        write(&file, &bytes)?;
    }
    Ok(database)
}

/// Where something that was made from these patterns is kept.
fn file(keep: Option<&Path>, patterns: &[Pattern], streams: bool, kind: &str) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (hs::version(), patterns, streams).hash(&mut hasher);
    keep.map(|folder| folder.join(format!("{:016x}.{kind}", hasher.finish())))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let made = file.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(file, bytes)).map_err(|error| format!("{}: {error}", file.display()))
}
