//! Portcullis beside Vectorscan and aho-corasick: the same patterns, the same texts, one thread, interleaved rounds.
//!
//! Speed is bytes over the thread's CPU time, median of the rounds. `--help` tells the arguments; docs/benchmarks.md what came
//! out. Our figures are for what a prompt goes through, canonical form and all rules in one pass (`scan`), and for the scan
//! alone (`scan only`).

#[expect(dead_code, reason = "other benches take what this one does not")]
#[path = "../../corpora/mod.rs"]
mod corpora;
mod engines;
mod hs;
mod lists;
mod measure;
mod options;
mod shipped;
mod vectorscan;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n{}", options::HELP);
            return ExitCode::from(64);
        }
    };
    let done = if options.lists.is_empty() { shipped::run(&options) } else { lists::run(&options) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
