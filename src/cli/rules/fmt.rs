//! `portcullis rules fmt`: one layout for rule files.

use std::path::PathBuf;

use clap::Args;

use super::files;
use crate::cli::{Failure, out};
use crate::rules::format::format;

#[derive(Args, Debug)]
pub(in crate::cli) struct FmtArgs {
    /// Write nothing; name the files that are laid out otherwise, and fail when there are any
    #[arg(long)]
    check: bool,
    /// Rule files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &FmtArgs) -> Result<u8, Failure> {
    let (mut changed, mut left) = (0usize, 0usize);
    for path in &args.files {
        let text = files::read_rules(path)?;
        match format(&text) {
            Err(problem) => {
                out::error(&format!("{}:{}: {}", path.display(), problem.line, problem.what));
                left += 1;
            }
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => {
                changed += 1;
                if !args.check {
                    files::replace(path, &formatted)
                        .map_err(|error| Failure::job(format!("{} cannot be written: {error}", path.display())))?;
                }
                out::line(path.display().to_string())?;
            }
        }
    }
    if left > 0 {
        return Err(Failure::job(format!("{left} file(s) were left as they are")));
    }
    Ok(u8::from(args.check && changed > 0))
}
