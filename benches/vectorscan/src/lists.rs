//! Lists of literals, case-insensitive: ours beside Vectorscan and aho-corasick.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use portcullis::rules::from_sources;
use portcullis::scan::Scanner;

use crate::corpora::Corpus;
use crate::corpora::lists::{phrases, rule_files};
use crate::corpora::near_misses::{Shape, near_misses};
use crate::engines::{self, REPLY};
use crate::hs;
use crate::measure::compare;
use crate::options::Options;
use crate::vectorscan::{Pattern, compiled, escape};

/// Longer lists are measured without the others: aho-corasick's DFA would take gigabytes.
const OTHERS_MAX: usize = 10_000;
/// A literal of a list has so many bytes at least.
const LITERAL_BYTES: usize = 3;

pub fn run(options: &Options) -> Result<(), String> {
    for size in &options.lists {
        let made;
        let words = match &options.words {
            Some(words) => words,
            None => {
                made = phrases(*size);
                &made
            }
        };
        let words = words.iter().filter(|word| word.len() >= LITERAL_BYTES).take(*size);
        let words: BTreeSet<String> = words.map(|word| word.to_lowercase()).collect();
        measure(&words.into_iter().collect::<Vec<_>>(), options)?;
    }
    Ok(())
}

fn measure(words: &[String], options: &Options) -> Result<(), String> {
    let set = from_sources(rule_files(words)).map_err(|problems| problems.to_string())?.set;
    let start = Instant::now();
    let scanner = Scanner::new(Arc::new(set)).map_err(|error| error.to_string())?;
    let took = start.elapsed().as_secs_f64();
    let hostile = options.made_here.then(|| {
        let shapes: Vec<Shape> = words.iter().cloned().map(Shape::Literal).collect();
        near_misses(&shapes, &options.corpora[0])
    });
    let corpora: Vec<&Corpus> = options.corpora.iter().chain(&hostile).collect();
    let (set, scratch) = engines::memory(&scanner, REPLY, &corpora);
    let (count, set, scratch) = (words.len(), set as f64 / 1e6, scratch as f64 / 1e6);
    println!(
        "{count} literals: compiled in {took:.3} s; memory: compiled set {set:.1} MB, one scratch {scratch:.1} MB"
    );
    let title = format!("{count} literals");
    if options.alone || count > OTHERS_MAX {
        compare(&title, engines::ours(&scanner, REPLY), &corpora, options.rounds, &options.case);
        return Ok(());
    }
    let patterns: Vec<Pattern> = words.iter().map(|word| (escape(word), hs::CASELESS)).collect();
    let keep = options.keep.as_deref();
    let (block, stream) = (compiled(&patterns, false, keep)?, compiled(&patterns, true, keep)?);
    let dfa = AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(words);
    let dfa = dfa.map_err(|error| error.to_string())?;
    let mut cases = engines::ours(&scanner, REPLY);
    cases.extend([engines::block(&block), engines::stream(&stream)]);
    cases.push(engines::aho_corasick(&dfa));
    compare(&title, cases, &corpora, options.rounds, &options.case);
    Ok(())
}
